use super::*;
use callboard_redact::Secret;

/// Runs a scenario of this text; what failed, in words.
async fn failures(text: &str) -> Vec<String> {
    let file = PathBuf::from("it.yaml");
    let scenario = crate::parse(&file, text).unwrap();
    let options = Options {
        program: PathBuf::from("/nowhere"),
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        secrets: Secrets::default(),
        jobs: 1,
        traffic: 5,
        stop: CancellationToken::new(),
    };
    let report = run(vec![(file, scenario)], &options, |_| {}).await;
    let failures = report.outcomes.iter().flat_map(|one| &one.failures);
    failures.map(|failure| failure.message.clone()).collect()
}

#[tokio::test]
async fn a_secret_that_was_captured_goes_nowhere_but_to_servers() {
    let secret = Secret::new("canary-that-was-captured".to_owned());
    callboard_redact::register("CAPTURED", &secret).unwrap();
    for step in [
        "run: [echo, \"x${s}\"]",
        "run: \"echo ${s}\"",
        "{run: [env], env: {A: \"${s}\"}}",
        "{run: [cat], stdin: \"${s}\"}",
        "{file: a, text: \"${s}\"}",
        "{file: a, append: \"${s}\"}",
        "{file: a, json: {a: \"${s}\"}}",
        "{file: \"${s}\", text: a}",
        "call: x",
        "{call: x, on: web}",
        "start: p",
    ] {
        let text = format!(
            "servers:\n  it: {{command: sh, args: [-c, \"echo ${{s}}\"]}}\n  web: {{url: \"http://127.0.0.1:1/${{s}}\"}}\n\
             processes:\n  p: {{command: sh, env: {{A: \"${{s}}\"}}}}\n\
             steps:\n- set: {{s: canary-that-was-captured}}\n- {}\n",
            if step == "call: x" {
                "{call: x, on: it}"
            } else {
                step
            }
        );
        let failed = failures(&text).await;
        assert!(
            failed.len() == 1 && failed[0].contains("`${vault:CAPTURED}` can stand only in"),
            "{step}: {failed:?}"
        );
    }
    let fine = "steps:\n- set: {s: canary-that-was-captured}\n- {check: \"${s}\", expect: {count: 24}}\n\
                - run: [echo, canary]\n";
    assert_eq!(failures(fine).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_line_without_end_breaks_the_connection_and_says_so() {
    let text = "servers:\n  it: {command: sh, args: [-c, \"read x; yes | tr -d '\\\\n'\"]}\n\
                steps: [{call: x}]\n";
    let failed = failures(text).await;
    assert!(
        failed[0].contains("the server sent a line of more than 16 MiB"),
        "{failed:?}"
    );
}
