//! Secrets that a scenario names with `${vault:NAME}`.
//!
//! For: finding them in a file, and asking the caller for their values before anything is started. Not for: knowing
//! where they are kept.

use crate::format::Scenario;
use crate::read::LoadError;
use callboard_redact::{SHORTEST, Secret};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What a reference to a secret begins with, inside `${…}`.
pub(crate) const PREFIX: &str = "vault:";

/// Values by name, for [`crate::Options`].
#[derive(Debug, Clone, Default)]
pub struct Secrets(BTreeMap<String, Secret>);

/// Why there is no value. Both say what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is no such secret; others may be there.
    Missing(String),
    /// No secret can be had; asking for another one would end in the same way.
    Closed(String),
}

impl Secrets {
    #[cfg(test)]
    pub(crate) fn of<const N: usize>(values: [(&str, Secret); N]) -> Secrets {
        Secrets(values.map(|(name, value)| (name.to_owned(), value)).into())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }
}

/// Asks `ask` once for each secret that the scenarios name. Each value is registered, so that nothing that this process
/// writes shows it. Beside what was found: every place that names a secret which could not be had.
pub fn resolve(
    scenarios: &[(PathBuf, Scenario)],
    mut ask: impl FnMut(&str) -> Result<Secret, Refused>,
) -> (Secrets, Vec<LoadError>) {
    let mut found = BTreeMap::new();
    let mut missing = BTreeMap::new();
    let names: BTreeSet<&str> = scenarios
        .iter()
        .flat_map(|(_, scenario)| scenario.secrets.iter().map(|name| name.value.as_str()))
        .collect();
    let mut closed: Option<String> = None;
    for name in names {
        if let Some(why) = &closed {
            missing.insert(name, why.clone());
            continue;
        }
        match ask(name).and_then(|value| registered(name, value)) {
            Ok(value) => drop(found.insert(name.to_owned(), value)),
            Err(Refused::Missing(why)) => drop(missing.insert(name, why)),
            Err(Refused::Closed(why)) => {
                missing.insert(name, why.clone());
                closed = Some(why);
            }
        }
    }
    let mut wrong = Vec::new();
    for (file, scenario) in scenarios {
        for name in &scenario.secrets {
            if let Some(why) = missing.get(name.value.as_str()) {
                wrong.push(LoadError {
                    file: file.clone(),
                    line: name.line,
                    column: name.column,
                    message: format!("`${{{PREFIX}{}}}`: {why}", name.value),
                });
            }
        }
    }
    (Secrets(found), wrong)
}

fn registered(name: &str, value: Secret) -> Result<Secret, Refused> {
    if value.expose().len() < SHORTEST {
        return Err(Refused::Missing(format!(
            "the value has fewer than {SHORTEST} bytes, so it could not be kept out of reports; give it a longer one"
        )));
    }
    callboard_redact::register(name, &value).map_err(|full| Refused::Closed(full.to_string()))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn scenario(file: &str, secret: &str) -> (PathBuf, Scenario) {
        let text = format!(
            "servers:\n  it:\n    url: http://127.0.0.1:1/\n    headers:\n      x-key: \"k ${{vault:{secret}}}\"\n\
             steps: [{{call: t}}]\n"
        );
        let scenario = crate::parse(Path::new(file), &text).unwrap();
        (PathBuf::from(file), scenario)
    }

    #[test]
    fn each_secret_is_asked_for_once_and_registered() {
        let mut asked = Vec::new();
        let both = [scenario("a.yaml", "KEY"), scenario("b.yaml", "KEY")];
        let (secrets, wrong) = resolve(&both, |name| {
            asked.push(name.to_owned());
            Ok(Secret::new("canary-of-a-scenario".to_owned()))
        });
        assert_eq!(wrong, []);
        assert_eq!(asked, ["KEY"]);
        assert_eq!(
            secrets.get("KEY").map(Secret::expose),
            Some("canary-of-a-scenario")
        );
        assert_eq!(
            callboard_redact::scrub("it is canary-of-a-scenario"),
            "it is [vault:KEY]"
        );
        assert!(!format!("{secrets:?}").contains("canary"));
    }

    #[test]
    fn every_place_of_a_secret_that_is_missing_is_told() {
        let three = [
            scenario("a.yaml", "ONE"),
            scenario("b.yaml", "TWO"),
            scenario("c.yaml", "ONE"),
        ];
        let told = |refused: fn(String) -> Refused| -> Vec<String> {
            let (_, wrong) = resolve(&three, |name| Err(refused(format!("no {name}"))));
            wrong.iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            told(Refused::Missing),
            [
                "a.yaml:5:14: `${vault:ONE}`: no ONE",
                "b.yaml:5:14: `${vault:TWO}`: no TWO",
                "c.yaml:5:14: `${vault:ONE}`: no ONE",
            ]
        );
        // Nobody is asked twice for a passphrase that was wrong.
        assert_eq!(
            told(Refused::Closed),
            [
                "a.yaml:5:14: `${vault:ONE}`: no ONE",
                "b.yaml:5:14: `${vault:TWO}`: no ONE",
                "c.yaml:5:14: `${vault:ONE}`: no ONE",
            ]
        );
    }

    #[test]
    fn a_value_that_could_not_be_kept_out_is_not_used() {
        let one = [scenario("a.yaml", "SHORT")];
        let (_, wrong) = resolve(&one, |_| Ok(Secret::new("short".to_owned())));
        assert!(wrong[0].message.contains("fewer than 8 bytes"), "{wrong:?}");
    }
}
