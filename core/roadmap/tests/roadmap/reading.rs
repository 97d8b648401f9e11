//! Documents that can't be taken, and the way to the file.
#![cfg(unix)]

use std::os::unix::fs::symlink;
use std::path::Path;

use callboard_roadmap::{MAX_BYTES, RoadmapError, parse, read_file};

#[test]
fn a_byte_that_is_no_utf8_is_named_by_its_line() {
    let error = parse(b"# Plan\r\n\r\n- [ ] caf\xe9\r\n").unwrap_err();
    assert!(
        matches!(
            error,
            RoadmapError::NotUtf8 {
                line: 3,
                offset: 19
            }
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("line 3"));
}

#[test]
fn five_megabytes_are_too_many() {
    let text = vec![b'a'; 5 * 1024 * 1024];
    assert!(matches!(
        parse(&text),
        Err(RoadmapError::TooLarge {
            bytes: 5_242_880,
            ..
        })
    ));
    let dir = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(dir.path().join("ROADMAP.md")).unwrap();
    file.set_len(MAX_BYTES as u64 + 1).unwrap();
    let error = read_file(dir.path(), Path::new("ROADMAP.md")).unwrap_err();
    assert!(matches!(error, RoadmapError::TooLarge { .. }), "{error:?}");
}

#[test]
fn a_file_inside_the_project_is_read_also_by_a_link_inside_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("docs")).unwrap();
    std::io::Write::write_all(
        &mut std::fs::File::create(dir.path().join("docs/plan.md")).unwrap(),
        b"# P\r\n",
    )
    .unwrap();
    symlink("docs/plan.md", dir.path().join("ROADMAP.md")).unwrap();
    for path in ["docs/plan.md", "ROADMAP.md", "./docs/plan.md"] {
        assert_eq!(
            read_file(dir.path(), Path::new(path)).unwrap(),
            b"# P\r\n",
            "{path}"
        );
    }
}

#[test]
fn nothing_outside_of_the_project_is_read() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("project");
    std::fs::create_dir(&root).unwrap();
    std::fs::File::create(outer.path().join("secret")).unwrap();
    symlink("../secret", root.join("ROADMAP.md")).unwrap();
    symlink("..", root.join("up")).unwrap();
    let absolute = outer.path().join("secret");
    for path in [
        Path::new("ROADMAP.md"),
        Path::new("up/secret"),
        Path::new("../secret"),
        absolute.as_path(),
    ] {
        let error = read_file(&root, path).unwrap_err();
        assert!(
            matches!(error, RoadmapError::OutsideRoot { .. }),
            "{path:?}: {error:?}"
        );
    }
}

#[test]
fn what_is_no_file_is_refused_without_waiting_for_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("ROADMAP.md")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket.md")).unwrap();
    for path in ["ROADMAP.md", "socket.md", ""] {
        let error = read_file(dir.path(), Path::new(path)).unwrap_err();
        assert!(
            matches!(error, RoadmapError::NotAFile { .. }),
            "{path}: {error:?}"
        );
    }
    let error = read_file(dir.path(), Path::new("none.md")).unwrap_err();
    assert!(matches!(error, RoadmapError::Missing { .. }) && error.to_string().contains("none.md"));
}
