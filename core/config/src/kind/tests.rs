use super::*;

#[test]
fn files_stay_inside() {
    for good in ["ROADMAP.md", "docs/ROADMAP.md"] {
        assert!(Kind::FileInside.check_text(good).is_ok(), "{good}");
    }
    for bad in ["", "/etc/passwd", "../x", "a/../../x", ".git/config", "./a"] {
        assert!(Kind::FileInside.check_text(bad).is_err(), "{bad}");
    }
}

#[test]
fn addresses_hosts_and_origins() {
    for (kind, good, bad) in [
        (Kind::Listen, "127.0.0.1:22552", "localhost"),
        (Kind::Listen, "[::1]:0", "127.0.0.1"),
        (Kind::Listen, "0.0.0.0:80", "127.0.0.1:70000"),
        (
            Kind::Hosts,
            "example.org, 10.0.0.7:8080",
            "https://example.org",
        ),
        (Kind::Hosts, "[::1]:80", "a/b"),
        (Kind::Origins, "https://example.org", "example.org"),
        (
            Kind::Origins,
            "http://localhost:*",
            "https://example.org/page",
        ),
    ] {
        assert!(kind.check_text(good).is_ok(), "{good}");
        let why = kind.check_text(bad).unwrap_err();
        assert!(why.starts_with("expected "), "{why}");
    }
}

#[test]
fn commands_are_split_and_never_empty() {
    assert_eq!(
        Kind::Command.check_text("claude -p 'do it'"),
        Ok(Value::Words(vec![
            "claude".into(),
            "-p".into(),
            "do it".into()
        ]))
    );
    for bad in ["", "  ", "a 'b"] {
        assert!(Kind::Command.check_text(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn messages_carry_no_control_characters() {
    let why = Kind::Choice(&["text"])
        .check_text("\u{1b}[2J\u{7}")
        .unwrap_err();
    assert!(!why.contains(char::is_control), "{why:?}");
}
