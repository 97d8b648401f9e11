//! What every tool of this server shares: the models, and the long answers that are still to be read.

use callboard_limits::LimitError;
use callboard_mcp::{Caller, ToolError};
use callboard_models::Models;
use callboard_routing::engine::{Router, Target, Wanted};
use callboard_store::{Conn, StoreError};
use callboard_telemetry::MicroDollars;
use callboard_telemetry::audit::audit_add;

use crate::answers::Answers;
use crate::errors;

/// The models of a process.
pub struct Llm {
    models: Models,
    answers: Answers,
}

impl Llm {
    pub(crate) fn new(models: Models) -> Self {
        Llm {
            models,
            answers: Answers::default(),
        }
    }

    pub(crate) fn models(&self) -> &Models {
        &self.models
    }

    pub(crate) fn router(&self) -> &Router {
        self.models.router()
    }

    pub(crate) fn answers(&self) -> &Answers {
        &self.answers
    }

    pub(crate) fn now(&self) -> i64 {
        self.models.clock().now_ms()
    }

    /// One look at the board.
    pub(crate) fn look<T>(
        &self,
        look: impl FnOnce(&mut dyn Conn, i64) -> Result<T, LimitError>,
    ) -> Result<T, ToolError> {
        let now = self.now();
        let looked = self.models.store().read_now(|c| look(c, now));
        looked.map_err(errors::refused)
    }

    /// One change of the board.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        change: impl Fn(&mut dyn Conn, i64) -> Result<T, LimitError> + Send + 'static,
    ) -> Result<T, ToolError> {
        let now = self.now();
        let changed = self.models.store().write(move |c| change(c, now)).await;
        changed.map_err(errors::refused)
    }

    /// A row in the audit for a call that was paid for. It was made whatever becomes of the row, so a board that does
    /// not answer is told in the log and takes nobody's answer away.
    pub(crate) async fn write_down(
        &self,
        call: String,
        target: &Target,
        cost: Option<MicroDollars>,
    ) {
        let (now, model) = (self.now(), target.to_string());
        let written: Result<(), StoreError> = self
            .models
            .store()
            .write(move |c| {
                let cost = cost.map(|cost| cost.0);
                let detail = [
                    ("model", model.as_str().into()),
                    ("micro_dollars", cost.into()),
                ];
                audit_add(c, now, "model_ask", &call, &detail)
            })
            .await;
        if let Err(error) = written {
            tracing::warn!(%error, "a call to a model has no row in the audit");
        }
    }

    /// Whom a caller means by a model's name.
    pub(crate) fn named(&self, name: &str) -> Result<Wanted, ToolError> {
        let wanted = self.router().resolve(name);
        if wanted != Wanted::Default {
            return Ok(wanted);
        }
        let provider = name.split('/').next().unwrap_or_default();
        self.usable(provider)?;
        Err(errors::no_model(name, &self.router().settings()))
    }

    /// Unless it is configured and can't be used; then why.
    pub(crate) fn usable(&self, provider: &str) -> Result<(), ToolError> {
        let unready = self.models.unready();
        match unready.iter().find(|unready| unready.provider == provider) {
            Some(unready) => Err(errors::unready(unready)),
            None => Ok(()),
        }
    }

    pub(crate) fn ready(&self) -> Result<(), String> {
        let looked: Result<_, StoreError> = self
            .models
            .store()
            .read_now(|c| c.query_one("SELECT 1", &[], |_| Ok(())));
        looked.map(drop).map_err(|error| error.to_string())
    }
}

/// Whose an answer is.
pub(crate) fn owner(caller: &Caller) -> String {
    format!("{}\0{}", caller.name, caller.token.as_deref().unwrap_or(""))
}
