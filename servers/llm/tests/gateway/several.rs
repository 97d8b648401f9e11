//! Routes whose candidates speak several protocols: what passes, what is translated, and what the rows say.

use crate::rig::Rig;
use crate::rig::ask::{PATHS, question, said};
use callboard_routing::engine::Target;
use serde_json::{Value, json};

/// A rig with a route of this name over these models, each asked once.
fn routed(name: &str, candidates: &[(&str, &str)]) -> Rig {
    Rig::with(|_, settings| {
        settings.patience.retries = 0;
        let mut route = settings.routes["anthropic"].clone();
        route.candidates = candidates
            .iter()
            .map(|(provider, model)| Target::new(*provider, *model))
            .collect();
        settings.routes.insert(name.to_owned(), route);
    })
}

#[test]
fn a_route_of_several_protocols_passes_where_it_can_and_goes_on_elsewhere() {
    let rig = Rig::with(|_, settings| {
        settings.patience.retries = 0;
        let mut route = settings.routes["anthropic"].clone();
        route.candidates = vec![Target::new("anthropic", "ok"), Target::new("openai", "ok")];
        settings.routes.insert("mixed".to_owned(), route.clone());
        route.candidates[0] = Target::new("anthropic", "500");
        settings.routes.insert("broken".to_owned(), route);
    });
    let mut body = question(PATHS[0], "mixed", false);
    body["messages"][0]["content"] =
        json!([{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]);
    assert_eq!(rig.post(PATHS[0], &body).status, 200);
    let asked = rig.scripted.asked();
    assert!(
        asked[0].body.to_string().contains("cache_control"),
        "passed"
    );
    body["model"] = json!("broken");
    for stream in [false, true] {
        body["stream"] = json!(stream);
        let mut answer = rig.post(PATHS[0], &body);
        let said = said(&mut answer, stream);
        assert!(said.contains("Hello"), "{said}");
    }
    let asked = rig.scripted.asked();
    let wires: Vec<bool> = asked
        .iter()
        .map(|asked| asked.path.ends_with("/v1/messages"))
        .collect();
    assert_eq!(wires, [true, true, false, true, false]);
}

#[test]
fn a_call_that_goes_on_to_another_protocol_is_one_call_in_its_rows() {
    for stream in [false, true] {
        let rig = routed("flap", &[("openai", "500"), ("anthropic", "ok")]);
        let mut answer = rig.post(PATHS[1], &question(PATHS[1], "flap", stream));
        let said = said(&mut answer, stream);
        assert_eq!(answer.status, 200, "{said}");
        assert!(said.contains("Hello"), "{said}");
        let rows = rig.rows(2);
        let routes: Vec<_> = rows.iter().map(|row| row.route.as_deref()).collect();
        assert_eq!(routes, [Some("flap"), Some("flap")]);
        let hops: Vec<_> = rows.iter().map(|row| (row.hop, row.attempt)).collect();
        assert_eq!(hops, [(0, 1), (1, 1)]);
        let decision = |at: usize| -> Value {
            serde_json::from_str(rows[at].decision.as_deref().unwrap()).unwrap()
        };
        let order = decision(0)["order"].to_string();
        assert!(
            order.contains("openai/500") && order.contains("anthropic/ok"),
            "{order}"
        );
        assert_eq!(decision(1)["after"], rows[0].id);
        assert_eq!(decision(1)["failed"], "server");
    }
}

#[test]
fn a_parameter_that_the_first_has_not_goes_to_who_has_it() {
    let rig = routed("mix", &[("anthropic", "ok"), ("openai", "ok")]);
    for stream in [false, true] {
        let mut body = question(PATHS[1], "mix", stream);
        body["seed"] = json!(1);
        let mut answer = rig.post(PATHS[1], &body);
        let said = said(&mut answer, stream);
        assert_eq!(answer.status, 200, "{said}");
    }
    let asked = rig.scripted.asked();
    assert_eq!(asked.len(), 2);
    assert!(
        asked.iter().all(|asked| asked.body["seed"] == 1),
        "{asked:?}"
    );
    let rows = rig.rows(2);
    for row in &rows {
        assert_eq!((row.provider.as_str(), row.hop), ("openai", 0));
        let decision = row.decision.as_deref().unwrap();
        assert!(decision.contains("has no seed"), "{decision}");
    }
    // Where there is nobody else, it is told by its name.
    let mut body = question(PATHS[1], "anthropic", false);
    body["seed"] = json!(1);
    let mut refused = rig.post(PATHS[1], &body);
    let said = refused.json().to_string();
    assert_eq!(refused.status, 400, "{said}");
    assert!(said.contains("anthropic/ok has no seed"), "{said}");
}
