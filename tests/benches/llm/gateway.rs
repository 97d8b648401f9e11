//! What the gateway of `callboard serve` adds to a call, and that its memory stays as it is.

use super::asker::{Load, Place, address_of, load, loads};
use super::provider::{self, Provider};
use super::{AT_ONCE, KEY, KEY_VARIABLE, configure, tell, tell_first};
use crate::report::{Bound, Report};
use crate::scratch;
use crate::sizes::Sizes;
use callboard_tests::{Footprint, Home, binaries};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Between the last call and a look at the memory: the rows of the calls are copied meanwhile.
const REST: Duration = Duration::from_secs(3);

/// `callboard serve` before a provider. Ended when dropped.
pub struct Gateway {
    child: Child,
    address: SocketAddr,
    key: String,
    _places: (Home, TempDir),
}

impl Gateway {
    /// Nothing if it was not built.
    pub fn start(base: &str) -> Option<Gateway> {
        if !binaries().join("callboard").is_file() {
            return None;
        }
        let (home, board) = (Home::new(), scratch::directory());
        configure(home.path(), base);
        let mut command = home.command("callboard");
        command
            .args(["token", "add", "bench", "--gateway", "--board"])
            .arg(board.path());
        let made = command.output().unwrap();
        assert!(
            made.status.success(),
            "no key for the gateway: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        let mut command = home.command("callboard");
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--board"])
            .arg(board.path())
            .env(KEY_VARIABLE, KEY)
            // The limit on a token's rate is not what is measured.
            .env("CALLBOARD_ACCESS_RATE", "0")
            .env("CALLBOARD_LOG_LEVEL", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let address = address_of(child.stdout.take().unwrap());
        Some(Gateway {
            child,
            address,
            key,
            _places: (home, board),
        })
    }

    /// A question in a protocol.
    pub fn place(&self, path: &str) -> Place {
        Place::new(self.address, path, &self.key, "main")
    }

    pub fn resident_kb(&self) -> u64 {
        Footprint::of(self.child.id()).resident_kb
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// The same question to the provider itself.
pub fn direct(provider: &Provider) -> Place {
    let path = format!("{}/chat/completions", provider::BASE);
    Place::new(provider.address, &path, KEY, "small")
}

pub fn measure(sizes: &Sizes, report: &mut Report) {
    let provider = Provider::start();
    let Some(gateway) = Gateway::start(&provider.base()) else {
        return report.unmeasured(
            "gateway",
            "no callboard: cargo build --release --workspace first".to_owned(),
        );
    };
    let runtime = runtime();
    runtime.block_on(async {
        latency(&provider, &gateway, sizes, report).await;
        drop(gateway);
        memory(&provider, sizes, report).await;
    });
}

async fn latency(provider: &Provider, gateway: &Gateway, sizes: &Sizes, report: &mut Report) {
    let mut failed = 0;
    for at_once in AT_ONCE {
        let direct = direct(provider).thinking();
        let passed = gateway.place("/v1/chat/completions").thinking();
        let translated = gateway.place("/v1/messages").thinking();
        let contenders = [&direct, &passed, &translated];
        let [direct, passed, translated] =
            loads(contenders, at_once, sizes.llm_rounds, sizes.llm_calls).await;
        failed += passed.failed + translated.failed + direct.failed;
        let whole = |load: Load| answered(load).map(|load| load.whole);
        let [Some(direct), Some(passed), Some(translated)] =
            [direct, passed, translated].map(whole)
        else {
            return report.unmeasured("gateway", "no call was answered".to_owned());
        };
        let bound = (at_once > 1).then_some(Bound::Below(2.0));
        let what = format!("latency that the gateway adds, {at_once} at once");
        tell(report, &what, &passed, &direct, bound);
        let what = format!("  the same, Anthropic's protocol onto OpenAI's, {at_once} at once");
        tell(report, &what, &translated, &direct, bound);
    }
    for at_once in AT_ONCE {
        let direct = direct(provider).thinking().streaming();
        let passed = gateway.place("/v1/chat/completions").thinking().streaming();
        let [direct, passed] = loads(
            [&direct, &passed],
            at_once,
            sizes.llm_rounds,
            sizes.llm_calls,
        )
        .await;
        failed += passed.failed + direct.failed;
        let first = |load: Load| answered(load).map(|load| load.first);
        let [Some(direct), Some(passed)] = [direct, passed].map(first) else {
            return report.unmeasured("gateway", "no call was answered".to_owned());
        };
        let what = format!("first byte of a stream that the gateway adds, {at_once} at once");
        tell_first(report, &what, &passed, &direct);
    }
    report.bounded(
        "  calls that failed",
        f64::from(failed),
        "",
        Bound::AtMost(0.0),
        String::new(),
    );
}

fn answered(load: Load) -> Option<Load> {
    (load.failed < load.calls).then_some(load)
}

/// What the server holds after some calls, and after many.
#[allow(clippy::cast_precision_loss, reason = "kilobytes")]
async fn memory(provider: &Provider, sizes: &Sizes, report: &mut Report) {
    let gateway = Gateway::start(&provider.base()).expect("it was there a moment ago");
    let place = gateway.place("/v1/chat/completions");
    let [some, many] = sizes.memory_calls;
    let (mut made, mut resident) = (0, Vec::new());
    let (mut failed, mut seconds) = (0, 0.0);
    for goal in [some, many] {
        let load = load(&place, AT_ONCE[1], (goal - made) / AT_ONCE[1]).await;
        (failed, seconds) = (failed + load.failed, seconds + load.seconds);
        made = goal;
        tokio::time::sleep(REST).await;
        resident.push(gateway.resident_kb() as f64 / 1024.0);
    }
    report.bounded(
        &format!("memory of the server after {many} calls against {some}"),
        resident[1] / resident[0],
        "",
        Bound::AtMost(1.1),
        format!(
            "{:.1} MB, {:.1} MB; {:.0} calls a second, {failed} failed",
            resident[0],
            resident[1],
            f64::from(many) / seconds
        ),
    );
}
