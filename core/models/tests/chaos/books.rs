//! What the board and the log say, looked at from outside.

use crate::place::{AT_ONCE, BETAS, EACH, GAMMAS, MODELS, TASKS};
use callboard_limits::{Breaker, LimitError, Target, breaker_get, standings};
use callboard_models::Models;
use callboard_store::{Clock as _, Store, StoreError, SystemClock, params};
use callboard_tests::upstream::Upstream;
use std::collections::BTreeMap;
use std::fmt;

/// One row of a call: its cost, and how it ended.
type Rows = BTreeMap<String, (Option<i64>, String)>;

pub struct Books {
    models: Models,
}

impl Books {
    pub fn new(models: Models) -> Books {
        Books { models }
    }

    pub fn store(&self) -> &Store {
        self.models.store()
    }

    fn number(&self, sql: &str) -> i64 {
        let found: Result<Option<i64>, StoreError> = self
            .store()
            .read_now(|c| c.query_one(sql, params![], |row| row.int(0)));
        found.unwrap().unwrap_or(0)
    }

    pub fn held(&self) -> i64 {
        self.number("SELECT count(*) FROM reservations WHERE state = 'held'")
    }

    pub fn unlogged(&self) -> i64 {
        self.number("SELECT count(*) FROM reservations WHERE state <> 'held' AND logged = 0")
    }

    /// What a provider's calls cost and hold, added up from their rows.
    pub fn money(&self, provider: &str) -> i64 {
        self.number(&format!(
            "SELECT COALESCE(sum(CASE state WHEN 'held' THEN held_money WHEN 'settled' THEN money ELSE 0 END), 0)
             FROM reservations WHERE provider = '{provider}'"
        ))
    }

    pub fn breaker(&self, provider: &str, model: &str) -> Option<Breaker> {
        let target = Target {
            provider: provider.to_owned(),
            model: model.to_owned(),
            account: String::new(),
        };
        let now = SystemClock.now_ms();
        let found: Result<_, LimitError> = self.store().read_now(|c| breaker_get(c, now, &target));
        found.unwrap()
    }

    /// At this moment no limit is exceeded: by the counters that decide, by the rows, and by what the provider counted.
    pub fn assert_within_limits(&self, upstream: &Upstream) {
        // Counted before the rows are read: who was served had a row before.
        let served = MODELS.map(|(model, _)| upstream.wanted(model).served);
        let now = SystemClock.now_ms();
        let all: Result<_, LimitError> = self.store().read_now(|c| standings(c, now));
        for standing in all.unwrap() {
            let gone = standing.used + standing.held;
            assert!(gone <= standing.limit.amount, "{standing:?}");
        }
        assert!(self.held() <= AT_ONCE);
        assert!(self.money(GAMMAS.0) <= GAMMAS.1);
        let dearest = self.number(
            "SELECT COALESCE(max(cost), 0) FROM (SELECT sum(CASE state WHEN 'held' THEN held_money WHEN 'settled' THEN money ELSE 0 END) AS cost
             FROM reservations WHERE task IS NOT NULL GROUP BY task)",
        );
        assert!(dearest <= TASKS, "a task cost {dearest}");
        let busiest = self.number(
            "SELECT COALESCE(max(calls), 0) FROM (SELECT count(*) AS calls FROM reservations
             WHERE provider = 'beta' AND state <> 'released' GROUP BY reserved_at / 60000)",
        );
        assert!(busiest <= BETAS, "{busiest} calls of beta in a minute");
        for ((_, provider), served) in MODELS.iter().zip(served) {
            let rows = self.number(&format!(
                "SELECT count(*) FROM reservations WHERE provider = '{provider}' AND state <> 'released'"
            ));
            assert!(
                served <= usize::try_from(rows).unwrap(),
                "{provider} served {served}, and there are {rows} rows"
            );
        }
    }

    /// What the provider counted is in the books: each answer that came is an answer that it gave, and one that it gave
    /// and that did not come belongs to a call whose process died or that was given up.
    pub fn assert_served(&self, upstream: &Upstream) {
        for (model, provider) in MODELS {
            let served = i64::try_from(upstream.wanted(model).served).unwrap();
            let of =
                format!("FROM reservations WHERE provider = '{provider}' AND state <> 'released'");
            let came = self.number(&format!(
                "SELECT count(*) {of} AND json_extract(detail, '$.end.outcome') = 'ok'"
            ));
            let lost = self.number(&format!(
                "SELECT count(*) {of} AND (state = 'expired' OR json_extract(detail, '$.end.outcome') <> 'ok')"
            ));
            assert!(
                came <= served && served <= came + lost,
                "{provider} served {served}; {came} came, {lost} did not"
            );
            let dear = self.number(&format!(
                "SELECT count(*) {of} AND json_extract(detail, '$.end.outcome') = 'ok' AND money <> {EACH}"
            ));
            assert_eq!(dear, 0, "answers of {provider} that cost something else");
        }
        // What did not come is paid as far as it was seen: what the provider gave beyond that is all that may be missing.
        let gamma = i64::try_from(upstream.wanted("three").served).unwrap();
        let unseen = self.number(&format!(
            "SELECT COALESCE(sum(max(0, {EACH} - COALESCE(money, 0))), 0) FROM reservations WHERE provider = 'gamma'
             AND state <> 'released' AND (state = 'expired' OR json_extract(detail, '$.end.outcome') <> 'ok')"
        ));
        assert!(
            gamma * EACH - unseen <= GAMMAS.1,
            "{gamma} served, {unseen} of that unseen"
        );
    }

    /// Every call of the board has its one row in the log, and nothing else does but calls that nobody might answer: those
    /// reserve nothing, and their rows are of no provider. Answers the rows.
    pub async fn assert_copied(&self) -> Rows {
        let board: Result<Rows, StoreError> = self.store().read_now(|c| {
            let rows = c.query(
                "SELECT id, money, state FROM reservations",
                params![],
                |row| Ok((row.text(0)?, (row.opt_int(1)?, row.text(2)?))),
            )?;
            let count = rows.len();
            let rows: Rows = rows.into_iter().collect();
            assert_eq!(rows.len(), count, "an id twice");
            Ok(rows)
        });
        let board = board.unwrap();
        let log = self.models.log();
        let (count, rows) = log
            .query(|c| {
                let rows = c.query(
                    "SELECT id, cost, outcome FROM llm_call WHERE provider <> 'none'",
                    params![],
                    |row| Ok((row.text(0)?, (row.opt_int(1)?, row.text(2)?))),
                )?;
                Ok((rows.len(), rows.into_iter().collect::<Rows>()))
            })
            .await
            .unwrap();
        assert_eq!(rows.len(), count, "an id twice");
        assert_eq!(
            rows.keys().collect::<Vec<_>>(),
            board.keys().collect::<Vec<_>>()
        );
        for (id, (money, state)) in &board {
            let (cost, outcome) = &rows[id];
            match state.as_str() {
                "settled" => assert_eq!(cost, money, "{id}"),
                "expired" => assert_eq!(outcome, "lost", "{id}"),
                "released" => {}
                other => panic!("{id} is {other}"),
            }
        }
        rows
    }

    pub fn forget_that_it_was_copied(&self) {
        let forgotten: Result<usize, StoreError> = self
            .store()
            .write_blocking(|c| c.execute("UPDATE reservations SET logged = 0", params![]));
        assert!(forgotten.unwrap() > 0);
    }
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all =
            "SELECT state || coalesce(' ' || json_extract(detail, '$.end.outcome'), ''), count(*)
             FROM reservations GROUP BY 1 ORDER BY 1";
        let states: Result<Vec<String>, StoreError> = self.store().read_now(|c| {
            c.query(all, params![], |row| {
                Ok(format!("{} {}", row.int(1)?, row.text(0)?))
            })
        });
        write!(
            f,
            "{}; gamma cost {}",
            states.unwrap().join(", "),
            self.money(GAMMAS.0)
        )
    }
}
