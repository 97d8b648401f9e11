//! The table of sessions, in the words of the protocol library.

use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorData, GetExtensions as _, JsonRpcMessage,
    JsonRpcRequest, ServerJsonRpcMessage,
};
use rmcp::transport::streamable_http_server::session::{
    ServerSseMessage, SessionId, SessionManager,
};

use super::transport::ServerEnd;
use super::{Owner, Session, SessionError, Style, Table};
use crate::http::RequestId as Name;

tokio::task_local! {
    /// Who makes the request at hand: the library tells nobody whose session it begins.
    pub(crate) static OWNER: Owner;
}

/// How long an answer's head waits for its first message. Together they are one packet, and most answers
/// are there by then; a client of a longer call gets the head alone.
const AT_ONCE: Duration = Duration::from_millis(5);
/// How many requests of one session may be at work.
pub(crate) const AT_WORK: usize = 256;

impl Table {
    fn known(&self, id: &SessionId) -> Result<Arc<Session>, SessionError> {
        self.get(id).ok_or(SessionError::Unknown)
    }
}

/// Ends a session that did not come about.
struct Unless<'t> {
    table: &'t Table,
    id: Option<&'t SessionId>,
}

impl Drop for Unless<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.table.end(id);
        }
    }
}

fn refused(request: &JsonRpcRequest<ClientRequest>, why: &'static str) -> ServerJsonRpcMessage {
    let mut error = ErrorData::invalid_request(why, None);
    if let Some(name) = Name::of_request(request) {
        name.name(&mut error);
    }
    ServerJsonRpcMessage::error(error, Some(request.id.clone()))
}

impl SessionManager for Table {
    type Error = SessionError;
    type Transport = ServerEnd;

    async fn create_session(&self) -> Result<(SessionId, ServerEnd), SessionError> {
        let owner = OWNER
            .try_with(Owner::clone)
            .map_err(|_| SessionError::Full)?;
        let session = Table::begin(self, owner, Style::Streamable)?;
        Ok((Arc::clone(&session.id), ServerEnd(session)))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, SessionError> {
        let session = self.known(id)?;
        let mut unless = Unless {
            table: self,
            id: Some(id),
        };
        let JsonRpcMessage::Request(request) = &message else {
            return Err(SessionError::Unknown);
        };
        let answer = session.begin(request.id.clone());
        session.accept(message)?;
        let answer = answer.await.map_err(|_| SessionError::Ended)?;
        unless.id = None;
        Ok(answer)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, SessionError> {
        Ok(self.get(id).is_some())
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), SessionError> {
        self.end(id);
        Ok(())
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        mut message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        let session = self.known(id)?;
        let JsonRpcMessage::Request(request) = &mut message else {
            return Err(SessionError::Unknown);
        };
        if session.at_work() >= AT_WORK {
            return Ok(session.only(refused(
                request,
                "too many requests of this session are at work; wait for some of them",
            )));
        }
        let Some(reader) = session.request_line(request) else {
            return Ok(session.only(refused(
                request,
                "a request with this id is at work; ids are used once",
            )));
        };
        request.request.extensions_mut().insert(reader.stream());
        session.accept(message)?;
        let _ = tokio::time::timeout(AT_ONCE, reader.has_something()).await;
        Ok(reader)
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), SessionError> {
        self.known(id)?.accept(message)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        Ok(self.known(id)?.common_line())
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, SessionError> {
        self.known(id)?.resume(&last_event_id)
    }
}
