//! A process that calls: this test binary again, told what to do line by line.

#![expect(clippy::print_stdout, reason = "it answers on standard output")]

use crate::place::{self, Dice, MODELS, MOST_OUTPUT, Place, setting};
use callboard_models::Models;
use callboard_routing::chat::Chat;
use callboard_routing::engine::{Ask, CallError, Router, Wanted, Who};
use callboard_store::{Clock as _, SystemClock};
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

const HOME: &str = "CALLBOARD_CHAOS_HOME";
const DICE: &str = "CALLBOARD_CHAOS_DICE";
/// Callers in a process.
const CALLERS: usize = 2;
/// After so many refusals one after the other a caller says so.
const REFUSALS: u32 = 3;
/// How long a task is worked on, ms; its budget is its own.
const TASK_MS: i64 = 1_000;

/// A child; killed when dropped.
pub struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub fn start(place: &Place, dice: u64) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::child", "--ignored", "--nocapture"])
            .env(HOME, place.path())
            .env(DICE, dice.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Process { child, lines }
    }

    pub fn say(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
    }

    /// The rest of its next line with this word; the test harness prints others.
    pub fn hear(&mut self, word: &str) -> String {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if let Some((_, rest)) = line.split_once(word) {
                return rest.to_owned();
            }
        }
        panic!("a process ended before it said {word:?}")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert_eq!(ended, None, "a process ended by itself");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
#[ignore = "not a test: what the children of the test run"]
fn child() {
    let Ok(home) = std::env::var(HOME) else {
        return;
    };
    place::runtime().block_on(work(PathBuf::from(home), Dice(setting(DICE, 1))));
}

async fn work(home: PathBuf, mut dice: Dice) {
    let models = place::open(home).await;
    let duties = models.keep();
    let (tell, mut told) = tokio::sync::mpsc::channel(8);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lines().map_while(Result::ok);
        lines.for_each(|line| drop(tell.blocking_send(line)));
    });
    let mut callers: Vec<JoinHandle<()>> = Vec::new();
    let mut rests = Arc::new(AtomicBool::new(false));
    while let Some(line) = told.recv().await {
        match line.split_once(' ').unwrap_or((line.as_str(), "")) {
            ("call", route) => {
                if route == "one" {
                    patient(models.router());
                }
                rests = Arc::default();
                callers = (0..CALLERS)
                    .map(|_| {
                        let caller = Caller {
                            router: models.router().clone(),
                            route: route.to_owned(),
                            rests: Arc::clone(&rests),
                            dice: Dice(dice.below(u64::MAX)),
                        };
                        tokio::spawn(caller.call())
                    })
                    .collect();
            }
            ("rest", _) => {
                rests.store(true, Ordering::SeqCst);
                for caller in callers.drain(..) {
                    caller.await.unwrap();
                }
                println!("rested");
            }
            ("standing", _) => println!("standing {}", standing(&models).await),
            (other, _) => panic!("no word {other:?}"),
        }
    }
    duties.end().await;
}

/// From now on breakers stay open longer than the test takes.
fn patient(router: &Router) {
    let mut settings = (*router.settings()).clone();
    settings.breaker.open_ms = 600_000;
    router.replace(settings);
}

async fn standing(models: &Models) -> String {
    let (model, provider) = MODELS[0];
    let all = models.router().standing().await.unwrap();
    let found = all
        .into_iter()
        .find(|one| one.provider == provider && one.model == model);
    let breaker = found.unwrap().breaker.expect("a breaker");
    let (state, failures, until) = (breaker.state, breaker.failures, breaker.until);
    format!("{provider}/{model} {state} {failures} {until:?}")
}

/// Calls one after the other: whole, streamed, or given up in the middle.
struct Caller {
    router: Router,
    route: String,
    rests: Arc<AtomicBool>,
    dice: Dice,
}

impl Caller {
    async fn call(mut self) {
        let mut refused = 0;
        while !self.rests.load(Ordering::SeqCst) {
            let ask = self.ask();
            let ended = match self.dice.below(4) {
                0 => {
                    let patience = Duration::from_millis(self.dice.below(30));
                    let answered = tokio::time::timeout(patience, self.router.complete(ask)).await;
                    answered.map_or(Ok(()), |answered| answered.map(drop))
                }
                1 => self.stream(ask).await,
                _ => self.router.complete(ask).await.map(drop),
            };
            match ended {
                Err(CallError::Nobody(_)) => refused += 1,
                Ok(()) | Err(CallError::Denied(_) | CallError::Failed { .. }) => refused = 0,
                Err(other) => panic!("{other}"),
            }
            if refused == REFUSALS {
                println!("refused");
            }
            tokio::time::sleep(Duration::from_millis(5 + self.dice.below(20))).await;
        }
    }

    fn ask(&mut self) -> Ask {
        let route = match self.route.as_str() {
            "mixed" => ["main", "dear"][self.dice.pick(2)],
            one => one,
        };
        let mut chat = Chat::ask("", "hi");
        chat.max_output = Some(MOST_OUTPUT);
        let who = Who {
            task: Some(format!("t_{}", SystemClock.now_ms() / TASK_MS)),
            ..Who::default()
        };
        let ask = Ask::new(chat).to(Wanted::Route(route.to_owned()));
        Ask { who, ..ask }
    }

    async fn stream(&self, ask: Ask) -> Result<(), CallError> {
        let mut answering = self.router.stream(ask).await?;
        while let Some(event) = answering.next().await {
            if event.is_err() {
                break;
            }
        }
        Ok(())
    }
}
