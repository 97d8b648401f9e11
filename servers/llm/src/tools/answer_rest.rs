//! `answer_rest`.

use std::sync::Arc;

use callboard_mcp::{CallContext, Effect, Id, Render, Role, Tool, ToolError, Whole};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Llm;
use crate::answers::{PAGE, Page};

/// Reads on in a long answer.
pub struct AnswerRest;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    call: Id,
    /// As the answer said.
    #[serde(default)]
    #[schemars(with = "Option<u32>")]
    from: Option<Whole<0, { u32::MAX }>>,
}

/// The next piece.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rest {
    text: String,
    /// Where the next piece begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u32>,
}

impl Render for Rest {
    fn text(&self) -> String {
        match self.from {
            Some(from) => format!("{}\n[… the rest: answer_rest from {from}]", self.text),
            None => self.text.clone(),
        }
    }
}

impl Tool<Llm> for AnswerRest {
    const NAME: &'static str = "answer_rest";
    const TITLE: &'static str = "Read on";
    const DESCRIPTION: &'static str = "The rest of a long answer of complete or compare. Kept by the process that asked, while it runs and has room.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Developer;
    type Params = Params;
    type Output = Rest;

    async fn call(llm: Arc<Llm>, params: Params, ctx: CallContext) -> Result<Rest, ToolError> {
        let text = llm.answers().get(ctx.caller(), &params.call);
        let text = text.ok_or_else(|| {
            ToolError::not_found(format!("call: no long answer of {} is kept here for you", params.call))
                .hint("take call from an answer that said from; older ones go when there is no room, and with the process: ask again")
        })?;
        let from = params.from.map_or(0, Whole::get);
        let Page { text, next } = Page::of(&text, from, PAGE);
        Ok(Rest { text, from: next })
    }
}
