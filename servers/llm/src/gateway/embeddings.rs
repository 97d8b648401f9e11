//! Texts as numbers. Only providers of OpenAI's wire are asked: their protocol is the client's.

use callboard_mcp::http::{Asked, Sent};
use callboard_routing::engine::What;
use callboard_routing::failure::{Failure, FailureKind};
use callboard_routing::wire::Wire;
use http::Response;

use super::chat::Question;
use super::{Gateway, candidates, pass};

pub(super) async fn answer_to(gateway: &Gateway, asked: Asked) -> Response<Sent> {
    let question = match Question::read(gateway, asked) {
        Ok(question) => question,
        Err(refused) => return *refused,
    };
    let settings = gateway.router.settings();
    let all = candidates::of(&settings, &question.target);
    let speaks = |wire: Wire| {
        let mut all = all.iter();
        all.any(|(_, provider)| provider.upstream.endpoint().wire == wire)
    };
    if !all.is_empty() && !speaks(Wire::OpenAi) {
        let message = format!(
            "embeddings of {:?}: its providers do not speak OpenAI's protocol, and embeddings are not translated; ask for a model of one that does",
            question.named.model
        );
        let failure = Failure::new(FailureKind::BadRequest, message);
        return question.speech.failure(&failure, &question.asked.id);
    }
    match pass::ask(gateway, &question, Wire::OpenAi, What::Embeddings).await {
        Ok(answer) => answer,
        Err(error) => question.speech.error(&error, &question.asked.id),
    }
}
