//! Exit status, output, input, environment, and commands that can't be started.

use std::time::Duration;

use callboard_console::{ConsoleError, Outcome, Spec, Stop, spawn};

use crate::stage::{PATH, Stage, bounded, supervisor, until};

#[tokio::test]
async fn the_exit_code_is_reported_with_what_was_used() {
    let stage = Stage::new();
    let ending = stage.run(stage.script("exit 7")).await;
    assert_eq!(ending.outcome, Outcome::Exited(7));
    assert_eq!(
        (
            ending.leftovers_ended,
            ending.survivors,
            ending.log_bytes,
            ending.dropped_bytes
        ),
        (0, 0, 0, 0)
    );
    assert!(ending.max_rss_bytes.unwrap() > 100_000, "{ending:?}");
    assert!(ending.cpu_ms.is_some());
}

#[tokio::test]
async fn processor_time_of_grandchildren_counts() {
    let stage = Stage::new();
    let spin = "(i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done); exit 0";
    let ending = stage.run(stage.script(spin)).await;
    assert!(ending.cpu_ms.unwrap() >= 20, "{ending:?}");
    assert!(ending.duration_ms >= 20, "{ending:?}");
}

#[tokio::test]
async fn a_signal_is_not_an_exit_code() {
    let stage = Stage::new();
    assert_eq!(
        stage.run(stage.script("kill -9 $$")).await.outcome,
        Outcome::Signalled(9)
    );
}

#[tokio::test]
async fn both_outputs_land_in_the_log_in_the_order_written() {
    let stage = Stage::new();
    let ending = stage
        .run(stage.script("echo 1; echo 2 >&2; echo 3; echo 4 >&2"))
        .await;
    assert_eq!(stage.log(), "1\n2\n3\n4\n");
    assert_eq!(ending.log_bytes, 8);
}

#[tokio::test]
async fn a_second_command_appends_to_the_log() {
    let stage = Stage::new();
    stage.run(stage.script("echo first")).await;
    let ending = stage.run(stage.script("echo then")).await;
    assert_eq!(stage.log(), "first\nthen\n");
    assert_eq!(ending.log_bytes, 5);
}

#[tokio::test]
async fn the_log_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new();
    stage.run(stage.script("echo secret")).await;
    assert_eq!(
        stage.path("log").metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[tokio::test]
async fn a_long_output_keeps_head_and_tail_and_counts_the_rest() {
    let stage = Stage::new();
    let ending = stage
        .run(Spec {
            log_limit: 1001,
            ..stage.script("seq 1 200000")
        })
        .await;
    let log = stage.log();
    let written: usize = (1..=200_000_u32)
        .map(|number| number.to_string().len() + 1)
        .sum();
    assert!(log.starts_with("1\n2\n3\n"));
    assert!(log.ends_with("\n199999\n200000\n"));
    let marker = format!("\n[… {} bytes omitted …]\n", ending.dropped_bytes);
    let (head, tail) = log.split_once(&marker).expect("a marker line");
    assert_eq!((head.len(), tail.len()), (1001, 64 * 1024));
    assert_eq!(
        head.len() + tail.len() + ending.dropped_bytes as usize,
        written
    );
    assert_eq!(ending.log_bytes as usize, log.len());
}

#[tokio::test]
async fn the_environment_is_what_was_given_and_nothing_else() {
    let stage = Stage::new();
    let spec = stage.spec("env", &[]);
    stage
        .run(Spec {
            env: [spec.env.clone(), vec![("A".into(), "b = c\nd".into())]].concat(),
            ..spec
        })
        .await;
    let log = stage.log();
    assert_eq!(log.replace("A=b = c\nd\n", "").lines().count(), 2, "{log}");
    assert!(
        log.contains(&format!("PATH={PATH}\n"))
            && log.contains(&format!("CALLBOARD_ATTEMPT={}\n", stage.mark))
    );
}

#[tokio::test]
async fn nothing_secret_shows_in_the_process_list() {
    let stage = Stage::new();
    let mut spec = Spec {
        stdin: Some(b"hidden prompt".to_vec()),
        ..stage.script("cat; sleep 1000")
    };
    spec.env
        .push(("TOKEN".to_owned(), "hidden token".to_owned()));
    let debug = format!("{spec:?}");
    let mut running = stage.start(spec).await;
    let of_supervisor = |file: &str| {
        let path = format!("/proc/{}/{file}", running.supervisor().unwrap().pid);
        String::from_utf8(std::fs::read(path).unwrap()).unwrap()
    };
    let shown = [of_supervisor("cmdline"), of_supervisor("environ"), debug].concat();
    assert!(!shown.contains("hidden"), "{shown}");
    assert!(of_supervisor("environ").contains(&stage.mark));
    bounded(running.stop(Stop::Now)).await;
}

#[tokio::test]
async fn input_arrives_whole() {
    let stage = Stage::new();
    let prompt = "prompt €\n".repeat(100_000);
    stage
        .run(Spec {
            stdin: Some(prompt.clone().into_bytes()),
            log_limit: u64::MAX,
            ..stage.spec("cat", &[])
        })
        .await;
    assert!(stage.log() == prompt, "the copy differs");
}

#[tokio::test]
async fn empty_input_and_no_input_both_end_at_once() {
    let stage = Stage::new();
    for stdin in [None, Some(Vec::new())] {
        assert_eq!(
            stage
                .run(Spec {
                    stdin,
                    ..stage.script("wc -c")
                })
                .await
                .outcome,
            Outcome::Exited(0)
        );
    }
    assert_eq!(
        stage.log().split_whitespace().collect::<Vec<_>>(),
        ["0", "0"]
    );
}

#[tokio::test]
async fn input_that_is_never_read_stops_nothing() {
    let stage = Stage::new();
    let prompt = || Some(vec![b'x'; 1024 * 1024]);
    let ending = stage
        .run(Spec {
            stdin: prompt(),
            ..stage.script("exit 3")
        })
        .await;
    assert_eq!(ending.outcome, Outcome::Exited(3));
    let closes = Spec {
        stdin: prompt(),
        ..stage.script("exec <&-; seq 1 20000; exit 4")
    };
    assert_eq!(stage.run(closes).await.outcome, Outcome::Exited(4));
    let limit = Some(Duration::from_millis(100));
    let lives = Spec {
        stdin: prompt(),
        timeout: limit,
        ..stage.script("echo on; exec sleep 1000")
    };
    assert_eq!(stage.run(lives).await.outcome, Outcome::TimedOut);
}

async fn refusal(spec: Spec) -> String {
    match bounded(spawn(supervisor(), spec)).await {
        Err(ConsoleError::CouldNotStart { message }) => message,
        other => panic!("it should not have started: {other:?}"),
    }
}

#[tokio::test]
async fn a_command_that_cannot_start_says_what_to_do() {
    let stage = Stage::new();
    let plain = stage.path("plain");
    std::fs::File::create(&plain).unwrap();
    let missing = refusal(stage.spec("no-such-program", &[])).await;
    assert!(
        missing.contains("not found in PATH") && missing.contains("install it"),
        "{missing}"
    );
    let missing = refusal(stage.spec("./no/such/file", &[])).await;
    assert!(missing.contains("check the path"), "{missing}");
    let plain = refusal(stage.spec(plain.to_str().unwrap(), &[])).await;
    assert!(plain.contains("chmod +x"), "{plain}");
    let nowhere = refusal(Spec {
        cwd: stage.path("nowhere"),
        ..stage.script("true")
    })
    .await;
    assert!(
        nowhere.contains("working directory") && nowhere.contains("create it"),
        "{nowhere}"
    );
    let unlogged = refusal(Spec {
        log: stage.path("nowhere/log"),
        ..stage.script("true")
    })
    .await;
    assert!(unlogged.contains("create its directory"), "{unlogged}");
    let long = refusal(stage.spec("/bin/true", &["x".repeat(4 * 1024 * 1024).as_str()])).await;
    assert!(long.contains("standard input"), "{long}");
    stage.until_none_is_left();
}

#[tokio::test]
async fn a_senseless_specification_is_refused_before_anything_starts() {
    let stage = Stage::new();
    let with = |name: &str, value: &str| Spec {
        env: vec![(name.into(), value.into())],
        ..stage.script("true")
    };
    let relative = Spec {
        cwd: "here".into(),
        ..stage.script("true")
    };
    for spec in [
        relative,
        with("", "x"),
        with("A=B", "x"),
        with("A", "\0"),
        stage.spec("", &[]),
        stage.spec("a", &["\0"]),
    ] {
        let refused = bounded(spawn(supervisor(), spec)).await;
        assert!(
            matches!(refused, Err(ConsoleError::BadSpec(_))),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_program_that_is_no_supervisor_is_named() {
    let stage = Stage::new();
    for program in ["/bin/echo", "/bin/false", "/bin/cat"] {
        let refused = bounded(spawn(program.as_ref(), stage.script("true"))).await;
        assert!(
            matches!(refused, Err(ConsoleError::NotASupervisor { .. })),
            "{program}: {refused:?}"
        );
    }
    let refused = bounded(spawn("/no/such/program".as_ref(), stage.script("true"))).await;
    assert!(
        matches!(refused, Err(ConsoleError::Supervisor { .. })),
        "{refused:?}"
    );
    stage.until_none_is_left();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_do_not_disturb_each_other_and_leave_no_zombie() {
    let stages: Vec<Stage> = (0..20).map(|_| Stage::new()).collect();
    let mut running = Vec::new();
    for (code, stage) in stages.iter().enumerate() {
        running.push(
            stage
                .start(stage.script(&format!("echo {code}; exit {code}")))
                .await,
        );
    }
    for (code, running) in running.iter_mut().enumerate() {
        let ending = bounded(running.wait()).await;
        assert_eq!(ending.outcome, Outcome::Exited(code as i32));
        assert_eq!(
            bounded(running.wait()).await,
            ending,
            "a second wait answers the same"
        );
        assert_eq!(
            bounded(running.stop(Stop::Now)).await,
            ending,
            "a late stop changes nothing"
        );
        assert_eq!(stages[code].log(), format!("{code}\n"));
    }
    let numbers: Vec<u32> = running
        .iter()
        .map(|running| running.supervisor().unwrap().pid)
        .collect();
    let zombie = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
    };
    until("supervisors are collected", || !numbers.iter().any(zombie));
}
