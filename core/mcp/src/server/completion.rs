//! `completion/complete`: values for what somebody is filling in.
//!
//! For: finding whose argument it is, and the protocol's bound on the answer. Not for: the values.

use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, ErrorData, Reference};
use rmcp::service::RequestContext;

use super::Served;
use super::dispatch::shown;
use super::registry::Completer;
use crate::ask::Brought;
use crate::call::{Called, Labels};
use crate::complete::MAX_VALUES;
use crate::content::Size;
use crate::{Completing, Role, ToolError};

/// The longest text that values are looked for.
const MAX_TYPED_BYTES: usize = 10_000;

/// The author's side of one prompt or template.
struct Asked {
    label: String,
    role: Role,
    /// All of its arguments or variables.
    known: Vec<&'static str>,
    completes: &'static [&'static str],
    completer: Completer,
}

impl Served {
    /// Whether there is anything that values are known for.
    pub(super) fn completes(&self) -> bool {
        let of_prompts = self.prompts.iter().map(|entry| entry.completes);
        let of_resources = self.resources.iter().map(|entry| entry.completes);
        of_prompts
            .chain(of_resources)
            .any(|names| !names.is_empty())
    }

    pub(super) async fn complete_value(
        &self,
        params: CompleteRequestParams,
        request: &RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        if !self.completes() {
            // Some clients ask without looking whether it is offered; nothing is the true answer.
            return Ok(CompleteResult::default());
        }
        let asked = self.asked(&params.r#ref)?;
        let argument = params.argument;
        if !asked.known.contains(&argument.name.as_str()) {
            let (label, known) = (&asked.label, asked.known.join(", "));
            let name = shown(&argument.name);
            return Err(ErrorData::invalid_params(
                format!("{label} has no `{name}`; it has: {known}"),
                None,
            ));
        }
        if argument.value.len() > MAX_TYPED_BYTES {
            return Err(ErrorData::invalid_params(
                format!("the value has more than {MAX_TYPED_BYTES} bytes; type less"),
                None,
            ));
        }
        let Some(name) = asked.completes.iter().find(|name| **name == argument.name) else {
            return Ok(CompleteResult::default());
        };
        let given = params.context.and_then(|context| context.arguments);
        let completing = Completing {
            name,
            typed: argument.value,
            given: given.unwrap_or_default().into_iter().collect(),
        };
        let labels = Labels {
            name: format!("complete:{}", asked.label).into(),
            request_bytes: completing.typed.len(),
            role: asked.role,
            digest: String::new(),
            strict: false,
            brought: Brought::default(),
        };
        let size = |values: &Vec<String>| Size::text(values.iter().map(String::len).sum());
        let work = |ctx| (asked.completer)(completing, ctx);
        let mut values = match self.wrapper.call(labels, request, size, work).await? {
            Called::Ended(values) => values.map_err(ToolError::into_protocol)?,
            Called::Asks(_) | Called::Later(_) => {
                return Err(ErrorData::internal_error("a completion asks nothing", None));
            }
        };
        let total = values.len();
        values.truncate(MAX_VALUES);
        values.iter_mut().for_each(callboard_redact::scrub_in_place);
        let has_more = total > values.len();
        CompletionInfo::with_pagination(values, u32::try_from(total).ok(), has_more)
            .map(CompleteResult::new)
            .map_err(|error| ErrorData::internal_error(error, None))
    }

    fn asked(&self, reference: &Reference) -> Result<Asked, ErrorData> {
        let found = match reference {
            Reference::Prompt(prompt) => self.prompt_asked(&prompt.name),
            Reference::Resource(resource) => self.template_asked(&resource.uri),
            _ => None,
        };
        found.ok_or_else(|| {
            self.wrapper.unknown("complete:unknown");
            ErrorData::invalid_params(
                "there is no such prompt or resource template; prompts/list and resources/templates/list show them",
                None,
            )
        })
    }

    fn prompt_asked(&self, name: &str) -> Option<Asked> {
        let entry = self.offered_prompts().find(|entry| entry.name == name)?;
        Some(Asked {
            label: entry.name.to_owned(),
            role: entry.role,
            known: entry.arguments.iter().map(|known| known.name).collect(),
            completes: entry.completes,
            completer: Arc::clone(&entry.completer),
        })
    }

    fn template_asked(&self, uri: &str) -> Option<Asked> {
        let entry = self.resources.iter().find(|entry| entry.uri == uri)?;
        Some(Asked {
            label: entry.name.to_owned(),
            role: entry.role,
            known: entry.template.variables().collect(),
            completes: entry.completes,
            completer: Arc::clone(&entry.completer),
        })
    }
}
