//! Backups, and taking back what was written.

use super::*;

#[test]
fn the_file_as_it_was_is_kept_and_so_are_earlier_backups() {
    let rig = rig(true);
    rig.put("{}");
    rig.run().unwrap();
    rig.put("{ }");
    rig.run().unwrap();
    assert_eq!(
        rig.files(),
        [".mcp.json", ".mcp.json.bak", ".mcp.json.bak1"]
    );
    let backup = rig.file().with_file_name(".mcp.json.bak");
    assert_eq!(std::fs::read_to_string(backup).unwrap(), "{}");
}

#[test]
fn each_client_s_file_is_written_once_and_undone() {
    for client in CLIENTS {
        let rig = rig(true);
        let args = args(client);
        let (file, said) = rig.there(&args, None);
        let said = said.unwrap();
        assert!(said.contains("written") && said.contains("  + "), "{said}");
        let text = content(&file);
        assert!(
            text.contains("assigner") && text.contains("roadmap"),
            "{text}"
        );
        let (_, again) = rig.there(&args, None);
        assert!(again.unwrap().contains("has all of it already"));
        assert_eq!(content(&file), text);
        let back = InitArgs { undo: true, ..args };
        let (_, undone) = rig.there(&back, None);
        assert!(undone.unwrap().contains("removed"));
        assert!(!file.exists());
        let (_, twice) = rig.there(&back, None);
        assert!(format!("{:#}", twice.unwrap_err()).contains("nothing there that could be undone"));
    }
}

#[test]
fn undo_restores_every_byte_and_the_mode() {
    let rig = rig(true);
    let args = InitArgs {
        scope: Some(Scope::User),
        ..args(Client::ClaudeCode)
    };
    let before = "{\"numStartups\": 3,\n \"mcpServers\": {\"x\": {\"env\": {\"K\": \"s3cret\"}}}}";
    let (file, _) = rig.there(&args, Some(before));
    let back = InitArgs {
        undo: true,
        ..args.clone()
    };
    rig.there(&back, None).1.unwrap();
    assert_eq!(content(&file), before);

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let said = rig.there(&args, None).1.unwrap();
    let backup = said
        .lines()
        .find_map(|line| line.strip_prefix("The file as it was: "))
        .unwrap();
    for path in [&file, Path::new(backup)] {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
}

#[test]
fn what_was_changed_since_is_not_undone() {
    let rig = rig(true);
    let args = args(Client::Cursor);
    let (file, _) = rig.there(&args, Some("{}"));
    let mine = content(&file).replace("roadmap", "roadmaps");
    let (_, refused) = rig.there(&InitArgs { undo: true, ..args }, Some(&mine));
    let error = format!("{:#}", refused.unwrap_err());
    assert!(
        error.contains("was changed since") && error.contains(".bak"),
        "{error}"
    );
    assert_eq!(content(&file), mine);
}

#[test]
fn a_mode_that_the_umask_would_narrow_stays() {
    let rig = rig(true);
    rig.put("{}");
    let mode = || rig.file().metadata().unwrap().permissions().mode() & 0o777;
    std::fs::set_permissions(rig.file(), PermissionsExt::from_mode(0o666)).unwrap();
    rig.run().unwrap();
    assert_eq!(mode(), 0o666);
    let back = InitArgs {
        undo: true,
        ..args(Client::ClaudeCode)
    };
    rig.there(&back, None).1.unwrap();
    assert_eq!((rig.text().as_str(), mode()), ("{}", 0o666));
}
