//! The least that a server on rmcp can be: one tool that answers what it was given.

use axum::serve::ListenerExt as _;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServiceExt as _, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

pub const HIDDEN: &str = "__echo";
/// As rmcp's documentation has it (`transport::stdio`), on one thread and on tokio's own choice of threads;
/// then on the transport that our servers took instead, on one thread: as fast as it gets.
pub const FLAVOURS: [&str; 3] = ["stdio one", "stdio many", "pipes one"];

/// Over Streamable HTTP, on tokio's own choice of threads; says on standard output where.
pub const HTTP: &str = "http many";

#[derive(Clone)]
struct Echo;

#[derive(Deserialize, JsonSchema)]
struct EchoParams {
    text: String,
}

#[tool_router(server_handler)]
impl Echo {
    #[tool(description = "Answers what it was given")]
    async fn echo(&self, Parameters(params): Parameters<EchoParams>) -> String {
        params.text
    }
}

/// Serves standard input and output.
pub fn serve(flavour: &str) {
    let (transport, threads) = flavour.split_once(' ').unwrap();
    if transport == "http" {
        return runtime(threads).block_on(serve_http());
    }
    runtime(threads).block_on(async {
        let session = match transport {
            "stdio" => Echo.serve(rmcp::transport::stdio()).await,
            _ => Echo.serve(rmcp::transport::io::stdio_pipes()).await,
        };
        session.unwrap().waiting().await.unwrap();
    });
}

async fn serve_http() {
    let service = StreamableHttpService::new(
        || Ok(Echo),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
    let router = axum::Router::new().nest_service("/mcp", service);
    axum::serve(listener, router).await.unwrap();
}

fn runtime(threads: &str) -> Runtime {
    let mut builder = match threads {
        "one" => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.enable_all().build().unwrap()
}
