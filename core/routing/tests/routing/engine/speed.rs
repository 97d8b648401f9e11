//! What the router adds to a call, beside the same calls without it. Prints; asserts nothing about time.

use super::rig::{PATIENT, hi, named, rig, simple};
use callboard_limits::{Limit, Resource, Scope, Span};
use callboard_routing::chat::Chat;
use callboard_routing::wire::Wire;
use callboard_tests::upstream::Upstream as Scripted;
use std::time::{Duration, Instant};

#[expect(clippy::print_stdout, reason = "the figures")]
fn figures(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    println!("{name}: p50 {:?}, p99 {:?}", at(50), at(99));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures, not a test: run it with --ignored --nocapture"]
async fn what_the_router_adds() {
    const CALLS: usize = 1_000;
    let scripted = Scripted::start();
    let direct = named(&scripted, "main", Wire::OpenAi, PATIENT);
    let rig = rig(simple(&scripted, Wire::OpenAi, &["ok"]));
    let budget = Limit::new(Scope::All, "", Resource::Money, Span::Day, 1_000_000_000);
    rig.limit(budget).await;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for at in 0..CALLS + 20 {
        let began = Instant::now();
        direct.complete(&Chat::ask("ok", "hi")).await.unwrap();
        let alone = began.elapsed();
        let began = Instant::now();
        rig.router.complete(hi()).await.unwrap();
        if at >= 20 {
            without.push(alone);
            with.push(began.elapsed());
        }
    }
    figures("direct", without);
    figures("router", with);
    assert_eq!(rig.held(), 0);
}
