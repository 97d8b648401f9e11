//! `roadmap_load`, `roadmap_start`, `roadmap_wait`, `roadmap_status`, `roadmap_stop`: a repository worked with prepared
//! edits, under a real supervisor.

use crate::rig::{PROGRAM, ROADMAP, Rig, row};
use callboard_mcp::ErrorKind;
use serde_json::{Value, json};

#[tokio::test]
async fn loading_posts_a_task_for_each_open_item_once() {
    let rig = Rig::new();
    let client = rig.client().await;
    let loaded = client
        .call("roadmap_load", json!({"path": rig.path()}))
        .await;
    assert_eq!((&loaded["posted"], &loaded["held"]), (&json!(2), &json!(1)));
    assert_eq!(loaded["board"], rig.board().to_str().unwrap());
    assert_eq!(row(&loaded, "priority-2")["after"], json!(["priority-1"]));
    assert!(
        row(&loaded, "priority-3")["held"]
            .as_str()
            .unwrap()
            .contains("blocked"),
        "{loaded}"
    );
    let again = client.call("roadmap_load", json!({})).await;
    assert_eq!(again["items"], loaded["items"]);

    let table = client.call("roadmap_status", json!({})).await;
    assert_eq!(table["state"], "idle");
    let outcomes: Vec<&Value> = table["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["outcome"])
        .collect();
    assert_eq!(outcomes, ["unfinished", "blocked", "needs a person"]);
    assert_eq!(
        row(&table, "priority-1")["task"],
        row(&loaded, "priority-1")["task"]
    );
    client.close().await;
}

#[tokio::test]
async fn a_roadmap_is_worked_to_its_end() {
    let rig = Rig::new();
    let client = rig.client().await;
    let started = client
        .call("roadmap_start", json!({"path": rig.path(), "agents": 2}))
        .await;
    assert_eq!(
        (
            &started["already_running"],
            &started["agent"],
            &started["agents"]
        ),
        (&json!(false), &json!("stand-in"), &json!(2))
    );
    assert!(
        started["note"].as_str().unwrap().contains("callboard run "),
        "{started}"
    );
    let waited = client.wait_to_the_end().await;
    assert_eq!(
        (&waited["state"], &waited["all_done"], &waited["run"]),
        (&json!("ended"), &json!(false), &started["run"])
    );

    let table = client.call("roadmap_status", json!({})).await;
    assert_eq!(
        (&table["state"], &table["summary"]),
        (&json!("ended"), &json!("2 done, 1 needs a person"))
    );
    let first = row(&table, "priority-1");
    let outcomes: Vec<&Value> = first["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| &attempt["outcome"])
        .collect();
    assert_eq!(outcomes, ["failed", "done"], "{first}");
    assert!(
        first["attempts"][0]["why"]
            .as_str()
            .unwrap()
            .contains("one.txt is not good"),
        "{first}"
    );
    assert_eq!(
        (&first["outcome"], &first["commits"]),
        (&json!("done"), &json!(1))
    );
    assert!(
        row(&table, "priority-3")["why"]
            .as_str()
            .unwrap()
            .contains("blocked"),
        "{table}"
    );

    let merge = row(&table, "priority-2")["merge"].as_str().unwrap();
    rig.git(&[
        "merge-base",
        "--is-ancestor",
        merge,
        "callboard/integration",
    ]);
    assert_eq!(
        rig.git(&["show", "callboard/integration:one.txt"]),
        "good\n"
    );
    let merged = client
        .call("roadmap_read", json!({"revision": "callboard/integration"}))
        .await;
    assert_eq!(
        (
            &row(&merged, "priority-1")["status"],
            &row(&merged, "priority-2")["status"]
        ),
        (&json!("done"), &json!("done"))
    );
    assert_eq!(row(&merged, "priority-1")["deliverables"], "2/2");
    assert_eq!(
        (
            rig.read("ROADMAP.md").as_str(),
            rig.git(&["status", "--porcelain"])
        ),
        (ROADMAP, String::new())
    );

    let in_words = client.session.service().0.lock().unwrap().join("\n");
    assert!(in_words.contains("of 3 items done"), "{in_words}");
    client.close().await;
}

#[tokio::test]
async fn a_second_start_answers_with_the_run_that_is_at_work() {
    let rig = Rig::hanging();
    let client = rig.client().await;
    let first = client.call("roadmap_start", json!({})).await;
    let second = client
        .call("roadmap_start", json!({"path": rig.path()}))
        .await;
    assert_eq!(
        (&second["already_running"], &second["run"]),
        (&json!(true), &first["run"])
    );
    let text = client
        .refusal("roadmap_load", json!({}), ErrorKind::Conflict)
        .await;
    assert!(text.contains(first["run"].as_str().unwrap()), "{text}");
    client.call("roadmap_stop", json!({})).await;
    client.close().await;
}

#[tokio::test]
async fn a_stopped_run_goes_on_where_it_was() {
    let rig = Rig::hanging();
    let client = rig.client().await;
    let idle = client.call("roadmap_stop", json!({})).await;
    assert_eq!(idle["state"], "idle");
    let started = client.call("roadmap_start", json!({})).await;
    let table = client.wait_for_agent(&rig, "agent").await;
    assert_eq!(
        (&table["state"], &row(&table, "priority-1")["outcome"]),
        (&json!("running"), &json!("running"))
    );

    let stopped = client
        .call("roadmap_stop", json!({"path": rig.path()}))
        .await;
    assert_eq!(
        (&stopped["state"], &stopped["run"]),
        (&json!("stopped"), &started["run"])
    );
    assert_eq!(rig.agents(), Vec::<u32>::new());
    let again = client.call("roadmap_stop", json!({})).await;
    assert_eq!(again["state"], "stopped");
    let table = client.call("roadmap_status", json!({})).await;
    let attempts = &row(&table, "priority-1")["attempts"];
    assert_eq!(
        (attempts.as_array().unwrap().len(), &attempts[0]["outcome"]),
        (1, &json!("interrupted"))
    );

    let on = client.call("roadmap_start", json!({})).await;
    assert_ne!(on["run"], started["run"]);
    client.wait_for_agent(&rig, "attempt 2: agent").await;
    client.call("roadmap_stop", json!({})).await;
    client.close().await;
}

#[tokio::test]
async fn a_wait_ends_at_its_time_and_can_be_given_up_without_stopping_the_run() {
    let rig = Rig::hanging();
    let client = rig.client().await;
    let run = client.call("roadmap_start", json!({})).await["run"].clone();
    client.wait_for_agent(&rig, "agent").await;
    let waited = client
        .call("roadmap_wait", json!({"run": run, "timeout_s": 1}))
        .await;
    assert_eq!(
        (&waited["state"], &waited["all_done"]),
        (&json!("running"), &json!(false))
    );
    assert!(
        waited["summary"]
            .as_str()
            .unwrap()
            .contains("priority-1: agent"),
        "{waited}"
    );

    let params = rmcp::model::CallToolRequestParams::new("roadmap_wait".to_owned());
    let request = rmcp::model::ClientRequest::CallToolRequest(rmcp::model::Request::new(params));
    let pending = client
        .session
        .send_cancellable_request(request, rmcp::service::PeerRequestOptions::default())
        .await
        .unwrap();
    pending.cancel(None).await.unwrap();
    let waited = client.call("roadmap_wait", json!({"timeout_s": 0})).await;
    assert_eq!(
        (&waited["state"], &waited["run"]),
        (&json!("running"), &run)
    );
    client.call("roadmap_stop", json!({})).await;
    client.close().await;
}

#[tokio::test]
async fn closing_the_connection_ends_the_agents_and_loses_nothing() {
    let rig = Rig::hanging();
    let client = rig.client().await;
    client.call("roadmap_start", json!({})).await;
    client.wait_for_agent(&rig, "agent").await;
    assert_ne!(rig.agents(), Vec::<u32>::new());
    client.close().await;

    let client = rig.client().await;
    let stopped = client.call("roadmap_status", json!({})).await;
    assert_ne!(row(&stopped, "priority-1")["outcome"], "failed");
    client.call("roadmap_start", json!({})).await;
    let table = client.wait_for_agent(&rig, "attempt 2: agent").await;
    assert_eq!(
        row(&table, "priority-1")["attempts"][0]["outcome"],
        "interrupted"
    );
    client.call("roadmap_stop", json!({})).await;
    assert_eq!(rig.agents(), Vec::<u32>::new());
    client.close().await;
}

#[tokio::test]
async fn work_of_another_process_is_told_with_its_pid() {
    let rig = Rig::hanging();
    let mut other = Other::start(&rig);
    other.call("roadmap_start", json!({}));
    while rig.agents().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let client = rig.client().await;
    let pid = other.child.id();
    for tool in ["roadmap_start", "roadmap_load", "roadmap_stop"] {
        let text = client.refusal(tool, json!({}), ErrorKind::Conflict).await;
        assert!(text.contains(&format!("process {pid} ")), "{text}");
    }
    let table = client.call("roadmap_status", json!({})).await;
    assert_eq!(
        (&table["state"], &table["pid"]),
        (&json!("elsewhere"), &json!(pid))
    );
    let waited = client.call("roadmap_wait", json!({"timeout_s": 1})).await;
    assert_eq!(waited["state"], "elsewhere");
    other.end();
    let gone = (0..200).any(|_| {
        let left = rig.agents();
        std::thread::sleep(std::time::Duration::from_millis(if left.is_empty() {
            0
        } else {
            50
        }));
        left.is_empty()
    });
    assert!(gone, "{:?} outlived their server", rig.agents());
    let waited = client.wait_to_the_end().await;
    assert_eq!(waited["state"], "idle");
    client.close().await;
}

#[tokio::test]
async fn what_is_missing_for_a_start_is_said() {
    let rig = Rig::with(ROADMAP, None);
    let client = rig.client().await;
    let text = client
        .refusal("roadmap_start", json!({}), ErrorKind::NeedsPerson)
        .await;
    assert!(text.contains("[agents.claude]"), "{text}");
    rig.configure("[agents.mine]\ncommand = [\"true\"]\n");
    let text = client
        .refusal("roadmap_start", json!({}), ErrorKind::NeedsPerson)
        .await;
    assert!(text.contains("mine"), "{text}");
    let text = client
        .refusal(
            "roadmap_start",
            json!({"agent": "yours"}),
            ErrorKind::InvalidInput,
        )
        .await;
    assert!(text.contains("mine"), "{text}");

    rig.git(&["rm", "-q", "--cached", "ROADMAP.md"]);
    rig.git(&["commit", "-q", "-m", "chore: forget the plan"]);
    let text = client
        .refusal(
            "roadmap_start",
            json!({"agent": "mine"}),
            ErrorKind::Conflict,
        )
        .await;
    assert!(text.contains("ROADMAP.md is not in commit"), "{text}");
    let waited = client.call("roadmap_wait", json!({})).await;
    assert_eq!(waited["state"], "failed");
    client.close().await;
}

#[tokio::test]
async fn a_configured_agent_works_by_its_name() {
    let rig = Rig::with(ROADMAP, None);
    rig.configure("[agents.mine]\ncommand = [\"sh\", \"-c\", \"cat > prompt.md; echo good > $CALLBOARD_ITEM.txt; rm prompt.md\"]\n");
    let client = rig.client().await;
    let started = client.call("roadmap_start", json!({"agent": "mine"})).await;
    assert_eq!(started["agent"], "mine");
    client.wait_to_the_end().await;
    let table = client
        .call("roadmap_status", json!({"item": "priority-2"}))
        .await;
    assert_eq!(table["items"][0]["outcome"], "done", "{table}");
    assert_eq!(
        rig.git(&["show", "callboard/integration:priority-2.txt"]),
        "good\n"
    );
    client.close().await;
}

#[tokio::test]
async fn a_project_that_is_not_trusted_is_read_and_not_worked() {
    let rig = Rig::new();
    rig.write(
        "callboard.toml",
        "[tests]\ncommand = \"touch /tmp/owned\"\n",
    );
    let client = rig.client().await;
    for tool in ["roadmap_start", "roadmap_load"] {
        let text = client
            .refusal(tool, json!({}), ErrorKind::NeedsPerson)
            .await;
        assert!(
            text.contains("callboard trust") && text.contains("tests.command"),
            "{text}"
        );
    }
    assert_eq!(client.call("roadmap_read", json!({})).await["total"], 3);
    let table = client.call("roadmap_status", json!({})).await;
    assert!(
        table["notes"][0].as_str().unwrap().contains("not trusted"),
        "{table}"
    );
    client.close().await;
}

/// The server as a process of its own, spoken to in lines.
struct Other {
    child: std::process::Child,
    lines: std::io::BufReader<std::process::ChildStdout>,
    next: u64,
}

impl Other {
    #[expect(
        clippy::disallowed_methods,
        reason = "a second server is another process"
    )]
    fn start(rig: &Rig) -> Other {
        let mut child = std::process::Command::new(PROGRAM)
            .current_dir(&rig.root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", rig.home())
            .env("XDG_CONFIG_HOME", rig.home().join("config"))
            .env("XDG_DATA_HOME", rig.home().join("data"))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut other = Other {
            child,
            lines,
            next: 1,
        };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
        other.request("initialize", hello);
        other.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        other
    }

    fn send(&mut self, message: &Value) {
        let input = self.child.stdin.as_mut().unwrap();
        std::io::Write::write_all(input, format!("{message}\n").as_bytes()).unwrap();
    }

    fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.next;
        self.next += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let mut line = String::new();
            assert!(
                std::io::BufRead::read_line(&mut self.lines, &mut line).unwrap() > 0,
                "the server ended"
            );
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["id"] == id {
                return message["result"].clone();
            }
        }
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        assert_ne!(result["isError"], true, "{result}");
        result["structuredContent"].clone()
    }

    /// Ends its input; it must end well, and take its agents with it.
    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}
