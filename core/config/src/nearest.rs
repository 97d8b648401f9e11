//! "Did you mean": the known name nearest to what was typed.
//! For: error messages about keys, variables and agent names.
//! Not for: guessing. Nothing acts on the suggestion.

/// The candidate nearest to `typed`, when it is near enough to be a slip of the fingers.
pub fn did_you_mean<'a>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let near_enough = (typed.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (distance(typed, candidate), candidate))
        .filter(|(steps, _)| *steps <= near_enough)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace) that lead from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!(distance("agents", "agents"), 0);
        assert_eq!(distance("agnets", "agents"), 2);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn suggests_slips_and_not_strangers() {
        let known = ["run.agents", "run.agent", "run.attempts"];
        assert_eq!(did_you_mean("run.agnets", known), Some("run.agents"));
        assert_eq!(did_you_mean("run.attempt", known), Some("run.attempts"));
        assert_eq!(did_you_mean("database.url", known), None);
    }
}
