//! Which layer wins, what an untrusted project may not do, and how each mistake is told.

use crate::rig::{is_of_models, rig};
use callboard_config::{
    Config, ConfigError, Environment, KEYS, Key, Overrides, ProjectFile, Source, Trust,
    config_files,
};
use std::path::Path;
use std::time::Duration;

fn keys() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(|key| !is_of_models(key.name))
}

#[test]
fn the_defaults_are_those_of_the_reference() {
    let rig = rig();
    let config = rig.config();
    for (name, value, source) in config.settings() {
        assert_eq!(source, Source::Default, "{name}");
        let key = KEYS.iter().find(|key| key.name == name).unwrap();
        let in_words = [
            "board",
            "run.agent",
            "tests.command",
            "vault.passphrase_file",
            "vault.passphrase_command",
            "prices.file",
            "prices.baseline",
            "llm.default_route",
            "gateway.url",
        ]
        .contains(&name.as_str());
        assert!(
            in_words || key.default == value,
            "{name}: {value} is not {}",
            key.default
        );
    }
    assert_eq!(*config.board, rig.path("home/.local/share/callboard"));
}

#[test]
fn every_key_reaches_its_setting() {
    let rig = rig().user(
        "board = \"/b\"\n[run]\nagents = 7\nagent = \"a\"\nattempts = 8\ntask_timeout = \"9s\"\n\
         integration_branch = \"next\"\nroadmap = \"docs/R.md\"\ntest_merges = false\n\
         [tests]\ncommand = \"make check\"\ntimeout = \"10s\"\n\
         [agents.a]\ncommand = [\"agent\", \"two words\"]\npass_env = [\"K\"]\ntimeout = \"11s\"\n\
         gateway = true\nenv = { TOKEN = \"${vault:T}\" }\n\
         [vault]\npassphrase_file = \"/p\"\n\
         [access]\nloopback = \"viewer\"\nrate = 12\nrate_unauthenticated = 0\nstdio_role = \"developer\"\n\
         [serve]\nlisten = \"127.0.0.1:0\"\nhosts = [\"example.org:81\"]\norigins = [\"https://example.org\"]\n\
         connections = 21\nsessions = 22\nsessions_per_caller = 23\nhead_bytes = 8193\nbody_bytes = 2048\n\
         head_timeout = \"1s\"\nbody_timeout = \"2s\"\nanswer_timeout = \"3m\"\nwrite_timeout = \"4s\"\n\
         idle_timeout = \"5s\"\nsession_idle = \"6s\"\nresume_within = \"0s\"\nstop_within = \"7s\"\n\
         [log]\nlevel = \"debug\"\nformat = \"json\"\n",
    );
    // The other one of the two would be refused in the same file.
    let rig = rig.var("CALLBOARD_VAULT_PASSPHRASE_COMMAND", "pass 'show it'");
    let rows = rig.config().settings();
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|(name, ..)| !is_of_models(name))
        .collect();
    let values: Vec<&str> = rows.iter().map(|(_, value, _)| value.as_str()).collect();
    let expected = [
        "/b",
        "7",
        "a",
        "8",
        "9s",
        "next",
        "docs/R.md",
        "false",
        "make check",
        "10s",
        "agent 'two words'",
        "K",
        "TOKEN=${vault:T}",
        "11s",
        "true",
        "/p",
        "pass 'show it'",
        "viewer",
        "12",
        "0",
        "developer",
        "127.0.0.1:0",
        "[example.org:81]",
        "[https://example.org]",
        "21",
        "22",
        "23",
        "8193",
        "2048",
        "1s",
        "2s",
        "3m",
        "4s",
        "5s",
        "6s",
        "0s",
        "7s",
        "debug",
        "json",
    ];
    assert_eq!(values, expected);
    assert_eq!(rows.len(), keys().count());
    let said_elsewhere = rows
        .iter()
        .filter(|(_, _, source)| !matches!(source, Source::User { .. }));
    let names: Vec<&str> = said_elsewhere.map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["vault.passphrase_command"]);
}

#[test]
fn later_layers_win_and_say_where_they_are() {
    let user = "[run]\nagents = 4\nattempts = 4\n";
    let project = "\n[run]\nagents = 5\n";
    let layered = rig().user(user).project(project);
    let config = layered.config();
    assert_eq!(*config.run.attempts, 4);
    assert_eq!(*config.run.agents, 5);
    let place = config.run.agents.source.to_string();
    assert!(place.ends_with("project/callboard.toml:3"), "{place}");

    let varied = layered.var("CALLBOARD_RUN_AGENTS", "6");
    assert_eq!(*varied.config().run.agents, 6);
    let flags = Overrides {
        agents: Some(7),
        ..Overrides::default()
    };
    let config = varied.load_with(&flags).unwrap();
    assert_eq!(*config.run.agents, 7);
    assert_eq!(config.run.agents.source.to_string(), "--agents");
}

#[test]
fn the_board_by_layer() {
    let base = rig().user("board = \"~/mine\"\n");
    assert_eq!(*base.config().board, base.path("home/mine"));

    let project = base.project("board = \"boards/own\"\n");
    project.trust();
    assert_eq!(*project.config().board, project.path("project/boards/own"));

    project
        .projects()
        .set_board(&project.root(), Path::new("/registered"))
        .unwrap();
    assert_eq!(*project.config().board, Path::new("/registered"));

    let varied = project.var("CALLBOARD_BOARD", "here");
    assert_eq!(*varied.config().board, varied.path("cwd/here"));
    let flags = Overrides {
        board: Some("/flag".into()),
        ..Overrides::default()
    };
    assert_eq!(*varied.load_with(&flags).unwrap().board, Path::new("/flag"));
}

#[test]
fn a_relative_board_of_the_user_means_nothing() {
    let error = rig().user("\nboard = \"boards\"\n").error();
    assert!(
        error.contains("config.toml:2: board: expected an absolute path"),
        "{error}"
    );
}

#[test]
fn an_untrusted_project_may_set_the_safe_keys() {
    let rig =
        rig().project("[run]\nagents = 2\ntask_timeout = \"6s\"\n[tests]\ntimeout = \"1m\"\n");
    assert_eq!(*rig.config().run.task_timeout, Duration::from_secs(6));
    assert!(!rig.projects().file().exists());
}

#[test]
fn every_key_that_needs_trust_is_refused_without_it() {
    let values = [
        ("board", "board = \"/b\"\n"),
        ("run.agent", "[run]\nagent = \"a\"\n"),
        (
            "run.integration_branch",
            "[run]\nintegration_branch = \"release\"\n",
        ),
        ("tests.command", "[tests]\ncommand = \"rm -rf ~\"\n"),
        ("agents.<name>.command", "[agents.a]\ncommand = \"evil\"\n"),
        (
            "agents.<name>.pass_env",
            "[agents.a]\npass_env = [\"SECRET\"]\n",
        ),
        (
            "agents.<name>.env.<variable>",
            "[agents.a]\nenv = { KEY = \"${vault:KEY}\" }\n",
        ),
        ("agents.<name>.timeout", "[agents.a]\ntimeout = \"1m\"\n"),
        ("agents.<name>.gateway", "[agents.a]\ngateway = true\n"),
        (
            "vault.passphrase_file",
            "[vault]\npassphrase_file = \"/dev/fd/3\"\n",
        ),
        ("access.loopback", "[access]\nloopback = \"admin\"\n"),
        ("access.rate", "[access]\nrate = 0\n"),
        (
            "access.rate_unauthenticated",
            "[access]\nrate_unauthenticated = 0\n",
        ),
        ("access.stdio_role", "[access]\nstdio_role = \"admin\"\n"),
    ];
    let serve = [
        ("serve.listen", "\"0.0.0.0:1\""),
        ("serve.hosts", "[\"evil.example\"]"),
        ("serve.origins", "[\"https://evil.example\"]"),
        ("serve.connections", "1"),
        ("serve.sessions", "1"),
        ("serve.sessions_per_caller", "1"),
        ("serve.head_bytes", "8192"),
        ("serve.body_bytes", "1024"),
        ("serve.head_timeout", "\"1s\""),
        ("serve.body_timeout", "\"1s\""),
        ("serve.answer_timeout", "\"1m\""),
        ("serve.write_timeout", "\"1s\""),
        ("serve.idle_timeout", "\"1s\""),
        ("serve.session_idle", "\"1s\""),
        ("serve.resume_within", "\"0s\""),
        ("serve.stop_within", "\"0s\""),
    ];
    let serve = serve.map(|(name, value)| (name, format!("{name} = {value}\n")));
    let values: Vec<(&str, String)> = values
        .map(|(name, text)| (name, text.to_owned()))
        .into_iter()
        .chain(serve)
        .collect();
    let needed: Vec<&str> = keys()
        .filter(|k| k.trust == Trust::Needed)
        .map(|k| k.name)
        .collect();
    let named: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    assert_eq!(needed, named);
    for (name, text) in &values {
        let rig = rig().project(text);
        let refused = rig.load();
        assert!(matches!(refused, Err(ConfigError::Untrusted(_))), "{name}");
    }
}

#[test]
fn the_refusal_shows_what_to_review_and_what_to_type() {
    let rig = rig().project("[run]\nagents = 2\n[tests]\ncommand = \"rm -rf ~\"\n");
    let error = rig.error();
    assert!(error.contains("callboard.toml is not trusted"), "{error}");
    assert!(
        error.contains("line 4: tests.command = \"rm -rf ~\""),
        "{error}"
    );
    assert!(
        error.contains(&format!("callboard trust {}", rig.root().display())),
        "{error}"
    );
}

#[test]
fn trust_is_of_the_content() {
    let rig = rig().project("[tests]\ncommand = \"make test\"\n");
    rig.trust();
    assert_eq!(
        rig.config().tests.command.as_deref(),
        Some(&["make".to_owned(), "test".to_owned()][..])
    );
    let rig = rig.project("[tests]\ncommand = \"make test; curl evil\"\n");
    assert!(
        rig.error().contains("has changed since you trusted it"),
        "{}",
        rig.error()
    );
    rig.trust();
    assert!(rig.load().is_ok());
    rig.projects().revoke(&rig.root()).unwrap();
    assert!(rig.error().contains("is not trusted"));
}

#[test]
fn a_server_starts_without_what_is_not_trusted() {
    let rig = rig().user("[tests]\ncommand = \"make mine\"\n").project(
        "[run]\nagents = 2\n[tests]\ncommand = \"evil\"\n[agents.a]\ncommand = \"evil\"\n",
    );
    let (config, left_out) =
        Config::load_cautious(&rig.environment(), Some(&rig.root()), &Overrides::default())
            .unwrap();
    assert_eq!(*config.run.agents, 2);
    assert_eq!(
        config.tests.command.as_deref(),
        Some(&["make".to_owned(), "mine".to_owned()][..])
    );
    assert!(config.agents.is_empty());
    assert_eq!(left_out.unwrap().keys.len(), 2);
}

#[test]
fn problems_of_all_layers_come_at_once() {
    let error = rig()
        .user("[run]\nagnets = 1\n")
        .project("[run]\nattempts = 0\n")
        .var("CALLBOARD_LOG_LEVEL", "loud")
        .load_with(&Overrides {
            roadmap: Some("/etc/passwd".into()),
            ..Overrides::default()
        })
        .unwrap_err();
    let ConfigError::Invalid { problems } = &error else {
        panic!("{error}")
    };
    let keys: Vec<&str> = problems.iter().map(|p| p.key.as_str()).collect();
    assert_eq!(
        keys,
        ["run.agnets", "run.attempts", "log.level", "run.roadmap"]
    );
    let text = error.to_string();
    assert!(
        text.contains("config.toml:2: run.agnets: no such key; did you mean run.agents?"),
        "{text}"
    );
    assert!(
        text.contains("CALLBOARD_LOG_LEVEL: log.level: expected one of error"),
        "{text}"
    );
    assert!(text.contains("--roadmap: run.roadmap"), "{text}");
}

#[test]
fn only_a_flag_may_name_main() {
    let onto = |branch: &str| Overrides {
        integration_branch: Some(branch.to_owned()),
        ..Overrides::default()
    };
    assert_eq!(
        *rig()
            .load_with(&onto("main"))
            .unwrap()
            .run
            .integration_branch,
        "main"
    );
    assert!(rig().load_with(&onto("-x")).is_err());
    assert!(
        rig()
            .user("[run]\nintegration_branch = \"main\"\n")
            .error()
            .contains("--onto")
    );
    assert!(
        rig()
            .var("CALLBOARD_RUN_INTEGRATION_BRANCH", "master")
            .error()
            .contains("--onto")
    );
}

#[test]
fn unknown_variables_are_told_and_stop_nothing() {
    let warnings = rig()
        .var("CALLBOARD_RUN_ATEMPTS", "9")
        .var("CALLBOARD_TASK", "t_1")
        .config()
        .warnings;
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].contains("did you mean CALLBOARD_RUN_ATTEMPTS?"),
        "{warnings:?}"
    );
}

#[test]
fn an_agent_without_a_command_is_a_problem_at_its_line() {
    let error = rig()
        .user("\n[agents.claude]\npass_env = [\"K\"]\n")
        .error();
    assert!(
        error.contains("config.toml:2: agents.claude.command"),
        "{error}"
    );
}

#[test]
fn a_flag_names_an_agent_or_gives_a_command() {
    let rig = rig().user("[agents.claude]\ncommand = \"claude -p\"\n");
    let choose = |agent: &str| {
        rig.load_with(&Overrides {
            agent: Some(agent.to_owned()),
            ..Overrides::default()
        })
        .unwrap()
        .chosen_agent()
    };
    let named = choose("claude").unwrap().unwrap();
    assert_eq!(*named.command, ["claude", "-p"]);
    let given = choose("/opt/My.Agent --now 'a b'").unwrap().unwrap();
    assert_eq!(given.name, "my-agent");
    assert_eq!(*given.command, ["/opt/My.Agent", "--now", "a b"]);
    assert!(choose("a 'b").is_err());
    assert!(rig.config().chosen_agent().unwrap().is_none());
}

#[test]
fn no_other_layer_may_give_a_command() {
    let rig = rig()
        .user("[agents.claude]\ncommand = \"claude -p\"\n")
        .var("CALLBOARD_RUN_AGENT", "cluade");
    let error = rig.config().chosen_agent().unwrap_err().to_string();
    assert!(
        error.contains("CALLBOARD_RUN_AGENT: there is no agent \"cluade\": did you mean claude?"),
        "{error}"
    );
}

#[test]
fn a_broken_register_stops_a_project_and_names_the_line() {
    let rig = rig();
    let file = rig.projects().file();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "\noops\n").unwrap();
    assert!(rig.error().contains("projects.toml:2"), "{}", rig.error());
    assert!(Config::load(&rig.environment(), None, &Overrides::default()).is_ok());
}

#[test]
fn without_a_home_the_data_directory_is_enough() {
    let env = Environment::of([("CALLBOARD_DATA_DIR", "/data")], "/");
    let config = Config::load(&env, None, &Overrides::default()).unwrap();
    assert_eq!(*config.board, Path::new("/data"));
    let none = Environment::of([("LANG", "C")], "/");
    assert!(matches!(
        Config::load(&none, None, &Overrides::default()),
        Err(ConfigError::NoHome)
    ));
}

#[test]
fn the_places_looked_at() {
    let rig = rig().project("");
    let found = config_files(&rig.environment(), Some(&rig.root()));
    let roles: Vec<(&str, bool)> = found.iter().map(|f| (f.role, f.exists)).collect();
    assert_eq!(
        roles,
        [("user", false), ("project", true), ("register", false)]
    );
}

#[test]
fn the_shipped_example_needs_no_trust() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/tally"));
    let file = ProjectFile::read(root).unwrap().unwrap();
    assert_eq!(file.problems(), []);
    assert_eq!(file.dangerous(), []);
}
