//! A server: what it is called, what it offers, and how the protocol library reaches that.
//!
//! For: the registry of tools, resources and prompts in a fixed order, and the answers to the protocol's
//! questions. Not for: transports (see `serve`), or what happens around a call (see `call`).

use std::sync::Arc;

use callboard_store::{Clock, SystemClock};
use callboard_telemetry::CallLog;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomRequest,
    CustomResult, ErrorCode, ErrorData, GetPromptRequestParams, GetPromptResponse, GetPromptResult,
    Implementation, JsonObject, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, MetaObject, PaginatedRequestParams, PromptMessage,
    ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    ResourceContents, ResourceTemplate, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::call::{BoxFuture, Labels, Wrapper};
use crate::decode::{self, Shape, json_bytes, object_bytes};
use crate::prompt::PromptArguments;
use crate::resource::Template;
use crate::{
    CallContext, Caller, Effect, Link, Message, Prompt, Render, Resource, ResourcePage,
    ResourceRequest, Role, Tool, ToolError, clip, schema,
};

/// How long a client may keep a list: what a server offers does not change while it runs.
const LISTS_FRESH_MS: u64 = 5 * 60 * 1_000;
const MAX_TOOLS: usize = 12;
const MAX_LIST_TOKENS: usize = 2_500;
const MAX_INSTRUCTION_BYTES: usize = 2_048;

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
    spec: ServerSpec,
    state: Arc<S>,
    tools: Vec<ToolEntry<S>>,
    resources: Vec<ResourceEntry<S>>,
    prompts: Vec<PromptEntry<S>>,
    pub(crate) wrapper: Wrapper,
    pub(crate) shutdown: Option<ShutdownHook<S>>,
}

type ShutdownHook<S> = Box<dyn Fn(Arc<S>) -> BoxFuture<'static, ()> + Send + Sync>;
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
type PromptHandler<S> =
    fn(Arc<S>, PromptArguments, CallContext) -> BoxFuture<'static, Result<Vec<Message>, ToolError>>;

struct ToolEntry<S> {
    facts: ToolFacts,
    listed: rmcp::model::Tool,
    handler: ToolHandler<S>,
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
    /// The JSON schema of its arguments.
    pub input_schema: Arc<JsonObject>,
    /// The JSON schema of its answer.
    pub output_schema: Arc<JsonObject>,
}

struct ResourceEntry<S> {
    name: &'static str,
    uri: &'static str,
    title: &'static str,
    description: &'static str,
    mime: &'static str,
    role: Role,
    template: Template,
    handler: ResourceHandler<S>,
}

struct PromptEntry<S> {
    listed: rmcp::model::Prompt,
    name: &'static str,
    description: &'static str,
    arguments: &'static [crate::PromptArgument],
    role: Role,
    handler: PromptHandler<S>,
}

/// A tool's answer, ready for the wire.
struct Answer {
    structured: Value,
    text: String,
    links: Vec<Link>,
}

impl Answer {
    fn bytes(&self) -> usize {
        json_bytes(&self.structured) + self.text.len()
    }

    fn into_result(self) -> CallToolResult {
        let links = self.links.into_iter().map(|link| {
            ContentBlock::ResourceLink(
                rmcp::model::Resource::new(link.uri, link.name)
                    .with_description(link.description)
                    .with_mime_type(link.mime),
            )
        });
        let content = std::iter::once(ContentBlock::text(self.text)).chain(links);
        let mut result = CallToolResult::success(content.collect());
        result.structured_content = Some(self.structured);
        result
    }
}

impl<S: Send + Sync + 'static> Server<S> {
    /// A server that offers nothing yet.
    pub fn new(spec: ServerSpec, state: Arc<S>, call_log: CallLog) -> Self {
        Server {
            spec,
            state,
            tools: Vec::new(),
            resources: Vec::new(),
            prompts: Vec::new(),
            wrapper: Wrapper {
                server: spec.name,
                clock: Arc::new(SystemClock),
                call_log,
                caller: Arc::new(Caller::local("local", Role::Admin)),
                closing: CancellationToken::new(),
            },
            shutdown: None,
        }
    }

    /// Reads the time for the call log from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.wrapper.clock = clock;
        self
    }

    /// Who calls where the transport does not say: over standard input and output, the user whose client
    /// started this process. Unless this is said, that is `local`, an admin.
    #[must_use]
    pub fn caller(mut self, caller: Caller) -> Self {
        self.wrapper.caller = Arc::new(caller);
        self
    }

    /// Offers a tool. The order of these calls is the order of the list.
    #[must_use]
    pub fn tool<T: Tool<S>>(mut self) -> Self {
        let facts = ToolFacts {
            name: T::NAME,
            effect: T::EFFECT,
            role: T::ROLE,
            open_world: T::OPEN_WORLD,
            input_schema: Arc::new(schema::of_params::<T::Params>()),
            output_schema: Arc::new(schema::of_output::<T::Output>()),
        };
        let listed =
            rmcp::model::Tool::new(T::NAME, T::DESCRIPTION, Arc::clone(&facts.input_schema))
                .with_title(T::TITLE)
                .with_raw_output_schema(Arc::clone(&facts.output_schema))
                .with_annotations(T::EFFECT.annotations(T::OPEN_WORLD));
        self.tools.push(ToolEntry {
            facts,
            listed,
            handler: handle_tool::<S, T>,
        });
        self
    }

    /// Offers a resource.
    #[must_use]
    pub fn resource<R: Resource<S>>(mut self) -> Self {
        self.resources.push(ResourceEntry {
            name: R::NAME,
            uri: R::URI,
            title: R::TITLE,
            description: R::DESCRIPTION,
            mime: R::MIME,
            role: R::ROLE,
            template: Template::parse(R::URI),
            handler: |state, request, ctx| Box::pin(R::read(state, request, ctx)),
        });
        self
    }

    /// Offers a prompt.
    #[must_use]
    pub fn prompt<P: Prompt<S>>(mut self) -> Self {
        let arguments = P::ARGUMENTS.iter().map(|argument| {
            rmcp::model::PromptArgument::new(argument.name)
                .with_description(argument.description)
                .with_required(argument.required)
        });
        let listed =
            rmcp::model::Prompt::new(P::NAME, Some(P::DESCRIPTION), Some(arguments.collect()))
                .with_title(P::TITLE);
        self.prompts.push(PromptEntry {
            listed,
            name: P::NAME,
            description: P::DESCRIPTION,
            arguments: P::ARGUMENTS,
            role: P::ROLE,
            handler: |state, arguments, ctx| Box::pin(P::messages(state, arguments, ctx)),
        });
        self
    }

    /// Runs `hook` when the connection has ended, for at most 800 ms: the place to end children.
    #[must_use]
    pub fn on_shutdown<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(Arc<S>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.shutdown = Some(Box::new(move |state| Box::pin(hook(state))));
        self
    }

    /// The state.
    pub fn state(&self) -> &Arc<S> {
        &self.state
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

    /// What is wrong with what this server offers, for a test that wants none: too many tools, too long a
    /// list, names clients cannot use, schemas they do not take.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut demand = |holds: bool, problem: String| {
            if !holds {
                found.push(problem);
            }
        };
        let tokens = self.token_estimate();
        demand(
            self.tools.len() <= MAX_TOOLS,
            format!("{} tools; at most {MAX_TOOLS}", self.tools.len()),
        );
        demand(
            tokens <= MAX_LIST_TOKENS,
            format!("the tool list has {tokens} tokens; at most {MAX_LIST_TOKENS}"),
        );
        let instructions = self.spec.instructions.len();
        demand(
            instructions <= MAX_INSTRUCTION_BYTES,
            format!("the instructions have {instructions} bytes; at most {MAX_INSTRUCTION_BYTES}"),
        );
        let names: Vec<&str> = self.tool_names();
        for (position, facts) in self.tools().enumerate() {
            let name = facts.name;
            demand(
                is_plain_name(name),
                format!("{name}: the name is not of [a-z0-9_]"),
            );
            demand(
                !names[..position].contains(&name),
                format!("{name}: is offered twice"),
            );
            for (side, schema) in [
                ("input", &facts.input_schema),
                ("output", &facts.output_schema),
            ] {
                demand(
                    is_plain_object(schema),
                    format!("{name}: the {side} schema's root is not a plain object"),
                );
            }
        }
        for name in self
            .resources
            .iter()
            .map(|entry| entry.name)
            .chain(self.prompts.iter().map(|entry| entry.name))
        {
            demand(
                is_plain_name(name),
                format!("{name}: the name is not of [a-z0-9_]"),
            );
        }
        found
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

    async fn run_tool(
        &self,
        entry: &ToolEntry<S>,
        arguments: Option<JsonObject>,
        request: &RequestContext<RoleServer>,
    ) -> CallToolResult {
        let bytes = arguments.as_ref().map_or(0, object_bytes);
        let labels = Labels {
            name: entry.facts.name.into(),
            request_bytes: bytes,
            role: entry.facts.role,
        };
        let schema = Arc::clone(&entry.facts.input_schema);
        let work = |ctx| {
            (entry.handler)(
                Arc::clone(&self.state),
                arguments,
                bytes,
                entry.facts.name,
                schema,
                ctx,
            )
        };
        match self
            .wrapper
            .call(labels, request, Answer::bytes, work)
            .await
        {
            Ok(answer) => answer.into_result(),
            Err(error) => error.into_result(),
        }
    }

    fn tool_entry(&self, name: &str) -> Result<&ToolEntry<S>, ErrorData> {
        self.tools
            .iter()
            .find(|entry| entry.facts.name == name)
            .ok_or_else(|| {
                self.wrapper.unknown("unknown");
                let known = self.tool_names().join(", ");
                ErrorData::invalid_params(
                    format!("unknown tool `{}`; the tools are: {known}", shown(name)),
                    None,
                )
            })
    }

    /// A `tools/call` whose parameters have the wrong shape, as far as the protocol library could tell.
    async fn misshapen_call(
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
        let labels = Labels {
            name: entry.facts.name.into(),
            request_bytes: json_bytes(&arguments),
            role: entry.facts.role,
        };
        let shape = Shape {
            tool: entry.facts.name,
            schema: &entry.facts.input_schema,
        };
        let error = decode::not_an_object(&arguments, &shape);
        let refused: Result<Answer, ToolError> = self
            .wrapper
            .call(labels, request, Answer::bytes, |_| {
                Box::pin(async { Err(error) })
            })
            .await;
        match refused {
            Ok(answer) => Ok(answer.into_result()),
            Err(error) => Ok(error.into_result()),
        }
    }

    async fn read(
        &self,
        uri: String,
        request: &RequestContext<RoleServer>,
    ) -> Result<ReadResourceResult, ErrorData> {
        let found = self
            .resources
            .iter()
            .find_map(|entry| Some((entry, entry.template.request(&uri)?)));
        let Some((entry, wanted)) = found else {
            self.wrapper.unknown("resource:unknown");
            let known: Vec<_> = self.resources.iter().map(|entry| entry.uri).collect();
            return Err(ErrorData::resource_not_found(
                format!(
                    "there is no resource `{}`; the resources are: {}",
                    shown(&uri),
                    known.join(", ")
                ),
                Some(json!({ "uri": clip(&uri, 200) })),
            ));
        };
        let labels = Labels {
            name: format!("resource:{}", entry.name).into(),
            request_bytes: uri.len(),
            role: entry.role,
        };
        let base = wanted.uri().to_owned();
        let work = |ctx| (entry.handler)(Arc::clone(&self.state), wanted, ctx);
        let page = self
            .wrapper
            .call(labels, request, |page: &ResourcePage| page.text.len(), work)
            .await
            .map_err(ToolError::into_protocol)?;
        Ok(ReadResourceResult::new(vec![contents(
            page, uri, &base, entry.mime,
        )]))
    }

    async fn write_prompt(
        &self,
        params: GetPromptRequestParams,
        request: &RequestContext<RoleServer>,
    ) -> Result<GetPromptResult, ErrorData> {
        let Some(entry) = self.prompts.iter().find(|entry| entry.name == params.name) else {
            self.wrapper.unknown("prompt:unknown");
            let known = self.prompt_names().join(", ");
            let message = format!(
                "unknown prompt `{}`; the prompts are: {known}",
                shown(&params.name)
            );
            return Err(ErrorData::invalid_params(message, None));
        };
        let bytes = params.arguments.as_ref().map_or(0, object_bytes);
        let labels = Labels {
            name: format!("prompt:{}", entry.name).into(),
            request_bytes: bytes,
            role: entry.role,
        };
        let work = |ctx| -> BoxFuture<'static, Result<Vec<Message>, ToolError>> {
            let (state, handler, known) = (Arc::clone(&self.state), entry.handler, entry.arguments);
            Box::pin(async move {
                let arguments = PromptArguments::check(params.arguments, known)?;
                handler(state, arguments, ctx).await
            })
        };
        let size =
            |messages: &Vec<Message>| messages.iter().map(|message| message.text.len()).sum();
        let messages = self.wrapper.call(labels, request, size, work).await;
        let messages = messages.map_err(ToolError::into_protocol)?;
        let messages = messages.into_iter().map(|message| {
            let role = if message.from_user {
                rmcp::model::Role::User
            } else {
                rmcp::model::Role::Assistant
            };
            PromptMessage::new_text(role, message.text)
        });
        Ok(GetPromptResult::new(messages.collect()).with_description(entry.description))
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
        let structured = serde_json::to_value(&output).map_err(|error| {
            ToolError::internal(format!("{name}: the answer could not be written: {error}"))
        })?;
        Ok(Answer {
            structured,
            text: output.text(),
            links: output.links(),
        })
    })
}

/// A page on the wire. Text names the next page in its last line, because models read only the text.
fn contents(page: ResourcePage, uri: String, base: &str, mime: &str) -> ResourceContents {
    let mut text = page.text;
    let next = page.next.map(|cursor| format!("{base}?cursor={cursor}"));
    if let Some(next) = &next
        && mime != "application/json"
    {
        text.push_str(&format!("\n[continues: {next}]\n"));
    }
    let contents = ResourceContents::text(text, uri).with_mime_type(mime);
    match next {
        Some(next) => {
            let mut meta = MetaObject::new();
            meta.insert("callboard/next".to_owned(), Value::String(next));
            contents.with_meta(meta)
        }
        None => contents,
    }
}

fn shown(name: &str) -> String {
    clip(name, 80).escape_debug().to_string()
}

fn is_plain_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    !name.is_empty() && name.len() <= 48 && name.chars().all(fits)
}

fn is_plain_object(schema: &JsonObject) -> bool {
    let composed = ["anyOf", "oneOf", "allOf", "$ref"];
    schema.get("type") == Some(&json!("object"))
        && composed.iter().all(|key| !schema.contains_key(*key))
}

/// Every list is one page, so no cursor of ours exists.
fn refuse_cursor(params: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match params.and_then(|params| params.cursor) {
        Some(_) => Err(ErrorData::invalid_params(
            "the list has one page; leave the cursor out",
            None,
        )),
        None => Ok(()),
    }
}

/// Methods that the protocol library knows but could not read the parameters of.
const KNOWN_METHODS: &[&str] = &[
    "initialize",
    "server/discover",
    "tools/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "subscriptions/listen",
];

/// The error for a request that no handler takes.
pub(crate) fn not_handled(method: &str) -> ErrorData {
    if KNOWN_METHODS.contains(&method) {
        return ErrorData::invalid_params(
            format!("{method}: the parameters are missing or have the wrong shape"),
            None,
        );
    }
    ErrorData::new(
        ErrorCode::METHOD_NOT_FOUND,
        format!("unknown method `{}`", shown(method)),
        None,
    )
}

impl<S: Send + Sync + 'static> ServerHandler for Server<S> {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::builder().enable_tools().build();
        if !self.resources.is_empty() {
            capabilities.resources = Some(Default::default());
        }
        if !self.prompts.is_empty() {
            capabilities.prompts = Some(Default::default());
        }
        let identity =
            Implementation::new(self.spec.name, self.spec.version).with_title(self.spec.title);
        ServerConfig::new(capabilities)
            .with_server_info(identity)
            .with_instructions(self.spec.instructions)
    }

    async fn list_tools(
        &self,
        params: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        refuse_cursor(params)?;
        let tools = self.tools.iter().map(|entry| entry.listed.clone());
        Ok(ListToolsResult::with_all_items(tools.collect()).with_ttl_ms(LISTS_FRESH_MS))
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let entry = self.tool_entry(&params.name)?;
        Ok(self
            .run_tool(entry, params.arguments, &request)
            .await
            .into())
    }

    async fn list_resources(
        &self,
        params: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        refuse_cursor(params)?;
        let fixed = self
            .resources
            .iter()
            .filter(|entry| entry.template.is_static());
        let listed = fixed.map(|entry| {
            rmcp::model::Resource::new(entry.uri.trim_end_matches("{?cursor}"), entry.name)
                .with_title(entry.title)
                .with_description(entry.description)
                .with_mime_type(entry.mime)
        });
        Ok(ListResourcesResult::with_all_items(listed.collect()).with_ttl_ms(LISTS_FRESH_MS))
    }

    async fn list_resource_templates(
        &self,
        params: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        refuse_cursor(params)?;
        let templates = self
            .resources
            .iter()
            .filter(|entry| !entry.template.is_static());
        let listed = templates.map(|entry| {
            ResourceTemplate::new(entry.uri, entry.name)
                .with_title(entry.title)
                .with_description(entry.description)
                .with_mime_type(entry.mime)
        });
        Ok(
            ListResourceTemplatesResult::with_all_items(listed.collect())
                .with_ttl_ms(LISTS_FRESH_MS),
        )
    }

    async fn read_resource(
        &self,
        params: ReadResourceRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        Ok(self.read(params.uri, &request).await?.into())
    }

    async fn list_prompts(
        &self,
        params: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        refuse_cursor(params)?;
        let listed = self.prompts.iter().map(|entry| entry.listed.clone());
        Ok(ListPromptsResult::with_all_items(listed.collect()).with_ttl_ms(LISTS_FRESH_MS))
    }

    async fn get_prompt(
        &self,
        params: GetPromptRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        Ok(self.write_prompt(params, &request).await?.into())
    }

    /// What the protocol library could not make a request of its own of: methods nobody knows, and known
    /// ones with misshapen parameters.
    async fn on_custom_request(
        &self,
        custom: CustomRequest,
        request: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        if custom.method != "tools/call" {
            return Err(not_handled(&custom.method));
        }
        let mut result = self.misshapen_call(custom.params, &request).await?;
        if request
            .protocol_version()
            .is_none_or(|version| version < ProtocolVersion::V_2026_07_28)
        {
            result.result_type = None;
        }
        serde_json::to_value(result)
            .map(CustomResult::new)
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }
}
