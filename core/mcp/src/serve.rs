//! Serving a connection from its first line to its end.
//!
//! For: standard input and output, or any pair of streams; a clean and bounded end whenever input ends,
//! also before the first request. Not for: HTTP (see `http`).

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use callboard_store::actor;
use futures_util::future::LocalBoxFuture;
use rmcp::service::ServerInitializeError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::Server;
use crate::lines::Lines;
use crate::server::Served;
use crate::subscribe::Connection;

/// What running calls and the shutdown hook have after the end of input. With [`LAST_ROWS`] it stays under
/// the second in which a client may expect us gone.
const ENDING: Duration = Duration::from_millis(800);
/// What the call log has after that.
const LAST_ROWS: Duration = Duration::from_millis(150);

/// Why a connection could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The client's first requests made no session.
    #[error("no session came about: {0}")]
    Session(#[from] Box<ServerInitializeError>),
    /// The signals that end us could not be awaited.
    #[error("cannot wait for SIGTERM and SIGINT: {0}")]
    Signals(#[from] io::Error),
}

/// The runtime for a stdio server: one thread answers. With a second, messages are handed from one to the
/// other, which costs more (11 µs) than most answers; what takes long belongs on a blocking thread.
///
/// # Errors
/// The system gives no threads or no event queue.
pub fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("callboard")
        .enable_all()
        .build()
}

/// Runs `future` on [`runtime`] and leaves without waiting for threads that are stuck, as one that reads a
/// terminal is. Meant for `main`.
///
/// # Errors
/// As [`runtime`].
pub fn run<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let mut future = pin!(future);
    let mut done = None;
    let whole = std::future::poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        polled.map(|output| done = Some(output))
    });
    to_its_end(pin!(whole))?;
    done.ok_or_else(|| io::Error::other("the runtime ended before the work"))
}

/// Not generic: a runtime is much code, and is made once and not for each program.
fn to_its_end(future: Pin<&mut dyn Future<Output = ()>>) -> io::Result<()> {
    let runtime = runtime()?;
    runtime.block_on(future);
    runtime.shutdown_background();
    Ok(())
}

/// Serves standard input and output until input ends or SIGTERM or SIGINT comes, and returns within a
/// second of that. Standard output belongs to the protocol: nothing else may be printed.
///
/// # Errors
/// [`ServeError`]. The end of input is none, however early it comes.
pub fn serve_stdio<S: Send + Sync + 'static>(
    server: Server<S>,
) -> LocalBoxFuture<'static, Result<(), ServeError>> {
    serve_here(Arc::new(server.served()))
}

/// Standard input and output, in one place for every server.
fn serve_here(server: Arc<Served>) -> LocalBoxFuture<'static, Result<(), ServeError>> {
    Box::pin(async move {
        let closing = server.wrapper.closing.clone();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let watch = actor::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            closing.cancel();
        });
        let (read, write) = crate::stdio::open();
        let served = serve_streams(server, read, write).await;
        watch.abort();
        served
    })
}

/// Serves a pair of streams until `read` ends, and returns within a second of that.
///
/// # Errors
/// As [`serve_stdio`].
pub async fn serve_on<S, R, W>(server: Server<S>, read: R, write: W) -> Result<(), ServeError>
where
    S: Send + Sync + 'static,
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    serve_streams(Arc::new(server.served()), read, write).await
}

async fn serve_streams<R, W>(server: Arc<Served>, read: R, write: W) -> Result<(), ServeError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let closing = server.wrapper.closing.clone();
    let lines = Lines::new(read, write, closing.clone());
    let session = rmcp::serve_server(Connection::to(&server), lines).await;
    let (calls, outcome) = match session {
        Ok(session) => (Some(session), Ok(())),
        Err(error) => (None, ended_before_it_began(error)),
    };
    let calls = async {
        if let Some(session) = calls {
            let _ = session.waiting().await;
        }
        closing.cancel();
    };
    let ending = async {
        closing.cancelled().await;
        tokio::time::timeout(ENDING, server.shut_down()).await
    };
    let bound = async {
        closing.cancelled().await;
        tokio::time::sleep(ENDING).await;
    };
    tokio::select! {
        ((), _) = async { tokio::join!(calls, ending) } => {}
        () = bound => tracing::warn!("running calls did not end in time"),
    }
    server.wrapper.call_log.flush(LAST_ROWS).await;
    outcome
}

fn ended_before_it_began(error: ServerInitializeError) -> Result<(), ServeError> {
    match error {
        ServerInitializeError::ConnectionClosed(_)
        | ServerInitializeError::Cancelled
        | ServerInitializeError::TransportError { .. } => Ok(()),
        other => Err(Box::new(other).into()),
    }
}
