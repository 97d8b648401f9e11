//! The whole tree ends: at the command's end, at its limit, when asked, and when we or the supervisor are killed.

use std::time::Duration;

use callboard_console::{Outcome, ProcessId, Spec, Stop, spawn};

use crate::stage::{PATH, Stage, bounded, supervisor, until};

/// Starts, in a new session and without our mark, a process that ignores SIGTERM and holds the output open; its number
/// goes to the file `daemon`. Returns when it is there. Without that file it ends by itself.
const DAEMON: &str = r#"
( ( env -i PATH="$PATH" setsid sh -c 'trap "" TERM HUP INT; echo $$ >daemon.new; mv daemon.new daemon; while [ -e daemon ]; do sleep 1; done' & ) & )
until [ -e daemon ]; do sleep 0.01; done
"#;

#[tokio::test]
async fn a_daemon_does_not_outlive_the_command() {
    let stage = Stage::new();
    let spec = Spec {
        grace: Duration::from_millis(50),
        ..stage.script(&format!("{DAEMON} echo over; exit 5"))
    };
    let ending = stage.run(spec).await;
    assert_eq!(ending.outcome, Outcome::Exited(5));
    assert!(
        ending.leftovers_ended >= 2 && ending.survivors == 0,
        "{ending:?}"
    );
    assert!(!stage.process_in("daemon").is_alive());
    assert_eq!(stage.log(), "over\n");
    stage.until_none_is_left();
}

#[tokio::test]
async fn leftovers_may_clean_up_after_themselves() {
    let stage = Stage::new();
    let tidy = r#"
        sh -c 'trap "echo tidied; exit" TERM; echo ready >ready; while :; do sleep 0.01; done' &
        until [ -e ready ]; do sleep 0.01; done"#;
    let ending = stage.run(stage.script(tidy)).await;
    assert_eq!(ending.outcome, Outcome::Exited(0));
    assert!(stage.log().ends_with("tidied\n"), "{}", stage.log());
}

#[tokio::test]
async fn a_chain_of_processes_that_fork_and_exit_is_caught() {
    let stage = Stage::new();
    // The file lets the storm end even if the supervisor fails.
    std::fs::File::create(stage.path("go")).unwrap();
    let storm = "f() { [ -e go ] && { : >gust; f & }; exit; }; f & f & f & \
        until [ -e gust ]; do :; done; exit 0";
    let ending = stage
        .run(Spec {
            grace: Duration::ZERO,
            ..stage.script(storm)
        })
        .await;
    assert_eq!((ending.outcome, ending.survivors), (Outcome::Exited(0), 0));
    assert!(ending.leftovers_ended >= 1, "{ending:?}");
    std::fs::remove_file(stage.path("gust")).unwrap();
    for _ in 0..50 {
        assert!(stage.marked().is_empty());
    }
    assert!(!stage.path("gust").exists(), "it storms on");
}

#[tokio::test]
async fn a_wide_tree_in_sessions_of_its_own_is_ended() {
    let stage = Stage::new();
    let wide =
        "i=0; while [ $i -lt 100 ]; do setsid sleep 1000 & i=$((i+1)); done; echo all; sleep 1000";
    let mut running = stage.start(stage.script(wide)).await;
    until("all are started", || stage.marked().len() >= 103);
    let ending = bounded(running.stop(Stop::Now)).await;
    assert_eq!((ending.outcome, ending.survivors), (Outcome::Stopped, 0));
    assert!(stage.marked().is_empty());
}

#[tokio::test]
async fn the_time_limit_ends_what_ignores_being_asked() {
    let stage = Stage::new();
    let stubborn = format!("trap '' TERM; {DAEMON} while :; do sleep 1000; done");
    let limits = (Some(Duration::from_secs(3)), Duration::from_millis(200));
    let ending = stage
        .run(Spec {
            timeout: limits.0,
            grace: limits.1,
            ..stage.script(&stubborn)
        })
        .await;
    assert_eq!((ending.outcome, ending.survivors), (Outcome::TimedOut, 0));
    assert!(ending.duration_ms >= 3200, "{ending:?}");
    assert!(stage.marked().is_empty());
    assert!(!stage.process_in("daemon").is_alive());
}

#[tokio::test]
async fn the_time_limit_asks_first() {
    let stage = Stage::new();
    let polite = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let ending = stage
        .run(Spec {
            timeout: Some(Duration::from_secs(3)),
            ..stage.script(polite)
        })
        .await;
    assert_eq!(ending.outcome, Outcome::TimedOut);
    let log = stage.log();
    assert!(
        log.starts_with("ready\n") && log.ends_with("bye\n"),
        "{log}"
    );
}

#[tokio::test]
async fn a_stopped_process_can_be_asked_too() {
    let stage = Stage::new();
    let frozen =
        "trap 'echo bye; exit 0' TERM; echo $$ >me; kill -STOP $$; while :; do sleep 0.01; done";
    let mut running = stage.start(stage.script(frozen)).await;
    let me = stage.process_in("me");
    until("it is stopped", || {
        std::fs::read_to_string(format!("/proc/{}/stat", me.pid))
            .is_ok_and(|stat| stat.contains(") T "))
    });
    assert_eq!(
        bounded(running.stop(Stop::Graceful)).await.outcome,
        Outcome::Stopped
    );
    assert!(stage.log().ends_with("bye\n"), "{}", stage.log());
}

#[tokio::test]
async fn a_graceful_stop_asks_and_a_hard_one_does_not() {
    for (how, said_bye) in [(Stop::Graceful, true), (Stop::Now, false)] {
        let stage = Stage::new();
        let polite = "trap 'echo bye; exit 0' TERM; echo $$ >me; while :; do sleep 0.01; done";
        let mut running = stage.start(stage.script(polite)).await;
        assert_eq!(stage.process_in("me").pid, running.pid());
        assert_eq!(bounded(running.stop(how)).await.outcome, Outcome::Stopped);
        assert_eq!(stage.log().contains("bye"), said_bye);
        assert!(stage.marked().is_empty());
    }
}

#[tokio::test]
async fn a_hard_stop_overtakes_a_graceful_one() {
    let stage = Stage::new();
    let stubborn = "trap 'echo asked' TERM; echo $$ >me; while :; do sleep 0.01; done";
    let mut running = stage
        .start(Spec {
            grace: Duration::from_secs(3600),
            ..stage.script(stubborn)
        })
        .await;
    stage.process_in("me");
    tokio::select! {
        ending = running.stop(Stop::Graceful) => panic!("it ended: {ending:?}"),
        () = asked(&stage) => {}
    }
    assert_eq!(
        bounded(running.stop(Stop::Now)).await.outcome,
        Outcome::Stopped
    );
    assert!(stage.marked().is_empty());
}

async fn asked(stage: &Stage) {
    let look = async {
        while !stage.log().contains("asked") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    bounded(look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_handle_ends_the_tree() {
    let stage = Stage::new();
    let running = stage
        .start(stage.script(&format!("trap '' TERM; {DAEMON} sleep 1000")))
        .await;
    let daemon = stage.process_in("daemon");
    drop(running);
    stage.until_none_is_left();
    until("the daemon ended", || !daemon.is_alive());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_a_start_ends_what_it_started() {
    let stage = Stage::new();
    for delay in [0, 1, 2, 4, 8] {
        let start = spawn(supervisor(), stage.script("sleep 1000"));
        let _ = tokio::time::timeout(Duration::from_millis(delay), start).await;
    }
    stage.until_none_is_left();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_runtime_ends_the_tree() {
    let stage = Stage::new();
    let spec = stage.script(&format!("{DAEMON} sleep 1000"));
    let daemon = std::thread::scope(|threads| {
        let short_life = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let running = runtime.block_on(stage.start(spec));
            let daemon = stage.process_in("daemon");
            drop(runtime);
            drop(running);
            daemon
        };
        threads.spawn(short_life).join().unwrap()
    });
    stage.until_none_is_left();
    until("the daemon ended", || !daemon.is_alive());
}

#[expect(
    clippy::disallowed_methods,
    reason = "an owner to be killed can't be this process"
)]
fn owner(stage: &Stage, script: &str) -> std::process::Child {
    let mut command = std::process::Command::new(supervisor());
    command
        .arg("log")
        .arg(format!("PATH={PATH}"))
        .arg(format!("CALLBOARD_ATTEMPT={}", stage.mark));
    command
        .args(["/bin/sh", "-c", script])
        .current_dir(stage.path(""))
        .env_clear();
    command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn our_own_sudden_death_ends_the_tree() {
    let stage = Stage::new();
    let mut owner = owner(
        &stage,
        &format!("trap '' TERM; {DAEMON} sleep 1000 & sleep 1000"),
    );
    let daemon = stage.process_in("daemon");
    until("it runs", || stage.marked().len() >= 4);
    owner.kill().unwrap();
    owner.wait().unwrap();
    stage.until_none_is_left();
    until("the daemon ended", || !daemon.is_alive());
}

#[test]
fn a_command_can_be_tried_by_hand() {
    let stage = Stage::new();
    let output = owner(&stage, "echo hello; exit 3")
        .wait_with_output()
        .unwrap();
    let ending: callboard_console::Ending = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (ending.outcome, output.status.code()),
        (Outcome::Exited(3), Some(1))
    );
    assert_eq!(stage.log(), "hello\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_supervisor_is_noticed_and_its_tree_ended() {
    let stage = Stage::new();
    let in_session =
        "echo hello; env -i /bin/sleep 1000 & setsid sleep 1000 & echo $! >other; sleep 1000";
    let mut running = stage.start(stage.script(in_session)).await;
    stage.process_in("other");
    until("it runs", || stage.marked().len() >= 4);
    let session = running.pid();
    kill(running.supervisor().unwrap());
    let ending = bounded(running.wait()).await;
    assert_eq!(
        (ending.outcome, ending.log_bytes),
        (Outcome::SupervisorLost, 6)
    );
    assert!(stage.marked().is_empty());
    assert!(!running.process().is_alive());
    until("the session is empty", || !session_has_members(session));
}

fn session_has_members(session: u32) -> bool {
    let numbers = std::fs::read_dir("/proc").unwrap().flatten();
    numbers
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
        .any(|stat| {
            let fields: Vec<&str> = stat
                .rsplit(')')
                .next()
                .unwrap()
                .split_whitespace()
                .collect();
            fields[0] != "Z" && fields[3] == session.to_string()
        })
}

fn kill(process: ProcessId) {
    let pid = rustix::process::Pid::from_raw(process.pid as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
