use std::net::IpAddr;
use std::sync::Arc;

use callboard_store::actor::{self, Actor};
use callboard_store::{Clock, FixedClock, Options, Store, StoreError};
use callboard_telemetry::audit::{self, AuditFilter, AuditRow, audit_list};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use super::*;
use crate::{Arrival, Caller, Gate, Grant, Refusal, Role, Via};

const NOW: i64 = 1_790_000_000_000;
const DAY: i64 = 24 * 3_600 * 1_000;

struct Rig {
    dir: tempfile::TempDir,
    store: Store,
    clock: Arc<FixedClock>,
}

fn open(dir: &std::path::Path) -> Store {
    Store::open(Options::board(dir), &[audit::MIGRATIONS, MIGRATIONS]).unwrap()
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Rig {
            store: open(dir.path()),
            dir,
            clock: Arc::new(FixedClock::new(NOW)),
        }
    }

    fn gate(&self, policy: Policy) -> TokenGate {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        TokenGate::new(self.store.clone(), clock, policy)
    }

    async fn add(
        &self,
        name: &str,
        role: Role,
        lifetime_ms: Option<i64>,
    ) -> Result<TokenText, TokenError> {
        let token = TokenText::generate().unwrap();
        let (kept, now) = (token.clone(), self.clock.now_ms());
        let new = NewToken {
            name: name.to_owned(),
            role,
            grant: None,
            lifetime_ms,
        };
        let write = self.store.write(move |c| token_add(c, now, &kept, &new));
        actor::scope(Arc::new(Actor::command("ada", "token add")), write).await?;
        Ok(token)
    }

    async fn add_for(&self, name: &str, grant: Grant) -> Result<TokenText, TokenError> {
        let token = TokenText::generate().unwrap();
        let (kept, now) = (token.clone(), self.clock.now_ms());
        let new = NewToken {
            name: name.to_owned(),
            role: Role::Admin,
            grant: Some(grant),
            lifetime_ms: Some(DAY),
        };
        let write = self.store.write(move |c| token_add(c, now, &kept, &new));
        write.await?;
        Ok(token)
    }

    async fn revoke(&self, which: &str) -> Result<TokenRow, TokenError> {
        let (now, which) = (self.clock.now_ms(), which.to_owned());
        self.store
            .write(move |c| token_revoke(c, now, &which))
            .await
    }

    async fn audit(&self) -> Vec<AuditRow> {
        let read = self
            .store
            .read(|c| audit_list(c, &AuditFilter::default(), 1_000));
        let rows: Result<_, StoreError> = read.await;
        rows.unwrap()
    }

    /// The audit once it has `count` rows: refusals are written behind the caller's back.
    async fn audit_of(&self, count: usize) -> Vec<AuditRow> {
        let within = tokio::time::timeout(std::time::Duration::from_secs(20), async {
            loop {
                let rows = self.audit().await;
                if rows.len() >= count {
                    return rows;
                }
                tokio::task::yield_now().await;
            }
        });
        within.await.expect("the rows are written")
    }
}

fn bearer(token: &TokenText) -> HeaderMap {
    headers(&[("authorization", &format!("Bearer {}", token.reveal()))])
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

async fn ask(gate: &TokenGate, headers: &HeaderMap, from: &str) -> Result<Caller, Refusal> {
    ask_for(gate, headers, from, "/assigner/mcp").await
}

async fn ask_for(
    gate: &TokenGate,
    headers: &HeaderMap,
    from: &str,
    uri: &'static str,
) -> Result<Caller, Refusal> {
    let from: IpAddr = from.parse().unwrap();
    let arrival = Arrival {
        method: &Method::POST,
        uri: &Uri::from_static(uri),
        headers,
        from,
        via: Via::Http,
        request_id: "r-1",
    };
    gate.admit(arrival).await
}

fn refused(answer: Result<Caller, Refusal>) -> (u16, String) {
    let refusal = answer.unwrap_err();
    (refusal.status.as_u16(), refusal.error.message)
}

#[tokio::test]
async fn a_good_token_gives_its_name_and_role() {
    let rig = Rig::new();
    let gate = rig.gate(Policy::default());
    for role in Role::ALL {
        let token = rig.add(role.as_str(), role, Some(DAY)).await.unwrap();
        let caller = ask(&gate, &bearer(&token), "127.0.0.1").await.unwrap();
        assert_eq!((caller.name.as_str(), caller.role), (role.as_str(), role));
        assert_eq!(caller.token.as_deref(), Some(token.id()));
        assert_eq!(
            (caller.via, caller.from),
            (Via::Http, "127.0.0.1".parse().ok())
        );
    }
}

#[tokio::test]
async fn a_token_of_the_gateway_says_for_whom_it_is_and_has_no_role() {
    let rig = Rig::new();
    let gate = rig.gate(Policy::default());
    let grant = Grant {
        agent: Some("claude-1".to_owned()),
        project: Some("site".to_owned()),
        task: None,
        work_role: Some("reviewer".to_owned()),
    };
    let token = rig.add_for("agent", grant.clone()).await.unwrap();
    let caller = ask(&gate, &bearer(&token), "127.0.0.1").await.unwrap();
    assert_eq!(caller.grant.as_ref(), Some(&grant));
    assert_eq!(caller.agent.as_deref(), Some("claude-1"));
    assert_eq!(caller.role, Role::Viewer);
    let rows = rig.audit().await;
    let detail = rows[0].detail.to_string();
    for said in ["gateway", "claude-1", "site"] {
        assert!(detail.contains(said), "{detail}");
    }
    let nobody = Grant {
        agent: Some(String::new()),
        ..Grant::default()
    };
    let refused = rig.add_for("odd", nobody).await.unwrap_err();
    assert!(matches!(refused, TokenError::For(_)), "{refused}");
}

#[tokio::test]
async fn an_api_key_is_a_token_at_the_gateway_only() {
    let rig = Rig::new();
    let gate = rig.gate(Policy::default());
    let token = rig.add_for("agent", Grant::default()).await.unwrap();
    let other = rig.add("other", Role::Admin, Some(DAY)).await.unwrap();
    let key = headers(&[("x-api-key", token.reveal())]);
    let both = headers(&[
        ("x-api-key", token.reveal()),
        ("authorization", &format!("Bearer {}", other.reveal())),
    ]);
    let uri = Uri::from_static("/v1/messages");
    let arrival = |headers, via| Arrival {
        method: &Method::POST,
        uri: &uri,
        headers,
        from: "127.0.0.1".parse().unwrap(),
        via,
        request_id: "r-1",
    };
    let name = |caller: Result<Caller, Refusal>| caller.map(|caller| caller.name).ok();
    let through = gate.admit(arrival(&key, Via::Gateway)).await;
    assert_eq!(name(through).as_deref(), Some("agent"));
    assert_eq!(name(gate.admit(arrival(&key, Via::Http)).await), None);
    let through = gate.admit(arrival(&both, Via::Gateway)).await;
    assert_eq!(name(through).as_deref(), Some("other"));
}

#[tokio::test]
async fn only_the_hash_is_at_rest() {
    let rig = Rig::new();
    let token = rig.add("ci", Role::Viewer, Some(DAY)).await.unwrap();
    let secret = token.reveal().rsplit_once('_').unwrap().1.to_owned();
    ask(&rig.gate(Policy::default()), &bearer(&token), "127.0.0.1")
        .await
        .unwrap();
    drop(rig.store);
    let mut seen = 0;
    for entry in std::fs::read_dir(rig.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            seen += bytes.len();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(&secret), "{}", path.display());
        }
    }
    assert!(seen > 4_096, "the board was there");
}

#[tokio::test]
async fn without_a_token_the_answer_says_how_to_get_one() {
    let rig = Rig::new();
    let gate = rig.gate(Policy::default());
    let refusal = ask(&gate, &HeaderMap::new(), "127.0.0.1")
        .await
        .unwrap_err();
    assert_eq!(refusal.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        refusal.challenge.as_deref(),
        Some("Bearer realm=\"callboard\"")
    );
    let text = refusal.error.to_string();
    assert!(
        text.starts_with("unauthorized: ") && text.contains("callboard token add"),
        "{text}"
    );
}

#[tokio::test]
async fn strangers_do_not_learn_which_tokens_there_are() {
    let rig = Rig::new();
    let gate = rig.gate(Policy {
        rate_unauthenticated: 0,
        ..Policy::default()
    });
    let token = rig.add("ci", Role::Viewer, Some(DAY)).await.unwrap();
    rig.revoke("ci").await.unwrap();
    let stranger = TokenText::generate().unwrap();
    let wrong_secret = format!("cb_{}_{}", token.id(), "0".repeat(64));
    let good = token.reveal();
    let guesses = [
        format!("Bearer {}", stranger.reveal()),
        format!("Bearer {wrong_secret}"),
        format!("Basic {good}"),
        format!("Bearer{good}"),
        "Bearer ".to_owned(),
        good.to_owned(),
    ];
    let mut answers = Vec::new();
    for guess in &guesses {
        let refusal = ask(&gate, &headers(&[("authorization", guess)]), "10.1.2.3")
            .await
            .unwrap_err();
        assert!(
            refusal
                .challenge
                .as_deref()
                .unwrap()
                .contains("invalid_token")
        );
        answers.push((refusal.status, refusal.error));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    // Whoever has the secret may know what became of it.
    assert_eq!(
        refused(ask(&gate, &bearer(&token), "10.1.2.3").await),
        (401, "the token ci was revoked".to_owned())
    );
}

#[tokio::test]
async fn a_token_counts_only_in_its_header_and_only_once() {
    let rig = Rig::new();
    let gate = rig.gate(Policy::default());
    let token = rig.add("ci", Role::Viewer, Some(DAY)).await.unwrap();
    let shown = format!("Bearer {}", token.reveal());
    let twice = headers(&[("authorization", &shown), ("authorization", &shown)]);
    assert_eq!(refused(ask(&gate, &twice, "127.0.0.1").await).0, 401);
    let elsewhere = headers(&[("cookie", &shown), ("x-authorization", &shown)]);
    assert_eq!(refused(ask(&gate, &elsewhere, "127.0.0.1").await).0, 401);
    let uri: &'static str =
        Box::leak(format!("/assigner/mcp?access_token={}", token.reveal()).into_boxed_str());
    assert_eq!(
        refused(ask_for(&gate, &HeaderMap::new(), "127.0.0.1", uri).await).0,
        401
    );
    // The scheme's case is free, says RFC 9110.
    let lower = headers(&[("authorization", &format!("bearer {}", token.reveal()))]);
    assert!(ask(&gate, &lower, "127.0.0.1").await.is_ok());
    let rows = rig.audit_of(2).await;
    assert!(
        rows.iter().all(|row| !row.action.contains("cb_")),
        "the address without its query"
    );
}

#[tokio::test]
async fn a_token_ends_when_its_time_is_over() {
    let rig = Rig::new();
    let gate = rig.gate(Policy::default());
    let token = rig.add("ci", Role::Viewer, Some(DAY)).await.unwrap();
    rig.clock.set(NOW + DAY - 1);
    assert!(ask(&gate, &bearer(&token), "127.0.0.1").await.is_ok());
    rig.clock.advance(1);
    let answer = ask(&gate, &bearer(&token), "127.0.0.1").await;
    assert_eq!(
        refused(answer),
        (401, "the token ci has expired".to_owned())
    );
}

#[tokio::test]
async fn lifetimes_and_names_are_bounded() {
    let rig = Rig::new();
    for (name, lifetime) in [
        ("ci", None),
        ("ci", Some(0)),
        ("ci", Some(MAX_LIFETIME_MS + 1)),
        ("ci", Some(-DAY)),
    ] {
        let error = rig.add(name, Role::Viewer, lifetime).await.unwrap_err();
        assert!(
            matches!(error, TokenError::Lifetime),
            "{name} {lifetime:?}: {error}"
        );
    }
    for name in ["", "-x", "a b", "a\n", "é", &"n".repeat(61)] {
        let error = rig.add(name, Role::Viewer, Some(DAY)).await.unwrap_err();
        assert!(matches!(error, TokenError::Name(_)), "{name:?}: {error}");
    }
    rig.add(LOCAL_NAME, Role::Developer, None).await.unwrap();
    rig.add("ci", Role::Viewer, Some(MAX_LIFETIME_MS))
        .await
        .unwrap();
    assert!(matches!(
        rig.add("ci", Role::Viewer, Some(DAY)).await,
        Err(TokenError::Taken { .. })
    ));
    rig.revoke("ci").await.unwrap();
    rig.add("ci", Role::Viewer, Some(DAY)).await.unwrap();
    assert!(matches!(
        rig.revoke("nobody").await,
        Err(TokenError::NotFound(_))
    ));
}

/// With the first look's answer at hand, and through another handle, as another process has one.
#[tokio::test]
async fn a_revocation_counts_at_once_and_one_elsewhere_within_a_moment() {
    let rig = Rig::new();
    let gate = rig.gate(Policy::default());
    let here = rig.add("here", Role::Viewer, Some(DAY)).await.unwrap();
    let there = rig.add("there", Role::Viewer, Some(DAY)).await.unwrap();
    for token in [&here, &there] {
        assert!(ask(&gate, &bearer(token), "127.0.0.1").await.is_ok());
    }
    rig.revoke("here").await.unwrap();
    assert_eq!(
        refused(ask(&gate, &bearer(&here), "127.0.0.1").await).0,
        401
    );
    let other = open(rig.dir.path());
    other
        .write(|c| token_revoke(c, NOW, "there"))
        .await
        .unwrap();
    let noticed = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while ask(&gate, &bearer(&there), "127.0.0.1").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    });
    noticed
        .await
        .expect("the other process's revocation is noticed");
}

#[tokio::test]
async fn the_last_use_is_written_once_a_minute() {
    let rig = Rig::new();
    let gate = rig.gate(Policy::default());
    let token = rig.add("ci", Role::Viewer, Some(DAY)).await.unwrap();
    let id = token.id().to_owned();
    let used = || {
        let id = id.clone();
        rig.store
            .read_now(move |c| token_get(c, &id))
            .unwrap()
            .unwrap()
            .used_at
    };
    let settle = async |want: i64| {
        while used() != Some(want) {
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(used(), None);
    ask(&gate, &bearer(&token), "127.0.0.1").await.unwrap();
    settle(NOW).await;
    rig.clock.advance(59_000);
    ask(&gate, &bearer(&token), "127.0.0.1").await.unwrap();
    // Behind whatever that had to write.
    rig.revoke(rig.add("x", Role::Viewer, Some(DAY)).await.unwrap().id())
        .await
        .unwrap();
    assert_eq!(used(), Some(NOW));
    rig.clock.advance(1_000);
    ask(&gate, &bearer(&token), "127.0.0.1").await.unwrap();
    settle(NOW + 60_000).await;
}

#[tokio::test]
async fn loopback_is_open_only_where_the_user_said_so_and_only_to_itself() {
    let rig = Rig::new();
    let gate = rig.gate(Policy {
        loopback: Loopback::Open(Role::Viewer),
        ..Policy::default()
    });
    for from in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        let caller = ask(&gate, &HeaderMap::new(), from).await.unwrap();
        assert_eq!(
            (caller.name.as_str(), caller.role),
            ("loopback", Role::Viewer)
        );
    }
    for from in ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1"] {
        assert_eq!(
            refused(ask(&gate, &HeaderMap::new(), from).await).0,
            401,
            "{from}"
        );
    }
    let passed_on = headers(&[("x-forwarded-for", "203.0.113.9")]);
    assert_eq!(refused(ask(&gate, &passed_on, "127.0.0.1").await).0, 401);
    let bad = headers(&[("authorization", "Bearer nonsense")]);
    assert_eq!(
        refused(ask(&gate, &bad, "127.0.0.1").await).0,
        401,
        "what is shown must be good"
    );
    let token = rig.add("boss", Role::Admin, Some(DAY)).await.unwrap();
    assert_eq!(
        ask(&gate, &bearer(&token), "127.0.0.1").await.unwrap().role,
        Role::Admin
    );
}

#[tokio::test]
async fn who_comes_too_often_is_told_when_to_come_again() {
    let rig = Rig::new();
    let gate = rig.gate(Policy {
        rate: 2,
        rate_unauthenticated: 1,
        ..Policy::default()
    });
    let token = rig.add("ci", Role::Viewer, Some(DAY)).await.unwrap();
    for _ in 0..10 {
        ask(&gate, &bearer(&token), "127.0.0.1").await.unwrap();
    }
    let refusal = ask(&gate, &bearer(&token), "127.0.0.1").await.unwrap_err();
    assert_eq!(
        (refusal.status, refusal.error.kind),
        (StatusCode::TOO_MANY_REQUESTS, crate::ErrorKind::Limit)
    );
    assert_eq!(
        refusal.retry_after,
        Some(std::time::Duration::from_millis(500))
    );
    for _ in 0..5 {
        assert_eq!(
            refused(ask(&gate, &HeaderMap::new(), "10.0.0.1").await).0,
            401
        );
    }
    let limit = |refusal: &crate::Refusal| refusal.error.hint.clone().unwrap();
    assert!(limit(&refusal).contains("`access.rate`"));
    let refusal = ask(&gate, &HeaderMap::new(), "10.0.0.1").await.unwrap_err();
    assert_eq!(refusal.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(limit(&refusal).contains("`access.rate_unauthenticated`"));
    assert_eq!(
        refused(ask(&gate, &HeaderMap::new(), "10.0.0.2").await).0,
        401
    );
    // One network of IPv6 is one address.
    for host in 1..=5 {
        assert_eq!(
            refused(ask(&gate, &HeaderMap::new(), &format!("2001:db8::{host}")).await).0,
            401
        );
    }
    assert_eq!(
        refused(ask(&gate, &HeaderMap::new(), "2001:db8::99").await).0,
        429
    );
    rig.clock.advance(1_000);
    assert!(
        ask(&gate, &bearer(&token), "10.0.0.1").await.is_ok(),
        "guesses do not lock out who has a token"
    );
}

#[tokio::test]
async fn refusals_and_changes_of_tokens_are_audited_without_secrets() {
    let rig = Rig::new();
    let gate = rig.gate(Policy::default());
    let token = rig.add("ci", Role::Developer, Some(DAY)).await.unwrap();
    rig.revoke("ci").await.unwrap();
    refused(ask(&gate, &HeaderMap::new(), "10.0.0.1").await);
    rig.audit_of(3).await;
    refused(ask(&gate, &bearer(&token), "10.0.0.1").await);
    rig.audit_of(4).await;
    let arrival = Arrival {
        method: &Method::POST,
        uri: &Uri::from_static("/assigner/mcp"),
        headers: &HeaderMap::new(),
        from: "10.0.0.2".parse().unwrap(),
        via: Via::Sse,
        request_id: "r-9",
    };
    let error = crate::ToolError::new(crate::ErrorKind::Forbidden, "no");
    let refusal = Refusal::new(StatusCode::FORBIDDEN, "origin", error);
    gate.turned_away(arrival, None, &refusal).await;
    let rows = rig.audit_of(5).await;
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.verb.as_str(), row.subject.as_str(), row.name.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("token_add", token.id(), "ada"),
            ("token_revoke", token.id(), "callboard"),
            ("refused", "no_token", "-"),
            ("refused", "revoked", "ci"),
            ("refused", "origin", "-"),
        ]
    );
    assert_eq!(
        rows[0].detail,
        format!(
            r#"{{"name":"ci","role":"developer","expires_at":{}}}"#,
            NOW + DAY
        )
    );
    assert_eq!(rows[3].token.as_deref(), Some(token.id()));
    assert_eq!(
        (
            rows[4].address.as_deref(),
            rows[4].via.as_str(),
            rows[4].request.as_deref(),
            rows[4].action.as_str()
        ),
        (Some("10.0.0.2"), "sse", Some("r-9"), "/assigner/mcp")
    );
    let secret = token.reveal().rsplit_once('_').unwrap().1;
    assert!(!format!("{rows:?}").contains(secret));
}

#[tokio::test]
async fn a_renewed_token_ends_the_one_before() {
    let rig = Rig::new();
    let gate = rig.gate(Policy::default());
    let old = rig.add(LOCAL_NAME, Role::Developer, None).await.unwrap();
    let new = TokenText::generate().unwrap();
    let kept = new.clone();
    let renewed = rig.store.write(move |c| {
        let local = NewToken {
            name: LOCAL_NAME.to_owned(),
            role: Role::Developer,
            grant: None,
            lifetime_ms: None,
        };
        token_renew(c, NOW, &kept, &local)
    });
    renewed.await.unwrap();
    assert_eq!(
        refused(ask(&gate, &bearer(&old), "127.0.0.1").await).1,
        "the token local was revoked"
    );
    assert!(ask(&gate, &bearer(&new), "127.0.0.1").await.is_ok());
    let listed = rig.store.read_now(token_list).unwrap();
    assert_eq!(
        listed
            .iter()
            .map(|row| row.is_good(NOW))
            .collect::<Vec<_>>(),
        [true, false]
    );
}
