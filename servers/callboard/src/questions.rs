//! `callboard questions` and `callboard answer`: what calls of tools wait for a person to say.
//! For: showing the questions that no client could put to its user, and recording an answer.
//! Not for: asking (servers do), or running the call again (whoever made it does).

use anyhow::bail;
use callboard_config::{Config, Environment, Overrides};
use callboard_mcp::{
    QuestionError, StoredQuestion, Verdict, question_answer, question_json, question_list,
};
use callboard_store::actor::{Actor, scope_now};
use callboard_store::{Clock, Store, SystemClock};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Arguments of `callboard questions`.
#[derive(Debug, Clone, clap::Args)]
pub struct QuestionsArgs {
    /// Also those that are answered, until the answer is used
    #[arg(long)]
    pub all: bool,
    /// A JSON array, for programs
    #[arg(long)]
    pub json: bool,
    /// The directory of the board
    #[arg(long, value_name = "DIR")]
    pub board: Option<PathBuf>,
}

/// Arguments of `callboard answer`.
#[derive(Debug, Clone, clap::Args)]
pub struct AnswerArgs {
    /// The question's id, as `callboard questions` shows it
    pub id: String,
    /// The answer: yes or no, one of the choices, text or a number
    #[arg(conflicts_with_all = ["field", "decline"])]
    pub value: Option<String>,
    /// One field of a question that has several; give it once for each
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "decline")]
    pub field: Vec<String>,
    /// Say no to the question as such
    #[arg(long)]
    pub decline: bool,
    /// The directory of the board
    #[arg(long, value_name = "DIR")]
    pub board: Option<PathBuf>,
}

/// Lists what waits for a person.
///
/// # Errors
/// The board can't be opened.
pub fn questions(
    args: &QuestionsArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let board = directory(args.board.as_ref(), environment)?;
    let now = SystemClock.now_ms();
    let found = match open(&board)? {
        Some(store) => store.read_now(|c| question_list(c, now, args.all))?,
        None => Vec::new(),
    };
    if args.json {
        let list: Vec<_> = found.iter().map(question_json).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        writeln!(out, "No question waits for a person.")?;
    }
    for question in &found {
        show(question, now, out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(question: &StoredQuestion, now: i64, out: &mut dyn Write) -> std::io::Result<()> {
    let (server, tool) = (&question.server, &question.tool);
    let minutes = (now - question.asked_at).max(0) / 60_000;
    writeln!(
        out,
        "{}  {server}: {tool}, called by {}, {minutes} min ago, {}",
        question.id,
        printable(&question.caller),
        question.state
    )?;
    writeln!(out, "  {}", printable(&question.message))?;
    for (name, words) in question.fields() {
        writeln!(out, "  - {name}: {}", printable(&words))?;
    }
    if question.state == "open" {
        writeln!(out, "  {}", question.command())?;
    }
    Ok(())
}

/// A client's words must not drive the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Records an answer.
///
/// # Errors
/// No such question, one that is answered, or an answer that does not fit; nothing is recorded then.
pub fn answer(
    args: &AnswerArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let verdict = verdict(args)?;
    let board = directory(args.board.as_ref(), environment)?;
    let Some(store) = open(&board)? else {
        return Err(QuestionError::NotFound {
            id: args.id.clone(),
        }
        .into());
    };
    let (id, now) = (args.id.clone(), SystemClock.now_ms());
    let actor = Arc::new(Actor::command(&environment.user(), "answer"));
    let answered = scope_now(actor, || {
        store.write_blocking(move |c| question_answer(c, now, &id, &verdict))
    })?;
    writeln!(
        out,
        "{} is answered ({}). {} goes on when it is called again with the same arguments.",
        answered.id, answered.state, answered.tool
    )?;
    Ok(ExitCode::SUCCESS)
}

fn verdict(args: &AnswerArgs) -> anyhow::Result<Verdict> {
    if args.decline {
        return Ok(Verdict::Decline);
    }
    if let Some(value) = &args.value {
        return Ok(Verdict::Value(value.clone()));
    }
    if args.field.is_empty() {
        bail!(
            "say what the answer is: `callboard answer {} VALUE`, or --field NAME=VALUE, or --decline",
            args.id
        );
    }
    let pair = |field: &String| match field.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.to_owned())),
        None => Err(anyhow::anyhow!("--field {field}: write it as NAME=VALUE")),
    };
    Ok(Verdict::Fields(
        args.field.iter().map(pair).collect::<Result<_, _>>()?,
    ))
}

fn directory(board: Option<&PathBuf>, environment: &Environment) -> anyhow::Result<PathBuf> {
    let flags = Overrides {
        board: board.cloned(),
        ..Overrides::default()
    };
    Ok(Config::for_server(environment, &flags)?.board.value)
}

/// The board, if there is one; looking makes none.
fn open(directory: &Path) -> anyhow::Result<Option<Store>> {
    if !directory.join("board.db").exists() {
        return Ok(None);
    }
    let opened = callboard_board::open(directory);
    let store =
        opened.map_err(|error| anyhow::anyhow!("the board in {}: {error}", directory.display()))?;
    Ok(Some(store))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: AnswerArgs,
    }

    fn read(line: &[&str]) -> anyhow::Result<Verdict> {
        let words = std::iter::once("answer").chain(line.iter().copied());
        verdict(&Line::try_parse_from(words)?.args)
    }

    #[test]
    fn an_answer_is_a_value_or_fields_or_a_no() {
        assert_eq!(
            read(&["q_1", "yes"]).unwrap(),
            Verdict::Value("yes".to_owned())
        );
        assert_eq!(read(&["q_1", "--decline"]).unwrap(), Verdict::Decline);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            read(&["q_1", "--field", "a=1", "--field", "b=x=y"]).unwrap(),
            Verdict::Fields(vec![pair("a", "1"), pair("b", "x=y")])
        );
        for wrong in [
            &["q_1"][..],
            &["q_1", "yes", "--decline"],
            &["q_1", "yes", "--field", "a=1"],
            &["q_1", "--field", "a"],
            &[],
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn looking_makes_no_board() {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment::of([("HOME", dir.path())], dir.path());
        let board = dir.path().join("board");
        let args = QuestionsArgs {
            all: false,
            json: false,
            board: Some(board.clone()),
        };
        let mut out = Vec::new();
        questions(&args, &environment, &mut out).unwrap();
        assert_eq!(out, b"No question waits for a person.\n");
        assert!(!board.exists());
    }
}
