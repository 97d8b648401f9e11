//! What opens a vault and what does not, and how a value comes into it.

use super::rig::*;
use crate::workshop::WORK;
use callboard_tests::{Finished, Home, Running};

#[test]
fn a_vault_that_does_not_open_stops_a_run_before_it_begins() {
    let shop = filled(&[("Alpha part", "")]);
    configure(&shop, WORK, "");
    let run = || {
        shop.home
            .callboard(&["run", shop.root.to_str().unwrap(), "--json"])
    };
    let refused = |done: &Finished, words: &[&str]| {
        assert_eq!(done.code, 1, "{done:?}");
        for word in words {
            assert!(done.err.contains(word), "{word}: {done:?}");
        }
        assert_clean("output", format!("{}{}", done.out, done.err));
        assert!(!shop.has_seen("order"));
    };
    let key = std::fs::read_dir(shop.home.board().join("keys"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "key"))
        .unwrap();
    let whole = std::fs::read(&key).unwrap();
    for length in [0, 10, 60, 85] {
        std::fs::File::options()
            .write(true)
            .open(&key)
            .unwrap()
            .set_len(length)
            .unwrap();
        refused(&run(), &["key file", "put back the copy"]);
        std::fs::write(&key, &whole).unwrap();
    }
    let mut flipped = whole.clone();
    flipped[30] = if flipped[30] == b'0' { b'1' } else { b'0' };
    std::fs::write(&key, &flipped).unwrap();
    refused(&run(), &["does not open the vault"]);
    std::fs::write(&key, &whole).unwrap();

    let sql = |text: &str| {
        let board = rusqlite::Connection::open(shop.home.board().join("board.db")).unwrap();
        board.execute_batch(text).unwrap();
    };
    sql("UPDATE vault_secret SET name = 'X' WHERE name = 'ODD'; UPDATE vault_secret SET name = 'ODD' WHERE name = 'PLAIN';
         UPDATE vault_secret SET name = 'PLAIN' WHERE name = 'X'");
    refused(&run(), &["does not open", "its row was changed"]);
    sql("UPDATE vault_secret SET name = 'X' WHERE name = 'ODD'; UPDATE vault_secret SET name = 'ODD' WHERE name = 'PLAIN';
         UPDATE vault_secret SET name = 'PLAIN' WHERE name = 'X'");

    std::fs::rename(&key, key.with_extension("away")).unwrap();
    refused(&run(), &["is not there"]);
    std::fs::rename(key.with_extension("away"), &key).unwrap();
    must(shop.home.callboard(&["vault", "delete", "ODD"]));
    refused(
        &run(),
        &["the vault has no secret ODD", "callboard vault set ODD"],
    );
    let doctor = shop.home.callboard(&["doctor"]);
    assert!(doctor.out.contains("callboard vault set ODD"), "{doctor:?}");
}

#[test]
fn a_passphrase_opens_it_and_no_other() {
    let shop = filled(&[("Alpha part", "")]);
    configure(&shop, WORK, "");
    let file = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = shop.home.path().join(name);
        shop.home.write(&path, text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let right = file("right", "correct horse battery\n");
    let wrong = file("wrong", "correct horse batterx\n");
    must(given(
        &shop.home,
        &[
            "vault",
            "lock",
            "passphrase",
            "--new-passphrase-file",
            &right,
        ],
        "",
    ));
    let keys = std::fs::read_dir(shop.home.board().join("keys")).unwrap();
    let left = keys.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|end| end == "key")
    });
    assert_eq!(left.count(), 0);
    let set = |file: &[&str]| {
        given(
            &shop.home,
            &[&["vault", "set", "NEW"], file].concat(),
            "a new value\n",
        )
    };
    let none = set(&[]);
    assert!(
        none.code == 1 && none.err.contains("no terminal to ask on"),
        "{none:?}"
    );
    let bad = set(&["--passphrase-file", &wrong]);
    assert!(
        bad.code == 1 && bad.err.contains("the passphrase is wrong"),
        "{bad:?}"
    );
    must(set(&["--passphrase-file", &right]));

    let delete = |file: &str| {
        given(
            &shop.home,
            &["vault", "delete", "NEW", "--passphrase-file", file],
            "",
        )
    };
    let bad = delete(&wrong);
    assert!(
        bad.code == 1 && bad.err.contains("the passphrase is wrong"),
        "{bad:?}"
    );
    assert!(shop.home.callboard(&["vault", "list"]).out.contains("NEW"));
    must(delete(&right));

    let run = |file: &str| {
        let mut command = shop.home.command("callboard");
        command.args(["run", shop.root.to_str().unwrap(), "--json"]);
        command.env("CALLBOARD_VAULT_PASSPHRASE_FILE", file);
        Running::of(command).finish()
    };
    let bad = run(&wrong);
    assert!(
        bad.code == 1 && bad.err.contains("the passphrase is wrong"),
        "{bad:?}"
    );
    assert_eq!(must(run(&right)).code, 0);
    assert_nothing_holds_a_value(&shop, &["callboard/integration"]);
}

#[test]
fn a_value_is_never_taken_from_the_command_line() {
    let home = Home::new();
    for wrong in [
        &["set", "NAME", PLAIN][..],
        &["set", "NAME", "--value", PLAIN],
        &["set", "--value", PLAIN, "NAME"],
        &["set", &format!("--value={PLAIN}"), "NAME"],
        &["set", &format!("NAME={PLAIN}")],
        &["set", &format!("a/{PLAIN}")],
        &["list", PLAIN],
        &["lock", PLAIN],
        &["delete", &format!("no/{PLAIN}")],
    ] {
        let done = given(&home, &[&["vault"], wrong].concat(), "some other value\n");
        assert_eq!(done.code, 1, "{wrong:?}: {done:?}");
        assert!(!done.err.is_empty());
        assert_clean("output", format!("{}{}", done.out, done.err));
    }
    assert!(
        must(given(&home, &["vault", "list"], ""))
            .out
            .contains("no secrets")
    );
    for (input, word) in [
        ("", "empty"),
        ("\n", "empty"),
        ("short\n", "fewer than 8"),
        (&"x".repeat(70_000), "64 KiB"),
    ] {
        let done = given(&home, &["vault", "set", "NAME"], input);
        assert!(
            done.code == 1 && done.err.contains(word),
            "{word}: {done:?}"
        );
    }
}

#[test]
fn a_lock_of_a_newer_version_is_refused_as_that() {
    let shop = filled(&[("Alpha part", "")]);
    configure(&shop, WORK, "");
    let board = rusqlite::Connection::open(shop.home.board().join("board.db")).unwrap();
    board
        .execute_batch("UPDATE vault SET lock = 'keyring'")
        .unwrap();
    drop(board);
    let root = shop.root.to_str().unwrap();
    for args in [
        &["vault", "status"][..],
        &["vault", "set", "NEW"],
        &["vault", "rekey"],
        &["vault", "lock", "key-file"],
        &["run", root, "--json"],
    ] {
        let done = given(&shop.home, args, "some new value\n");
        let told = done.err.contains("made by a newer version") && done.err.contains("keyring");
        assert!(done.code == 1 && told, "{args:?}: {done:?}");
    }
    let doctor = shop.home.callboard(&["doctor"]);
    assert!(doctor.out.contains("made by a newer version"), "{doctor:?}");
}
