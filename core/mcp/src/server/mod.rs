//! A server: what it is called and what it offers.
//!
//! For: building it (what is offered stays in the order in which it was said) and asking what it offers.
//! Not for: how its parts are kept (`registry`), run (`dispatch`), put on the wire (`answer`) or asked for
//! by the protocol library (`handler`); transports (see `serve`), or what happens around a call (`call`).

mod answer;
mod completion;
mod dispatch;
mod handler;
mod problems;
mod registry;
mod subscribe;
mod tasks;

use std::ops::Deref;
use std::sync::Arc;

use callboard_store::{Clock, SystemClock};
use callboard_telemetry::CallLog;
use callboard_telemetry::audit::Refusals;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::call::{BoxFuture, Wrapper};
use crate::long::Longs;
use crate::subscribe::Lookouts;
use crate::{Caller, Memory, Offers, Prompt, Resource, Role, Tool, Watched};

pub(crate) use handler::not_handled;
pub use registry::ToolFacts;
use registry::{PromptEntry, ResourceEntry, ToolEntry};

/// Who a server says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerSpec {
    /// Its name, for example `assigner`; the call log has it too.
    pub name: &'static str,
    /// A few words for people.
    pub title: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What a model should know before it calls anything: under 2 KB, the most important first.
    pub instructions: &'static str,
}

/// A server over the state `S`: build it, then hand it to [`crate::serve_stdio`].
pub struct Server<S> {
    state: Arc<S>,
    served: Served,
}

/// What a server offers, whatever its state is. Transports and the protocol library know only this, so that their
/// code is compiled once and not for each server.
pub struct Served {
    spec: ServerSpec,
    tools: Vec<ToolEntry>,
    resources: Vec<ResourceEntry>,
    prompts: Vec<PromptEntry>,
    pub(crate) wrapper: Wrapper,
    shutdown: Option<ShutdownHook>,
    ready: Option<ReadyHook>,
    lookouts: Arc<Lookouts>,
    /// Where what is offered changes while the server runs.
    pub(crate) offers: Option<Offers>,
}

type ReadyHook = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;
type ShutdownHook = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

impl<S: Send + Sync + 'static> Server<S> {
    /// A server that offers nothing yet.
    pub fn new(spec: ServerSpec, state: Arc<S>, call_log: CallLog) -> Self {
        let served = Served {
            spec,
            tools: Vec::new(),
            resources: Vec::new(),
            prompts: Vec::new(),
            wrapper: Wrapper {
                server: spec.name,
                clock: Arc::new(SystemClock),
                call_log,
                caller: Arc::new(Caller::local("local", Role::Admin)),
                levels: None,
                longs: Arc::new(Longs::new()),
                closing: CancellationToken::new(),
                running: TaskTracker::new(),
                memory: Memory::none(),
                refusals: None,
            },
            shutdown: None,
            ready: None,
            lookouts: Arc::default(),
            offers: None,
        };
        Server { state, served }
    }

    /// Reads the time for the call log from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.served.wrapper.clock = clock;
        self
    }

    /// Who calls where the transport does not say: over standard input and output, the user whose client
    /// started this process. Unless this is said, that is `local`, an admin.
    #[must_use]
    pub fn caller(mut self, caller: Caller) -> Self {
        self.served.wrapper.caller = Arc::new(caller);
        self
    }

    /// Writes calls that their caller's role does not allow into the audit. Unless this is said, only the log has
    /// them.
    #[must_use]
    pub fn refusals(mut self, refusals: Refusals) -> Self {
        self.served.wrapper.refusals = Some(refusals);
        self
    }

    /// Keeps what must outlive a call in `memory`: questions to people, and what seals the state of a call
    /// between two rounds. Unless this is said, nothing is kept.
    #[must_use]
    pub fn memory(mut self, memory: Memory) -> Self {
        self.served.wrapper.memory = memory;
        self
    }

    /// Offers a tool. The order of these calls is the order of the list.
    #[must_use]
    pub fn tool<T: Tool<S>>(mut self) -> Self {
        let entry = ToolEntry::of::<S, T>(&self.state);
        self.served.tools.push(entry);
        self
    }

    /// Offers a resource.
    #[must_use]
    pub fn resource<R: Resource<S>>(mut self) -> Self {
        let entry = ResourceEntry::of::<S, R>(&self.state);
        self.served.resources.push(entry);
        self
    }

    /// Offers a resource that clients may subscribe to.
    #[must_use]
    pub fn watched<R: Watched<S>>(mut self) -> Self {
        let entry = ResourceEntry::watched::<S, R>(&self.state);
        self.served.resources.push(entry);
        self
    }

    /// Offers a prompt.
    #[must_use]
    pub fn prompt<P: Prompt<S>>(mut self) -> Self {
        let entry = PromptEntry::of::<S, P>(&self.state);
        self.served.prompts.push(entry);
        self
    }

    /// Lets `offers` say which of the tools and prompts are on offer just now; clients are told when that changes.
    /// Unless this is said, all are, as long as the server runs.
    #[must_use]
    pub fn offers(mut self, offers: Offers) -> Self {
        self.served.offers = Some(offers);
        self
    }

    /// Offers log messages to clients: without this, [`CallContext::log`](crate::CallContext::log) does nothing.
    #[must_use]
    pub fn logs(mut self) -> Self {
        self.served.wrapper.levels = Some(Arc::default());
        self
    }

    /// Asks `hook` whether the server can do its work just now; what it lacks goes to whoever asks `/ready`.
    #[must_use]
    pub fn ready<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Arc<S>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        let state = Arc::clone(&self.state);
        self.served.ready = Some(Box::new(move || Box::pin(hook(Arc::clone(&state)))));
        self
    }

    /// Runs `hook` when the server ends, once: the place to end children. Over standard input and output
    /// that is when the connection has ended, and it has 800 ms; over HTTP it has 5 s.
    #[must_use]
    pub fn on_shutdown<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Arc<S>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let state = Arc::clone(&self.state);
        self.served.shutdown = Some(Box::new(move || Box::pin(hook(Arc::clone(&state)))));
        self
    }

    /// The state.
    pub fn state(&self) -> &Arc<S> {
        &self.state
    }

    /// Without the state's type.
    pub(crate) fn served(self) -> Served {
        self.served
    }
}

impl<S> Deref for Server<S> {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.served
    }
}

impl Served {
    pub(crate) async fn check_ready(&self) -> Result<(), String> {
        match &self.ready {
            Some(hook) => hook().await,
            None => Ok(()),
        }
    }

    /// Runs the hook for the end, where there is one.
    pub(crate) async fn shut_down(&self) {
        if let Some(hook) = &self.shutdown {
            hook().await;
        }
    }

    /// The tools that are on offer just now.
    fn offered_tools(&self) -> impl Iterator<Item = &ToolEntry> {
        let on_offer = |name| self.offers.as_ref().is_none_or(|it| it.has_tool(name));
        self.tools
            .iter()
            .filter(move |entry| on_offer(entry.facts.name))
    }

    /// The prompts that are on offer just now.
    fn offered_prompts(&self) -> impl Iterator<Item = &PromptEntry> {
        let on_offer = |name| self.offers.as_ref().is_none_or(|it| it.has_prompt(name));
        self.prompts
            .iter()
            .filter(move |entry| on_offer(entry.name))
    }

    /// The tools, in the order of the list.
    pub fn tools(&self) -> impl Iterator<Item = &ToolFacts> {
        self.tools.iter().map(|entry| &entry.facts)
    }

    /// The tools' names, in the order of the list.
    pub fn tool_names(&self) -> Vec<&'static str> {
        self.tools().map(|facts| facts.name).collect()
    }

    /// The answer to `tools/list` as compact JSON, for golden files.
    pub fn tools_list_json(&self) -> String {
        let tools: Vec<_> = self.tools.iter().map(|entry| &entry.listed).collect();
        json!({ "tools": tools }).to_string()
    }

    /// What the list costs a model, in tokens of four bytes.
    pub fn token_estimate(&self) -> usize {
        self.tools_list_json().len().div_ceil(4)
    }

    /// The names of the resources and their URIs or templates, in order.
    pub fn resource_uris(&self) -> Vec<(&'static str, &'static str)> {
        self.resources
            .iter()
            .map(|entry| (entry.name, entry.uri))
            .collect()
    }

    /// The names of the prompts, in order.
    pub fn prompt_names(&self) -> Vec<&'static str> {
        self.prompts.iter().map(|entry| entry.name).collect()
    }
}
