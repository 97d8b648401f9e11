//! The vault over real files: what it keeps, what it refuses, and what a crash leaves.

use super::*;
use crate::{FixedClock, Options, params};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

const VALUE: &str = "canary-5f1e0d-value";
const OTHER: &str = "another-value-77aa";

struct Rig {
    dir: tempfile::TempDir,
    vault: Vault,
}

fn store(dir: &Path) -> Store {
    Store::open(Options::board(&dir.join("board")), &[MIGRATIONS]).unwrap()
}

fn vault_in(dir: &Path) -> Vault {
    Vault::new(
        store(dir),
        &dir.join("data"),
        Arc::new(FixedClock::new(1_000)),
    )
}

fn rig() -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault_in(dir.path());
    Rig { dir, vault }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn says(word: &'static str) -> AskPassphrase {
    Arc::new(move || Ok(secret(word)))
}

fn get(vault: &Vault, name: &str) -> Result<String, VaultError> {
    let names = BTreeSet::from([name.to_owned()]);
    Ok(vault.resolve(&names)?[name].expose().to_owned())
}

impl Rig {
    /// A vault with two secrets.
    fn filled() -> Self {
        let rig = rig();
        rig.vault.set("ONE", &secret(VALUE)).unwrap();
        rig.vault.set("TWO", &secret(OTHER)).unwrap();
        rig
    }

    /// Another process.
    fn another(&self) -> Vault {
        vault_in(self.dir.path())
    }

    fn sql(&self, sql: &'static str) {
        let changed = self
            .vault
            .store
            .write_blocking(move |c| c.execute(sql, params![]));
        assert!(changed.unwrap() > 0, "{sql} changed nothing");
    }

    fn key_files(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.dir.path().join("data/keys")) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut keys: Vec<String> = names.filter(|name| name.ends_with(".key")).collect();
        keys.sort();
        keys
    }
}

#[test]
fn a_secret_is_set_listed_rotated_and_deleted() {
    let rig = rig();
    assert!(matches!(get(&rig.vault, "ONE"), Err(VaultError::NoVault)));
    assert_eq!(rig.vault.status().unwrap(), None);
    assert_eq!(rig.vault.list().unwrap(), []);
    rig.vault.set("ONE", &secret(VALUE)).unwrap();
    assert!(matches!(
        rig.vault.set("ONE", &secret(OTHER)),
        Err(VaultError::Exists(_))
    ));
    assert_eq!(get(&rig.vault, "ONE").unwrap(), VALUE);
    assert_eq!(rig.vault.rotate("ONE", &secret(OTHER)).unwrap(), 2);
    assert_eq!(get(&rig.another(), "ONE").unwrap(), OTHER);
    let expected = Listed {
        name: "ONE".to_owned(),
        version: 2,
        created_ms: 1_000,
        changed_ms: 1_000,
    };
    assert_eq!(rig.vault.list().unwrap(), [expected]);
    let status = rig.vault.status().unwrap().unwrap();
    assert_eq!(
        (status.lock, status.secrets, status.generation),
        (LockKind::KeyFile, 1, 1)
    );
    rig.vault.delete("ONE").unwrap();
    for error in [
        rig.vault.delete("ONE").unwrap_err(),
        rig.vault.rotate("ONE", &secret(VALUE)).unwrap_err(),
        get(&rig.vault, "ONE").map(drop).unwrap_err(),
    ] {
        assert!(
            matches!(&error, VaultError::Missing { names, .. } if names == &["ONE"]),
            "{error}"
        );
    }
}

#[test]
fn all_that_is_missing_is_told_with_what_is_near() {
    let rig = Rig::filled();
    let names = ["ONE", "GONE", "two"]
        .map(str::to_owned)
        .into_iter()
        .collect();
    let error = rig.vault.resolve(&names).unwrap_err().to_string();
    assert!(error.contains("no secret GONE, two"), "{error}");
    let error = get(&rig.vault, "two").unwrap_err().to_string();
    assert!(error.contains("did you mean TWO?"), "{error}");
}

#[test]
fn names_and_values_are_bounded() {
    let rig = rig();
    for bad in ["", "a b", "a/b", "ä", "x\n", "$x", &"n".repeat(65)] {
        assert!(
            matches!(
                rig.vault.set(bad, &secret(VALUE)),
                Err(VaultError::BadName(_))
            ),
            "{bad:?}"
        );
    }
    rig.vault.set(&"n".repeat(64), &secret(VALUE)).unwrap();
    rig.vault.set("A.b_c-9", &secret(VALUE)).unwrap();
    for bad in [
        "",
        "1234567",
        "with\0nul-inside",
        &"x".repeat(LONGEST_VALUE + 1),
    ] {
        assert!(matches!(
            rig.vault.set("V", &secret(bad)),
            Err(VaultError::BadValue(_))
        ));
    }
    let longest = "y".repeat(LONGEST_VALUE);
    rig.vault.set("V", &secret(&longest)).unwrap();
    assert_eq!(get(&rig.vault, "V").unwrap(), longest);
    let filler = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 997) \
                  INSERT INTO vault_secret SELECT 'filler' || i, 1, x'00', x'00', 0, 0 FROM n";
    rig.vault
        .store
        .write_blocking(move |c| c.execute(filler, params![]))
        .unwrap();
    assert!(matches!(
        rig.vault.set("ONE-MORE", &secret(VALUE)),
        Err(VaultError::TooMany(MOST_SECRETS))
    ));
}

#[test]
fn a_row_opens_in_its_own_place_only() {
    for (what, sql) in [
        (
            "older version",
            "UPDATE vault_secret SET version = version + 1",
        ),
        (
            "flipped last byte",
            "UPDATE vault_secret SET sealed = CAST(substr(sealed, 1, length(sealed) - 1) || iif(substr(sealed, -1) = x'00', x'01', x'00') AS BLOB)",
        ),
        (
            "flipped nonce",
            "UPDATE vault_secret SET nonce = CAST(iif(substr(nonce, 1, 1) = x'00', x'01', x'00') || substr(nonce, 2) AS BLOB)",
        ),
        (
            "cut by one",
            "UPDATE vault_secret SET sealed = substr(sealed, 1, length(sealed) - 1)",
        ),
        ("cut to nothing", "UPDATE vault_secret SET sealed = x''"),
        ("no nonce", "UPDATE vault_secret SET nonce = x''"),
        (
            "longer",
            "UPDATE vault_secret SET sealed = CAST(sealed || x'00' AS BLOB)",
        ),
    ] {
        let rig = Rig::filled();
        rig.sql(sql);
        for name in ["ONE", "TWO"] {
            let error = get(&rig.vault, name).unwrap_err();
            assert!(
                matches!(&error, VaultError::Damaged(found) if found == name),
                "{what}: {error}"
            );
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }
}

#[test]
fn swapped_and_renamed_rows_do_not_open() {
    let rig = Rig::filled();
    let swap = |c: &mut dyn Conn| -> Result<(), StoreError> {
        let rows = table::secrets(c)?;
        table::reseal(c, &rows[0].name, &rows[1].sealed)?;
        table::reseal(c, &rows[1].name, &rows[0].sealed)
    };
    rig.vault.store.write_blocking(swap).unwrap();
    for name in ["ONE", "TWO"] {
        assert!(matches!(get(&rig.vault, name), Err(VaultError::Damaged(found)) if found == name));
    }
    rig.vault.store.write_blocking(swap).unwrap();
    assert_eq!(get(&rig.vault, "ONE").unwrap(), VALUE);
    rig.sql("UPDATE vault_secret SET name = 'OTHER' WHERE name = 'ONE'");
    assert!(matches!(
        get(&rig.vault, "OTHER"),
        Err(VaultError::Damaged(_))
    ));
    assert_eq!(get(&rig.vault, "TWO").unwrap(), OTHER);
}

#[test]
fn a_row_of_another_vault_does_not_open() {
    let (ours, theirs) = (Rig::filled(), Rig::filled());
    let (nonce, sealed) = theirs
        .vault
        .store
        .read_now(|c| table::secret(c, "ONE"))
        .unwrap()
        .map(|row| (row.sealed.nonce, row.sealed.bytes))
        .unwrap();
    let moved = move |c: &mut dyn Conn| {
        c.execute(
            "UPDATE vault_secret SET nonce = ?1, sealed = ?2 WHERE name = 'ONE'",
            params![nonce.as_slice(), sealed.as_slice()],
        )
    };
    ours.vault.store.write_blocking(moved).unwrap();
    assert!(matches!(
        get(&ours.vault, "ONE"),
        Err(VaultError::Damaged(_))
    ));
    assert_eq!(get(&ours.vault, "TWO").unwrap(), OTHER);
}

#[test]
fn the_vaults_own_row_is_bound_to_all_it_says() {
    for sql in [
        "UPDATE vault SET wrapped = CAST(iif(substr(wrapped, 1, 1) = x'00', x'01', x'00') || substr(wrapped, 2) AS BLOB)",
        "UPDATE vault SET wrapped = substr(wrapped, 2)",
        "UPDATE vault SET wrapped = x''",
        "UPDATE vault SET nonce = CAST(iif(substr(nonce, 1, 1) = x'00', x'01', x'00') || substr(nonce, 2) AS BLOB)",
        "UPDATE vault SET generation = generation + 1",
        "UPDATE vault SET passes = passes + 1",
    ] {
        let rig = Rig::filled();
        rig.sql(sql);
        assert!(
            matches!(get(&rig.vault, "ONE"), Err(VaultError::WrongKey { .. })),
            "{sql}"
        );
    }
    let rig = Rig::filled();
    rig.sql("UPDATE vault SET lock = 'hardware'");
    for refused in [
        get(&rig.vault, "ONE").map(drop),
        rig.another().rotate_key(),
        rig.another().lock_with(&NewLock::KeyFile),
        rig.another().status().map(drop),
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, VaultError::Newer(_)), "{error}");
        assert!(
            error.to_string().contains("made by a newer version"),
            "{error}"
        );
    }
    rig.sql("UPDATE vault SET lock = 'passphrase'");
    assert!(matches!(
        get(&rig.vault.clone().asking(says("correct horse")), "ONE"),
        Err(VaultError::BadLock(_))
    ));
}

#[test]
fn a_missing_or_foreign_key_file_is_told() {
    let (ours, theirs) = (Rig::filled(), Rig::filled());
    let file = |rig: &Rig| rig.vault.status().unwrap().unwrap().key_file.unwrap();
    std::fs::copy(file(&theirs), file(&ours)).unwrap();
    assert!(matches!(
        get(&ours.another(), "ONE"),
        Err(VaultError::WrongKey { .. })
    ));
    std::fs::remove_file(file(&ours)).unwrap();
    let error = get(&ours.another(), "ONE").unwrap_err();
    assert!(
        matches!(&error, VaultError::KeyFile { why, .. } if why.contains("not there")),
        "{error}"
    );
}

#[test]
fn from_key_file_to_passphrase_and_back() {
    let rig = Rig::filled();
    let short = NewLock::Passphrase(secret("short"));
    assert!(matches!(
        rig.vault.lock_with(&short),
        Err(VaultError::BadPassphrase(_))
    ));
    rig.vault
        .lock_with(&NewLock::Passphrase(secret("correct horse")))
        .unwrap();
    assert_eq!(
        rig.key_files(),
        Vec::<String>::new(),
        "a key file that opens nothing is removed"
    );
    assert_eq!(
        get(&rig.vault, "ONE").unwrap(),
        VALUE,
        "whoever changed it need not be asked"
    );

    assert!(matches!(
        get(&rig.another(), "ONE"),
        Err(VaultError::PassphraseNeeded)
    ));
    let wrong = rig.another().asking(says("incorrect horse"));
    assert!(matches!(
        get(&wrong, "ONE"),
        Err(VaultError::WrongPassphrase)
    ));
    assert!(matches!(
        wrong.rotate_key(),
        Err(VaultError::WrongPassphrase)
    ));
    assert!(matches!(
        wrong.lock_with(&NewLock::KeyFile),
        Err(VaultError::WrongPassphrase)
    ));
    assert!(matches!(
        wrong.set("THREE", &secret(VALUE)),
        Err(VaultError::WrongPassphrase)
    ));
    assert!(matches!(
        wrong.rotate("ONE", &secret(VALUE)),
        Err(VaultError::WrongPassphrase)
    ));

    let right = rig.another().asking(says("correct horse"));
    assert_eq!(get(&right, "TWO").unwrap(), OTHER);
    right.rotate_key().unwrap();
    assert_eq!(get(&right, "TWO").unwrap(), OTHER);
    right.lock_with(&NewLock::KeyFile).unwrap();
    assert_eq!(get(&rig.another(), "ONE").unwrap(), VALUE);
    assert_eq!(rig.vault.status().unwrap().unwrap().generation, 4);
    assert_eq!(rig.key_files().len(), 1);
}

#[test]
fn a_vault_can_begin_with_a_passphrase() {
    let rig = rig();
    rig.vault
        .lock_with(&NewLock::Passphrase(secret("correct horse")))
        .unwrap();
    rig.vault.set("ONE", &secret(VALUE)).unwrap();
    assert_eq!(rig.key_files(), Vec::<String>::new());
    assert_eq!(
        get(&rig.another().asking(says("correct horse")), "ONE").unwrap(),
        VALUE
    );
}

#[test]
fn a_change_by_another_process_is_noticed() {
    let rig = Rig::filled();
    let other = rig.another();
    assert_eq!(get(&other, "ONE").unwrap(), VALUE);
    rig.vault.rotate("ONE", &secret(OTHER)).unwrap();
    assert_eq!(get(&other, "ONE").unwrap(), OTHER);
    rig.vault.rotate_key().unwrap();
    assert_eq!(get(&other, "ONE").unwrap(), OTHER);
    rig.vault.rotate_key().unwrap();
    other.set("THREE", &secret(VALUE)).unwrap();
    assert_eq!(get(&rig.vault, "THREE").unwrap(), VALUE);
    rig.vault
        .lock_with(&NewLock::Passphrase(secret("correct horse")))
        .unwrap();
    assert!(matches!(
        get(&other, "ONE"),
        Err(VaultError::PassphraseNeeded)
    ));
    assert!(matches!(
        other.set("FOUR", &secret(VALUE)),
        Err(VaultError::PassphraseNeeded)
    ));
}

#[test]
fn a_failed_change_of_the_lock_changes_nothing() {
    let rig = Rig::filled();
    let before = (rig.vault.row().unwrap(), rig.key_files());
    let refusing = rig
        .another()
        .witnessed(Arc::new(|_, _| Err(StoreError::Row("no audit".to_owned()))));
    assert!(refusing.rotate_key().is_err());
    assert!(
        refusing
            .lock_with(&NewLock::Passphrase(secret("correct horse")))
            .is_err()
    );
    assert!(refusing.set("THREE", &secret(VALUE)).is_err());
    assert!(refusing.delete("ONE").is_err());
    assert_eq!((rig.vault.row().unwrap(), rig.key_files()), before);
    assert_eq!(get(&refusing, "ONE").unwrap(), VALUE);

    rig.sql("UPDATE vault_secret SET sealed = x'00' WHERE name = 'TWO'");
    assert!(matches!(rig.vault.rotate_key(), Err(VaultError::Damaged(name)) if name == "TWO"));
    assert_eq!((rig.vault.row().unwrap(), rig.key_files()), before);
    assert_eq!(get(&rig.another(), "ONE").unwrap(), VALUE);
}

#[test]
fn what_a_crash_leaves_opens_and_is_cleared_up() {
    let rig = Rig::filled();
    let row = rig.vault.row().unwrap().unwrap();
    let keys = rig.dir.path().join("data/keys");
    let current = rig.vault.status().unwrap().unwrap().key_file.unwrap();
    // Killed between the new key file and the commit; or between the commit and the removal of the old one.
    let cut_short = lock::prepare(&keys, &NewLock::KeyFile, &row.vault_id, 2, (0, 0)).unwrap();
    let status = rig.vault.status().unwrap().unwrap();
    assert_eq!(status.stale_key_files, [cut_short.file.unwrap()]);
    assert_eq!(status.key_file, Some(current.clone()));
    assert_eq!(get(&rig.another(), "ONE").unwrap(), VALUE);
    // A key file of another vault in the same place is nobody's business here.
    let foreign = lock::prepare(&keys, &NewLock::KeyFile, b"another", 1, (0, 0))
        .unwrap()
        .file
        .unwrap();
    rig.another().rotate_key().unwrap();
    assert!(foreign.exists() && !current.exists());
    assert_eq!(rig.key_files().len(), 2);
    assert_eq!(
        rig.vault.status().unwrap().unwrap().stale_key_files,
        Vec::<PathBuf>::new()
    );
    assert_eq!(get(&rig.vault, "ONE").unwrap(), VALUE);
}

#[test]
fn processes_that_rotate_and_set_at_once_lose_nothing() {
    let rig = Rig::filled();
    let made = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let vault = rig.another();
                (0..6).for_each(|_| vault.rotate_key().unwrap());
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                let vault = rig.another();
                for _ in 0..10 {
                    let number = made.fetch_add(1, Ordering::SeqCst);
                    let (name, value) =
                        (format!("N{number}"), secret(&format!("value-{number:04}")));
                    // Refused only where the lock changed five times during one call.
                    while let Err(error) = vault.set(&name, &value) {
                        assert!(matches!(error, VaultError::Changed), "{error}");
                    }
                    assert_eq!(get(&vault, "ONE").unwrap(), VALUE);
                }
            });
        }
    });
    let vault = rig.another();
    for number in 0..20 {
        assert_eq!(
            get(&vault, &format!("N{number}")).unwrap(),
            format!("value-{number:04}")
        );
    }
    let status = vault.status().unwrap().unwrap();
    assert_eq!((status.generation, status.secrets), (13, 22));
    assert_eq!(rig.key_files().len(), 1);
}

#[test]
fn the_witness_is_in_the_transaction() {
    let rig = rig();
    let make = "CREATE TABLE seen (what TEXT)";
    rig.vault
        .store
        .write_blocking(move |c| c.execute(make, params![]))
        .unwrap();
    let vault = rig.another().witnessed(Arc::new(|c, change| {
        let what = format!("{change:?}");
        c.execute("INSERT INTO seen VALUES (?1)", params![what.as_str()])
            .map(drop)
    }));
    vault.set("ONE", &secret(VALUE)).unwrap();
    vault.rotate("ONE", &secret(OTHER)).unwrap();
    vault.rotate_key().unwrap();
    vault.delete("ONE").unwrap();
    assert!(vault.delete("ONE").is_err());
    let seen = vault
        .store
        .read_now(|c| c.query("SELECT what FROM seen", params![], |row| row.text(0)))
        .unwrap();
    let expected = [
        "Made(KeyFile)",
        "Set(\"ONE\")",
        "Rotated(\"ONE\", 2)",
        "Locked(KeyFile)",
        "Deleted(\"ONE\")",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn no_file_holds_a_value() {
    let rig = Rig::filled();
    let backup = rig.dir.path().join("backup.db");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(rig.vault.store.backup(&backup)).unwrap();
    let mut looked = 0;
    let mut dirs = vec![rig.dir.path().to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                let found = callboard_redact::Scrubber::new([("ONE", VALUE), ("TWO", OTHER)])
                    .sighted(&bytes)
                    .map(str::to_owned);
                assert_eq!(found, None, "{}", path.display());
                looked += 1;
            }
        }
    }
    assert!(looked >= 4, "board, log, backup and key: {looked}");
    // The test can fail: a value in a row is found.
    rig.sql(
        "UPDATE vault_secret SET sealed = CAST('canary-5f1e0d-value' AS BLOB) WHERE name = 'ONE'",
    );
    let log = std::fs::read(rig.dir.path().join("board/board.db-wal")).unwrap();
    assert!(
        log.windows(VALUE.len())
            .any(|part| part == VALUE.as_bytes())
    );
}
