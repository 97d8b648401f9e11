//! How long a call is held at most: by a provider's pauses, by all retries, by its route.

use super::rig::{ONCE, hi, named, provider, rig, settings, simple};
use callboard_routing::engine::{Ask, CallError, Patience};
use callboard_routing::failure::FailureKind;
use callboard_routing::upstream::Deadlines;
use callboard_routing::wire::Wire;
use callboard_tests::upstream::Upstream as Scripted;
use std::time::Duration;

#[tokio::test]
async fn who_is_alone_and_asks_for_a_long_pause_is_not_waited_for() {
    let scripted = Scripted::start();
    // Half a minute; and some seventy years, which read as a week.
    let models = ["m--429-in-25", "m--429-in-2300000000"];
    for (model, after_ms) in models.into_iter().zip([25_000, 7 * 24 * 3_600_000]) {
        let rig = rig(simple(&scripted, Wire::OpenAi, &[model]));
        let ask = Ask {
            patience: Some(Patience::default()),
            ..hi()
        };
        for streamed in [false, true] {
            let asked = scripted.asked().len();
            let error = match streamed {
                false => rig.router.complete(ask.clone()).await.unwrap_err(),
                true => {
                    rig.forget_breakers().await;
                    rig.router.stream(ask.clone()).await.unwrap_err()
                }
            };
            let CallError::Failed { failure, hops } = error else {
                panic!("{error:?}")
            };
            assert_eq!((failure.kind, hops.len()), (FailureKind::RateLimited, 1));
            assert_eq!(failure.retry_after_ms, Some(after_ms));
            assert_eq!(scripted.asked().len(), asked + 1);
        }
    }
}

#[tokio::test]
async fn all_retries_of_one_have_its_time_together() {
    let scripted = Scripted::start();
    let total = Duration::from_millis(300);
    let deadlines = Deadlines {
        total,
        ..Deadlines::default()
    };
    let main = provider(named(&scripted, "main", Wire::OpenAi, deadlines));
    let rig = rig(settings(vec![("main", main)], &[("main", "500")]));
    // Ten pauses of at least 100 ms.
    let patience = Patience {
        retries: 10,
        pause_ms: 200,
        longest_pause_ms: 200,
        ..ONCE
    };
    let ask = Ask {
        patience: Some(patience),
        ..hi()
    };
    let error = rig.router.complete(ask).await.unwrap_err();
    let CallError::Failed { hops, .. } = error else {
        panic!("{error:?}")
    };
    assert!((1..=4).contains(&hops.len()), "{hops:?}");
}

#[tokio::test]
async fn a_route_has_a_deadline_where_the_request_states_none() {
    let scripted = Scripted::start();
    let mut with = simple(&scripted, Wire::OpenAi, &["hang"]);
    with.routes.get_mut("r").unwrap().within_ms = Some(300);
    let rig = rig(with);
    let error = rig.router.complete(hi()).await.unwrap_err();
    let CallError::Failed { failure, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(failure.kind, FailureKind::Deadline);
    let mut ask = hi();
    let explained = rig.router.explain(&ask).await.unwrap();
    assert_eq!(explained.need.within_ms, Some(300));
    ask.terms.within_ms = Some(9_000);
    let explained = rig.router.explain(&ask).await.unwrap();
    assert_eq!(explained.need.within_ms, Some(9_000));
}
