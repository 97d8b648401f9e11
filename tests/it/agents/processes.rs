//! Agents that do not end, leave processes behind, or talk for ever.

use crate::workshop::{WORK, Workshop, attempts, item, report};
use callboard_tests::alive;

/// Children in sessions of their own, with and without a living parent, deaf to every polite signal.
const DAEMONS: &str = r#"
cat >"$HOME/daemon.sh" <<'END'
trap '' TERM HUP INT
echo $$ >>"$HOME/seen/pids"
while :; do sleep 0.2; done
END
mkdir -p "$HOME/seen"
setsid sh "$HOME/daemon.sh" >/dev/null 2>&1 &
( ( setsid sh "$HOME/daemon.sh" >/dev/null 2>&1 & ) & )
env -i setsid sh -c "HOME='$HOME'; export HOME; exec setsid sh '$HOME/daemon.sh'" >/dev/null 2>&1 &
until [ "$(wc -l <"$HOME/seen/pids" 2>/dev/null || echo 0)" -eq 3 ]; do sleep 0.02; done
"#;

fn assert_all_gone(shop: &Workshop) {
    let pids: Vec<u32> = shop
        .seen("pids")
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    assert_eq!(pids.len(), 3);
    for pid in pids {
        assert!(!alive(pid), "{pid} still lives");
    }
}

#[test]
fn an_agent_that_hangs_is_ended_with_all_it_started() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let agent = format!("{DAEMONS}{WORK}trap '' TERM HUP INT\nwhile :; do sleep 0.2; done\n");
    let done = shop.run(&agent, &["--timeout", "2s", "--attempts", "1"]);
    assert_eq!(done.code, 2, "{done:?}");
    let alpha = item(&report(&done), "priority-1");
    assert_eq!(attempts(&alpha), ["timed_out"]);
    let error = alpha["attempts"][0]["error"].as_str().unwrap();
    assert!(error.contains("still running after"), "{error}");
    assert!(
        shop.git(&[
            "show",
            &format!(
                "{}:parts/priority-1",
                alpha["attempts"][0]["kept"].as_str().unwrap()
            )
        ]) == "priority-1"
    );
    assert_all_gone(&shop);
    shop.assert_tidy();
}

#[test]
fn an_agent_that_leaves_a_daemon_leaves_nothing() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let done = shop.run(&format!("{DAEMONS}{WORK}"), &[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(item(&report(&done), "priority-1")["outcome"], "done");
    assert_all_gone(&shop);
    shop.assert_tidy();
}

#[test]
fn an_agent_that_talks_without_end_fills_no_disk() {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let done = shop.run(
        &format!("{WORK}echo first\nyes | head -c 60000000\necho last\n"),
        &[],
    );
    assert_eq!(done.code, 0, "{done:?}");
    let alpha = item(&report(&done), "priority-1");
    let log = std::fs::read(alpha["attempts"][0]["log"].as_str().unwrap()).unwrap();
    assert!(log.len() < 20_000_000, "{} bytes", log.len());
    assert!(log.starts_with(b"first\n"));
    assert!(
        String::from_utf8_lossy(&log[log.len() - 200..]).contains("last"),
        "its end matters most"
    );
}
