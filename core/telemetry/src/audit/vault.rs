//! Changes of the vault in the audit.
//! For: a row with the secret's name for each, in its transaction. Not for: values, which the vault never tells.

use super::audit_add;
use callboard_store::vault::{Change, Witness};
use callboard_store::{Clock, Value};
use std::sync::Arc;

/// Writes a row for each change of a vault. Its store must be opened with [`MIGRATIONS`](super::MIGRATIONS) too.
#[must_use]
pub fn vault_witness(clock: Arc<dyn Clock>) -> Witness {
    Arc::new(move |c, change| {
        let now = clock.now_ms();
        match change {
            Change::Made(lock) => {
                let detail = [("lock", Value::Text(lock.as_str()))];
                audit_add(c, now, "vault_make", "", &detail)
            }
            Change::Set(name) => audit_add(c, now, "vault_set", name, &[]),
            Change::Rotated(name, version) => {
                let detail = [("version", Value::Int(*version))];
                audit_add(c, now, "vault_rotate", name, &detail)
            }
            Change::Deleted(name) => audit_add(c, now, "vault_delete", name, &[]),
            Change::Locked(lock) => {
                let detail = [("lock", Value::Text(lock.as_str()))];
                audit_add(c, now, "vault_lock", "", &detail)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{AuditFilter, MIGRATIONS, audit_list};
    use callboard_redact::Secret;
    use callboard_store::actor::{Actor, scope_now};
    use callboard_store::vault::{self, Vault};
    use callboard_store::{Options, Store, SystemClock, params};

    #[test]
    fn every_change_has_its_row_and_none_has_a_value() {
        let dir = tempfile::tempdir().unwrap();
        let tables = [MIGRATIONS, vault::MIGRATIONS];
        let store = Store::open(Options::board(&dir.path().join("board")), &tables).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let vault = Vault::new(store.clone(), dir.path(), Arc::clone(&clock))
            .witnessed(vault_witness(clock));
        let value = |text: &str| Secret::new(text.to_owned());
        let ada = Arc::new(Actor::command("ada", "vault set"));
        scope_now(ada, || {
            vault.set("ONE", &value("canary-audit-1")).unwrap();
            vault.rotate("ONE", &value("canary-audit-2")).unwrap();
            vault.rotate_key().unwrap();
            vault.delete("ONE").unwrap();
            assert!(vault.delete("ONE").is_err());
        });
        let rows = store
            .read_now(|c| audit_list(c, &AuditFilter::default(), 99))
            .unwrap();
        let told: Vec<(&str, &str, &str)> = rows
            .iter()
            .map(|row| (row.verb.as_str(), row.subject.as_str(), row.detail.as_str()))
            .collect();
        let expected = [
            ("vault_make", "", r#"{"lock":"key_file"}"#),
            ("vault_set", "ONE", "{}"),
            ("vault_rotate", "ONE", r#"{"version":2}"#),
            ("vault_lock", "", r#"{"lock":"key_file"}"#),
            ("vault_delete", "ONE", "{}"),
        ];
        assert_eq!(told, expected);
        assert!(
            rows.iter()
                .all(|row| row.name == "ada" && row.action == "vault set")
        );
        assert!(!format!("{rows:?}").contains("canary"), "{rows:?}");
        // Without its row a change is none.
        let drop_table =
            |c: &mut dyn callboard_store::Conn| c.execute("DROP TABLE audit", params![]);
        store.write_blocking(drop_table).unwrap();
        assert!(vault.set("TWO", &value("canary-audit-3")).is_err());
        assert_eq!(vault.list().unwrap(), []);
    }
}
