//! What a client may suggest while somebody fills in a prompt's argument or a template's variable.
//!
//! For: the question an author answers with values. Not for: checking what was filled in.

/// The most values the protocol lets an answer have.
pub(crate) const MAX_VALUES: usize = 100;

/// What is being filled in, and what stands there so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completing {
    pub(crate) name: &'static str,
    pub(crate) typed: String,
    pub(crate) given: Vec<(String, String)>,
}

impl Completing {
    /// The argument or variable.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What stands there so far.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// What was filled in for another argument, where the client said it.
    pub fn given(&self, name: &str) -> Option<&str> {
        let found = self.given.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Those of `values` that begin with what stands there, whatever the case.
    pub fn matching<'v>(&self, values: impl IntoIterator<Item = &'v str>) -> Vec<String> {
        let typed = self.typed.to_lowercase();
        let fits = |value: &&str| value.to_lowercase().starts_with(&typed);
        values.into_iter().filter(fits).map(str::to_owned).collect()
    }
}
