//! Whatever happens in whatever order: nothing is granted beyond a limit, and the counters are the sums of the
//! rows.

use crate::fixture::{Board, DAY, MINUTE, NOW, ask, board, limit, subject, used};
use callboard_limits::{CallState, LimitError, Owner, Resource, Scope, Span, call_get, expire};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Step {
    Reserve {
        call: u8,
        task: u8,
        owner: u8,
        cost: i64,
        input: u64,
        lasts: i64,
    },
    /// Uses so many hundredths of what was held.
    Settle {
        call: u8,
        percent: i64,
    },
    SettleUnknown {
        call: u8,
    },
    Release {
        call: u8,
    },
    OwnerDies {
        owner: u8,
    },
    Wait {
        ms: i64,
    },
    Limit {
        which: u8,
        amount: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let call = 0_u8..12;
    prop_oneof![
        6 => (call.clone(), 0_u8..3, 0_u8..3, 0_i64..40, 0_u64..60, 1_i64..2 * MINUTE)
            .prop_map(|(call, task, owner, cost, input, lasts)| Step::Reserve { call, task, owner, cost, input, lasts }),
        4 => (call.clone(), 0_i64..=100).prop_map(|(call, percent)| Step::Settle { call, percent }),
        1 => call.clone().prop_map(|call| Step::SettleUnknown { call }),
        2 => call.prop_map(|call| Step::Release { call }),
        1 => (0_u8..3).prop_map(|owner| Step::OwnerDies { owner }),
        2 => prop_oneof![1_i64..MINUTE, Just(DAY)].prop_map(|ms| Step::Wait { ms }),
        1 => (0_u8..5, 0_i64..200).prop_map(|(which, amount)| Step::Limit { which, amount }),
    ]
}

fn owner(n: u8) -> Owner {
    Owner {
        pid: u32::from(n),
        start: 9,
    }
}

/// What the model knows of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Known {
    state: CallState,
    cost: i64,
    owner: u8,
    until: i64,
}

struct World {
    board: Board,
    now: i64,
    calls: BTreeMap<String, Known>,
}

impl World {
    fn set_limit(&self, which: u8, amount: i64) {
        let limit = match which {
            0 => limit(Scope::All, "", Resource::Money, Span::Day, amount),
            1 => limit(Scope::Task, "*", Resource::Money, Span::Ever, amount),
            2 => limit(
                Scope::Provider,
                "groq",
                Resource::Requests,
                Span::Minute,
                amount / 10,
            ),
            3 => limit(
                Scope::Model,
                "groq/m",
                Resource::Input,
                Span::Minute,
                amount,
            ),
            _ => limit(Scope::All, "", Resource::Concurrent, Span::Now, amount / 20),
        };
        self.board.set(&limit);
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let id = |call: u8| format!("c_{call}");
        match *step {
            Step::Wait { ms } => self.now += ms,
            Step::Limit { which, amount } => self.set_limit(which, amount),
            Step::Reserve {
                call,
                task,
                owner: of,
                cost,
                input,
                lasts,
            } => {
                let mut ask = ask(&id(call), cost);
                ask.subject = subject("groq", &format!("t{task}"));
                (ask.owner, ask.until, ask.estimate.input) = (owner(of), self.now + lasts, input);
                self.reserve(ask, of)?;
            }
            Step::Settle { call, percent } => {
                let known = self
                    .calls
                    .get_mut(&id(call))
                    .filter(|known| known.state != CallState::Settled);
                let held = known.as_ref().map_or(0, |known| known.cost);
                self.settle(&id(call), Some(held * percent / 100))?;
            }
            Step::SettleUnknown { call } => self.settle(&id(call), None)?,
            Step::Release { call } => {
                let known = self
                    .calls
                    .get_mut(&id(call))
                    .filter(|known| known.state == CallState::Held);
                prop_assert_eq!(self.board.release(self.now, &id(call)), known.is_some());
                if let Some(known) = known {
                    known.state = CallState::Released;
                }
            }
            Step::OwnerDies { owner: dead } => {
                let now = self.now;
                let mut lost = self
                    .board
                    .write(move |c| expire(c, now, &|of| of == owner(dead)))
                    .unwrap();
                let mut expected: Vec<String> = Vec::new();
                for (id, known) in &mut self.calls {
                    if known.state == CallState::Held && (known.owner == dead || known.until < now)
                    {
                        known.state = CallState::Expired;
                        expected.push(id.clone());
                    }
                }
                lost.sort();
                prop_assert_eq!(lost, expected);
            }
        }
        Ok(())
    }

    fn reserve(&mut self, ask: callboard_limits::Ask, of: u8) -> Result<(), TestCaseError> {
        let before = self.board.standing(self.now);
        match self.board.reserve(self.now, &ask) {
            Ok(_) => {
                prop_assert!(!self.calls.contains_key(&ask.call));
                for known in self.calls.values_mut() {
                    if known.state == CallState::Held && known.until < self.now {
                        known.state = CallState::Expired;
                    }
                }
                let cost = ask.estimate.cost.unwrap().0;
                self.calls.insert(
                    ask.call,
                    Known {
                        state: CallState::Held,
                        cost,
                        owner: of,
                        until: ask.until,
                    },
                );
                for standing in self.board.standing(self.now) {
                    // A limit that was lowered below what is gone lets nothing more through.
                    let same = before
                        .iter()
                        .find(|was| (&was.limit, &was.name) == (&standing.limit, &standing.name));
                    let grew =
                        same.is_none_or(|was| was.held + was.used < standing.held + standing.used);
                    prop_assert!(!grew || standing.left() >= 0, "{:?}", standing);
                }
            }
            Err(LimitError::Twice { .. }) => prop_assert!(self.calls.contains_key(&ask.call)),
            Err(LimitError::Denied(denied)) => {
                prop_assert!(denied.wanted > denied.left, "{:?}", denied);
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
        Ok(())
    }

    fn settle(&mut self, id: &str, cost: Option<i64>) -> Result<(), TestCaseError> {
        let Some(known) = self.calls.get_mut(id) else {
            return Ok(());
        };
        let first = self.board.settle(self.now, id, &used(3, 3, cost));
        prop_assert_eq!(first, known.state != CallState::Settled);
        known.state = CallState::Settled;
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for (id, known) in &self.calls {
            let call = self.board.store.read_now(|c| call_get(c, id)).unwrap();
            prop_assert_eq!(call.state, known.state, "{}", id);
        }
        prop_assert_eq!(self.board.number(COUNTERS_OFF), 0);
        Ok(())
    }
}

/// Counters that are not what the rows of their window add up to.
const COUNTERS_OFF: &str = "
SELECT count(*) FROM limit_counters k WHERE (k.held, k.used, k.unpriced) <> (
  SELECT COALESCE(sum(CASE WHEN r.state <> 'held' THEN 0
             WHEN k.resource IN ('requests', 'concurrent') THEN 1
             WHEN k.resource = 'input' THEN r.held_input
             WHEN k.resource = 'output' THEN r.held_output
             ELSE COALESCE(r.held_money, 0) END), 0),
         COALESCE(sum(CASE WHEN k.resource = 'requests' THEN r.state IN ('settled', 'expired')
             WHEN r.state <> 'settled' OR k.resource = 'concurrent' THEN 0
             WHEN k.resource = 'input' THEN r.input
             WHEN k.resource = 'output' THEN r.output
             ELSE COALESCE(r.money, 0) END), 0),
         COALESCE(sum(k.resource = 'money' AND r.state = 'settled' AND r.money IS NULL), 0)
  FROM reservations r
  WHERE r.reserved_at >= k.starts_at AND r.reserved_at < k.ends_at
    AND CASE k.scope WHEN 'all' THEN 1 WHEN 'task' THEN r.task = k.name
        WHEN 'provider' THEN r.provider = k.name ELSE r.provider || '/' || r.model = k.name END)";

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn nothing_is_granted_beyond_a_limit_and_nothing_is_lost(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World { board: board(), now: NOW, calls: BTreeMap::new() };
        for which in 0..5 {
            world.set_limit(which, 120);
        }
        for step in &steps {
            world.take(step)?;
            world.check()?;
        }
    }
}
