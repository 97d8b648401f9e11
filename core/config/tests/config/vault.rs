//! What configuration says of the vault: where its passphrase comes from, and which values may name a secret.

use crate::rig::{Rig, is_of_models, rig};
use callboard_config::{Config, KEYS, Key, Kind, Overrides, Passphrase, Trust};

fn words(words: &[&str]) -> Passphrase {
    Passphrase::Command(words.iter().map(|&word| word.to_owned()).collect())
}

#[test]
fn the_passphrase_comes_from_what_was_said_last() {
    let file = "[vault]\npassphrase_file = \"/p\"\n";
    let command =
        "[vault]\npassphrase_command = [\"secret-tool\", \"lookup\", \"app\", \"call board\"]\n";
    let said = words(&["secret-tool", "lookup", "app", "call board"]);
    let from = |rig: &Rig| rig.load().unwrap().vault.passphrase().value;
    assert_eq!(from(&rig()), Passphrase::Asked);
    assert_eq!(from(&rig().user(file)), Passphrase::File("/p".into()));
    assert_eq!(from(&rig().user(command)), said);
    let varied = rig().user(file).var(
        "CALLBOARD_VAULT_PASSPHRASE_COMMAND",
        "security find-generic-password -w -s 'call board'",
    );
    assert_eq!(
        from(&varied),
        words(&[
            "security",
            "find-generic-password",
            "-w",
            "-s",
            "call board"
        ])
    );
    let varied = rig()
        .user(command)
        .var("CALLBOARD_VAULT_PASSPHRASE_FILE", "/other");
    assert_eq!(from(&varied), Passphrase::File("/other".into()));
}

#[test]
fn two_in_one_place_are_refused() {
    let file = rig().user("[vault]\npassphrase_file = \"/p\"\npassphrase_command = \"pass\"\n");
    let variables = rig()
        .var("CALLBOARD_VAULT_PASSPHRASE_FILE", "/p")
        .var("CALLBOARD_VAULT_PASSPHRASE_COMMAND", "pass");
    for (rig, place) in [
        (file, "config.toml:3: "),
        (variables, "CALLBOARD_VAULT_PASSPHRASE_COMMAND: "),
    ] {
        let why = rig.error();
        assert!(
            why.contains(place) && why.contains("remove one of the two"),
            "{why}"
        );
    }
}

#[test]
fn no_project_names_the_program_not_even_a_trusted_one() {
    let text = "[run]\nagents = 2\n[vault]\npassphrase_command = [\"./evil\"]\n";
    let refused = |why: &str| {
        assert!(
            why.contains("callboard.toml:4: vault.passphrase_command: "),
            "{why}"
        );
        assert!(
            why.contains("no project may set this, trusted or not"),
            "{why}"
        );
        assert!(why.contains("CALLBOARD_VAULT_PASSPHRASE_COMMAND"), "{why}");
    };
    let rig = rig().project(text);
    refused(&rig.error());
    rig.trust();
    refused(&rig.error());
    let project = rig.path("project");
    let server = Config::load_cautious(&rig.environment(), Some(&project), &Overrides::default());
    refused(&server.unwrap_err().to_string());
    // `callboard trust` shows it too.
    let file = callboard_config::ProjectFile::read(&project)
        .unwrap()
        .unwrap();
    refused(&file.problems()[0].to_string());

    let never: Vec<&str> = KEYS
        .iter()
        .filter(|key| key.trust == Trust::Never)
        .map(|key| key.name)
        .collect();
    assert_eq!(never, ["vault.passphrase_command"]);
}

/// The same key with a value that names a secret, as a file has it; tables of other keys come with it.
fn naming(name: &str, kind: Kind) -> String {
    let value = match kind {
        Kind::Command | Kind::VariableNames | Kind::Hosts | Kind::Origins => "[\"${vault:KEY}\"]",
        _ => "\"${vault:KEY}\"",
    };
    let name = name.replace("<name>", "a").replace("<variable>", "TOKEN");
    let agent = if name.starts_with("agents.") && name != "agents.a.command" {
        "agents.a.command = \"agent\"\n"
    } else {
        ""
    };
    format!("{agent}{name} = {value}\n")
}

#[test]
fn each_setting_takes_a_secret_or_says_why_not() {
    const LIST: &str = "in the list of processes for everybody to see";
    const PATH: &str = "a path is shown in logs";
    const NAMES: &str = "names of variables, which are no secret";
    const SHOWN: &str = "shown in logs and by `callboard doctor`";
    let table: &[(&str, Result<(), &str>)] = &[
        ("board", Err(PATH)),
        ("run.agents", Err(SHOWN)),
        ("run.agent", Err(SHOWN)),
        ("run.attempts", Err(SHOWN)),
        ("run.task_timeout", Err(SHOWN)),
        ("run.integration_branch", Err(SHOWN)),
        ("run.roadmap", Err(PATH)),
        ("run.test_merges", Err(SHOWN)),
        ("tests.command", Err(LIST)),
        ("tests.timeout", Err(SHOWN)),
        ("agents.<name>.command", Err(LIST)),
        ("agents.<name>.pass_env", Err(NAMES)),
        ("agents.<name>.env.<variable>", Ok(())),
        ("agents.<name>.timeout", Err(SHOWN)),
        ("agents.<name>.gateway", Err(SHOWN)),
        ("vault.passphrase_file", Err(PATH)),
        ("vault.passphrase_command", Err(LIST)),
        ("access.loopback", Err(SHOWN)),
        ("access.rate", Err(SHOWN)),
        ("access.rate_unauthenticated", Err(SHOWN)),
        ("access.stdio_role", Err(SHOWN)),
        ("serve.listen", Err(SHOWN)),
        ("serve.hosts", Err(SHOWN)),
        ("serve.origins", Err(SHOWN)),
        ("serve.connections", Err(SHOWN)),
        ("serve.sessions", Err(SHOWN)),
        ("serve.sessions_per_caller", Err(SHOWN)),
        ("serve.head_bytes", Err(SHOWN)),
        ("serve.body_bytes", Err(SHOWN)),
        ("serve.head_timeout", Err(SHOWN)),
        ("serve.body_timeout", Err(SHOWN)),
        ("serve.answer_timeout", Err(SHOWN)),
        ("serve.write_timeout", Err(SHOWN)),
        ("serve.idle_timeout", Err(SHOWN)),
        ("serve.session_idle", Err(SHOWN)),
        ("serve.resume_within", Err(SHOWN)),
        ("serve.stop_within", Err(SHOWN)),
        ("log.level", Err(SHOWN)),
        ("log.format", Err(SHOWN)),
    ];
    let named: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
    let here = |key: &&Key| !is_of_models(key.name);
    let there: Vec<&str> = KEYS.iter().filter(here).map(|key| key.name).collect();
    assert_eq!(named, there, "every setting has its row");
    for (key, (name, expected)) in KEYS.iter().filter(here).zip(table) {
        assert_eq!(key.kind.takes_secrets(), expected.is_ok(), "{name}");
        assert_eq!(
            key.kind.allowed().contains("${vault:NAME}"),
            expected.is_ok(),
            "{name}"
        );
        let by_file = rig().user(&naming(name, key.kind)).load();
        let by_variable = key
            .variable()
            .map(|variable| rig().var(&variable, "x ${vault:KEY}").load());
        for (how, told) in [("file", Some(by_file)), ("variable", by_variable)] {
            match (told, expected) {
                (None, _) | (Some(Ok(_)), Ok(())) => {}
                (Some(Err(told)), Err(why)) => {
                    let told = told.to_string();
                    let all = ["a secret can't be named here", why, "[agents.<name>.env]"];
                    assert!(
                        all.iter().all(|part| told.contains(part)),
                        "{name} by {how}: {told}"
                    );
                }
                (Some(told), _) => panic!("{name} by {how}: {:?}", told.map(drop)),
            }
        }
    }
    let config = rig()
        .user(&naming("agents.<name>.env.<variable>", Kind::VariableValue))
        .load()
        .unwrap();
    assert_eq!(
        config.agents["a"].env["TOKEN"]
            .names()
            .into_iter()
            .collect::<Vec<_>>(),
        ["KEY"]
    );
}
