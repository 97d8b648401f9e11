use super::*;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

fn extra(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn home() -> Environment {
    Environment::of([("HOME", "/home/ada"), ("PATH", "/opt/bin")], "/")
}

#[test]
fn directories_follow_xdg() {
    let env = home();
    assert_eq!(
        env.config_dir().unwrap(),
        Path::new("/home/ada/.config/callboard")
    );
    assert_eq!(
        env.data_dir().unwrap(),
        Path::new("/home/ada/.local/share/callboard")
    );
    let xdg = Environment::of(
        [
            ("HOME", "/h"),
            ("XDG_DATA_HOME", "/d"),
            ("XDG_CONFIG_HOME", "relative"),
        ],
        "/",
    );
    assert_eq!(xdg.data_dir().unwrap(), Path::new("/d/callboard"));
    assert_eq!(xdg.config_dir().unwrap(), Path::new("/h/.config/callboard"));
}

#[test]
fn directories_on_macos() {
    let mut env = home();
    env.mac = true;
    let expected = Path::new("/home/ada/Library/Application Support/callboard");
    assert_eq!(env.data_dir().unwrap(), expected);
}

#[test]
fn data_dir_is_taken_as_it_is_and_must_be_absolute() {
    let own = Environment::of([("CALLBOARD_DATA_DIR", "/boards")], "/");
    assert_eq!(own.default_board().unwrap(), Path::new("/boards"));
    let relative = Environment::of([("CALLBOARD_DATA_DIR", "boards"), ("HOME", "/h")], "/");
    assert!(matches!(
        relative.data_dir(),
        Err(ConfigError::NotAbsolute { .. })
    ));
}

#[test]
fn no_home_is_an_error_and_not_the_root_directory() {
    let env = Environment::of([("HOME", "")], "/");
    assert!(matches!(env.data_dir(), Err(ConfigError::NoHome)));
}

#[test]
fn agents_get_little() {
    let env = Environment::of(
        [
            ("PATH", "/opt/bin"),
            ("HOME", "/h"),
            ("TERM", "xterm-256color"),
            ("LC_ALL", "C.UTF-8"),
            ("API_KEY", "secret"),
            ("OTHER_KEY", "secret too"),
            ("CALLBOARD_BOARD", "/b"),
            ("GIT_DIR", "/elsewhere"),
        ],
        "/",
    );
    let got = env
        .for_agent(&["API_KEY".to_owned()], &extra(&[("MODE", "fast")]))
        .unwrap();
    let expected: Vec<(String, String)> = [
        ("API_KEY", "secret"),
        ("HOME", "/h"),
        ("LC_ALL", "C.UTF-8"),
        ("MODE", "fast"),
        ("PATH", "/opt/bin"),
        ("TERM", "dumb"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .to_vec();
    assert_eq!(got, expected);
}

#[test]
fn tasks_may_not_change_what_runs() {
    for name in [
        "PATH",
        "path",
        "LD_PRELOAD",
        "DYLD_INSERT_LIBRARIES",
        "GIT_DIR",
        "CALLBOARD_TASK",
        "HOME",
        "BASH_ENV",
        "RUSTC_WRAPPER",
    ] {
        let refused = home().for_agent(&[], &extra(&[(name, "x")]));
        assert_eq!(
            refused,
            Err(EnvironmentError::Refused {
                name: name.to_owned()
            })
        );
    }
}

#[test]
fn names_and_values_that_no_environment_can_carry() {
    for name in ["", "A=B", "1A", "A B", "A\0"] {
        assert!(
            matches!(
                check_task_env(&extra(&[(name, "x")])),
                Err(EnvironmentError::BadName { .. })
            ),
            "{name:?}"
        );
    }
    assert!(matches!(
        check_task_env(&extra(&[("A", "x\0y")])),
        Err(EnvironmentError::BadValue { .. })
    ));
    assert_eq!(check_task_env(&extra(&[("A_1", "x=y\nz")])), Ok(()));
}

#[test]
fn pass_env_may_not_redirect_git() {
    let refused = home().for_agent(&["GIT_DIR".to_owned()], &BTreeMap::new());
    assert!(matches!(refused, Err(EnvironmentError::NotPassed { .. })));
}

#[test]
fn a_value_that_is_not_text_is_named() {
    let env = Environment::of([("HOME", OsStr::from_bytes(b"/h\xff"))], "/");
    assert_eq!(
        env.for_agent(&[], &BTreeMap::new()),
        Err(EnvironmentError::NotText {
            name: "HOME".to_owned()
        })
    );
}

#[test]
fn git_keeps_credentials_and_loses_redirects() {
    let env = Environment::of(
        [
            ("SSH_AUTH_SOCK", "/s"),
            ("GIT_SSH_COMMAND", "ssh -v"),
            ("GIT_DIR", "/x"),
            ("CALLBOARD_BOARD", "/b"),
        ],
        "/",
    );
    let names: Vec<_> = env.for_git().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["GIT_SSH_COMMAND", "SSH_AUTH_SOCK"]);
}

#[test]
fn which_finds_executables_only() {
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for (name, mode) in [("tool", 0o755), ("data", 0o644)] {
        let file = std::fs::File::create(bin.join(name)).unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(mode))
            .unwrap();
    }
    let path = format!("/nowhere:{}", bin.display());
    let env = Environment::of([("PATH", path)], dir.path());
    assert_eq!(env.which("tool"), Some(bin.join("tool")));
    assert_eq!(env.which("data"), None);
    assert_eq!(env.which("bin/tool"), Some(bin.join("tool")));
    assert_eq!(env.which(""), None);
}
