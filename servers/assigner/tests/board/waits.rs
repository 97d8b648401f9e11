//! Waits: they end when something happens, say how far they are, and can be given up.

use crate::fixture::{Rig, START, open};
use callboard_scheduling::{self as scheduling, NewTask};
use callboard_telemetry::Outcome;
use serde_json::json;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Far above what anything here takes; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Looks until it is so.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !so().await {
        assert!(began.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn given_up(rig: &Rig, tool: &str) {
    until("the call is recorded as given up", async || {
        rig.log.flush(Duration::from_secs(1)).await;
        let rows = rig.log.recent(20).await.unwrap();
        rows.iter()
            .any(|row| row.tool == tool && row.outcome == Outcome::Cancelled)
    })
    .await;
}

#[tokio::test]
async fn a_wait_reports_progress_and_ends_with_the_last_task() {
    let mut rig = Rig::new().await;
    let (a, b) = (rig.add("a").await, rig.add("b").await);
    let waiting = rig
        .start("task_wait", json!({"ids": [a, b], "timeout_s": 45}))
        .await;
    let first = rig.progress.recv().await.unwrap();
    assert_eq!(first.progress_token, waiting.progress_token);
    assert_eq!((first.progress, first.total), (0.0, Some(45.0)));
    assert_eq!(first.message.as_deref(), Some("0 settled, 2 open"));
    for id in [a, b] {
        rig.behind(move |c| scheduling::task_cancel(c, START, &id, "x"))
            .await;
    }
    let answer = rig.answer("task_wait", waiting).await;
    assert_eq!(
        (&answer["settled"], &answer["open"]),
        (&json!(true), &json!(0))
    );
    assert_eq!(answer["tasks"][0]["note"], "x");
}

#[tokio::test]
async fn a_wait_notices_another_process() {
    let mut rig = Rig::new().await;
    let id = rig.add("a").await;
    let waiting = rig
        .start("task_wait", json!({"ids": [id], "timeout_s": 45}))
        .await;
    rig.progress.recv().await.unwrap();
    let other = open(rig.dir.path());
    other
        .write(move |c| scheduling::task_cancel(c, START, &id, "x"))
        .await
        .unwrap();
    assert_eq!(rig.answer("task_wait", waiting).await["settled"], true);
}

#[tokio::test]
async fn any_of_a_queue_is_the_first_that_settles_after_the_call() {
    let mut rig = Rig::new().await;
    let (old, a) = (rig.add("old").await, rig.add("a").await);
    rig.add("b").await;
    rig.behind(move |c| scheduling::task_cancel(c, START - 1, &old, "x"))
        .await;
    let wait = json!({"queue": "default", "until": "any", "timeout_s": 45});
    let waiting = rig.start("task_wait", wait).await;
    rig.progress.recv().await.unwrap();
    rig.clock.advance(1_000);
    let settled = a.clone();
    rig.behind(move |c| scheduling::task_cancel(c, START + 1_000, &settled, "x"))
        .await;
    let answer = rig.answer("task_wait", waiting).await;
    assert_eq!(
        (&answer["settled"], &answer["open"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(answer["tasks"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(answer["tasks"][0]["id"], a.as_str());
}

#[tokio::test]
async fn a_wait_ends_in_time_and_says_to_call_again() {
    let rig = Rig::new().await;
    let id = rig.add("a").await;
    let answer = rig
        .ok("task_wait", json!({"ids": [id], "timeout_s": 1}))
        .await;
    assert_eq!(answer["settled"], false);
    assert!(answer["next"].as_str().unwrap().contains("again"));
}

#[tokio::test]
async fn a_wait_can_be_given_up() {
    let mut rig = Rig::new().await;
    let id = rig.add("a").await;
    let waiting = rig
        .start("task_wait", json!({"ids": [id], "timeout_s": 45}))
        .await;
    rig.progress.recv().await.unwrap();
    waiting.cancel(None).await.unwrap();
    given_up(&rig, "task_wait").await;
    rig.add("the server goes on").await;
}

#[tokio::test]
async fn a_claim_waits_for_a_task() {
    let mut rig = Rig::new().await;
    let claiming = rig
        .start("task_claim", json!({"worker": "w", "wait_s": 45}))
        .await;
    let said = rig.progress.recv().await.unwrap();
    assert_eq!(said.message.as_deref(), Some("no task is ready"));
    // Another queue's task wakes it, and is not for it.
    let other = json!({"title": "other", "queue": "q"});
    rig.ok("task_add", other).await;
    let store = open(rig.dir.path());
    store
        .write(|c| scheduling::task_add(c, START, "t_late", &NewTask::titled("late")))
        .await
        .unwrap();
    let claimed = rig.answer("task_claim", claiming).await;
    assert_eq!(
        (&claimed["task"], &claimed["fence"]),
        (&json!("t_late"), &json!(1))
    );
}

#[tokio::test]
async fn a_claim_that_waited_in_vain_says_so() {
    let rig = Rig::new().await;
    let nothing = rig
        .ok("task_claim", json!({"worker": "w", "wait_s": 1}))
        .await;
    assert_eq!(nothing["claimed"], false);
}

#[tokio::test]
async fn a_claim_that_was_given_up_takes_nothing() {
    let mut rig = Rig::new().await;
    let claiming = rig
        .start("task_claim", json!({"worker": "w", "wait_s": 45}))
        .await;
    rig.progress.recv().await.unwrap();
    claiming.cancel(None).await.unwrap();
    given_up(&rig, "task_claim").await;
    let id = rig.add("late").await;
    assert_eq!((rig.state(&id), rig.row(&id).attempts), ("ready", 0));
}

/// The claim is stuck behind another process's transaction while its caller leaves: when it comes through,
/// there is nobody to do the work, so the task goes back at once instead of when its lease ends.
#[tokio::test]
async fn a_claim_that_comes_through_too_late_is_given_back() {
    let rig = Rig::new().await;
    let id = rig.add("t").await;
    let (holds, holding) = mpsc::channel();
    let (let_go, released) = mpsc::channel::<()>();
    let other = open(rig.dir.path());
    let blocking = std::thread::spawn(move || {
        other.write_blocking(move |_| {
            holds.send(()).unwrap();
            released.recv().unwrap();
            Ok::<_, scheduling::SchedulingError>(())
        })
    });
    holding.recv().unwrap();
    let claiming = rig.start("task_claim", json!({"worker": "w"})).await;
    // Reading does not wait for the other's transaction; once this is answered, the claim is under way.
    rig.ok("task_list", json!({})).await;
    claiming.cancel(None).await.unwrap();
    given_up(&rig, "task_claim").await;
    let_go.send(()).unwrap();
    blocking.join().unwrap().unwrap();
    until("the claim came through and was given back", async || {
        let task = rig.row(&id);
        (task.attempts, task.state.as_str()) == (1, "ready")
    })
    .await;
    assert_eq!(rig.row(&id).failures, 0);
}

#[tokio::test]
async fn the_end_of_input_ends_waits_and_the_server() {
    let mut rig = Rig::new().await;
    let id = rig.add("a").await;
    rig.start("task_wait", json!({"ids": [id], "timeout_s": 45}))
        .await;
    rig.progress.recv().await.unwrap();
    rig.client.cancel().await.unwrap();
    tokio::time::timeout(PATIENCE, rig.served)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
