//! What is written into a file, and that every other byte of it stays.

use super::*;

#[test]
fn writes_a_new_file_and_does_nothing_twice() {
    let rig = rig(true);
    let said = rig.run().unwrap();
    assert!(
        said.contains(".mcp.json: written") && said.contains("added     assigner"),
        "{said}"
    );
    assert_eq!(rig.text(), FRESH);
    let again = rig.run().unwrap();
    assert!(again.contains("has all of it already"), "{again}");
    assert_eq!(rig.text(), FRESH);
    assert_eq!(rig.files(), [".mcp.json"]);
}

#[test]
fn an_empty_file_counts_as_none() {
    let rig = rig(true);
    rig.put("\n");
    rig.run().unwrap();
    assert_eq!(rig.text(), FRESH);
}

#[test]
fn every_other_byte_is_kept() {
    for before in [
        "{\"mcpServers\":{}}",
        "{}",
        "{ \"other\" : [1,  2] }\n",
        "\u{feff}{\n\t\"z\": 1,\n\t\"mcpServers\": {\n\t\t\"linear\": {\"url\": \"https://x/{}\\\"\"}\n\t},\n\t\"a\": 1e3\n}\n",
        "{\r\n    \"mcpServers\": {\r\n        \"b\": {\"command\": \"b\",   \"args\": [\"}\"]}\r\n    }\r\n}\r\n",
    ] {
        let rig = rig(true);
        rig.put(before);
        rig.run().unwrap();
        let after = rig.text();
        assert_is_insertion(before, &after);
        let mut expected = parse(before);
        let servers = expected
            .entry(MEMBER)
            .or_insert(json!({}))
            .as_object_mut()
            .unwrap();
        servers.extend(parse(FRESH)[MEMBER].as_object().unwrap().clone());
        assert_eq!(Value::Object(parse(&after)), Value::Object(expected));
        let lone = after.replace("\r\n", "").contains('\n');
        assert!(
            !before.contains("\r\n") || !lone,
            "mixed line ends: {after:?}"
        );
        rig.run().unwrap();
        assert_eq!(rig.text(), after);
    }
}

/// `after` is `before` with text put in at one place (white space before a lone `}` aside).
fn assert_is_insertion(before: &str, after: &str) {
    let head = before
        .bytes()
        .zip(after.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let tail = before
        .bytes()
        .rev()
        .zip(after.bytes().rev())
        .take_while(|(a, b)| a == b)
        .count();
    assert!(head + tail >= before.len(), "{before:?} became {after:?}");
}

#[test]
fn new_entries_look_like_their_neighbours() {
    let rig = rig(true);
    rig.put("{\n    \"mcpServers\": {\n        \"b\": {}\n    }\n}\n");
    rig.run().unwrap();
    let head = "{\n    \"mcpServers\": {\n        \"b\": {},\n        \"assigner\": {\n            \"type\": \"stdio\",\n";
    assert!(rig.text().starts_with(head), "{}", rig.text());
}

#[test]
fn our_own_entry_is_mended_and_keeps_what_the_user_added() {
    let rig = rig(true);
    rig.put(&FRESH.replace("\"callboard\",\n      \"args\": [\n        \"assigner\"\n      ]", "\"/old/callboard\",\n      \"args\": [\n        \"assigner\"\n      ],\n      \"timeout\": 9000"));
    let said = rig.run().unwrap();
    assert!(
        said.contains("updated   assigner") && said.contains("unchanged roadmap"),
        "{said}"
    );
    let entry = parse(&rig.text())[MEMBER]["assigner"].clone();
    assert_eq!(
        entry,
        json!({"type": "stdio", "command": "callboard", "args": ["assigner"], "timeout": 9000})
    );
}

#[test]
fn what_it_cannot_read_it_never_overwrites() {
    for (text, why) in [
        ("{\n  \"mcpServers\": {,}\n}", "line 2"),
        ("// mine\n{}", "line 1"),
        ("[]", "no JSON object"),
        ("{\"mcpServers\": []}", "is no object"),
        (
            "{\"mcpServers\": {\"roadmap\": {\"command\": \"other\"}}}",
            "another server",
        ),
    ] {
        let rig = rig(true);
        rig.put(text);
        let error = format!("{:#}", rig.run().unwrap_err());
        assert!(
            error.contains(why) && error.contains("nothing was written"),
            "{error}"
        );
        assert_eq!(rig.text(), text);
        assert_eq!(rig.files(), [".mcp.json"]);
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    let rig = rig(true);
    let said = rig.run_with(Client::ClaudeCode, true).unwrap();
    assert!(said.contains("would change"), "{said}");
    assert_eq!(rig.files(), Vec::<String>::new());
}

#[test]
fn comments_and_trailing_commas_stay_where_the_client_takes_them() {
    let before = "// servers of ours\n{\n  \"servers\": {\n    // the first, \"quoted\"\n    \"a\": { \"command\": \"a // no comment\" }, // its own\n  },\n  /* and */ \"inputs\": [],\n}\n";
    let rig = rig(true);
    let (file, said) = rig.there(&args(Client::Vscode), Some(before));
    said.unwrap();
    let text = content(&file);
    for kept in before.lines().filter(|line| line.contains('/')) {
        assert!(text.lines().any(|line| line == kept), "{kept:?} in {text}");
    }
    let servers = parse(&text)["servers"].clone();
    assert_eq!(servers["a"]["command"], "a // no comment");
    assert_eq!(
        servers["assigner"],
        json!({"type": "stdio", "command": "callboard", "args": ["assigner"]})
    );
    assert_eq!(servers["roadmap"]["args"], json!(["roadmap"]));
    // The same file is refused for a client that takes no comments.
    let (_, refused) = rig.there(&args(Client::Generic), Some(before));
    assert!(format!("{:#}", refused.unwrap_err()).contains("line 1"));
}

#[test]
fn commas_and_line_ends_in_comments_are_no_part_of_the_file() {
    for last in [
        "{\"command\": \"y\"} /* a, b */ ,",
        "{\"command\": \"y\"} /* http://a, b */ , // c, d",
        "{\"command\": \"y\"} // c, d",
        "{\"command\": \"y\"} /* a,\n  b */ // c",
        "{\"command\": \"y\"}, /* a\n  b */",
        "{\"command\": \"y\"} /*/ a */,",
    ] {
        let before = format!("{{\n  \"servers\": {{\n    \"x\": {last}\n  }}\n}}\n");
        let rig = rig(true);
        let (file, said) = rig.there(&args(Client::Vscode), Some(&before));
        said.expect(last);
        let text = content(&file);
        let servers = parse(&text)["servers"].as_object().unwrap().clone();
        let names: Vec<&str> = servers.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["x", "assigner", "roadmap", "llm", "telemetry"],
            "{text}"
        );
        let comment = last[last.find('/').unwrap()..].trim_end_matches([' ', ',']);
        assert!(text.contains(comment), "{text}");
    }
}
