//! Keys of the gateway for the crew, as tokens on the board.
//! For: making one for an attempt and ending it. Not for: when (the crew decides that).

use callboard_crew::{CrewError, GatewayKeys, IssuedKey, KeyFor};
use callboard_mcp::access::{NewToken, TokenError, TokenText, token_add, token_revoke};
use callboard_mcp::{Grant, Role};
use callboard_store::Conn;

/// Tokens that open the gateway and nothing else.
pub const GATEWAY_KEYS: GatewayKeys = GatewayKeys { issue, revoke };

fn issue(c: &mut dyn Conn, now: i64, wanted: &KeyFor) -> Result<IssuedKey, CrewError> {
    let text = TokenText::generate().map_err(|error| CrewError::Internal(error.to_string()))?;
    let new = NewToken {
        name: wanted.name.clone(),
        role: Role::Viewer,
        grant: Some(Grant {
            agent: Some(wanted.agent.clone()),
            project: wanted.project.clone(),
            task: wanted.task.clone(),
            work_role: None,
        }),
        lifetime_ms: Some(wanted.lifetime_ms),
    };
    let row = token_add(c, now, &text, &new).map_err(failed)?;
    Ok(IssuedKey::new(row.id, text.reveal().to_owned()))
}

fn revoke(c: &mut dyn Conn, now: i64, id: &str) -> Result<(), CrewError> {
    token_revoke(c, now, id).map(drop).map_err(failed)
}

fn failed(error: TokenError) -> CrewError {
    match error {
        TokenError::Store(error) => error.into(),
        other => CrewError::Internal(other.to_string()),
    }
}
