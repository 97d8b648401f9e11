//! "Did you mean": the known name nearest to what was typed.
//!
//! For: messages about keys, servers and variables. Not for: guessing; nothing acts on the suggestion.

use strsim::levenshtein;

/// The candidate nearest to `typed`, when it is near enough to be a slip of the fingers.
pub(crate) fn did_you_mean<'a>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let near_enough = (typed.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (levenshtein(typed, candidate), candidate))
        .filter(|(steps, candidate)| *steps <= near_enough || candidate.starts_with(typed))
        .min()
        .map(|(_, candidate)| candidate)
}

/// `; did you mean X?`, or nothing.
pub(crate) fn hint<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    did_you_mean(typed, candidates)
        .map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_slips_and_not_strangers() {
        let known = ["includes", "equals", "matches"];
        assert_eq!(did_you_mean("incldes", known), Some("includes"));
        assert_eq!(did_you_mean("equal", known), Some("equals"));
        assert_eq!(did_you_mean("database", known), None);
    }
}
