//! The least that a server on rmcp can be: one tool that answers what it was given.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ServiceExt as _, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::runtime::{Builder, Runtime};

pub const HIDDEN: &str = "__echo";
/// As rmcp's documentation has it (`transport::stdio`), on one thread and on tokio's own choice of threads;
/// then on the transport that our servers took instead, on one thread: as fast as it gets.
pub const FLAVOURS: [&str; 3] = ["stdio one", "stdio many", "pipes one"];

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
    runtime(threads).block_on(async {
        let session = match transport {
            "stdio" => Echo.serve(rmcp::transport::stdio()).await,
            _ => Echo.serve(rmcp::transport::io::stdio_pipes()).await,
        };
        session.unwrap().waiting().await.unwrap();
    });
}

fn runtime(threads: &str) -> Runtime {
    let mut builder = match threads {
        "one" => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.enable_all().build().unwrap()
}
