//! Newer prices come in, hold, and can be undone; what is broken or older never takes their place.

use crate::rig::configure;
use callboard_config::{Config, Environment, Overrides};
use callboard_models::prices::{Current, Files, in_force, look, undo, update};
use std::path::PathBuf;

struct Rig {
    dir: tempfile::TempDir,
}

impl Rig {
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        configure(dir.path(), config);
        Self { dir }
    }

    fn files(&self) -> Files {
        let environment = Environment::of([("HOME", self.dir.path())], self.dir.path());
        let config = Config::load(&environment, None, &Overrides::default()).unwrap();
        Files::of(&environment, &config).unwrap()
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let file = self.dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Micro-dollars for a million tokens of input of a model.
    fn input(&self, model: &str) -> Option<u64> {
        let prices = in_force(&self.files());
        let price = prices.table.price("acme", model, 1_900_000_000_000);
        price.map(|price| price.rates.input)
    }
}

fn list(version: &str, model: &str, input: f64) -> String {
    format!(
        "version = \"{version}\"\n[[price]]\nprovider = \"acme\"\nmodel = \"{model}\"\ninput = {input:?}\noutput = 9.0\nsource = \"x\"\n"
    )
}

#[test]
fn an_update_holds_until_it_is_undone() {
    let rig = Rig::new("");
    let built_in = in_force(&rig.files()).version().to_owned();
    let first = rig.put("first.toml", &list("2999-01-01", "one", 1.5));
    let seen = look(&rig.files(), &first).unwrap();
    assert_eq!(
        (seen.from.as_str(), seen.to.as_str()),
        (built_in.as_str(), "2999-01-01")
    );
    assert_eq!(seen.changes.len(), 1);
    assert_eq!(rig.input("one"), None, "only looked");

    assert_eq!(update(&rig.files(), &first).unwrap(), seen);
    assert_eq!(rig.input("one"), Some(1_500_000));
    assert_eq!(in_force(&rig.files()).version(), "2999-01-01");

    let second = rig.put("second.toml", &list("2999-02-01", "one", 2.0));
    let done = update(&rig.files(), &second).unwrap();
    let change = &done.changes[0];
    let inputs = [&change.before, &change.after].map(|price| price.as_ref().unwrap().rates.input);
    assert_eq!(inputs, [1_500_000, 2_000_000]);
    assert_eq!(undo(&rig.files()).unwrap(), "2999-01-01");
    assert_eq!(rig.input("one"), Some(1_500_000));
    assert_eq!(undo(&rig.files()).unwrap(), built_in);
    assert_eq!(rig.input("one"), None);
    let told = undo(&rig.files()).unwrap_err().to_string();
    assert!(told.contains("nothing to undo"), "{told}");
}

#[test]
fn what_is_broken_or_older_changes_nothing() {
    let rig = Rig::new("");
    let good = rig.put("good.toml", &list("2999-01-01", "one", 1.0));
    update(&rig.files(), &good).unwrap();
    for (text, why) in [
        ("version = \"2999-03-01\"\nprise = 1\n".to_owned(), "line 2"),
        (list("2999-03-01", "one", -1.0), "line 5"),
        (list("2001-01-01", "one", 1.0), "are newer"),
        (list("zzz", "one", 1.0), "its version is \"zzz\""),
        (list("2999-02-30", "one", 1.0), "its version is"),
        (list("2999-03-01x", "one", 1.0), "its version is"),
        ("version = \"2999-03-01\"\n".to_owned(), "no price in it"),
    ] {
        let bad = rig.put("bad.toml", &text);
        let told = update(&rig.files(), &bad).unwrap_err();
        let chain = std::iter::successors(Some(&told as &dyn std::error::Error), |e| e.source());
        let told: Vec<String> = chain.map(ToString::to_string).collect();
        let told = told.join(": ");
        assert!(told.contains("bad.toml"), "{told}");
        assert_eq!(told.matches(why).count(), 1, "said once: {told}");
    }
    let told = update(&rig.files(), &rig.dir.path().join("nowhere")).unwrap_err();
    assert!(told.to_string().contains("no such file"), "{told}");
    assert_eq!(rig.input("one"), Some(1_000_000));
    assert_eq!(
        undo(&rig.files()).unwrap(),
        in_force(&rig.files()).version()
    );
}

#[test]
fn own_prices_lie_over_all_others_whatever_their_age() {
    let rig = Rig::new("[prices]\nfile = \"~/own.toml\"\n");
    let missing = in_force(&rig.files());
    assert!(
        missing.parts.iter().any(|part| part.unused.is_some()),
        "{:?}",
        missing.parts
    );
    let newer = rig.put("newer.toml", &list("2999-01-01", "one", 1.0));
    update(&rig.files(), &newer).unwrap();
    rig.put("own.toml", &list("mine", "one", 7.0));
    assert_eq!(rig.input("one"), Some(7_000_000));
    assert_eq!(in_force(&rig.files()).version(), "mine");
    rig.put("own.toml", "nonsense");
    let broken = in_force(&rig.files());
    let own = broken.parts.last().unwrap();
    assert!(own.unused.as_deref().unwrap().contains("line 1"), "{own:?}");
    assert_eq!(rig.input("one"), Some(1_000_000), "the others still hold");
}

#[test]
fn an_update_that_the_program_has_outrun_does_not_count() {
    let rig = Rig::new("");
    let files = rig.files();
    std::fs::create_dir_all(files.updated.parent().unwrap()).unwrap();
    std::fs::write(&files.updated, list("2001-01-01", "one", 1.0)).unwrap();
    let prices = in_force(&files);
    assert!(prices.parts[1].unused.as_deref().unwrap().contains("newer"));
    assert_eq!(rig.input("one"), None);
    // As an earlier version of the program took it.
    std::fs::write(&files.updated, list("zzz", "one", 1.0)).unwrap();
    let prices = in_force(&files);
    assert!(
        prices.parts[1]
            .unused
            .as_deref()
            .unwrap()
            .contains("no day")
    );
    assert_eq!(rig.input("one"), None);
}

#[test]
fn of_one_day_the_later_suffix_is_the_newer() {
    let rig = Rig::new("");
    let built_in = in_force(&rig.files()).version().to_owned();
    let newer = rig.put("newer.toml", &list(&format!("{built_in}-b"), "one", 1.0));
    update(&rig.files(), &newer).unwrap();
    assert_eq!(rig.input("one"), Some(1_000_000));
}

#[test]
fn newer_files_are_taken_up_while_somebody_looks() {
    let rig = Rig::new("");
    let current = Current::new(rig.files());
    let input = || {
        let table = current.table();
        let price = table.price("acme", "one", 1_900_000_000_000);
        price.map(|price| price.rates.input)
    };
    assert_eq!(input(), None);
    let newer = rig.put("newer.toml", &list("2999-01-01", "one", 1.25));
    update(&rig.files(), &newer).unwrap();
    assert_eq!(input(), Some(1_250_000));
    undo(&rig.files()).unwrap();
    assert_eq!(input(), None);
}
