//! The failures that are expected of one server in one suite.
//!
//! The files are in the suites' own format, so that their command line takes them too: `- SCENARIO` for a
//! scenario that does not pass, `- SCENARIO:CHECK` for one check of it, and after a `#` the reason. That a message
//! breaks the protocol's schema is never excused.

use crate::suite::Failure;
use std::collections::BTreeMap;
use std::path::Path;

pub struct Expected(BTreeMap<String, bool>);

impl Expected {
    pub fn read(path: &Path) -> Expected {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut entries = BTreeMap::new();
        for line in text.lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') || line == "server:" || line == "server: []"
            {
                continue;
            }
            let (name, why) = line
                .strip_prefix("- ")
                .and_then(|entry| entry.split_once(" # "))
                .unwrap_or_else(|| panic!("{}: not `- NAME # REASON`: {line}", path.display()));
            assert!(!why.trim().is_empty(), "{}: {line}", path.display());
            let known = entries.insert(name.trim().to_owned(), false);
            assert!(known.is_none(), "{}: twice: {name}", path.display());
        }
        Expected(entries)
    }

    /// Whether it is listed; what is, is not stale.
    pub fn covers(&mut self, failure: &Failure) -> bool {
        if failure.check == "wire-schema-valid" {
            return false;
        }
        let check = format!("{}:{}", failure.scenario, failure.check);
        for name in [failure.scenario.as_str(), check.as_str()] {
            if let Some(met) = self.0.get_mut(name) {
                *met = true;
                return true;
            }
        }
        false
    }

    /// What is listed and did not fail.
    pub fn stale(self) -> Vec<String> {
        let stale = self.0.into_iter().filter(|(_, met)| !met);
        stale.map(|(name, _)| name).collect()
    }
}
