//! Loops and steps at once.

use super::actor::{Actor, Miss};
use super::verbs::given;
use crate::format::{At, Step, turns};
use crate::judge::Evidence;
use crate::read::verb;
use crate::report::Failure;
use crate::values::Wrong;
use futures_util::future::{join_all, try_join_all};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many clients there may be at once: each may be a process.
const CLIENTS: u64 = 1_000;

impl Actor {
    pub(super) async fn block(&mut self, step: &Step) -> Result<Evidence, Miss> {
        match verb(step) {
            "repeat" => {
                let times = self.scope.amount(given(&step.repeat)?)?;
                turns(times)?;
                self.each(step, (0..times).map(Value::from)).await
            }
            "for_each" => {
                let value = self.scope.value(given(&step.for_each)?)?;
                let Value::Array(list) = value else {
                    return Err(Miss::Wrong(format!(
                        "`for_each` needs a list; this is {}",
                        crate::values::brief(&value)
                    )));
                };
                self.each(step, list.into_iter()).await
            }
            "parallel" => self.parallel(step).await,
            _ => self.branches(step).await,
        }
    }

    async fn each(
        &mut self,
        step: &Step,
        values: impl Iterator<Item = Value>,
    ) -> Result<Evidence, Miss> {
        let name = step.r#as.as_deref().unwrap_or("n");
        let steps = given(&step.steps)?;
        let mut times = 0;
        for value in values {
            times += 1;
            self.within
                .push(format!("{name} = {}", crate::values::brief(&value)));
            self.scope.vars.insert(name.to_owned(), value);
            self.steps(steps).await.map_err(Miss::Inner)?;
            self.within.pop();
        }
        Ok(Evidence::of(Value::from(times)))
    }

    async fn parallel(&mut self, step: &Step) -> Result<Evidence, Miss> {
        let clients = self.scope.amount(given(&step.parallel)?)?;
        if clients > CLIENTS {
            return Err(Miss::Wrong(format!(
                "{clients} clients at once are too many; {CLIENTS} are allowed"
            )));
        }
        let own: BTreeSet<String> = match &step.of {
            Some(of) => of.0.iter().cloned().collect(),
            None => self.server(step).into_iter().collect(),
        };
        let name = step.r#as.as_deref().unwrap_or("n");
        let mut actors = Vec::new();
        for number in 0..clients {
            let stage = Arc::new(self.stage.client(number, own.clone()));
            let mut actor = self.beside(stage, &format!("client {number}"));
            actor
                .scope
                .vars
                .insert(name.to_owned(), Value::from(number));
            actors.push(actor);
        }
        let steps = given(&step.steps)?;
        let done = try_join_all(actors.iter_mut().map(|actor| actor.steps(steps))).await;
        let stages = actors.iter().map(|actor| Arc::clone(&actor.stage));
        let ended = join_all(stages.map(|stage| async move { stage.end().await })).await;
        done.map_err(Miss::Inner)?;
        if let Some(wrong) = ended.into_iter().flatten().next() {
            return Err(Miss::Wrong(wrong));
        }
        Ok(self.collect(step, &actors)?)
    }

    async fn branches(&mut self, step: &Step) -> Result<Evidence, Miss> {
        let lists: &Vec<Vec<At<Step>>> = given(&step.branches)?;
        let mut actors: Vec<Actor> = (0..lists.len())
            .map(|number| self.beside(Arc::clone(&self.stage), &format!("branch {number}")))
            .collect();
        let running = actors
            .iter_mut()
            .zip(lists)
            .map(|(actor, steps)| actor.steps(steps));
        let done: Result<Vec<()>, Box<Failure>> = try_join_all(running).await;
        done.map_err(Miss::Inner)?;
        let before = self.scope.vars.clone();
        for actor in &actors {
            for (name, value) in &actor.scope.vars {
                if before.get(name) != Some(value) {
                    self.scope.vars.insert(name.clone(), value.clone());
                }
            }
            self.behind.extend(actor.behind.clone());
        }
        Ok(self.collect(step, &actors)?)
    }

    /// Keeps the named variables of all actors as lists.
    fn collect(&mut self, step: &Step, actors: &[Actor]) -> Result<Evidence, Wrong> {
        let mut collected = Map::new();
        for name in step.collect.iter().flat_map(|names| &names.0) {
            let values: Vec<Value> = actors
                .iter()
                .filter_map(|actor| actor.scope.vars.get(name).cloned())
                .collect();
            if values.is_empty() {
                return Err(format!(
                    "nobody captured {name:?}, so it can't be collected"
                ));
            }
            collected.insert(name.clone(), Value::Array(values));
        }
        self.scope.vars.extend(collected.clone());
        Ok(Evidence::of(Value::Object(collected)))
    }
}
