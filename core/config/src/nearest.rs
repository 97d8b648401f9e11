//! "Did you mean": the known name nearest to what was typed.
//! For: error messages about keys, variables and agent names.
//! Not for: guessing. Nothing acts on the suggestion.

use strsim::levenshtein;

/// The candidate nearest to `typed`, when it is near enough to be a slip of the fingers.
pub fn did_you_mean<'a>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let near_enough = (typed.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (levenshtein(typed, candidate), candidate))
        .filter(|(steps, _)| *steps <= near_enough)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_slips_and_not_strangers() {
        let known = ["run.agents", "run.agent", "run.attempts"];
        assert_eq!(did_you_mean("run.agnets", known), Some("run.agents"));
        assert_eq!(did_you_mean("run.attempt", known), Some("run.attempts"));
        assert_eq!(did_you_mean("database.url", known), None);
    }
}
