//! A gate that lets everybody in.

use crate::call::BoxFuture;
use crate::{Arrival, Caller, Gate, Refusal, Role};

/// Lets every request in with one role: for a user who configured that no token is needed, and for tests.
#[derive(Debug, Clone, Copy)]
pub struct Open(pub Role);

impl Gate for Open {
    fn admit<'r>(&'r self, arrival: Arrival<'r>) -> BoxFuture<'r, Result<Caller, Refusal>> {
        let caller = Caller {
            name: "anyone".to_owned(),
            token: None,
            role: self.0,
            via: arrival.via,
            from: Some(arrival.from),
            agent: None,
            grant: None,
        };
        Box::pin(async move { Ok(caller) })
    }
}
