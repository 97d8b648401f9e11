//! What every tool does to the board. A tool without a test here fails the enumeration.

use crate::fixture::{Rig, START};
use callboard_scheduling as scheduling;
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;

type Test = fn(Rig) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Each tool with the test of its effect.
const EFFECTS: [(&str, Test); 12] = [
    ("task_add", |rig| Box::pin(adds(rig))),
    ("task_add_many", |rig| Box::pin(adds_many(rig))),
    ("task_list", |rig| Box::pin(lists(rig))),
    ("task_get", |rig| Box::pin(gets(rig))),
    ("task_wait", |rig| Box::pin(waits(rig))),
    ("task_update", |rig| Box::pin(updates(rig))),
    ("task_control", |rig| Box::pin(controls(rig))),
    ("task_claim", |rig| Box::pin(claims(rig))),
    ("task_heartbeat", |rig| Box::pin(keeps(rig))),
    ("task_finish", |rig| Box::pin(finishes(rig))),
    ("task_fail", |rig| Box::pin(fails(rig))),
    ("task_release", |rig| Box::pin(releases(rig))),
];

#[tokio::test]
async fn every_tool_has_its_effect() {
    let offered: Vec<String> = {
        let rig = Rig::new().await;
        let tools = rig.client.list_all_tools().await.unwrap();
        tools
            .into_iter()
            .map(|tool| tool.name.into_owned())
            .collect()
    };
    let tested: Vec<&str> = EFFECTS.iter().map(|(tool, _)| *tool).collect();
    assert_eq!(offered, tested);
    for (_, test) in EFFECTS {
        test(Rig::new().await).await;
    }
}

async fn adds(rig: Rig) {
    let need = rig.add("need").await;
    let dir = rig.dir.path().to_str().unwrap().to_owned();
    let (answer, text) = rig
        .ok_text(
            "task_add",
            json!({
                "title": " all of it ", "prompt": "do\nit", "priority": 9, "depends_on": [need], "delay_s": 60,
                "timeout_s": 7, "max_retries": 1, "backoff_s": 2, "queue": "q", "kind": "review", "tags": ["a"],
                "project": dir, "branch": "b", "working_dir": dir, "env": {"RUST_LOG": "debug"},
                "metadata": {"k": {"deep": [1, null]}}, "dedup_key": "once",
            }),
        )
        .await;
    let id = answer["id"].as_str().unwrap();
    assert_eq!(
        (answer["state"].as_str(), answer["created"].as_bool()),
        (Some("waiting"), Some(true))
    );
    assert!(
        answer["reason"].as_str().unwrap().contains(&need),
        "{answer}"
    );
    assert!(
        text.starts_with(&format!("{id} added: waits for ")),
        "{text}"
    );
    let task = rig.row(id);
    assert_eq!(
        (task.title.as_str(), task.prompt.as_str(), task.priority),
        ("all of it", "do\nit", 9)
    );
    assert_eq!(
        (task.due_at, task.timeout_ms),
        (Some(START + 60_000), Some(7_000))
    );
    assert_eq!((task.max_retries, task.backoff_ms), (1, 2_000));
    assert_eq!((task.queue.as_str(), task.kind.as_str()), ("q", "review"));
    assert_eq!(
        (task.tags, task.env["RUST_LOG"].as_str()),
        (vec!["a".to_owned()], "debug")
    );
    assert_eq!(
        (task.branch.as_deref(), task.working_dir),
        (Some("b"), Some(dir.clone()))
    );
    assert_eq!(
        (task.project, task.metadata),
        (Some(dir), json!({"k": {"deep": [1, null]}}))
    );
    let again = rig
        .ok("task_add", json!({"title": "x", "dedup_key": "once"}))
        .await;
    assert_eq!(
        (again["id"].as_str(), again["created"].as_bool()),
        (Some(id), Some(false))
    );
    assert_eq!(rig.count(), 2);
}

async fn adds_many(rig: Rig) {
    let old = rig.add("old").await;
    let tasks = json!([
        {"key": "b", "title": "second", "depends_on": ["a", old]},
        {"key": "a", "title": "first", "priority": 8},
        {"title": "alone"},
    ]);
    let (answer, text) = rig.ok_text("task_add_many", json!({"tasks": tasks})).await;
    assert_eq!(
        (answer["created"].as_u64(), answer["existing"].as_u64()),
        (Some(3), Some(0))
    );
    let states: Vec<&str> = answer["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["waiting", "ready", "ready"]);
    assert_eq!(answer["tasks"][0]["key"], "b");
    let second = answer["tasks"][0]["id"].as_str().unwrap();
    assert!(text.contains(&format!("b = {second} waiting")), "{text}");
    assert_eq!(rig.row(second).waiting_on, 2);
    let broken = json!([{"title": "sound"}, {"title": "unsound", "depends_on": ["nowhere"]}]);
    let said = rig.refused("task_add_many", json!({"tasks": broken})).await;
    assert!(
        said.contains("no task nowhere") && said.contains("keys of this call"),
        "{said}"
    );
    let circle = json!([{"key": "a", "title": "a", "depends_on": ["b"]}, {"key": "b", "title": "b", "depends_on": ["a"]}]);
    let said = rig.refused("task_add_many", json!({"tasks": circle})).await;
    assert!(
        said.starts_with("conflict: these tasks would wait for each other: a -> b -> a"),
        "{said}"
    );
    assert_eq!(rig.count(), 4, "all or none");
    let many: Vec<Value> = (0..1_000)
        .map(|n| json!({"title": format!("{n}")}))
        .collect();
    let answer = rig.ok("task_add_many", json!({"tasks": many})).await;
    assert_eq!(
        (answer["created"].as_u64(), answer["more"].as_u64()),
        (Some(1_000), Some(850))
    );
    let too_many: Vec<Value> = (0..1_001)
        .map(|n| json!({"title": format!("{n}")}))
        .collect();
    let said = rig
        .refused("task_add_many", json!({"tasks": too_many}))
        .await;
    assert!(
        said.contains("1001 entries") && said.contains("several calls"),
        "{said}"
    );
    assert_eq!(rig.count(), 1_004);
}

async fn lists(rig: Rig) {
    for n in 0..25 {
        rig.add(&format!("task {n}")).await;
    }
    let odd = json!({"title": "50% off", "queue": "q", "kind": "k", "tags": ["t"], "project": "p"});
    rig.ok("task_add", odd).await;
    let (first, text) = rig.ok_text("task_list", json!({})).await;
    assert_eq!(first["counts"], json!({"ready": 26}));
    assert_eq!(first["tasks"].as_array().unwrap().len(), 20);
    assert_eq!(first["tasks"][0]["title"], "50% off");
    assert!(
        text.starts_with("26 ready\n") && text.contains("more: cursor "),
        "{text}"
    );
    let rest = rig.ok("task_list", json!({"cursor": first["next"]})).await;
    assert_eq!(rest["tasks"].as_array().unwrap().len(), 6);
    assert!(rest["next"].is_null());
    for filter in [
        json!({"text": "50%"}),
        json!({"queue": "q"}),
        json!({"kind": "k"}),
        json!({"tag": "t"}),
        json!({"project": "p"}),
        json!({"states": ["ready"], "limit": 1}),
    ] {
        let found = rig.ok("task_list", filter.clone()).await;
        assert_eq!(found["tasks"].as_array().unwrap().len(), 1, "{filter}");
        assert_eq!(found["tasks"][0]["title"], "50% off", "{filter}");
    }
    assert_eq!(
        rig.ok("task_list", json!({"queue": "q"})).await["counts"],
        json!({"ready": 1})
    );
    for filter in [
        json!({"states": ["done", "dead"]}),
        json!({"archived": true}),
        json!({"text": "%%"}),
    ] {
        let (found, text) = rig.ok_text("task_list", filter).await;
        assert_eq!(found["tasks"], json!([]));
        assert!(text.ends_with("no task matches"), "{text}");
    }
    rig.clock.advance(60_000);
    assert_eq!(
        rig.ok("task_list", json!({"changed_s": 59})).await["tasks"],
        json!([])
    );
    let (task, _) = rig.claim().await;
    let changed = rig.ok("task_list", json!({"changed_s": 59})).await;
    assert_eq!(
        (
            changed["tasks"][0]["id"].as_str(),
            &changed["tasks"][0]["note"]
        ),
        (Some(&*task), &json!("w"))
    );
}

async fn gets(rig: Rig) {
    let need = rig.add("need").await;
    let prompt = "ñ".repeat(5_000);
    let heavy = json!({"k": "x".repeat(3_000)});
    let added = rig
        .ok("task_add", json!({"title": "t", "prompt": prompt, "depends_on": [need], "metadata": heavy, "tags": ["a"]}))
        .await;
    let id = added["id"].as_str().unwrap();
    let (told, text) = rig.ok_text("task_get", json!({"id": id})).await;
    assert_eq!(
        (told["state"].as_str(), told["title"].as_str()),
        (Some("waiting"), Some("t"))
    );
    assert!(
        told["reason"]
            .as_str()
            .unwrap()
            .starts_with(&format!("waits for {need} \"need\" (ready)"))
    );
    assert_eq!(
        (&told["depends_on"], &told["tags"]),
        (&json!([need]), &json!(["a"]))
    );
    assert_eq!(told["created"], "2026-09-21T14:13:20Z");
    assert_eq!(told["left_out"], json!(["metadata"]));
    assert!(
        told.get("result").is_none() && told.get("branch").is_none(),
        "nothing empty: {told}"
    );
    assert!(
        text.contains("depends_on: [") && text.contains("left_out"),
        "{text}"
    );
    assert_eq!(told["prompt_next"], 4_000);
    let rest = rig
        .ok("task_get", json!({"id": id, "prompt_cursor": 4_000}))
        .await;
    let both = told["prompt"].as_str().unwrap().to_owned() + rest["prompt"].as_str().unwrap();
    assert_eq!(both, prompt);
    assert!(rest.get("prompt_next").is_none());
    assert_eq!(
        rig.ok("task_get", json!({"id": need})).await["needed_by"],
        json!([id])
    );
    gets_attempts(&rig).await;
}

async fn gets_attempts(rig: &Rig) {
    let log = "line ñ\n".repeat(1_000);
    rig.behind(|c| scheduling::task_claim(c, START, "a_0", &scheduling::Claim::by("someone")))
        .await;
    let id = rig.with_log(&log).await;
    let told = rig.ok("task_get", json!({"id": id})).await;
    assert_eq!(
        (told["state"].as_str(), &told["result"]),
        (Some("done"), &json!({"made": 3}))
    );
    let attempt = &told["attempts"][0];
    assert_eq!(
        (attempt["outcome"].as_str(), attempt["tests"].as_str()),
        (Some("done"), Some("12 passed"))
    );
    assert!(told.get("log").is_none(), "not asked for");
    let (mut read, mut cursor) = (String::new(), 0);
    loop {
        let page = rig
            .ok("task_get", json!({"id": id, "log_cursor": cursor}))
            .await["log"]
            .clone();
        read.push_str(page["text"].as_str().unwrap());
        cursor = page["next_cursor"].as_u64().unwrap();
        if page["end"] == true {
            break;
        }
    }
    assert_eq!(read, log);
    let (end, text) = rig
        .ok_text("task_get", json!({"id": id, "log_cursor": -1}))
        .await;
    assert!(log.ends_with(end["log"]["text"].as_str().unwrap()));
    assert_eq!(end["log"]["end"], true);
    assert!(text.contains("--- log ---"), "{text}");
}

async fn waits(rig: Rig) {
    let (a, b) = (rig.add("a").await, rig.add("b").await);
    let now = json!({"ids": [a, b], "timeout_s": 0});
    let (answer, text) = rig.ok_text("task_wait", now.clone()).await;
    assert_eq!(
        (&answer["settled"], &answer["open"]),
        (&json!(false), &json!(2))
    );
    assert!(
        answer["next"]
            .as_str()
            .unwrap()
            .contains("call task_wait again")
    );
    assert!(text.starts_with("2 still open\n"), "{text}");
    let (task, fence) = rig.claim().await;
    rig.ok("task_finish", json!({"task": task, "fence": fence}))
        .await;
    assert_eq!(
        rig.ok("task_wait", now.clone()).await["settled"],
        false,
        "all is the default"
    );
    let any = rig
        .ok("task_wait", json!({"ids": [a, b], "until": "any"}))
        .await;
    assert_eq!((&any["settled"], &any["open"]), (&json!(true), &json!(1)));
    rig.ok("task_control", json!({"ids": [b], "action": "cancel"}))
        .await;
    let (all, text) = rig.ok_text("task_wait", now).await;
    assert_eq!((&all["settled"], &all["open"]), (&json!(true), &json!(0)));
    assert!(text.starts_with("all settled\n"), "{text}");
    let queue = rig.ok("task_wait", json!({"queue": "default"})).await;
    assert_eq!(queue["settled"], true, "nothing is open in it: {queue}");
}

async fn updates(rig: Rig) {
    let (need, id) = (rig.add("need").await, rig.add("old").await);
    let change = json!({
        "id": id, "title": "new", "prompt": "p", "priority": 1, "tags": ["x"], "metadata": {"a": 1}, "depends_on": [need], "delay_s": 60,
    });
    let (answer, text) = rig.ok_text("task_update", change).await;
    assert_eq!(answer["state"], "waiting");
    assert!(
        text.starts_with(&format!("{id} is waiting: waits for {need}")),
        "{text}"
    );
    let task = rig.row(&id);
    assert_eq!(
        (task.title.as_str(), task.prompt.as_str(), task.priority),
        ("new", "p", 1)
    );
    assert_eq!(
        (task.tags, task.metadata),
        (vec!["x".to_owned()], json!({"a": 1}))
    );
    assert_eq!(task.due_at, Some(START + 60_000));
    rig.ok("task_update", json!({"id": id, "depends_on": []}))
        .await;
    assert_eq!(rig.state(&id), "scheduled");
    rig.ok("task_update", json!({"id": id, "delay_s": 0})).await;
    assert_eq!(rig.state(&id), "ready");
    rig.ok("task_update", json!({"id": need, "depends_on": [id]}))
        .await;
    let said = rig
        .refused(
            "task_update",
            json!({"id": id, "title": "not kept", "depends_on": [need]}),
        )
        .await;
    assert!(
        said.contains(&format!("{id} -> {need} -> {id}")) && said.contains("leave out one"),
        "{said}"
    );
    assert_eq!(
        rig.row(&id).title,
        "new",
        "one bad field and nothing is changed"
    );
    let said = rig.refused("task_update", json!({"id": id})).await;
    assert!(
        said.contains("nothing to change") && said.contains("priority"),
        "{said}"
    );
}

async fn controls(rig: Rig) {
    let (a, b) = (rig.add("a").await, rig.add("b").await);
    let act = |ids: Value, action: &str| json!({"ids": ids, "action": action});
    let cancel = json!({"ids": [a, a], "action": "cancel", "reason": "too dear"});
    let (answer, text) = rig.ok_text("task_control", cancel).await;
    assert_eq!(
        (&answer["changed"], &answer["failed"]),
        (&json!(1), &json!(0))
    );
    assert!(text.contains(&format!("{a} cancelled")), "{text}");
    assert_eq!(rig.row(&a).reason.as_deref(), Some("too dear"));
    let mixed = rig
        .ok("task_control", act(json!([a, b, "t_none"]), "cancel"))
        .await;
    assert_eq!(
        (&mixed["changed"], &mixed["failed"]),
        (&json!(1), &json!(2))
    );
    assert!(
        mixed["tasks"][0]["error"]
            .as_str()
            .unwrap()
            .contains("is cancelled: it can't be cancelled")
    );
    assert_eq!(mixed["tasks"][1], json!({"id": b, "state": "cancelled"}));
    assert!(
        mixed["tasks"][2]["error"]
            .as_str()
            .unwrap()
            .contains("no task t_none")
    );
    let said = rig
        .refused("task_control", act(json!([a, b]), "cancel"))
        .await;
    assert!(
        said.contains("none of the 2 tasks was changed") && said.contains("run it again"),
        "{said}"
    );
    rig.ok("task_control", act(json!([a, b]), "archive")).await;
    assert_eq!(rig.count(), 0);
    rig.ok("task_control", act(json!([b]), "restore")).await;
    assert_eq!(rig.count(), 1);
    rig.ok("task_control", act(json!([a, b]), "rerun")).await;
    assert_eq!((rig.state(&a), rig.state(&b)), ("ready", "ready"));
    rig.ok("task_control", act(json!([a]), "resolve")).await;
    assert_eq!(rig.state(&a), "done");
    let many: Vec<String> = (0..201).map(|n| format!("t_{n}")).collect();
    let said = rig
        .refused("task_control", act(json!(many), "cancel"))
        .await;
    assert!(said.contains("201 entries, allowed are 1 to 200"), "{said}");
    assert!(
        rig.refused("task_control", act(json!([]), "cancel"))
            .await
            .contains("0 entries")
    );
}

async fn claims(rig: Rig) {
    let (nothing, text) = rig.ok_text("task_claim", json!({"worker": "w"})).await;
    assert_eq!(nothing["claimed"], false);
    assert!(
        text.starts_with("no task\n") && nothing["next"].as_str().unwrap().contains("wait_s"),
        "{text}"
    );
    rig.add("less urgent").await;
    let work = json!({
        "title": "t", "prompt": "x".repeat(7_000), "priority": 9, "env": {"A": "b"}, "timeout_s": 60, "branch": "b",
        "metadata": {"k": "x".repeat(3_000)},
    });
    rig.ok("task_add", work).await;
    let (claimed, text) = rig
        .ok_text("task_claim", json!({"worker": "alice", "lease_s": 600}))
        .await;
    let id = claimed["task"].as_str().unwrap();
    assert_eq!(
        (&claimed["fence"], &claimed["title"]),
        (&json!(1), &json!("t"))
    );
    assert_eq!(
        (&claimed["env"], &claimed["branch"]),
        (&json!({"A": "b"}), &json!("b"))
    );
    assert_eq!(
        claimed["lease_until"], "2026-09-21T14:14:20Z",
        "the time limit cuts it"
    );
    assert_eq!(claimed["prompt"].as_str().unwrap().len(), 6_000);
    let left_out = claimed["left_out"].to_string();
    assert!(
        left_out.contains("prompt_cursor 6000")
            && left_out.contains(&format!("callboard://task/{id}"))
    );
    assert!(
        claimed["next"]
            .as_str()
            .unwrap()
            .contains("task_heartbeat within 1 min 0 s"),
        "{claimed}"
    );
    assert!(
        text.starts_with(&format!("claimed {id} with fence 1")),
        "{text}"
    );
    let row = rig.row(id);
    assert_eq!(
        (row.state.as_str(), row.worker.as_deref()),
        ("running", Some("alice"))
    );
    let (other, _) = rig.claim().await;
    assert_ne!(other, id, "nobody gets it twice");
    assert_eq!(
        rig.ok("task_claim", json!({"worker": "w", "queue": "q"}))
            .await["claimed"],
        false
    );
}

async fn keeps(rig: Rig) {
    rig.add("t").await;
    let (task, fence) = rig.claim().await;
    rig.clock.advance(200_000);
    let beat = json!({"task": task, "fence": fence, "progress": "half way", "lease_s": 120});
    let (kept, text) = rig.ok_text("task_heartbeat", beat).await;
    assert_eq!(kept["left_s"], 120);
    assert!(text.starts_with("the lease holds for 2 min 0 s"), "{text}");
    let row = rig.row(&task);
    assert_eq!(
        (row.lease_until, row.progress.as_deref()),
        (Some(START + 320_000), Some("half way"))
    );
    let said = rig
        .refused("task_heartbeat", json!({"task": task, "fence": fence + 1}))
        .await;
    assert!(
        said.starts_with("stale_lease: ") && said.contains("discard the result"),
        "{said}"
    );
    rig.ok("task_add", json!({"title": "limited", "timeout_s": 10}))
        .await;
    let (task, fence) = rig.claim().await;
    rig.clock.advance(11_000);
    let (kept, text) = rig
        .ok_text("task_heartbeat", json!({"task": task, "fence": fence}))
        .await;
    assert_eq!(kept["left_s"], -1);
    assert!(text.contains("time limit was reached"), "{text}");
}

async fn finishes(rig: Rig) {
    let need = rig.add("need").await;
    let next = rig
        .ok("task_add", json!({"title": "next", "depends_on": [need]}))
        .await["id"]
        .clone();
    let (task, fence) = rig.claim().await;
    let finish = json!({"task": task, "fence": fence, "result": {"made": ["a", 2]}});
    let (answer, text) = rig.ok_text("task_finish", finish.clone()).await;
    assert_eq!(
        (answer["state"].as_str(), text.as_str()),
        (Some("done"), &*format!("{task} is done"))
    );
    assert_eq!(rig.row(&task).result, Some(json!({"made": ["a", 2]})));
    assert_eq!(rig.state(next.as_str().unwrap()), "ready");
    let said = rig.refused("task_finish", finish).await;
    assert!(
        said.contains("the task is done now"),
        "a second finish is refused: {said}"
    );
}

async fn fails(rig: Rig) {
    rig.add("t").await;
    let (task, fence) = rig.claim().await;
    let fail = json!({"task": task, "fence": fence, "error": "no route\nto host"});
    let (answer, text) = rig.ok_text("task_fail", fail).await;
    assert_eq!(answer["state"], "scheduled");
    assert!(
        text.contains("backs off after failure 1 of 4, next try in 5 s: no route"),
        "{text}"
    );
    rig.clock.advance(5_000);
    rig.behind(|c| scheduling::sweep(c, START + 5_000)).await;
    let (task, fence) = rig.claim().await;
    let fail = json!({"task": task, "fence": fence, "error": "hopeless", "final": true});
    assert_eq!(rig.ok("task_fail", fail).await["state"], "dead");
    assert_eq!(rig.row(&task).reason.as_deref(), Some("hopeless"));
    let said = rig
        .refused(
            "task_fail",
            json!({"task": task, "fence": fence, "error": " "}),
        )
        .await;
    assert!(said.contains("say what went wrong"), "{said}");
}

async fn releases(rig: Rig) {
    rig.add("t").await;
    for (reason, kept) in [
        (json!("not mine"), "not mine"),
        (json!(" "), "given back by its worker"),
    ] {
        let (task, fence) = rig.claim().await;
        let give_back = json!({"task": task, "fence": fence, "reason": reason});
        assert_eq!(rig.ok("task_release", give_back).await["state"], "ready");
        let row = rig.row(&task);
        assert_eq!((row.reason.as_deref(), row.failures), (Some(kept), 0));
        let said = rig
            .refused("task_release", json!({"task": task, "fence": fence}))
            .await;
        assert!(said.starts_with("stale_lease"), "{said}");
    }
}
