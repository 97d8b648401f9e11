//! A configuration becomes a router, limits on the board and prices; what is missing is told and stops nothing else.

use crate::rig::{configure, open};
use callboard_config::{Environment, ProjectFile, Projects};
use callboard_limits::{Limit, LimitError, Resource, Scope, Span, Unpriced, limits_list};
use callboard_models::{Models, Secrets, no_secrets};
use callboard_redact::Secret;
use callboard_routing::chat::Chat;
use callboard_routing::engine::{Ask, Escalate, Target, Wanted};
use callboard_routing::route::{Privacy, TaskClass};
use callboard_routing::wire::Wire;
use callboard_store::Store;
use callboard_telemetry::llm;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

struct Rig {
    dir: tempfile::TempDir,
}

impl Rig {
    fn new(user: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for sub in ["project", "board"] {
            std::fs::create_dir_all(dir.path().join(sub)).unwrap();
        }
        let rig = Self { dir };
        rig.user(user);
        rig
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn user(&self, text: &str) {
        configure(&self.path("home"), text);
    }

    fn project(&self, text: &str) {
        let root = self.path("project");
        std::fs::write(root.join("callboard.toml"), text).unwrap();
        let file = ProjectFile::read(&root).unwrap().unwrap();
        let projects = Projects::of(&self.environment()).unwrap();
        projects.trust(&root, &file.sha256).unwrap();
    }

    fn environment(&self) -> Environment {
        let home = self.path("home").display().to_string();
        let vars = [("HOME", home.as_str()), ("ROUTER_KEY", " sk-router-1 ")];
        Environment::of(vars, self.path("project"))
    }

    fn store(&self) -> Store {
        callboard_board::open(&self.path("board")).unwrap()
    }

    async fn open(&self, secrets: Secrets) -> Models {
        let (environment, root) = (self.environment(), self.path("project"));
        open(environment, Some(root), &self.path("board"), secrets).await
    }

    async fn limits(&self) -> Vec<Limit> {
        let listed: Result<_, LimitError> = self.store().read(|c| limits_list(c)).await;
        listed.unwrap()
    }
}

fn vault() -> Secrets {
    Arc::new(|names| {
        let value = |name: &String| match name.as_str() {
            "ANTHROPIC" => Ok((name.clone(), Secret::new("sk-ant-1".to_owned()))),
            other => Err(format!("there is no secret {other}")),
        };
        names
            .iter()
            .map(value)
            .collect::<Result<BTreeMap<_, _>, _>>()
    })
}

const SAID: &str = r#"
[providers.anthropic]
key = "${vault:ANTHROPIC}"
account = "work"
timeouts = { total = "90s" }
[providers.anthropic.models.claude-haiku-4-5]
window = 200_000
classes = ["simple"]
[providers.router]
wire = "openai"
base_url = "https://router.example/api/v1"
key_env = "ROUTER_KEY"
prices = "openai"
headers = { x-team = "ours" }
[providers.gone]
wire = "anthropic"
key = "${vault:NOWHERE}"
[providers.groq]
[providers.ollama]
[providers.ollama.models."qwen3:480b-cloud"]
tools = true
[providers.ollama.models."deepseek:671b-cloud"]
local = true
[routes.mixed]
strategy = "cost"
escalate = true
least_score = 60
candidates = ["gone/x", "anthropic/claude-haiku-4-5", "ollama/gpt-oss:120b-cloud", "ollama/llama3.2:3b"]
max_cost = "0.25"
roles = { scribe = "simple" }
[routes.private]
candidates = ["ollama/llama3.2:3b"]
privacy = "local-only"
[budgets.all]
day = "5.00"
warn = 75
unpriced = "deny"
[limits.each]
scope = "model"
concurrent = 4
[llm]
default_route = "mixed"
privacy = "full"
retries = 1
open_after = 3
open_for = "30s"
utc_offset = "+02:00"
"#;

#[tokio::test]
async fn a_configuration_becomes_a_router() {
    let rig = Rig::new(SAID);
    let models = rig.open(vault()).await;
    let settings = models.router().settings();
    let names: Vec<&str> = settings.providers.keys().map(String::as_str).collect();
    assert_eq!(names, ["anthropic", "ollama", "router"]);
    let anthropic = &settings.providers["anthropic"];
    let endpoint = anthropic.upstream.endpoint();
    assert_eq!(endpoint.wire, Wire::Anthropic);
    assert_eq!(endpoint.key.as_ref().unwrap().expose(), "sk-ant-1");
    assert_eq!(anthropic.account(), "work");
    assert_eq!(endpoint.deadlines.total, Duration::from_secs(90));
    assert_eq!(endpoint.deadlines.connect, Duration::from_secs(10));
    let haiku = anthropic.offer_of("claude-haiku-4-5", &settings.prices);
    assert_eq!(haiku.window, Some(200_000));
    assert_eq!(haiku.classes, [TaskClass::Simple]);
    let router = &settings.providers["router"];
    let endpoint = router.upstream.endpoint();
    assert_eq!(endpoint.key.as_ref().unwrap().expose(), "sk-router-1");
    assert_eq!(endpoint.headers[0].1.expose(), "ours");
    assert_eq!(
        (router.prices_as.as_str(), router.offer.local),
        ("openai", false)
    );
    let ollama = &settings.providers["ollama"];
    let is_local = |model: &str| ollama.offer_of(model, &settings.prices).local;
    assert!(ollama.offer.local && is_local("llama3.2:3b"));
    for elsewhere in ["gpt-oss:120b-cloud", "kimi-k2:1t-cloud", "qwen3:480b-cloud"] {
        assert!(!is_local(elsewhere), "{elsewhere} runs elsewhere");
    }
    assert!(is_local("deepseek:671b-cloud"), "its user said so");
    let mixed = &settings.routes["mixed"];
    assert_eq!(
        mixed.candidates[0],
        Target::new("anthropic", "claude-haiku-4-5")
    );
    assert_eq!(mixed.candidates.len(), 3);
    assert_eq!(mixed.max_cost.unwrap().0, 250_000);
    assert_eq!(mixed.roles["scribe"], TaskClass::Simple);
    let least_score = Some(60);
    assert_eq!(mixed.escalate, Some(Escalate { least_score }));
    assert_eq!(settings.routes["private"].escalate, None);
    assert_eq!(settings.routes["private"].privacy, Privacy::LocalOnly);
    assert_eq!(settings.default_route.as_deref(), Some("mixed"));
    assert_eq!(settings.privacy, llm::Privacy::Full);
    assert_eq!(settings.patience.retries, 1);
    assert_eq!(
        (settings.breaker.failures, settings.breaker.open_ms),
        (3, 30_000)
    );
    assert!(!format!("{settings:?}").contains("sk-"));
}

#[tokio::test]
async fn a_prompt_that_must_stay_goes_to_no_model_that_runs_elsewhere_declared_or_not() {
    let rig = Rig::new(
        "[providers.ollama.models.\"qwen3:480b-cloud\"]\ntools = true\n\
         [providers.ollama.models.\"deepseek:671b-cloud\"]\nlocal = true\n",
    );
    let models = rig.open(vault()).await;
    for (model, may) in [
        ("llama3.2:3b", true),
        ("kimi-k2:1t-cloud", false),
        ("qwen3:480b-cloud", false),
        ("deepseek:671b-cloud", true),
    ] {
        let wanted = Wanted::Model {
            provider: "ollama".to_owned(),
            model: model.to_owned(),
        };
        let mut ask = Ask::new(Chat::default()).to(wanted);
        ask.terms.privacy = Privacy::LocalOnly;
        let explained = models.router().explain(&ask).await.unwrap();
        let asked = explained.decision.order.len();
        assert_eq!(asked == 1, may, "{model}: {:?}", explained.decision);
    }
}

#[tokio::test]
async fn what_has_no_key_is_told_and_left_out() {
    let rig = Rig::new(SAID);
    let unready = rig.open(vault()).await.unready();
    let told: Vec<(&str, bool)> = unready
        .iter()
        .map(|one| {
            (
                one.provider.as_str(),
                one.why.contains("callboard vault set"),
            )
        })
        .collect();
    assert_eq!(told, [("gone", true), ("groq", true)]);
    assert!(unready[0].why.contains("NOWHERE"), "{unready:?}");
    assert!(
        unready[1].why.contains("$GROQ_API_KEY is not set"),
        "{unready:?}"
    );
    let models = rig.open(no_secrets()).await;
    assert_eq!(models.unready().len(), 3);
    assert_eq!(models.router().settings().providers.len(), 2);
}

#[tokio::test]
async fn limits_of_the_configuration_are_rows_of_the_board() {
    let rig = Rig::new(SAID);
    rig.open(vault()).await;
    let limits = rig.limits().await;
    assert_eq!(limits.len(), 2);
    let budget = &limits[0];
    assert_eq!(
        (budget.scope, budget.resource, budget.span),
        (Scope::All, Resource::Money, Span::Day)
    );
    assert_eq!(
        (budget.amount, budget.warn, budget.offset_min),
        (5_000_000, 750, 120)
    );
    assert_eq!(
        (budget.unpriced, budget.origin.as_str()),
        (Unpriced::Deny, "config")
    );
    assert_eq!((limits[1].name.as_str(), limits[1].span), ("*", Span::Now));

    rig.project("[budgets.ours]\nscope = \"project\"\nof = \"each\"\nday = 1\n");
    rig.open(vault()).await;
    let limits = rig.limits().await;
    let ours = limits
        .iter()
        .find(|limit| limit.origin != "config")
        .unwrap();
    assert!(ours.origin.starts_with("project:"), "{}", ours.origin);
    assert_eq!((limits.len(), ours.amount), (3, 1_000_000));

    rig.project("[run]\nagents = 2\n");
    rig.user("[budgets.all]\nday = 6\n");
    rig.open(vault()).await;
    let limits = rig.limits().await;
    assert_eq!(limits.len(), 1);
    assert_eq!(limits[0].amount, 6_000_000);
}
