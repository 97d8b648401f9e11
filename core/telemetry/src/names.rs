//! The names under which others find what we measure.
//!
//! For: one table of spans, attributes and metrics, so that a change in the conventions is made here. The names
//! of `gen_ai.*` and `mcp.*` are OpenTelemetry's conventions for generative AI and for MCP (repository
//! open-telemetry/semantic-conventions-genai, all still "Development"; `gen_ai.client.token.usage` is the
//! released name of a metric that is being replaced); those of `callboard.*` are ours, for what no convention
//! names yet. Not for: measuring.

/// Attributes of spans and labels of metrics.
pub mod attribute {
    /// What is done: `chat`, `embeddings`, `execute_tool`, …
    pub const OPERATION: &str = "gen_ai.operation.name";
    /// Whose model, in the conventions' words; see [`provider`](super::provider).
    pub const PROVIDER: &str = "gen_ai.provider.name";
    /// The provider's configured name (ours).
    pub const CONFIGURED: &str = "callboard.provider";
    /// The model that was asked.
    pub const REQUEST_MODEL: &str = "gen_ai.request.model";
    /// The model that answered.
    pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
    /// Why it stopped.
    pub const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
    /// Until the first part of the answer, in seconds.
    pub const FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
    /// Tokens sent, those of the cache included.
    pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
    /// Tokens that came back, reasoning included.
    pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
    /// Tokens read from a cache.
    pub const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
    /// Tokens written into a cache.
    pub const CACHE_WRITE_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
    /// Tokens of reasoning.
    pub const REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";
    /// `input` or `output`.
    pub const TOKEN_TYPE: &str = "gen_ai.token.type";
    /// The tool.
    pub const TOOL: &str = "gen_ai.tool.name";
    /// The conversation.
    pub const CONVERSATION: &str = "gen_ai.conversation.id";
    /// The kind of error; absent where there was none.
    pub const ERROR: &str = "error.type";
    /// The method of MCP.
    pub const MCP_METHOD: &str = "mcp.method.name";
    /// The session of MCP.
    pub const MCP_SESSION: &str = "mcp.session.id";
    /// The revision of MCP.
    pub const MCP_PROTOCOL: &str = "mcp.protocol.version";
    /// The resource of MCP.
    pub const MCP_RESOURCE: &str = "mcp.resource.uri";
    /// The id of the request.
    pub const REQUEST_ID: &str = "jsonrpc.request.id";
    /// `pipe` for stdio, `tcp` for HTTP.
    pub const TRANSPORT: &str = "network.transport";
    /// The server's name (ours).
    pub const SERVER: &str = "callboard.server";
    /// How it ended (ours).
    pub const OUTCOME: &str = "callboard.outcome";
    /// Which tokens: `input`, `cached`, `cache_write`, `output`, `reasoning` (ours; a part of another is in it).
    pub const KIND: &str = "callboard.token.kind";
    /// The task (ours).
    pub const TASK: &str = "callboard.task.id";
    /// The agent (ours).
    pub const AGENT: &str = "callboard.agent";
    /// The route (ours).
    pub const ROUTE: &str = "callboard.route";
    /// Whether the answer came as a stream.
    pub const STREAM: &str = "gen_ai.request.stream";
    /// The HTTP status.
    pub const STATUS: &str = "http.response.status_code";
    /// How it was made, where that was no ordinary way: tiers of service, tools that the provider ran (ours).
    pub const MODE: &str = "callboard.mode";
    /// What it cost in US dollars; absent where that is not known (ours).
    pub const COST: &str = "callboard.cost_usd";
}

/// The name of a span around a call to a model: `chat large`.
#[must_use]
pub fn inference_span(operation: &str, model: &str) -> String {
    format!("{operation} {model}")
}

/// The name of a span around a request of MCP: `tools/call task_list`.
#[must_use]
pub fn mcp_span(method: &str, target: Option<&str>) -> String {
    target.map_or_else(|| method.to_owned(), |target| format!("{method} {target}"))
}

/// The well-known values of `gen_ai.provider.name`, and the words that mean them in configurations and tables of prices.
const PROVIDERS: [(&str, &[&str]); 15] = [
    ("anthropic", &["claude"]),
    ("aws.bedrock", &["bedrock"]),
    ("azure.ai.inference", &[]),
    ("azure.ai.openai", &["azure"]),
    ("cohere", &[]),
    ("deepseek", &[]),
    ("gcp.gemini", &["gemini", "google"]),
    ("gcp.gen_ai", &[]),
    ("gcp.vertex_ai", &["vertex", "vertex_ai"]),
    ("groq", &[]),
    ("ibm.watsonx.ai", &["watsonx"]),
    ("mistral_ai", &["mistral"]),
    ("openai", &[]),
    ("perplexity", &[]),
    ("x_ai", &["xai"]),
];

/// What the conventions call a provider, by one of the words for it.
#[must_use]
pub fn well_known(word: &str) -> Option<&'static str> {
    let mut known = PROVIDERS.iter();
    let row = known.find(|(value, words)| *value == word || words.contains(&word));
    row.map(|(value, _)| *value)
}

/// A provider's name in the conventions' words, where they have one: of whose models it has, and where nobody knows that,
/// of its configured name. What they have no word for stays as it is, which they allow.
#[must_use]
pub fn provider<'n>(vendor: Option<&'n str>, configured: &'n str) -> &'n str {
    let word = vendor.unwrap_or(configured);
    well_known(word).unwrap_or(word)
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often values lay under these bounds.
    Histogram(&'static [f64]),
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name, with dots.
    pub name: &'static str,
    /// Its unit in UCUM, as OpenTelemetry writes it: `s`, `{token}`, `{call}`, `USD`.
    pub unit: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it counts, in a sentence.
    pub help: &'static str,
}

impl Metric {
    /// Its name for Prometheus: underscores for dots, the unit behind it. Prometheus adds `_total` to
    /// counters and `_bucket`, `_sum` and `_count` to histograms by itself.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let name = self.name.replace('.', "_");
        match self.unit {
            "s" => format!("{name}_seconds"),
            "USD" => format!("{name}_dollars"),
            _ => name,
        }
    }
}

/// The conventions' bounds for seconds of a call to a model.
const SECONDS: &[f64] = &[
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
/// The conventions' bounds for tokens.
const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// The conventions' bounds for seconds of MCP, and two below them, where most of our calls end.
const MCP_SECONDS: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];

const fn metric(name: &'static str, unit: &'static str, kind: Kind, help: &'static str) -> Metric {
    Metric {
        name,
        unit,
        kind,
        help,
    }
}

/// Seconds from sending to the end.
pub const DURATION: Metric = metric(
    "gen_ai.client.operation.duration",
    "s",
    Kind::Histogram(SECONDS),
    "Time of a call to a model, from sending to the end",
);
/// Seconds to the first part of the answer.
pub const FIRST_CHUNK: Metric = metric(
    "gen_ai.client.operation.time_to_first_chunk",
    "s",
    Kind::Histogram(SECONDS),
    "Time of a call to a model, from sending to the first part of the answer",
);
/// Tokens a call.
pub const TOKEN_USAGE: Metric = metric(
    "gen_ai.client.token.usage",
    "{token}",
    Kind::Histogram(TOKENS),
    "Tokens of a call to a model, by type",
);
/// Seconds of a call of a tool, resource or prompt.
pub const MCP_DURATION: Metric = metric(
    "mcp.server.operation.duration",
    "s",
    Kind::Histogram(MCP_SECONDS),
    "Time of a request that a server of ours answered",
);
/// Seconds of waiting.
pub const QUEUE: Metric = metric(
    "callboard.llm.queue",
    "s",
    Kind::Histogram(SECONDS),
    "Time that a call to a model waited for its turn",
);
/// Calls to models.
pub const LLM_CALLS: Metric = metric(
    "callboard.llm.calls",
    "{call}",
    Kind::Counter,
    "Calls to models, by how they ended",
);
/// Failed calls to models.
pub const LLM_ERRORS: Metric = metric(
    "callboard.llm.errors",
    "{call}",
    Kind::Counter,
    "Calls to models that failed, by the kind of failure",
);
/// Tokens.
pub const LLM_TOKENS: Metric = metric(
    "callboard.llm.tokens",
    "{token}",
    Kind::Counter,
    "Tokens by kind; cached and cache_write are part of input, reasoning is part of output",
);
/// Money. OpenTelemetry has no name for it.
pub const LLM_COST: Metric = metric(
    "callboard.llm.cost",
    "USD",
    Kind::Counter,
    "Known cost of calls to models; see the calls of unknown cost beside it",
);
/// Calls without a cost.
pub const LLM_UNKNOWN_COST: Metric = metric(
    "callboard.llm.unknown_cost_calls",
    "{call}",
    Kind::Counter,
    "Calls to models whose cost was not known when they were recorded; they are in no sum",
);
/// Calls that wait for a price.
pub const LLM_UNPRICED: Metric = metric(
    "callboard.llm.unpriced_calls",
    "{call}",
    Kind::Gauge,
    "Recorded calls to models with known tokens and, as of now, no known cost",
);
/// Calls of tools.
pub const CALLS: Metric = metric(
    "callboard.calls",
    "{call}",
    Kind::Counter,
    "Calls of tools, resources and prompts, by how they ended",
);
/// Rows that were not written.
pub const DROPPED: Metric = metric(
    "callboard.call_log.dropped_rows",
    "{row}",
    Kind::Gauge,
    "Rows that were never recorded because they came faster than they could be written",
);

/// All metrics.
pub const METRICS: [Metric; 13] = [
    DURATION,
    FIRST_CHUNK,
    TOKEN_USAGE,
    MCP_DURATION,
    QUEUE,
    LLM_CALLS,
    LLM_ERRORS,
    LLM_TOKENS,
    LLM_COST,
    LLM_UNKNOWN_COST,
    LLM_UNPRICED,
    CALLS,
    DROPPED,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_have_the_names_of_the_conventions() {
        for (vendor, configured, name) in [
            (Some("openai"), "work", "openai"),
            (Some("google"), "g", "gcp.gemini"),
            (Some("gemini"), "g", "gcp.gemini"),
            (Some("anthropic"), "claude", "anthropic"),
            (None, "groq", "groq"),
            (None, "gemini", "gcp.gemini"),
            // Nobody's name: as it is configured.
            (None, "lab", "lab"),
            (Some("ollama"), "box", "ollama"),
            // Whose prices it asks says more than what it is called.
            (Some("groq"), "openai", "groq"),
            (None, "mistral", "mistral_ai"),
        ] {
            assert_eq!(
                provider(vendor, configured),
                name,
                "{vendor:?} {configured}"
            );
        }
        let mut values: Vec<&str> = PROVIDERS.iter().map(|(value, _)| *value).collect();
        values.extend(PROVIDERS.iter().flat_map(|(_, words)| *words));
        let all = values.len();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), all, "one word, one provider");
    }

    #[test]
    fn prometheus_takes_the_names() {
        for metric in METRICS {
            let name = metric.prometheus();
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{name}"
            );
        }
        assert_eq!(
            DURATION.prometheus(),
            "gen_ai_client_operation_duration_seconds"
        );
        assert_eq!(LLM_COST.prometheus(), "callboard_llm_cost_dollars");
        assert_eq!(
            mcp_span("tools/call", Some("task_list")),
            "tools/call task_list"
        );
        assert_eq!(inference_span("chat", "large"), "chat large");
    }

    #[test]
    fn bounds_rise() {
        for metric in METRICS {
            if let Kind::Histogram(bounds) = metric.kind {
                assert!(bounds.is_sorted_by(|a, b| a < b), "{}", metric.name);
            }
        }
    }
}
