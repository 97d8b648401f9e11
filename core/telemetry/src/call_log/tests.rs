use super::*;

fn row(at_ms: i64) -> CallRow {
    CallRow {
        at_ms,
        server: "fixture".into(),
        tool: "task_get".into(),
        outcome: Outcome::Error,
        error_kind: Some("not_found".into()),
        duration_us: 250,
        request_bytes: 12,
        response_bytes: 340,
        trace: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
        agent: Some("a_1".to_owned()),
    }
}

#[tokio::test]
async fn rows_come_back_as_they_were_recorded() {
    let board = tempfile::tempdir().unwrap();
    let log = CallLog::open(board.path());
    for at_ms in 0..450 {
        log.record(row(at_ms));
    }
    let rows = log.recent(1_000).await.unwrap();
    assert_eq!(rows.len(), 450);
    assert_eq!(rows[0], row(449));
    assert_eq!(log.dropped().await.unwrap(), 0);
}

#[tokio::test]
async fn every_outcome_survives_the_file() {
    let board = tempfile::tempdir().unwrap();
    let log = CallLog::open(board.path());
    let outcomes = [
        Outcome::Ok,
        Outcome::Error,
        Outcome::Panic,
        Outcome::Cancelled,
    ];
    for outcome in outcomes {
        log.record(CallRow {
            outcome,
            error_kind: None,
            trace: None,
            ..row(1)
        });
    }
    let mut back: Vec<_> = log
        .recent(9)
        .await
        .unwrap()
        .iter()
        .map(|row| row.outcome)
        .collect();
    back.reverse();
    assert_eq!(back, outcomes);
}

#[test]
fn a_full_queue_drops_and_counts() {
    let shared = Arc::new(Shared::default());
    let log = CallLog {
        queue: Some(Arc::new(Handle(Arc::clone(&shared)))),
        privacy: Privacy::Full,
    };
    for at_ms in 0..QUEUE_ROWS + 7 {
        log.record(row(i64::try_from(at_ms).unwrap()));
    }
    let queue = shared.lock();
    assert_eq!((queue.rows.len(), queue.dropped), (QUEUE_ROWS, 7));
}

#[tokio::test]
async fn the_drop_count_is_recorded() {
    let board = tempfile::tempdir().unwrap();
    let log = CallLog::open(board.path());
    log.queue.as_deref().unwrap().0.lock().dropped = 7;
    log.record(row(1));
    assert_eq!(log.dropped().await.unwrap(), 7);
}

#[tokio::test]
async fn closing_the_last_handle_writes_the_rest() {
    let board = tempfile::tempdir().unwrap();
    let first = CallLog::open(board.path());
    first.record(row(1));
    assert!(first.flush(Duration::from_secs(10)).await);
    drop(first);
    let second = CallLog::open(board.path());
    second.record(row(2));
    assert_eq!(second.recent(9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_fails_no_call() {
    let board = tempfile::tempdir().unwrap();
    let not_a_directory = board.path().join("file");
    std::fs::File::create(&not_a_directory).unwrap();
    let log = CallLog::open(&not_a_directory);
    log.record(row(1));
    assert!(log.flush(Duration::from_secs(10)).await);
    assert!(log.recent(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_disabled_log_takes_rows_and_keeps_none() {
    let log = CallLog::disabled();
    log.record(row(1));
    assert!(log.recent(9).await.unwrap().is_empty());
}

fn llm_call(id: &str) -> LlmCall {
    LlmCall {
        id: id.to_owned(),
        // Far ahead, so that it is never too old.
        at: 4_000_000_000_000,
        provider: "acme".to_owned(),
        model: "large".to_owned(),
        attempt: 1,
        ..LlmCall::default()
    }
}

#[tokio::test]
async fn calls_to_models_go_the_same_way_and_stand_there_once() {
    let board = tempfile::tempdir().unwrap();
    let log = CallLog::open(board.path());
    for _ in 0..3 {
        log.record_llm(llm_call("c_1"));
        log.record(row(1));
    }
    let call = log.query(|c| llm::llm_call(c, "c_1")).await.unwrap();
    assert_eq!(call, Some(llm_call("c_1")));
    assert_eq!(log.recent(9).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_text_is_kept_only_where_texts_are_wanted() {
    for (privacy, kept) in [(Privacy::Metadata, false), (Privacy::Full, true)] {
        let board = tempfile::tempdir().unwrap();
        let keeping = Keeping {
            privacy,
            ..Keeping::default()
        };
        let log = CallLog::keeping(board.path(), keeping);
        log.record_text(|| LlmText::redacted("c_1", 4_000_000_000_000, "a question", "an answer"));
        let text = log.query(|c| llm::llm_text(c, "c_1")).await.unwrap();
        assert_eq!(text.is_some(), kept, "{privacy:?}");
        let file = log.store().await.unwrap().path().to_owned();
        drop(log);
        let mut bytes = std::fs::read(&file).unwrap();
        bytes.extend(std::fs::read(file.with_extension("db-wal")).unwrap_or_default());
        let found = bytes.windows(10).any(|bytes| bytes == b"a question");
        assert_eq!(found, kept, "{privacy:?}");
    }
}

#[tokio::test]
async fn texts_that_wait_are_bounded_in_bytes() {
    let shared = Arc::new(Shared::default());
    let log = CallLog {
        queue: Some(Arc::new(Handle(Arc::clone(&shared)))),
        privacy: Privacy::Full,
    };
    let long = "x".repeat(64 * 1024);
    for n in 0..200 {
        log.record_text(|| LlmText::redacted(&format!("c_{n}"), 1, &long, &long));
    }
    let queue = shared.lock();
    assert_eq!((queue.rows.len(), queue.dropped), (128, 72));
}

#[tokio::test]
async fn a_backup_holds_the_calls_and_opens_as_a_board_does() {
    let board = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let log = CallLog::open(board.path());
    log.record_llm(llm_call("c_1"));
    log.record(row(7));
    let copy = elsewhere.path().join("telemetry.db");
    log.backup(&copy).await.unwrap();
    let restored = CallLog::open(elsewhere.path());
    let call = restored.query(|c| llm::llm_call(c, "c_1")).await.unwrap();
    assert_eq!(call, Some(llm_call("c_1")));
    assert_eq!(restored.recent(9).await.unwrap(), [row(7)]);
}

#[tokio::test]
async fn old_calls_are_forgotten_when_a_process_begins_to_write() {
    let board = tempfile::tempdir().unwrap();
    let keeping = Keeping {
        retention: Retention {
            days: u32::MAX,
            rows: 3,
            ..Retention::default()
        },
        ..Keeping::default()
    };
    let log = CallLog::keeping(board.path(), keeping);
    for n in 0..450 {
        log.record_llm(llm_call(&format!("c_{n:03}")));
    }
    // The second flush answers only when what follows the first write is done.
    assert!(log.flush(PATIENCE).await);
    assert!(log.flush(PATIENCE).await);
    let count = |c: &mut dyn Conn| {
        c.query("SELECT id FROM llm_call ORDER BY id", params![], |row| {
            row.text(0)
        })
    };
    assert_eq!(log.query(count).await.unwrap(), ["c_447", "c_448", "c_449"]);
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_to_date() {
    let board = tempfile::tempdir().unwrap();
    let old = Store::open(Options::events(board.path()), &[&MIGRATIONS[..1]]).unwrap();
    let written: Result<usize, StoreError> = old
        .write(|c| {
            c.execute(
                "INSERT INTO call (at_ms, server, tool, outcome, duration_us, request_bytes, response_bytes)
                 VALUES (5, 'fixture', 'task_get', 'ok', 1, 2, 3)",
                params![],
            )
        })
        .await;
    written.unwrap();
    drop(old);
    let log = CallLog::open(board.path());
    log.record_llm(llm_call("c_1"));
    let rows = log.recent(9).await.unwrap();
    assert_eq!((rows[0].at_ms, rows[0].agent.clone()), (5, None));
    assert!(
        log.query(|c| llm::llm_call(c, "c_1"))
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn prices_that_come_later_are_filled_in_batch_by_batch() {
    let board = tempfile::tempdir().unwrap();
    let log = CallLog::open(board.path());
    for n in 0..450_u64 {
        let usage = crate::Usage {
            tokens: crate::Tokens {
                input: n,
                ..crate::Tokens::default()
            },
            counted: crate::Counted::Reported,
        };
        let mut call = llm_call(&format!("c_{n:03}"));
        call.usage = (n % 3 != 0).then_some(usage);
        if n % 3 == 2 {
            "strange".clone_into(&mut call.model);
        }
        log.record_llm(call);
    }
    let price: PriceOf = Arc::new(|call: &llm::Unpriced| {
        (call.model == "large").then(|| llm::Priced {
            cost: crate::MicroDollars(i64::try_from(call.tokens.input).unwrap() * 2),
            version: "test-1".to_owned(),
        })
    });
    let done = log.reprice(Arc::clone(&price)).await.unwrap();
    assert_eq!((done.priced, done.unknown), (150, 150));
    let again = log.reprice(price).await.unwrap();
    assert_eq!((again.priced, again.unknown), (0, 150));
    let call = log
        .query(|c| llm::llm_call(c, "c_100"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (call.cost, call.price.as_deref()),
        (Some(crate::MicroDollars(200)), Some("test-1"))
    );
}

#[tokio::test]
async fn a_disabled_log_says_that_there_is_nothing_to_read() {
    let log = CallLog::disabled();
    log.record_llm(llm_call("c_1"));
    let error = log.query(|c| llm::llm_call(c, "c_1")).await.unwrap_err();
    assert!(matches!(error, CallLogError::Unavailable), "{error}");
}
