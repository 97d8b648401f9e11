//! Models in the protocols of OpenAI and Anthropic, over HTTP, for agents that speak these already.
//!
//! For: which endpoint is where, who asks and for whom, and answers in the words of the client's own protocol. Not for:
//! translating (callboard_routing's dialects), or who is let in (callboard_mcp's gate).
//!
//! A provider's key never goes to a client, and what a client showed to be let in never goes to a provider: headers pass
//! only where they are named, in either direction.

mod candidates;
mod chat;
mod count;
mod embeddings;
mod headers;
mod list;
mod pass;
mod refuse;
mod translated;
mod way;
mod who;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use callboard_mcp::http::{Asked, Endpoints, RequestId, Sent};
use callboard_mcp::{Refusal, Role};
use callboard_routing::engine::Router;
use callboard_store::Clock;
use http::{HeaderValue, Request, Response, StatusCode, header};

use refuse::Speech;
use way::Way;

/// As much as the providers take themselves.
const BODY_BYTES: usize = 32 << 20;
/// Longer than any call of a router: it has its own deadlines, and their words say more.
const ANSWER_WITHIN: Duration = Duration::from_secs(60 * 60);

/// The endpoints, over the models of one router.
#[derive(Clone)]
pub struct Gateway {
    router: Router,
    clock: Arc<dyn Clock>,
}

impl Gateway {
    /// A gateway to everything that the router reaches.
    #[must_use]
    pub fn new(router: Router, clock: Arc<dyn Clock>) -> Gateway {
        Gateway { router, clock }
    }
}

type Answering = Pin<Box<dyn Future<Output = Response<Sent>> + Send>>;

impl Endpoints for Gateway {
    fn under(&self) -> &'static str {
        "/v1/"
    }

    fn methods(&self, path: &str) -> Option<&'static str> {
        Way::of(path).map(|way| way.methods())
    }

    /// Whoever may do everything may spend too; for others a token of its own says for whom.
    fn role(&self) -> Role {
        Role::Admin
    }

    fn body_bytes(&self) -> usize {
        BODY_BYTES
    }

    fn answer_within(&self) -> Duration {
        ANSWER_WITHIN
    }

    fn refuse(&self, head: &Request<()>, refusal: &Refusal, id: &RequestId) -> Response<Sent> {
        Speech::of(head.uri().path(), head.headers()).refusal(refusal, id)
    }

    fn answer(&self, asked: Asked) -> Answering {
        let gateway = self.clone();
        Box::pin(async move {
            let speech = Speech::of(asked.head.uri.path(), &asked.head.headers);
            match Way::of(asked.head.uri.path()) {
                Some(Way::Chat(dialect)) => chat::answer_to(&gateway, dialect, asked).await,
                Some(Way::Count) => count::answer_to(&gateway, asked).await,
                Some(Way::Embeddings) => embeddings::answer_to(&gateway, asked).await,
                Some(Way::Models) => list::all(&gateway, speech),
                Some(Way::Model(name)) => list::one(&gateway, speech, name, &asked.id),
                None => speech.refusal(&way::nowhere(), &asked.id),
            }
        })
    }
}

/// An answer of JSON.
fn json(status: StatusCode, body: Vec<u8>) -> Response<Sent> {
    let mut answer = Response::new(Sent::whole(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
