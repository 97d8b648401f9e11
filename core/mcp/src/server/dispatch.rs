//! From a request that names something to the handler that has it.
//!
//! For: finding it, labelling the call, running it in the wrapper. Not for: the wrapper itself (`call`).

use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::model::{
    CacheScope, CallToolResponse, CallToolResult, CreateTaskResult, ErrorData,
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, JsonObject, PromptMessage,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
};
use rmcp::service::RequestContext;
use serde_json::{Value, json};

use super::Served;
use super::answer::contents;
use super::registry::ToolEntry;
use super::subscribe::MAX_URI;
use super::tasks;
use crate::ask::Brought;
use crate::call::{BoxFuture, Called, Labels};
use crate::context::http_request;
use crate::decode::{self, Shape, json_bytes, object_bytes};
use crate::log::is_modern;
use crate::prompt::PromptArguments;
use crate::scrub;
use crate::{Answer, Long, Message, ResourcePage, ToolError, clip};

impl Served {
    pub(super) async fn run_tool(
        &self,
        entry: &ToolEntry,
        mut arguments: Option<JsonObject>,
        brought: Brought,
        request: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        // What is sent to us is stored and shown again: an agent that spells out its key is not to put it on the board.
        if let Some(arguments) = &mut arguments
            && !callboard_redact::is_empty()
        {
            scrub::scrub_members(arguments);
        }
        let labels = self.labels(entry, arguments.as_ref(), brought, request);
        let work = self.long_work(entry, arguments);
        let called = match entry.facts.long {
            Long::No => {
                self.wrapper
                    .call(labels, request, Answer::size, work.handler)
                    .await?
            }
            long => self.wrapper.call_long(long, labels, request, work).await?,
        };
        match called {
            Called::Ended(Ok(answer)) => Ok(answer.into_result().into()),
            Called::Ended(Err(error)) => Ok(error
                .into_answer(is_modern(request), http_request(request))?
                .into()),
            Called::Asks(wanted) => Ok(wanted.into()),
            Called::Later(row) => Ok(CallToolResponse::Task(CreateTaskResult::new(tasks::seed(
                &row,
            )))),
        }
    }

    pub(super) fn tool_entry(&self, name: &str) -> Result<&ToolEntry, ErrorData> {
        self.offered_tools()
            .find(|entry| entry.facts.name == name)
            .ok_or_else(|| {
                self.wrapper.unknown("unknown");
                let known: Vec<_> = self.offered_tools().map(|it| it.facts.name).collect();
                let known = known.join(", ");
                ErrorData::invalid_params(
                    format!("unknown tool `{}`; the tools are: {known}", shown(name)),
                    None,
                )
            })
    }

    /// A `tools/call` whose parameters have the wrong shape, as far as the protocol library could tell.
    pub(super) async fn misshapen_call(
        &self,
        params: Option<Value>,
        request: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let params = params.unwrap_or_default();
        let name = params.get("name").and_then(Value::as_str).ok_or_else(|| {
            ErrorData::invalid_params("tools/call: `name` must be the name of a tool", None)
        })?;
        let entry = self.tool_entry(name)?;
        let arguments = params.get("arguments").cloned().unwrap_or_default();
        if arguments.is_object() || params.get("arguments").is_none() {
            return Err(ErrorData::invalid_params(
                "tools/call: inputResponses must be an object, requestState a string",
                None,
            ));
        }
        let labels = Labels {
            name: entry.facts.name.into(),
            request_bytes: json_bytes(&arguments),
            role: entry.facts.role,
            digest: String::new(),
            strict: true,
            brought: Brought::default(),
        };
        let shape = Shape {
            tool: entry.facts.name,
            schema: &entry.facts.input_schema,
        };
        let error = decode::not_an_object(&arguments, &shape);
        let refused: Called<Answer> = self
            .wrapper
            .call(labels, request, Answer::size, |_| {
                Box::pin(async { Err(error) })
            })
            .await?;
        match refused {
            Called::Ended(Ok(answer)) => Ok(answer.into_result()),
            Called::Ended(Err(error)) => {
                error.into_answer(is_modern(request), http_request(request))
            }
            Called::Asks(_) | Called::Later(_) => {
                Err(ErrorData::internal_error("a refusal asks nothing", None))
            }
        }
    }

    pub(super) async fn read(
        &self,
        params: ReadResourceRequestParams,
        request: &RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = params.uri;
        let found = self
            .resources
            .iter()
            .filter(|_| uri.len() <= MAX_URI)
            .find_map(|entry| Some((entry, entry.template.request(&uri)?)));
        let Some((entry, wanted)) = found else {
            self.wrapper.unknown("resource:unknown");
            let known: Vec<_> = self.resources.iter().map(|entry| entry.uri).collect();
            return Err(ErrorData::resource_not_found(
                format!(
                    "there is no resource `{}`; the resources are: {}",
                    shown(&scrub::url(&uri)),
                    known.join(", ")
                ),
                Some(json!({ "uri": clip(&scrub::url(&uri), 200) })),
            ));
        };
        let name = format!("resource:{}", entry.name);
        let subject = JsonObject::from_iter([("uri".to_owned(), uri.as_str().into())]);
        let labels = Labels {
            digest: self.wrapper.digest(&name, Some(&subject), request),
            name: name.into(),
            request_bytes: uri.len(),
            role: entry.role,
            strict: false,
            brought: Brought {
                responses: params.input_responses,
                state: params.request_state,
            },
        };
        let base = wanted.uri().to_owned();
        let work = |ctx| (entry.handler)(wanted, ctx);
        let called = self
            .wrapper
            .call(
                labels,
                request,
                |page: &ResourcePage| page.body.size(),
                work,
            )
            .await?;
        let page = match called {
            Called::Ended(page) => page.map_err(ToolError::into_protocol)?,
            Called::Asks(wanted) => return Ok(wanted.into()),
            Called::Later(_) => return Err(only_tools()),
        };
        let read = ReadResourceResult::new(vec![contents(page, uri, &base, entry.mime)]);
        // What one caller may read another may not.
        Ok(read
            .with_ttl_ms(entry.fresh_ms)
            .with_cache_scope(CacheScope::Private)
            .into())
    }

    pub(super) async fn write_prompt(
        &self,
        params: GetPromptRequestParams,
        request: &RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let found = self
            .offered_prompts()
            .find(|entry| entry.name == params.name);
        let Some(entry) = found else {
            self.wrapper.unknown("prompt:unknown");
            let known: Vec<_> = self.offered_prompts().map(|entry| entry.name).collect();
            let known = known.join(", ");
            let message = format!(
                "unknown prompt `{}`; the prompts are: {known}",
                shown(&params.name)
            );
            return Err(ErrorData::invalid_params(message, None));
        };
        let bytes = params.arguments.as_ref().map_or(0, object_bytes);
        let name = format!("prompt:{}", entry.name);
        let labels = Labels {
            digest: self
                .wrapper
                .digest(&name, params.arguments.as_ref(), request),
            name: name.into(),
            request_bytes: bytes,
            role: entry.role,
            strict: false,
            brought: Brought {
                responses: params.input_responses,
                state: params.request_state,
            },
        };
        let work = |ctx| -> BoxFuture<'static, Result<Vec<Message>, ToolError>> {
            let (handler, known) = (Arc::clone(&entry.handler), entry.arguments);
            Box::pin(async move {
                let arguments = PromptArguments::check(params.arguments, known)?;
                handler(arguments, ctx).await
            })
        };
        let size =
            |messages: &Vec<Message>| messages.iter().map(|message| message.block.size()).sum();
        let messages = match self.wrapper.call(labels, request, size, work).await? {
            Called::Ended(messages) => messages.map_err(ToolError::into_protocol)?,
            Called::Asks(wanted) => return Ok(wanted.into()),
            Called::Later(_) => return Err(only_tools()),
        };
        let messages = messages.into_iter().map(|message| {
            let role = if message.from_user {
                rmcp::model::Role::User
            } else {
                rmcp::model::Role::Assistant
            };
            PromptMessage::new(role, scrub::content(message.block))
        });
        let result = GetPromptResult::new(messages.collect()).with_description(entry.description);
        Ok(result.into())
    }
}

fn only_tools() -> ErrorData {
    ErrorData::internal_error("only a tool's call goes on later", None)
}

pub(super) fn shown(name: &str) -> String {
    clip(&callboard_redact::scrub(name), 80)
        .escape_debug()
        .to_string()
}
