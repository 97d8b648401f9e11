//! Pull requests: a `gh` that writes down what it is asked, and a host that is a directory.

use crate::workshop::{TESTS, WITNESS, WORK, Workshop, attempts, item, report, roadmap, why};
use callboard_tests::{Finished, Home};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// Numbers its pull requests; the state of number N is in `$HOME/gh/N`, the branch in `$HOME/gh/N.head`.
const GH: &str = r#"#!/bin/sh
cd "$HOME/gh" || exit 9
printf '%s\n' "$*" >>calls
head=
for word; do case $word in --head=*) head=${word#--head=} ;; esac; done
case "$1 $2" in
"auth status") test ! -e logged-out ;;
"pr list") echo '[]' ;;
"pr create")
    number=$(($(cat count 2>/dev/null || echo 0) + 1))
    echo $number >count
    cat >"$number.body"
    echo "$head" >"$number.head"
    echo '{"state":"OPEN","mergeCommit":null}' >"$number"
    echo "https://github.com/o/r/pull/$number" ;;
"pr view") cat "${3##*/}" ;;
*) exit 2 ;;
esac
"#;

/// Takes the place of ssh: the host is `$HOME/hosted`.
const SSH: &str =
    "#!/bin/sh\nfor last; do :; done\ncd \"$HOME/hosted\" && eval \"exec git ${last#git-}\"\n";

/// A project at a host.
struct Hosted {
    shop: Workshop,
}

impl Hosted {
    fn new(items: &[(&str, &str)]) -> Hosted {
        let home = Home::new();
        let bin = home.path().join("bin");
        for (name, text) in [("gh", GH), ("ssh", SSH)] {
            home.write(&bin.join(name), text);
            std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755))
                .unwrap();
        }
        home.write(&home.path().join("gh/calls"), "");
        let config = format!(
            "[core]\n\tsshCommand = {}\n[ssh]\n\tvariant = simple\n",
            bin.join("ssh").display()
        );
        home.write(&home.path().join(".gitconfig"), &config);
        let home = home.with_path_first(&bin);
        let root = home.repository(
            "project",
            &[("ROADMAP.md", &roadmap(items)), ("test.sh", TESTS)],
        );
        home.git(
            home.path(),
            &["clone", "-q", "--bare", "project", "hosted/o/r.git"],
        );
        home.git(
            &root,
            &["remote", "add", "origin", "git@github.com:o/r.git"],
        );
        Hosted {
            shop: Workshop { home, root },
        }
    }

    fn host(&self) -> PathBuf {
        self.shop.home.path().join("hosted/o/r.git")
    }

    fn at_host(&self, args: &[&str]) -> String {
        self.shop.home.git(&self.host(), args)
    }

    fn gh(&self, name: &str) -> String {
        std::fs::read_to_string(self.shop.home.path().join("gh").join(name)).unwrap()
    }

    fn set(&self, number: u32, state: &str) {
        self.shop
            .home
            .write(&self.shop.home.path().join(format!("gh/{number}")), state);
    }

    /// What a press of the green button does.
    fn merge(&self, number: u32) {
        let home = &self.shop.home;
        let clone = home.path().join(format!("clone-{number}"));
        home.git(
            home.path(),
            &[
                "clone",
                "-q",
                self.host().to_str().unwrap(),
                clone.to_str().unwrap(),
            ],
        );
        let branch = format!("origin/{}", self.gh(&format!("{number}.head")).trim());
        home.git(
            &clone,
            &[
                "merge",
                "-q",
                "--no-ff",
                "-m",
                "merge a pull request",
                &branch,
            ],
        );
        home.git(&clone, &["push", "-q", "origin", "main"]);
        let commit = home.git(&clone, &["rev-parse", "HEAD"]);
        self.set(
            number,
            &format!(r#"{{"state":"MERGED","mergeCommit":{{"oid":"{commit}"}}}}"#),
        );
    }

    fn run(&self, more: &[&str]) -> Finished {
        self.shop.run(&format!("{WITNESS}{WORK}"), more)
    }
}

#[test]
fn results_go_out_as_pull_requests_and_dependents_wait_for_their_merge() {
    let hosted = Hosted::new(&[
        ("Alpha part", "\nThe first.\n"),
        ("Beta part", "**Dependency**: PRIORITY 1\n"),
    ]);
    let shop = &hosted.shop;
    let before = shop.checkout();
    let opened = hosted.run(&[]);
    assert_eq!(opened.code, 2, "{opened:?}");
    let first = report(&opened);
    let alpha = item(&first, "priority-1");
    assert_eq!(
        (&alpha["outcome"], &alpha["pr"]),
        (
            &"pull_request".into(),
            &"https://github.com/o/r/pull/1".into()
        )
    );
    assert!(
        why(&alpha).contains("https://github.com/o/r/pull/1"),
        "{alpha}"
    );
    assert_eq!(item(&first, "priority-2")["outcome"], "blocked");
    let branch = alpha["branch"].as_str().unwrap();
    assert_eq!(hosted.gh("1.head").trim(), branch);
    assert!(
        hosted
            .gh("calls")
            .contains("pr create --repo github.com/o/r --base=main"),
        "{}",
        hosted.gh("calls")
    );
    assert!(
        hosted.gh("1.body").contains("Alpha part") && hosted.gh("1.body").contains("Tests: "),
        "{}",
        hosted.gh("1.body")
    );

    // Its status is set by merging it, not before.
    assert!(
        hosted
            .at_host(&["show", &format!("{branch}:ROADMAP.md")])
            .contains("✅")
    );
    assert_eq!(
        hosted.at_host(&["show", &format!("{branch}:parts/priority-1")]),
        "priority-1"
    );
    for name in ["main", "callboard/integration"] {
        assert!(
            !hosted
                .at_host(&["show", &format!("{name}:ROADMAP.md")])
                .contains("✅"),
            "{name}"
        );
    }
    shop.assert_tidy();

    let waiting = hosted.run(&[]);
    assert_eq!(waiting.code, 2, "{waiting:?}");
    assert_eq!(hosted.gh("count").trim(), "1", "nothing new while it waits");

    hosted.merge(1);
    let next = hosted.run(&[]);
    assert_eq!(next.code, 2, "beta waits for its merge now: {next:?}");
    let second = report(&next);
    assert_eq!(item(&second, "priority-1")["outcome"], "done", "{second}");
    assert_eq!(
        item(&second, "priority-2")["outcome"],
        "pull_request",
        "{second}"
    );
    assert_eq!(
        shop.seen("order"),
        "priority-1\npriority-2\n",
        "each worked once"
    );
    assert!(
        shop.seen("priority-2.1.parts").contains("priority-1"),
        "beta builds on alpha"
    );

    hosted.merge(2);
    let last = hosted.run(&[]);
    assert_eq!(last.code, 0, "{last:?}");
    assert_eq!(shop.seen("order").lines().count(), 2);
    assert_eq!(shop.checkout(), before, "the user's checkout is theirs");
    shop.assert_tidy();
}

#[test]
fn a_pull_request_that_was_closed_is_left_until_it_is_retried() {
    let hosted = Hosted::new(&[("Alpha part", "")]);
    assert_eq!(hosted.run(&[]).code, 2);
    hosted.set(1, r#"{"state":"CLOSED","mergeCommit":null}"#);
    let closed = hosted.run(&[]);
    assert_eq!(closed.code, 2, "{closed:?}");
    let alpha = item(&report(&closed), "priority-1");
    assert_ne!(alpha["outcome"], "done");
    assert_eq!(attempts(&alpha), ["parked"]);

    let retried = hosted.run(&["--retry"]);
    assert_eq!(retried.code, 2, "{retried:?}");
    let alpha = item(&report(&retried), "priority-1");
    assert_eq!(
        (attempts(&alpha), &alpha["pr"]),
        (
            vec!["parked", "parked"],
            &"https://github.com/o/r/pull/2".into()
        )
    );
    hosted.merge(2);
    assert_eq!(hosted.run(&[]).code, 0);
}

#[test]
fn without_a_login_results_are_merged_and_pushed() {
    let hosted = Hosted::new(&[("Alpha part", "")]);
    hosted
        .shop
        .home
        .write(&hosted.shop.home.path().join("gh/logged-out"), "");
    let done = hosted.run(&[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        !hosted.gh("calls").contains("pr "),
        "{}",
        hosted.gh("calls")
    );
    assert!(
        hosted
            .at_host(&["show", "callboard/integration:ROADMAP.md"])
            .contains("✅")
    );
    hosted.shop.assert_tidy();
}
