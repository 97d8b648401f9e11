//! How many tokens a question has: as its provider counts them, or else as we estimate.

use callboard_mcp::http::{Asked, Sent};
use callboard_routing::engine::{Ask, What};
use callboard_routing::gateway::{decode_count, passes};
use callboard_routing::wire::Wire;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

use super::chat::Question;
use super::{Gateway, candidates, json as answer, pass, who};

/// Says that the number is ours.
const ESTIMATED: HeaderName = HeaderName::from_static("x-callboard-estimated");

pub(super) async fn answer_to(gateway: &Gateway, asked: Asked) -> Response<Sent> {
    let question = match Question::read(gateway, asked) {
        Ok(question) => question,
        Err(refused) => return *refused,
    };
    let (speech, id) = (question.speech, &question.asked.id);
    let settings = gateway.router.settings();
    let all = candidates::of(&settings, &question.target);
    // Nobody else understands it as it is.
    let passes = candidates::any_speaks(Wire::Anthropic, &all) && passes(&question.asked.body);
    let counted = match decode_count(&question.asked.body) {
        Ok(chat) if !passes => {
            let ask = Ask {
                terms: question.terms.clone(),
                who: who::who(&question.asked),
                ..Ask::new(chat).to(question.target.clone())
            };
            gateway.router.count_tokens(&ask).await
        }
        Err(unfit) if !passes => return speech.unfit(unfit, id),
        chat => match pass::passing(&question, Wire::Anthropic, What::Chat) {
            Ok(mut passing) => {
                passing.path = "/v1/messages/count_tokens".to_owned();
                gateway.router.count_passing(passing, chat).await
            }
            Err(error) => Err(error),
        },
    };
    let count = match counted {
        Ok(count) => count,
        Err(error) => return speech.error(&error, id),
    };
    let mut told = answer(
        StatusCode::OK,
        json!({"input_tokens": count.tokens})
            .to_string()
            .into_bytes(),
    );
    if count.by.is_none() {
        let estimated = HeaderValue::from_static("true");
        told.headers_mut().insert(ESTIMATED, estimated);
    }
    told
}
