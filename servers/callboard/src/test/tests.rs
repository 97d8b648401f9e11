use super::*;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};

const GOOD: &str = "name: good\nsteps: [{check: 1, expect: {equals: 1}}]\n";

fn put(file: &Path, text: &str) {
    std::fs::File::create(file)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

/// Runs it with these reports; how it ended, and what it showed.
fn tested(files: &[PathBuf], reports: &[String]) -> (bool, String) {
    let args = TestArgs {
        files: files.to_vec(),
        report: reports.iter().map(|one| one.parse().unwrap()).collect(),
        filter: Vec::new(),
        jobs: Some(1),
        schema: false,
    };
    let environment = Environment::of([("PATH", "/usr/bin:/bin")], "/");
    let mut out = Vec::new();
    let code = test(&args, &environment, &mut out);
    let shown = String::from_utf8(out).unwrap();
    match code {
        Ok(code) => (code == ExitCode::SUCCESS, shown),
        Err(error) => (false, format!("{shown}{error:#}")),
    }
}

fn mode(file: &Path) -> u32 {
    std::fs::symlink_metadata(file).unwrap().mode() & 0o7777
}

#[test]
fn reports_are_named_with_or_without_a_path() {
    let wanted: Wanted = "junit=out/report.xml".parse().unwrap();
    assert_eq!(wanted.format, Format::Junit);
    assert_eq!(wanted.path.as_deref(), Some(Path::new("out/report.xml")));
    assert_eq!("json".parse::<Wanted>().unwrap().path, None);
    assert!(
        "xml"
            .parse::<Wanted>()
            .unwrap_err()
            .contains("text, json, junit")
    );
    assert!("json=".parse::<Wanted>().is_err());
}

#[test]
fn a_report_replaces_a_file_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let json = |name: &str| format!("json={}", at(name).display());
    put(&at("good.yaml"), GOOD);
    put(&at("there"), "before");
    std::fs::set_permissions(at("there"), PermissionsExt::from_mode(0o640)).unwrap();
    symlink("there", at("link")).unwrap();
    symlink("later", at("dangling")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RWXU).unwrap();
    let pipe = at("pipe");
    let reader = std::thread::spawn(move || std::fs::read_to_string(pipe).unwrap());
    // What a new file gets is the umask's affair.
    put(&at("usual"), "");
    let reports = [
        json("link"),
        json("dangling"),
        json("pipe"),
        json("new"),
        "json=/dev/null".to_owned(),
    ];
    let (passed, shown) = tested(&[at("good.yaml")], &reports);
    assert!(passed, "{shown}");
    for link in ["link", "dangling"] {
        assert!(at(link).is_symlink(), "{link}");
    }
    for file in ["there", "later", "new"] {
        let text = std::fs::read_to_string(at(file)).unwrap();
        assert!(text.contains("\"passed\": 1"), "{file}: {text}");
    }
    assert_eq!(mode(&at("there")), 0o640);
    assert_eq!(mode(&at("new")), mode(&at("usual")));
    assert_eq!(mode(&at("later")), mode(&at("usual")));
    assert!(reader.join().unwrap().contains("\"passed\": 1"));
    let kind = |path: &Path| std::fs::symlink_metadata(path).unwrap().file_type();
    assert!(kind(&at("pipe")).is_fifo());
    assert!(kind(Path::new("/dev/null")).is_char_device());
}

#[test]
fn a_file_that_can_not_be_read_fails_and_the_others_run() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    put(&at("bad.yaml"), "steps: [{chek: 1}]\n");
    put(&at("good.yaml"), GOOD);
    let reports = ["json", "junit"].map(|kind| format!("{kind}={}", at(kind).display()));
    let files = [at("bad.yaml"), at("good.yaml"), at("none.yaml")];
    let (passed, shown) = tested(&files, &reports);
    assert!(!passed);
    assert!(shown.is_empty() || shown.contains("chek"), "{shown}");
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(at("json")).unwrap()).unwrap();
    assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &2.into()));
    let verdicts: Vec<(&str, &str)> = json["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["name"].as_str().unwrap(),
                one["verdict"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        verdicts,
        [("none", "error"), ("bad", "error"), ("good", "passed")]
    );
    assert_eq!(json["scenarios"][1]["failures"][0]["line"], 1);
    let xml = std::fs::read_to_string(at("junit")).unwrap();
    assert!(xml.contains("<error"), "{xml}");
}

#[test]
fn a_report_of_an_earlier_run_does_not_stay() {
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report");
    put(&report, "all passed");
    put(&dir.path().join("good.yaml"), GOOD);
    let args = TestArgs {
        files: vec![dir.path().join("good.yaml")],
        report: vec![format!("json={}", report.display()).parse().unwrap()],
        filter: vec!["no-such-word".to_owned()],
        jobs: None,
        schema: false,
    };
    let environment = Environment::of([("PATH", "/usr/bin:/bin")], "/");
    assert!(test(&args, &environment, &mut Vec::new()).is_err());
    assert_eq!(std::fs::read_to_string(&report).unwrap(), "");
}

#[test]
fn a_scenario_is_not_replaced_by_its_report() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("good.yaml");
    put(&file, GOOD);
    let (passed, shown) = tested(
        std::slice::from_ref(&file),
        &[format!("json={}", file.display())],
    );
    assert!(!passed && shown.contains("one of the scenarios"), "{shown}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), GOOD);
}
