//! A provider that answers after as long as the prompt tells it to think, in OpenAI's protocol.
//! For: a process of its own, so that what it does is nobody's time or memory.

use super::asker::address_of;
use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use futures_util::stream::unfold;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

pub const HIDDEN: &str = "__provider";
/// The path before those of the protocol.
pub const BASE: &str = "/v1";
/// What stands before the number of milliseconds in a prompt.
pub const THINK_FOR: &str = "Think for ";

const WHOLE: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"small","choices":[{"index":0,"message":{"role":"assistant","content":"It adds two numbers and answers their sum.","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":150,"completion_tokens":9,"total_tokens":159}}"#;
/// Between two pieces of a stream.
const BETWEEN: Duration = Duration::from_millis(1);

/// Ended when dropped.
pub struct Provider {
    child: Child,
    pub address: SocketAddr,
}

impl Provider {
    pub fn start() -> Provider {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([HIDDEN, "openai"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let address = address_of(child.stdout.take().unwrap());
        Provider { child, address }
    }

    pub fn base(&self) -> String {
        format!("http://{}{BASE}", self.address)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Serves until it is killed; says on standard output where.
pub fn serve() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        println!("http://{}", listener.local_addr().unwrap());
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        let router = axum::Router::new().route("/v1/chat/completions", post(answer));
        axum::serve(listener, router).await.unwrap();
    });
}

async fn answer(body: Bytes) -> Response {
    let request = String::from_utf8_lossy(&body);
    let thinks = request.split_once(THINK_FOR).map_or(0, |(_, rest)| {
        let digits = rest.split_once("ms").map_or("", |(digits, _)| digits);
        digits.parse().unwrap()
    });
    if thinks > 0 {
        tokio::time::sleep(Duration::from_millis(thinks)).await;
    }
    let streams = request.contains(r#""stream":true"#) || request.contains(r#""stream": true"#);
    let (kind, body) = if streams {
        ("text/event-stream", stream())
    } else {
        ("application/json", Body::from(WHOLE))
    };
    Response::builder()
        .header("content-type", kind)
        .body(body)
        .unwrap()
}

fn stream() -> Body {
    let piece = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"small\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let usage = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"small\",\"choices\":[],\"usage\":{\"prompt_tokens\":150,\"completion_tokens\":9,\"total_tokens\":159}}\n\ndata: [DONE]\n\n";
    let pieces = vec![
        piece(r#"{"role":"assistant","content":"It adds"}"#, "null"),
        piece(r#"{"content":" two numbers"}"#, "null"),
        piece(r#"{"content":" and answers their sum."}"#, "null"),
        piece("{}", r#""stop""#) + usage,
    ];
    Body::from_stream(unfold(
        (pieces.into_iter(), true),
        async |(mut pieces, first)| {
            let piece = pieces.next()?;
            if !first {
                tokio::time::sleep(BETWEEN).await;
            }
            Some((Ok::<_, Infallible>(piece), (pieces, false)))
        },
    ))
}
