//! `callboard evaluate` through the program: figures, wrong lines, files larger than memory.

use callboard_tests::{Finished, Home, root};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Command;

/// One prompt of two models, `c` at 1 and `s` at 10 millionths of a dollar.
fn line(id: &str, prompt: &str, cheap: f64, strong: f64) -> String {
    let line = json!({
        "id": id,
        "prompt": prompt,
        "outcomes": {"c": {"score": cheap, "cost_micro": 1}, "s": {"score": strong, "cost_micro": 10}},
    });
    format!("{line}\n")
}

fn run(home: &Home, data: &str, more: &[&str]) -> Finished {
    let file = home.path().join("data.jsonl");
    home.write(&file, data);
    let args = [&["evaluate", file.to_str().unwrap()], more].concat();
    home.callboard(&args)
}

fn figures(done: &Finished, router: &str) -> Value {
    assert_eq!(done.code, 0, "{done:?}");
    let report: Value = serde_json::from_str(&done.out).unwrap();
    let routers = report["routers"].as_array().unwrap();
    let found = routers.iter().find(|one| one["name"] == router);
    found
        .unwrap_or_else(|| panic!("no {router} in {report:#}"))
        .clone()
}

#[test]
fn figures_are_those_worked_out_by_hand() {
    let home = Home::new();
    let data = [
        line("1", &"x".repeat(10), 1.0, 1.0),
        line("2", &"x".repeat(40), 0.0, 1.0),
        "\n".to_owned(),
        line("3", &"x".repeat(20), 0.0, 1.0),
        line("4", &"x".repeat(30), 1.0, 0.0),
    ]
    .concat();
    let done = run(&home, &data, &["--json"]);
    // See the table in core/routing/src/evaluate/tests.rs: by length the strong model gains 1, -1, 1, 0.
    let length = figures(&done, "length");
    for (pointer, expected) in [
        ("/strong_share", 0.5),
        ("/quality/value", 0.5),
        ("/cost_micro", 22.0),
        ("/gap_recovered/value", 0.0),
        ("/grade/apgr/value", 0.625),
        ("/grade/cpt_50/value", 0.125),
        ("/grade/cpt_80/value", 0.2),
        ("/grade/auc/value", 0.75),
        ("/grade/saved_at_90/value", 0.7425),
        ("/grade/saved_at_100/value", 0.675),
    ] {
        let actual = length.pointer(pointer).and_then(Value::as_f64);
        let actual = actual.unwrap_or_else(|| panic!("no {pointer}: {length:#}"));
        assert!(
            (actual - expected).abs() < 1e-6,
            "{pointer}: {actual}, not {expected}"
        );
    }
    let shown = run(&home, &data, &[]);
    for part in [
        "4 prompts",
        "cheap   c: quality 0.500, $0.000004",
        "strong  s: quality 0.750, $0.00004",
        "better on 50 %, the cheap one on 25 %; on 25 % they are alike",
        "0.625 [",
        "1000 resamples (seed 0)",
    ] {
        assert!(shown.out.contains(part), "no {part:?} in\n{}", shown.out);
    }
    let other_way = run(&home, &data, &["--cheap", "s", "--strong", "c"]);
    assert_eq!(other_way.code, 1);
    assert!(
        other_way.err.contains("nothing to recover"),
        "{}",
        other_way.err
    );
}

#[test]
fn the_same_seed_gives_the_same_intervals() {
    let home = Home::new();
    let example = root().join("examples/evaluate/invented.jsonl");
    let example = example.to_str().unwrap();
    let with = |seed: &str| home.callboard(&["evaluate", example, "--json", "--seed", seed]);
    let (one, again, other) = (with("1"), with("1"), with("2"));
    assert_eq!(one.out, again.out);
    let interval = |done: &Finished| figures(done, "length")["grade"]["apgr"].clone();
    assert_eq!(interval(&one)["value"], interval(&other)["value"]);
    assert_ne!(interval(&one), interval(&other));
    assert!(figures(&one, "class")["grade"]["auc"]["value"].is_number());
}

#[test]
fn a_wrong_line_is_named_with_what_is_wrong() {
    let home = Home::new();
    let good = line("1", "x", 0.0, 1.0);
    let long = format!("{good}{}", "x".repeat(17 * 1024 * 1024));
    for (data, says) in [
        (format!("{good}\nno JSON\n"), "data.jsonl:3: expected"),
        (
            format!("{good}{}", line("1", "y", 0.0, 1.0)),
            "data.jsonl:2: the id \"1\" is also that of line 1",
        ),
        (
            format!("{good}{}", line("2", "y", 0.0, 1.5)),
            "data.jsonl:2: the score of s is 1.5",
        ),
        (long, "data.jsonl:2: a line is longer than 16 MiB"),
        (String::new(), "there is no line of data"),
        (
            good.replace("\"c\"", "\"s2\"")
                .replace(",\"cost_micro\":1}", "}"),
            "name two with --cheap MODEL",
        ),
    ] {
        let done = run(&home, &data, &[]);
        assert_eq!(done.code, 1, "{says}: {done:?}");
        assert!(
            done.err.contains(says),
            "{says}: {}",
            &done.err[..done.err.len().min(600)]
        );
        assert!(done.out.is_empty(), "{}", done.out);
    }
    let unknown = run(&home, &good, &["--cheap", "z"]);
    assert!(
        unknown
            .err
            .contains("no line has an outcome of z; there are c (1 lines"),
        "{unknown:?}"
    );
    let missing = home.callboard(&["evaluate", "/nowhere/data.jsonl"]);
    assert!(
        missing.err.contains("reading /nowhere/data.jsonl"),
        "{missing:?}"
    );
    let directory = home.callboard(&["evaluate", home.path().to_str().unwrap()]);
    assert!(directory.err.contains("is no file"), "{directory:?}");
}

#[test]
fn a_configured_route_is_measured_by_its_first_choice() {
    let home = Home::new();
    let config = home.path().join("config/callboard/config.toml");
    let text = r#"
[providers.here]
wire = "ollama"
[providers.here.models.c]
classes = ["simple", "standard"]
[providers.here.models.s]
classes = ["complex"]

[routes.work]
candidates = ["here/c", "here/s"]

[routes.elsewhere]
candidates = ["here/x"]
"#;
    home.write(&config, text);
    let classed = |id: &str, class: &str, cheap, strong| {
        let line = line(id, "x", cheap, strong);
        line.replacen('{', &format!("{{\"class\":\"{class}\","), 1)
    };
    let data = [
        classed("1", "simple", 1.0, 1.0),
        classed("2", "complex", 0.0, 1.0),
        classed("3", "standard", 0.0, 1.0),
        classed("4", "simple", 1.0, 0.0),
    ]
    .concat();
    let done = run(&home, &data, &["--json", "--route", "work"]);
    let route = figures(&done, "route work");
    // The complex one goes to the strong model: 1 + 1 + 0 + 1 of 4, at 1 + 10 + 1 + 1 of 40.
    for (pointer, expected) in [
        ("/strong_share", 0.25),
        ("/quality/value", 0.75),
        ("/cost_micro", 13.0),
        ("/saved/value", 0.675),
        ("/gap_recovered/value", 1.0),
    ] {
        let actual = route.pointer(pointer).and_then(Value::as_f64).unwrap();
        assert!(
            (actual - expected).abs() < 1e-6,
            "{pointer}: {actual}, not {expected}"
        );
    }
    let unknown = run(&home, &data, &["--route", "nowhere"]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown
            .err
            .contains("no route nowhere; there are elsewhere, work"),
        "{}",
        unknown.err
    );
    let astray = run(&home, &data, &["--route", "elsewhere"]);
    assert!(
        astray.err.contains("data.jsonl:1: the route elsewhere asks here/x, of which there is no outcome; there are c, s"),
        "{}",
        astray.err
    );
}

/// Prompts are not kept: a file is read in less memory than it is long.
#[test]
fn a_file_larger_than_its_memory_is_read() {
    let home = Home::new();
    let file = home.path().join("large.jsonl");
    let mut to = std::io::BufWriter::new(std::fs::File::create(&file).unwrap());
    let prompt = "x".repeat(80 * 1024);
    for at in 0..2_000 {
        let strong = f64::from(u8::from(at % 3 > 0));
        let line = line(&at.to_string(), &prompt, 0.25, strong);
        to.write_all(line.as_bytes()).unwrap();
    }
    to.into_inner().unwrap().sync_all().unwrap();
    let length = file.metadata().unwrap().len();
    assert!(length > 160_000_000, "{length}");
    // Kilobytes of addresses, the program itself among them.
    let bounded = "ulimit -v 150000 && exec \"$0\" evaluate \"$1\" --json";
    let done = Command::new("/bin/sh")
        .args(["-c", bounded])
        .arg(callboard_tests::binary("callboard"))
        .arg(&file)
        .env_clear()
        .env("HOME", home.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{told}");
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["lines"], 2_000);
}
