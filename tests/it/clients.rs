//! Several clients, each with a server process of its own, on one board.

use callboard_tests::{Client, Home};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn clients(home: &Home, count: usize) -> Vec<Client> {
    (0..count)
        .map(|_| home.server("assigner").hello())
        .collect()
}

/// Runs `work` in each client at once.
fn together<T: Send>(
    clients: &mut [Client],
    work: impl Fn(usize, &mut Client) -> T + Sync,
) -> Vec<T> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = clients
            .iter_mut()
            .enumerate()
            .map(|(number, client)| scope.spawn(move || work(number, client)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

fn total(client: &mut Client) -> u64 {
    let list = client.must("task_list", &json!({"limit": 1}));
    let counts = list["counts"]
        .as_object()
        .unwrap_or_else(|| panic!("{list}"));
    counts.values().map(|count| count.as_u64().unwrap()).sum()
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_claimed_twice() {
    let home = Home::new();
    let mut clients = clients(&home, 4);
    let added = together(&mut clients, |number, client| {
        (0..250)
            .map(|n| {
                let task = client.must(
                    "task_add",
                    &json!({"title": format!("client {number} task {n}")}),
                );
                task["id"].as_str().unwrap().to_owned()
            })
            .collect::<Vec<String>>()
    });
    let ids: BTreeSet<String> = added.into_iter().flatten().collect();
    assert_eq!(ids.len(), 1_000);
    assert_eq!(total(&mut clients[0]), 1_000);

    let claimed = together(&mut clients, |number, client| {
        (0..125)
            .map(|_| client.must("task_claim", &json!({"worker": format!("w{number}")})))
            .map(|claim| {
                claim["task"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{claim}"))
                    .to_owned()
            })
            .collect::<Vec<String>>()
    });
    let all: Vec<String> = claimed.into_iter().flatten().collect();
    let distinct: BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (500, 500));
    assert!(distinct.into_iter().all(|id| ids.contains(id)));
}

#[test]
fn a_finish_with_a_stale_fence_is_refused() {
    let home = Home::new();
    let mut clients = clients(&home, 2);
    let [first, second] = clients.as_mut_slice() else {
        unreachable!()
    };
    first.must("task_add", &json!({"title": "only one"}));
    let claim = first.must("task_claim", &json!({"worker": "first"}));
    let (task, fence) = (claim["task"].clone(), claim["fence"].clone());
    first.must("task_release", &json!({"task": task, "fence": fence}));
    let newer = second.must("task_claim", &json!({"worker": "second"}));
    assert!(newer["fence"].as_i64() > fence.as_i64(), "{newer}");

    let late = first.call(
        "task_finish",
        &json!({"task": task, "fence": fence, "result": {"by": "first"}}),
    );
    assert!(
        late.is_error && late.text.contains("no longer valid"),
        "{late:?}"
    );
    second.must(
        "task_finish",
        &json!({"task": task, "fence": newer["fence"], "result": {"by": "second"}}),
    );
    let got = first.must("task_get", &json!({"id": task}));
    assert_eq!(find(&got, "by"), Some(&json!("second")), "{got}");
}

/// The first value of this key at any depth.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map
            .get(key)
            .or_else(|| map.values().find_map(|inner| find(inner, key))),
        Value::Array(list) => list.iter().find_map(|inner| find(inner, key)),
        _ => None,
    }
}
