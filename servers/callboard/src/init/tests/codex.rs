//! The TOML of Codex.

use super::*;

#[test]
fn codex_keeps_its_comments_and_other_tables() {
    let before = "# mine\nmodel = \"m\" # the model\n\n[mcp_servers.docs]\ncommand = \"docs\"\n\n[mcp_servers.assigner]\ncommand = \"/old/callboard\"\nargs = [\"assigner\"]\nstartup_timeout_sec = 20 # slow disk\n";
    let rig = rig(true);
    let (file, said) = rig.there(&args(Client::Codex), Some(before));
    let said = said.unwrap();
    assert!(
        said.contains("updated   assigner") && said.contains("added     roadmap"),
        "{said}"
    );
    let text = content(&file);
    let forwarded = "env_vars = [\"CALLBOARD_BOARD\", \"CALLBOARD_DATA_DIR\", \"XDG_CONFIG_HOME\", \"XDG_DATA_HOME\"]\n";
    let expected = before.replace("/old/callboard", "callboard")
        + forwarded
        + "\n[mcp_servers.roadmap]\ncommand = \"callboard\"\nargs = [\"roadmap\"]\n"
        + forwarded
        + "\n[mcp_servers.llm]\ncommand = \"callboard\"\nargs = [\"llm\"]\n"
        + forwarded
        + "\n[mcp_servers.telemetry]\ncommand = \"callboard\"\nargs = [\"telemetry\"]\n"
        + forwarded;
    assert_eq!(text, expected);
    rig.there(
        &InitArgs {
            transport: Transport::Http,
            ..args(Client::Codex)
        },
        None,
    )
    .1
    .unwrap();
    let text = content(&file);
    assert!(
        text.contains("bearer_token_env_var = \"CALLBOARD_TOKEN\""),
        "{text}"
    );
    assert!(
        text.contains("startup_timeout_sec = 20 # slow disk"),
        "{text}"
    );
    assert!(
        !text.contains("\"/old") && !text.contains("args = [\"assigner\"]"),
        "{text}"
    );
    let (_, refused) = rig.there(&args(Client::Codex), Some("model = \n"));
    assert!(format!("{:#}", refused.unwrap_err()).contains("no TOML"));
    let foreign = "[mcp_servers.roadmap]\ncommand = \"other\"\n";
    let (_, refused) = rig.there(&args(Client::Codex), Some(foreign));
    assert!(format!("{:#}", refused.unwrap_err()).contains("another server"));
    assert_eq!(content(&file), foreign);
}

#[test]
fn codex_hands_on_where_things_are_beside_what_the_user_names() {
    let before = "[mcp_servers.assigner]\ncommand = \"callboard\"\nargs = [\"assigner\"]\nenv_vars = [\n    \"SSH_AUTH_SOCK\", # to push\n    { name = \"XDG_DATA_HOME\", source = \"local\" },\n]\n\n[mcp_servers.assigner.env]\nRUST_LOG = \"info\"\n";
    let rig = rig(true);
    let (file, said) = rig.there(&args(Client::Codex), Some(before));
    assert!(said.unwrap().contains("updated   assigner"));
    let text = content(&file);
    for line in before.lines() {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    let ours = text.split("[mcp_servers.roadmap]").next().unwrap();
    for name in callboard_config::PLACES {
        assert_eq!(ours.matches(name).count(), 1, "{name} in {text}");
    }
    let (_, again) = rig.there(&args(Client::Codex), None);
    assert!(again.unwrap().contains("has all of it already"));
    assert_eq!(content(&file), text);
}

/// An entry with a member of the other transport keeps Codex from starting at all.
#[test]
fn codex_is_left_no_member_of_the_other_transport() {
    let before = "[mcp_servers.assigner]\ncommand = \"callboard\"\nargs = [\"assigner\"]\ncwd = \"/x\"\nenabled = true\n\n[mcp_servers.assigner.env]\nRUST_LOG = \"info\"\n";
    let rig = rig(true);
    let over_http = InitArgs {
        transport: Transport::Http,
        ..args(Client::Codex)
    };
    let (file, said) = rig.there(&over_http, Some(before));
    said.unwrap();
    let text = content(&file);
    for gone in ["cwd", "env_vars", ".env]", "RUST_LOG", "command", "args"] {
        assert!(!text.contains(gone), "{gone} in {text}");
    }
    assert!(text.contains("enabled = true"), "{text}");

    let with_header = text.replacen("url =", "http_headers = { X = \"1\" }\nurl =", 1);
    let (_, said) = rig.there(&args(Client::Codex), Some(&with_header));
    said.unwrap();
    let text = content(&file);
    for gone in ["http_headers", "url", "bearer_token_env_var"] {
        assert!(!text.contains(gone), "{gone} in {text}");
    }
    assert!(text.contains("enabled = true"), "{text}");
}

#[test]
fn codex_keeps_every_byte_of_others_and_their_secrets_are_not_shown() {
    let before = "\u{feff}# mine\r\nmodel = \"m\"\n\r\n[mcp_servers.other]\r\ncommand = \"o\" # c\r\nargs = [\r\n  \"a\",\r\n]\r\n\
                  [mcp_servers.other.env]\r\nAPI_KEY = \"sk-secret\"\r\n";
    let rig = rig(true);
    let (file, said) = rig.there(&args(Client::Codex), Some(before));
    let (said, text) = (said.unwrap(), content(&file));
    let added = text.strip_prefix(before).expect(&text);
    assert!(added.contains("[mcp_servers.assigner]\r\n"), "{added:?}");
    assert_eq!(added.matches('\n').count(), added.matches("\r\n").count());
    let shown: Vec<&str> = said
        .lines()
        .filter_map(|line| line.strip_prefix("  + "))
        .filter(|line| !line.is_empty())
        .collect();
    let lines: Vec<&str> = added.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(shown, lines, "{said}");
    assert!(
        !said.contains("sk-secret") && !said.contains("  - "),
        "{said}"
    );
    let undo = InitArgs {
        undo: true,
        ..args(Client::Codex)
    };
    rig.there(&undo, None).1.unwrap();
    assert_eq!(content(&file), before);
}

#[test]
fn codex_keeps_how_keys_are_written_on_the_lines_that_stay() {
    let before = "[mcp_servers]\n\"assigner\".command=\"/old/callboard\"\nassigner.args=[\"assigner\"] # mine\n\
                  'assigner'.cwd = '/x'\n\"other\".command = \"o\"\nother . args = []\r\n'other'.cwd = '''\n  \"other\"\n'''\n";
    let rig = rig(true);
    let (file, said) = rig.there(&args(Client::Codex), Some(before));
    said.unwrap();
    let text = content(&file);
    let stays = |line: &&str| !line.contains("/old");
    for line in before.split_inclusive('\n').filter(stays) {
        assert!(
            text.split_inclusive('\n').any(|there| there == line),
            "{line:?} in {text}"
        );
    }
    assert!(!text.contains("/old"), "{text}");
    let (_, again) = rig.there(&args(Client::Codex), None);
    assert!(again.unwrap().contains("has all of it already"));
    assert_eq!(content(&file), text);
}
