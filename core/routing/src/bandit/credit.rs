//! Whose work an attempt was.
//! For: one model, or nobody, for each attempt. Not for: whether the attempt succeeded.

use crate::route::TaskClass;
use callboard_telemetry::query::Served;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The share of an attempt's answers that its model gave at least; where no model gave so many, nobody did it alone.
pub const CREDITED: (usize, usize) = (2, 3);

/// Who did an attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Credit {
    /// How hard the work was said to be.
    pub class: TaskClass,
    /// The provider's configured name.
    pub provider: String,
    /// The model.
    pub model: String,
}

/// What a decision says of its request's class.
#[derive(Deserialize)]
struct Said {
    class: Option<TaskClass>,
}

/// The model that gave at least two thirds of the answers that an attempt used, for work of one class. `None`: there was
/// no such model, or nobody declared a class.
#[must_use]
pub fn credit(answers: &[Served]) -> Option<Credit> {
    let mut counts: BTreeMap<Credit, usize> = BTreeMap::new();
    for answer in answers {
        let class = answer.decision.as_deref().and_then(class_of);
        if let Some(class) = class {
            let credit = Credit {
                class,
                provider: answer.provider.clone(),
                model: answer.model.clone(),
            };
            *counts.entry(credit).or_default() += 1;
        }
    }
    let (credit, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    let (share, of) = CREDITED;
    (count * of >= answers.len() * share).then_some(credit)
}

/// The declared class in the column `decision` of a call.
fn class_of(decision: &str) -> Option<TaskClass> {
    serde_json::from_str::<Said>(decision).ok()?.class
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(seen: &[(&str, &str, usize)]) -> Vec<Served> {
        let each = seen.iter().flat_map(|(model, decision, times)| {
            let one = Served {
                provider: "p".to_owned(),
                model: (*model).to_owned(),
                decision: Some((*decision).to_owned()),
            };
            std::iter::repeat_n(one, *times)
        });
        each.collect()
    }

    const SIMPLE: &str = r#"{"class": "simple", "order": []}"#;
    const COMPLEX: &str = r#"{"class": "complex"}"#;

    fn credited(seen: &[(&str, &str, usize)]) -> Option<(String, TaskClass)> {
        credit(&answers(seen)).map(|credit| (credit.model, credit.class))
    }

    #[test]
    fn who_gave_two_thirds_of_the_answers_did_it() {
        let small = Some(("small".to_owned(), TaskClass::Simple));
        assert_eq!(credited(&[("small", SIMPLE, 1)]), small);
        assert_eq!(
            credited(&[("small", SIMPLE, 4), ("large", SIMPLE, 2)]),
            small
        );
        assert_eq!(
            credited(&[("small", SIMPLE, 3), ("large", SIMPLE, 2)]),
            None
        );
        // The same model for other work is no work of this class.
        assert_eq!(
            credited(&[("small", SIMPLE, 1), ("small", COMPLEX, 1)]),
            None
        );
    }

    #[test]
    fn without_a_declared_class_nobody_did_anything() {
        assert_eq!(credited(&[]), None);
        assert_eq!(credited(&[("small", "{}", 9)]), None);
        assert_eq!(credited(&[("small", "no JSON", 9)]), None);
        assert_eq!(credited(&[("small", r#"{"class": null}"#, 9)]), None);
        // Calls of no class are answers all the same.
        assert_eq!(credited(&[("small", SIMPLE, 1), ("small", "{}", 1)]), None);
    }
}
