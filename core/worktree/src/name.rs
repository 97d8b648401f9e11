//! For: names that go to git: branches, refs, paths inside a tree. A title never becomes an option of a command.
//! The rules are those of `git check-ref-format`, and a little stricter.
//! Not for: text of commits.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use crate::GitError;

const SLUG_MAX: usize = 40;
const SHORT_ID: usize = 8;

/// A branch for a task: `callboard/<words of the title>-<end of the id>`, only `[a-z0-9-]` after the slash.
/// The same input always gives the same name; the id's last 8 letters or digits keep titles apart.
pub fn branch_name(id: &str, title: &str) -> String {
    let id: Vec<char> = id.chars().filter(char::is_ascii_alphanumeric).collect();
    let short: String = id[id.len().saturating_sub(SHORT_ID)..]
        .iter()
        .collect::<String>()
        .to_ascii_lowercase();
    let parts = [slug(title), short];
    let name = parts
        .iter()
        .filter(|part| !part.is_empty())
        .cloned()
        .collect::<Vec<_>>()
        .join("-");
    format!("callboard/{}", if name.is_empty() { "task" } else { &name })
}

fn slug(title: &str) -> String {
    let mut slug = String::new();
    for word in title
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        let room = SLUG_MAX.saturating_sub(slug.len() + usize::from(!slug.is_empty()));
        if word.len() > room && !slug.is_empty() {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&word[..word.len().min(room)].to_ascii_lowercase());
    }
    slug
}

/// Refuses anything that is not a plain branch name, such as `main` or `callboard/x-1` (without `refs/heads/`).
pub fn check_branch(name: &str) -> Result<(), GitError> {
    if name == "HEAD" || name == "@" {
        return Err(GitError::invalid(
            "branch name",
            name,
            "it has a meaning of its own in git",
        ));
    }
    check(name).map_err(|why| GitError::invalid("branch name", name, why))
}

/// Refuses anything that is not a full ref name below `refs/`.
pub fn check_ref(name: &str) -> Result<(), GitError> {
    let below = name.strip_prefix("refs/").filter(|rest| rest.contains('/'));
    let checked = below.map_or(Err("a full name is needed, such as refs/heads/main"), check);
    checked.map_err(|why| GitError::invalid("ref name", name, why))
}

fn check(name: &str) -> Result<(), &'static str> {
    let bad = |c: char| c.is_control() || " ~^:?*[\\\u{7f}".contains(c);
    match name {
        "" => Err("it is empty"),
        _ if name.len() > 200 => Err("it is longer than 200 bytes"),
        _ if name.starts_with('-') => Err("it starts with a dash"),
        _ if name.contains(bad) => Err("it has a space, a control character or one of ~^:?*[\\"),
        _ if name.contains("..") || name.contains("@{") => Err("it contains `..` or `@{`"),
        _ if name.ends_with('.') => Err("it ends with a dot"),
        _ if !name.split('/').all(is_component) => {
            Err("a part is empty, starts with a dot or ends with .lock")
        }
        _ => Ok(()),
    }
}

fn is_component(part: &str) -> bool {
    !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock")
}

/// Refuses names of remotes that are options, addresses or paths.
pub(crate) fn check_remote(name: &str) -> Result<(), GitError> {
    check(name).map_err(|why| GitError::invalid("remote name", name, why))
}

/// The parts of a path inside a tree: relative, no `..`, nothing called `.git`.
pub(crate) fn tree_path(path: &Path) -> Result<Vec<&OsStr>, GitError> {
    let refuse = |why| GitError::invalid("path in the repository", &path.to_string_lossy(), why);
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) if part.eq_ignore_ascii_case(".git") => {
                return Err(refuse("it leads into .git"));
            }
            Component::Normal(part) if part.as_bytes().contains(&0) => {
                return Err(refuse("it has a NUL character"));
            }
            Component::Normal(part) => parts.push(part),
            Component::CurDir => {}
            _ => return Err(refuse("it must be relative and without `..`")),
        }
    }
    if parts.is_empty() {
        Err(refuse("it is empty"))
    } else {
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{branch_name, check_branch, check_ref, tree_path};

    #[test]
    fn titles_become_plain_branches() {
        let cases = [
            ("Add a login page", "callboard/add-a-login-page-3f9k2xyz"),
            ("--all", "callboard/all-3f9k2xyz"),
            ("-x", "callboard/x-3f9k2xyz"),
            ("a b", "callboard/a-b-3f9k2xyz"),
            ("../x", "callboard/x-3f9k2xyz"),
            ("Größe 🚀 測試", "callboard/gr-e-3f9k2xyz"),
            ("測試", "callboard/3f9k2xyz"),
            (
                "refs/heads/main.lock",
                "callboard/refs-heads-main-lock-3f9k2xyz",
            ),
        ];
        for (title, expected) in cases {
            assert_eq!(branch_name("t_01hzy3F9K2XYZ", title), expected);
        }
    }

    #[test]
    fn every_branch_name_passes_the_check_and_stays_short() {
        for title in [
            "",
            &"x".repeat(500),
            &"long words ".repeat(50),
            "\u{0}\n",
            "HEAD",
            "@{u}",
        ] {
            for id in ["t_01hzy3f9k2xyz", "", "t", "--"] {
                let name = branch_name(id, title);
                assert!(check_branch(&name).is_ok(), "{name}");
                assert!(name.len() <= "callboard/".len() + 40 + 1 + 8, "{name}");
            }
        }
    }

    #[test]
    fn hostile_names_are_refused() {
        let long = "x".repeat(201);
        for name in [
            "", "--all", "-x", "a b", "../x", "a..b", "a.lock", "a/", "/a", "a//b", "x@{1}",
            "HEAD", "@", "a\nb", &long,
        ] {
            assert!(check_branch(name).is_err(), "{name:?}");
        }
        for name in [
            "main",
            "refs/x",
            "refs/heads/-/../x",
            "refs/heads/ü:x",
            "heads/main",
        ] {
            assert!(check_ref(name).is_err(), "{name:?}");
        }
        assert!(check_branch("größe/ü").is_ok());
        assert!(check_ref("refs/callboard/kept/a_1").is_ok());
    }

    #[test]
    fn paths_stay_in_the_tree() {
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            ".git/config",
            "a/.GIT/x",
            ".",
        ] {
            assert!(tree_path(Path::new(path)).is_err(), "{path:?}");
        }
        assert_eq!(tree_path(Path::new("./a b/ü")).unwrap(), ["a b", "ü"]);
    }
}
