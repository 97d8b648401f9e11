//! What a client said that it can do for a server.
//!
//! For: refusing, in the protocol's words, what a client cannot be asked. Not for: what the caller may do
//! (see [`Role`](crate::Role)).

use rmcp::RoleServer;
use rmcp::model::ClientCapabilities;
use rmcp::service::RequestContext;
use serde_json::json;

use crate::log::is_modern;
use crate::{ErrorKind, ToolError};

/// Where a request without a handshake before it says it.
const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// Something that a server may ask of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ability {
    /// Asking its model.
    Sampling,
    /// Asking its user.
    Elicitation,
    /// Naming the directories it works in.
    Roots,
}

impl Ability {
    /// As the protocol calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Ability::Sampling => "sampling",
            Ability::Elicitation => "elicitation",
            Ability::Roots => "roots",
        }
    }

    pub(crate) fn capabilities(self) -> ClientCapabilities {
        serde_json::from_value(json!({ self.as_str(): {} })).unwrap_or_default()
    }
}

/// What one client can be asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Abilities {
    sampling: bool,
    elicitation: bool,
    roots: bool,
}

impl Abilities {
    /// As the request says it, or the handshake before it.
    pub(crate) fn of(request: &RequestContext<RoleServer>) -> Self {
        if is_modern(request) {
            let said = request.meta.get(CLIENT_CAPABILITIES);
            let has =
                |ability: Ability| said.is_some_and(|said| said.get(ability.as_str()).is_some());
            return Abilities {
                sampling: has(Ability::Sampling),
                elicitation: has(Ability::Elicitation),
                roots: has(Ability::Roots),
            };
        }
        let info = request.peer.peer_info();
        let said = info.as_ref().map(|info| &info.capabilities);
        Abilities {
            sampling: said.is_some_and(|said| said.sampling.is_some()),
            elicitation: said.is_some_and(|said| said.elicitation.is_some()),
            roots: said.is_some_and(|said| said.roots.is_some()),
        }
    }

    pub(crate) fn have(self, ability: Ability) -> Result<(), ToolError> {
        let has = match ability {
            Ability::Sampling => self.sampling,
            Ability::Elicitation => self.elicitation,
            Ability::Roots => self.roots,
        };
        if has {
            return Ok(());
        }
        let message = format!(
            "this client did not declare the capability `{}`",
            ability.as_str()
        );
        Err(ToolError::new(ErrorKind::ClientLacks(ability), message)
            .hint("call from a client that declares it"))
    }
}
