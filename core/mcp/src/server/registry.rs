//! What a server offers, made ready once: the list entry and the way to the author's code.
//!
//! For: turning a [`Tool`], [`Resource`] or [`Prompt`] into plain data. Not for: calling it.

use std::sync::Arc;

use rmcp::model::JsonObject;

use crate::call::BoxFuture;
use crate::decode::{self, Shape};
use crate::prompt::PromptArguments;
use crate::resource::Template;
use crate::{
    Answer, CallContext, Completing, Effect, IntoAnswer, Long, Message, Prompt, Resource,
    ResourcePage, ResourceRequest, Role, Sight, Tool, ToolError, Watched,
};

type ToolHandler<S> = fn(
    Arc<S>,
    Option<JsonObject>,
    usize,
    &'static str,
    Arc<JsonObject>,
    CallContext,
) -> BoxFuture<'static, Result<Answer, ToolError>>;
type ResourceHandler<S> =
    fn(Arc<S>, ResourceRequest, CallContext) -> BoxFuture<'static, Result<ResourcePage, ToolError>>;
type LookHandler<S> = fn(Arc<S>, ResourceRequest) -> BoxFuture<'static, Result<Sight, ToolError>>;
type PromptHandler<S> =
    fn(Arc<S>, PromptArguments, CallContext) -> BoxFuture<'static, Result<Vec<Message>, ToolError>>;
pub(super) type Completer<S> =
    fn(Arc<S>, Completing, CallContext) -> BoxFuture<'static, Result<Vec<String>, ToolError>>;

pub(super) struct ToolEntry<S> {
    pub(super) facts: ToolFacts,
    pub(super) listed: rmcp::model::Tool,
    pub(super) handler: ToolHandler<S>,
}

impl<S: Send + Sync + 'static> ToolEntry<S> {
    pub(super) fn of<T: Tool<S>>() -> Self {
        let facts = ToolFacts {
            name: T::NAME,
            effect: T::EFFECT,
            role: T::ROLE,
            open_world: T::OPEN_WORLD,
            long: T::LONG,
            input_schema: Arc::new(T::input_schema()),
            output_schema: T::Output::schema().map(Arc::new),
        };
        let mut listed =
            rmcp::model::Tool::new(T::NAME, T::DESCRIPTION, Arc::clone(&facts.input_schema))
                .with_title(T::TITLE)
                .with_annotations(T::EFFECT.annotations(T::OPEN_WORLD));
        listed.output_schema.clone_from(&facts.output_schema);
        ToolEntry {
            facts,
            listed,
            handler: handle_tool::<S, T>,
        }
    }
}

/// What a test can ask of a tool without calling it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolFacts {
    /// Its name.
    pub name: &'static str,
    /// What it may change.
    pub effect: Effect,
    /// What the caller must be.
    pub role: Role,
    /// Whether it may reach beyond this machine.
    pub open_world: bool,
    /// Whether a call may go on after its first answer.
    pub long: Long,
    /// The JSON schema of its arguments.
    pub input_schema: Arc<JsonObject>,
    /// The JSON schema of its structured answer, if it gives one.
    pub output_schema: Option<Arc<JsonObject>>,
}

pub(super) struct ResourceEntry<S> {
    pub(super) name: &'static str,
    pub(super) uri: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) mime: &'static str,
    pub(super) role: Role,
    pub(super) fresh_ms: u64,
    pub(super) template: Template,
    pub(super) handler: ResourceHandler<S>,
    pub(super) completes: &'static [&'static str],
    pub(super) completer: Completer<S>,
    /// Where it can be subscribed to.
    pub(super) look: Option<LookHandler<S>>,
}

impl<S: Send + Sync + 'static> ResourceEntry<S> {
    pub(super) fn of<R: Resource<S>>() -> Self {
        ResourceEntry {
            name: R::NAME,
            uri: R::URI,
            title: R::TITLE,
            description: R::DESCRIPTION,
            mime: R::MIME,
            role: R::ROLE,
            fresh_ms: R::FRESH_MS,
            template: Template::parse(R::URI),
            handler: |state, request, ctx| Box::pin(R::read(state, request, ctx)),
            completes: R::COMPLETES,
            completer: |state, completing, ctx| Box::pin(R::complete(state, completing, ctx)),
            look: None,
        }
    }

    pub(super) fn watched<R: Watched<S>>() -> Self {
        ResourceEntry {
            look: Some(|state, request| Box::pin(R::look(state, request))),
            ..ResourceEntry::of::<R>()
        }
    }
}

pub(super) struct PromptEntry<S> {
    pub(super) listed: rmcp::model::Prompt,
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) arguments: &'static [crate::PromptArgument],
    pub(super) role: Role,
    pub(super) handler: PromptHandler<S>,
    pub(super) completes: &'static [&'static str],
    pub(super) completer: Completer<S>,
}

impl<S: Send + Sync + 'static> PromptEntry<S> {
    pub(super) fn of<P: Prompt<S>>() -> Self {
        let arguments = P::ARGUMENTS.iter().map(|argument| {
            rmcp::model::PromptArgument::new(argument.name)
                .with_description(argument.description)
                .with_required(argument.required)
        });
        let listed =
            rmcp::model::Prompt::new(P::NAME, Some(P::DESCRIPTION), Some(arguments.collect()))
                .with_title(P::TITLE);
        PromptEntry {
            listed,
            name: P::NAME,
            description: P::DESCRIPTION,
            arguments: P::ARGUMENTS,
            role: P::ROLE,
            handler: |state, arguments, ctx| Box::pin(P::messages(state, arguments, ctx)),
            completes: P::COMPLETES,
            completer: |state, completing, ctx| Box::pin(P::complete(state, completing, ctx)),
        }
    }
}

fn handle_tool<S: Send + Sync + 'static, T: Tool<S>>(
    state: Arc<S>,
    arguments: Option<JsonObject>,
    bytes: usize,
    name: &'static str,
    schema: Arc<JsonObject>,
    ctx: CallContext,
) -> BoxFuture<'static, Result<Answer, ToolError>> {
    Box::pin(async move {
        let shape = Shape {
            tool: name,
            schema: &schema,
        };
        let params: T::Params = decode::params(arguments, bytes, &shape)?;
        let output = T::call(state, params, ctx).await?;
        output.into_answer()
    })
}
