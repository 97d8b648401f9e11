//! How calls end that nobody waits for, that take too long, or that fail and are made again.

use super::rig::{ONCE, hi, named, open, parts, provider, read, rig, settings, simple, until};
use callboard_limits::{BreakerState, CallState, Patience as Breaking};
use callboard_routing::chat::Event;
use callboard_routing::engine::{Ask, CallError, Patience, Router, row_of};
use callboard_routing::failure::FailureKind;
use callboard_routing::route::Rejection;
use callboard_routing::upstream::Deadlines;
use callboard_routing::wire::Wire;
use callboard_store::{Conn, StoreError};
use callboard_telemetry::llm::LlmOutcome;
use callboard_telemetry::{CallLog, Counted, MicroDollars, Tokens, Usage};
use callboard_tests::upstream::Upstream as Scripted;
use std::time::{Duration, Instant};

fn estimated(input: u64, output: u64) -> Option<Usage> {
    let tokens = Tokens {
        input,
        output,
        ..Tokens::default()
    };
    let counted = Counted::Estimated;
    Some(Usage { tokens, counted })
}

#[tokio::test]
async fn who_leaves_closes_the_connection_and_what_was_used_is_counted() {
    for wire in Wire::ALL {
        let scripted = Scripted::start();
        let rig = rig(simple(&scripted, wire, &["hang"]));
        tokio::select! {
            _ = rig.router.complete(hi()) => panic!("it answered"),
            () = until(|| !scripted.asked().is_empty()) => {}
        }
        until(|| scripted.hung_up() == 1).await;
        let calls = rig.settled(1).await;
        assert_eq!(calls[0].state, CallState::Settled, "{wire}");
        let row = row_of(&calls[0]);
        assert_eq!(
            (row.outcome, row.error),
            (LlmOutcome::Cancelled, None),
            "{wire}"
        );
        assert_eq!(row.usage, estimated(5, 0), "{wire}");
        assert_eq!(row.cost.map(|cost| cost.0), Some(5), "{wire}");
        assert!(rig.breakers().is_empty(), "{wire}");
    }
}

#[tokio::test]
async fn who_leaves_a_stream_in_its_middle_pays_for_what_came() {
    for wire in Wire::ALL {
        let scripted = Scripted::start();
        let rig = rig(simple(&scripted, wire, &["stall"]));
        let mut answering = rig.router.stream(hi()).await.unwrap();
        loop {
            match answering.next().await.unwrap().unwrap() {
                Event::Text { text } => break assert_eq!(text, "Hello "),
                _ => continue,
            }
        }
        assert_eq!(rig.held(), 1);
        drop(answering);
        until(|| scripted.hung_up() == 1).await;
        let row = row_of(&rig.settled(1).await[0]);
        assert_eq!(row.outcome, LlmOutcome::Cancelled, "{wire}");
        // Anthropic says at the beginning what was sent.
        let (input, money) = match wire {
            Wire::Anthropic => (1_200, 325),
            _ => (5, 13),
        };
        let usage = row.usage.unwrap();
        assert_eq!(
            (usage.tokens.input, usage.tokens.output),
            (input, 2),
            "{wire}"
        );
        assert_eq!(usage.counted, Counted::Estimated, "{wire}");
        assert_eq!(row.cost.map(|cost| cost.0), Some(money), "{wire}");
        assert!(row.bytes_in.is_some_and(|bytes| bytes > 20), "{wire}");
    }
}

#[tokio::test]
async fn who_leaves_before_anything_was_sent_pays_nothing() {
    let scripted = Scripted::start();
    let rig = rig(simple(&scripted, Wire::OpenAi, &["ok"]));
    // Nothing is reserved while somebody else writes.
    let (release, released) = std::sync::mpsc::channel::<()>();
    let store = rig.store.clone();
    let released = std::sync::Mutex::new(released);
    let (begin, begun) = std::sync::mpsc::channel();
    let writes = std::thread::spawn(move || {
        let waits = move |_: &mut dyn Conn| -> Result<(), StoreError> {
            begin.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
            Ok(())
        };
        store.write_blocking(waits).unwrap();
    });
    begun.recv().unwrap();
    for _ in 0..20 {
        tokio::select! {
            biased;
            _ = rig.router.complete(hi()) => panic!("it answered at once"),
            () = std::future::ready(()) => {}
        }
    }
    drop(release);
    writes.join().unwrap();
    let calls = rig.settled(20).await;
    assert!(calls.iter().all(|call| call.state == CallState::Released));
    let row = row_of(&calls[0]);
    assert_eq!(
        (row.outcome, row.usage, row.cost),
        (LlmOutcome::Cancelled, None, Some(MicroDollars(0)))
    );
    assert!(scripted.asked().is_empty());
}

#[tokio::test]
async fn when_the_last_event_comes_the_call_is_settled() {
    let scripted = Scripted::start();
    let rig = rig(simple(&scripted, Wire::Anthropic, &["ok"]));
    let mut answering = rig.router.stream(hi()).await.unwrap();
    while let Some(event) = answering.next().await {
        if matches!(event.unwrap(), Event::Finished { .. }) {
            break;
        }
    }
    assert_eq!(rig.held(), 0);
    assert_eq!(answering.cost().map(|cost| cost.0), Some(425));
    drop(answering);
    assert_eq!(row_of(&rig.ended()[0]).outcome, LlmOutcome::Ok);
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_whoever_else_there_is() {
    let scripted = Scripted::start();
    let rig = rig(simple(&scripted, Wire::OpenAi, &["hang", "ok"]));
    let mut ask = hi();
    ask.terms.within_ms = Some(400);
    let error = rig.router.complete(ask).await.unwrap_err();
    let CallError::Failed { failure, hops } = error else {
        panic!("{error:?}")
    };
    assert_eq!((failure.kind, hops.len()), (FailureKind::Deadline, 1));
    assert_eq!(rig.settled(1).await[0].state, CallState::Settled);
    assert!(rig.breakers().is_empty());
    until(|| scripted.hung_up() == 1).await;
}

fn again(retries: u32) -> Ask {
    let patience = Patience { retries, ..ONCE };
    Ask {
        patience: Some(patience),
        ..hi()
    }
}

#[tokio::test]
async fn what_may_pass_is_asked_again_and_each_attempt_has_its_row() {
    let scripted = Scripted::start();
    let rig = rig(simple(&scripted, Wire::OpenAi, &["m--flaky-2", "ok"]));
    rig.router.complete(again(2)).await.unwrap();
    let answered = rig.router.complete(again(2)).await.unwrap();
    assert_eq!(answered.target.model, "m--flaky-2");
    assert_eq!(answered.hops.len(), 1);
    assert_eq!(answered.hops[0].kind, FailureKind::Server);
    let rows: Vec<_> = rig.settled(3).await.iter().map(row_of).collect();
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.outcome, row.attempt, row.hop))
        .collect();
    let expected = [
        (LlmOutcome::Ok, 1, 0),
        (LlmOutcome::Error, 1, 0),
        (LlmOutcome::Ok, 2, 0),
    ];
    assert_eq!(seen, expected);
    assert_eq!(rows[2].id, answered.call);
    let before = rows[2].decision.as_ref().unwrap();
    assert!(
        before.contains(&rows[1].id) && before.contains("server"),
        "{before}"
    );
    // A success takes the failure back.
    assert!(rig.breakers().iter().all(|breaker| breaker.failures == 0));
}

#[tokio::test]
async fn a_limited_provider_is_left_alone_for_as_long_as_it_says() {
    let scripted = Scripted::start();
    let rig = rig(simple(&scripted, Wire::OpenAi, &["429-body"]));
    let began = Instant::now();
    let waits = Patience {
        retries: 1,
        longest_pause_ms: 8_000,
        ..ONCE
    };
    let ask = Ask {
        patience: Some(waits),
        ..hi()
    };
    let error = rig.router.complete(ask).await.unwrap_err();
    let CallError::Failed { failure, hops } = error else {
        panic!("{error:?}")
    };
    assert_eq!((failure.kind, hops.len()), (FailureKind::RateLimited, 2));
    assert!(began.elapsed() >= Duration::from_millis(1_200));
    assert_eq!(rig.settled(2).await.len(), 2);
    // Now it cools for everybody on the board.
    let store = open(rig.dir.path());
    let settings = simple(&scripted, Wire::OpenAi, &["429-body"]);
    let other = Router::new(parts(&store, CallLog::disabled()), settings);
    let error = other.complete(again(1)).await.unwrap_err();
    let CallError::Nobody(nobody) = &error else {
        panic!("{error:?}")
    };
    assert!(
        nobody
            .retry_in_ms
            .is_some_and(|ms| (1..=1_200).contains(&ms)),
        "{error}"
    );
    assert!(
        matches!(nobody.candidates[0].1[..], [Rejection::Cooling { .. }]),
        "{error}"
    );
    assert_eq!(scripted.asked().len(), 2);
}

#[tokio::test]
async fn all_routers_on_a_board_have_one_breaker() {
    let scripted = Scripted::start();
    let breaking = Breaking {
        open_ms: 1_500,
        ..Breaking::default()
    };
    let mut with = simple(&scripted, Wire::OpenAi, &["500"]);
    with.breaker = breaking;
    let rig = rig(with.clone());
    let store = open(rig.dir.path());
    let other = Router::new(parts(&store, CallLog::disabled()), with);
    for at in 0..5 {
        let router = if at % 2 == 0 { &rig.router } else { &other };
        let error = router.complete(hi()).await.unwrap_err();
        assert!(matches!(error, CallError::Failed { .. }), "{error:?}");
    }
    for router in [&rig.router, &other] {
        let error = router.complete(hi()).await.unwrap_err();
        let CallError::Nobody(nobody) = &error else {
            panic!("{error:?}")
        };
        assert!(
            matches!(nobody.candidates[0].1[..], [Rejection::Open { .. }]),
            "{error}"
        );
    }
    assert_eq!(scripted.asked().len(), 5);
    assert_eq!(rig.breakers()[0].state, BreakerState::Open);
    // Then one may look whether it is well again; it is not.
    until(|| rig.breakers()[0].state == BreakerState::HalfOpen).await;
    let (one, two) = tokio::join!(rig.router.complete(hi()), other.complete(hi()));
    assert!(one.is_err() && two.is_err());
    assert_eq!(scripted.asked().len(), 6);
    assert_eq!(rig.breakers()[0].state, BreakerState::Open);
    assert_eq!(rig.settled(6).await.len(), 6);
}

#[tokio::test]
async fn a_probe_that_is_called_off_does_not_stand_in_the_way_of_the_next() {
    let scripted = Scripted::start();
    let mut with = simple(&scripted, Wire::OpenAi, &["hang"]);
    with.breaker = Breaking {
        failures: 1,
        open_ms: 300,
        probe_ms: 600_000,
    };
    let quick = Deadlines {
        first_byte: Duration::from_millis(500),
        ..super::rig::PATIENT
    };
    let main = provider(named(&scripted, "main", Wire::OpenAi, quick));
    with.providers.insert("main".to_owned(), main);
    let rig = rig(with);
    rig.router.complete(hi()).await.unwrap_err();
    for asked in 2..4 {
        until(|| rig.breakers()[0].state == BreakerState::HalfOpen).await;
        tokio::select! {
            ended = rig.router.complete(hi()) => panic!("{ended:?}"),
            () = until(|| scripted.asked().len() == asked) => {}
        }
        rig.settled(asked).await;
    }
}

#[tokio::test]
async fn an_answer_begins_anew_only_where_that_is_wanted() {
    let scripted = Scripted::start();
    let rig = rig(simple(&scripted, Wire::OpenAi, &["midcut", "ok"]));
    let restarts = Patience {
        restarts: true,
        ..ONCE
    };
    let ask = Ask {
        patience: Some(restarts),
        ..hi()
    };
    let mut answering = rig.router.stream(ask).await.unwrap();
    let mut begun = 0;
    while let Some(event) = answering.next().await {
        begun += u32::from(matches!(event.unwrap(), Event::Started { .. }));
    }
    assert_eq!((begun, answering.target().model.as_str()), (2, "ok"));
    assert_eq!(answering.hops().len(), 1);
    assert_eq!(rig.settled(2).await.len(), 2);
}

#[tokio::test]
async fn nothing_is_asked_that_no_wire_has_words_for() {
    let scripted = Scripted::start();
    let settings = settings(
        vec![(
            "main",
            provider(named(&scripted, "main", Wire::Ollama, super::rig::PATIENT)),
        )],
        &[("main", "ok")],
    );
    let rig = rig(settings);
    let mut ask = hi();
    ask.chat.sampling.frequency_penalty = Some(0.5);
    ask.chat.tool_choice = callboard_routing::chat::ToolChoice::Any;
    let outcome = rig.router.complete(ask).await;
    let Err(CallError::Nobody(nobody)) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(
        matches!(nobody.candidates[0].1[..], [Rejection::Lacks { .. }]),
        "{nobody:?}"
    );
    assert!(scripted.asked().is_empty());
    let mut answering = rig.router.stream(hi()).await.unwrap();
    assert_eq!(read(&mut answering).await.unwrap().text(), "Hello from ok");
}
