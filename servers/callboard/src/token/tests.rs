use super::*;
use callboard_mcp::access::{LOCAL_NAME, token_get};
use callboard_telemetry::audit::{AuditFilter, audit_list};
use clap::Parser;
use std::os::unix::fs::PermissionsExt;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: TokenArgs,
}

struct Rig {
    dir: tempfile::TempDir,
    environment: Environment,
}

fn rig() -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let vars = [
        ("HOME", dir.path().as_os_str().to_owned()),
        ("USER", "ada".into()),
    ];
    let environment = Environment::of(vars, dir.path());
    Rig { dir, environment }
}

impl Rig {
    fn run(&self, line: &[&str]) -> anyhow::Result<String> {
        let args = Line::try_parse_from([&["token"], line].concat())?.args;
        let mut out = Vec::new();
        token(&args, &self.environment, &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join(".local/share/callboard/token")
    }

    fn store(&self) -> Store {
        callboard_board::open(&self.environment.default_board().unwrap()).unwrap()
    }

    fn rows(&self) -> Vec<(String, String)> {
        let rows = self.store().read_now(token_list).unwrap();
        rows.iter()
            .map(|row| {
                (
                    row.name.clone(),
                    state(row, SystemClock.now_ms()).to_owned(),
                )
            })
            .collect()
    }
}

fn has(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(one, two): &(&str, &str)| ((*one).to_owned(), (*two).to_owned());
    pairs.iter().map(own).collect()
}

#[test]
fn a_token_is_printed_once_and_only_its_hash_is_kept() {
    let rig = rig();
    let text = rig.run(&["add", "ci", "--role", "viewer"]).unwrap();
    let token = TokenText::parse(text.trim()).unwrap();
    let row = rig
        .store()
        .read_now(|c| token_get(c, token.id()))
        .unwrap()
        .unwrap();
    assert!(row.is_of(&token) && row.role == Role::Viewer);
    let secret = token.reveal().rsplit_once('_').unwrap().1.to_owned();
    for entry in std::fs::read_dir(rig.dir.path().join(".local/share/callboard")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{}", path.display());
    }
    for shown in [rig.run(&["list"]), rig.run(&["list", "--json"])] {
        let shown = shown.unwrap();
        assert!(
            shown.contains("ci") && shown.contains(token.id()),
            "{shown}"
        );
        assert!(!shown.contains(&secret), "{shown}");
    }
}

#[test]
fn a_key_for_the_gateway_says_for_whom_it_is() {
    let rig = rig();
    let line = [
        "add",
        "bot",
        "--gateway",
        "--agent",
        "claude-1",
        "--task",
        "t_1",
    ];
    rig.run(&line).unwrap();
    rig.run(&["add", "any", "--gateway"]).unwrap();
    let listed = rig.run(&["list"]).unwrap();
    assert!(
        listed.contains("gateway (agent claude-1, task t_1)"),
        "{listed}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&rig.run(&["list", "--json"]).unwrap()).unwrap();
    let tokens = json["tokens"].as_array().unwrap();
    let bot = tokens.iter().find(|row| row["name"] == "bot").unwrap();
    assert_eq!(bot["gateway"]["agent"], "claude-1");
    assert_eq!(bot["gateway"]["work_role"], serde_json::Value::Null);
    assert_eq!(bot["role"], serde_json::Value::Null);
    for line in [
        &["add", "x", "--agent", "a"][..],
        &["add", "x", "--gateway", "--role", "admin"],
        &["add", "x", "--gateway", "--agent", ""],
        &["add", "x", "--work-role", "reviewer"],
        &["add", "x", "--gateway", "--work-role", ""],
    ] {
        assert!(rig.run(line).is_err(), "{line:?}");
    }
}

#[test]
fn a_key_says_its_role_of_work_and_one_that_no_route_knows_is_told() {
    let rig = rig();
    rig.run(&["add", "bot", "--gateway", "--work-role", "reviewer"])
        .unwrap();
    let listed = rig.run(&["list"]).unwrap();
    assert!(listed.contains("gateway (work role reviewer)"), "{listed}");
    let json: serde_json::Value =
        serde_json::from_str(&rig.run(&["list", "--json"]).unwrap()).unwrap();
    assert_eq!(json["tokens"][0]["gateway"]["work_role"], "reviewer");

    let board = Board { board: None };
    let told = |role: &str| unknown_role(&config(&rig.environment, &board).unwrap(), Some(role));
    assert!(told("reviewer").unwrap().contains("none is configured"));
    let file = rig.dir.path().join(".config/callboard/config.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let text = "[providers.ollama]\n[routes.work]\ncandidates = [\"ollama/m\"]\n\
                [routes.work.roles]\narchitect = \"complex\"\nreviewer = \"standard\"\n";
    let mut kept = std::fs::File::create(&file).unwrap();
    kept.write_all(text.as_bytes()).unwrap();
    assert_eq!(told("reviewer"), None);
    let told = told("revewer").unwrap();
    assert!(told.contains("there are architect, reviewer"), "{told}");
}

#[test]
fn what_is_wrong_is_told() {
    let rig = rig();
    rig.run(&["add", "ci"]).unwrap();
    for (line, word) in [
        (&["add", "ci"][..], "already"),
        (&["add", "a b"], "name"),
        (&["add", "x", "--expires", "400d"], "366 days"),
        (&["add", "x", "--expires", "1s"], "minute"),
        (&["add", "x", "--role", "root"], "viewer, developer"),
        (&["revoke", "nobody"], "token list"),
    ] {
        let error = rig.run(line).unwrap_err().to_string();
        assert!(error.contains(word), "{line:?}: {error}");
    }
    assert_eq!(rig.rows(), has(&[("ci", "good")]));
}

#[test]
fn every_change_is_in_the_audit_with_who_made_it() {
    let rig = rig();
    rig.run(&["add", "ci"]).unwrap();
    rig.run(&["revoke", "ci"]).unwrap();
    rig.run(&["header"]).unwrap();
    let rows = rig
        .store()
        .read_now(|c| audit_list(c, &AuditFilter::default(), 10))
        .unwrap();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| [&row.verb, &row.name, &row.via, &row.action].map(String::as_str))
        .collect();
    assert_eq!(
        rows,
        [
            ["token_add", "ada", "cli", "token add"],
            ["token_revoke", "ada", "cli", "token revoke"],
            ["token_add", "ada", "cli", "token header"],
        ]
    );
}

#[test]
fn the_users_own_is_made_once_and_for_nobody_elses_eyes() {
    let rig = rig();
    let header = rig.run(&["header"]).unwrap();
    let value: serde_json::Value = serde_json::from_str(&header).unwrap();
    let shown = value["Authorization"].as_str().unwrap();
    let text = std::fs::read_to_string(rig.file()).unwrap();
    assert_eq!(shown, format!("Bearer {}", text.trim()));
    assert_eq!(value.as_object().unwrap().len(), 1);
    let mode = rig.file().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(rig.run(&["header"]).unwrap(), header);
    assert_eq!(rig.run(&["header", "--plain"]).unwrap(), text);
    assert_eq!(rig.rows(), has(&[(LOCAL_NAME, "good")]));
    let listed = rig.run(&["list"]).unwrap();
    assert!(listed.contains("no end"), "{listed}");
    assert!(!listed.contains("revoked"), "{listed}");
}

#[test]
fn one_that_was_revoked_is_replaced() {
    let rig = rig();
    let first = rig.run(&["header", "--plain"]).unwrap();
    rig.run(&["revoke", LOCAL_NAME]).unwrap();
    let second = rig.run(&["header", "--plain"]).unwrap();
    assert_ne!(first, second);
    assert_eq!(
        rig.rows(),
        has(&[(LOCAL_NAME, "good"), (LOCAL_NAME, "revoked")])
    );
    // A lost file: the token on the board opens nothing any more.
    std::fs::remove_file(rig.file()).unwrap();
    let third = rig.run(&["header", "--plain"]).unwrap();
    assert_ne!(second, third);
    let good = rig
        .rows()
        .iter()
        .filter(|(_, state)| state == "good")
        .count();
    assert_eq!(good, 1);
}

#[test]
fn the_same_one_is_good_on_each_board_of_the_user() {
    let rig = rig();
    let other = rig.dir.path().join("other");
    let here = rig.run(&["header"]).unwrap();
    let there = rig
        .run(&["header", "--board", other.to_str().unwrap()])
        .unwrap();
    assert_eq!(here, there);
    assert!(!other.join("token").exists());
    let token = std::fs::read_to_string(rig.file()).unwrap();
    let token = TokenText::parse(token.trim()).unwrap();
    let store = callboard_board::open(&other).unwrap();
    let row = store.read_now(|c| token_get(c, token.id())).unwrap();
    assert!(row.unwrap().is_of(&token));
}

#[test]
fn a_file_that_others_can_read_or_that_is_none_is_refused() {
    let rig = rig();
    rig.run(&["header"]).unwrap();
    let open_to_all = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(rig.file(), open_to_all).unwrap();
    let error = rig.run(&["header"]).unwrap_err().to_string();
    assert!(error.contains("can be read by others"), "{error}");
    std::fs::remove_file(rig.file()).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", rig.file()).unwrap();
    assert!(rig.run(&["header"]).is_err());
}
