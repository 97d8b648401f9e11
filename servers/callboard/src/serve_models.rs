//! The models as configured, for `callboard serve`: the gateway to them.
//!
//! For: whether there is one. Not for: who is let in, or the models themselves.

use std::sync::Arc;

use callboard_llm_server::gateway::Gateway;
use callboard_models::Models;

/// The gateway to them, unless it is switched off.
pub(crate) fn gateway(models: &Models) -> Option<Arc<Gateway>> {
    let clock = Arc::clone(models.clock());
    let is_on = models.config().models.gateway.value;
    is_on.then(|| Arc::new(Gateway::new(models.router().clone(), clock)))
}
