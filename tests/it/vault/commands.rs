//! A program that prints the passphrase, and what each command says when there is no passphrase to be had.

use super::rig::*;
use crate::workshop::{PATIENCE, WORK, Workshop};
use callboard_tests::{Client, Home, Running, wait_until};
use serde_json::{Value, json};

/// Prints the passphrase, and says on standard error what nobody is to see.
const RIGHT: &str =
    "#!/bin/sh\necho \"$1 $PART\" 'battery 5e07'\necho canary-\"plain-7d1f0c93ab\" >&2\n";
/// The first half of the passphrase is two words: an argument, and a variable of the user.
const PART: &str = "horse";

fn command_of(home: &Home, script: &str) -> String {
    let path = file(home, "words.sh", script, 0o700);
    format!("[vault]\npassphrase_command = [{path:?}, \"canary\"]\n")
}

fn configured(home: &Home, settings: &str) {
    home.write(&home.path().join("config/callboard/config.toml"), settings);
}

/// `callboard` in this home with the variable, on no terminal.
fn told(home: &Home, args: &[&str], input: &str) -> callboard_tests::Finished {
    given_with(home, args, input, &[("PART", PART)])
}

#[test]
fn a_program_prints_the_passphrase() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let home = &shop.home;
    let with_agent = |vault: &str| {
        configure(&shop, &format!("echo \"it is $PLAIN\"\n{WORK}"), vault);
    };
    with_agent(&command_of(home, RIGHT));
    // Where there was no passphrase, what it prints is the new one.
    let locked = must(told(home, &["vault", "lock", "passphrase"], ""));
    assert!(locked.out.contains("words.sh prints it ("), "{locked:?}");
    assert!(locked.out.contains("config.toml:"), "{locked:?}");
    must(told(home, &["vault", "set", "PLAIN"], PLAIN));
    must(told(home, &["vault", "set", "ODD"], ODD));
    must(told(home, &["vault", "rekey"], ""));
    let status = must(told(home, &["vault", "status", "--json"], "")).out;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["lock"], "passphrase");
    assert_eq!(status["passphrase"]["from"], "command", "{status}");
    assert!(
        status["passphrase"]["program"]
            .as_str()
            .unwrap()
            .ends_with("words.sh")
    );
    let doctor = told(home, &["doctor"], "");
    assert!(
        doctor.out.contains("locked with the passphrase that"),
        "{doctor:?}"
    );

    let mut run = home.command("callboard");
    run.args(["run", shop.root.to_str().unwrap(), "--json"]);
    let run = must(
        Running::of({
            run.env("PART", PART);
            run
        })
        .finish(),
    );
    assert_clean("standard output", &run.out);
    assert_clean("standard error", &run.err);
    assert_nothing_holds_a_value(&shop, &["callboard/integration"]);

    // Another passphrase, which the program does not know.
    let new = file(home, "new", "some newer words\n", 0o600);
    let lock = ["vault", "lock", "passphrase", "--new-passphrase-file"];
    let locked = must(told(home, &[&lock[..], &[&new]].concat(), ""));
    assert!(
        locked.out.contains("is not what is found there"),
        "{locked:?}"
    );
    let refused = told(home, &["vault", "rekey"], "");
    assert!(
        refused.err.contains("the passphrase is wrong"),
        "{refused:?}"
    );
    let back = file(home, "back", "canary horse battery 5e07\n", 0o600);
    let with = [&lock[..], &[&back, "--passphrase-file", &new]].concat();
    let locked = must(told(home, &with, ""));
    let again = locked.out.contains("words.sh prints it (");
    assert!(
        again && !locked.out.contains("is not what is found there"),
        "{locked:?}"
    );
    must(told(home, &["vault", "rekey"], ""));

    // By variable, over a file that would not open it; and a passphrase that is wrong.
    let wrong = file(home, "wrong", "some other words\n", 0o600);
    configured(home, &format!("[vault]\npassphrase_file = {wrong:?}\n"));
    let rotate = ["vault", "rotate", "PLAIN"];
    let refused = told(home, &rotate, LATER);
    assert!(
        refused.err.contains("the passphrase is wrong"),
        "{refused:?}"
    );
    let command = format!("{} canary", home.path().join("words.sh").display());
    let variables = [
        ("PART", PART),
        ("CALLBOARD_VAULT_PASSPHRASE_COMMAND", command.as_str()),
    ];
    must(given_with(home, &rotate, LATER, &variables));
    let status = must(given_with(home, &["vault", "status"], "", &variables));
    assert!(
        status.out.contains("(CALLBOARD_VAULT_PASSPHRASE_COMMAND)"),
        "{status:?}"
    );
    // The flag is closer still.
    let flag = ["vault", "status", "--passphrase-file", &wrong];
    let status = must(given_with(home, &flag, "", &variables));
    assert!(status.out.contains("(--passphrase-file)"), "{status:?}");
}

/// What a program may do wrong, and a word of what is said about it.
const WRONG: [(&str, &str); 6] = [
    (
        "echo canary-\"plain-7d1f0c93ab\"; echo canary-\"plain-7d1f0c93ab\" >&2; exit 3",
        "exit status: 3",
    ),
    ("exit 0", "what it printed is empty"),
    ("echo", "what it printed is empty"),
    (
        "while :; do echo canary-\"plain-7d1f0c93ab\"; done",
        "printed more than 1026 bytes",
    ),
    ("printf 'canary-plain-7d1f0c93ab\\377'", "is not UTF-8"),
    (
        "echo canary-\"plain-7d1f0c93ab\"",
        "the passphrase is wrong",
    ),
];

#[test]
fn a_program_that_does_not_is_told_of_and_shows_nothing() {
    let home = Home::new();
    configured(&home, &command_of(&home, RIGHT));
    must(told(&home, &["vault", "lock", "passphrase"], ""));
    for (script, why) in WRONG {
        configured(&home, &command_of(&home, &format!("#!/bin/sh\n{script}\n")));
        let done = told(&home, &["vault", "set", "NEW"], "some new value\n");
        assert!(done.code == 1 && done.err.contains(why), "{why}: {done:?}");
        let named =
            done.err.contains("vault.passphrase_command: ") && done.err.contains("words.sh");
        assert!(named || why.contains("wrong"), "{done:?}");
        assert_clean(why, format!("{}{}", done.out, done.err));
    }
    for (program, why) in [
        ("no-such-program", "was not found in your PATH"),
        ("/no/such/program", "does not exist"),
        ("./words.sh", "named by a relative path"),
    ] {
        configured(
            &home,
            &format!("[vault]\npassphrase_command = [{program:?}]\n"),
        );
        let done = told(&home, &["vault", "set", "NEW"], "some new value\n");
        assert!(done.code == 1 && done.err.contains(why), "{why}: {done:?}");
    }
    let listed = must(told(&home, &["vault", "list"], ""));
    assert!(listed.out.contains("no secrets"), "{listed:?}");
}

/// Three waits at once, each for as long as it is bounded.
#[test]
fn a_program_that_hangs_is_killed_and_servers_serve() {
    let home = Home::new();
    configured(&home, &command_of(&home, RIGHT));
    must(told(&home, &["vault", "lock", "passphrase"], ""));
    must(told(&home, &["vault", "set", "PLAIN"], PLAIN));
    let script = "#!/bin/sh\ntrap '' TERM\necho canary-\"plain-7d1f0c93ab\"\necho $$ >>\"$HOME/pids\"\nsleep 7000\n";
    configured(&home, &command_of(&home, script));
    let mut set = home.command("callboard");
    set.args(["vault", "rekey"]);
    let set = Running::of(set);
    let mut stdio = logged(&home, &["assigner"], "");
    std::fs::create_dir(home.path().join("stdio")).unwrap();
    stdio.current_dir(home.path().join("stdio"));
    let mut stdio = Client::start(stdio).hello();
    stdio.must("task_add", &json!({"title": "as ever"}));
    let (serve, ..) = serving(&home);
    for log in ["server.err", "stdio/server.err"] {
        let path = home.path().join(log);
        let told = || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            text.contains("WARN") && text.contains("has not ended within 10 s and was killed")
        };
        assert!(
            wait_until(PATIENCE, told),
            "{log}: {:?}",
            std::fs::read_to_string(&path)
        );
        assert_clean(log, std::fs::read(&path).unwrap());
    }
    stdio.close();
    serve.signal(rustix::process::Signal::TERM);
    assert_eq!(serve.finish().code, 0);
    let set = set.finish();
    assert!(
        set.code == 1 && set.err.contains("has not ended within 30 s"),
        "{set:?}"
    );
    assert_clean("output", format!("{}{}", set.out, set.err));
    let pids = std::fs::read_to_string(home.path().join("pids")).unwrap();
    for pid in pids.split_whitespace() {
        let pid = pid.parse().unwrap();
        assert!(
            wait_until(PATIENCE, || !callboard_tests::alive(pid)),
            "{pid}"
        );
    }
    assert!(pids.lines().count() >= 3, "{pids}");
}

#[test]
fn no_repository_names_the_program() {
    let shop = filled(&[("Alpha part", "")]);
    let ran = shop.home.path().join("ran");
    let evil = file(
        &shop.home,
        "evil.sh",
        &format!("#!/bin/sh\ntouch {}\n", ran.display()),
        0o700,
    );
    let text = format!("[vault]\npassphrase_command = [{evil:?}]\n");
    shop.home.write(&shop.root.join("callboard.toml"), &text);
    shop.git(&["add", "-A"]);
    shop.git(&["commit", "-q", "-m", "chore: settings"]);
    let root = shop.root.to_str().unwrap();
    let words = [
        "callboard.toml:2: vault.passphrase_command: ",
        "no project may set this",
    ];
    let agent = shop.agent(WORK);
    let trust = shop.home.callboard(&["trust", root]);
    assert!(!ran.exists(), "{trust:?}");
    for args in [
        &["run", root, "--agent", &agent][..],
        &["doctor", "--path", root],
    ] {
        let done = shop.home.callboard(args);
        let said = format!("{}{}", done.out, done.err);
        assert_ne!(done.code, 0, "{args:?}: {done:?}");
        assert!(
            words.iter().all(|word| said.contains(word)),
            "{args:?}: {done:?}"
        );
    }
    for server in ["assigner", "roadmap", "llm", "telemetry", "serve"] {
        let mut command = shop.home.command("callboard");
        command.arg(server).current_dir(&shop.root);
        let done = Running::of(command).finish();
        assert!(
            done.code == 1 && done.err.contains(words[1]),
            "{server}: {done:?}"
        );
    }
    assert!(!ran.exists());
}

#[test]
fn each_command_says_what_it_takes_when_a_passphrase_is_needed() {
    let shop = filled(&[("Alpha part", "")]);
    let home = &shop.home;
    configure(&shop, WORK, "");
    let words = file(home, "words", WORDS, 0o600);
    must(given(
        home,
        &[
            "vault",
            "lock",
            "passphrase",
            "--new-passphrase-file",
            &words,
        ],
        "",
    ));
    let scenario = file(
        home,
        "a.yaml",
        "servers:\n  it:\n    command: sh\n    args: [-c, 'exit 3']\n    env: {KEY: '${vault:PLAIN}'}\nsteps: [{call: t}]\n",
        0o600,
    );
    let root = shop.root.to_str().unwrap();
    let ways = [
        "vault.passphrase_command",
        "vault.passphrase_file",
        "CALLBOARD_VAULT_PASSPHRASE_COMMAND",
        "CALLBOARD_VAULT_PASSPHRASE_FILE",
    ];
    let says = |who: &str, said: &str| {
        assert!(ways.iter().all(|way| said.contains(way)), "{who}: {said}");
        // Only these take it.
        assert_eq!(
            said.contains("--passphrase-file"),
            who.starts_with("vault"),
            "{who}: {said}"
        );
    };
    for args in [
        &["vault", "set", "NEW"][..],
        &["vault", "rotate", "PLAIN"],
        &["vault", "rekey"],
        &["test", &scenario],
        &["run", root, "--json"],
    ] {
        let done = given(home, args, "some new value\n");
        assert_eq!(done.code, 1, "{args:?}: {done:?}");
        // A scenario whose secret can't be had is a case that failed.
        let said = if args[0] == "test" {
            &done.out
        } else {
            &done.err
        };
        says(&args.join(" "), said);
    }
    let mut stdio = Client::start(logged(home, &["assigner"], "")).hello();
    stdio.close();
    stdio.ended();
    let log = home.path().join("server.err");
    says("assigner", &std::fs::read_to_string(&log).unwrap());
    std::fs::remove_file(&log).unwrap();
    let (serve, ..) = serving(home);
    serve.signal(rustix::process::Signal::TERM);
    assert_eq!(serve.finish().code, 0);
    says("serve", &std::fs::read_to_string(&log).unwrap());

    // What is said to work does, for each.
    let variables = [("CALLBOARD_VAULT_PASSPHRASE_FILE", words.as_str())];
    let done = given_with(home, &["test", &scenario], "", &variables);
    assert!(done.out.contains("0 passed, 1 failed"), "{done:?}");
    must(given_with(home, &["run", root, "--json"], "", &variables));
    let command = format!("cat {words}");
    let variables = [("CALLBOARD_VAULT_PASSPHRASE_COMMAND", command.as_str())];
    let done = given_with(home, &["test", &scenario], "", &variables);
    assert!(done.out.contains("0 passed, 1 failed"), "{done:?}");
    must(given_with(home, &["vault", "rekey"], "", &variables));
}
