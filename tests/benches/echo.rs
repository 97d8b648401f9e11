//! The least that a server on rmcp can be: one tool that answers what it was given.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ServiceExt as _, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::runtime::{Builder, Runtime};

pub const HIDDEN: &str = "__echo";
/// A thread for everything, and the runtime that our own servers have.
pub const FLAVOURS: [&str; 2] = ["current", "multi"];

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

/// Serves standard input and output, on rmcp's own fastest transport.
pub fn serve(flavour: &str) {
    runtime(flavour).block_on(async {
        let session = Echo
            .serve(rmcp::transport::io::stdio_pipes())
            .await
            .unwrap();
        session.waiting().await.unwrap();
    });
}

fn runtime(flavour: &str) -> Runtime {
    match flavour {
        "current" => Builder::new_current_thread().enable_all().build().unwrap(),
        _ => callboard_mcp::runtime().unwrap(),
    }
}
