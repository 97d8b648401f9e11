//! What a call to a model costs beyond the model itself.
//!
//! The model is a process of its own that answers after as long as it is asked to think: of the time of each call only
//! what is beyond that counts. Contenders take turns in rounds within one run, and what is added is a contender's
//! percentile less that of the direct call.

mod asker;
mod gateway;
mod inside;
mod litellm;
pub mod provider;

use crate::report::{Bound, Report};
use crate::sample::Sample;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

pub use gateway::measure as gateway;
pub use inside::measure as router;
pub use litellm::measure as litellm;

/// How long the model thinks where latency is measured, ms: differently long, as no two prompts are alike and callers that
/// wait for each other would come in crowds; and shorter than any real one.
const THINKS_MS: RangeInclusive<u64> = 30..=90;
/// Calls at the same time: one, and what a busy machine has.
const AT_ONCE: [u32; 2] = [1, 16];
/// What clients show and providers are shown.
const KEY_VARIABLE: &str = "BENCH_KEY";
const KEY: &str = "sk-bench-loopback";

/// The usual question, and how long the model is to think.
fn question(model: &str, stream: bool, thinks: Duration) -> String {
    let prompt = prompt(thinks);
    format!(
        r#"{{"model":"{model}","max_tokens":100,"stream":{stream},"messages":[{{"role":"user","content":"{prompt}"}}]}}"#
    )
}

fn prompt(thinks: Duration) -> String {
    let what = "Say what this function does, in one sentence. ".repeat(12);
    format!("{what}{}{}ms.", provider::THINK_FOR, thinks.as_millis())
}

/// How long the model thinks, call by call: the same in each run.
#[derive(Clone)]
struct Thoughts(u64);

impl Thoughts {
    fn of(caller: u32) -> Thoughts {
        Thoughts(u64::from(caller) + 1)
    }

    fn next(&mut self) -> Duration {
        // Knuth's multiplier; the upper bits are the random ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let span = THINKS_MS.end() - THINKS_MS.start() + 1;
        Duration::from_millis(THINKS_MS.start() + (self.0 >> 33) % span)
    }
}

/// The configuration in the directory, with limits on everything that can be limited, wide enough for all.
fn configure(dir: &Path, base: &str) {
    let prices = dir.join("prices.toml");
    std::fs::write(
        &prices,
        "version = \"2999-01-01\"\n[[price]]\nprovider = \"acme\"\nmodel = \"small\"\ninput = 1.0\noutput = 4.0\nsource = \"here\"\n",
    )
    .unwrap();
    let text = format!(
        "[providers.acme]\nwire = \"openai\"\nbase_url = \"{base}\"\nkey_env = \"{KEY_VARIABLE}\"\nprices = \"acme\"\n\
         [routes.main]\ncandidates = [\"acme/small\"]\n\
         [budgets.all]\nday = \"100000\"\n[budgets.acme]\nscope = \"provider\"\nmonth = \"100000\"\n\
         [limits.all]\nconcurrent = 10_000\nrequests_per_minute = 100_000_000\n\
         [limits.acme]\nscope = \"provider\"\ninput_per_minute = 100_000_000_000\noutput_per_minute = 100_000_000_000\n\
         [prices]\nfile = \"{}\"\n[llm]\ndefault_route = \"main\"\n",
        prices.display()
    );
    let config = dir.join("config/callboard");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("config.toml"), text).unwrap();
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// What a percentile has beyond that of the direct call.
fn added(percentile: fn(&Sample) -> Duration, ours: &Sample, direct: &Sample) -> f64 {
    millis(percentile(ours)) - millis(percentile(direct))
}

/// A row of the median time until a stream's first byte.
fn tell_first(report: &mut Report, what: &str, ours: &Sample, direct: &Sample) {
    report.bounded(
        &format!("{what}, p50"),
        added(Sample::p50, ours, direct),
        "ms",
        Bound::Below(1.0),
        format!("{}; direct: {}", ours.said(), direct.said()),
    );
}

/// Two rows, of the median and of p99, of which the latter has a bound where there is one.
fn tell(report: &mut Report, what: &str, ours: &Sample, direct: &Sample, bound: Option<Bound>) {
    let beside = format!("{}; direct: {}", ours.said(), direct.said());
    let p99 = added(Sample::p99, ours, direct);
    match bound {
        Some(bound) => report.bounded(&format!("{what}, p99"), p99, "ms", bound, beside),
        None => report.plain(&format!("{what}, p99"), format!("{p99:.2} ms"), beside),
    }
    let p50 = added(Sample::p50, ours, direct);
    report.plain("  p50", format!("{p50:.2} ms"), String::new());
}
