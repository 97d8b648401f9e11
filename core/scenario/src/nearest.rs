//! "Did you mean": the known name nearest to what was typed.
//!
//! For: messages about keys, servers and variables. Not for: guessing; nothing acts on the suggestion.

/// The candidate nearest to `typed`, when it is near enough to be a slip of the fingers.
pub(crate) fn did_you_mean<'a>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let near_enough = (typed.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (distance(typed, candidate), candidate))
        .filter(|(steps, candidate)| *steps <= near_enough || candidate.starts_with(typed))
        .min()
        .map(|(_, candidate)| candidate)
}

/// `; did you mean X?`, or nothing.
pub(crate) fn hint<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    did_you_mean(typed, candidates)
        .map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

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
    fn suggests_slips_and_not_strangers() {
        let known = ["includes", "equals", "matches"];
        assert_eq!(did_you_mean("incldes", known), Some("includes"));
        assert_eq!(did_you_mean("equal", known), Some("equals"));
        assert_eq!(did_you_mean("database", known), None);
    }
}
