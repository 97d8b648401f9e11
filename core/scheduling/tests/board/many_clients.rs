//! Several clients on one board: nothing lost, nothing given out twice.

use crate::fixture::{START, open};
use callboard_scheduling::{
    self as scheduling, Claim, NewTask, SchedulingError, State, board_counts,
};
use callboard_store::{Ids, Store};
use std::collections::HashSet;
use std::thread;

/// Runs `client` on four threads, each with a store handle of its own, as four processes would.
fn four<T: Send + 'static>(
    client: impl Fn(usize, Store) -> T + Clone + Send + 'static,
) -> (tempfile::TempDir, Vec<T>) {
    let dir = tempfile::tempdir().unwrap();
    let answers = four_in(dir.path(), client);
    (dir, answers)
}

fn four_in<T: Send + 'static>(
    dir: &std::path::Path,
    client: impl Fn(usize, Store) -> T + Clone + Send + 'static,
) -> Vec<T> {
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let (dir, client) = (dir.to_owned(), client.clone());
            thread::spawn(move || client(n, open(&dir)))
        })
        .collect();
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect()
}

fn add(store: &Store, ids: &Ids, new: NewTask) -> String {
    let id = ids.next("t_", START);
    store
        .write_blocking(move |c| scheduling::task_add(c, START, &id, &new))
        .unwrap()
        .0
        .id
}

#[test]
fn four_clients_that_add_250_each_give_1000() {
    let (dir, ids) = four(|n, store| {
        let ids = Ids::system();
        (0..250)
            .map(|k| add(&store, &ids, NewTask::titled(format!("{n}.{k}"))))
            .collect::<Vec<_>>()
    });
    let told: HashSet<String> = ids.into_iter().flatten().collect();
    assert_eq!(told.len(), 1_000);
    let store = open(dir.path());
    let counts = store.read_now(|c| board_counts(c)).unwrap();
    assert_eq!(counts.len(), 1);
    assert_eq!((counts[0].state, counts[0].tasks), (State::Ready, 1_000));
    for id in told {
        store.read_now(|c| scheduling::task_get(c, &id)).unwrap();
    }
}

#[test]
fn five_hundred_tasks_are_claimed_once_each() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let ids = Ids::system();
    let posted: HashSet<String> = (0..500)
        .map(|n| add(&store, &ids, NewTask::titled(format!("{n}"))))
        .collect();
    let claims = four_in(dir.path(), |n, store| {
        let ids = Ids::system();
        let mut mine = Vec::new();
        loop {
            let attempt = ids.next("a_", START);
            let claim = Claim::by(format!("worker {n}"));
            let task = store
                .write_blocking(move |c| scheduling::task_claim(c, START, &attempt, &claim))
                .unwrap();
            match task {
                Some(task) => mine.push((task.id, task.fence)),
                None => return mine,
            }
        }
    });
    let claims: Vec<(String, i64)> = claims.into_iter().flatten().collect();
    assert_eq!(claims.len(), 500);
    assert!(claims.iter().all(|(_, fence)| *fence == 1));
    let distinct: HashSet<String> = claims.into_iter().map(|(id, _)| id).collect();
    assert_eq!(distinct, posted);
}

#[test]
fn one_key_posted_by_four_clients_is_one_task() {
    let (_dir, ids) = four(|_, store| {
        let new = NewTask {
            dedup_key: Some("the item".to_owned()),
            ..NewTask::titled("the item")
        };
        add(&store, &Ids::system(), new)
    });
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 1);
}

#[test]
fn of_four_that_finish_with_one_lease_one_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    add(&store, &Ids::system(), NewTask::titled("once"));
    let task = store
        .write_blocking(|c| scheduling::task_claim(c, START, "a_1", &Claim::by("w")))
        .unwrap()
        .unwrap();
    let lease = crate::fixture::lease_of(&task);
    let answers = four_in(dir.path(), move |n, store| {
        let lease = lease.clone();
        store.write_blocking(move |c| {
            scheduling::task_finish(c, START, &lease, &serde_json::json!({ "by": n }))
        })
    });
    let refused = answers
        .iter()
        .filter(|answer| matches!(answer, Err(SchedulingError::Stale { .. })))
        .count();
    assert_eq!(refused, 3);
    let winner = answers.into_iter().find_map(Result::ok).unwrap();
    let kept = store
        .read_now(|c| scheduling::task_get(c, &task.id))
        .unwrap();
    assert_eq!(
        kept.result, winner.result,
        "a late finish overwrites nothing"
    );
}

#[test]
fn crossing_dependencies_posted_at_once_make_no_circle() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let ids = Ids::system();
    let tasks: Vec<String> = (0..4)
        .map(|n| add(&store, &ids, NewTask::titled(format!("{n}"))))
        .collect();
    let all = tasks.clone();
    let answers = four_in(dir.path(), move |n, store| {
        let (mine, next) = (all[n].clone(), all[(n + 1) % 4].clone());
        store.write_blocking(move |c| {
            scheduling::task_depend(c, START, &mine, std::slice::from_ref(&next))
        })
    });
    let circles = answers
        .iter()
        .filter(|answer| matches!(answer, Err(SchedulingError::Cycle { path }) if path.len() == 5))
        .count();
    assert_eq!(circles, 1, "exactly the one that would have closed it");
}
