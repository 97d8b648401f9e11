//! What is asked of a router, and for whom.
//! For: plain data. Not for: deciding.

use callboard_telemetry::MicroDollars;
use serde::{Deserialize, Serialize};

use super::{Patience, Target};
use crate::chat::Chat;
use crate::check::Check;
use crate::route::{Privacy, TaskClass};

/// One question to whichever model fits.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// The question. Its model's name does not matter: each candidate is asked by its own.
    pub chat: Chat,
    /// Who should answer.
    pub target: Wanted,
    /// What the caller demands beyond what can be seen from the question.
    pub terms: Terms,
    /// For whom it is.
    pub who: Who,
    /// How much is tried, where that differs from the settings.
    pub patience: Option<Patience>,
    /// A person has agreed to a call that needs it.
    pub confirmed: bool,
    /// What a whole answer has to be, or the next candidate is asked; `None`: as the route's settings say. A streamed
    /// answer is on its way before anybody could look at it, and is not looked at.
    pub check: Option<Check>,
    /// Those whose answers failed the caller's own tests: they are passed over.
    pub failed: Vec<Target>,
}

impl Ask {
    /// A question to the default route.
    #[must_use]
    pub fn new(chat: Chat) -> Ask {
        Ask {
            chat,
            ..Ask::default()
        }
    }

    /// The same to somebody else.
    #[must_use]
    pub fn to(self, target: Wanted) -> Ask {
        Ask { target, ..self }
    }
}

/// Who should answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Whoever the default route chooses.
    #[default]
    Default,
    /// Whoever this route chooses.
    Route(String),
    /// This model and no other.
    Model {
        /// The provider's configured name.
        provider: String,
        /// The model, as the provider names it.
        model: String,
    },
}

/// What a caller demands. What a route demands holds beside it; of two limits the stricter one counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// How hard the work is.
    pub class: Option<TaskClass>,
    /// Where the prompt may go.
    pub privacy: Privacy,
    /// Regions it may go to; none named: any.
    pub regions: Vec<String>,
    /// What the call may cost at most.
    pub max_cost: Option<MicroDollars>,
    /// Milliseconds within which the whole answer has to be there, retries and failover included; `None`: as the route
    /// says.
    pub within_ms: Option<u64>,
}

/// For whom a call is made: limits count by it, rows are found by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Who {
    /// The project.
    pub project: Option<String>,
    /// The task.
    pub task: Option<String>,
    /// The agent on whose behalf it is made.
    pub agent: Option<String>,
    /// The agent's role, by which a route may know how hard its work is.
    pub role: Option<String>,
    /// The server whose tool asks, or `gateway`.
    pub server: Option<String>,
    /// The tool.
    pub tool: Option<String>,
    /// The trace that it belongs to: 32 hexadecimal digits.
    pub trace: Option<String>,
    /// The span or call that it is made for.
    pub parent: Option<String>,
    /// The program that asks, by its own name.
    pub client: Option<String>,
}
