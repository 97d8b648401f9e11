//! Which of a server's tools and prompts are on offer just now.
//!
//! For: taking one off the list while the server runs, giving it back, and hearing of that. Not for: who may call
//! what (roles say), or tools that nobody wrote down when the server was built.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

/// Names that are not on offer.
type Hidden = BTreeSet<&'static str>;

/// Says of each tool and prompt whether it is on offer; clones speak for the same server. Give one to
/// [`Server::offers`](crate::Server::offers) and keep one.
#[derive(Debug, Clone, Default)]
pub struct Offers {
    tools: Arc<watch::Sender<Hidden>>,
    prompts: Arc<watch::Sender<Hidden>>,
}

/// Hears of changes from the moment on at which it was made.
#[derive(Clone)]
pub(crate) struct Hearing {
    pub(crate) tools: watch::Receiver<Hidden>,
    pub(crate) prompts: watch::Receiver<Hidden>,
}

impl Offers {
    /// Everything is on offer.
    #[must_use]
    pub fn new() -> Self {
        Offers::default()
    }

    /// Takes a tool off the list or gives it back, and tells the clients. False: it was so already. A call that has
    /// begun goes on.
    pub fn tool(&self, name: &'static str, on_offer: bool) -> bool {
        put(&self.tools, name, on_offer)
    }

    /// As [`Offers::tool`], for a prompt.
    pub fn prompt(&self, name: &'static str, on_offer: bool) -> bool {
        put(&self.prompts, name, on_offer)
    }

    /// Whether a tool is on offer.
    pub fn has_tool(&self, name: &str) -> bool {
        !self.tools.borrow().contains(name)
    }

    /// Whether a prompt is on offer.
    pub fn has_prompt(&self, name: &str) -> bool {
        !self.prompts.borrow().contains(name)
    }

    pub(crate) fn hear(&self) -> Hearing {
        Hearing {
            tools: self.tools.subscribe(),
            prompts: self.prompts.subscribe(),
        }
    }
}

fn put(hidden: &watch::Sender<Hidden>, name: &'static str, on_offer: bool) -> bool {
    hidden.send_if_modified(|hidden| {
        if on_offer {
            hidden.remove(name)
        } else {
            hidden.insert(name)
        }
    })
}
