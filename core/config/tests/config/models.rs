//! What configuration says of models: every key reaches its setting, mistakes are told with their line, and no secret
//! is shown.

use crate::rig::{is_of_models, rig};
use callboard_config::{Config, ConfigError, KEYS, Overrides, Source, Trust};

/// Everything that can be said of models, as one would write it.
const FULL: &str = r#"
# Anthropic, with the key in the vault (`callboard vault set ANTHROPIC`).
[providers.anthropic]
key = "${vault:ANTHROPIC}"
account = "work"
region = "us"
timeouts = { connect = "5s", first_byte = "90s", between = "30s", total = "5m" }
headers = { anthropic-beta = "context-1m", x-team = "team ${vault:TEAM}" }

[providers.anthropic.models.claude-haiku-4-5]
window = 200_000
max_output = 64_000
tools = true
images = true
json = false
schema = true
classes = ["standard", "simple"]

# A name with dots, slashes or colons stands in quotation marks.
[providers.router]
wire = "openai"
base_url = "https://router.example/api/v1"
key_env = "ROUTER_KEY"
prices = "openai"
confirm = true

[providers.router.models."meta/llama-3.3:70b"]
window = 128000
region = "eu"

# On this machine: nothing need be said.
[providers.ollama]

[providers.ollama.models."qwen3:480b-cloud"]
local = false

# In the house, unencrypted.
[providers.attic]
wire = "ollama"
base_url = "http://10.0.0.7:11434"
plain_http = true
local = true

[routes.default]
strategy = "smart"
candidates = ["anthropic/claude-haiku-4-5", "router/meta/llama-3.3:70b"]
regions = ["us", "eu"]
max_cost = "0.50"
deadline = "90s"
class = "standard"
escalate = true
least_score = 60
roles = { reviewer = "complex", scribe = "simple" }
learn = 5

[routes.private]
candidates = ["ollama/llama3.2:3b", "attic/qwen3:32b"]
privacy = "local-only"

[budgets.all]
day = "5.00"
week = 20
month = 60.5
warn = 75
unpriced = "deny"

[budgets.task]
scope = "task"
of = "each"
ever = "$1.00"

[limits.anthropic]
scope = "account"
of = "anthropic/work"
requests_per_minute = 50
requests_per_day = 5000
input_per_minute = 400_000
input_per_day = 20_000_000_000
output_per_minute = 80_000
output_per_day = 4_000_000
concurrent = 8
warn = 90

[prices]
file = "~/prices.toml"
baseline = "anthropic/claude-opus-4-5"

[llm]
default_route = "default"
privacy = "full"
retention_days = 30
retention_rows = 50_000
text_days = 3
text_rows = 1_000
retries = 1
open_after = 3
open_for = "30s"
utc_offset = "+02:00"

[gateway]
enabled = false
url = "http://127.0.0.1:1/"
"#;

#[test]
fn a_full_configuration_is_read() {
    let config = rig().user(FULL).load().unwrap();
    let models = &config.models;
    let rows = config.settings();
    let shown = |name: &str| {
        let row = rows.iter().find(|(key, ..)| key == name);
        row.map_or("", |(_, value, _)| value.as_str())
    };
    for (key, value) in [
        ("providers.anthropic.wire", "anthropic"),
        ("providers.anthropic.base_url", "https://api.anthropic.com"),
        ("providers.anthropic.key", "${vault:ANTHROPIC}"),
        ("providers.anthropic.account", "work"),
        ("providers.anthropic.region", "us"),
        ("providers.anthropic.timeouts.connect", "5s"),
        ("providers.anthropic.timeouts.first_byte", "1m30s"),
        ("providers.anthropic.timeouts.between", "30s"),
        ("providers.anthropic.timeouts.total", "5m"),
        (
            "providers.anthropic.headers",
            "anthropic-beta=(10 characters) x-team=(18 characters)",
        ),
        (
            "providers.anthropic.models.claude-haiku-4-5",
            "window=200000 max_output=64000 tools=true images=true json=false schema=true classes=simple,standard",
        ),
        ("providers.router.key_env", "$ROUTER_KEY"),
        ("providers.router.prices", "openai"),
        ("providers.router.confirm", "true"),
        (
            "providers.router.models.\"meta/llama-3.3:70b\"",
            "window=128000 region=eu",
        ),
        ("providers.ollama.base_url", "http://127.0.0.1:11434"),
        (
            "providers.ollama.models.\"qwen3:480b-cloud\"",
            "local=false",
        ),
        ("providers.attic.local", "true"),
        ("routes.default.strategy", "smart"),
        (
            "routes.default.candidates",
            "anthropic/claude-haiku-4-5 router/meta/llama-3.3:70b",
        ),
        ("routes.default.regions", "us eu"),
        ("routes.default.max_cost", "$0.50"),
        ("routes.default.deadline", "1m30s"),
        ("routes.default.class", "standard"),
        ("routes.default.escalate", "true"),
        ("routes.default.least_score", "60"),
        ("routes.default.roles", "reviewer=complex scribe=simple"),
        ("routes.default.learn", "5"),
        ("routes.private.privacy", "local-only"),
        (
            "budgets.all.day",
            "$5.00 for everything together, warning at 75 %",
        ),
        (
            "budgets.all.week",
            "$20.00 for everything together, warning at 75 %",
        ),
        (
            "budgets.all.month",
            "$60.50 for everything together, warning at 75 %",
        ),
        ("budgets.task.ever", "$1.00 for each task, warning at 80 %"),
        (
            "limits.anthropic.concurrent",
            "8 for account anthropic/work, warning at 90 %",
        ),
        (
            "limits.anthropic.input_per_day",
            "20000000000 for account anthropic/work, warning at 90 %",
        ),
        ("prices.baseline", "anthropic/claude-opus-4-5"),
        ("llm.default_route", "default"),
        ("llm.privacy", "full"),
        ("llm.retention_days", "30"),
        ("llm.retention_rows", "50000"),
        ("llm.text_days", "3"),
        ("llm.text_rows", "1000"),
        ("llm.retries", "1"),
        ("llm.open_after", "3"),
        ("llm.open_for", "30s"),
        ("llm.utc_offset", "+02:00"),
        ("gateway.enabled", "false"),
        ("gateway.url", "http://127.0.0.1:1/"),
    ] {
        assert_eq!(shown(key), value, "{key}");
    }
    assert_eq!(config.gateway_url().unwrap(), "http://127.0.0.1:1");
    assert!(shown("prices.file").ends_with("home/prices.toml"));
    assert!(models.caps.iter().filter(|cap| cap.deny_unpriced).count() == 3);
    assert_eq!(models.caps.len(), 11);
    assert_eq!(models.utc_offset.value, 120);
    let local: Vec<bool> = models.providers.values().map(|p| p.local.value).collect();
    assert_eq!(local, [false, true, true, false]);
}

#[test]
fn every_key_of_models_is_in_the_full_configuration() {
    for key in KEYS.iter().filter(|key| is_of_models(key.name)) {
        let field = key.name.rsplit('.').next().unwrap();
        let said = match field {
            "<header>" => FULL.contains("x-team"),
            "<role>" => FULL.contains("reviewer"),
            _ => FULL.contains(&format!("{field} = ")),
        };
        assert!(said, "{}", key.name);
        assert_eq!(key.trust, Trust::Needed, "{}", key.name);
    }
}

#[test]
fn without_trust_a_project_says_nothing_of_models() {
    let rig = rig().project(FULL);
    let Err(ConfigError::Untrusted(untrusted)) = rig.load() else {
        panic!("it was believed");
    };
    assert!(untrusted.keys.len() > 60, "{}", untrusted.keys.len());
    let review = untrusted.to_string();
    assert!(!review.contains("context-1m"), "{review}");
    assert!(review.contains("providers.anthropic.key = ${vault:ANTHROPIC}"));
    let (config, _) =
        Config::load_cautious(&rig.environment(), Some(&rig.root()), &Overrides::default())
            .unwrap();
    assert!(config.models.providers.is_empty() && config.models.routes.is_empty());
    assert!(config.models.caps.is_empty() && config.models.gateway.value);
}

#[test]
fn a_projects_budget_stands_beside_the_users() {
    let user = "[budgets.all]\nday = 5\n";
    let beside = rig().user(user).project("[budgets.ours]\nday = 50\n");
    beside.trust();
    let caps = beside.config().models.caps;
    let whose: Vec<(i64, bool)> = caps.iter().map(|c| (c.amount, c.is_projects())).collect();
    assert_eq!(whose, [(5_000_000, false), (50_000_000, true)]);
    let over = rig().user(user).project("\n[budgets.all]\nday = 50\n");
    over.trust();
    let told = over.error();
    assert!(
        told.contains("callboard.toml:2: budgets.all: your own"),
        "{told}"
    );
    assert!(told.contains("config.toml:1"), "{told}");
}

/// What is written, the line and key that are named, and what is said.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "[providers.mine]\n",
        "1: providers.mine.wire",
        "needs a wire",
    ),
    (
        "[providers.mine]\nwire = \"openai\"\n",
        "1: providers.mine.base_url",
        "needs a base_url",
    ),
    (
        "[providers.mine]\nwire = \"opnai\"\n",
        "2: providers.mine.wire",
        "did you mean \"openai\"?",
    ),
    (
        "[providers.groq]\nbase_url = \"groq.example\"\n",
        "2: providers.groq.base_url",
        "does not begin with http",
    ),
    (
        "[providers.groq]\nbase_url = \"https://u:sk-hush@x.example\"\n",
        "2: providers.groq.base_url",
        "user or a password",
    ),
    (
        "[providers.groq]\nbase_url = \"https://x.example/?key=sk-hush\"\n",
        "2: providers.groq.base_url",
        "query",
    ),
    (
        "[providers.groq]\nbase_url = \"http://x.example\"\n",
        "2: providers.groq.base_url",
        "plain_http = true",
    ),
    (
        "[providers.groq]\nkey = \"sk-hush\"\n",
        "2: providers.groq.key",
        "callboard vault set",
    ),
    (
        "[providers.groq]\nkey_env = \"sk-hush\"\n",
        "2: providers.groq.key_env",
        "name of an environment variable",
    ),
    (
        "[providers.groq]\nkey = \"${vault:G}\"\nkey_env = \"G\"\n",
        "3: providers.groq.key_env",
        "remove one of the two",
    ),
    (
        "[providers.groq]\nheaders = { host = \"x\" }\n",
        "2: providers.groq.headers.host",
        "belongs to the connection",
    ),
    (
        "[providers.groq]\nheaders = { X-A = \"x\" }\n",
        "2: providers.groq.headers.X-A",
        "small letters",
    ),
    (
        "[providers.groq.models.\"a b\"]\n",
        "1: providers.groq.models.\"a b\"",
        "without spaces",
    ),
    (
        "[providers.groq.models.\"a:b\"]\nwindows = 3\n",
        "2: providers.groq.models.\"a:b\".windows",
        "did you mean providers.groq.models.\"a:b\".window?",
    ),
    ("[providers.\"My Own\"]\n", "1: providers.\"My Own\"", "a-z"),
    (
        "[provider.groq]\n",
        "1: provider",
        "did you mean providers?",
    ),
    (
        "[routes.r]\n",
        "3: routes.r.candidates",
        "has no candidates",
    ),
    (
        "[routes.r]\ncandidates = [\"antropic/x\"]\n",
        "4: routes.r.candidates",
        "did you mean anthropic?",
    ),
    (
        "[routes.r]\ncandidates = [\"claude\"]\n",
        "4: routes.r.candidates",
        "providers with models",
    ),
    (
        "[routes.r]\ncandidates = [\"ollama/a\", \"ollama/a\"]\n",
        "4: routes.r.candidates",
        "twice",
    ),
    (
        "[routes.r]\ncandidates = [\"anthropic/a\"]\nprivacy = \"local-only\"\n",
        "5: routes.r.privacy",
        "on your own machines",
    ),
    (
        "[routes.r]\ncandidates = [\"ollama/a\"]\nroles = { dev = \"hard\" }\n",
        "5: routes.r.roles.dev",
        "simple, standard, complex",
    ),
    (
        "[routes.r]\ncandidates = [\"ollama/a\"]\nlearn = 51\n",
        "5: routes.r.learn",
        "a whole number from 0 to 50",
    ),
    (
        "[routes.r]\ncandidates = [\"ollama/a\"]\nleast_score = 60\n",
        "5: routes.r.least_score",
        "escalate = true",
    ),
    (
        "[routes.r]\ncandidates = [\"ollama/a\"]\nescalate = true\nleast_score = 101\n",
        "6: routes.r.least_score",
        "from 1 to 100",
    ),
    (
        "[llm]\ndefault_route = \"r\"\n",
        "4: llm.default_route",
        "none is configured",
    ),
    (
        "[routes.best]\ncandidates = [\"ollama/a\"]\n[llm]\ndefault_route = \"besst\"\n",
        "6: llm.default_route",
        "did you mean best?",
    ),
    (
        "[budgets.b]\nscope = \"task\"\n",
        "3: budgets.b",
        "at least one of day, week, month, ever",
    ),
    (
        "[budgets.b]\nday = \"five\"\n",
        "4: budgets.b.day",
        "dollars, like",
    ),
    (
        "[budgets.b]\nday = -1\n",
        "4: budgets.b.day",
        "dollars, like",
    ),
    (
        "[budgets.b]\nof = \"x\"\nday = 1\n",
        "5: budgets.b.of",
        "has no name",
    ),
    (
        "[budgets.b]\nscope = \"provider\"\nof = \"opnai\"\nday = 1\n",
        "6: budgets.b.of",
        "there is no provider",
    ),
    (
        "[budgets.b]\nscope = \"model\"\nof = \"claude\"\nday = 1\n",
        "6: budgets.b.of",
        "write provider/model",
    ),
    (
        "[budgets.a]\nday = 1\n[budgets.b]\nday = 2\n",
        "6: budgets.b.day",
        "budgets.a.day",
    ),
    (
        "[limits.l]\nconcurrent = 0.5\n",
        "4: limits.l.concurrent",
        "whole number",
    ),
    (
        "[prices]\nbaseline = \"claude\"\n",
        "4: prices.baseline",
        "a provider and a model",
    ),
    (
        "[llm]\nutc_offset = \"CET\"\n",
        "4: llm.utc_offset",
        "+02:00",
    ),
];

#[test]
fn mistakes_are_told_with_their_line() {
    let with = |rest: &str| format!("[providers.anthropic]\n[providers.ollama]\n{rest}");
    for (text, place, told) in MISTAKES {
        let needs = text.starts_with("[provider");
        let text = if needs {
            (*text).to_owned()
        } else {
            with(text)
        };
        let error = rig().user(&text).error();
        let expected = format!("config.toml:{place}");
        assert!(error.contains(&expected), "{text}: {error}");
        assert!(error.contains(told), "{text}: {error}");
        assert!(!error.contains("hush"), "{error}");
        assert_eq!(error.lines().count(), 1, "{text}: {error}");
    }
}

#[test]
fn no_secret_is_shown() {
    let rig = rig().user(
        "[providers.groq]\nkey = \"${vault:G}\"\nheaders = { x-key = \"sk-hush\", x-b = \"${vault:B}\" }\n",
    );
    let config = rig.load().unwrap();
    let rows = config.settings();
    assert!(!format!("{rows:?}").contains("hush"));
    let (_, shown, _) = rows
        .iter()
        .find(|(name, ..)| name.ends_with("headers"))
        .unwrap();
    assert_eq!(shown, "x-b=${vault:B} x-key=(7 characters)");
    assert!(!format!("{config:?}").contains("hush"), "Debug");
}

#[test]
fn a_key_of_a_known_name_goes_nowhere_else() {
    let env = |text: &str| {
        let config = rig().user(text).load().unwrap();
        let provider = config.models.providers.values().next().unwrap();
        provider.key_env.value.clone()
    };
    assert_eq!(env("[providers.groq]\n").as_deref(), Some("GROQ_API_KEY"));
    assert_eq!(
        env("[providers.work]\nwire = \"anthropic\"\n").as_deref(),
        Some("ANTHROPIC_API_KEY")
    );
    assert_eq!(
        env("[providers.groq]\nbase_url = \"https://x.example\"\n"),
        None
    );
    assert_eq!(env("[providers.ollama]\n"), None);
}

#[test]
fn variables_set_what_has_no_name() {
    let config = rig().var("CALLBOARD_LLM_RETRIES", "7").config();
    assert_eq!(config.models.retries.value, 7);
    assert!(matches!(
        config.models.retries.source,
        Source::Environment { .. }
    ));
}

#[test]
fn agents_find_the_gateway_where_it_listens_or_where_it_is_said_to_be() {
    let of = |text: &str| rig().user(text).config().gateway_url();
    assert_eq!(of("").unwrap(), "http://127.0.0.1:22552");
    let listen = |address: &str| of(&format!("[serve]\nlisten = \"{address}\"\n"));
    assert_eq!(listen("[::1]:80").unwrap(), "http://[::1]:80");
    for unknown in ["127.0.0.1:0", "0.0.0.0:22552", "10.0.0.1:22552"] {
        let why = listen(unknown).unwrap_err();
        assert!(why.contains("say gateway.url"), "{why}");
    }
}

#[test]
fn keys_of_agents_go_to_no_other_machine_in_the_clear() {
    for open in ["http://192.0.2.2:8080", "http://example.org"] {
        let text = format!("[gateway]\nurl = \"{open}\"\n");
        let said = rig().user(&text).error();
        assert!(
            said.contains("gateway.url") && said.contains("Use https://"),
            "{said}"
        );
    }
    for closed in ["https://example.org", "http://localhost:8080"] {
        let text = format!("[gateway]\nurl = \"{closed}\"\n");
        assert_eq!(rig().user(&text).config().gateway_url().unwrap(), closed);
    }
}
