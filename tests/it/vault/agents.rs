//! What agents get, and what becomes of what they make and say.

use super::rig::*;
use crate::workshop::{WORK, attempts, item, report, why};
use std::path::PathBuf;

#[test]
fn an_agent_gets_its_secrets_and_nothing_that_is_written_holds_them() {
    let shop = filled(&[("Alpha part", "")]);
    configure(&shop, &format!("{CHATTY}{WORK}"), "");
    let watch = Watch::begin();
    let done = shop
        .home
        .callboard(&["run", shop.root.to_str().unwrap(), "--json"]);
    watch.end();
    assert_eq!(done.code, 0, "{done:?}");
    // The agent had the real ones, and no core of it or of us would be written.
    assert_eq!(shop.seen("plain"), sha256(PLAIN));
    assert_eq!(shop.seen("header"), sha256(&format!("Bearer {ODD}")));
    assert_eq!(shop.seen("mode").trim(), "fast HEADER,PLAIN");
    let core: Vec<String> = shop
        .seen("core")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    assert!(["0", "1"].contains(&core[4].as_str()), "{core:?}");

    assert_clean("stdout", &done.out);
    assert_clean("stderr", &done.err);
    let log = shop.git(&["log", "--format=%B", "callboard/integration"]);
    assert!(
        log.contains("use [vault:PLAIN]"),
        "the report, scrubbed: {log}"
    );
    let mut found = Vec::new();
    files(&shop.home.board(), &mut found);
    let said = |path: &PathBuf| {
        std::fs::read(path).is_ok_and(|bytes| {
            String::from_utf8_lossy(&bytes).contains("my key is [vault:PLAIN], my header")
        })
    };
    assert!(
        found.iter().any(said),
        "the agent's output is kept: {found:?}"
    );
    assert_nothing_holds_a_value(&shop, &["callboard/integration"]);
    shop.assert_tidy();
}

#[test]
fn work_that_holds_a_secret_goes_nowhere() {
    goes_nowhere("mkdir -p parts\necho \"key = $PLAIN\" >parts/config\n");
}

/// As other writers of JSON than ours spell it.
#[test]
fn work_that_holds_an_escaped_secret_goes_nowhere() {
    let spelled = "printf '{\"key\": \"%s\"}' \"$PLAIN\" | sed 's/-/\\\\u002D/g'";
    goes_nowhere(&format!("mkdir -p parts\n{spelled} >parts/config\n"));
}

fn goes_nowhere(script: &str) {
    let shop = filled(&[("Alpha part", "")]).with_origin();
    configure(&shop, script, "");
    let done = shop
        .home
        .callboard(&["run", shop.root.to_str().unwrap(), "--json"]);
    assert_eq!(done.code, 2, "{done:?}");
    let report = report(&done);
    let alpha = item(&report, "priority-1");
    assert_ne!(attempts(&alpha), ["done"]);
    assert!(
        alpha
            .to_string()
            .contains("holds the value of the secret PLAIN"),
        "{alpha} {}",
        why(&alpha)
    );
    assert_clean("stdout", &done.out);
    for name in shop
        .at_origin(&["for-each-ref", "--format=%(refname)"])
        .lines()
    {
        assert_clean(name, shop.at_origin(&["log", "-p", name]));
    }
    let names = shop.git(&["for-each-ref", "--format=%(refname)"]);
    for name in names
        .lines()
        .filter(|name| !name.starts_with("refs/callboard/kept/"))
    {
        assert_clean(name, shop.git(&["log", "-p", name]));
    }
}
