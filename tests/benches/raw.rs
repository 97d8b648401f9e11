//! The contender without a product: a thread, a channel, and the same statements.
//!
//! It says to SQLite exactly what scheduling says, prepared once, in the same savepoints and batches. It
//! checks nothing, reads only the columns that it has to bind again, and answers with one id: what is
//! missing from its speed to ours is the price of the layers.

use crate::cycle::Cycle;
use crate::scratch;
use crate::script::Script;
use callboard_store::Ids;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::path::Path;
use tokio::sync::{mpsc, oneshot};

/// As many waiting operations as the store allows.
const QUEUE: usize = 4096;

/// One cycle as three scripts.
pub struct Scripts {
    pub add: Script,
    pub claim: Script,
    pub finish: Script,
}

pub struct Raw {
    queue: mpsc::Sender<Job>,
    ids: Ids,
}

#[derive(Clone, Copy)]
enum Step {
    Add,
    Claim,
    Finish,
}

struct Job {
    step: Step,
    input: String,
    now: i64,
    reply: oneshot::Sender<rusqlite::Result<Option<Value>>>,
}

impl Raw {
    /// Works on the board in `dir`, which nobody else has open, with at most `batch` operations in a commit.
    pub fn open(dir: &Path, scripts: Scripts, batch: usize) -> Raw {
        let db = Connection::open(dir.join("board.db")).unwrap();
        // As the store's writer has them.
        db.execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;
             PRAGMA cache_size=-8192; PRAGMA wal_autocheckpoint=1000; PRAGMA journal_size_limit=16777216;",
        )
        .unwrap();
        let (queue, jobs) = mpsc::channel(QUEUE);
        std::thread::spawn(move || serve(&db, jobs, &scripts, batch).unwrap());
        Raw {
            queue,
            ids: Ids::system(),
        }
    }

    async fn ask(&self, step: Step, input: String, now: i64) -> Option<Value> {
        let (reply, answer) = oneshot::channel();
        let sent = self
            .queue
            .send(Job {
                step,
                input,
                now,
                reply,
            })
            .await;
        assert!(sent.is_ok(), "the writer is at work");
        answer.await.unwrap().unwrap()
    }
}

impl Cycle for Raw {
    async fn cycle(&self) {
        let now = scratch::now();
        self.ask(Step::Add, self.ids.next("t_", now), now).await;
        let now = scratch::now();
        let claimed = self.ask(Step::Claim, self.ids.next("a_", now), now).await;
        let Some(Value::Text(task)) = claimed else {
            panic!("a task was posted before")
        };
        self.ask(Step::Finish, task, scratch::now()).await;
    }
}

fn serve(
    db: &Connection,
    mut queue: mpsc::Receiver<Job>,
    scripts: &Scripts,
    batch: usize,
) -> rusqlite::Result<()> {
    let mut begin = db.prepare("BEGIN IMMEDIATE")?;
    let mut commit = db.prepare("COMMIT")?;
    let mut savepoint = db.prepare("SAVEPOINT operation")?;
    let mut release = db.prepare("RELEASE operation")?;
    let mut prepared = [
        scripts.add.prepare(db)?,
        scripts.claim.prepare(db)?,
        scripts.finish.prepare(db)?,
    ];
    let scripts = [&scripts.add, &scripts.claim, &scripts.finish];
    let mut jobs: Vec<Job> = Vec::with_capacity(batch);
    let mut answers = Vec::with_capacity(batch);
    while queue.blocking_recv_many(&mut jobs, batch) > 0 {
        begin.raw_execute()?;
        for job in jobs.drain(..) {
            savepoint.raw_execute()?;
            let at = job.step as usize;
            let result = scripts[at].run(&mut prepared[at], &job.input, job.now);
            release.raw_execute()?;
            answers.push((job.reply, result));
        }
        commit.raw_execute()?;
        for (reply, result) in answers.drain(..) {
            drop(reply.send(result));
        }
    }
    Ok(())
}
