//! What an agent is told, and what of the user it does not get to see.

use crate::workshop::{WITNESS, WORK, Workshop, item, report};
use std::collections::BTreeMap;

/// What an agent of the user's own may see of their environment, besides `CALLBOARD_*`.
const MINIMAL: [&str; 12] = [
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "PWD", "OLDPWD", "SHLVL", "_",
    "TMPDIR",
];

fn variables(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .collect()
}

#[test]
fn an_agent_is_told_its_task_and_nothing_else_of_the_user() {
    let shop = Workshop::new(&[("Alpha part", "\nMake it of `brass`.\n")]);
    let agent = shop.agent(&format!("{WITNESS}{WORK}"));
    let mut command = shop.home.command("callboard");
    command.args([
        "run",
        shop.root.to_str().unwrap(),
        "--json",
        "--agent",
        &agent,
    ]);
    command
        .env("SECRET_CANARY", "feathers")
        .env("CALLBOARD_LOG_LEVEL", "warn")
        .env("GIT_TRACE_SETUP", "0");
    let done = callboard_tests::Running::of(command).finish();
    assert_eq!(done.code, 0, "{done:?}");

    let told = shop.seen("priority-1.1.stdin");
    assert_eq!(
        told,
        shop.seen("priority-1.1.prompt"),
        "standard input and the file say the same"
    );
    let env = shop.seen("priority-1.1.env");
    let env = variables(&env);
    for text in [
        "Alpha part",
        "Make it of `brass`.",
        "`sh test.sh`",
        env["CALLBOARD_REPORT_FILE"],
        "ROADMAP.md",
    ] {
        assert!(told.contains(text), "{text:?} is missing in\n{told}");
    }
    assert!(!told.contains("Earlier attempts"), "{told}");

    assert_eq!(env["CALLBOARD_ITEM"], "priority-1");
    assert_eq!(env["CALLBOARD_TRY"], "1");
    assert_eq!(
        env["CALLBOARD_WORKTREE"],
        shop.seen("priority-1.1.pwd").trim()
    );
    let task = item(&report(&done), "priority-1");
    assert_eq!(env["CALLBOARD_TASK"], task["task"]);
    assert_eq!(env["CALLBOARD_ATTEMPT"], task["attempts"][0]["id"]);
    let given: Vec<&str> = env
        .keys()
        .copied()
        .filter(|name| name.starts_with("CALLBOARD_"))
        .collect();
    assert_eq!(given.len(), 8, "{given:?}");
    let tests = shop.seen("tests.env");
    for vars in [env, variables(&tests)] {
        let own = vars
            .keys()
            .filter(|name| !name.starts_with("CALLBOARD_") && !name.starts_with("LC_"));
        for name in own {
            let tools = ["XDG_", "CARGO_", "RUSTUP_"]
                .iter()
                .any(|prefix| name.starts_with(prefix));
            assert!(tools || MINIMAL.contains(name), "{name} was passed on");
        }
    }
}

#[test]
fn a_variable_is_passed_on_only_when_it_is_named() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let agent = shop.agent(&format!("{WITNESS}{WORK}"));
    let mut command = shop.home.command("callboard");
    command.args([
        "run",
        shop.root.to_str().unwrap(),
        "--agent",
        &agent,
        "--pass-env",
        "SECRET_CANARY",
    ]);
    command
        .env("SECRET_CANARY", "feathers")
        .env("OTHER_CANARY", "fur");
    let done = callboard_tests::Running::of(command).finish();
    assert_eq!(done.code, 0, "{done:?}");
    let env = shop.seen("priority-1.1.env");
    assert_eq!(variables(&env).get("SECRET_CANARY"), Some(&"feathers"));
    assert!(!env.contains("OTHER_CANARY"));
    assert!(
        !shop.seen("tests.env").contains("CANARY"),
        "tests are the project's, not the agent's"
    );
}
