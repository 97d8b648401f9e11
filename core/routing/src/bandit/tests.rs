use super::*;
use crate::evaluate::Dice;
use crate::route::{Candidate, Choice, Need, Offer, Route, Strategy, TaskClass, decide};
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

fn arm(succeeded: u64, failed: u64, cost: i64) -> Arm {
    Arm {
        tally: Tally { succeeded, failed },
        cost: Some(MicroDollars(cost)),
    }
}

fn places(choices: &[Choice]) -> Vec<usize> {
    choices.iter().map(|choice| choice.at).collect()
}

fn settled(arms: &[Arm]) -> Vec<Choice> {
    order(arms, TaskClass::Standard, &Policy::default(), Chance::NONE)
}

#[test]
fn rates_are_drawn_to_the_middle() {
    let rate = |succeeded, failed| Tally { succeeded, failed }.rate();
    assert!((rate(0, 0) - 0.5).abs() < 1e-12);
    assert!((rate(1, 0) - 2.0 / 3.0).abs() < 1e-12);
    assert!((rate(38, 2) - 39.0 / 42.0).abs() < 1e-12);
}

#[test]
fn the_cheapest_of_the_good_is_first_and_says_why() {
    let arms = [
        arm(39, 1, 900),
        arm(38, 2, 40),
        arm(20, 20, 1),
        arm(3, 0, 2),
    ];
    let learned = settled(&arms);
    assert_eq!(places(&learned), [1, 0, 3, 2]);
    assert_eq!(
        learned[0].why,
        "38 of 40 standard tasks succeeded: as good as the best, and costs $0.00004 at most"
    );
    assert_eq!(
        learned[2].why,
        "3 of 3 standard tasks succeeded, too few to judge (of 10)"
    );
    assert_eq!(
        learned[3].why,
        "20 of 40 standard tasks succeeded, worse than the best"
    );
}

#[test]
fn while_nobody_is_judged_the_route_stands() {
    let arms = [arm(0, 0, 900), arm(9, 0, 40), arm(0, 9, 1)];
    let learned = settled(&arms);
    assert_eq!(places(&learned), [0, 1, 2]);
    assert_eq!(learned[0].why, "no standard task was tried with it");
}

#[test]
fn who_fails_mostly_stands_behind_who_was_never_tried() {
    let learned = settled(&[arm(4, 36, 1), arm(0, 0, 900)]);
    assert_eq!(places(&learned), [1, 0]);
    assert_eq!(
        learned[1].why,
        "4 of 40 standard tasks succeeded, fewer than 50 %"
    );
}

#[test]
fn an_unknown_price_is_not_a_low_one() {
    let unknown = Arm {
        cost: None,
        ..arm(40, 0, 0)
    };
    assert_eq!(places(&settled(&[unknown, arm(40, 0, 900)])), [1, 0]);
}

#[test]
fn exploring_tries_each_other_one_and_never_stops() {
    let arms = [arm(40, 0, 1), arm(40, 0, 2), arm(0, 40, 3)];
    let with = |whether, whom| {
        let chance = Chance { whether, whom };
        order(&arms, TaskClass::Simple, &Policy::default(), chance)
    };
    assert_eq!(places(&with(0.05, 0.0)), [0, 1, 2]);
    assert_eq!(places(&with(0.049, 0.0)), [1, 0, 2]);
    assert_eq!(places(&with(0.0, 0.99)), [2, 0, 1]);
    assert!(
        with(0.0, 0.99)[0]
            .why
            .starts_with("explored, as 5 % of the tasks are; 0 of 40 simple tasks succeeded"),
    );
    let of = |explore| {
        let policy = Policy {
            explore,
            ..Policy::default()
        };
        policy.explores()
    };
    assert_eq!([of(0), of(25), of(999)], [10, 25, 500]);
}

#[test]
fn a_task_explores_with_all_of_its_calls_and_few_tasks_do() {
    let arms = [arm(40, 0, 1), arm(40, 0, 2), arm(40, 0, 3)];
    let policy = Policy {
        explore: 0,
        ..Policy::default()
    };
    let first = |chance| order(&arms, TaskClass::Simple, &policy, chance)[0].at;
    let mut firsts = [0; 3];
    for task in 0..100_000 {
        let task = format!("t_{task}");
        let chance = Chance::of("r", Some(&task));
        firsts[first(chance)] += 1;
        assert_eq!(chance, Chance::of("r", Some(&task)));
    }
    // The floor is 1 % of them, half of it for each of the others: 500, give or take three standard errors.
    assert!(
        firsts[1..].iter().all(|count| (433..=567).contains(count)),
        "{firsts:?}"
    );
    // The other route's tasks are other ones.
    let differs = |task: &str| Chance::of("r", Some(task)) != Chance::of("s", Some(task));
    assert!(differs("t_1") && differs("t_2"));
    assert_eq!(Chance::of("r", None), Chance::NONE);
}

#[test]
fn what_was_rejected_stays_rejected() {
    let candidate = |model: &str, cost, tools| Candidate {
        provider: "p".to_owned(),
        model: model.to_owned(),
        cost: Some(MicroDollars(cost)),
        offer: Offer {
            tools: Some(tools),
            ..Offer::default()
        },
        ..Candidate::default()
    };
    let route = Route {
        name: "r".to_owned(),
        strategy: Strategy::Sequential,
        candidates: vec![
            candidate("blind", 1, false),
            candidate("dear", 900, true),
            candidate("cheap", 40, true),
        ],
    };
    let need = Need {
        tools: true,
        class: Some(TaskClass::Standard),
        ..Need::default()
    };
    let decision = decide(&route, &need);
    assert_eq!(places(&decision.order), [1, 2]);
    let good = |_: &Candidate| Tally {
        succeeded: 40,
        failed: 0,
    };
    let policy = Policy::default();
    let learned = relearn(
        &route,
        decision.clone(),
        need.class,
        good,
        &policy,
        Chance::NONE,
    );
    assert_eq!(places(&learned.order), [2, 1]);
    assert_eq!(learned.rejected, decision.rejected);
    assert!(learned.order[0].why.ends_with("place 3 of the route"));
    let unclassed = relearn(&route, decision.clone(), None, good, &policy, Chance::NONE);
    assert_eq!(unclassed, decision);
}

/// Two candidates, the cheap one good enough or not: what is learned after so many tasks.
fn simulated(cheap_succeeds: f64, dear_succeeds: f64) -> f64 {
    let mut dice = Dice::new(7);
    let mut arms = [arm(0, 0, 900), arm(0, 0, 40)];
    let mut cheap_first = 0.0;
    for task in 0..4_000 {
        let chance = Chance {
            whether: dice.unit(),
            whom: dice.unit(),
        };
        let first = order(&arms, TaskClass::Standard, &Policy::default(), chance)[0].at;
        let succeeds = [dear_succeeds, cheap_succeeds][first];
        if dice.unit() < succeeds {
            arms[first].tally.succeeded += 1;
        } else {
            arms[first].tally.failed += 1;
        }
        if task >= 3_000 {
            cheap_first += f64::from(u8::from(first == 1));
        }
    }
    cheap_first / 1_000.0
}

#[test]
fn it_finds_the_cheap_one_where_that_does_and_leaves_it_where_it_does_not() {
    let share = simulated(0.94, 0.95);
    assert!(share > 0.85, "{share}");
    assert!(simulated(0.60, 0.95) < 0.1);
    assert!(simulated(0.95, 0.20) > 0.9);
}

proptest! {
    #[test]
    fn an_order_holds_everybody_once(
        seen in proptest::collection::vec((0..100_u64, 0..100_u64, proptest::option::of(0..1_000_i64)), 0..8),
        whether in 0.0..1.0_f64,
        whom in 0.0..1.0_f64,
    ) {
        let arms: Vec<Arm> = seen
            .iter()
            .map(|(succeeded, failed, cost)| Arm {
                tally: Tally { succeeded: *succeeded, failed: *failed },
                cost: cost.map(MicroDollars),
            })
            .collect();
        let chance = Chance { whether, whom };
        let choices = order(&arms, TaskClass::Complex, &Policy::default(), chance);
        let mut all = places(&choices);
        all.sort_unstable();
        prop_assert_eq!(all, (0..arms.len()).collect::<Vec<_>>());
        prop_assert!(choices.iter().all(|choice| !choice.why.is_empty()));
    }
}
