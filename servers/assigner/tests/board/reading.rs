//! Resources and prompts.

use crate::fixture::Rig;
use serde_json::{Value, json};

fn text(contents: &Value) -> &str {
    contents["text"].as_str().unwrap()
}

#[tokio::test]
async fn the_board_shows_counts_and_reasons() {
    let rig = Rig::new().await;
    let empty = rig.read("callboard://board").await.unwrap();
    assert_eq!(empty["mimeType"], "text/markdown");
    assert!(text(&empty).contains("No tasks."), "{empty}");

    rig.add("dead one").await;
    let (dead, fence) = rig.claim().await;
    rig.ok(
        "task_fail",
        json!({"task": dead, "fence": fence, "error": "the disk\nis full", "final": true}),
    )
    .await;
    rig.ok(
        "task_add",
        json!({"title": "`held` [one]", "depends_on": [dead]}),
    )
    .await;
    rig.add("running one").await;
    let (running, fence) = rig.claim().await;
    rig.ok(
        "task_heartbeat",
        json!({"task": running, "fence": fence, "progress": "half way"}),
    )
    .await;
    let board = rig.read("callboard://board").await.unwrap();
    let board = text(&board);
    for line in [
        "- queue `default`: 1 waiting, 1 running, 1 dead".to_owned(),
        format!(
            "- `{running}` running one (running): worked on by w for 0 ms, attempt 1; half way"
        ),
        format!("(waiting): waits for {dead} \"dead one\" (dead); what ended without success"),
        "\\`held\\` \\[one]".to_owned(),
        format!(
            "- `{dead}` dead one (dead, 0 ms ago): failed once and was given up by its worker: the disk is full"
        ),
    ] {
        assert!(board.contains(&line), "{line}\n{board}");
    }
}

#[tokio::test]
async fn a_task_is_read_uncut() {
    let rig = Rig::new().await;
    let prompt = "p".repeat(30_000);
    let added = rig
        .ok(
            "task_add",
            json!({"title": "t", "prompt": prompt, "metadata": {"k": "x".repeat(3_000)}}),
        )
        .await;
    let id = added["id"].as_str().unwrap();
    let (_, fence) = rig.claim().await;
    rig.ok(
        "task_fail",
        json!({"task": id, "fence": fence, "error": "e".repeat(5_000)}),
    )
    .await;
    let contents = rig.read(&format!("callboard://task/{id}")).await.unwrap();
    assert_eq!(contents["mimeType"], "application/json");
    let task: Value = serde_json::from_str(text(&contents)).unwrap();
    assert_eq!(task["task"]["prompt"], prompt);
    assert_eq!(task["task"]["created_at"], "2026-09-21T14:13:20Z");
    assert_eq!(task["attempts"][0]["error"].as_str().unwrap().len(), 5_000);
    assert!(task["reason"].as_str().unwrap().starts_with("backs off"));
}

#[tokio::test]
async fn a_huge_task_is_read_in_pages() {
    let rig = Rig::new().await;
    let prompt = "line\n".repeat(30_000);
    let added = rig
        .ok("task_add", json!({"title": "t", "prompt": prompt}))
        .await;
    let mut uri = format!("callboard://task/{}", added["id"].as_str().unwrap());
    let mut pages = 0;
    loop {
        let page = rig.read(&uri).await.unwrap();
        pages += 1;
        match page["_meta"]["callboard/next"].as_str() {
            Some(next) => uri = next.to_owned(),
            None => break,
        }
    }
    assert!(pages > 1, "{pages}");
}

#[tokio::test]
async fn a_log_is_read_to_its_end() {
    let rig = Rig::new().await;
    let log = "a line of the log\n".repeat(10_000);
    let id = rig.with_log(&log).await;
    let first = rig
        .read(&format!("callboard://task/{id}/log"))
        .await
        .unwrap();
    assert!(text(&first).starts_with("a line of the log\n"));
    let mut lines = text(&first).matches("of the log\n").count();
    let mut next = first["_meta"]["callboard/next"].as_str().map(str::to_owned);
    let mut broken = 0;
    while let Some(uri) = next {
        let page = rig.read(&uri).await.unwrap();
        lines += text(&page).matches("of the log\n").count();
        broken += 1;
        next = page["_meta"]["callboard/next"].as_str().map(str::to_owned);
    }
    assert!(
        lines + broken >= 10_000,
        "a page may end within a line: {lines} + {broken}"
    );
    let error = rig
        .read(&format!("callboard://task/{id}/log?cursor=x"))
        .await
        .unwrap_err();
    assert!(error.contains("is not a byte position"), "{error}");
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let rig = Rig::new().await;
    let id = rig.add("never run").await;
    for (uri, said) in [
        (
            "callboard://task/t_none".to_owned(),
            "no task t_none on this board",
        ),
        (
            "callboard://task/t_none/log".to_owned(),
            "no task t_none on this board",
        ),
        (format!("callboard://task/{id}/log"), "has a log"),
        (
            "callboard://nothing".to_owned(),
            "the resources are: callboard://board",
        ),
        ("file:///etc/passwd".to_owned(), "there is no resource"),
    ] {
        let error = rig.read(&uri).await.unwrap_err();
        assert!(error.contains(said), "{uri}: {error}");
    }
    let logged = rig.with_log("x").await;
    std::fs::remove_file(rig.dir.path().join("attempt.log")).unwrap();
    let error = rig
        .read(&format!("callboard://task/{logged}/log"))
        .await
        .unwrap_err();
    assert!(error.contains("is gone"), "{error}");
}

#[tokio::test]
async fn a_report_is_asked_for_with_the_board_as_it_is() {
    let rig = Rig::new().await;
    rig.add("default one").await;
    rig.ok("task_add", json!({"title": "other one", "queue": "q"}))
        .await;
    let asked = rig.prompt("report_status", json!({})).await.unwrap();
    assert!(
        asked.contains("default one") && asked.contains("other one"),
        "{asked}"
    );
    let asked = rig
        .prompt(
            "report_status",
            json!({"queue": "q", "audience": "a customer"}),
        )
        .await
        .unwrap();
    assert!(
        !asked.contains("default one") && asked.contains("other one"),
        "{asked}"
    );
    assert!(
        asked.starts_with("Report on the work below to a customer"),
        "{asked}"
    );
    let error = rig
        .prompt("report_status", json!({"tone": "x"}))
        .await
        .unwrap_err();
    assert!(error.contains("unknown argument `tone`"), "{error}");
    assert!(rig.prompt("nothing", json!({})).await.is_err());
}

#[tokio::test]
async fn triage_tells_each_failure_and_its_attempts() {
    let rig = Rig::new().await;
    let asked = rig.prompt("triage_failures", json!({})).await.unwrap();
    assert!(
        asked.contains("No task on the board is dead or parked"),
        "{asked}"
    );
    rig.ok(
        "task_add",
        json!({"title": "flaky", "max_retries": 1, "backoff_s": 0}),
    )
    .await;
    for error in ["no route to host", "still no route"] {
        let (task, fence) = rig.claim().await;
        rig.ok(
            "task_fail",
            json!({"task": task, "fence": fence, "error": error}),
        )
        .await;
    }
    let asked = rig.prompt("triage_failures", json!({})).await.unwrap();
    assert!(asked.contains("dead flaky"), "{asked}");
    assert!(
        asked.contains("attempt 2, failed: still no route"),
        "{asked}"
    );
    assert!(
        asked.contains("attempt 1, failed: no route to host"),
        "{asked}"
    );
    let elsewhere = rig
        .prompt("triage_failures", json!({"queue": "q"}))
        .await
        .unwrap();
    assert!(!elsewhere.contains("flaky"), "{elsewhere}");
}
