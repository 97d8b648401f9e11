//! Models as configured, through the program: what doctor says of them, prices that are brought and undone, limits on
//! the board, and the duties of a server.

use callboard_limits::{
    Ask, CallState, Estimate, LimitError, Owner, Subject, call_get, limits_list, reserve,
};
use callboard_store::{Clock, SystemClock};
use callboard_tests::gatewayed::{configure, key};
use callboard_tests::http::Served;
use callboard_tests::upstream::Upstream;
use callboard_tests::{Finished, Home, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(30);

const CONFIG: &str = r#"
[providers.groq]
[providers.anthropic]
key = "${vault:ANTHROPIC}"
headers = { x-team = "sk-hush" }
[providers.ollama]
[routes.cheap]
candidates = ["ollama/llama3.2:3b", "anthropic/claude-haiku-4-5"]
[budgets.all]
day = "5.00"
"#;

fn home(config: &str) -> Home {
    let home = Home::new();
    home.write(&home.path().join("config/callboard/config.toml"), config);
    home
}

fn good(done: &Finished) -> &str {
    assert_eq!(done.code, 0, "{done:?}");
    &done.out
}

#[test]
fn doctor_tells_providers_and_prices_and_no_secret() {
    let home = home(CONFIG);
    let done = home.callboard(&["doctor", "--json"]);
    assert!(!done.out.contains("hush"), "{}", done.out);
    let told: Value = serde_json::from_str(&done.out).unwrap();
    let checks = told["checks"].as_array().unwrap();
    let find = |name: &str| {
        let mut found = checks.iter().filter(|check| check["name"] == name);
        found
            .next()
            .unwrap_or_else(|| panic!("no {name}: {checks:#?}"))
    };
    let groq = find("provider groq");
    assert_eq!(groq["state"], "missing");
    assert!(
        groq["found"]
            .as_str()
            .unwrap()
            .contains("$GROQ_API_KEY is not set")
    );
    let anthropic = find("provider anthropic");
    assert!(
        anthropic["found"]
            .as_str()
            .unwrap()
            .contains("key ${vault:ANTHROPIC}")
    );
    assert_eq!(
        find("ANTHROPIC")["state"],
        "missing",
        "the vault has no such secret"
    );
    assert_eq!(find("provider ollama")["state"], "ok");
    let route = find("route cheap")["found"].as_str().unwrap().to_owned();
    assert_eq!(
        route,
        "sequential: ollama/llama3.2:3b, anthropic/claude-haiku-4-5"
    );
    let prices = find("prices")["found"].as_str().unwrap().to_owned();
    assert!(prices.contains("with the program"), "{prices}");
    assert!(
        !home.board().join("board.db").exists(),
        "looking makes nothing"
    );
}

#[test]
fn prices_come_in_hold_and_are_undone() {
    let home = home("");
    let shown = home.callboard(&["prices", "show", "haiku-4-5"]);
    assert!(good(&shown).contains("claude-haiku-4-5"), "{}", shown.out);
    let unknown = home.callboard(&["prices", "show", "no-such-model"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.err.contains("unknown"), "{}", unknown.err);

    let list = |price: &str| {
        format!(
            "version = \"2999-01-01\"\n[[price]]\nprovider = \"acme\"\nmodel = \"one\"\ninput = {price}\noutput = 2.0\nsource = \"x\"\n"
        )
    };
    let file = home.path().join("new.toml");
    home.write(&file, &list("-1.0"));
    let refused = home.callboard(&["prices", "update", "new.toml"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("new.toml: line 5"), "{}", refused.err);

    home.write(&file, &list("1.25"));
    let tried = home.callboard(&["prices", "update", "--dry-run", "new.toml"]);
    let line = "+ acme/one: $1.25 in, $2.00 out";
    assert!(good(&tried).contains(line) && tried.out.contains("Nothing was changed"));
    assert_eq!(home.callboard(&["prices", "show", "acme"]).code, 1);

    let done = home.callboard(&["prices", "update", "new.toml"]);
    assert!(good(&done).contains(line), "{}", done.out);
    let shown = home.callboard(&["prices", "show", "acme"]);
    assert!(good(&shown).contains("$1.25") && shown.out.contains("version 2999-01-01"));
    let doctor = home.callboard(&["doctor"]);
    assert!(doctor.out.contains("version 2999-01-01"), "{}", doctor.out);

    let back = home.callboard(&["prices", "undo"]);
    assert!(good(&back).contains("in force again"), "{}", back.out);
    assert_eq!(home.callboard(&["prices", "show", "acme"]).code, 1);
    assert_eq!(home.callboard(&["prices", "undo"]).code, 1);

    let audit = home.callboard(&["audit", "--json"]);
    let rows: Vec<Value> = good(&audit)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told = |verb: &str| {
        let of = rows.iter().filter(|row| row["verb"] == verb);
        of.collect::<Vec<_>>()
    };
    let (updates, undos) = (told("prices_update"), told("prices_undo"));
    assert_eq!((updates.len(), undos.len()), (1, 1), "{rows:#?}");
    assert_eq!(updates[0]["detail"]["to"], "2999-01-01");
    assert_eq!(undos[0]["detail"]["from"], "2999-01-01");
}

#[test]
fn an_answer_that_will_not_do_is_asked_for_again_where_the_route_says_so() {
    let home = Home::new();
    let upstream = Upstream::start();
    let base = upstream.base("ollama");
    let providers = [
        ("first", "ollama", base.as_str()),
        ("second", "ollama", base.as_str()),
    ];
    let routes = "[routes.once]\ncandidates = [\"first/ok\", \"second/ok\"]\n\
        [routes.again]\ncandidates = [\"first/ok\", \"second/ok\"]\nescalate = true\n";
    configure(&home, &providers, routes);
    let key = key(&home, "robin", &[]);
    let mut served = Served::at(&home, "127.0.0.1:0");
    served.show(&key);
    let ask = |route: &str| {
        let before = upstream.asked().len();
        // JSON is wanted, and the scripted model says something else.
        let body = json!({
            "model": route,
            "messages": [{"role": "user", "content": "Hello?"}],
            "response_format": {"type": "json_object"},
        });
        let mut answer = served.send("POST", "/v1/chat/completions", &[], &body.to_string());
        let said = answer.body();
        (answer.status, upstream.asked().len() - before, said)
    };
    let (status, asked, said) = ask("once");
    assert_eq!((status, asked), (200, 1), "{said}");
    let (_, asked, said) = ask("again");
    assert_eq!(asked, 2, "{said}");
    served.terminate();
    assert_eq!(served.ended().0, 0);
}

#[test]
fn a_server_sets_the_limits_and_does_the_duties() {
    let home = home(CONFIG);
    let mut served = Served::at(&home, "127.0.0.1:0");
    let store = callboard_board::open(&home.board()).unwrap();
    let limits = store.read_now(|c| limits_list(c)).unwrap();
    assert_eq!(limits.len(), 1);
    assert_eq!(
        (limits[0].amount, limits[0].origin.as_str()),
        (5_000_000, "config")
    );
    // A call of a process that is gone: no process has this start.
    let ask = Ask {
        call: "c_lost".to_owned(),
        subject: Subject {
            provider: Some("groq".to_owned()),
            model: Some("m".to_owned()),
            ..Subject::default()
        },
        owner: Owner { pid: 1, start: 1 },
        until: i64::MAX,
        estimate: Estimate::default(),
        detail: "{}".to_owned(),
    };
    let now = SystemClock.now_ms();
    let held: Result<_, LimitError> = store.write_blocking(move |c| reserve(c, now, &ask));
    held.unwrap();
    let ended = wait_until(LONG, || {
        let call = store.read_now(|c| call_get(c, "c_lost")).unwrap();
        call.state == CallState::Expired
    });
    assert!(ended, "nobody ended it");
    let log = callboard_telemetry::open_events(&home.board()).unwrap();
    let logged = wait_until(LONG, || {
        let row = log.read_now(|c| callboard_telemetry::llm::llm_call(c, "c_lost"));
        row.unwrap().is_some()
    });
    assert!(logged, "it has no row");
    served.terminate();
    let (code, err) = served.ended();
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("the provider groq is not used"), "{err}");
    assert!(err.contains("callboard vault set"), "{err}");
    assert!(!err.contains("hush"), "{err}");
}

#[test]
fn who_hands_out_work_on_stdio_has_the_limits_before_its_first_answer() {
    let home = home(CONFIG);
    let mut assigner = home.server("assigner").hello();
    let store = callboard_board::open(&home.board()).unwrap();
    let amounts = || {
        let limits = store.read_now(|c| limits_list(c)).unwrap();
        limits.iter().map(|limit| limit.amount).collect::<Vec<_>>()
    };
    assert_eq!(amounts(), [5_000_000]);
    assigner.close();
    assert_eq!(assigner.ended().0, 0);

    let changed = CONFIG.replace("5.00", "7.50");
    home.write(&home.path().join("config/callboard/config.toml"), &changed);
    let mut again = home.server("assigner").hello();
    assert_eq!(amounts(), [7_500_000]);
    again.close();
    assert_eq!(again.ended().0, 0);
}
