//! A home whose models are scripted ones, behind the gateway of `callboard serve`.

use crate::{Finished, Home};
use std::io::Write as _;
use std::process::Stdio;

/// What the providers of such a home are asked with; nobody but they may ever see it.
pub const CANARY: &str = "sk-canary-5f8e2d71c0b94a36";

/// Writes the configuration, and puts the providers' key into the vault. Each provider is a name, a wire and a base
/// URL; `more` follows.
///
/// # Panics
/// When the vault does not take it.
pub fn configure(home: &Home, providers: &[(&str, &str, &str)], more: &str) {
    let mut text = String::new();
    for (name, wire, base) in providers {
        text.push_str(&format!(
            "[providers.{name}]\nwire = \"{wire}\"\nbase_url = \"{base}\"\nkey = \"${{vault:MODELS}}\"\n"
        ));
    }
    text.push_str(more);
    home.write(&home.path().join("config/callboard/config.toml"), &text);
    let done = given(home, &["vault", "set", "MODELS"], CANARY);
    assert_eq!(done.code, 0, "{}", done.err);
}

/// Makes a key for models.
///
/// # Panics
/// When it can't be made.
#[must_use]
pub fn key(home: &Home, name: &str, more: &[&str]) -> String {
    let args = [&["token", "add", name, "--gateway"], more].concat();
    let made = home.callboard(&args);
    assert_eq!(made.code, 0, "{}", made.err);
    made.out.trim().to_owned()
}

fn given(home: &Home, args: &[&str], input: &str) -> Finished {
    let ours = home.command("callboard");
    let mut command = std::process::Command::new("setsid");
    command.arg("-w").arg(ours.get_program()).args(args);
    command.env_clear().current_dir(home.path());
    let variables = ours.get_envs();
    command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let done = child.wait_with_output().unwrap();
    Finished {
        code: done.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&done.stdout).into_owned(),
        err: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}
