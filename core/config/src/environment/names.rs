//! Names of variables: which a child gets, which nobody may set, which move git.
//! For: the lists, and why a name is refused. Not for: what is set here (the snapshot says).

use std::collections::BTreeMap;

/// Names an agent gets when they are set here: who and where the user is, how text looks, where tools live.
pub(super) const PASSED: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "PYENV_ROOT",
    "NVM_DIR",
    "VOLTA_HOME",
    "ASDF_DATA_DIR",
    "JAVA_HOME",
    "GOPATH",
    "GOROOT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];

/// Names a task may not set: each makes some program load foreign code or look elsewhere for its settings.
const REFUSED: &[&str] = &[
    "PATH",
    "HOME",
    "IFS",
    "ENV",
    "BASH_ENV",
    "SHELLOPTS",
    "BASHOPTS",
    "PROMPT_COMMAND",
    "XDG_CONFIG_HOME",
    "NODE_OPTIONS",
    "PYTHONSTARTUP",
    "PYTHONPATH",
    "PYTHONHOME",
    "PERL5OPT",
    "PERL5LIB",
    "RUBYOPT",
    "JAVA_TOOL_OPTIONS",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
];

const REFUSED_PREFIXES: &[&str] = &["LD_", "DYLD_", "GIT_", "CALLBOARD_", "BASH_FUNC_"];

/// Variables that say where the user's configuration, the board and the register of projects are. Whoever starts us
/// with an environment of its own making has to hand these on, or there are two boards.
pub const PLACES: [&str; 4] = [
    "CALLBOARD_BOARD",
    "CALLBOARD_DATA_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
];

/// Variables of git that point it at another repository than the one it is started in.
pub(super) const GIT_REDIRECTS: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_CEILING_DIRECTORIES",
];

pub(super) const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Why an environment for a child can't be put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// A task wants to set a variable that it may not.
    #[error(
        "a task may not set {name}: it changes which programs run or what they load (refused: PATH, HOME, LD_*, DYLD_*, GIT_*, CALLBOARD_* and the like); put it into the agent's own configuration instead"
    )]
    Refused {
        /// The variable.
        name: String,
    },
    /// An agent's `pass_env` names a variable that is never passed.
    #[error(
        "pass_env may not name {name}: CALLBOARD_* is set for each task, and GIT_* could point git at another repository"
    )]
    NotPassed {
        /// The variable.
        name: String,
    },
    /// A task wants to name a secret.
    #[error(
        "a task may not name a secret (in {name}): name it in [agents.<name>.env] of your configuration, which a task can't read"
    )]
    NamesSecret {
        /// The variable.
        name: String,
    },
    /// No name of a variable at all.
    #[error(
        "{name:?} is no name of an environment variable: use letters, digits and _, not starting with a digit"
    )]
    BadName {
        /// What was given.
        name: String,
    },
    /// A value with a NUL byte.
    #[error("the value of {name} holds a NUL character, which no environment can carry")]
    BadValue {
        /// The variable.
        name: String,
    },
    /// A value of our own environment that is not UTF-8.
    #[error(
        "the value of {name} is not valid UTF-8, so it can't be passed on: unset it or set it to plain text"
    )]
    NotText {
        /// The variable.
        name: String,
    },
}

/// Refuses variables that a task (as opposed to the user's configuration) may not set.
///
/// # Errors
/// The first that is refused.
pub fn check_task_env(extra: &BTreeMap<String, String>) -> Result<(), EnvironmentError> {
    for (name, value) in extra {
        check_name(name)?;
        if value.contains('\0') {
            return Err(EnvironmentError::BadValue { name: name.clone() });
        }
        if crate::template::has_reference(value) {
            return Err(EnvironmentError::NamesSecret { name: name.clone() });
        }
        // Some programs read these names whatever their case, so case is no way around the list.
        let upper = name.to_ascii_uppercase();
        let prefixed = REFUSED_PREFIXES.iter().any(|p| upper.starts_with(p));
        if prefixed || REFUSED.contains(&upper.as_str()) {
            return Err(EnvironmentError::Refused { name: name.clone() });
        }
    }
    Ok(())
}

/// Refuses names that an agent's `pass_env` may not hold.
pub(crate) fn check_passed_name(name: &str) -> Result<(), EnvironmentError> {
    check_name(name)?;
    let upper = name.to_ascii_uppercase();
    if upper.starts_with("CALLBOARD_") || upper.starts_with("GIT_") {
        return Err(EnvironmentError::NotPassed {
            name: name.to_owned(),
        });
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), EnvironmentError> {
    let good = !name.is_empty()
        && name.len() <= 200
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if good {
        return Ok(());
    }
    Err(EnvironmentError::BadName {
        name: crate::error::shown(name),
    })
}
