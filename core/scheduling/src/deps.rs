//! Dependencies: a graph without circles, and a counter on each task of what it still waits for.

use crate::add::BulkTask;
use crate::error::SchedulingError;
use crate::model::{Event, State, next};
use crate::query::{self, load};
use crate::rank::rank;
use crate::task::state_from;
use crate::trace;
use callboard_store::{Conn, params};
use std::collections::HashMap;

/// A task that another one needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) seq: i64,
    pub(crate) state: State,
}

/// Looks the named tasks up, each once.
pub(crate) fn resolve(c: &mut dyn Conn, ids: &[String]) -> Result<Vec<Need>, SchedulingError> {
    let mut needs: Vec<Need> = Vec::with_capacity(ids.len());
    for id in ids {
        let row = load(c, id)?;
        if !needs.iter().any(|need| need.seq == row.seq) {
            needs.push(Need {
                seq: row.seq,
                state: row.state,
            });
        }
    }
    Ok(needs)
}

pub(crate) fn link(c: &mut dyn Conn, id: &str, needs: &[Need]) -> Result<(), SchedulingError> {
    for need in needs {
        c.execute(
            "INSERT INTO task_deps (task, needs) SELECT seq, ?2 FROM tasks WHERE id = ?1",
            params![id, need.seq],
        )?;
    }
    Ok(())
}

/// Replaces what a task depends on.
///
/// # Errors
/// [`SchedulingError::Cycle`] names the circle; [`SchedulingError::Illegal`] when the task is running or
/// has ended.
pub fn task_depend(
    c: &mut dyn Conn,
    now: i64,
    id: &str,
    on: &[String],
) -> Result<(), SchedulingError> {
    let row = load(c, id)?;
    if !matches!(row.state, State::Waiting | State::Scheduled | State::Ready) {
        return Err(SchedulingError::Illegal {
            id: id.to_owned(),
            state: row.state,
            event: Event::Block,
        });
    }
    let needs = resolve(c, on)?;
    for need in &needs {
        refuse_circle(c, row.seq, need.seq)?;
    }
    c.execute("DELETE FROM task_deps WHERE task = ?1", params![row.seq])?;
    link(c, id, &needs)?;
    trace::written(c, now, "task_depend", id, &[])?;
    recount(c, now, row.seq)
}

/// Sets the counter from the graph and moves the task to the state that follows from it.
pub(crate) fn recount(c: &mut dyn Conn, now: i64, seq: i64) -> Result<(), SchedulingError> {
    let waiting = unfinished(c, seq)?;
    let Some((id, state, due_at, priority)) = c.query_one(
        "SELECT id, state, due_at, priority FROM tasks WHERE seq = ?1",
        params![seq],
        |row| {
            Ok((
                row.text(0)?,
                state_from(&row.text(1)?)?,
                row.opt_int(2)?,
                row.int(3)?,
            ))
        },
    )?
    else {
        return Ok(());
    };
    let later = due_at.is_some_and(|due| due > now);
    let event = match (state, waiting > 0) {
        (State::Ready | State::Scheduled, true) => Some(Event::Block),
        (State::Waiting, false) if later => Some(Event::Delay),
        (State::Waiting, false) => Some(Event::Unblock),
        _ => None,
    };
    let to = match event {
        Some(event) => next(state, event).ok_or_else(|| SchedulingError::Illegal {
            id: id.clone(),
            state,
            event,
        })?,
        None => state,
    };
    let ready_at = due_at.unwrap_or(now).max(now);
    if let Some(event) = event {
        c.execute(
            "UPDATE tasks SET waiting_on = ?2, state = ?3, ready_at = ?4, rank = ?5, updated_at = ?6 WHERE seq = ?1 AND state = ?7",
            params![seq, waiting, to.as_str(), ready_at, rank(ready_at, u8::try_from(priority).unwrap_or(0)), now, state.as_str()],
        )?;
        trace::moved(c, now, &id, event, state, to)?;
    } else {
        c.execute(
            "UPDATE tasks SET waiting_on = ?2 WHERE seq = ?1",
            params![seq, waiting],
        )?;
    }
    Ok(())
}

pub(crate) fn unfinished(c: &mut dyn Conn, seq: i64) -> Result<i64, SchedulingError> {
    Ok(c.query_one(
        "SELECT COUNT(*) FROM task_deps d JOIN tasks t ON t.seq = d.needs WHERE d.task = ?1 AND t.state <> 'done'",
        params![seq],
        |row| row.int(0),
    )?
    .unwrap_or(0))
}

/// A task has become done, or is to be done again: what depends on it and has not started follows.
pub(crate) fn follow_dependents(
    c: &mut dyn Conn,
    now: i64,
    seq: i64,
) -> Result<(), SchedulingError> {
    let dependents = dependents(c, seq)?;
    for dependent in dependents {
        recount(c, now, dependent)?;
    }
    Ok(())
}

fn dependents(c: &mut dyn Conn, seq: i64) -> Result<Vec<i64>, SchedulingError> {
    Ok(c.query(
        "SELECT task FROM task_deps WHERE needs = ?1",
        params![seq],
        |row| row.int(0),
    )?)
}

fn refuse_circle(c: &mut dyn Conn, task: i64, need: i64) -> Result<(), SchedulingError> {
    let closes = c.query_one(
        "WITH RECURSIVE reach(seq) AS (
             SELECT ?2 UNION SELECT d.needs FROM reach r JOIN task_deps d ON d.task = r.seq
         )
         SELECT 1 FROM reach WHERE seq = ?1",
        params![task, need],
        |row| row.int(0),
    )?;
    if closes.is_none() {
        return Ok(());
    }
    let mut path = vec![query::id_of(c, task)?];
    for seq in trail(c, need, task)? {
        path.push(query::id_of(c, seq)?);
    }
    Err(SchedulingError::Cycle { path })
}

/// The shortest way from `from` to `to` along dependencies, both included.
fn trail(c: &mut dyn Conn, from: i64, to: i64) -> Result<Vec<i64>, SchedulingError> {
    let mut came_from: HashMap<i64, i64> = HashMap::new();
    let mut frontier = std::collections::VecDeque::from([from]);
    while let Some(at) = frontier.pop_front() {
        if at == to {
            break;
        }
        for next in c.query(
            "SELECT needs FROM task_deps WHERE task = ?1",
            params![at],
            |row| row.int(0),
        )? {
            if next != from && !came_from.contains_key(&next) {
                came_from.insert(next, at);
                frontier.push_back(next);
            }
        }
    }
    let mut trail = vec![to];
    let mut at = to;
    while let Some(before) = came_from.get(&at) {
        trail.push(*before);
        at = *before;
    }
    trail.reverse();
    Ok(trail)
}

/// The order in which a bulk can be posted: what is needed first, first.
pub(crate) fn order(
    tasks: &[BulkTask],
    keys: &HashMap<&str, usize>,
) -> Result<Vec<usize>, SchedulingError> {
    let mut walk = Walk {
        tasks,
        keys,
        mark: vec![Mark::New; tasks.len()],
        order: Vec::new(),
        path: Vec::new(),
    };
    for index in 0..tasks.len() {
        walk.visit(index)?;
    }
    Ok(walk.order)
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    Open,
    Placed,
}

struct Walk<'a> {
    tasks: &'a [BulkTask],
    keys: &'a HashMap<&'a str, usize>,
    mark: Vec<Mark>,
    order: Vec<usize>,
    path: Vec<usize>,
}

impl Walk<'_> {
    // Depth is bounded by MAX_BULK, far below what a thread's stack holds.
    fn visit(&mut self, index: usize) -> Result<(), SchedulingError> {
        match self.mark[index] {
            Mark::Placed => return Ok(()),
            Mark::Open => return Err(self.circle(index)),
            Mark::New => self.mark[index] = Mark::Open,
        }
        self.path.push(index);
        for dependency in &self.tasks[index].task.depends_on {
            if let Some(other) = self.keys.get(dependency.as_str()) {
                self.visit(*other)?;
            }
        }
        self.path.pop();
        self.mark[index] = Mark::Placed;
        self.order.push(index);
        Ok(())
    }

    fn circle(&self, index: usize) -> SchedulingError {
        let start = self.path.iter().position(|at| *at == index).unwrap_or(0);
        let name = |at: usize| {
            self.tasks[at]
                .key
                .clone()
                .unwrap_or_else(|| format!("tasks[{at}]"))
        };
        let mut path: Vec<String> = self.path[start..].iter().map(|at| name(*at)).collect();
        path.push(name(index));
        SchedulingError::Cycle { path }
    }
}

/// The ids of a task's dependencies that are not done, with their titles and states; those that will not
/// become done by themselves come first.
///
/// # Errors
/// Only when the store fails.
pub fn task_waits_for(
    c: &mut dyn Conn,
    id: &str,
    limit: u32,
) -> Result<Vec<(String, String, State)>, SchedulingError> {
    Ok(c.query(
        "SELECT n.id, n.title, n.state FROM tasks t JOIN task_deps d ON d.task = t.seq JOIN tasks n ON n.seq = d.needs
         WHERE t.id = ?1 AND n.state <> 'done'
         ORDER BY CASE WHEN n.state IN ('dead', 'parked', 'cancelled') THEN 0 ELSE 1 END, n.seq LIMIT ?2",
        params![id, limit],
        |row| Ok((row.text(0)?, row.text(1)?, state_from(&row.text(2)?)?)),
    )?)
}

/// Ids of all dependencies of a task, and of the tasks that depend on it.
///
/// # Errors
/// Only when the store fails.
pub fn task_links(
    c: &mut dyn Conn,
    id: &str,
) -> Result<(Vec<String>, Vec<String>), SchedulingError> {
    let ids = |c: &mut dyn Conn, sql: &str| c.query(sql, params![id], |row| row.text(0));
    let needs = ids(
        c,
        "SELECT n.id FROM tasks t JOIN task_deps d ON d.task = t.seq JOIN tasks n ON n.seq = d.needs WHERE t.id = ?1 ORDER BY d.needs LIMIT 1000",
    )?;
    let needed_by = ids(
        c,
        "SELECT n.id FROM tasks t JOIN task_deps d ON d.needs = t.seq JOIN tasks n ON n.seq = d.task WHERE t.id = ?1 ORDER BY d.task LIMIT 1000",
    )?;
    Ok((needs, needed_by))
}
