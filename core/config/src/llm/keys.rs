//! The keys that say which models are asked, on which way, and for how much.
//! None is safe in a project's file that nobody has looked at: each either says where prompts and keys go, or what is
//! spent or kept.

use crate::keys::Key;
use crate::kind::Kind;
use crate::serve::needed;

const HOUR_MS: u64 = 3_600_000;
const DAY: u64 = 86_400;
/// More tokens or calls than anybody limits.
const MANY: u64 = 1_000_000_000_000;

pub(super) const WIRES: &[&str] = &["openai", "anthropic", "gemini", "ollama"];
pub(super) const CLASSES: &[&str] = &["simple", "standard", "complex"];
pub(super) const STRATEGIES: &[&str] = &["sequential", "smart", "cost"];
pub(super) const PLACES: &[&str] = &["any", "local-only"];
pub(super) const SCOPES: &[&str] = &["all", "provider", "model", "account", "project", "task"];
pub(super) const UNPRICED: &[&str] = &["allow", "deny"];
pub(super) const KEPT: &[&str] = &["metadata", "full"];

const PROVIDERS: &[Key] = &[
    needed(
        "providers.<name>.wire",
        Kind::Choice(WIRES),
        "by the name, where it is well known",
        "The protocol that the provider speaks. Known by name: anthropic, openai, gemini, google, groq, ollama, anythingllm.",
    ),
    needed(
        "providers.<name>.base_url",
        Kind::BaseUrl,
        "by the name or the wire",
        "Where the provider is; the paths of the protocol come after it.",
    ),
    needed(
        "providers.<name>.plain_http",
        Kind::Switch,
        "false",
        "Whether `base_url` may be http:// to another machine, where everybody on the way can read the key and the prompts.",
    ),
    needed(
        "providers.<name>.key",
        Kind::Secret,
        "none",
        "The key, as a secret of the vault: `\"${vault:NAME}\"`.",
    ),
    needed(
        "providers.<name>.key_env",
        Kind::VariableName,
        "by the name, where it is well known and no `base_url` is set",
        "The environment variable that holds the key, where it is not in the vault.",
    ),
    needed(
        "providers.<name>.account",
        Kind::Label,
        "none",
        "Which of your accounts there the key belongs to: limits and breakers are the account's.",
    ),
    needed(
        "providers.<name>.prices",
        Kind::Label,
        "by the name or the wire",
        "Whose prices it asks, as the table of prices names the vendor.",
    ),
    needed(
        "providers.<name>.local",
        Kind::Switch,
        "by the name and `base_url`",
        "Whether its models run on your own machines, so that `privacy = \"local-only\"` lets prompts go there.",
    ),
    needed(
        "providers.<name>.region",
        Kind::Label,
        "none",
        "Where its models run, for requests that may only go to some regions.",
    ),
    needed(
        "providers.<name>.confirm",
        Kind::Switch,
        "false",
        "Whether a person has to agree before it is asked.",
    ),
    needed(
        "providers.<name>.timeouts.connect",
        Kind::ShortTime(10, HOUR_MS),
        "10s",
        "Until the connection stands, TLS included.",
    ),
    needed(
        "providers.<name>.timeouts.first_byte",
        Kind::ShortTime(10, HOUR_MS),
        "2m",
        "Until the answer begins. An answer in one piece begins when the model is done.",
    ),
    needed(
        "providers.<name>.timeouts.between",
        Kind::ShortTime(10, HOUR_MS),
        "1m",
        "Between two pieces of an answer that comes as it is made.",
    ),
    needed(
        "providers.<name>.timeouts.total",
        Kind::ShortTime(10, HOUR_MS),
        "10m",
        "The whole call, from its beginning to its end.",
    ),
    needed(
        "providers.<name>.headers.<header>",
        Kind::HeaderValue,
        "none",
        "A header sent with every request. `${vault:NAME}` in it stands for a secret of the vault.",
    ),
    needed(
        "providers.<name>.models.<model>.window",
        Kind::Number(1, 1 << 32),
        "not known",
        "Tokens of prompt and answer together.",
    ),
    needed(
        "providers.<name>.models.<model>.max_output",
        Kind::Number(1, 1 << 32),
        "not known",
        "Tokens of an answer at most.",
    ),
    needed(
        "providers.<name>.models.<model>.tools",
        Kind::Switch,
        "not known",
        "Whether it calls tools.",
    ),
    needed(
        "providers.<name>.models.<model>.images",
        Kind::Switch,
        "not known",
        "Whether it sees pictures.",
    ),
    needed(
        "providers.<name>.models.<model>.json",
        Kind::Switch,
        "not known",
        "Whether it has a JSON mode.",
    ),
    needed(
        "providers.<name>.models.<model>.schema",
        Kind::Switch,
        "not known",
        "Whether it holds itself to a JSON Schema.",
    ),
    needed(
        "providers.<name>.models.<model>.classes",
        Kind::Choices(CLASSES),
        "any",
        "The work it is meant for.",
    ),
    needed(
        "providers.<name>.models.<model>.region",
        Kind::Label,
        "the provider's",
        "Where it runs, where that is another region.",
    ),
    needed(
        "providers.<name>.models.<model>.local",
        Kind::Switch,
        "the provider's",
        "Whether it runs on your own machines.",
    ),
];

const ROUTES: &[Key] = &[
    needed(
        "routes.<name>.strategy",
        Kind::Choice(STRATEGIES),
        "sequential",
        "Who is asked first: the first in the list, the one that has done best lately, or the cheapest.",
    ),
    needed(
        "routes.<name>.candidates",
        Kind::Targets,
        "none: needed for each route",
        "Who may answer, each as provider/model, in order.",
    ),
    needed(
        "routes.<name>.privacy",
        Kind::Choice(PLACES),
        "any",
        "Where prompts may go: to every candidate, or only to models on your own machines.",
    ),
    needed(
        "routes.<name>.regions",
        Kind::Labels,
        "any",
        "Regions where prompts may go.",
    ),
    needed(
        "routes.<name>.max_cost",
        Kind::Money,
        "none",
        "What one call may cost at most, in dollars.",
    ),
    needed(
        "routes.<name>.deadline",
        Kind::Time(1, HOUR_MS / 1_000),
        "none",
        "How long a call may take with its retries and all candidates, where the request does not say.",
    ),
    needed(
        "routes.<name>.class",
        Kind::Choice(CLASSES),
        "none",
        "How hard its work is, where neither the request nor the caller's role says so.",
    ),
    needed(
        "routes.<name>.escalate",
        Kind::Switch,
        "false",
        "Whether an answer that will not do (cut off, refused, not the JSON that was asked for) is asked for again, of the next candidate.",
    ),
    needed(
        "routes.<name>.least_score",
        Kind::Number(1, 100),
        "none: models are not asked",
        "The least score that a model has to give its own answer, which is one more call to it, before the answer counts.",
    ),
    needed(
        "routes.<name>.roles.<role>",
        Kind::Choice(CLASSES),
        "none",
        "How hard the work of a role is, for requests that name the role and not the class.",
    ),
    needed(
        "routes.<name>.learn",
        Kind::Number(0, 50),
        "0: nothing is learned",
        "From what came of tasks: of the candidates that do a class of them about as well as the best, the cheapest comes \
         first. The number is the percentage of tasks that try another one.",
    ),
];

const MONEY: &[Key] = &[
    needed(
        "budgets.<name>.scope",
        Kind::Choice(SCOPES),
        "all",
        "What the budget is for: everything together, or one provider, model, account, project or task.",
    ),
    needed(
        "budgets.<name>.of",
        Kind::Label,
        "each",
        "Which one: its name (a model as provider/model), or `each` for each one separately.",
    ),
    needed(
        "budgets.<name>.day",
        Kind::Money,
        "none",
        "Dollars a day, by the clock of `llm.utc_offset`.",
    ),
    needed(
        "budgets.<name>.week",
        Kind::Money,
        "none",
        "Dollars a week, which begins on Monday.",
    ),
    needed(
        "budgets.<name>.month",
        Kind::Money,
        "none",
        "Dollars a month of the calendar.",
    ),
    needed(
        "budgets.<name>.ever",
        Kind::Money,
        "none",
        "Dollars without end: the cap of a task.",
    ),
    needed(
        "budgets.<name>.warn",
        Kind::Number(0, 100),
        "80",
        "From how many percent on there is a warning.",
    ),
    needed(
        "budgets.<name>.unpriced",
        Kind::Choice(UNPRICED),
        "allow",
        "What becomes of calls whose price is not known.",
    ),
    needed(
        "limits.<name>.scope",
        Kind::Choice(SCOPES),
        "all",
        "What the limit is for, as for a budget.",
    ),
    needed(
        "limits.<name>.of",
        Kind::Label,
        "each",
        "Which one, as for a budget.",
    ),
    needed(
        "limits.<name>.requests_per_minute",
        Kind::Number(0, MANY),
        "none",
        "Calls in each minute.",
    ),
    needed(
        "limits.<name>.requests_per_day",
        Kind::Number(0, MANY),
        "none",
        "Calls in each day, by the clock of `llm.utc_offset`.",
    ),
    needed(
        "limits.<name>.input_per_minute",
        Kind::Number(0, MANY),
        "none",
        "Tokens sent a minute, cached ones included.",
    ),
    needed(
        "limits.<name>.input_per_day",
        Kind::Number(0, MANY),
        "none",
        "Tokens sent a day, cached ones included.",
    ),
    needed(
        "limits.<name>.output_per_minute",
        Kind::Number(0, MANY),
        "none",
        "Tokens received a minute, reasoning included.",
    ),
    needed(
        "limits.<name>.output_per_day",
        Kind::Number(0, MANY),
        "none",
        "Tokens received a day, reasoning included.",
    ),
    needed(
        "limits.<name>.concurrent",
        Kind::Number(0, MANY),
        "none",
        "Calls at the same time, in all processes together.",
    ),
    needed(
        "limits.<name>.warn",
        Kind::Number(0, 100),
        "80",
        "From how many percent on there is a warning.",
    ),
    needed(
        "prices.file",
        Kind::File,
        "none",
        "A file of your own prices, over those that come with the program and those of `callboard prices update`.",
    ),
    needed(
        "prices.baseline",
        Kind::Target,
        "none",
        "The vendor and model that savings are measured against, as the table of prices names them.",
    ),
];

const REST: &[Key] = &[
    needed(
        "llm.default_route",
        Kind::Label,
        "none",
        "The route of requests that name neither a route nor a model.",
    ),
    needed(
        "llm.privacy",
        Kind::Choice(KEPT),
        "metadata",
        "What is kept of calls to models: names, numbers and times, or the texts too, without secrets.",
    ),
    needed(
        "llm.retention_days",
        Kind::Number(1, 36_500),
        "90",
        "For how many days calls to models are kept.",
    ),
    needed(
        "llm.retention_rows",
        Kind::Number(1_000, 1_000_000_000),
        "1000000",
        "How many calls to models are kept at most.",
    ),
    needed(
        "llm.text_days",
        Kind::Number(0, 36_500),
        "7",
        "For how many days texts are kept.",
    ),
    needed(
        "llm.text_rows",
        Kind::Number(0, 1_000_000_000),
        "10000",
        "How many texts are kept at most.",
    ),
    needed(
        "llm.retries",
        Kind::Number(0, 20),
        "2",
        "How often a candidate is asked again before the next one.",
    ),
    needed(
        "llm.open_after",
        Kind::Number(1, 1_000),
        "5",
        "After how many failures in a row a model is left alone.",
    ),
    needed(
        "llm.open_for",
        Kind::Time(1, DAY),
        "1m",
        "For how long it is left alone before one call probes it.",
    ),
    needed(
        "llm.utc_offset",
        Kind::Offset,
        "Z",
        "By which clock days, weeks and months of budgets begin.",
    ),
    needed(
        "gateway.enabled",
        Kind::Switch,
        "true",
        "Whether `callboard serve` answers at /v1 to agents that show a token for it.",
    ),
    needed(
        "gateway.url",
        Kind::BaseUrl,
        "http:// and `serve.listen`",
        "Where agents with `gateway = true` reach it, without /v1.",
    ),
];

/// All of them, in the order of the reference.
pub(crate) const KEYS: [&[Key]; 4] = [PROVIDERS, ROUTES, MONEY, REST];
