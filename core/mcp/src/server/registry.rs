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

/// What an author's method gives, once it is called.
type Given<T> = BoxFuture<'static, Result<T, ToolError>>;
type ToolHandler =
    Arc<dyn Fn(Option<JsonObject>, usize, CallContext) -> Given<Answer> + Send + Sync>;
type ResourceHandler =
    Arc<dyn Fn(ResourceRequest, CallContext) -> Given<ResourcePage> + Send + Sync>;
pub(super) type LookHandler = Arc<dyn Fn(ResourceRequest) -> Given<Sight> + Send + Sync>;
type PromptHandler = Arc<dyn Fn(PromptArguments, CallContext) -> Given<Vec<Message>> + Send + Sync>;
pub(super) type Completer =
    Arc<dyn Fn(Completing, CallContext) -> Given<Vec<String>> + Send + Sync>;

pub(super) struct ToolEntry {
    pub(super) facts: ToolFacts,
    pub(super) listed: rmcp::model::Tool,
    pub(super) handler: ToolHandler,
}

impl ToolEntry {
    pub(super) fn of<S: Send + Sync + 'static, T: Tool<S>>(state: &Arc<S>) -> Self {
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
        let schema = Arc::clone(&facts.input_schema);
        ToolEntry {
            facts,
            listed,
            handler: tool_handler::<S, T>(Arc::clone(state), schema),
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

pub(super) struct ResourceEntry {
    pub(super) name: &'static str,
    pub(super) uri: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) mime: &'static str,
    pub(super) role: Role,
    pub(super) fresh_ms: u64,
    pub(super) template: Template,
    pub(super) handler: ResourceHandler,
    pub(super) completes: &'static [&'static str],
    pub(super) completer: Completer,
    /// Where it can be subscribed to.
    pub(super) look: Option<LookHandler>,
}

impl ResourceEntry {
    pub(super) fn of<S: Send + Sync + 'static, R: Resource<S>>(state: &Arc<S>) -> Self {
        let (reads, completes) = (Arc::clone(state), Arc::clone(state));
        ResourceEntry {
            name: R::NAME,
            uri: R::URI,
            title: R::TITLE,
            description: R::DESCRIPTION,
            mime: R::MIME,
            role: R::ROLE,
            fresh_ms: R::FRESH_MS,
            template: Template::parse(R::URI),
            handler: Arc::new(move |request, ctx| {
                Box::pin(R::read(Arc::clone(&reads), request, ctx))
            }),
            completes: R::COMPLETES,
            completer: Arc::new(move |completing, ctx| {
                Box::pin(R::complete(Arc::clone(&completes), completing, ctx))
            }),
            look: None,
        }
    }

    pub(super) fn watched<S: Send + Sync + 'static, R: Watched<S>>(state: &Arc<S>) -> Self {
        let looks = Arc::clone(state);
        ResourceEntry {
            look: Some(Arc::new(move |request| {
                Box::pin(R::look(Arc::clone(&looks), request))
            })),
            ..ResourceEntry::of::<S, R>(state)
        }
    }
}

pub(super) struct PromptEntry {
    pub(super) listed: rmcp::model::Prompt,
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) arguments: &'static [crate::PromptArgument],
    pub(super) role: Role,
    pub(super) handler: PromptHandler,
    pub(super) completes: &'static [&'static str],
    pub(super) completer: Completer,
}

impl PromptEntry {
    pub(super) fn of<S: Send + Sync + 'static, P: Prompt<S>>(state: &Arc<S>) -> Self {
        let (writes, completes) = (Arc::clone(state), Arc::clone(state));
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
            handler: Arc::new(move |arguments, ctx| {
                Box::pin(P::messages(Arc::clone(&writes), arguments, ctx))
            }),
            completes: P::COMPLETES,
            completer: Arc::new(move |completing, ctx| {
                Box::pin(P::complete(Arc::clone(&completes), completing, ctx))
            }),
        }
    }
}

fn tool_handler<S: Send + Sync + 'static, T: Tool<S>>(
    state: Arc<S>,
    schema: Arc<JsonObject>,
) -> ToolHandler {
    Arc::new(move |arguments, bytes, ctx| {
        let (state, schema) = (Arc::clone(&state), Arc::clone(&schema));
        Box::pin(async move {
            let shape = Shape {
                tool: T::NAME,
                schema: &schema,
            };
            let params: T::Params = decode::params(arguments, bytes, &shape)?;
            let output = T::call(state, params, ctx).await?;
            output.into_answer()
        })
    })
}
