//! Work that is no good, and agents that fail: an error that says why, another attempt, and nothing of it in the results.

use crate::example::events;
use crate::workshop::{WITNESS, WORK, Workshop, attempts, item, report, roadmap, why};

#[test]
fn failing_tests_keep_work_out_and_the_next_attempt_is_told() {
    let shop = Workshop::new(&[("Alpha part", "")]).with_origin();
    let agent = format!(
        "{WITNESS}mkdir -p parts\nif [ $CALLBOARD_TRY = 1 ]; then echo BAD >parts/alpha; else echo good >parts/alpha; fi\n"
    );
    let done = shop.run(&agent, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let alpha = item(&report(&done), "priority-1");
    assert_eq!(attempts(&alpha), ["failed", "done"]);
    let error = alpha["attempts"][0]["error"].as_str().unwrap();
    assert!(
        error.contains("exit code 1") && error.contains("these parts are rotten"),
        "{error}"
    );

    let told = shop.seen("priority-1.2.stdin");
    assert!(
        told.contains("Earlier attempts") && told.contains("these parts are rotten"),
        "{told}"
    );
    let kept = alpha["attempts"][0]["kept"].as_str().unwrap();
    assert!(
        told.contains(kept),
        "the second attempt can look at the first: {told}"
    );
    assert_eq!(shop.git(&["show", &format!("{kept}:parts/alpha")]), "BAD");
    assert_eq!(
        shop.git(&["show", "callboard/integration:parts/alpha"]),
        "good"
    );
    let history = shop.git(&[
        "log",
        "--format=%H",
        "-S",
        "BAD",
        "callboard/integration",
        "--",
        "parts",
    ]);
    assert_eq!(history, "", "bad work is in no commit of the results");
    assert_eq!(
        shop.at_origin(&["branch", "--list", "callboard/priority-1*"])
            .lines()
            .count(),
        1
    );
    shop.assert_tidy();
}

#[test]
fn out_of_retries_an_item_has_failed_and_its_work_is_kept() {
    let shop = Workshop::new(&[
        ("Alpha part", ""),
        ("Beta part", "**Dependency**: PRIORITY 1\n"),
        ("Gamma part", ""),
    ]);
    let agent = format!(
        "{WITNESS}{WORK}[ $CALLBOARD_ITEM = priority-3 ] || echo BAD >>parts/$CALLBOARD_ITEM\n"
    );
    let done = shop.run(&agent, &["--attempts", "2"]);
    assert_eq!(done.code, 2, "{done:?}");
    let report = report(&done);
    let alpha = item(&report, "priority-1");
    assert_eq!(alpha["outcome"], "failed");
    assert_eq!(attempts(&alpha), ["failed", "failed"]);
    for attempt in alpha["attempts"].as_array().unwrap() {
        let kept = attempt["kept"].as_str().unwrap();
        assert!(kept.starts_with("refs/callboard/kept/"), "{kept}");
        assert!(
            shop.git(&["show", &format!("{kept}:parts/priority-1")])
                .contains("BAD")
        );
        assert!(std::fs::read_to_string(attempt["log"].as_str().unwrap()).is_ok());
    }
    let beta = item(&report, "priority-2");
    assert_eq!(
        (&beta["outcome"], attempts(&beta).len()),
        (&"blocked".into(), 0)
    );
    assert!(
        why(&beta).contains("Alpha part") && why(&beta).contains("dead"),
        "{beta}"
    );
    assert_eq!(item(&report, "priority-3")["outcome"], "done");
    assert!(
        shop.results().matches("Planned").count() == 2,
        "{}",
        shop.results()
    );
    shop.assert_tidy();

    // Without being asked to, the next run does not try again.
    let order = shop.seen("order");
    let again = shop.run(&agent, &["--attempts", "2"]);
    assert_eq!(again.code, 2, "{again:?}");
    assert_eq!(shop.seen("order"), order);
}

#[test]
fn without_tests_an_item_fails_and_says_so() {
    let shop = Workshop::of(&[("ROADMAP.md", &roadmap(&[("Alpha part", "")]))]);
    let done = shop.run(WORK, &[]);
    assert_eq!(done.code, 2, "{done:?}");
    let alpha = item(&report(&done), "priority-1");
    assert_eq!(alpha["outcome"], "failed");
    assert_eq!(attempts(&alpha), ["failed"], "trying again would not help");
    let error = alpha["attempts"][0]["error"].as_str().unwrap();
    assert!(
        error.contains("no tests were found") && error.contains("tests.command"),
        "{error}"
    );
    assert!(!error.contains("  "), "{error}");
    shop.assert_tidy();

    let named = shop.run(WORK, &["--retry", "--tests", "test -e parts/priority-1"]);
    assert_eq!(named.code, 0, "{named:?}");
}

#[test]
fn tests_that_ran_nothing_are_no_pass() {
    let text = roadmap(&[("Alpha part", "")]);
    let shop = Workshop::of(&[
        ("ROADMAP.md", &text),
        ("test.sh", "echo 'Ran 0 tests in 0.000s'; echo; echo OK\n"),
    ]);
    let done = shop.run(WORK, &["--attempts", "1"]);
    assert_eq!(done.code, 2, "{done:?}");
    let alpha = item(&report(&done), "priority-1");
    assert!(
        alpha["attempts"][0]["error"]
            .as_str()
            .unwrap()
            .contains("ran no test"),
        "{alpha}"
    );
    assert_eq!(
        shop.git(&["diff", "--stat", "main", "callboard/integration"]),
        ""
    );
}

#[test]
fn an_agent_that_changes_nothing_has_done_nothing() {
    for (name, script) in [
        ("nothing at all", "cat >/dev/null\n"),
        (
            "the status alone",
            "sed -i 's/📝 Planned/✅ Done/' ROADMAP.md\n",
        ),
        (
            "the status alone, committed",
            "sed -i 's/📝 Planned/✅ Done/' ROADMAP.md\ngit -c user.name=R -c user.email=r@example.org commit -qam 'docs: done'\n",
        ),
    ] {
        let shop = Workshop::new(&[("Alpha part", "")]);
        let done = shop.run(script, &["--attempts", "1"]);
        assert_eq!(done.code, 2, "{name}: {done:?}");
        let alpha = item(&report(&done), "priority-1");
        let error = alpha["attempts"][0]["error"].as_str().unwrap();
        assert!(error.contains("changed nothing"), "{name}: {error}");
        assert_eq!(
            shop.git(&["diff", "--stat", "main", "callboard/integration"]),
            "",
            "{name}"
        );
        shop.assert_tidy();
    }
}

#[test]
fn an_agent_that_fails_is_quoted() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let done = shop.run(
        &format!("{WORK}echo 'out of tokens'\nexit 3\n"),
        &["--attempts", "1"],
    );
    assert_eq!(done.code, 2, "{done:?}");
    let alpha = item(&report(&done), "priority-1");
    let error = alpha["attempts"][0]["error"].as_str().unwrap();
    assert!(
        error.contains("exit code 3") && error.contains("out of tokens"),
        "{error}"
    );
    let log = std::fs::read_to_string(alpha["attempts"][0]["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("out of tokens"), "{log}");
    let kept = alpha["attempts"][0]["kept"].as_str().unwrap();
    assert_eq!(
        shop.git(&["show", &format!("{kept}:parts/priority-1")]),
        "priority-1"
    );
    shop.assert_tidy();
}

#[test]
fn an_agent_that_cannot_be_started_is_an_error_that_names_it() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let root = shop.root.to_str().unwrap();
    let done = shop.home.callboard(&[
        "run",
        root,
        "--json",
        "--attempts",
        "1",
        "--agent",
        "no-such-agent -p",
    ]);
    // A slip of the call, told once and before anything is posted.
    assert_eq!(done.code, 1, "{done:?}");
    let said = events(&done).pop().unwrap();
    assert_eq!(said["event"], "error", "{said}");
    assert!(
        said["error"].as_str().unwrap().contains("no-such-agent"),
        "{said}"
    );
    assert_eq!(
        shop.home
            .git(&shop.root, &["for-each-ref", "refs/callboard"]),
        ""
    );
}

#[test]
fn a_report_that_is_no_report_is_told_to_the_agent() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let agent =
        format!("{WITNESS}{WORK}[ $CALLBOARD_TRY = 2 ] || echo '{{' >\"$CALLBOARD_REPORT_FILE\"\n");
    let done = shop.run(&agent, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        attempts(&item(&report(&done), "priority-1")),
        ["failed", "done"]
    );
    assert!(
        shop.seen("priority-1.2.stdin")
            .contains("is not the JSON that was asked for")
    );
}

#[test]
fn a_hook_that_refuses_is_quoted() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let hook = shop.root.join(".git/hooks/pre-commit");
    shop.home.write(
        &hook,
        "#!/bin/sh\ntest -e parts/licence || { echo 'no licence, no commit' >&2; exit 1; }\n",
    );
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let done = shop.run(
        &format!("{WITNESS}{WORK}[ $CALLBOARD_TRY = 1 ] || : >parts/licence\n"),
        &[],
    );
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(
        attempts(&item(&report(&done), "priority-1")),
        ["failed", "done"]
    );
    assert!(
        shop.seen("priority-1.2.stdin")
            .contains("no licence, no commit")
    );
    shop.assert_tidy();
}

#[test]
fn a_push_that_is_refused_is_a_failure_and_the_work_is_kept() {
    let shop = Workshop::new(&[("Alpha part", "")]).with_origin();
    let hook = shop.origin().join("hooks/pre-receive");
    shop.home
        .write(&hook, "#!/bin/sh\necho 'the gate is closed' >&2\nexit 1\n");
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let done = shop.run(WORK, &["--attempts", "1"]);
    assert_eq!(done.code, 2, "{done:?}");
    let alpha = item(&report(&done), "priority-1");
    let error = alpha["attempts"][0]["error"].as_str().unwrap();
    assert!(
        error.contains("refused") && error.contains("the gate is closed"),
        "{error}"
    );
    let kept = alpha["attempts"][0]["kept"].as_str().unwrap();
    assert_eq!(
        shop.git(&["show", &format!("{kept}:parts/priority-1")]),
        "priority-1"
    );
    assert!(
        !shop.results().contains("✅"),
        "nothing is done that is not pushed"
    );
    shop.assert_tidy();

    std::fs::remove_file(hook).unwrap();
    let retried = shop.run(WORK, &["--retry"]);
    assert_eq!(retried.code, 0, "{retried:?}");
    assert_eq!(
        shop.at_origin(&["show", "callboard/integration:parts/priority-1"]),
        "priority-1"
    );
}
