//! Beside LiteLLM's proxy, from PyPI, and a direct call: one provider, one client, one run.
//!
//! All three are asked the same of a model that takes no time. LiteLLM runs as its documentation has it with one
//! worker, without a database and without callbacks; nothing of it may leave this machine.

use super::asker::{Load, Place, load, loads};
use super::gateway::{Gateway, direct, runtime};
use super::provider::Provider;
use super::{AT_ONCE, KEY, added};
use crate::report::{Bound, Report};
use crate::sample::Sample;
use crate::scratch;
use crate::sizes::Sizes;
use callboard_tests::Footprint;
use callboard_tests::deps::Set;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const WHAT: &str = "beside LiteLLM";
/// It imports for long.
const STARTS_WITHIN: Duration = Duration::from_secs(180);
/// What it asks of its clients; weak ones it refuses.
const MASTER: &str = "sk-bench-2b7f60c1d94e4a0f8f3c";

pub fn measure(sizes: &Sizes, report: &mut Report) {
    let provider = Provider::start();
    let Some(gateway) = Gateway::start(&provider.base()) else {
        let why = "no callboard: cargo build --release --workspace first";
        return report.unmeasured(WHAT, why.to_owned());
    };
    let program = Set::Peers.dir().join("python/bin/litellm");
    if !program.is_file() {
        let why = "no LiteLLM: tests/clients/install peers, as tests/run peers does";
        return report.unmeasured(WHAT, why.to_owned());
    }
    let runtime = runtime();
    let Some(litellm) = runtime.block_on(LiteLlm::start(&program, &provider)) else {
        return report.unmeasured(WHAT, format!("LiteLLM did not start in {STARTS_WITHIN:?}"));
    };
    runtime.block_on(compare(&provider, &gateway, &litellm, sizes, report));
}

async fn compare(
    provider: &Provider,
    gateway: &Gateway,
    litellm: &LiteLlm,
    sizes: &Sizes,
    report: &mut Report,
) {
    let places = [
        direct(provider),
        gateway.place("/v1/chat/completions"),
        litellm.place(),
    ];
    let contenders = places.each_ref();
    let [alone, crowd] = AT_ONCE;
    let one = loads(contenders, alone, sizes.peer_rounds, sizes.peer_calls).await;
    let many = loads(contenders, crowd, sizes.peer_rounds, sizes.peer_calls).await;
    let failed: u32 = one.iter().chain(&many).map(|load| load.failed).sum();
    if one
        .iter()
        .chain(&many)
        .any(|load| load.failed == load.calls)
    {
        return report.unmeasured(WHAT, format!("{failed} calls failed"));
    }
    let [direct, ours, theirs] = &many;
    report.bounded(
        &format!("calls a second at {crowd} at once against LiteLLM's"),
        ours.rate() / theirs.rate(),
        "",
        Bound::AtLeast(20.0),
        format!(
            "{:.0}/s against {:.0}/s; direct {:.0}/s; {failed} failed",
            ours.rate(),
            theirs.rate(),
            direct.rate()
        ),
    );
    for (at_once, loads) in [(alone, &one), (crowd, &many)] {
        let [direct, ours, theirs] = loads;
        let said = |load: &Load| {
            let [p50, p99] = [Sample::p50, Sample::p99]
                .map(|percentile| added(percentile, &load.whole, &direct.whole));
            format!("p50 {p50:.2} ms, p99 {p99:.2} ms")
        };
        report.plain(
            &format!("  added at {at_once} at once"),
            said(ours),
            format!("LiteLLM: {}; direct: {}", said(theirs), direct.whole.said()),
        );
    }
    let megabytes = |kilobytes: u64| kilobytes / 1024;
    report.plain(
        "  memory",
        format!("{} MB", megabytes(gateway.resident_kb())),
        format!("LiteLLM: {} MB", megabytes(litellm.resident_kb())),
    );
}

/// LiteLLM's proxy. Ended when dropped.
struct LiteLlm {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl LiteLlm {
    async fn start(program: &std::path::Path, provider: &Provider) -> Option<LiteLlm> {
        let dir = scratch::directory();
        let config = dir.path().join("config.yaml");
        let text = format!(
            "model_list:\n  - model_name: small\n    litellm_params:\n      model: openai/small\n      api_base: {}\n      api_key: {KEY}\n\
             litellm_settings:\n  telemetry: false\n  num_retries: 0\ngeneral_settings:\n  master_key: {MASTER}\n",
            provider.base()
        );
        std::fs::write(&config, text).unwrap();
        // It can't be told to take a free port and say which.
        let address = TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap();
        let log = std::fs::File::create(dir.path().join("litellm.log")).unwrap();
        let mut command = Command::new(program);
        command
            .arg("--config")
            .arg(&config)
            .args(["--host", "127.0.0.1", "--num_workers", "1", "--port"])
            .arg(address.port().to_string())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", dir.path())
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .env("LITELLM_MODE", "PRODUCTION")
            .env("LITELLM_LOG", "ERROR")
            // Whatever it would say to others ends here.
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("HTTP_PROXY", "http://127.0.0.1:9")
            .env("NO_PROXY", "127.0.0.1,localhost")
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let mut litellm = LiteLlm {
            child: command.spawn().unwrap(),
            address,
            _dir: dir,
        };
        litellm.is_up().await.then_some(litellm)
    }

    /// Whether it comes to answer.
    async fn is_up(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < STARTS_WITHIN && matches!(self.child.try_wait(), Ok(None)) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if tokio::net::TcpStream::connect(self.address).await.is_ok()
                && load(&self.place(), 1, 1).await.failed == 0
            {
                return true;
            }
        }
        let log = std::fs::read_to_string(self._dir.path().join("litellm.log"));
        eprintln!("{}", log.unwrap_or_default());
        false
    }

    fn place(&self) -> Place {
        Place::new(self.address, "/v1/chat/completions", MASTER, "small")
    }

    fn resident_kb(&self) -> u64 {
        Footprint::of(self.child.id()).resident_kb
    }
}

impl Drop for LiteLlm {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
