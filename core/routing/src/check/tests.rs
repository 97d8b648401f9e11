use super::*;
use crate::chat::Remaining;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use serde_json::json;

fn reply(parts: Vec<Part>) -> Reply {
    Reply {
        id: None,
        model: None,
        parts,
        finish: Finish::Stop,
        finish_word: None,
        usage: None,
        charged: Default::default(),
        request_id: None,
        remaining: Remaining::default(),
    }
}

fn says(text: &str) -> Reply {
    reply(vec![Part::text(text)])
}

fn calls(name: &str, arguments: &str) -> Reply {
    reply(vec![Part::ToolCall {
        id: "1".to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        kept: None,
    }])
}

fn all() -> Check {
    Check::of(&Chat::ask("m", "x")).unwrap()
}

fn of_schema(schema: &Value) -> Check {
    Check {
        form: Form::Schema(Schema::new(schema).unwrap()),
        ..all()
    }
}

fn unmet(reply: &Reply, check: &Check) -> &'static str {
    judge(reply, check).map_or_else(|unmet| unmet.as_str(), |()| "met")
}

#[test]
fn the_default_is_content_with_anything() {
    let mut cut = reply(Vec::new());
    cut.finish = Finish::Length;
    assert_eq!(unmet(&cut, &Check::default()), "met");
    assert_eq!(unmet(&says("{"), &Check::default()), "met");
}

#[test]
fn what_is_empty_or_cut_off_will_not_do() {
    let thought = Part::Thinking {
        text: "hm".to_owned(),
        kept: None,
    };
    assert_eq!(unmet(&reply(Vec::new()), &all()), "empty");
    assert_eq!(
        unmet(&reply(vec![thought, Part::text(" \n")]), &all()),
        "empty"
    );
    let mut cut = says("one, two");
    cut.finish = Finish::Length;
    assert_eq!(unmet(&cut, &all()), "truncated");
    let limited = Chat {
        max_output: Some(2),
        ..Chat::ask("m", "count")
    };
    assert_eq!(unmet(&cut, &Check::of(&limited).unwrap()), "met");
}

#[test]
fn json_is_json_and_nothing_around_it() {
    let check = Check {
        form: Form::Json,
        ..all()
    };
    for (text, word) in [
        (" {\"a\": 1}\n", "met"),
        ("[]", "met"),
        ("{\"a\": 1", "not_json"),
        ("Here it is: {\"a\": 1}", "not_json"),
        ("{\"a\": 1} {\"a\": 2}", "not_json"),
        ("```json\n{\"a\": 1}\n```", "not_json"),
    ] {
        assert_eq!(unmet(&says(text), &check), word, "{text}");
    }
    let told = judge(&says("```json\n{}\n```"), &check).unwrap_err();
    assert!(told.to_string().contains("Markdown fence"), "{told}");
    let deep = "[".repeat(100_000);
    assert_eq!(unmet(&says(&deep), &check), "not_json");
}

#[test]
fn what_does_not_fit_the_schema_is_told_with_its_place() {
    let schema = json!({
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"type": "integer"}}},
        "required": ["items"],
    });
    let check = of_schema(&schema);
    assert_eq!(unmet(&says("{\"items\": [1, 2]}"), &check), "met");
    assert_eq!(unmet(&says("nothing"), &check), "not_json");
    let wrong = judge(&says("{\"items\": [1, \"two\"]}"), &check).unwrap_err();
    let Unmet::Schema { at, why } = &wrong else {
        panic!("{wrong}");
    };
    assert_eq!(at, "/items/1");
    assert!(why.contains("two"), "{why}");
    let whole = judge(&says("[]"), &check).unwrap_err();
    assert!(whole.to_string().contains("schema at /:"), "{whole}");
    let long = format!("{{\"items\": \"{}\"}}", "é".repeat(10_000));
    let told = judge(&says(&long), &check).unwrap_err().to_string();
    assert!(told.chars().count() < 400, "{told}");
}

#[test]
fn schemas_of_callers_are_not_trusted() {
    for wrong in [
        json!({"type": "no such"}),
        json!({"$ref": "https://schemas.example/other.json"}),
        json!({"$ref": "file:///etc/passwd"}),
        json!(3),
    ] {
        let told = Schema::new(&wrong).unwrap_err().to_string();
        assert!(told.contains("can't be used"), "{told}");
    }
    // Backtracks for ever unless somebody counts.
    let check = of_schema(&json!({"type": "string", "pattern": "^(?=(a+)+$)(a|aa)+b$"}));
    let text = format!("\"{}\"", "a".repeat(5_000));
    assert_eq!(unmet(&says(&text), &check), "schema");
    // A tree as deep as JSON may be read is looked through.
    let tree = of_schema(&json!({"type": "array", "items": {"$ref": "#"}}));
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(unmet(&says(&deep), &tree), "met");
}

#[test]
fn a_schema_that_leads_to_itself_ends() {
    for own in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
    ] {
        if let Ok(schema) = Schema::new(&own) {
            let check = Check {
                form: Form::Schema(schema),
                ..all()
            };
            drop(judge(&says("{}"), &check));
        }
    }
}

#[test]
fn a_refusal_is_what_the_provider_calls_one_or_what_means_nothing_else() {
    let field = reply(vec![Part::Refusal {
        text: "No.".to_owned(),
    }]);
    assert_eq!(unmet(&field, &all()), "refused");
    let mut filtered = says("The first half");
    filtered.finish = Finish::Refused;
    assert_eq!(unmet(&filtered, &all()), "refused");
    let silent = Reply {
        finish: Finish::Refused,
        finish_word: Some("SAFETY".to_owned()),
        ..reply(Vec::new())
    };
    let told = judge(&silent, &all()).unwrap_err();
    assert!(told.to_string().ends_with("SAFETY"), "{told}");

    for refusal in [
        "I'm sorry, but I can't assist with that.",
        "I’m sorry, I can’t help with that",
        "I cannot fulfill this request. It is against the guidelines.",
        "Sorry, but I am unable to help you with your request!",
        "I can't comply with that.",
    ] {
        assert_eq!(unmet(&says(refusal), &all()), "refused", "{refusal}");
    }
    for answer in [
        "I can't help with that file: it does not exist. Which one did you mean?",
        "The error says: I'm sorry, but I can't assist with that.",
        "I'm sorry for the confusion. The answer is 4.",
        "I can't reproduce the failure; the tests pass.",
        "I cannot fulfil this requestor's interface without a trait; here is one.",
        "I won't help this along by guessing: line 3 is wrong.",
        "Sorry",
    ] {
        assert_eq!(unmet(&says(answer), &all()), "met", "{answer}");
    }
    let long = format!(
        "I can't assist with that. {}",
        "But this helps. ".repeat(40)
    );
    assert_eq!(unmet(&says(&long), &all()), "met");
    let off = Check {
        refusal: false,
        ..all()
    };
    assert_eq!(unmet(&field, &off), "met");
}

#[test]
fn tools_are_called_by_name_with_arguments_that_fit() {
    let tool = ToolSpec {
        name: "read".to_owned(),
        description: String::new(),
        parameters: json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}),
        strict: None,
    };
    let bare = ToolSpec {
        name: "now".to_owned(),
        parameters: json!({"type": "object"}),
        ..tool.clone()
    };
    let check = Check {
        tools: Some(vec![tool, bare]),
        form: Form::Json,
        ..all()
    };
    for (name, arguments, word) in [
        ("read", "{\"path\": \"a\"}", "met"),
        ("read", "{\"path\": 1}", "tool_call"),
        ("read", "{\"path\": \"a", "tool_call"),
        ("read", "[]", "tool_call"),
        ("read", "", "tool_call"),
        ("now", "", "met"),
        ("write", "{}", "tool_call"),
    ] {
        assert_eq!(
            unmet(&calls(name, arguments), &check),
            word,
            "{name} {arguments}"
        );
    }
    let told = judge(&calls("read", "{\"path\": 1}"), &check).unwrap_err();
    assert!(told.to_string().contains("read"), "{told}");
    assert!(told.to_string().contains("/path"), "{told}");
    let unlooked = Check {
        tools: None,
        ..check
    };
    assert_eq!(unmet(&calls("write", "{"), &unlooked), "met");
}

#[test]
fn scores_are_asked_for_with_the_conversation_and_the_answer() {
    let chat = Chat {
        system: vec!["Be short.".to_owned()],
        ..Chat::ask("m", "What is 2 + 2?")
    };
    let asked = question(&chat, &says("5"));
    let Part::Text { text, .. } = &asked.messages[0].parts[0] else {
        panic!("no text");
    };
    for part in [
        "instructions: Be short.",
        "caller: What is 2 + 2?",
        "<answer>\n5\n</answer>",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(asked.model.is_empty() && asked.tools.is_empty());
    let long = question(
        &Chat::ask("m", &"ä".repeat(100_000)),
        &says(&"b".repeat(100_000)),
    );
    let Part::Text { text, .. } = &long.messages[0].parts[0] else {
        panic!("no text");
    };
    assert!(text.chars().count() < 50_000 && text.contains("left out"));
}

#[test]
fn scores_are_read_where_they_can_be() {
    for (text, score) in [
        ("{\"reason\": \"right\", \"score\": 90}", Some(90)),
        ("```json\n{\"score\": 12.9}\n```", Some(12)),
        ("{\"score\": 10} no, rather {\"score\": 80}", Some(80)),
        ("{\"score\": 101}", None),
        ("{\"score\": -1}", None),
        ("{\"score\": \"90\"}", None),
        ("I am 90 percent sure", None),
        ("{\"score\": 50, \"by\": {\"name\": \"me\"}}", Some(50)),
        ("", None),
    ] {
        assert_eq!(read_score(&says(text)), score, "{text}");
    }
    let check = Check {
        least_score: Some(70),
        ..all()
    };
    assert_eq!(check.weigh(Some(70)), Ok(()));
    let low = Unmet::LowScore {
        score: 69,
        least: 70,
    };
    assert_eq!(check.weigh(Some(69)), Err(low));
    assert_eq!(check.weigh(None), Err(Unmet::NoScore));
    assert_eq!(all().weigh(None), Ok(()));
}

proptest! {
    #[test]
    fn nothing_that_a_model_says_breaks_the_judge(text in "\\PC{0,200}") {
        let schema = of_schema(&json!({"type": "object"}));
        let word = unmet(&says(&text), &schema);
        prop_assert!(["met", "empty", "refused", "not_json", "schema"].contains(&word), "{}", word);
        let parsed = serde_json::from_str::<Value>(&text);
        prop_assert_eq!(word == "met", parsed.is_ok_and(|value| value.is_object()));
        prop_assert!(read_score(&says(&text)).is_none_or(|score| score <= 100));
    }
}
