use super::*;

fn faults(text: &str) -> Vec<(usize, String, String)> {
    parse(text)
        .faults
        .into_iter()
        .map(|fault| (fault.line, fault.key, fault.message))
        .collect()
}

fn only(text: &str) -> (usize, String, String) {
    let all = faults(text);
    assert_eq!(all.len(), 1, "{all:?}");
    all.into_iter().next().unwrap()
}

#[test]
fn a_good_file_has_no_faults() {
    let parsed = parse(
        "board = \"~/boards/one\"\n[run]\nagents = 2\ntask_timeout = \"90s\"\ntest_merges = false\n\
         [tests]\ncommand = [\"make\", \"test\"]\n[agents.claude]\ncommand = \"claude -p\"\npass_env = [\"API_KEY\"]\n",
    );
    assert_eq!(parsed.faults, []);
    let lines: Vec<(&str, usize)> = parsed
        .entries
        .iter()
        .map(|e| (e.path.as_str(), e.line))
        .collect();
    assert_eq!(
        lines,
        [
            ("board", 1),
            ("run.agents", 3),
            ("run.task_timeout", 4),
            ("run.test_merges", 5),
            ("tests.command", 7),
            ("agents.claude.command", 9),
            ("agents.claude.pass_env", 10),
        ]
    );
}

#[test]
fn all_faults_of_a_file_are_told_at_once() {
    let all = faults(
        "[run]\nagnets = 3\nattempts = \"three\"\ntask_timeout = 30\n[test]\ncommand = \"x\"\n",
    );
    let places: Vec<(usize, &str)> = all
        .iter()
        .map(|(line, key, _)| (*line, key.as_str()))
        .collect();
    assert_eq!(
        places,
        [
            (2, "run.agnets"),
            (3, "run.attempts"),
            (4, "run.task_timeout"),
            (5, "test")
        ]
    );
    assert!(
        all[0].2.contains("did you mean run.agents?"),
        "{}",
        all[0].2
    );
    assert!(all[1].2.contains("from 1 to 20"), "{}", all[1].2);
    assert!(all[2].2.contains("with its unit"), "{}", all[2].2);
}

#[test]
fn ranges_are_held() {
    for (text, key) in [
        ("[run]\nagents = 0", "run.agents"),
        ("[run]\nagents = 17", "run.agents"),
        ("[run]\nagents = -3", "run.agents"),
        ("[run]\ntask_timeout = \"0s\"", "run.task_timeout"),
        ("[tests]\ntimeout = \"2d\"", "tests.timeout"),
        ("[run]\nroadmap = \"../ROADMAP.md\"", "run.roadmap"),
        (
            "[run]\nintegration_branch = \"main\"",
            "run.integration_branch",
        ),
        ("[log]\nlevel = \"verbose\"", "log.level"),
        ("[tests]\ncommand = []", "tests.command"),
        ("[tests]\ncommand = [1]", "tests.command"),
        ("[agents.a]\npass_env = [\"GIT_DIR\"]", "agents.a.pass_env"),
        ("run = 3", "run"),
    ] {
        let (_, found, _) = only(text);
        assert_eq!(found, key, "{text}");
    }
    assert_eq!(faults("[run]\nagents = 16\nattempts = 0x3"), []);
}

#[test]
fn names_of_agents_are_plain() {
    assert_eq!(only("[agents.\"My Agent\"]\ncommand = \"x\"").0, 1);
    assert!(
        only("[agents.stand-in]\ncommand = \"x\"")
            .2
            .contains("taken")
    );
    assert!(
        only("[agents.a]\ncomand = \"x\"")
            .2
            .contains("agents.a.command")
    );
}

#[test]
fn broken_toml_names_the_line_and_keeps_what_stands_before() {
    let all = faults("[run]\nagnets = 1\nattempts = = 2\nunknown = 3\n");
    assert_eq!((all[0].0, all[0].1.as_str()), (2, "run.agnets"));
    assert_eq!(all[1].0, 3);
    assert!(all[1].2.contains("no TOML"), "{:?}", all[1]);
    assert!(all.iter().all(|(line, _, _)| *line <= 3), "{all:?}");
}

#[test]
fn a_key_twice_is_a_fault() {
    assert_eq!(only("[run]\nagents = 1\nagents = 2\n").0, 3);
}

#[test]
fn control_characters_of_a_file_never_reach_the_terminal() {
    let all = faults("\"\\u001b[2J\" = 1\n[log]\nlevel = \"\\u001b]0;x\\u0007\"\n");
    assert_eq!(all.len(), 2);
    for (_, key, message) in all {
        assert!(!format!("{key}{message}").contains(char::is_control));
    }
}

#[test]
fn the_hash_is_of_the_bytes() {
    let dir = tempfile::tempdir().unwrap();
    std::io::Write::write_all(
        &mut File::create(dir.path().join(PROJECT_FILE)).unwrap(),
        b"abc = 1\n",
    )
    .unwrap();
    let file = ProjectFile::read(dir.path()).unwrap().unwrap();
    // printf 'abc = 1\n' | sha256sum
    let expected = "78f1a1656aa4c78dbb60ac7b5d1883ac87bd79028f8e85561ba00cb0f339cf89";
    assert_eq!(file.sha256, expected);
    assert_eq!(file.problems().len(), 1);
    assert!(ProjectFile::read(Path::new("/nowhere")).unwrap().is_none());
}

#[test]
fn only_regular_utf8_files_of_sane_size_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::io::Write::write_all(&mut File::create(at("latin1")).unwrap(), b"a=1\n# \xe9\n").unwrap();
    File::create(at("huge"))
        .unwrap()
        .set_len(LARGEST + 1)
        .unwrap();
    let why = |name: &str| read_text(&at(name)).unwrap_err().to_string();
    assert!(why("latin1").contains("line 2"), "{}", why("latin1"));
    assert!(why("huge").contains("1 MiB"));
    assert!(why("").contains("regular file"));

    std::os::unix::fs::symlink("/etc/hostname", at(PROJECT_FILE)).unwrap();
    let refused = ProjectFile::read(dir.path()).unwrap_err().to_string();
    assert!(refused.contains("symbolic link"), "{refused}");
}
