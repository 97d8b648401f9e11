//! A server on its own standard input and output: a message a line.

use super::bounds::{TooLong, read_line};
use super::link::Router;
use super::traffic::Way;
use crate::rig::Child;
use crate::values::Wrong;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::ChildStdout;

/// After the end of the process, how long what it wrote may take to arrive: a grandchild may hold the pipe.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A process and what came from it.
#[derive(Debug)]
pub(super) struct Stdio {
    child: Arc<Child>,
    router: Router,
    reader: tokio::task::JoinHandle<()>,
}

impl Stdio {
    pub(super) fn new(child: Arc<Child>, output: ChildStdout, router: Router) -> Stdio {
        let reader = tokio::spawn(read(output, router.clone(), Arc::clone(&child)));
        Stdio {
            child,
            router,
            reader,
        }
    }

    pub(super) fn child(&self) -> &Child {
        &self.child
    }

    pub(super) async fn line(&self, line: &str) -> Result<(), Wrong> {
        self.router.traffic.add(Way::Sent, line);
        self.write(format!("{line}\n").as_bytes(), 1).await
    }

    /// Writes bytes, in so many pieces with a pause between.
    pub(super) async fn write(&self, bytes: &[u8], pieces: usize) -> Result<(), Wrong> {
        let mut stdin = self.child.stdin.lock().await;
        let Some(pipe) = stdin.as_mut() else {
            return Err("the server's standard input is closed".to_owned());
        };
        let size = bytes.len().div_ceil(pieces.max(1)).max(1);
        for (at, piece) in bytes.chunks(size).enumerate() {
            if at > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let written = async {
                pipe.write_all(piece).await?;
                pipe.flush().await
            };
            if let Err(error) = written.await {
                // The pipe breaks a moment before its end is known.
                let end = tokio::time::timeout(Duration::from_millis(500), self.child.wait());
                let ended = end
                    .await
                    .ok()
                    .map_or_else(String::new, |end| format!("; it {}", end.told()));
                return Err(format!("the server does not read: {error}{ended}"));
            }
        }
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.child.stdin.lock().await.take();
    }
}

impl Drop for Stdio {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read(output: ChildStdout, router: Router, child: Arc<Child>) {
    let mut output = BufReader::with_capacity(64 * 1024, output);
    let mut line = Vec::new();
    let reading = async {
        while read_line(&mut output, &mut line).await? {
            let text = String::from_utf8_lossy(&line);
            if !text.trim().is_empty() {
                router.take_text(text.trim_end());
            }
        }
        Ok::<(), TooLong>(())
    };
    let read = tokio::select! {
        read = reading => read,
        () = async { child.wait().await; tokio::time::sleep(LAST_WORDS).await; } => Ok(()),
    };
    if let Err(wrong) = read {
        // Where the next message would begin is not known: nothing more is read.
        return router.broke(&wrong.to_string());
    }
    let told = match tokio::time::timeout(LAST_WORDS, child.wait()).await {
        Ok(ended) => format!("the server {}", ended.told()),
        Err(_) => "the server closed its standard output".to_owned(),
    };
    router.traffic.add(Way::Noted, &told);
    router.inbox.close(&told);
}
