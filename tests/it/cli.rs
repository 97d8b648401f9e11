//! The command itself: stopping and going on, output for people and for programs, and the everyday chores.

use crate::workshop::{TESTS, WAIT_FOR, WITNESS, WORK, Workshop, attempts, item, report, roadmap};
use callboard_tests::{Finished, Home, Running, binary, wait_until};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SUBCOMMANDS: [&str; 16] = [
    "run",
    "assigner",
    "roadmap",
    "llm",
    "telemetry",
    "backup",
    "restore",
    "init",
    "test",
    "evaluate",
    "doctor",
    "trust",
    "vault",
    "prices",
    "questions",
    "answer",
];

/// At work until it is ended, with a child that is deaf.
const ENDLESS: &str =
    "(trap '' INT TERM; while :; do sleep 0.2; done) &\n: >\"$HOME/seen/begun\"\nwait_for never\n";

fn start_in_a_group(shop: &Workshop, agent: &str, more: &[&str]) -> (Running, Pid) {
    let agent = shop.agent(agent);
    let mut command = shop.home.command("callboard");
    command
        .args(["run", shop.root.to_str().unwrap(), "--agent", &agent])
        .args(more)
        .process_group(0);
    let running = Running::of(command);
    let group = Pid::from_raw(i32::try_from(running.pid()).unwrap()).unwrap();
    (running, group)
}

#[test]
fn ctrl_c_stops_cleanly_and_the_next_run_goes_on() {
    for signal in [Signal::INT, Signal::TERM] {
        let shop = Workshop::new(&[("Alpha part", ""), ("Beta part", "")]);
        let endless = format!("{WITNESS}{WAIT_FOR}{WORK}{ENDLESS}");
        let (running, group) = start_in_a_group(&shop, &endless, &["--agents", "1"]);
        shop.await_seen("begun");
        // What a terminal does: everything in the foreground gets it.
        kill_process_group(group, signal).unwrap();
        let stopped = running.finish();
        assert_eq!(stopped.code, 130, "{stopped:?}");
        let again = format!("callboard run {}", shop.root.display());
        assert!(
            stopped.out.contains("Nothing is lost") && stopped.out.contains(&again),
            "{}",
            stopped.out
        );
        shop.assert_tidy();

        let done = shop.run(&format!("{WITNESS}{WORK}"), &[]);
        assert_eq!(done.code, 0, "{done:?}");
        let report = report(&done);
        let first = item(&report, "priority-1");
        assert_eq!(attempts(&first), ["interrupted", "done"]);
        assert!(
            shop.seen("priority-1.1.env").contains("CALLBOARD_TRY=1"),
            "an interruption is no try"
        );
        assert!(!shop.seen("priority-1.1.stdin").contains("Earlier attempts"));
        assert_eq!(attempts(&item(&report, "priority-2")), ["done"]);
        shop.assert_tidy();
    }
}

#[test]
fn a_second_ctrl_c_ends_at_once_and_leaves_no_process() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let (mut running, group) =
        start_in_a_group(&shop, &format!("{WITNESS}{WAIT_FOR}{ENDLESS}"), &[]);
    shop.await_seen("begun");
    kill_process_group(group, Signal::INT).unwrap();
    // The first may be enough already; then there is nobody for the second.
    while !running.ended() {
        let _ = kill_process_group(group, Signal::INT);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(running.finish().code, 130);
    assert!(
        wait_until(Duration::from_secs(10), || shop.home.processes().is_empty()),
        "{:?}",
        shop.home.processes()
    );
    let done = shop.run(&format!("{WITNESS}{WORK}"), &[]);
    assert_eq!(done.code, 0, "{done:?}");
    shop.assert_tidy();
}

#[test]
fn json_is_an_object_a_line_from_the_start_to_the_report() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let done = shop.run(WORK, &[]);
    let events: Vec<Value> = done
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(events.iter().all(Value::is_object));
    let names: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        (names[0], names[names.len() - 1]),
        ("started", "finished"),
        "{names:?}"
    );
    let steps: Vec<&str> = events
        .iter()
        .filter_map(|event| event["step"].as_str())
        .collect();
    assert_eq!(steps, ["worktree", "agent", "tests", "commit", "merge"]);
    assert_eq!(
        events[names.len() - 1]["report"]["items"][0]["tests"],
        "passed (exit code 0)"
    );
}

#[test]
fn lines_tell_what_failed_and_how_to_go_on() {
    let shop = Workshop::new(&[("Alpha part", ""), ("Beta part", "")]);
    let agent = shop.agent(&format!(
        "{WORK}[ $CALLBOARD_ITEM = priority-1 ] || exit 3\n"
    ));
    let root = shop.root.to_str().unwrap();
    let done = shop
        .home
        .callboard(&["run", root, "--agent", &agent, "--attempts", "1"]);
    assert_eq!(done.code, 2, "{done:?}");
    for text in [
        "PRIORITY 1: Alpha part",
        "exit code 3",
        "its work is kept",
        "1 done, 1 failed",
        "callboard/integration at ",
        &format!("callboard run {root} --agent "),
        " --retry",
    ] {
        assert!(
            done.out.contains(text),
            "{text:?} is missing in\n{}",
            done.out
        );
    }
    assert!(
        !done.out.contains('\u{1b}'),
        "escape codes where there is no terminal"
    );
}

#[test]
fn a_roadmap_without_open_items_is_all_done() {
    let text = roadmap(&[("Alpha part", "")]).replace("📝 Planned", "✅ Done");
    let shop = Workshop::of(&[("ROADMAP.md", &text), ("test.sh", TESTS)]);
    let agent = shop.agent(WORK);
    let done = shop
        .home
        .callboard(&["run", shop.root.to_str().unwrap(), "--agent", &agent]);
    assert_eq!(
        (done.code, done.out.contains("no open item")),
        (0, true),
        "{done:?}"
    );
}

#[test]
fn help_is_there_for_everything() {
    let home = Home::new();
    let bare = home.callboard(&[]);
    assert_eq!(bare.code, 1, "{bare:?}");
    for name in SUBCOMMANDS {
        assert!(
            bare.err.contains(name) || bare.out.contains(name),
            "{name}: {bare:?}"
        );
        let help = home.callboard(&[name, "--help"]);
        assert_eq!(help.code, 0, "{name}: {help:?}");
        assert!(
            help.out.contains("Usage: callboard ") && help.out.lines().count() >= 5,
            "{name}: {}",
            help.out
        );
        let wrong = home.callboard(&[name, "--no-such-flag"]);
        assert_eq!(wrong.code, 1, "{name}: {wrong:?}");
        assert!(
            wrong.err.contains("--no-such-flag"),
            "{name}: {}",
            wrong.err
        );
    }
    assert_eq!(home.callboard(&["no-such-command"]).code, 1);
    let version = home.callboard(&["--version"]);
    assert_eq!(
        (version.code, version.out.trim()),
        (0, concat!("callboard ", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn a_flag_that_is_wrong_is_named_as_it_was_typed() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    for (flag, value) in [
        ("--agents", "0"),
        ("--attempts", "100"),
        ("--timeout", "0s"),
        ("--tests", "'unclosed"),
        ("--onto", "a b"),
        ("--roadmap", "/etc/passwd"),
    ] {
        let done = shop.run(WORK, &[flag, value]);
        assert!(matches!(done.code, 1 | 2), "{flag}: {done:?}");
        assert!(
            done.err.contains(&format!("{flag}:")) || done.err.contains(&format!("'{flag} ")),
            "{flag}: {}",
            done.err
        );
    }
}

#[test]
fn paths_with_spaces_and_letters_of_all_kinds() {
    let home = Home::new();
    let name = "mein großes 'Projekt' — 日本";
    let root = home.repository(
        name,
        &[
            ("ROADMAP.md", &roadmap(&[("Alpha part", "")])),
            ("test.sh", TESTS),
        ],
    );
    let script = home.path().join("agent dir").join("agent.sh");
    home.write(
        &script,
        &format!("set -eu\n[ ! -e \"$HOME/stop\" ] || exit 3\n{WORK}"),
    );
    home.write(&home.path().join("stop"), "");
    let board = home.path().join("das Brett");
    let agent = format!("sh '{}'", script.display());
    let args = [
        "run",
        root.to_str().unwrap(),
        "--board",
        board.to_str().unwrap(),
        "--agent",
        &agent,
        "--attempts",
        "1",
    ];
    let failed = home.callboard(&args);
    assert_eq!(failed.code, 2, "{failed:?}");
    std::fs::remove_file(home.path().join("stop")).unwrap();

    // What it says can be typed as it is; the board is remembered.
    let line = failed
        .out
        .lines()
        .find_map(|line| line.split_once("When that is done: "))
        .unwrap()
        .1
        .to_owned();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("{line} --json")])
        .current_dir(home.path())
        .env_clear();
    for (name, value) in home.command("callboard").get_envs() {
        shell.env(name, value.unwrap());
    }
    let bin = binary("callboard").parent().unwrap().display().to_string();
    shell.env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap()));
    let done = Running::of(shell).finish();
    assert_eq!(done.code, 0, "{line}: {done:?}");
    let alpha = item(&report(&done), "priority-1");
    assert_eq!(attempts(&alpha), ["failed", "done"]);
    assert!(
        alpha["attempts"][1]["log"]
            .as_str()
            .unwrap()
            .starts_with(board.to_str().unwrap()),
        "{alpha}"
    );
    assert!(
        !home.board().join("board.db").exists(),
        "only the named board was used"
    );
}

#[test]
fn a_run_from_below_the_root_works_the_whole_repository() {
    let shop = Workshop::of(&[
        ("ROADMAP.md", &roadmap(&[("Alpha part", "")])),
        ("test.sh", TESTS),
        ("src/deep/file", "x\n"),
    ]);
    let agent = shop.agent(WORK);
    let mut command = shop.home.command("callboard");
    command
        .args(["run", "--json", "--agent", &agent])
        .current_dir(shop.root.join("src/deep"));
    let done = Running::of(command).finish();
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        report(&done)["project"],
        shop.root.canonicalize().unwrap().to_str().unwrap()
    );
}

fn init(home: &Home, dir: &Path, more: &[&str]) -> Finished {
    let mut args = vec!["init", "--path", dir.to_str().unwrap()];
    args.extend(more);
    home.callboard(&args)
}

#[test]
fn init_adds_our_servers_and_keeps_everything_else() {
    let home = Home::new();
    let dir = home.path().join("project");
    let file = dir.join(".mcp.json");
    let theirs = "{\n    \"mcpServers\": {\n        \"other\": {\"command\": \"other\", \"env\": {\"A\": \"1\"}}\n    },\n    \"unknown\": [1,  2]\n}\n";
    home.write(&file, theirs);
    let dry = init(&home, &dir, &["--dry-run"]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        theirs,
        "a dry run writes nothing"
    );

    let done = init(&home, &dir, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let text = std::fs::read_to_string(&file).unwrap();
    for kept in [
        "\"other\": {\"command\": \"other\", \"env\": {\"A\": \"1\"}}",
        "\"unknown\": [1,  2]",
    ] {
        assert!(text.contains(kept), "{kept} is gone:\n{text}");
    }
    let servers: Value = serde_json::from_str::<Value>(&text).unwrap()["mcpServers"].clone();
    for name in ["assigner", "roadmap", "llm", "telemetry"] {
        let program = PathBuf::from(servers[name]["command"].as_str().unwrap());
        assert_eq!(
            program.canonicalize().unwrap(),
            binary("callboard").canonicalize().unwrap()
        );
        assert_eq!(servers[name]["args"], serde_json::json!([name]));
        let mut command = home.command("callboard");
        command.args(
            servers[name]["args"]
                .as_array()
                .unwrap()
                .iter()
                .map(|arg| arg.as_str().unwrap()),
        );
        drop(callboard_tests::Client::start(command).hello());
    }
    assert_eq!(init(&home, &dir, &[]).code, 0);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        text,
        "a second time changes nothing"
    );
}

#[test]
fn init_refuses_what_is_not_json_and_says_where() {
    let home = Home::new();
    let dir = home.path().join("project");
    let file = dir.join(".mcp.json");
    let broken = "{\n  \"mcpServers\": {\n    \"other\": {,}\n  }\n}\n";
    home.write(&file, broken);
    let done = init(&home, &dir, &[]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(
        done.err.contains(".mcp.json") && done.err.contains("line 3"),
        "{}",
        done.err
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), broken);
    assert_eq!(init(&home, &home.path().join("nowhere"), &[]).code, 1);
}

/// A PATH with git and nothing else.
fn only_git(home: &Home) -> PathBuf {
    let bin = home.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let git = std::env::split_paths(&path)
        .map(|dir| dir.join("git"))
        .find(|git| git.is_file())
        .unwrap();
    std::os::unix::fs::symlink(git, bin.join("git")).unwrap();
    bin
}

fn doctor(home: &Home, path: &Path, more: &[&str]) -> Finished {
    let mut command = home.command("callboard");
    command.arg("doctor").args(more).env("PATH", path);
    Running::of(command).finish()
}

#[test]
fn the_doctor_needs_git_alone_and_names_what_is_missing() {
    let home = Home::new();
    let bin = only_git(&home);
    let told = doctor(&home, &bin, &[]);
    assert_eq!(told.code, 0, "{told:?}");
    for name in ["git", "cargo", "gh", "claude", "missing"] {
        assert!(told.out.contains(name), "{name}: {}", told.out);
    }
    let json = doctor(&home, &bin, &["--json"]);
    let answer: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(answer["healthy"], true);
    let state = |name: &str| {
        let checks = answer["checks"].as_array().unwrap();
        checks
            .iter()
            .find(|check| check["name"] == name)
            .unwrap_or_else(|| panic!("{name}: {answer}"))["state"]
            .clone()
    };
    assert_eq!((state("git"), state("gh")), ("ok".into(), "missing".into()));
    assert!(!home.board().exists(), "the doctor makes nothing");

    let empty = home.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let ill = doctor(&home, &empty, &[]);
    assert_eq!(ill.code, 1, "{ill:?}");
    assert!(ill.out.contains("git"), "{}", ill.out);
}

#[test]
fn the_doctor_shows_a_board_at_work_and_a_broken_configuration() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    assert_eq!(shop.run(WORK, &[]).code, 0);
    let told = shop
        .home
        .callboard(&["doctor", "--path", shop.root.to_str().unwrap()]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(
        told.out.contains(shop.home.board().to_str().unwrap()),
        "{}",
        told.out
    );
    shop.home
        .write(&shop.root.join("callboard.toml"), "[run]\nagents = many\n");
    let told = shop
        .home
        .callboard(&["doctor", "--path", shop.root.to_str().unwrap()]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.out.contains("callboard.toml:2"), "{}", told.out);
}

#[test]
fn trust_needs_something_to_trust() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let done = shop.home.callboard(&["trust", shop.root.to_str().unwrap()]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.err.contains("callboard.toml"), "{}", done.err);
}
