use super::*;
use std::os::unix::fs::PermissionsExt;

struct Rig {
    dir: tempfile::TempDir,
    projects: Projects,
}

fn rig() -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let projects = Projects::at(&dir.path().join("data"));
    Rig { dir, projects }
}

impl Rig {
    fn root(&self, name: &str) -> PathBuf {
        let root = self.dir.path().join(name);
        std::fs::create_dir_all(&root).unwrap();
        root.canonicalize().unwrap()
    }

    fn put_file(&self, text: &str) {
        std::fs::create_dir_all(&self.projects.dir).unwrap();
        let mut file = File::create(self.projects.file()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.projects.file()).unwrap()
    }
}

#[test]
fn an_unknown_project_has_nothing_and_leaves_nothing() {
    let rig = rig();
    assert_eq!(
        rig.projects.get(&rig.root("a")).unwrap(),
        Project::default()
    );
    assert!(!rig.projects.file().exists());
}

#[test]
fn board_and_trust_are_kept_apart() {
    let rig = rig();
    let (a, b) = (rig.root("a"), rig.root("b"));
    rig.projects.set_board(&a, Path::new("/boards/a")).unwrap();
    rig.projects.trust(&a, "aa").unwrap();
    rig.projects.trust(&b, "bb").unwrap();
    assert!(rig.projects.revoke(&a).unwrap());
    assert!(!rig.projects.revoke(&a).unwrap());
    let expected = Project {
        board: Some("/boards/a".into()),
        trusted: None,
    };
    assert_eq!(rig.projects.get(&a).unwrap(), expected);
    assert_eq!(rig.projects.get(&b).unwrap().trusted.as_deref(), Some("bb"));
    assert!(rig.projects.forget(&b).unwrap());
    assert_eq!(rig.projects.all().unwrap().len(), 1);
}

#[test]
fn a_project_is_the_same_however_it_is_reached() {
    let rig = rig();
    let root = rig.root("a");
    let link = rig.dir.path().join("link");
    std::os::unix::fs::symlink(&root, &link).unwrap();
    rig.projects.trust(&link, "aa").unwrap();
    assert_eq!(
        rig.projects.get(&root).unwrap().trusted.as_deref(),
        Some("aa")
    );
    assert_eq!(
        rig.projects
            .get(&root.join("../a"))
            .unwrap()
            .trusted
            .as_deref(),
        Some("aa")
    );
}

#[test]
fn only_the_user_can_read_it() {
    let rig = rig();
    rig.projects.trust(&rig.root("a"), "aa").unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&rig.projects.file()), 0o600);
    assert_eq!(mode(&rig.projects.dir), 0o700);
}

#[test]
fn what_others_wrote_survives() {
    let rig = rig();
    rig.put_file("# mine\n[\"/x\"]\nboard = \"/b\" # why\nlater = \"kept\"\n");
    rig.projects.trust(&rig.root("a"), "aa").unwrap();
    let text = rig.text();
    assert!(
        text.starts_with("# mine\n[\"/x\"]\nboard = \"/b\" # why\nlater = \"kept\"\n"),
        "{text}"
    );
    assert_eq!(rig.projects.all().unwrap().len(), 2);
}

#[test]
fn a_broken_register_is_named_by_line_and_left_alone() {
    for (text, line) in [
        ("[\"/x\"]\nboard = \"/b\"\nnonsense\n", 3),
        ("[\"/x\"]\nboard = \"/b\"\n\n[\"/y\"]\ntrusted = 3\n", 4),
        ("\nrelative = 1\n", 2),
    ] {
        let rig = rig();
        rig.put_file(text);
        let failed = rig.projects.trust(&rig.root("a"), "aa").unwrap_err();
        assert!(
            matches!(&failed, RegisterError::Broken { line: found, .. } if *found == line),
            "{failed}"
        );
        assert_eq!(rig.text(), text);
    }
}

#[test]
fn concurrent_writers_lose_nothing() {
    let rig = rig();
    let roots: Vec<PathBuf> = (0..8).map(|n| rig.root(&format!("p{n}"))).collect();
    std::thread::scope(|scope| {
        for root in &roots {
            let projects = rig.projects.clone();
            scope.spawn(move || {
                for round in 0..5 {
                    projects.trust(root, &format!("{round}")).unwrap();
                    projects.set_board(root, Path::new("/b")).unwrap();
                }
            });
        }
    });
    let all = rig.projects.all().unwrap();
    assert_eq!(all.len(), roots.len());
    assert!(
        all.values()
            .all(|p| p.trusted.as_deref() == Some("4") && p.board.is_some())
    );
    let leftovers: Vec<_> = std::fs::read_dir(&rig.projects.dir).unwrap().collect();
    assert_eq!(leftovers.len(), 2, "only the register and its lock");
}
