//! Both agents through our gateway: their models are ours to choose, count and price, and they never see a provider's
//! key.

use crate::{assert_posted, lines, object, path, posting, work};
use callboard_tests::deps::{Set, claude_code, codex};
use callboard_tests::gatewayed::{CANARY, configure, key};
use callboard_tests::model::Model;
use callboard_tests::{Home, Running, Serving, wait_until};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The servers and the gateway of a home, over a model that plays a script.
struct Gateway {
    // First, so that it ends before its home goes.
    serving: Serving,
    home: Home,
    model: Model,
}

impl Gateway {
    /// Its one route, `coding`, leads to this model of a provider of this wire.
    fn new(home: Home, script: Value, wire: &str, name: &str) -> Gateway {
        let model = Model::playing(script);
        let base = match wire {
            "anthropic" => model.url(),
            _ => format!("{}/v1", model.url()),
        };
        let more = format!(
            "prices = \"{wire}\"\n[routes.coding]\ncandidates = [\"vendor/{name}\"]\n[llm]\ndefault_route = \"coding\"\n"
        );
        configure(&home, &[("vendor", wire, &base)], &more);
        Gateway {
            serving: Serving::start(&home, "127.0.0.1:0"),
            home,
            model,
        }
    }

    /// The assigner as the agents are told of it.
    fn environment(&self) -> Value {
        let command = self.home.command("callboard");
        let pairs = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), json!(value?.to_str()?))));
        Value::Object(pairs.collect())
    }

    /// The calls of the log, oldest first, once there are that many.
    fn calls(&self, count: usize) -> Vec<Value> {
        let mut calls = Vec::new();
        let done = wait_until(Duration::from_secs(60), || {
            calls = logged(&self.home);
            calls.len() >= count
        });
        assert!(done, "not {count} calls: {calls:#?}");
        calls
    }
}

/// The rows of the log of calls.
fn logged(home: &Home) -> Vec<Value> {
    let file = home.board().join("telemetry.db");
    let options = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let Ok(log) = rusqlite::Connection::open_with_flags(file, options) else {
        return Vec::new();
    };
    let columns = "agent, project, server, provider, model, outcome, input, cached, cache_write, output, cost";
    let Ok(mut rows) = log.prepare(&format!("SELECT {columns} FROM llm_call ORDER BY at, id"))
    else {
        return Vec::new();
    };
    let rows = rows.query_map([], |row| {
        let text = |at| row.get::<_, Option<String>>(at);
        let number = |at| row.get::<_, Option<i64>>(at);
        Ok(json!({
            "agent": text(0)?, "project": text(1)?, "server": text(2)?, "provider": text(3)?, "model": text(4)?,
            "outcome": text(5)?, "input": number(6)?, "cached": number(7)?, "cache_write": number(8)?,
            "output": number(9)?, "cost": number(10)?,
        }))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Claude Code in an empty environment with a home of its own, whose only key is ours.
fn claude(gateway: &Gateway, key: &str, prompt: &str) -> Command {
    let home = gateway.home.path();
    let servers = home.join("servers.json");
    let assigner = json!({
        "type": "stdio", "command": callboard_tests::binary("callboard"), "args": ["assigner"],
        "env": gateway.environment(),
    });
    let text = json!({"mcpServers": {"assigner": assigner}}).to_string();
    std::fs::write(&servers, text).unwrap();
    let mut command = Command::new(claude_code());
    command
        .env_clear()
        .current_dir(work(home))
        .env("PATH", path())
        .env("HOME", home)
        .env("ANTHROPIC_BASE_URL", gateway.serving.url())
        .env("ANTHROPIC_AUTH_TOKEN", key)
        .env("CLAUDE_CODE_MAX_RETRIES", "1")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_TELEMETRY", "1")
        .env("DISABLE_ERROR_REPORTING", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        .env("ENABLE_TOOL_SEARCH", "false")
        .env("MCP_TIMEOUT", "30000");
    command.args(["-p", prompt, "--output-format", "stream-json", "--verbose"]);
    command.args(["--permission-mode", "default", "--setting-sources", "user"]);
    command.args(["--allowedTools", "mcp__assigner", "--strict-mcp-config"]);
    command.arg("--mcp-config").arg(servers);
    command
}

/// Codex, in the same way.
fn codex_exec(gateway: &Gateway, key: &str, prompt: &str) -> Command {
    let home = gateway.home.path();
    let environment = gateway.environment();
    let pairs = environment.as_object().unwrap().iter();
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    let settings = format!(
        "model = \"coding\"\nmodel_provider = \"callboard\"\nweb_search = \"disabled\"\n\
         [analytics]\nenabled = false\n\
         [model_providers.callboard]\nname = \"callboard\"\nbase_url = \"{}/v1\"\nwire_api = \"responses\"\n\
         env_key = \"CALLBOARD_KEY\"\nrequest_max_retries = 1\nstream_max_retries = 1\n\
         [mcp_servers.assigner]\nstartup_timeout_sec = 30\ncommand = {}\nargs = [\"assigner\"]\nenv = {{ {} }}\n\
         default_tools_approval_mode = \"approve\"\n",
        gateway.serving.url(),
        json!(callboard_tests::binary("callboard")),
        pairs.join(", ")
    );
    configured(home, &settings);
    let mut command = Command::new(codex());
    command
        .env_clear()
        .current_dir(work(home))
        .env("PATH", path())
        .env("HOME", home)
        .env("CALLBOARD_KEY", key);
    command.args(["exec", "--json", "--skip-git-repo-check", prompt]);
    command
}

fn configured(home: &Path, settings: &str) {
    let own = home.join(".codex");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("config.toml"), settings).unwrap();
}

/// Every call is the agent's, went well, and has tokens and a price.
fn assert_counted(calls: &[Value], agent: &str, model: &str) {
    for call in calls {
        assert_eq!(call["agent"], agent, "{call:#}");
        assert_eq!(call["server"], "gateway");
        assert_eq!(call["outcome"], "ok", "{call:#}");
        assert_eq!(call["model"], model);
        assert!(call["input"].as_i64().unwrap() > 0, "{call:#}");
        assert!(call["cost"].as_i64().unwrap() > 0, "{call:#}");
    }
}

#[test]
fn claude_code_works_through_it() {
    let gateway = Gateway::new(Home::new(), posting(), "anthropic", "claude-sonnet-4-5");
    let key = key(
        &gateway.home,
        "robin",
        &["--agent", "claude-1", "--project", "site"],
    );
    let done = Running::of(claude(&gateway, &key, "Please post the task.")).finish();
    assert_eq!(done.code, 0, "{done:#?}");
    let task = assert_posted(&gateway.model.results(), &gateway.home);
    let events = lines(&done.out);
    let shown = events.last().unwrap()["result"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        shown.starts_with("the board says: ") && shown.contains(&task),
        "{shown}"
    );
    assert_counted(&gateway.calls(4), "claude-1", "claude-sonnet-4-5");
    assert!(!format!("{done:?}").contains(CANARY));
}

#[test]
fn codex_works_through_it() {
    // Codex objects to a home in the temporary directory.
    let home = Home::below(&Set::Agents.dir());
    let gateway = Gateway::new(home, posting(), "openai", "gpt-5-mini");
    let key = key(&gateway.home, "robin", &["--agent", "codex-1"]);
    let done = Running::of(codex_exec(&gateway, &key, "Please post the task.")).finish();
    assert_eq!(done.code, 0, "{done:#?}");
    let task = assert_posted(&gateway.model.results(), &gateway.home);
    let events = lines(&done.out);
    let said = |event: &&Value| event["item"]["type"] == "agent_message";
    let shown = events.iter().rfind(said).unwrap()["item"]["text"].clone();
    assert!(shown.as_str().unwrap().contains(&task), "{shown}");
    let calls = gateway.calls(4);
    assert_counted(&calls, "codex-1", "gpt-5-mini");
    assert_eq!(calls[0]["cached"], 600, "{:#}", calls[0]);
    assert!(!format!("{done:?}").contains(CANARY));
}

/// What a session said it used, turn by turn: read from the cache, written to it for five minutes and for an hour.
const USED: [[i64; 5]; 3] = [
    // Fresh input, cached, written for five minutes, for an hour, output.
    [12, 0, 14_250, 2_048, 87],
    [311, 16_298, 402, 0, 53],
    [6, 16_700, 377, 0, 21],
];

/// The published price of Claude Sonnet 4.5 in dollars for a million tokens: $3 of input, $0.30 read from the cache,
/// $3.75 and $6 written to it, $15 of output.
fn by_hand([fresh, cached, write, write_1h, output]: [i64; 5]) -> i64 {
    let hundredths = fresh * 300 + cached * 30 + write * 375 + write_1h * 600 + output * 1_500;
    (hundredths + 50) / 100
}

#[test]
fn a_claude_code_session_costs_what_the_price_table_says_by_hand() {
    let usage = |[fresh, cached, write, write_1h, output]: [i64; 5]| {
        json!({
            "input_tokens": fresh, "cache_read_input_tokens": cached, "cache_creation_input_tokens": write + write_1h,
            "cache_creation": {"ephemeral_5m_input_tokens": write, "ephemeral_1h_input_tokens": write_1h},
            "output_tokens": output,
        })
    };
    let script = json!([{"on": "post one", "do": [
        {"call": "mcp__assigner__task_add", "with": {"title": "one"}, "usage": usage(USED[0])},
        {"call": "mcp__assigner__task_get", "with": {"id": "{id}"}, "usage": usage(USED[1])},
        {"say": "{result}", "usage": usage(USED[2])},
    ]}]);
    let gateway = Gateway::new(Home::new(), script, "anthropic", "claude-sonnet-4-5");
    let key = key(&gateway.home, "robin", &[]);
    let done = Running::of(claude(&gateway, &key, "Please post one.")).finish();
    assert_eq!(done.code, 0, "{done:#?}");
    assert_eq!(object(&gateway.model.results()[1])["title"], "one");
    let calls = gateway.calls(3);
    // Errands of the client's own say nothing of the cache.
    let session: Vec<&Value> = calls.iter().filter(|call| call["input"] != 10).collect();
    assert_eq!(session.len(), USED.len(), "{calls:#?}");
    for (call, used) in session.iter().zip(USED) {
        let [fresh, cached, write, write_1h, output] = used;
        assert_eq!(call["input"], fresh + cached + write + write_1h, "{call:#}");
        assert_eq!(call["cached"], cached, "{call:#}");
        assert_eq!(call["output"], output, "{call:#}");
        assert_eq!(call["cost"], by_hand(used), "{call:#}");
    }
    let all: i64 = session
        .iter()
        .map(|call| call["cost"].as_i64().unwrap())
        .sum();
    assert_eq!(all, USED.map(by_hand).iter().sum::<i64>());
}
