use super::*;
use callboard_config::{ProjectFile, Projects};
use callboard_store::Options;
use std::process::Command;
use std::time::{Duration, Instant};

struct Rig {
    dir: tempfile::TempDir,
}

/// A machine with a home, a project that is a repository, and a `bin` with these programs.
fn rig(programs: &[(&str, &str)]) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig { dir };
    std::fs::create_dir_all(rig.path("project/.git")).unwrap();
    std::fs::create_dir(rig.path("bin")).unwrap();
    for (name, script) in programs {
        install(&rig.path(&format!("bin/{name}")), script);
    }
    rig
}

/// Another process writes the script: while a thread of ours starts a program, no file that we have open for
/// writing can be executed.
#[expect(clippy::disallowed_methods, reason = "a test makes a program")]
fn install(path: &Path, script: &str) {
    let write = r#"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod +x "$1""#;
    let status = Command::new("/bin/sh")
        .args(["-c", write, "sh"])
        .arg(path)
        .arg(script)
        .status();
    assert!(status.unwrap().success());
}

const GIT: (&str, &str) = ("git", "echo git version 2.39.5");

impl Rig {
    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn put(&self, below: &str, text: &str) {
        std::fs::create_dir_all(self.path(below).parent().unwrap()).unwrap();
        let mut file = std::fs::File::create(self.path(below)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn environment(&self) -> Environment {
        let vars = [("HOME", self.path("home")), ("PATH", self.path("bin"))];
        Environment::of(vars, self.path("project"))
    }

    fn answer(&self) -> Answer {
        let args = DoctorArgs {
            path: None,
            json: false,
        };
        examine(&args, &self.environment())
    }

    fn check(&self, name: &str) -> Check {
        let found = self
            .answer()
            .checks
            .into_iter()
            .find(|check| check.name == name);
        found.unwrap_or_else(|| panic!("no check {name}"))
    }
}

#[test]
fn a_machine_with_git_alone_is_healthy() {
    let rig = rig(&[GIT]);
    let answer = rig.answer();
    assert!(answer.healthy, "{:#?}", answer.checks);
    assert_eq!(rig.check("git").found, "git version 2.39.5");
    let gh = rig.check("gh");
    assert_eq!(gh.state, State::Missing);
    assert!(!gh.advice.is_empty() && !gh.needed_by.is_empty());
    assert!(!rig.path("home").exists(), "looking must create nothing");
}

#[test]
fn every_missing_program_says_who_needs_it_and_what_to_type() {
    for check in rig(&[GIT]).answer().checks {
        if check.group == "programs" {
            assert!(!check.needed_by.is_empty(), "{}", check.name);
            assert!(
                check.state == State::Ok || !check.advice.is_empty(),
                "{}",
                check.name
            );
        }
    }
}

#[test]
fn git_is_needed_and_must_be_new_enough() {
    assert_eq!(rig(&[]).check("git").state, State::Problem);
    let old = rig(&[("git", "echo git version 2.37.9 (Apple Git-1)")]);
    assert_eq!(old.check("git").state, State::Problem);
    assert!(old.check("git").advice.contains("2.38"));
    assert!(!old.answer().healthy);
    assert_eq!(rig(&[("git", "exit 1")]).check("git").state, State::Problem);
}

#[test]
fn what_to_type_fits_the_machine() {
    let apt = rig(&[GIT, ("apt-get", "")]);
    assert_eq!(apt.check("tmux").advice, "sudo apt-get install tmux");
    let brew = rig(&[GIT, ("brew", "")]);
    assert_eq!(brew.check("psql").advice, "brew install libpq");
}

#[test]
fn gh_may_be_there_and_not_logged_in() {
    let rig = rig(&[GIT, ("gh", "test \"$1\" != auth && echo gh version 2.23.0")]);
    assert_eq!(rig.check("gh").state, State::Ok);
    assert_eq!(rig.check("gh login").advice, "gh auth login");
}

#[test]
fn a_program_that_hangs_is_ended_with_its_children() {
    let rig = rig(&[
        GIT,
        ("tmux", "/bin/sleep 600 & echo $! > \"$HOME/child\"; wait"),
    ]);
    std::fs::create_dir(rig.path("home")).unwrap();
    let check = rig.check("tmux");
    assert_eq!(check.state, State::Note);
    assert!(check.found.contains("does not answer"), "{}", check.found);
    let child = std::fs::read_to_string(rig.path("home/child")).unwrap();
    let dead = || match std::fs::read_to_string(format!("/proc/{}/stat", child.trim())) {
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    };
    // A killed process is gone when the kernel comes to it.
    let deadline = Instant::now() + Duration::from_secs(20);
    while !dead() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(dead(), "the child is still there");
}

#[test]
fn a_program_that_leaves_its_pipe_open_is_no_trouble() {
    let rig = rig(&[
        GIT,
        (
            "tmux",
            "/bin/sleep 600 & echo $! > \"$HOME/child\"; echo tmux 3.3a",
        ),
    ]);
    std::fs::create_dir(rig.path("home")).unwrap();
    assert_eq!(rig.check("tmux").found, "tmux 3.3a");
    let child = std::fs::read_to_string(rig.path("home/child")).unwrap();
    let child = rustix::process::Pid::from_raw(child.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(child, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn every_problem_of_the_configuration_is_told() {
    let rig = rig(&[GIT]);
    rig.put("home/.config/callboard/config.toml", "[run]\nagnets = 2\n");
    rig.put("project/callboard.toml", "[tests]\ntimeout = 3\n");
    let problems: Vec<String> = rig
        .answer()
        .checks
        .into_iter()
        .filter(|check| check.state == State::Problem)
        .map(|check| check.found)
        .collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("config.toml:2: run.agnets"));
    assert!(problems[1].contains("callboard.toml:2: tests.timeout"));
}

#[test]
fn an_untrusted_project_is_a_note_with_what_to_type() {
    let rig = rig(&[GIT]);
    rig.put("project/callboard.toml", "[tests]\ncommand = \"make\"\n");
    let trust = rig.check("trust");
    assert_eq!(trust.state, State::Note);
    assert!(trust.found.contains("callboard trust"), "{}", trust.found);
    assert!(rig.answer().healthy);
}

#[test]
fn registered_projects_and_their_trust() {
    let rig = rig(&[GIT]);
    rig.put("project/callboard.toml", "[tests]\ncommand = \"make\"\n");
    let root = rig.path("project").canonicalize().unwrap();
    let name = root.display().to_string();
    let register = Projects::of(&rig.environment()).unwrap();
    let file = ProjectFile::read(&root).unwrap().unwrap();
    register.trust(&root, &file.sha256).unwrap();
    assert_eq!(rig.check(&name).found, "trusted");
    rig.put("project/callboard.toml", "[tests]\ncommand = \"other\"\n");
    assert!(rig.check(&name).found.contains("changed"));
    std::fs::remove_dir_all(&root).unwrap();
    let args = DoctorArgs {
        path: Some("/".into()),
        json: false,
    };
    let gone = examine(&args, &rig.environment());
    assert!(gone.healthy && gone.checks.iter().any(|check| check.found == "is gone"));
}

#[test]
fn a_board_that_cannot_be_written_stops_everything() {
    let rig = rig(&[GIT]);
    rig.put("home/.local/share/callboard", "a file in its place");
    let check = rig.check("directory");
    assert_eq!(check.state, State::Problem);
    assert!(check.advice.contains("--board"), "{}", check.advice);
}

#[test]
fn a_board_from_the_future_is_told() {
    let rig = rig(&[GIT]);
    let board = rig.path("home/.local/share/callboard");
    std::fs::create_dir_all(&board).unwrap();
    let options = || Options {
        signal_dir: None,
        ..Options::board(&board)
    };
    drop(callboard_board::open_with(options()).unwrap());
    assert_eq!(rig.check("schema").state, State::Ok);
    let mut newer = callboard_scheduling::MIGRATIONS.to_vec();
    let last = newer[newer.len() - 1];
    newer.push(callboard_store::Migration {
        component: last.component,
        version: last.version + 1,
        sql: "CREATE TABLE later (x INTEGER)",
    });
    drop(callboard_store::Store::open(options(), &[&newer]).unwrap());
    assert_eq!(rig.check("schema").state, State::Problem);
}

#[test]
fn an_agent_whose_program_is_missing() {
    let rig = rig(&[GIT]);
    rig.put(
        "home/.config/callboard/config.toml",
        "[run]\nagent = \"b\"\n[agents.a]\ncommand = \"nowhere-to-be-found\"\n",
    );
    assert_eq!(rig.check("agent a").state, State::Missing);
    assert_eq!(rig.check("run.agent").state, State::Problem);
}

#[test]
fn both_forms_tell_the_same() {
    let rig = rig(&[GIT]);
    rig.put("project/callboard.toml", "[run]\nagents = 2\n");
    let run = |json| {
        let mut out = Vec::new();
        let code = doctor(
            &DoctorArgs { path: None, json },
            &rig.environment(),
            &mut out,
        )
        .unwrap();
        assert_eq!(code, ExitCode::SUCCESS);
        String::from_utf8(out).unwrap()
    };
    let text = run(false);
    assert!(
        text.contains("No problems") && text.contains("run.agents = 2"),
        "{text}"
    );
    let json: serde_json::Value = serde_json::from_str(&run(true)).unwrap();
    assert_eq!(json["healthy"], true);
    for check in json["checks"].as_array().unwrap() {
        assert!(text.contains(check["name"].as_str().unwrap()), "{check}");
    }
}

#[test]
fn a_token_that_a_commit_would_publish_is_told() {
    use callboard_store::actor::{Actor, scope_now};
    let rig = rig(&[GIT]);
    let environment = rig.environment();
    let store = callboard_board::open(&environment.default_board().unwrap()).unwrap();
    let make = || {
        let actor = std::sync::Arc::new(Actor::command("ada", "token header"));
        scope_now(actor, || crate::token::local::ensure(&environment, &store)).unwrap()
    };
    assert_eq!(make().kept_out, None);
    assert_eq!(rig.check("your token").state, State::Ok);
    std::fs::create_dir(rig.path("home/.git")).unwrap();
    let told = rig.check("your token");
    assert_eq!(told.state, State::Note);
    assert!(told.found.contains("does not ignore it"), "{}", told.found);
    assert!(make().kept_out.is_some());
    assert_eq!(rig.check("your token").state, State::Ok);
}
