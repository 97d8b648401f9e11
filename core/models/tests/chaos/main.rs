//! Providers flap and processes die, and still no limit is exceeded, all agree on who is left alone, and every call is
//! in the books once.
//!
//! Eight processes call through one board. `CALLBOARD_CHAOS_SECONDS` says for how long (5), `CALLBOARD_CHAOS_SEED`
//! repeats the moments and the faults.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test starts itself as its children, tells them what to do and fails loudly"
)]

mod books;
mod child;
mod place;

use books::Books;
use callboard_limits::{BreakerState, LimitError, breakers_reset};
use callboard_models::tick;
use callboard_store::{Clock as _, SystemClock};
use callboard_tests::upstream::Upstream;
use callboard_tests::wait_until;
use child::Process;
use place::{AT_ONCE, Dice, GAMMAS, MODELS, Place, setting};
use std::time::{Duration, Instant};

const PROCESSES: u64 = 8;
const KILLS: u32 = 8;
/// What a provider may do, and how likely.
const MOODS: [Option<&str>; 8] = [
    None,
    None,
    None,
    None,
    Some("500"),
    Some("429-body"),
    Some("hang"),
    Some("midcut"),
];
/// How long anything may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn limits_breakers_and_books_hold_while_providers_flap_and_processes_die() {
    let upstream = Upstream::start();
    let place = Place::new(&upstream);
    let runtime = place::runtime();
    let models = runtime.block_on(place.open());
    let books = Books::new(models.clone());
    let seed = setting("CALLBOARD_CHAOS_SEED", SystemClock.now_ms().unsigned_abs());
    eprintln!("CALLBOARD_CHAOS_SEED={seed}");
    let mut dice = Dice(seed);
    let mut processes: Vec<Process> = (0..PROCESSES)
        .map(|_| Process::start(&place, dice.below(u64::MAX)))
        .collect();
    for process in &mut processes {
        process.say("call mixed");
    }
    flap(&place, &upstream, &books, &mut dice, &mut processes);
    for (model, _) in MODELS {
        upstream.turn(model, None);
    }
    rest(&mut processes);
    runtime.block_on(tick(&models)).unwrap();
    assert!(wait_until(PATIENCE, || books.held() == 0), "{books}");
    agree(&books, &upstream, &mut processes);
    drop(processes);

    // The rest of what dead processes held, and all rows.
    runtime.block_on(tick(&models)).unwrap();
    assert!(wait_until(PATIENCE, || books.held() == 0), "{books}");
    while books.unlogged() > 0 {
        runtime.block_on(tick(&models)).unwrap();
    }
    books.assert_within_limits(&upstream);
    books.assert_served(&upstream);
    let once = runtime.block_on(books.assert_copied());
    // All of it again, as if nobody had said that it was done.
    books.forget_that_it_was_copied();
    while books.unlogged() > 0 {
        runtime.block_on(tick(&models)).unwrap();
    }
    let twice = runtime.block_on(books.assert_copied());
    assert_eq!(once, twice, "copied twice");
    eprintln!("{books}");
}

/// Changes what providers do and kills processes, for as long as it takes until each limit was met.
fn flap(
    place: &Place,
    upstream: &Upstream,
    books: &Books,
    dice: &mut Dice,
    processes: &mut [Process],
) {
    let time = Duration::from_secs(setting("CALLBOARD_CHAOS_SECONDS", 5));
    let began = Instant::now();
    let (mut kills, mut most) = (0, 0);
    let (mut turns, mut dies) = (began, began + Duration::from_secs(1));
    loop {
        books.assert_within_limits(upstream);
        most = most.max(books.held());
        let met = kills >= KILLS && most == AT_ONCE && books.money(GAMMAS.0) > GAMMAS.1 * 9 / 10;
        if met && began.elapsed() > time {
            return;
        }
        assert!(
            began.elapsed() < time + PATIENCE,
            "limits were not met: {kills} kills, {most} at once, {books}"
        );
        let now = Instant::now();
        if now > turns {
            let (model, _) = MODELS[dice.pick(MODELS.len())];
            upstream.turn(model, MOODS[dice.pick(MOODS.len())]);
            turns = now + Duration::from_millis(50 + dice.below(200));
        }
        if now > dies {
            let victim = &mut processes[dice.pick(PROCESSES as usize)];
            victim.kill();
            *victim = Process::start(place, dice.below(u64::MAX));
            victim.say("call mixed");
            kills += 1;
            dies = now + Duration::from_millis(200 + dice.below(500));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Lets every process finish what it is at.
fn rest(processes: &mut [Process]) {
    for process in &mut *processes {
        process.say("rest");
    }
    for process in processes {
        process.hear("rested");
    }
}

/// A provider that only fails is left alone by all of them, as soon as it has failed often enough for any.
fn agree(books: &Books, upstream: &Upstream, processes: &mut [Process]) {
    let (model, provider) = MODELS[0];
    let clean = |c: &mut dyn callboard_store::Conn| -> Result<usize, LimitError> {
        breakers_reset(c, SystemClock.now_ms(), None, None)
    };
    books.store().write_blocking(clean).unwrap();
    let before = upstream.wanted(model).asked;
    upstream.turn(model, Some("500"));
    for process in &mut *processes {
        process.say("call one");
    }
    let breaker = || books.breaker(provider, model);
    let opens = || breaker().is_some_and(|breaker| breaker.state == BreakerState::Open);
    assert!(wait_until(PATIENCE, opens), "{:?}", breaker());
    // Everybody has been refused since then.
    for process in &mut *processes {
        process.hear("refused");
    }
    rest(processes);
    let asked = upstream.wanted(model).asked - before;
    let most = 5 + usize::try_from(AT_ONCE).unwrap() - 1;
    assert!((5..=most).contains(&asked), "{asked} requests");
    let open = breaker().unwrap();
    assert_eq!(open.state, BreakerState::Open);
    let expected = format!("{provider}/{model} open {} {:?}", open.failures, open.until);
    for process in processes {
        process.say("standing");
        assert_eq!(process.hear("standing "), expected);
    }
    upstream.turn(model, None);
}
