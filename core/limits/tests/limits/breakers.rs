//! Breakers: each transition, and two processes that agree.

use crate::fixture::{NOW, ask, board, open};
use callboard_limits::{
    Admission, BreakerState, LimitError, Patience, Target, Verdict, breaker_admit, breaker_get,
    breaker_record, breakers, breakers_reset, expire,
};
use callboard_store::Store;

fn target() -> Target {
    Target {
        provider: "groq".to_owned(),
        model: "m".to_owned(),
        account: "a".to_owned(),
    }
}

fn admit(store: &Store, at: i64, call: &'static str) -> Admission {
    store
        .write_blocking(move |c| breaker_admit(c, NOW + at, &target(), call, Patience::default()))
        .unwrap()
}

fn record(store: &Store, at: i64, call: &'static str, verdict: Verdict<'static>) {
    let done: Result<(), LimitError> = store.write_blocking(move |c| {
        breaker_record(c, NOW + at, &target(), call, verdict, Patience::default())
    });
    done.unwrap();
}

/// A story, one step a line: `<ms> <call> ask = <go | probe | open/ms | half_open/ms | cooling/ms>`, or
/// `<ms> <call> ok | bad | cool/<ms> | nothing`, or `<ms> is <state> <failures>`.
fn play(story: &'static str) {
    let board = board();
    let store = &board.store;
    for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&'static str> = line.split_whitespace().collect();
        let at: i64 = words[0].parse().unwrap();
        match words[1..] {
            ["is", state, failures] => {
                let found = store
                    .read_now(|c| breaker_get(c, NOW + at, &target()))
                    .unwrap();
                let seen = found.map_or((BreakerState::Closed, 0), |breaker| {
                    (breaker.state, breaker.failures)
                });
                assert_eq!(
                    (seen.0.as_str(), seen.1),
                    (state, failures.parse().unwrap()),
                    "{line}"
                );
            }
            [call, "ask", "=", want] => {
                let said = match admit(store, at, call) {
                    Admission::Go => "go".to_owned(),
                    Admission::Probe => "probe".to_owned(),
                    Admission::Refused { state, until } => format!("{state}/{}", until - NOW),
                };
                assert_eq!(said, want, "{line}");
            }
            [call, "ok"] => record(store, at, call, Verdict::Succeeded),
            [call, "bad"] => record(store, at, call, Verdict::Failed("server")),
            [call, "nothing"] => record(store, at, call, Verdict::Nothing),
            [call, cool] => {
                let until: i64 = cool.strip_prefix("cool/").unwrap().parse().unwrap();
                record(store, at, call, Verdict::Cool(NOW + until));
            }
            _ => panic!("{line}"),
        }
    }
}

const FIVE: &str = "0 a bad
    1 b bad
    2 c bad
    3 d bad
    4 e bad";

/// The story after five failures in a row, which opened the breaker until 60004.
fn play_open(story: &str) {
    play(Box::leak(format!("{FIVE}\n{story}").into_boxed_str()));
}

#[test]
fn five_failures_in_a_row_open_it() {
    play(
        "0 a ask = go
          0 a bad
          1 b bad
          2 c bad
          3 d bad
          3 is closed 4
          4 e ask = go
          4 e bad
          4 is open 5
          5 f ask = open/60004
          60003 f ask = open/60004
          60004 is half_open 5
          60004 f ask = probe",
    );
}

#[test]
fn a_success_in_between_starts_the_count_anew() {
    play(
        "0 a bad
          1 a bad
          2 a bad
          3 a bad
          4 b ok
          4 is closed 0
          5 a bad
          6 a bad
          7 a bad
          8 a bad
          8 is closed 4
          9 a ask = go",
    );
}

#[test]
fn what_does_not_count_changes_nothing() {
    play(
        "0 a bad
          1 a bad
          2 a bad
          3 a bad
          4 a nothing
          5 a nothing
          5 is closed 4
          6 a bad
          6 is open 5",
    );
}

#[test]
fn one_call_at_a_time_probes_and_its_success_closes() {
    play_open(
        "60004 p ask = probe
               60005 q ask = half_open/180004
               60006 p ask = probe
               60007 q ask = half_open/180006
               60100 p ok
               60100 is closed 0
               60101 q ask = go",
    );
}

#[test]
fn a_failed_probe_opens_it_again_for_as_long() {
    play_open(
        "60004 p ask = probe
               60100 p bad
               60100 is open 6
               60101 q ask = open/120100
               120100 q ask = probe
               120101 q ok
               120102 r ask = go",
    );
}

#[test]
fn a_probe_that_says_nothing_lets_the_next_one_probe() {
    play_open(
        "60004 p ask = probe
               60100 p nothing
               60100 is half_open 5
               60101 q ask = probe",
    );
}

#[test]
fn a_prober_that_was_killed_blocks_the_others_for_two_minutes() {
    play_open(
        "60004 p ask = probe
               180003 q ask = half_open/180004
               180004 q ask = probe
               180005 r ask = half_open/300004",
    );
}

#[test]
fn a_slow_probers_end_counts_until_another_one_probes() {
    play_open(
        "60004 p ask = probe
               200000 p ok
               200000 is closed 0",
    );
    play_open(
        "60004 p ask = probe
               180004 q ask = probe
               200000 p ok
               200000 is half_open 5
               200001 r ask = half_open/300004
               200002 q ok
               200002 is closed 0",
    );
}

#[test]
fn calls_that_began_before_say_nothing_while_it_is_not_closed() {
    play_open(
        "10 x ok
               11 y bad
               11 is open 5
               60003 z ask = open/60004
               60004 p ask = probe
               60005 x ok
               60006 y bad
               60006 is half_open 5
               60007 z ask = half_open/180004",
    );
}

#[test]
fn a_pause_that_the_provider_asks_for_is_kept_and_counts_nothing() {
    play(
        "0 a bad
          1 b cool/30000
          1 is cooling 1
          2 c ask = cooling/30000
          3 d cool/20000
          4 e cool/3
          5 c ask = cooling/30000
          29999 c ask = cooling/30000
          30000 c ask = go
          30000 is closed 1",
    );
}

#[test]
fn a_pause_while_it_is_open_or_probed_holds_beside_it() {
    play_open(
        "5 x cool/90000
               6 y ask = cooling/90000
               60004 y ask = cooling/90000
               90000 y ask = probe
               90001 y cool/95000
               90002 z ask = cooling/95000
               95000 z ask = probe
               95001 z ok
               95001 is closed 0",
    );
    // The longer of both is named.
    play_open(
        "5 x cool/100
               6 y ask = cooling/60004
               100 y ask = open/60004",
    );
}

#[test]
fn each_target_has_its_own_and_people_see_and_reset_them() {
    let board = board();
    for n in 0..5_i64 {
        record(&board.store, n, "a", Verdict::Failed("overloaded"));
    }
    let mut others = Vec::new();
    for (provider, model, account) in [("groq", "m", "b"), ("groq", "n", "a"), ("openai", "m", "a")]
    {
        let other = Target {
            provider: provider.to_owned(),
            model: model.to_owned(),
            account: account.to_owned(),
        };
        others.push(other.clone());
        let asked = board
            .write(move |c| breaker_admit(c, NOW + 5, &other, "x", Patience::default()))
            .unwrap();
        assert_eq!(asked, Admission::Go);
    }
    for other in others {
        board
            .write(move |c| {
                breaker_record(
                    c,
                    NOW + 5,
                    &other,
                    "x",
                    Verdict::Failed("server"),
                    Patience::default(),
                )
            })
            .unwrap();
    }
    let seen = board.store.read_now(|c| breakers(c, NOW + 6)).unwrap();
    assert_eq!(seen.len(), 4);
    let first = &seen[0];
    assert_eq!(first.target, target());
    assert_eq!(
        (first.state, first.failures, first.until),
        (BreakerState::Open, 5, Some(NOW + 60_004))
    );
    assert_eq!(
        (first.last_failure.as_deref(), first.changed_at),
        (Some("overloaded"), NOW + 4)
    );
    let reset = |provider: Option<&'static str>, model: Option<&'static str>| {
        board
            .write(move |c| breakers_reset(c, NOW + 7, provider, model))
            .unwrap()
    };
    assert_eq!(reset(Some("groq"), Some("m")), 2);
    assert_eq!(admit(&board.store, 8, "x"), Admission::Go);
    assert_eq!(reset(Some("nobody"), None), 0);
    assert_eq!(reset(None, None), 2);
    assert_eq!(
        board.number("SELECT count(*) FROM audit WHERE verb = 'breakers_reset'"),
        2
    );
}

#[test]
fn a_prober_that_is_found_dead_leaves_the_probe_to_the_next() {
    let board = board();
    for n in 0..5 {
        record(&board.store, n, "a", Verdict::Failed("server"));
    }
    assert_eq!(admit(&board.store, 60_004, "p"), Admission::Probe);
    board.reserve(NOW + 60_004, &ask("p", 1)).unwrap();
    let waits = Admission::Refused {
        state: BreakerState::HalfOpen,
        until: NOW + 180_004,
    };
    assert_eq!(admit(&board.store, 60_005, "q"), waits);
    let lost = board.write(|c| expire(c, NOW + 60_006, &|_| true)).unwrap();
    assert_eq!(lost, ["p"]);
    assert_eq!(admit(&board.store, 60_007, "q"), Admission::Probe);
}

#[test]
fn what_changes_nothing_is_not_written() {
    let board = board();
    record(&board.store, 0, "a", Verdict::Succeeded);
    record(&board.store, 1, "a", Verdict::Nothing);
    assert_eq!(board.number("SELECT count(*) FROM breakers"), 0);
    record(&board.store, 2, "a", Verdict::Failed("server"));
    record(&board.store, 3, "a", Verdict::Succeeded);
    record(&board.store, 4, "a", Verdict::Succeeded);
    assert_eq!(
        board.number(&format!("SELECT changed_at - {NOW} FROM breakers")),
        3
    );
}

#[test]
fn two_handles_on_one_board_agree() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (open(dir.path()), open(dir.path()));
    for n in 0..5_i64 {
        record(
            if n % 2 == 0 { &one } else { &two },
            n,
            "a",
            Verdict::Failed("server"),
        );
    }
    let open = Admission::Refused {
        state: BreakerState::Open,
        until: NOW + 60_004,
    };
    assert_eq!((admit(&one, 5, "x"), admit(&two, 5, "y")), (open, open));
    // However many ask at once when it is time, one probes.
    let probes: usize = std::thread::scope(|scope| {
        let asking: Vec<_> = ["p", "q", "r", "s", "t", "u", "v", "w"]
            .into_iter()
            .enumerate()
            .map(|(n, call)| {
                let store = if n % 2 == 0 { &one } else { &two };
                scope.spawn(move || admit(store, 60_004, call) == Admission::Probe)
            })
            .collect();
        asking
            .into_iter()
            .map(|asked| usize::from(asked.join().unwrap()))
            .sum()
    });
    assert_eq!(probes, 1);
    let prober = one
        .read_now(|c| breaker_get(c, NOW + 60_005, &target()))
        .unwrap()
        .unwrap()
        .probe
        .unwrap();
    let prober: &'static str = Box::leak(prober.into_boxed_str());
    record(&two, 60_010, prober, Verdict::Succeeded);
    assert_eq!(
        (admit(&one, 60_011, "x"), admit(&two, 60_011, "y")),
        (Admission::Go, Admission::Go)
    );
}
