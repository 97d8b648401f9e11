//! What is somebody else's: links, other servers, secrets, read-only files, repositories.

use super::*;

#[test]
fn links_and_missing_directories_are_refused() {
    let rig = rig(true);
    let outside = rig.dir.path().join("settings.json");
    std::fs::File::create(&outside)
        .unwrap()
        .write_all(b"{}")
        .unwrap();
    std::os::unix::fs::symlink(&outside, rig.file()).unwrap();
    assert!(rig.run().unwrap_err().to_string().contains("symbolic link"));
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "{}");
    let args = InitArgs {
        path: "none".into(),
        ..args(Client::Generic)
    };
    assert!(init_as(&rig.exe, &args, &rig.environment, &mut Vec::new()).is_err());
}

#[test]
fn what_others_have_on_the_same_line_is_not_shown() {
    for before in [
        r#"{"mcpServers": {"other": {"command": "o", "env": {"KEY": "sk-secret"}}}}"#,
        "{\n  \"mcpServers\": {\n    \"other\": {\"env\": {\"KEY\": \"sk-secret\"}}\n  }\n}\n",
        "{\n  \"key\": \"sk-secret\"\n}\n",
    ] {
        let rig = rig(true);
        let (file, said) = rig.there(&args(Client::Generic), Some(before));
        let said = said.unwrap();
        assert!(content(&file).contains("sk-secret"));
        assert!(!said.contains("sk-secret"), "{said}");
        assert!(said.contains("\"assigner\""), "{said}");
    }
}

#[test]
fn a_server_of_somebody_else_s_is_left_alone_whatever_its_path() {
    let entry = |url: &str, more: &str| {
        format!(r#"{{"mcpServers": {{"assigner": {{"type": "http", "url": "{url}"{more}}}}}}}"#)
    };
    let foreign = entry(
        "https://corp.example/assigner/mcp",
        r#", "headers": {"Authorization": "Bearer corp-secret"}"#,
    );
    let rig = rig(true);
    let (file, refused) = rig.there(&args(Client::Generic), Some(&foreign));
    let refused = format!("{:#}", refused.unwrap_err());
    assert!(refused.contains("another server"), "{refused}");
    assert!(!refused.contains("corp-secret"), "{refused}");
    assert_eq!(content(&file), foreign);
    for ours in [
        entry("http://127.0.0.1:9/assigner/mcp", ""),
        entry("http://[::1]:9/assigner/mcp", ""),
        entry(
            "https://corp.example/base/assigner/mcp",
            r#", "headers": {"Authorization": "Bearer ${CALLBOARD_TOKEN}"}"#,
        ),
    ] {
        let (_, said) = rig.there(&args(Client::Generic), Some(&ours));
        assert!(said.unwrap().contains("updated   assigner"), "{ours}");
    }
}

#[test]
fn nothing_is_written_out_of_the_project_or_over_a_read_only_file() {
    let rig = rig(true);
    let outside = rig.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let link = rig.dir.path().join("project/.cursor");
    std::os::unix::fs::symlink(&outside, link).unwrap();
    let (_, refused) = rig.there(&args(Client::Cursor), None);
    let refused = format!("{:#}", refused.unwrap_err());
    assert!(refused.contains("symbolic link"), "{refused}");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);

    rig.put("{}");
    std::fs::set_permissions(rig.file(), PermissionsExt::from_mode(0o444)).unwrap();
    let over_http = InitArgs {
        transport: Transport::Http,
        ..args(Client::ClaudeCode)
    };
    for args in [args(Client::ClaudeCode), over_http] {
        let (_, refused) = rig.there(&args, None);
        let refused = format!("{:#}", refused.unwrap_err());
        assert!(refused.contains("is read-only"), "{refused}");
    }
    assert_eq!(rig.text(), "{}");
    assert!(!rig.dir.path().join("home").exists(), "a token was made");
}

#[test]
fn a_token_inside_a_repository_is_kept_out_of_it() {
    let rig = rig(true);
    let home = rig.dir.path().join("home");
    std::fs::create_dir_all(home.join(".git")).unwrap();
    let over_http = InitArgs {
        transport: Transport::Http,
        ..args(Client::Generic)
    };
    let said = rig.there(&over_http, None).1.unwrap();
    let ignore = home.join(".local/share/callboard/.gitignore");
    assert!(
        said.contains("git work tree") && said.contains(&ignore.display().to_string()),
        "{said}"
    );
    assert!(content(&ignore).lines().any(|line| line == "*"));
    // One that lets the token through is the user's: it is not changed, and no token is put beside it.
    let token = home.join(".local/share/callboard/token");
    std::fs::remove_file(&token).unwrap();
    std::fs::remove_file(&ignore).unwrap();
    std::fs::File::create(&ignore)
        .unwrap()
        .write_all(b"*\n!token\n")
        .unwrap();
    std::fs::remove_file(rig.dir.path().join("project/mcp.json")).unwrap();
    let refused = rig.there(&over_http, None).1.unwrap_err();
    assert!(format!("{refused:#}").contains(".gitignore"), "{refused:#}");
    assert!(!token.exists());
}

#[test]
fn a_file_with_a_second_name_is_left_alone() {
    let rig = rig(true);
    rig.put("{}");
    let other = rig.dir.path().join("kept.json");
    std::fs::hard_link(rig.file(), &other).unwrap();
    let refused = format!("{:#}", rig.run().unwrap_err());
    assert!(refused.contains("hard link"), "{refused}");
    assert_eq!((rig.text(), content(&other)), ("{}".into(), "{}".into()));
    assert_eq!(rig.files(), [".mcp.json"]);
    // What is as it should be already needs no writing.
    std::fs::remove_file(&other).unwrap();
    rig.run().unwrap();
    std::fs::hard_link(rig.file(), &other).unwrap();
    assert!(rig.run().unwrap().contains("has all of it already"));
}
