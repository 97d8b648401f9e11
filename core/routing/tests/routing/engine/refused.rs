//! What is remembered of calls that nobody may answer, and of candidates that were passed over.

use super::rig::{PATIENT, hi, named, parts, provider, rig, settings, simple};
use callboard_limits::{Limit, Resource, Scope, Span};
use callboard_routing::engine::{CallError, Router, Settings, row_of};
use callboard_routing::wire::Wire;
use callboard_telemetry::errors::ErrorClass;
use callboard_telemetry::llm::{LlmCall, LlmOutcome};
use callboard_telemetry::query::{LlmFilter, Order, find_calls, recent};
use callboard_telemetry::{CallLog, MicroDollars};
use callboard_tests::upstream::Upstream as Scripted;
use std::time::Duration;

/// The row that is left of a refused call.
async fn refused(with: Settings, limit: Option<Limit>, cooled: bool) -> (CallError, LlmCall) {
    let rig = rig(with.clone());
    if let Some(limit) = limit {
        rig.limit(limit).await;
    }
    let log = CallLog::open(rig.dir.path());
    if cooled {
        rig.router.complete(hi()).await.unwrap_err();
    }
    let router = Router::new(parts(&rig.store, log.clone()), with);
    let mut ask = hi();
    ask.who.agent = Some("robin".to_owned());
    ask.who.project = Some("site".to_owned());
    let error = router.complete(ask.clone()).await.unwrap_err();
    let streamed = router.stream(ask).await.unwrap_err();
    assert_eq!(
        std::mem::discriminant(&streamed),
        std::mem::discriminant(&error)
    );
    assert!(log.flush(Duration::from_secs(60)).await);
    let all = |c: &mut dyn callboard_store::Conn| {
        Ok::<_, callboard_store::StoreError>((
            find_calls(c, &LlmFilter::default(), Order::Latest, None, 10),
            recent(c, 0)?,
        ))
    };
    let (page, health) = log.query(all).await.unwrap();
    // Nobody is thought ill of who was not asked.
    assert!(health.iter().all(|of| of.provider == "none"), "{health:?}");
    let mut rows = page.unwrap().calls;
    assert_eq!(rows.len(), 2, "{rows:#?}");
    rows.sort_by_key(|row| row.streamed);
    assert!(rows[0].id != rows[1].id && rows[1].streamed);
    assert_eq!(rig.held(), 0);
    (error, rows.remove(0))
}

fn assert_row(row: &LlmCall, error: ErrorClass, why: &str) {
    assert_eq!((row.outcome, row.error), (LlmOutcome::Error, Some(error)));
    assert_eq!((row.usage, row.cost), (None, Some(MicroDollars::ZERO)));
    assert_eq!(
        (row.agent.as_deref(), row.project.as_deref()),
        (Some("robin"), Some("site"))
    );
    assert_eq!((row.route.as_deref(), row.attempt), (Some("r"), 0));
    let decision = row.decision.as_deref().unwrap();
    assert!(
        decision.contains(why) && decision.contains("main/"),
        "{decision}"
    );
}

#[tokio::test]
async fn a_call_that_nobody_may_answer_has_a_row() {
    let scripted = Scripted::start();
    let mut dear = simple(&scripted, Wire::OpenAi, &["ok"]);
    dear.routes.get_mut("r").unwrap().max_cost = Some(MicroDollars(1));
    let (error, row) = refused(dear, None, false).await;
    assert!(matches!(error, CallError::Nobody(_)), "{error:?}");
    assert_row(&row, ErrorClass::BadRequest, "cost");

    let spent = Limit::new(Scope::Project, "site", Resource::Requests, Span::Day, 0);
    let plain = simple(&scripted, Wire::OpenAi, &["ok"]);
    let (error, row) = refused(plain, Some(spent), false).await;
    assert!(matches!(error, CallError::Denied(_)), "{error:?}");
    assert_row(
        &row,
        ErrorClass::QuotaExhausted,
        "the limit of 0 calls a day",
    );
    assert!(scripted.asked().is_empty());

    let cooling = simple(&scripted, Wire::OpenAi, &["m--429-in-600"]);
    let (error, row) = refused(cooling, None, true).await;
    assert!(matches!(error, CallError::Nobody(_)), "{error:?}");
    assert_row(&row, ErrorClass::Overloaded, "m--429-in-600");
    assert_eq!(scripted.asked().len(), 1);
}

#[tokio::test]
async fn who_was_passed_over_after_a_failure_is_in_the_next_row() {
    let scripted = Scripted::start();
    let make = |name| {
        (
            name,
            provider(named(&scripted, name, Wire::OpenAi, PATIENT)),
        )
    };
    let route = [("main", "500"), ("main", "ok"), ("other", "ok")];
    let rig = rig(settings(vec![make("main"), make("other")], &route));
    // Enough for the first one's failure, and then for nobody there.
    let limit = Limit::new(Scope::Provider, "main", Resource::Requests, Span::Day, 1);
    rig.limit(limit).await;
    let answered = rig.router.complete(hi()).await.unwrap();
    assert_eq!(answered.target.to_string(), "other/ok");
    let rows: Vec<LlmCall> = rig.settled(2).await.iter().map(row_of).collect();
    let decision = rows[1].decision.as_deref().unwrap();
    for said in [
        rows[0].id.as_str(),
        "server",
        "main/ok",
        "the limit of 1 calls a day",
    ] {
        assert!(decision.contains(said), "{said}: {decision}");
    }
}
