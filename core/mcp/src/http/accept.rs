//! Connections, from the first byte to the last.
//!
//! For: accepting them, bounding them, and ending all of them in good order. Not for: what is asked on them.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use callboard_store::actor;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::guarded::{Activity, Guarded};
use super::held::hold;
use super::route::Site;
use super::stop::EndedAtOnce;
use super::{Http, Listener, Stop};

/// What answers that are on their way have when everything else has ended.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// When the system has no more descriptors, how long until we ask again.
const BREATH: Duration = Duration::from_millis(50);
/// How far the library's own bounds on a head lie above ours, so that ours answer first: with a body, the
/// request's id and a line in the log. Beyond them it answers with a status and nothing else, as it does to
/// bytes that are no request: there nothing is known that an answer could say more about.
const BACKSTOP: usize = 2;
/// Files that are no connections.
const OTHER_FILES: u64 = 512;
/// After this much silence the system asks a peer whether it is still there.
const SILENT: Duration = Duration::from_secs(15);

/// How the connections of one server are told to end.
#[derive(Clone, Default)]
struct Ends {
    /// After the answer that is under way.
    soon: CancellationToken,
    now: CancellationToken,
    open: TaskTracker,
}

pub(crate) async fn serve(http: Http, listener: Listener, stop: Stop) -> Result<(), EndedAtOnce> {
    let load = http.load();
    let site = Arc::new(Site::new(http));
    make_room(site.limits.connections);
    let ends = Ends::default();
    load.begin(&site, &ends.open);
    let accepting = actor::spawn(accept(listener, Arc::clone(&site), ends.clone()));
    let sweeping: Vec<_> = site
        .mounts
        .iter()
        .map(|mount| actor::spawn(mount.sweep()))
        .collect();
    stop.said().await;
    tracing::info!("ending: nothing new begins, running calls may end");
    site.begin_to_end();
    let ended = tokio::select! {
        () = wind_down(&site, &ends) => Ok(()),
        () = stop.said_twice() => {
            let calls = site.mounts.iter().map(|mount| mount.calls()).sum();
            Err(EndedAtOnce { calls })
        }
    };
    accepting.abort();
    sweeping.iter().for_each(tokio::task::JoinHandle::abort);
    ends.now.cancel();
    ends.open.close();
    ends.open.wait().await;
    ended
}

/// Ends everything in the order in which nothing is lost: calls, waits, streams, connections, servers.
async fn wind_down(site: &Site, ends: &Ends) {
    let bound = site.limits.ending;
    if tokio::time::timeout(bound, at_rest(site)).await.is_err() {
        tracing::info!(
            seconds = bound.as_secs(),
            "calls still at work are answered as cancelled"
        );
    }
    site.give_up.cancel();
    for mount in &site.mounts {
        mount.give_up();
    }
    let _ = tokio::time::timeout(LAST_ANSWERS, at_rest(site)).await;
    futures_util::future::join_all(site.mounts.iter().map(|mount| mount.hang_up())).await;
    ends.soon.cancel();
    ends.open.close();
    let _ = tokio::time::timeout(LAST_ANSWERS, ends.open.wait()).await;
    futures_util::future::join_all(site.mounts.iter().map(|mount| mount.shut_down())).await;
}

/// Completes when no call is at work and every answer is out.
async fn at_rest(site: &Site) {
    loop {
        for mount in &site.mounts {
            mount.idle().await;
        }
        site.exchanges.wait().await;
        if site.mounts.iter().all(|mount| mount.calls() == 0) {
            return;
        }
    }
}

async fn accept(listener: Listener, site: Arc<Site>, ends: Ends) {
    let room = Arc::new(Semaphore::new(site.limits.connections));
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let (stream, peer) = match listener.tcp.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        prepare(&stream);
        let (site, tls) = (Arc::clone(&site), listener.tls.clone());
        let (serving, now) = (ends.clone(), ends.now.clone());
        ends.open.spawn(async move {
            let connection = async {
                let from = peer.ip().to_canonical();
                match tls {
                    None => converse(stream, from, site, &serving).await,
                    Some(tls) => {
                        let shaken =
                            tokio::time::timeout(site.limits.head_within, tls.accept(stream));
                        if let Ok(Ok(stream)) = shaken.await {
                            converse(stream, from, site, &serving).await;
                        }
                    }
                }
            };
            tokio::select! {
                () = connection => {}
                () = now.cancelled() => {}
            }
            drop(place);
        });
    }
}

/// Each connection is an open file, and the usual bound on those is lower than ours: raises it as far as the
/// system allows. Beyond that, connections wait to be accepted.
fn make_room(connections: usize) {
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX);
    let wanted = wanted.saturating_add(OTHER_FILES);
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(limit.maximum.map_or(wanted, |most| most.min(wanted)));
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(%error, "the bound on open files stays as it is");
        }
    }
}

/// Small answers leave at once, and a peer that has vanished is noticed.
fn prepare(stream: &TcpStream) {
    let set = stream.set_nodelay(true).and_then(|()| {
        sockopt::set_socket_keepalive(stream, true)?;
        sockopt::set_tcp_keepidle(stream, SILENT)?;
        sockopt::set_tcp_keepintvl(stream, SILENT)?;
        sockopt::set_tcp_keepcnt(stream, 2)?;
        let most = u32::try_from(2 * SILENT.as_millis()).unwrap_or(u32::MAX);
        Ok(sockopt::set_tcp_user_timeout(stream, most)?)
    });
    if let Err(error) = set {
        tracing::debug!(%error, "a connection could not be set up");
    }
}

async fn converse<T>(stream: T, from: IpAddr, site: Arc<Site>, ends: &Ends)
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let activity = Arc::new(Activity::default());
    let guarded = Guarded::new(stream, Arc::clone(&activity), &site.limits);
    let limits = site.limits.clone();
    let service = service_fn(move |request| {
        let (site, activity) = (Arc::clone(&site), Arc::clone(&activity));
        // On the heap: the library keeps room for it as long as the connection is open, and it needs many kilobytes
        // for the moment of an answer.
        Box::pin(async move {
            activity.answering();
            let answered = Answered(activity);
            let answer = site.answer(request, from).await;
            Ok::<_, Infallible>(hold(answer, answered))
        })
    });
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.connection_idle + limits.head_within)
            .max_headers(limits.headers.saturating_mul(BACKSTOP))
            .max_buf_size(limits.head_bytes.max(8_192).saturating_mul(BACKSTOP))
            .serve_connection(TokioIo::new(guarded), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ends.soon.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    match ended {
        // The library answers these itself, with a status and nothing else.
        Err(error) if error.is_parse() => {
            tracing::info!(%from, %error, "what came is no request that can be read; it was turned away");
        }
        Err(error) => tracing::debug!(%error, "a connection ended early"),
        Ok(()) => {}
    }
}

/// Tells the connection that its answer is out, or that nobody waits for it.
struct Answered(Arc<Activity>);

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.answered();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn small_answers_leave_at_once_and_vanished_peers_are_noticed() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let _client = TcpStream::connect(address).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        assert!(!stream.nodelay().unwrap(), "it would prove nothing");
        prepare(&stream);
        assert!(stream.nodelay().unwrap());
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), SILENT);
    }
}
