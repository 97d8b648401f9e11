//! Answers of models that are too long for one call, and what of the models is read rather than called.

use callboard_tests::gatewayed::configure;
use callboard_tests::upstream::Upstream;
use callboard_tests::{Client, Home};
use serde_json::{Value, json};

const LONG: &str = "x--words-12000";

fn models() -> (Home, Upstream) {
    let (home, upstream) = (Home::new(), Upstream::start());
    let base = upstream.base("openai");
    let more = "[llm]\nretries = 0\n[routes.usual]\ncandidates = [\"openai/gpt-4o-mini\"]\n[budgets.daily]\nday = \"2.00\"\n";
    configure(&home, &[("openai", "openai", &base)], more);
    (home, upstream)
}

/// What the model says, in whole.
fn whole() -> String {
    let words: String = (1..=12_000).map(|word| format!(" ä{word}")).collect();
    format!("Hello from {LONG}{words}")
}

/// The rest of an answer by its call, from there to its end.
fn rest(client: &mut Client, call: &Value, from: &Value) -> (String, usize) {
    let (mut from, mut text, mut pieces) = (from.clone(), String::new(), 0);
    while !from.is_null() {
        let piece = client.must("answer_rest", &json!({"call": call, "from": from}));
        text.push_str(piece["text"].as_str().unwrap());
        pieces += 1;
        from = piece["from"].clone();
    }
    (text, pieces)
}

fn read(client: &mut Client, uri: &str) -> Value {
    let answer = client.request("resources/read", &json!({"uri": uri}));
    assert!(answer.get("error").is_none(), "{uri}: {answer}");
    answer["result"]["contents"][0].clone()
}

#[test]
fn a_long_answer_is_read_on_to_its_last_word() {
    let (home, upstream) = models();
    let mut client = home.server("llm").hello();
    let question = json!({"prompt": "Say all of it", "model": format!("openai/{LONG}")});
    let answer = client.call("complete", &question);
    let (call, from) = (&answer.value["call"], &answer.value["from"]);
    let begin = answer.value["text"].as_str().unwrap();
    let hint = format!(
        "answer_rest with call {} and from {from}",
        call.as_str().unwrap()
    );
    assert!(answer.text.contains(&hint), "{}", answer.text);
    let (more, pieces) = rest(&mut client, call, from);
    assert!(pieces > 2, "{pieces}");
    assert_eq!(format!("{begin}{more}"), whole());
    // From its beginning, where no place is named; and nothing is behind its end.
    let again = client.must("answer_rest", &json!({"call": call}));
    assert_eq!(again["text"], begin);
    let behind = client.must("answer_rest", &json!({"call": call, "from": 4_000_000}));
    assert_eq!(behind, json!({"text": ""}));
    // The same as a resource.
    let (mut uri, mut text, mut pages) = (
        format!("llm://answer/{}", call.as_str().unwrap()),
        String::new(),
        0,
    );
    loop {
        let page = read(&mut client, &uri);
        let said = page["text"].as_str().unwrap();
        pages += 1;
        let Some(next) = page["_meta"]["callboard/next"].as_str() else {
            text.push_str(said);
            break;
        };
        let continues = format!("\n[continues: {next}]\n");
        text.push_str(said.strip_suffix(&continues).unwrap());
        uri = next.to_owned();
    }
    assert_eq!((text, pages), (whole(), 2));
    assert_eq!(upstream.wanted(LONG).asked, 1, "reading on asks nobody");
}

#[test]
fn each_long_side_of_a_comparison_is_read_on() {
    let (home, _upstream) = models();
    let mut client = home.server("llm").hello();
    let models = json!([format!("openai/{LONG}"), "openai/short"]);
    let compared = client.must(
        "compare",
        &json!({"prompt": "Say all of it", "models": models}),
    );
    let (long, short) = (&compared["answers"][0], &compared["answers"][1]);
    assert_eq!(short["text"], "Hello from short");
    assert!(short.get("from").is_none(), "{short}");
    let (more, _) = rest(&mut client, &long["call"], &long["from"]);
    assert_eq!(format!("{}{more}", long["text"].as_str().unwrap()), whole());
}

#[test]
fn an_answer_that_is_not_kept_says_what_to_do() {
    let (home, _upstream) = models();
    let mut client = home.server("llm").hello();
    let short = client.must("complete", &json!({"prompt": "Say hello"}));
    let question = json!({"prompt": "Say all of it", "model": format!("openai/{LONG}")});
    let long = client.must("complete", &question);
    // It was not cut; it is another process that keeps it.
    let mut other = home.server("llm").hello();
    for (client, call) in [(&mut client, &short["call"]), (&mut other, &long["call"])] {
        let refused = client.call("answer_rest", &json!({"call": call}));
        assert!(refused.is_error, "{refused:?}");
        assert!(refused.text.contains("ask again"), "{}", refused.text);
        let uri = format!("llm://answer/{}", call.as_str().unwrap());
        let refused = client.request("resources/read", &json!({"uri": uri}));
        assert_eq!(refused["error"]["code"], -32_002, "{refused}");
        assert!(refused.to_string().contains("ask again"), "{refused}");
    }
}

#[test]
fn budgets_and_providers_are_read_as_the_tools_tell_them() {
    let (home, _upstream) = models();
    let mut client = home.server("llm").hello();
    client.must("complete", &json!({"prompt": "Say hello"}));
    let listed = client.request("resources/list", &json!({}));
    let names: Vec<&str> = listed["result"]["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| resource["uri"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["llm://budgets", "llm://providers"]);
    for (name, keys) in [
        ("budgets", ["what", "used", "amount"]),
        ("providers", ["provider", "wire", "models"]),
    ] {
        let page = read(&mut client, &format!("llm://{name}"));
        assert_eq!(page["mimeType"], "application/json");
        let read: Value = serde_json::from_str(page["text"].as_str().unwrap()).unwrap();
        let told = client.must(name, &json!({}));
        let (read, told) = (&read[name][0], &told[name][0]);
        assert!(read.is_object(), "{page}");
        for key in keys {
            assert_eq!(read[key], told[key], "{key}: {read}");
        }
    }
    let page = read(&mut client, "llm://budgets");
    let budgets: Value = serde_json::from_str(page["text"].as_str().unwrap()).unwrap();
    assert_eq!(budgets["budgets"][0]["used"], 0.000_119, "{budgets}");
}
