//! How the protocol library reaches a server.
//!
//! For: the lists, the capabilities, and requests that the library could not read. Not for: calls, reads and
//! prompts themselves (`dispatch`).

use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams,
    CompleteResult, CustomRequest, CustomResult, ErrorCode, ErrorData, GetPromptRequestParams,
    GetPromptResponse, GetTaskParams, GetTaskResult, Implementation, JsonObject, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    PromptsCapability, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse,
    ResourceTemplate, ResourcesCapability, ServerCapabilities, ServerConfig, SetLevelRequestMethod,
    SubscribeRequestMethod, SubscribeRequestParams, SubscriptionFilter, TASKS_EXTENSION_ID,
    UnsubscribeRequestMethod, UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};

use super::Served;
use super::dispatch::shown;
use crate::ask::Brought;
use crate::context::http_request;
use crate::log::{Wanted, is_modern};
use crate::scrub;
use crate::subscribe::Connection;

/// How long a client may keep a list: what a server offers does not change while it runs, unless it says so.
const LISTS_FRESH_MS: u64 = 5 * 60 * 1_000;
/// As long where it may change, for clients that do not listen.
const CHANGING_FRESH_MS: u64 = 1_000;

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
    "resources/subscribe",
    "resources/unsubscribe",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "subscriptions/listen",
    "logging/setLevel",
];

/// Those among them that the era without a handshake does not have.
const REMOVED_METHODS: &[&str] = &[
    "initialize",
    "resources/subscribe",
    "resources/unsubscribe",
    "logging/setLevel",
];

/// As [`KNOWN_METHODS`], where tasks are offered.
const TASK_METHODS: &[&str] = &["tasks/get", "tasks/update", "tasks/cancel"];

fn misshapen(method: &str) -> ErrorData {
    ErrorData::invalid_params(
        format!("{method}: the parameters are missing or have the wrong shape"),
        None,
    )
}

/// The error for a request that no handler takes.
pub(crate) fn not_handled(method: &str) -> ErrorData {
    if KNOWN_METHODS.contains(&method) {
        return misshapen(method);
    }
    unknown_method(method)
}

fn unknown_method(method: &str) -> ErrorData {
    ErrorData::new(
        ErrorCode::METHOD_NOT_FOUND,
        format!("unknown method `{}`", shown(method)),
        None,
    )
}

/// `error` with the name of the HTTP request it is about, where there is one; without the secrets in use.
fn named(error: ErrorData, request: &RequestContext<RoleServer>) -> ErrorData {
    let mut error = scrub::error(error);
    if let Some(name) = http_request(request) {
        name.name(&mut error);
    }
    error
}

impl Served {
    fn lists_fresh_ms(&self) -> u64 {
        match self.offers {
            Some(_) => CHANGING_FRESH_MS,
            None => LISTS_FRESH_MS,
        }
    }
}

impl ServerHandler for Connection {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::builder().enable_tools().build();
        let changing = self.offers.is_some().then_some(true);
        if let Some(tools) = &mut capabilities.tools {
            tools.list_changed = changing;
        }
        if !self.resources.is_empty() {
            let mut resources = ResourcesCapability::default();
            resources.subscribe = self.is_watched().then_some(true);
            capabilities.resources = Some(resources);
        }
        if !self.prompts.is_empty() {
            let mut prompts = PromptsCapability::default();
            prompts.list_changed = changing;
            capabilities.prompts = Some(prompts);
        }
        let identity =
            Implementation::new(self.spec.name, self.spec.version).with_title(self.spec.title);
        if self.completes() {
            capabilities.completions = Some(Default::default());
        }
        if self.wrapper.levels.is_some() {
            capabilities.logging = Some(Default::default());
        }
        if self.offers_tasks() {
            let extensions = capabilities.extensions.get_or_insert_default();
            extensions.insert(TASKS_EXTENSION_ID.to_owned(), JsonObject::new());
        }
        ServerConfig::new(capabilities)
            .with_server_info(identity)
            .with_instructions(self.spec.instructions)
    }

    async fn list_tools(
        &self,
        params: Option<PaginatedRequestParams>,
        request: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        refuse_cursor(params).map_err(|error| named(error, &request))?;
        let tools = self.offered_tools().map(|entry| entry.listed.clone());
        Ok(ListToolsResult::with_all_items(tools.collect())
            .with_ttl_ms(self.lists_fresh_ms())
            .with_cache_scope(CacheScope::Private))
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let entry = self
            .tool_entry(&params.name)
            .map_err(|error| named(error, &request))?;
        let brought = Brought {
            responses: params.input_responses,
            state: params.request_state,
        };
        self.run_tool(entry, params.arguments, brought, &request)
            .await
            .map_err(|error| named(error, &request))
    }

    /// What the HTTP transport checks `Mcp-Param-…` headers against.
    fn get_tool(&self, name: &str) -> Option<rmcp::model::Tool> {
        let entry = self
            .offered_tools()
            .find(|entry| entry.facts.name == name)?;
        Some(entry.listed.clone())
    }

    async fn list_resources(
        &self,
        params: Option<PaginatedRequestParams>,
        request: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        refuse_cursor(params).map_err(|error| named(error, &request))?;
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
        Ok(ListResourcesResult::with_all_items(listed.collect())
            .with_ttl_ms(LISTS_FRESH_MS)
            .with_cache_scope(CacheScope::Private))
    }

    async fn list_resource_templates(
        &self,
        params: Option<PaginatedRequestParams>,
        request: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        refuse_cursor(params).map_err(|error| named(error, &request))?;
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
                .with_ttl_ms(LISTS_FRESH_MS)
                .with_cache_scope(CacheScope::Private),
        )
    }

    async fn read_resource(
        &self,
        params: ReadResourceRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let page = self.read(params, &request).await;
        page.map_err(|error| named(error, &request))
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        let any = self.is_watched() || self.offers.is_some();
        any.then(|| self.listenable(requested))
    }

    async fn listen(&self, stream: SubscriptionContext) -> Result<(), ErrorData> {
        self.tell_stream(stream, &self.held, self.hearing.clone())
            .await
    }

    async fn on_initialized(&self, client: NotificationContext<RoleServer>) {
        if let Some(hearing) = self.hearing.clone() {
            self.held.keep_hearing(client.peer, hearing);
        }
    }

    async fn subscribe(
        &self,
        params: SubscribeRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if !self.is_watched() {
            let error = ErrorData::method_not_found::<SubscribeRequestMethod>();
            return Err(named(error, &request));
        }
        self.subscribe_to(params.uri, &request, &self.held)
            .await
            .map_err(|error| named(error, &request))
    }

    async fn unsubscribe(
        &self,
        params: UnsubscribeRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if !self.is_watched() {
            let error = ErrorData::method_not_found::<UnsubscribeRequestMethod>();
            return Err(named(error, &request));
        }
        self.unsubscribe_from(&params.uri, &self.held)
            .map_err(|error| named(error, &request))
    }

    async fn list_prompts(
        &self,
        params: Option<PaginatedRequestParams>,
        request: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        refuse_cursor(params).map_err(|error| named(error, &request))?;
        let listed = self.offered_prompts().map(|entry| entry.listed.clone());
        Ok(ListPromptsResult::with_all_items(listed.collect())
            .with_ttl_ms(self.lists_fresh_ms())
            .with_cache_scope(CacheScope::Private))
    }

    async fn get_prompt(
        &self,
        params: GetPromptRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let prompt = self.write_prompt(params, &request).await;
        prompt.map_err(|error| named(error, &request))
    }

    async fn complete(
        &self,
        params: CompleteRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let completed = self.complete_value(params, &request).await;
        completed.map_err(|error| named(error, &request))
    }

    async fn set_level(
        &self,
        wanted: Wanted,
        request: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        match &self.wrapper.levels {
            Some(levels) if !is_modern(&request) => {
                levels.set(&request, &wanted);
                Ok(())
            }
            // Without a session there is nothing to set; each request says what it wants.
            _ => {
                let error = ErrorData::method_not_found::<SetLevelRequestMethod>();
                Err(named(error, &request))
            }
        }
    }

    async fn get_task(
        &self,
        params: GetTaskParams,
        request: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let task = self.task(&params.task_id, &request).await;
        task.map(GetTaskResult::new)
            .map_err(|error| named(error, &request))
    }

    async fn update_task(
        &self,
        params: UpdateTaskParams,
        request: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.update(&params.task_id, params.input_responses, &request)
            .await
            .map_err(|error| named(error, &request))
    }

    async fn cancel_task(
        &self,
        params: CancelTaskParams,
        request: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.cancel(&params.task_id, &request)
            .await
            .map_err(|error| named(error, &request))
    }

    /// What the protocol library could not make a request of its own of: methods nobody knows, and known
    /// ones with misshapen parameters.
    async fn on_custom_request(
        &self,
        custom: CustomRequest,
        request: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        if is_modern(&request) && REMOVED_METHODS.contains(&custom.method.as_str()) {
            return Err(named(unknown_method(&custom.method), &request));
        }
        if self.offers_tasks() && TASK_METHODS.contains(&custom.method.as_str()) {
            return Err(named(misshapen(&custom.method), &request));
        }
        if custom.method != "tools/call" {
            return Err(named(not_handled(&custom.method), &request));
        }
        let result = self.misshapen_call(custom.params, &request).await;
        let mut result = result.map_err(|error| named(error, &request))?;
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
