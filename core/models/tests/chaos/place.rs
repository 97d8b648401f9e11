//! A home whose configuration all processes read.

use callboard_config::{Config, Environment, Overrides};
use callboard_models::{Models, Opening, keeping, no_secrets};
use callboard_store::SystemClock;
use callboard_telemetry::CallLog;
use callboard_tests::upstream::Upstream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Each model and its provider.
pub const MODELS: [(&str, &str); 3] = [("one", "alpha"), ("two", "beta"), ("three", "gamma")];
/// What an answer of the scripted upstream costs, micro-dollars: 1,200 tokens in and 27 out.
pub const EACH: i64 = 1_200 + 27 * 4;
/// Tokens that an answer may have. What is held for a call is more than it can cost, so no budget may ever be exceeded.
pub const MOST_OUTPUT: u64 = 400;
/// Calls at the same time, in all processes together.
pub const AT_ONCE: i64 = 6;
/// A provider and its budget, micro-dollars.
pub const GAMMAS: (&str, i64) = ("gamma", 100_000);
/// The budget of each task, micro-dollars.
pub const TASKS: i64 = 50_000;
/// Calls of beta in a minute.
pub const BETAS: i64 = 400;

/// A number of the environment.
pub fn setting(name: &str, default: u64) -> u64 {
    let said = std::env::var(name).ok();
    said.and_then(|value| value.parse().ok()).unwrap_or(default)
}

pub fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// A small generator: moments need no more.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 20) % bound
    }

    pub fn pick(&mut self, of: usize) -> usize {
        usize::try_from(self.below(of as u64)).unwrap()
    }
}

pub struct Place {
    dir: TempDir,
}

impl Place {
    pub fn new(upstream: &Upstream) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let prices: String = MODELS
            .iter()
            .map(|(model, provider)| {
                format!(
                    "[[price]]\nprovider = \"{provider}\"\nmodel = \"{model}\"\ninput = 1.0\ncached = 1.0\noutput = 4.0\nsource = \"here\"\n"
                )
            })
            .collect();
        let prices_file = dir.path().join("prices.toml");
        std::fs::write(&prices_file, format!("version = \"2999-01-01\"\n{prices}")).unwrap();
        let providers: String = MODELS
            .iter()
            .zip(["openai", "anthropic", "openai"])
            .map(|((_, provider), wire)| {
                format!(
                    "[providers.{provider}]\nwire = \"{wire}\"\nbase_url = \"{}\"\nkey_env = \"THE_KEY\"\nprices = \"{provider}\"\ntimeouts = {{ first_byte = \"400ms\", between = \"400ms\", total = \"5s\" }}\n",
                    upstream.base(wire)
                )
            })
            .collect();
        let dollars = |micro: i64| format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
        let rest = format!(
            "[routes.main]\ncandidates = [\"alpha/one\", \"beta/two\", \"gamma/three\"]\n\
             [routes.dear]\ncandidates = [\"gamma/three\", \"beta/two\"]\n\
             [routes.one]\ncandidates = [\"alpha/one\"]\n\
             [budgets.gamma]\nscope = \"provider\"\nof = \"gamma\"\never = \"{}\"\n\
             [budgets.task]\nscope = \"task\"\never = \"{}\"\n\
             [limits.all]\nconcurrent = {AT_ONCE}\n\
             [limits.beta]\nscope = \"provider\"\nof = \"beta\"\nrequests_per_minute = {BETAS}\n\
             [prices]\nfile = \"{}\"\n[llm]\nretries = 1\nopen_for = \"1s\"\n",
            dollars(GAMMAS.1),
            dollars(TASKS),
            prices_file.display()
        );
        let config = dir.path().join(".config/callboard");
        std::fs::create_dir_all(&config).unwrap();
        std::fs::create_dir_all(dir.path().join("board")).unwrap();
        std::fs::write(config.join("config.toml"), format!("{providers}{rest}")).unwrap();
        Place { dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub async fn open(&self) -> Models {
        open(self.path().to_owned()).await
    }
}

/// The models of this process.
pub async fn open(home: PathBuf) -> Models {
    let said = home.display().to_string();
    let vars = [("HOME", said.as_str()), ("THE_KEY", "sk-loopback-1")];
    let environment = Environment::of(vars, &home);
    let config = Config::load(&environment, None, &Overrides::default()).unwrap();
    let board = home.join("board");
    let opening = Opening {
        log: CallLog::keeping(&board, keeping(&config)),
        environment,
        config,
        project: None,
        store: callboard_board::open(&board).unwrap(),
        clock: Arc::new(SystemClock),
        secrets: no_secrets(),
    };
    let models = Models::open(opening).await.unwrap();
    let unready = models.unready();
    assert!(unready.is_empty(), "{unready:?}");
    models
}
