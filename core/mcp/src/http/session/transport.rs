//! A session as the protocol library sees it.

use std::convert::Infallible;
use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::Transport;

use super::Session;

/// The server's end of a session.
pub(crate) struct ServerEnd(pub(crate) Arc<Session>);

impl Transport<RoleServer> for ServerEnd {
    type Error = Infallible;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
        self.0.deliver(message);
        std::future::ready(Ok(()))
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        self.0.next().await
    }

    async fn close(&mut self) -> Result<(), Infallible> {
        self.0.end_streams();
        Ok(())
    }
}

impl Drop for ServerEnd {
    fn drop(&mut self) {
        // Also where the library gave up before the session began.
        self.0.close();
        self.0.end_streams();
    }
}
