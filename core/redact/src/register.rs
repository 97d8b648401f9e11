//! The values that are in use in this process.
//! For: whoever resolves a value puts it here first; whoever writes asks here what to take out.
//! Not for: more than [`MOST`] values, or forgetting one that still opens anything: what was written with it may be read
//! again at any time.

use crate::forms::SHORTEST_FORM;
use crate::{Scrubber, Secret};
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The most values that one process uses.
pub const MOST: usize = 1_000;
/// A shorter value can't be told from other text, so it could not be kept out of anything. Bytes.
pub const SHORTEST: usize = SHORTEST_FORM;

/// A value with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What stands in its place.
    pub name: String,
    /// The value.
    pub value: Secret,
}

/// The register is full: this value could not be kept out of what is written, so it must not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtMost(pub usize);

impl std::fmt::Display for AtMost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "this process has used {} secrets already, the most it can keep out of its logs: start it again",
            self.0
        )
    }
}

impl std::error::Error for AtMost {}

static IN_USE: AtomicBool = AtomicBool::new(false);
static ENTRIES: Mutex<Vec<Entry>> = Mutex::new(Vec::new());
static SCRUBBER: RwLock<Option<Arc<Scrubber>>> = RwLock::new(None);

/// From now on the value is taken out of what this process and the children it starts write. Values shorter than
/// [`SHORTEST`] are not taken.
///
/// The first value also ends core dumps for this process and its children, which would hold it.
///
/// # Errors
/// [`AtMost`]; then the value must not be used.
pub fn register(name: &str, value: &Secret) -> Result<(), AtMost> {
    if value.expose().len() < SHORTEST {
        return Ok(());
    }
    let mut entries = ENTRIES.lock().unwrap_or_else(PoisonError::into_inner);
    if entries.iter().any(|entry| entry.value == *value) {
        return Ok(());
    }
    if entries.len() >= MOST {
        return Err(AtMost(MOST));
    }
    entries.push(Entry {
        name: name.to_owned(),
        value: value.clone(),
    });
    // Made anew when it is needed next.
    *SCRUBBER.write().unwrap_or_else(PoisonError::into_inner) = None;
    if !IN_USE.swap(true, Ordering::Release) {
        no_core_dumps();
    }
    Ok(())
}

/// Gives a place in the register back: for a value that opens nothing any more, in what is written later too.
pub fn forget(value: &Secret) {
    let mut entries = ENTRIES.lock().unwrap_or_else(PoisonError::into_inner);
    entries.retain(|entry| entry.value != *value);
    *SCRUBBER.write().unwrap_or_else(PoisonError::into_inner) = None;
}

/// A limit of one byte: unlike zero it also stops a dump to a program (core(5)).
fn no_core_dumps() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Core);
    let least = Rlimit {
        current: Some(now.maximum.map_or(1, |most| most.min(1))),
        maximum: now.maximum,
    };
    // Refused at worst: then nothing is as it was not before.
    let _ = setrlimit(Resource::Core, least);
}

/// Whether no value is in use.
#[must_use]
pub fn is_empty() -> bool {
    !IN_USE.load(Ordering::Acquire)
}

/// The values in use, for a child that writes for us.
#[must_use]
pub fn registered() -> Vec<Entry> {
    ENTRIES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// The scrubber for the values in use now.
#[must_use]
pub fn scrubber() -> Arc<Scrubber> {
    if is_empty() {
        return Arc::default();
    }
    let made = SCRUBBER
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    made.unwrap_or_else(make)
}

/// The register stays locked meanwhile, so that no value comes between reading it and keeping the scrubber.
fn make() -> Arc<Scrubber> {
    let entries = ENTRIES.lock().unwrap_or_else(PoisonError::into_inner);
    let all = entries
        .iter()
        .map(|entry| (entry.name.as_str(), entry.value.expose()));
    let scrubber = Arc::new(Scrubber::new(all));
    *SCRUBBER.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&scrubber));
    scrubber
}

/// The text without the values in use.
#[must_use]
pub fn scrub(text: &str) -> Cow<'_, str> {
    if is_empty() {
        return Cow::Borrowed(text);
    }
    scrubber().scrub(text)
}

/// The same for a text that is to stay where it is.
pub fn scrub_in_place(text: &mut String) {
    if let Cow::Owned(clean) = scrub(text) {
        *text = clean;
    }
}

/// The bytes without the values in use.
#[must_use]
pub fn scrub_bytes(bytes: &[u8]) -> Cow<'_, [u8]> {
    if is_empty() {
        return Cow::Borrowed(bytes);
    }
    match scrubber().scrub_bytes(bytes) {
        Cow::Borrowed(_) => Cow::Borrowed(bytes),
        Cow::Owned(clean) => Cow::Owned(clean),
    }
}

/// The name of the first value in use that is in `bytes`.
#[must_use]
pub fn sighted(bytes: &[u8]) -> Option<String> {
    if is_empty() {
        return None;
    }
    scrubber().sighted(bytes).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test: the register is the process's.
    #[test]
    fn what_is_registered_is_taken_out() {
        assert!(is_empty());
        assert_eq!(scrub("canary-1234"), "canary-1234");
        let short = Secret::new("tiny".to_owned());
        register("SHORT", &short).unwrap();
        assert!(is_empty());
        let value = Secret::new("canary-1234".to_owned());
        register("ONE", &value).unwrap();
        register("AGAIN", &value).unwrap();
        assert_eq!(registered().len(), 1);
        assert_eq!(scrub("a canary-1234"), "a [vault:ONE]");
        assert_eq!(scrub_bytes(b"a canary-1234").as_ref(), b"a [vault:ONE]");
        assert_eq!(sighted(b"a canary-1234").as_deref(), Some("ONE"));
        let limit = rustix::process::getrlimit(rustix::process::Resource::Core).current;
        assert!(limit.is_some_and(|limit| limit <= 1), "{limit:?}");
        for number in 1..MOST {
            register("N", &Secret::new(format!("canary-{number:06}"))).unwrap();
        }
        let over = register("N", &Secret::new("one-too-many".to_owned()));
        assert_eq!(over, Err(AtMost(MOST)));
        // One that opens nothing any more makes room for another.
        forget(&value);
        assert_eq!(scrub("a canary-1234"), "a canary-1234");
        assert_eq!(sighted(b"a canary-000001").as_deref(), Some("N"));
        let another = Secret::new("canary-5678".to_owned());
        register("ANOTHER", &another).unwrap();
        assert_eq!(scrub("a canary-5678"), "a [vault:ANOTHER]");
        assert!(!format!("{:?}", registered()).contains("canary"));
    }
}
