//! Values as they come in.
//! For: standard input or a prompt; and wrong command lines, whose error must not repeat a value.
//! Not for: judging a value (the vault does).

use crate::hidden;
use anyhow::{Context as _, bail};
use callboard_redact::{Scrubber, Secret};
use callboard_store::vault::LONGEST_VALUE;
use std::io::{IsTerminal as _, Read as _};
use zeroize::Zeroizing;

/// The value of a secret: everything on standard input but one line end at its end, or one hidden line.
pub(super) fn value(name: &str) -> anyhow::Result<Secret> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Ok(hidden::ask(
            &format!("Value of {name} (not shown): "),
            LONGEST_VALUE,
        )?);
    }
    // Room for all of it, so that no part is left behind where the text grew.
    let most = LONGEST_VALUE + 3;
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    stdin
        .lock()
        .take(most as u64)
        .read_to_end(&mut bytes)
        .context("reading the value from standard input")?;
    of(&bytes)
}

fn of(bytes: &[u8]) -> anyhow::Result<Secret> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        bail!("the value on standard input is not UTF-8 text: keep binary keys as base 64");
    };
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        bail!(
            "standard input is empty: pipe the value into the command, or type it at the prompt of a terminal"
        );
    }
    Ok(Secret::new(text.to_owned()))
}

/// What the parser says about a wrong `callboard vault …`, without the words that may be a value. `None` when it is
/// about another command.
pub(crate) fn refuse_shown_values(said: &str, words: &[String]) -> Option<String> {
    let at = words.iter().position(|word| word == "vault")?;
    let suspects = words.iter().skip(at + 2).filter_map(|word| {
        let text = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => value,
            _ if word.starts_with("--") => return None,
            _ => word,
        };
        Some(("…", text))
    });
    Some(
        Scrubber::new(suspects)
            .scrub(said)
            .replace("[vault:…]", "…"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_at_the_end_is_no_part_of_a_value() {
        for (text, value) in [
            ("sk-live-1\n", "sk-live-1"),
            ("sk-live-1\r\n", "sk-live-1"),
            ("sk-live-1", "sk-live-1"),
            (" a b \n\n", " a b \n"),
            ("-----BEGIN\nx\n-----END\n", "-----BEGIN\nx\n-----END"),
        ] {
            assert_eq!(of(text.as_bytes()).unwrap().expose(), value);
        }
        for bad in [&b""[..], b"\n", b"\xff\xfe"] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_value_in_a_wrong_command_line_is_not_repeated() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for wrong in [
            "callboard vault set --value=canary-0123456 NAME",
            "callboard vault list canary-0123456",
            "callboard vault lock canary-0123456",
        ] {
            let said = "error: 'canary-0123456' found; '--value=canary-0123456'";
            let told = refuse_shown_values(said, &words(wrong)).unwrap();
            assert!(!told.contains("canary"), "{wrong}: {told}");
        }
        let flag = refuse_shown_values(
            "error: '--no-such-flag'",
            &words("callboard vault list --no-such-flag"),
        );
        assert_eq!(flag.as_deref(), Some("error: '--no-such-flag'"));
        assert_eq!(
            refuse_shown_values("error: run", &words("callboard run vaults")),
            None
        );
    }
}
