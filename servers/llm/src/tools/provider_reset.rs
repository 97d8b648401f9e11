//! `provider_reset`.

use std::sync::Arc;

use callboard_limits::breakers_reset;
use callboard_mcp::{CallContext, Effect, Line, Render, Role, Tool, ToolError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Llm;

/// Closes breakers.
pub struct ProviderReset;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[schemars(with = "String")]
    provider: Line<120>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    model: Option<Line<200>>,
}

/// What was forgotten.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reset {
    reset: usize,
}

impl Render for Reset {
    fn text(&self) -> String {
        match self.reset {
            0 => "nothing was held against it".to_owned(),
            count => format!("{count} forgotten: it is asked again at once"),
        }
    }
}

impl Tool<Llm> for ProviderReset {
    const NAME: &'static str = "provider_reset";
    const TITLE: &'static str = "Reset a provider";
    const DESCRIPTION: &'static str = "Forgets failures and pauses of a provider, or of one model of it, so that it is asked again at once.";
    const EFFECT: Effect = Effect::Write {
        destructive: false,
        idempotent: true,
    };
    const ROLE: Role = Role::Admin;
    type Params = Params;
    type Output = Reset;

    async fn call(llm: Arc<Llm>, params: Params, _: CallContext) -> Result<Reset, ToolError> {
        let name = String::from(params.provider);
        let settings = llm.router().settings();
        if !settings.providers.contains_key(&name) {
            llm.usable(&name)?;
            return Err(
                ToolError::not_found(format!("provider: {name:?} is not configured"))
                    .hint("providers shows all of them"),
            );
        }
        let model = params.model.map(String::from);
        // A name as models and complete write it is taken too.
        let model = model.map(|model| match model.strip_prefix(&format!("{name}/")) {
            Some(rest) => rest.to_owned(),
            None => model,
        });
        let reset = llm
            .change(move |c, now| breakers_reset(c, now, Some(&name), model.as_deref()))
            .await?;
        Ok(Reset { reset })
    }
}
