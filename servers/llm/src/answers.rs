//! Long answers, kept for as long as there is room, so that whoever asked can read on.
//! For: pages of what did not fit. Not for: remembering what was said (the call log does, where it may).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use callboard_mcp::{Caller, Role};

use crate::state::owner;

/// Answers that are kept at most.
const MOST: usize = 64;
/// Bytes of them at most.
const MOST_BYTES: usize = 16 << 20;
/// Characters of a page.
pub(crate) const PAGE: usize = 6_000;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub text: String,
    /// Characters before the next page.
    pub next: Option<u32>,
}

impl Page {
    /// The piece that begins after so many characters.
    pub(crate) fn of(text: &str, from: u32, most: usize) -> Page {
        let start = usize::try_from(from).unwrap_or(usize::MAX);
        let rest: String = text.chars().skip(start).take(most).collect();
        let read = start.saturating_add(rest.chars().count());
        let next = (text.chars().count() > read).then(|| u32::try_from(read).unwrap_or(u32::MAX));
        Page { text: rest, next }
    }
}

struct Kept {
    call: String,
    owner: String,
    text: Arc<str>,
}

#[derive(Default)]
pub(crate) struct Answers {
    kept: Mutex<VecDeque<Kept>>,
}

impl Answers {
    /// The first page of an answer; what is longer is kept.
    pub(crate) fn first(&self, caller: &Caller, call: &str, text: &str, most: usize) -> Page {
        let page = Page::of(text, 0, most);
        if page.next.is_some() {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_back(Kept {
                call: call.to_owned(),
                owner: owner(caller),
                text: text.into(),
            });
            let mut bytes: usize = kept.iter().map(|kept| kept.text.len()).sum();
            while kept.len() > MOST || (bytes > MOST_BYTES && kept.len() > 1) {
                let Some(oldest) = kept.pop_front() else {
                    break;
                };
                bytes -= oldest.text.len();
            }
        }
        page
    }

    /// The whole answer, for whoever asked for it, and for admins.
    pub(crate) fn get(&self, caller: &Caller, call: &str) -> Option<Arc<str>> {
        let owner = owner(caller);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().rfind(|kept| kept.call == call)?;
        let may = found.owner == owner || caller.role == Role::Admin;
        may.then(|| Arc::clone(&found.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_add_up_to_the_text() {
        let text: String = "añ漢🦀".chars().cycle().take(25).collect();
        let (mut from, mut joined) = (0, String::new());
        loop {
            let page = Page::of(&text, from, 10);
            joined.push_str(&page.text);
            match page.next {
                Some(next) => from = next,
                None => break,
            }
        }
        assert_eq!(joined, text);
        assert_eq!(Page::of(&text, 99, 10).text, "");
    }

    #[test]
    fn only_who_asked_reads_on_and_the_oldest_goes_first() {
        let answers = Answers::default();
        let ada = Caller::local("ada", Role::Developer);
        for number in 0..=MOST {
            answers.first(&ada, &format!("c_{number}"), "long text", 4);
        }
        assert!(answers.get(&ada, "c_0").is_none());
        assert_eq!(answers.get(&ada, "c_1").as_deref(), Some("long text"));
        assert!(
            answers
                .get(&Caller::local("bob", Role::Developer), "c_1")
                .is_none()
        );
        assert!(
            answers
                .get(&Caller::local("root", Role::Admin), "c_1")
                .is_some()
        );
        answers.first(&ada, "short", "abc", 4);
        assert!(answers.get(&ada, "short").is_none());
    }
}
