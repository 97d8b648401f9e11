//! The projects in the register, and whether they are trusted as they are now.

use super::{Check, State};
use callboard_config::{Environment, Project, ProjectFile, Projects};
use std::path::Path;

pub(super) fn checks(environment: &Environment) -> Vec<Check> {
    let register = match Projects::of(environment) {
        Ok(register) => register,
        Err(error) => {
            return vec![Check::new(
                "projects",
                "register",
                State::Problem,
                error.to_string(),
            )];
        }
    };
    match register.all() {
        Ok(all) => all
            .iter()
            .map(|(root, project)| project_check(root, project))
            .collect(),
        Err(error) => vec![Check::new(
            "projects",
            "register",
            State::Problem,
            error.to_string(),
        )],
    }
}

fn project_check(root: &Path, project: &Project) -> Check {
    let name = root.display().to_string();
    if !root.is_dir() {
        return Check::new("projects", name, State::Note, "is gone")
            .advice("its entry in projects.toml does no harm");
    }
    let board = project
        .board
        .as_ref()
        .map_or_else(String::new, |board| format!("; board {}", board.display()));
    let (state, trust) = match (ProjectFile::read(root), &project.trusted) {
        (Err(error), _) => (State::Note, error.to_string()),
        (Ok(Some(file)), Some(trusted)) if file.sha256 == *trusted => {
            (State::Ok, "trusted".to_owned())
        }
        (Ok(Some(file)), _) if file.dangerous().is_empty() => {
            (State::Ok, "needs no trust".to_owned())
        }
        (Ok(Some(_)), Some(_)) => (State::Note, "changed since it was trusted".to_owned()),
        (Ok(Some(_)), None) => (State::Note, "not trusted".to_owned()),
        (Ok(None), _) => (State::Ok, "no configuration of its own".to_owned()),
    };
    let check = Check::new("projects", name.clone(), state, format!("{trust}{board}"));
    if trust.contains("not trusted") || trust.contains("changed") {
        return check.advice(format!(
            "review its callboard.toml, then `callboard trust {name}`"
        ));
    }
    check
}
