use std::ffi::OsString;

use callboard_worktree::pr::{NewPullRequest, PullRequestState, PullRequests, Unavailable};
use callboard_worktree::{Environment, Git, Oid, Repo};

use crate::rig::{Rig, programs};

const GH: &str = r#"#!/bin/sh
printf '%s\n' "$*" >>"$HOME/calls"
case "$1 $2" in
"auth status") [ "$4" = github.com ] ;;
"pr list") cat "$HOME/open" ;;
"pr create")
    cat >"$HOME/body"
    echo "Creating pull request" >&2
    echo https://github.com/o/r/pull/7
    echo '[{"url":"https://github.com/o/r/pull/7"}]' >"$HOME/open" ;;
"pr view") cat "$HOME/view" ;;
*) exit 2 ;;
esac
"#;

fn repo(rig: &Rig, path: OsString, url: &str) -> Repo {
    let vars = rig.env().into_iter().map(|(key, value)| {
        if key == "PATH" {
            (key, path.clone())
        } else {
            (key, value)
        }
    });
    let git = Git::new(&rig.program, Environment::Exactly(vars.collect()));
    rig.git(&["remote", "add", "origin", url]);
    Repo::discover_with(git, &rig.root, "t").unwrap()
}

fn with_gh(rig: &Rig) -> OsString {
    let bin = rig.path("bin");
    rig.script(&bin.join("gh"), GH);
    rig.script(&rig.path("home/open"), "[]");
    let mut path = bin.into_os_string();
    path.push(":/usr/bin:/bin");
    path
}

fn detect(repo: &Repo) -> Result<PullRequests, Unavailable> {
    PullRequests::detect(repo, &repo.origin().unwrap().unwrap())
}

#[test]
fn a_pull_request_is_opened_once_and_followed() {
    let rig = Rig::new(&programs()[0]);
    let repo = repo(&rig, with_gh(&rig), "git@github.com:o/r.git");
    let requests = detect(&repo).unwrap();
    let new = NewPullRequest {
        base: "main",
        head: "callboard/a",
        title: "--title\nx",
        body: "Why.\n",
    };
    for _ in 0..2 {
        assert_eq!(
            requests.create(&new).unwrap(),
            "https://github.com/o/r/pull/7"
        );
    }
    let home = rig.path("home");
    assert_eq!(
        std::fs::read_to_string(home.join("body")).unwrap(),
        "Why.\n"
    );
    let calls = std::fs::read_to_string(home.join("calls")).unwrap();
    let create = "pr create --repo github.com/o/r --base=main --head=callboard/a --title=--title x --body-file -";
    assert_eq!(
        calls.lines().filter(|line| *line == create).count(),
        1,
        "{calls}"
    );
    let merged = Oid::parse(&"a".repeat(40)).unwrap();
    let states = [
        (
            r#"{"state":"OPEN","mergeCommit":null}"#.to_owned(),
            PullRequestState::Open,
        ),
        (
            r#"{"state":"CLOSED","mergeCommit":null}"#.to_owned(),
            PullRequestState::Closed,
        ),
        (
            format!(r#"{{"state":"MERGED","mergeCommit":{{"oid":"{merged}"}}}}"#),
            PullRequestState::Merged {
                commit: Some(merged),
            },
        ),
    ];
    for (answer, state) in states {
        rig.script(&home.join("view"), &answer);
        assert_eq!(
            requests.state("https://github.com/o/r/pull/7").unwrap(),
            state
        );
    }
    assert!(requests.state("--web").is_err());
    rig.script(&home.join("view"), "no json");
    assert!(requests.state("https://github.com/o/r/pull/7").is_err());
    assert!(
        requests
            .create(&NewPullRequest {
                head: "--web",
                ..new
            })
            .is_err()
    );
}

#[test]
fn why_there_are_none_is_told() {
    let rig = Rig::new(&programs()[0]);
    let local = repo(&rig, with_gh(&rig), "/srv/git/r.git");
    assert_eq!(detect(&local).unwrap_err(), Unavailable::NoHost);
    let rig = Rig::new(&programs()[0]);
    let other = repo(&rig, with_gh(&rig), "https://gitlab.example/o/r.git");
    assert_eq!(
        detect(&other).unwrap_err(),
        Unavailable::NotLoggedIn {
            host: "gitlab.example".into()
        }
    );
    let rig = Rig::new(&programs()[0]);
    let none = repo(&rig, "/nonexistent".into(), "https://github.com/o/r.git");
    assert_eq!(detect(&none).unwrap_err(), Unavailable::NoProgram);
}
