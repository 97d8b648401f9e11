use std::sync::Arc;

use callboard_store::actor::{self, Actor};
use callboard_store::{FixedClock, Options, Store};

use super::*;

struct Rig {
    store: Store,
    _dir: tempfile::TempDir,
}

fn rig() -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Options::board(dir.path()), &[MIGRATIONS]).unwrap();
    Rig { store, _dir: dir }
}

impl Rig {
    async fn add(&self, verb: &'static str, subject: &'static str) {
        let added = self
            .store
            .write(move |c| audit_add(c, 7, verb, subject, &[]));
        added.await.unwrap();
    }

    async fn list(&self, filter: AuditFilter) -> Vec<AuditRow> {
        let listed = self.store.read(move |c| audit_list(c, &filter, 1000));
        listed.await.unwrap()
    }

    async fn refused(&self, sql: &'static str) -> String {
        let done: Result<usize, StoreError> = self.store.write(move |c| c.execute(sql, &[])).await;
        done.unwrap_err().to_string()
    }
}

#[tokio::test]
async fn a_row_says_who_what_why_and_from_where() {
    let rig = rig();
    let ada = Actor {
        token: Some("0a1b".to_owned()),
        client: Some("inspector 2.1".to_owned()),
        from: Some("127.0.0.1".to_owned()),
        request: Some("r1".to_owned()),
        ..Actor::new("ada", "http", "task_add").for_agent("a_1")
    };
    let write = rig.store.write(|c| {
        let detail = [
            ("queue", Value::Text("de\"fault\n")),
            ("gone", Value::Null),
            ("n", Value::Int(3)),
        ];
        audit_add(c, 1_000, "task_add", "t_1", &detail)
    });
    actor::scope(Arc::new(ada), write).await.unwrap();
    let row = rig.list(AuditFilter::default()).await.remove(0);
    assert_eq!((row.seq, row.at), (1, 1_000));
    assert_eq!(row.detail, r#"{"queue":"de\"fault\u000a","n":3}"#);
    assert_eq!(
        [&row.verb, &row.subject, &row.name, &row.via, &row.action],
        ["task_add", "t_1", "ada", "http", "task_add"]
    );
    let optional = [row.token, row.client, row.agent, row.address, row.request];
    assert_eq!(
        optional.map(Option::unwrap),
        ["0a1b", "inspector 2.1", "a_1", "127.0.0.1", "r1"]
    );
}

#[tokio::test]
async fn rows_are_never_changed_removed_or_replaced() {
    let rig = rig();
    rig.add("one", "").await;
    rig.add("two", "").await;
    for sql in [
        "UPDATE audit SET name = 'eve'",
        "UPDATE audit SET seq = 9 WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
        "INSERT OR REPLACE INTO audit (seq, at, verb, subject, detail, name, via, action) VALUES (2, 0, '', '', '', '', '', '')",
        "REPLACE INTO audit (seq, at, verb, subject, detail, name, via, action) VALUES (1, 0, '', '', '', '', '', '')",
    ] {
        let why = rig.refused(sql).await;
        assert!(why.contains("append-only"), "{sql}: {why}");
    }
    let verbs: Vec<_> = rig.list(AuditFilter::default()).await;
    assert_eq!(
        verbs
            .iter()
            .map(|row| row.verb.as_str())
            .collect::<Vec<_>>(),
        ["one", "two"]
    );
}

#[tokio::test]
async fn what_is_rolled_back_leaves_neither_row_nor_gap() {
    let rig = rig();
    rig.add("one", "").await;
    let failed: Result<(), StoreError> = rig
        .store
        .write(|c| {
            audit_add(c, 1, "never", "", &[])?;
            Err(StoreError::Closed)
        })
        .await;
    assert!(failed.is_err());
    rig.add("two", "").await;
    let rows = rig.list(AuditFilter::default()).await;
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn rows_are_found_by_subject_who_and_time() {
    let rig = rig();
    for (name, verb, subject) in [
        ("ada", "one", "t_1"),
        ("bo", "two", "t_1"),
        ("ada", "three", "t_2"),
    ] {
        let actor = Arc::new(Actor::command(name, "test"));
        actor::scope(actor, rig.add(verb, subject)).await;
    }
    let verbs = |filter| async {
        let rows = rig.list(filter).await;
        rows.into_iter().map(|row| row.verb).collect::<Vec<_>>()
    };
    let said = |text: &str| Some(text.to_owned());
    let none = AuditFilter::default;
    assert_eq!(
        verbs(AuditFilter {
            subject: said("t_1"),
            ..none()
        })
        .await,
        ["one", "two"]
    );
    assert_eq!(
        verbs(AuditFilter {
            who: said("ada"),
            ..none()
        })
        .await,
        ["one", "three"]
    );
    assert_eq!(
        verbs(AuditFilter {
            since: Some(8),
            ..none()
        })
        .await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_flood_of_refusals_leaves_few_rows_and_the_right_number() {
    let rig = rig();
    let refusals = Refusals::new(rig.store.clone(), Arc::new(FixedClock::new(5)));
    for at in 0..10_000_u32 {
        let from = format!("10.0.{}.{}", at / 250 % 8, at % 250);
        let actor = Actor {
            from: Some(from),
            ..Actor::new("-", "http", "/mcp")
        };
        refusals.record(Refusal {
            reason: "unauthorized",
            actor,
        });
    }
    // The first rows are written by tasks of their own; a write behind them is behind them all.
    let expected = 64 + 1;
    let counted = |rows: &[AuditRow]| -> i64 {
        let count = |row: &AuditRow| {
            row.detail
                .trim_matches(|c: char| !c.is_ascii_digit())
                .parse::<i64>()
                .unwrap()
        };
        rows.iter().map(count).sum()
    };
    let first = loop {
        let rows = rig.list(AuditFilter::default()).await;
        if rows.len() >= expected {
            break rows;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((first.len(), counted(&first)), (expected, 65));
    refusals.flush().await;
    let all = rig.list(AuditFilter::default()).await;
    assert!(all.len() <= expected * 2, "{}", all.len());
    assert_eq!(counted(&all), 10_000);
    refusals.flush().await;
    assert_eq!(rig.list(AuditFilter::default()).await.len(), all.len());
}
