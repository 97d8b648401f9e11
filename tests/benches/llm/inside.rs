//! What the router adds to a call inside one process, and what it costs to write down what calls cost.

use super::provider::Provider;
use super::{AT_ONCE, KEY, KEY_VARIABLE, Thoughts, configure, prompt, question, tell, tell_first};
use crate::report::{Bound, Report};
use crate::sample::{Sample, median};
use crate::scratch;
use crate::sizes::Sizes;
use callboard_config::{Config, Environment, Overrides};
use callboard_limits::{Owner, calls_unlogged};
use callboard_models::{Models, Opening, keeping, no_secrets};
use callboard_routing::chat::Chat;
use callboard_routing::engine::{Ask, Parts, Router, Wanted};
use callboard_store::SystemClock;
use callboard_telemetry::CallLog;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

/// What copying may take once calls are over.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn measure(sizes: &Sizes, report: &mut Report) {
    let provider = Provider::start();
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        latency(&provider, sizes, report).await;
        telemetry(&provider, sizes, report).await;
    });
}

/// Models on a board of their own.
struct Place {
    models: Models,
    dir: TempDir,
}

impl Place {
    async fn open(base: &str) -> Place {
        let dir = scratch::directory();
        configure(dir.path(), base);
        let (home, config) = (dir.path().to_owned(), dir.path().join("config"));
        let vars = [
            ("HOME", home.as_os_str()),
            ("XDG_CONFIG_HOME", config.as_os_str()),
            (KEY_VARIABLE, KEY.as_ref()),
        ];
        let environment = Environment::of(vars, dir.path());
        let config = Config::load(&environment, None, &Overrides::default()).unwrap();
        let opening = Opening {
            log: CallLog::keeping(dir.path(), keeping(&config)),
            environment,
            config,
            project: None,
            store: scratch::open(dir.path()),
            clock: Arc::new(SystemClock),
            secrets: no_secrets(),
        };
        let models = Models::open(opening).await.unwrap();
        assert!(models.unready().is_empty());
        Place { models, dir }
    }

    /// The same without a log: reservations are made, for limits hold, and nothing else is written.
    fn without_log(&self) -> Router {
        let parts = Parts {
            store: self.models.store().clone(),
            log: CallLog::disabled(),
            clock: Arc::new(SystemClock),
            owner: Owner {
                pid: std::process::id(),
                start: 1,
            },
        };
        Router::new(parts, (*self.models.router().settings()).clone())
    }

    fn unlogged(&self) -> bool {
        let some = self.models.store().read_now(|c| calls_unlogged(c, 1));
        !some.unwrap().is_empty()
    }
}

fn ask(thinks: Duration) -> Ask {
    let mut chat = Chat::ask("", &prompt(thinks));
    chat.max_output = Some(100);
    Ask::new(chat).to(Wanted::Route("main".to_owned()))
}

/// Makes calls one after the other, so many at a time, and says how long each took beyond what the model thought.
async fn load<F>(
    at_once: u32,
    calls: u32,
    thinks: bool,
    call: impl Fn(Duration) -> F + Clone + Send + 'static,
) -> Sample
where
    F: Future<Output = Duration> + Send,
{
    let mut at_work = JoinSet::new();
    for caller in 0..at_once {
        let call = call.clone();
        at_work.spawn(async move {
            let mut took = Vec::new();
            let mut thoughts = Thoughts::of(caller);
            for _ in 0..calls {
                let thought = if thinks {
                    thoughts.next()
                } else {
                    Duration::ZERO
                };
                took.push(call(thought).await.saturating_sub(thought));
            }
            took
        });
    }
    let mut all = Sample::default();
    while let Some(took) = at_work.join_next().await {
        all.extend(took.unwrap());
    }
    all
}

async fn completes(router: Router, thinks: Duration) -> Duration {
    let asked = ask(thinks);
    let began = Instant::now();
    router.complete(asked).await.unwrap();
    began.elapsed()
}

async fn streams(router: Router, thinks: Duration) -> Duration {
    let asked = ask(thinks);
    let began = Instant::now();
    let mut answering = router.stream(asked).await.unwrap();
    answering.next().await.unwrap().unwrap();
    let first = began.elapsed();
    while let Some(event) = answering.next().await {
        event.unwrap();
    }
    first
}

/// By reqwest, as anybody would.
async fn directly(
    client: reqwest::Client,
    url: Arc<str>,
    stream: bool,
    thinks: Duration,
) -> Duration {
    let body = question("small", stream, thinks);
    let began = Instant::now();
    let request = client
        .post(&*url)
        .bearer_auth(KEY)
        .header("content-type", "application/json")
        .body(body);
    let mut answer = request.send().await.unwrap();
    assert!(answer.status().is_success());
    answer.chunk().await.unwrap().unwrap();
    let first = began.elapsed();
    while answer.chunk().await.unwrap().is_some() {}
    if stream { first } else { began.elapsed() }
}

async fn latency(provider: &Provider, sizes: &Sizes, report: &mut Report) {
    let place = Place::open(&provider.base()).await;
    let duties = place.models.keep();
    let router = place.models.router().clone();
    // Where the router has not done so yet; the client wants one also where nothing is encrypted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url: Arc<str> = format!("{}/chat/completions", provider.base()).into();
    for stream in [false, true] {
        for at_once in AT_ONCE {
            let (mut ours, mut direct) = (Sample::default(), Sample::default());
            for round in 0..=sizes.llm_rounds {
                let (router, client, url) = (router.clone(), client.clone(), Arc::clone(&url));
                let by_us = move |thinks| {
                    let router = router.clone();
                    async move {
                        if stream {
                            streams(router, thinks).await
                        } else {
                            completes(router, thinks).await
                        }
                    }
                };
                let by_hand =
                    move |thinks| directly(client.clone(), Arc::clone(&url), stream, thinks);
                let took = [
                    load(at_once, sizes.llm_calls, true, by_us).await,
                    load(at_once, sizes.llm_calls, true, by_hand).await,
                ];
                if round > 0 {
                    let [by_us, by_hand] = took;
                    ours.extend(by_us);
                    direct.extend(by_hand);
                }
            }
            let what = |what| format!("{what} that the router adds, {at_once} at once");
            if stream {
                tell_first(report, &what("first byte of a stream"), &ours, &direct);
            } else {
                let bound = (at_once > 1).then_some(Bound::Below(1.0));
                tell(report, &what("latency"), &ours, &direct, bound);
            }
        }
    }
    duties.end().await;
}

/// Rounds with and without the log and the duty that fills it, on boards of their own.
async fn telemetry(provider: &Provider, sizes: &Sizes, report: &mut Report) {
    let with = Place::open(&provider.base()).await;
    let without = Place::open(&provider.base()).await;
    let (on, off) = (with.models.router().clone(), without.without_log());
    let (mut times, mut work) = (Vec::new(), Vec::new());
    let each = sizes.telemetry_calls / AT_ONCE[1];
    for round in 0..=sizes.telemetry_rounds {
        let took_off = timed(&off, each).await;
        let duties = with.models.keep();
        let mut took_on = timed(&on, each).await;
        let copying = cpu();
        let began = Instant::now();
        while with.unlogged() {
            assert!(began.elapsed() < PATIENCE, "calls are not copied");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        took_on.1 += cpu() - copying;
        duties.end().await;
        if round > 0 {
            times.push((took_on.0 / took_off.0 - 1.0) * 100.0);
            work.push((took_on.1 / took_off.1 - 1.0) * 100.0);
        }
    }
    drop(without.dir);
    report.bounded(
        "what the log of calls costs, time of 16 callers",
        median(times),
        "%",
        Bound::Below(5.0),
        format!(
            "median of {} rounds of {} calls to a model that takes no time; processor time {:+.1} %, copying to the end",
            sizes.telemetry_rounds,
            each * AT_ONCE[1],
            median(work)
        ),
    );
}

/// Seconds on the wall and of the processor.
async fn timed(router: &Router, each: u32) -> (f64, f64) {
    let (began, worked) = (Instant::now(), cpu());
    let router = router.clone();
    load(AT_ONCE[1], each, false, move |thinks| {
        completes(router.clone(), thinks)
    })
    .await;
    (began.elapsed().as_secs_f64(), cpu() - worked)
}

/// Seconds that this process has worked.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next().unwrap().parse::<f64>().unwrap();
    // Linux counts a hundred a second, whatever the kernel's own clock.
    (ticks() + ticks()) / 100.0
}
