//! What limits, prices and settings do to calls, and what a dry run says of it.

use super::rig::{PATIENT, hi, named, parts, prices, provider, read, rig, settings, simple, until};
use callboard_limits::{Frees, Limit, Resource, Scope, Span};
use callboard_routing::chat::{Chat, Output};
use callboard_routing::check::Unmet;
use callboard_routing::engine::{
    Ask, CallError, Escalate, Passing, Router, Target, Terms, Wanted, What, Who, row_of,
};
use callboard_routing::route::{Offer, Privacy, Rejection, Strategy, TaskClass};
use callboard_routing::wire::Wire;
use callboard_telemetry::llm::{self, llm_text};
use callboard_telemetry::{CallLog, Keeping, MicroDollars};
use callboard_tests::upstream::Upstream as Scripted;

fn limit(scope: Scope, name: &str, resource: Resource, span: Span, amount: i64) -> Limit {
    Limit::new(scope, name, resource, span, amount)
}

#[tokio::test]
async fn a_limit_on_everything_is_said_with_its_name_and_lets_go_when_a_call_ends() {
    let scripted = Scripted::start();
    let rig = rig(simple(&scripted, Wire::OpenAi, &["stall", "ok"]));
    rig.limit(limit(Scope::All, "", Resource::Concurrent, Span::Now, 1))
        .await;
    let answering = rig.router.stream(hi()).await.unwrap();
    let error = rig.router.complete(hi()).await.unwrap_err();
    let CallError::Denied(denied) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(denied.limit.resource, Resource::Concurrent);
    assert_eq!(denied.frees, Frees::WhenACallEnds);
    assert_eq!(rig.ended().len(), 0);
    drop(answering);
    rig.settled(1).await;
    let ask = hi().to(rig.router.resolve("main/ok"));
    rig.router.complete(ask).await.unwrap();
}

#[tokio::test]
async fn a_limit_on_one_sends_the_call_to_another() {
    let scripted = Scripted::start();
    let rig = rig(simple(&scripted, Wire::OpenAi, &["first", "ok"]));
    rig.limit(limit(
        Scope::Model,
        "main/first",
        Resource::Requests,
        Span::Day,
        1,
    ))
    .await;
    let first = rig.router.complete(hi()).await.unwrap();
    let second = rig.router.complete(hi()).await.unwrap();
    assert_eq!(
        (first.target.model.as_str(), second.target.model.as_str()),
        ("first", "ok")
    );
    let row = row_of(&rig.ended()[1]);
    assert!(row.decision.unwrap().contains("the limit of 1 calls a day"));
    assert_eq!(first.warnings.len(), 1);
}

#[tokio::test]
async fn a_budget_holds_the_most_that_a_call_may_cost_and_then_what_it_did() {
    let scripted = Scripted::start();
    let rig = rig(simple(&scripted, Wire::OpenAi, &["ok"]));
    rig.limit(limit(
        Scope::Task,
        "t_1",
        Resource::Money,
        Span::Ever,
        1_000,
    ))
    .await;
    let mut ask = hi();
    ask.who.task = Some("t_1".to_owned());
    // 5 tokens in, and as many out as it likes: 8,192.
    let error = rig.router.complete(ask.clone()).await.unwrap_err();
    let CallError::Denied(denied) = &error else {
        panic!("{error:?}")
    };
    assert_eq!((denied.wanted, denied.left), (5 + 4 * 8_192, 1_000));
    ask.chat.max_output = Some(100);
    for spent in [386, 772] {
        let answered = rig.router.complete(ask.clone()).await.unwrap();
        assert_eq!(answered.cost, Some(MicroDollars(386)));
        assert_eq!(
            rig.number("SELECT used FROM limit_counters WHERE resource = 'money'"),
            spent
        );
    }
    // 228 are left, and 5 are now known to be 240 times as many: at most four times, says the correction.
    let error = rig.router.complete(ask).await.unwrap_err();
    assert!(matches!(error, CallError::Denied(_)), "{error:?}");
    assert_eq!(rig.held(), 0);
}

#[tokio::test]
async fn a_price_that_nobody_knows_is_not_nothing() {
    let scripted = Scripted::start();
    let mut with = simple(&scripted, Wire::OpenAi, &["ok"]);
    with.prices = prices(&["another"]);
    let rig = rig(with);
    let answered = rig.router.complete(hi()).await.unwrap();
    assert_eq!((answered.cost, answered.usage.is_some()), (None, true));
    assert_eq!(row_of(&rig.ended()[0]).cost, None);
    let ask = Ask {
        terms: Terms {
            max_cost: Some(MicroDollars(1)),
            ..Terms::default()
        },
        ..hi()
    };
    let error = rig.router.complete(ask).await.unwrap_err();
    assert!(matches!(error, CallError::Nobody(_)), "{error:?}");
}

#[tokio::test]
async fn a_person_is_asked_before_a_provider_that_wants_it() {
    let scripted = Scripted::start();
    let mut with = simple(&scripted, Wire::OpenAi, &["ok"]);
    with.providers.get_mut("main").unwrap().confirm = true;
    let rig = rig(with);
    let error = rig.router.complete(hi()).await.unwrap_err();
    let CallError::Confirm { target, cost } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(target.to_string(), "main/ok");
    assert_eq!(*cost, Some(MicroDollars(5 + 4 * 8_192)));
    assert!(scripted.asked().is_empty() && rig.held() == 0);
    let ask = Ask {
        confirmed: true,
        ..hi()
    };
    rig.router.complete(ask).await.unwrap();
}

#[tokio::test]
async fn a_dry_run_says_it_all_and_writes_nothing() {
    let scripted = Scripted::start();
    let make = |name, offer| {
        let mut provider = provider(named(&scripted, name, Wire::OpenAi, PATIENT));
        provider.offer = offer;
        (name, provider)
    };
    let small = Offer {
        window: Some(1_000),
        classes: vec![TaskClass::Simple],
        ..Offer::default()
    };
    let local = Offer {
        local: true,
        max_output: Some(50),
        ..Offer::default()
    };
    let mut with = settings(
        vec![make("small", small), make("local", local)],
        &[("small", "a"), ("local", "b")],
    );
    let route = with.routes.get_mut("r").unwrap();
    route.strategy = Strategy::Cost;
    route
        .roles
        .insert("reviewer".to_owned(), TaskClass::Complex);
    let rig = rig(with);
    rig.limit(limit(
        Scope::Provider,
        "local",
        Resource::Requests,
        Span::Minute,
        0,
    ))
    .await;
    let before = rig.number("SELECT count(*) FROM limit_counters");

    let explained = rig.router.explain(&hi()).await.unwrap();
    let order: Vec<usize> = explained
        .decision
        .order
        .iter()
        .map(|choice| choice.at)
        .collect();
    assert_eq!((explained.route.as_str(), &order[..]), ("r", &[0][..]));
    let costs: Vec<_> = explained
        .candidates
        .iter()
        .map(|of| of.estimate.cost)
        .collect();
    // What is left of the window; what the model gives at most.
    assert_eq!(
        costs,
        [
            Some(MicroDollars(5 + 4 * 995)),
            Some(MicroDollars(5 + 4 * 50))
        ]
    );
    assert!(explained.candidates[1].denied.is_some());

    let mut ask = hi();
    ask.who.role = Some("reviewer".to_owned());
    let mut misspelt = ask.clone();
    misspelt.who.role = Some("revewer".to_owned());
    for error in [
        rig.router.explain(&misspelt).await.unwrap_err(),
        rig.router.complete(misspelt.clone()).await.unwrap_err(),
        rig.router.stream(misspelt).await.err().unwrap(),
    ] {
        let CallError::Role { known, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(known, &["reviewer"]);
    }
    ask.terms.privacy = Privacy::LocalOnly;
    let explained = rig.router.explain(&ask).await.unwrap();
    assert_eq!(explained.need.class, Some(TaskClass::Complex));
    let why = &explained.decision.rejected[0].why;
    assert!(why.contains(&Rejection::NotLocal), "{why:?}");
    // All that fits is under a limit: that is what is said.
    let error = rig.router.complete(ask).await.unwrap_err();
    assert!(matches!(error, CallError::Denied(_)), "{error:?}");
    assert_eq!(rig.number("SELECT count(*) FROM limit_counters"), before);
    assert_eq!(rig.number("SELECT count(*) FROM reservations"), 0);
    assert!(scripted.asked().is_empty());
}

#[tokio::test]
async fn names_mean_routes_models_or_whatever_is_usual() {
    let scripted = Scripted::start();
    let mut with = simple(&scripted, Wire::OpenAi, &["ok"]);
    let main = with.providers.get_mut("main").unwrap();
    main.models.insert("declared".to_owned(), Offer::default());
    let rig = rig(with);
    let model = |model: &str| Wanted::Model {
        provider: "main".to_owned(),
        model: model.to_owned(),
    };
    assert_eq!(rig.router.resolve("r"), Wanted::Route("r".to_owned()));
    assert_eq!(rig.router.resolve("main/x/y"), model("x/y"));
    assert_eq!(rig.router.resolve("declared"), model("declared"));
    assert_eq!(rig.router.resolve("claude-opus-4-5"), Wanted::Default);
    assert_eq!(rig.router.resolve("nobody/x"), Wanted::Default);
    // The only route is the default one.
    let answered = rig
        .router
        .complete(Ask::new(Chat::ask("x", "hi")))
        .await
        .unwrap();
    assert_eq!(answered.target.model, "ok");
    let error = rig
        .router
        .complete(hi().to(Wanted::Route("q".to_owned())))
        .await;
    assert!(error.unwrap_err().to_string().contains("there are: r"));
    let models = rig.router.models("main").await.unwrap();
    assert!(!models.is_empty());
    let standing = rig.router.standing().await.unwrap();
    let names: Vec<&str> = standing.iter().map(|of| of.model.as_str()).collect();
    assert_eq!(names, ["declared", "ok"]);
}

#[tokio::test]
async fn what_passes_keeps_its_bytes_and_headers_and_gets_our_key() {
    let scripted = Scripted::start();
    let rig = rig(simple(&scripted, Wire::Anthropic, &["ok"]));
    let body = br#"{ "model":"claude",  "max_tokens":9, "messages":[{"role":"user","content":"hi"}], "metadata": {"user_id":"u"} }"#;
    let mut passing = Passing::new(Wire::Anthropic, "/v1/messages", body.to_vec()).unwrap();
    passing
        .headers
        .insert("anthropic-beta", "a-1".parse().unwrap());
    passing
        .headers
        .insert("anthropic-version", "2024-01-01".parse().unwrap());
    passing
        .headers
        .insert("x-api-key", "theirs".parse().unwrap());
    passing.target = rig.router.resolve(passing.model());
    passing.who = Who {
        agent: Some("a_1".to_owned()),
        ..Who::default()
    };
    assert!(rig.router.speaks(&passing.target, Wire::Anthropic).unwrap());
    assert!(!rig.router.speaks(&passing.target, Wire::OpenAi).unwrap());
    let mut passed = rig.router.pass(passing).await.unwrap();
    let mut answer = Vec::new();
    while let Some(chunk) = passed.chunk().await {
        answer.extend_from_slice(&chunk.unwrap());
    }
    let asked = &scripted.asked()[0];
    assert_eq!(asked.body["model"], "ok");
    assert_eq!(asked.body["metadata"]["user_id"], "u");
    assert_eq!(asked.header("x-api-key"), Some("sk-asking-0c55"));
    assert_eq!(asked.header("anthropic-beta"), Some("a-1"));
    assert_eq!(asked.header("anthropic-version"), Some("2024-01-01"));
    // The very bytes that the provider gave.
    let direct = named(&scripted, "main", Wire::Anthropic, PATIENT);
    let mut request = Wire::Anthropic
        .encode(&Chat::ask("ok", "hi"), callboard_routing::wire::Mode::Plain)
        .unwrap();
    request.body = br#"{"model":"ok","max_tokens":9,"messages":[]}"#.to_vec();
    let plain = direct.pass(request, &http::HeaderMap::new()).await.unwrap();
    assert_eq!(answer, plain.body.whole(1 << 20).await.unwrap());
    assert_eq!(passed.cost(), Some(MicroDollars(425)));
    let row = row_of(&rig.ended()[0]);
    assert_eq!((row.agent.as_deref(), row.streamed), (Some("a_1"), false));
    assert_eq!(row.bytes_out, Some(body.len() as u64 - 4));
    // Nobody of the route speaks it.
    let foreign = Passing::new(Wire::OpenAi, "/chat/completions", body.to_vec()).unwrap();
    let error = rig.router.pass(foreign).await.unwrap_err();
    assert!(error.to_string().contains("has no openai wire"), "{error}");
}

#[tokio::test]
async fn who_leaves_what_passes_pays_for_what_came() {
    let scripted = Scripted::start();
    let rig = rig(simple(&scripted, Wire::OpenAi, &["stall"]));
    let body = br#"{"model":"m","stream":true,"messages":[]}"#.to_vec();
    let passing = Passing::new(Wire::OpenAi, "/chat/completions", body).unwrap();
    assert_eq!(passing.what, What::Chat);
    let passed = rig.router.pass(passing).await.unwrap();
    drop(passed);
    until(|| scripted.hung_up() == 1).await;
    let call = &rig.settled(1).await[0];
    let usage = call.usage.unwrap();
    assert_eq!(
        (usage.tokens.input, usage.tokens.output),
        (call.estimate.input, 2)
    );
}

#[tokio::test]
async fn texts_are_kept_only_where_that_is_wanted() {
    let scripted = Scripted::start();
    for privacy in [llm::Privacy::Metadata, llm::Privacy::Full] {
        let mut with = simple(&scripted, Wire::OpenAi, &["ok"]);
        with.privacy = privacy;
        let rig = rig(with.clone());
        let keeping = Keeping {
            privacy,
            ..Keeping::default()
        };
        let log = CallLog::keeping(rig.dir.path(), keeping);
        let router = Router::new(parts(&rig.store, log.clone()), with);
        let whole = router.complete(hi()).await.unwrap();
        let mut answering = router.stream(hi()).await.unwrap();
        read(&mut answering).await.unwrap();
        for id in [whole.call, answering.call().to_owned()] {
            let kept = log.query(move |c| llm_text(c, &id)).await;
            if privacy == llm::Privacy::Metadata {
                assert!(!matches!(kept, Ok(Some(_))), "{kept:?}");
                continue;
            }
            let kept = kept.unwrap().unwrap();
            assert_eq!(kept.request(), "[user] hi\n");
            assert_eq!(kept.answer(), "Hello from ok");
        }
    }
}

#[tokio::test]
async fn an_answer_that_will_not_do_is_asked_for_again_of_the_next() {
    let scripted = Scripted::start();
    let mut with = simple(&scripted, Wire::OpenAi, &["first", "ok"]);
    let main = with.providers.get_mut("main").unwrap();
    let of = |class| Offer {
        classes: vec![class],
        ..Offer::default()
    };
    main.models
        .insert("first".to_owned(), of(TaskClass::Simple));
    main.models.insert("ok".to_owned(), of(TaskClass::Complex));
    let route = with.routes.get_mut("r").unwrap();
    (route.class, route.escalate) = (Some(TaskClass::Simple), Some(Escalate::default()));
    let rig = rig(with);
    // Words will do; the first answer counts.
    let answered = rig.router.complete(hi()).await.unwrap();
    assert_eq!(
        (answered.target.model.as_str(), answered.unmet),
        ("first", None)
    );
    // JSON it is not: the one who is meant for harder work is asked too, and does no better.
    let mut ask = hi();
    ask.chat.output = Output::Json;
    let answered = rig.router.complete(ask).await.unwrap();
    assert_eq!(answered.target.model, "ok");
    assert!(
        matches!(answered.unmet, Some(Unmet::NotJson { .. })),
        "{answered:?}"
    );
    assert_eq!(answered.hops.len(), 1);
    assert!(matches!(
        answered.hops[0].unmet,
        Some(Unmet::NotJson { .. })
    ));
    let rows: Vec<_> = rig.settled(3).await.iter().map(row_of).collect();
    let models: Vec<&str> = rows.iter().map(|row| row.model.as_str()).collect();
    assert_eq!(models, ["first", "first", "ok"]);
    assert!(rows.iter().all(|row| row.cost == Some(MicroDollars(386))));
    assert!(rows[2].decision.as_ref().unwrap().contains("not_json"));
    // Whose answer failed the caller's own tests is not asked again.
    let ask = Ask {
        failed: vec![Target::new("main", "first")],
        ..hi()
    };
    assert_eq!(rig.router.complete(ask).await.unwrap().target.model, "ok");
    let ask = Ask {
        failed: vec![Target::new("main", "first"), Target::new("main", "ok")],
        ..hi()
    };
    let error = rig.router.complete(ask).await.unwrap_err();
    assert!(
        error.to_string().contains("failed the caller's tests"),
        "{error}"
    );
}

#[tokio::test]
async fn a_model_that_does_not_vouch_for_its_answer_is_not_the_last_asked() {
    let scripted = Scripted::start();
    let mut with = simple(&scripted, Wire::OpenAi, &["first", "ok"]);
    let least_score = Some(60);
    with.routes.get_mut("r").unwrap().escalate = Some(Escalate { least_score });
    let rig = rig(with);
    // The scripted one never gives a score.
    let answered = rig.router.complete(hi()).await.unwrap();
    assert_eq!(
        (answered.target.model.as_str(), answered.unmet),
        ("ok", Some(Unmet::NoScore))
    );
    let rows: Vec<_> = rig.settled(4).await.iter().map(row_of).collect();
    let models: Vec<&str> = rows.iter().map(|row| row.model.as_str()).collect();
    assert_eq!(models, ["first", "first", "ok", "ok"]);
    assert_eq!(rows[1].parent.as_ref(), Some(&rows[0].id));
}

#[tokio::test]
async fn tokens_are_counted_by_the_provider_where_it_can() {
    let scripted = Scripted::start();
    for (wire, counted) in [(Wire::Anthropic, 1_200), (Wire::OpenAi, 5)] {
        let rig = rig(simple(&scripted, wire, &["ok"]));
        let count = rig.router.count_tokens(&hi()).await.unwrap();
        assert_eq!(count.tokens, counted);
        assert_eq!(count.by.is_some(), wire == Wire::Anthropic);
    }
}
