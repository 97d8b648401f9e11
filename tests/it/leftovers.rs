//! What lies around: a person's lines beside our ticks, processes that dropped every mark, files that the
//! tests made.

use callboard_tests::{Home, Running, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::time::Duration;

fn project(home: &Home, tests: &str) -> PathBuf {
    home.repository(
        "shop",
        &[
            ("ROADMAP.md", "# Plan\n\n- [ ] alpha\n- [ ] beta\n"),
            ("test.sh", tests),
        ],
    )
}

fn agent(home: &Home, script: &str) -> String {
    let path = home.path().join("agent.sh");
    home.write(&path, script);
    format!("sh {}", path.display())
}

const WORK: &str = "cat >/dev/null\necho done > \"$CALLBOARD_ITEM.txt\"\n";

fn run(home: &Home, repo: &Path, agent: &str) -> callboard_tests::Finished {
    home.callboard(&["run", repo.to_str().unwrap(), "--agent", agent])
}

#[test]
fn an_item_added_right_below_our_ticks_is_worked() {
    let home = Home::new();
    let repo = project(&home, "exit 0\n");
    let agent = agent(&home, WORK);
    assert_eq!(run(&home, &repo, &agent).code, 0);

    let roadmap = repo.join("ROADMAP.md");
    let text = std::fs::read_to_string(&roadmap).unwrap();
    home.write(&roadmap, &format!("{text}- [ ] gamma\n"));
    home.git(&repo, &["commit", "-qam", "docs: plan gamma"]);
    let second = run(&home, &repo, &agent);
    assert_eq!(second.code, 0, "{second:?}");
    assert!(second.out.contains("3 done"), "{}", second.out);
    let worked = home.git(&repo, &["show", "callboard/integration:ROADMAP.md"]);
    assert_eq!(worked, "# Plan\n\n- [x] alpha\n- [x] beta\n- [x] gamma");
    home.git(
        &repo,
        &[
            "merge-base",
            "--is-ancestor",
            "main",
            "callboard/integration",
        ],
    );
    home.git(&repo, &["show", "callboard/integration:gamma.txt"]);
}

#[test]
fn what_the_tests_leave_behind_is_not_committed() {
    let home = Home::new();
    let repo = project(&home, "mkdir -p cache && date +%N > cache/result\n");
    let done = run(&home, &repo, &agent(&home, WORK));
    assert_eq!(done.code, 0, "{done:?}");
    let files = home.git(
        &repo,
        &["ls-tree", "-r", "--name-only", "callboard/integration"],
    );
    assert_eq!(files, "ROADMAP.md\nalpha.txt\nbeta.txt\ntest.sh");
    assert_eq!(
        home.git(&repo, &["for-each-ref", "refs/callboard/kept"]),
        ""
    );
}

/// Processes with this command line.
fn called(words: &str) -> Vec<u32> {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).replace('\0', " ").trim() == words)
        })
        .collect()
}

#[test]
fn a_process_without_any_mark_is_found_where_it_stands() {
    let home = Home::new();
    let repo = project(&home, "exit 0\n");
    let number = 100_000 + std::process::id();
    let sleeper = format!("sleep {number}");
    let stray = agent(
        &home,
        &format!("setsid -f env -i {sleeper}\nexec sleep 600\n"),
    );
    let mut command = home.command("callboard");
    command.args([
        "run",
        repo.to_str().unwrap(),
        "--agents",
        "1",
        "--agent",
        &stray,
    ]);
    let running = Running::of(command);
    assert!(
        wait_until(Duration::from_secs(30), || !called(&sleeper).is_empty()),
        "never started"
    );

    let supervisors = callboard_tests::marked_processes("CALLBOARD_ATTEMPT=")
        .into_iter()
        .filter(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
                stat.rsplit_once(')').is_some_and(|(_, rest)| {
                    rest.split_whitespace().nth(1) == Some(&running.pid().to_string())
                })
            })
        });
    let supervisors: Vec<Pid> = supervisors
        .map(|pid| Pid::from_raw(i32::try_from(pid).unwrap()).unwrap())
        .collect();
    // Held first: a supervisor that sees its parent end clears up before it can be killed itself.
    for &pid in &supervisors {
        let _ = kill_process(pid, Signal::STOP);
    }
    running.signal(Signal::KILL);
    for &pid in &supervisors {
        let _ = kill_process(pid, Signal::KILL);
    }
    let _ = running.finish();
    assert!(!called(&sleeper).is_empty(), "nothing is left to be found");

    let done = run(&home, &repo, &agent(&home, WORK));
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        wait_until(Duration::from_secs(5), || called(&sleeper).is_empty()),
        "{:?}",
        called(&sleeper)
    );
}
