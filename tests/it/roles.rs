//! Which role each tool needs, found out by calling every tool of every server with every role over HTTP.
//!
//! The golden `roles.txt` says what is meant; a tool that is new, gone or open to others shows there.

use crate::access::{audit, token};
use crate::goldens::assert_fits;
use callboard_tests::Home;
use callboard_tests::http::{Exchange, Served};
use serde_json::{Value, json};

/// The weakest first.
const ROLES: [&str; 3] = ["viewer", "developer", "admin"];

/// A way to call a tool.
enum Door {
    Modern,
    Session(String),
    /// The older transport: its stream, and where messages go.
    Stream(Box<Exchange>, String),
}

impl Door {
    fn every(served: &Served, server: &str) -> [Door; 3] {
        let (stream, endpoint) = served.sse(server, "2024-11-05");
        let session = served.session(server, "2025-11-25");
        let stream = Door::Stream(Box::new(stream), endpoint);
        [Door::Modern, Door::Session(session), stream]
    }

    /// How the call of a tool is refused. Its arguments are none that any tool takes, so that nothing happens
    /// where the role suffices.
    fn refusal(&mut self, served: &Served, server: &str, tool: &str, id: u64) -> String {
        let call = json!({"name": tool, "arguments": {"no such argument": true}});
        let answer = match self {
            Door::Modern => served.modern(server, id, "tools/call", call).reply(),
            Door::Session(session) => served
                .in_session(server, session, id, "tools/call", &call)
                .reply(),
            Door::Stream(stream, endpoint) => {
                let call = callboard_tests::http::request(id, "tools/call", &call);
                served.tell(endpoint, &call);
                stream.answer().0
            }
        };
        assert_eq!(answer["result"]["isError"], true, "{tool}: {answer}");
        let text = answer["result"]["content"][0]["text"].as_str().unwrap();
        text.split(':').next().unwrap().to_owned()
    }
}

fn strings(list: &Value, name: &str) -> Vec<String> {
    let entries = list.as_array().unwrap_or_else(|| panic!("{list}")).iter();
    entries
        .map(|entry| if name.is_empty() { entry } else { &entry[name] })
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

/// Every tool of every server that is there, whatever they are.
fn tools(served: &Served) -> Vec<(String, String)> {
    let servers = strings(&served.get("/ready").json()["servers"], "");
    let of = |server: String| {
        let listed = served.modern(&server, 1, "tools/list", json!({})).reply();
        assert_eq!(listed["result"].get("nextCursor"), None, "{server}");
        let names = strings(&listed["result"]["tools"], "name");
        assert!(!names.is_empty(), "{server} has no tools");
        names.into_iter().map(move |tool| (server.clone(), tool))
    };
    servers.into_iter().flat_map(of).collect()
}

#[test]
fn every_tool_is_open_to_the_role_it_declares_and_to_none_below() {
    let home = Home::new();
    let mut served = Served::start(&home, "[access]\nrate = 0");
    let tools = tools(&served);
    let mut needed = vec![None; tools.len()];
    for (rank, role) in ROLES.into_iter().enumerate() {
        served.show(&token(&home, &[role, "--role", role]));
        let mut server = "";
        let mut doors = Vec::new();
        for (number, (of, tool)) in tools.iter().enumerate() {
            if of != server {
                doors = Door::every(&served, of).into();
                server = of;
            }
            let id = 10 + number as u64;
            let mut refusals = doors
                .iter_mut()
                .map(|door| door.refusal(&served, server, tool, id));
            let refusal = refusals.next().unwrap();
            assert!(refusals.all(|other| other == refusal), "{server} {tool}");
            match (refusal.as_str(), needed[number]) {
                ("forbidden", None) => {}
                ("forbidden", Some(least)) => {
                    panic!("{server} {tool} is open to {least} and not to {role}")
                }
                (_, None) => needed[number] = Some(role),
                (_, Some(_)) => {}
            }
            let last = rank + 1 == ROLES.len();
            assert!(
                !last || needed[number].is_some(),
                "{server} {tool}: nobody may"
            );
        }
    }
    let mut golden = String::new();
    for ((server, tool), role) in tools.iter().zip(&needed) {
        golden += &format!("{server} {tool} {}\n", role.unwrap());
    }
    assert_fits("roles.txt", &golden);
    served.terminate();
    assert_eq!(served.ended().0, 0);
    each_refusal_is_told(&home, &golden);
}

/// Refusals of one token and one tool are counted together within a minute; those of two tools never are.
fn each_refusal_is_told(home: &Home, golden: &str) {
    let rows = audit(home);
    let mut tried = 0;
    for line in golden.lines() {
        let [server, tool, least] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        for role in ROLES.into_iter().take_while(|role| *role != least) {
            let told = rows.iter().filter(|row| {
                row["verb"] == "refused"
                    && row["subject"] == "forbidden"
                    && row["name"] == role
                    && row["action"] == format!("{server}.{tool}")
            });
            let count = |row: &Value| row["detail"]["count"].as_i64().unwrap();
            assert_eq!(
                told.map(count).sum::<i64>(),
                3,
                "{role} {server} {tool}, through each door"
            );
            tried += 1;
        }
    }
    assert!(tried > 10, "{tried}");
}
