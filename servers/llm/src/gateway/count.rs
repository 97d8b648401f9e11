//! How many tokens a question has: as its provider counts them, or else as we estimate.

use std::time::Duration;

use callboard_mcp::http::{Asked, Sent};
use callboard_routing::chat::Chat;
use callboard_routing::engine::{Ask, Settings, Target, Wanted};
use callboard_routing::failure::Failure;
use callboard_routing::gateway::{Named, decode_count, passes};
use callboard_routing::wire::{Encoded, MOST_BODY, Wire};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

use super::refuse::Speech;
use super::{Gateway, candidates, headers, json as answer, who};

/// What a provider has to count; a client waits for this before each question.
const COUNTED_WITHIN: Duration = Duration::from_secs(10);
/// Says that the number is ours.
const ESTIMATED: HeaderName = HeaderName::from_static("x-callboard-estimated");

pub(super) async fn answer_to(gateway: &Gateway, asked: &Asked) -> Response<Sent> {
    let speech = Speech::Anthropic;
    let named = match Named::find(&asked.body) {
        Ok(named) => named,
        Err(unfit) => return speech.unfit(unfit, &asked.id),
    };
    let wanted = gateway.router.resolve(&named.model);
    let settings = gateway.router.settings();
    let chat = decode_count(&asked.body);
    let (target, estimate) = match &chat {
        Ok(chat) => {
            let ask = Ask {
                who: who::who(asked),
                ..Ask::new(chat.clone()).to(wanted)
            };
            match gateway.router.explain(&ask).await {
                Ok(explained) => {
                    let first = explained.decision.order.first();
                    let first = first.map(|choice| &explained.candidates[choice.at]);
                    let own = first.and_then(|first| first.candidate.input);
                    let estimate = own.unwrap_or(explained.need.input);
                    (first.map(|first| first.target()), estimate)
                }
                Err(error) => return speech.error(&error, &asked.id),
            }
        }
        // A provider that speaks the protocol itself may know what we can't translate.
        Err(unfit) => match speaker(&settings, &wanted) {
            Some(target) => (Some(target), 0),
            None => return speech.unfit(unfit.clone(), &asked.id),
        },
    };
    let counted = match &target {
        Some(target) => counted(&settings, target, asked, &named, chat.as_ref().ok()).await,
        None => Ok(None),
    };
    match (counted, chat) {
        (Ok(Some(tokens)), _) => tell(tokens),
        (Ok(None), Ok(_)) => estimated(estimate),
        (Err(failure), Ok(_)) => {
            tracing::info!(%failure, "a provider does not count; the tokens are estimated");
            estimated(estimate)
        }
        (Err(failure), Err(_)) => speech.failure(&failure, &asked.id),
        (Ok(None), Err(unfit)) => speech.unfit(unfit, &asked.id),
    }
}

/// The first of the candidates that speaks the client's own protocol.
fn speaker(settings: &Settings, wanted: &Wanted) -> Option<Target> {
    let all = candidates::of(settings, wanted);
    let mut speakers = all
        .into_iter()
        .filter(|(_, provider)| provider.upstream.endpoint().wire == Wire::Anthropic);
    speakers.next().map(|(target, _)| target)
}

/// As the provider counts; nothing where its wire can't say.
async fn counted(
    settings: &Settings,
    target: &Target,
    asked: &Asked,
    named: &Named,
    chat: Option<&Chat>,
) -> Result<Option<u64>, Failure> {
    let Some(provider) = settings.providers.get(&target.provider) else {
        return Ok(None);
    };
    let upstream = provider.upstream.within(COUNTED_WITHIN);
    if upstream.endpoint().wire == Wire::Anthropic && passes(&asked.body) {
        let request = Encoded {
            path: "/v1/messages/count_tokens".to_owned(),
            headers: vec![
                ("content-type", "application/json"),
                ("anthropic-version", "2023-06-01"),
            ],
            body: named.renamed(&asked.body, &target.model),
        };
        let counting = upstream
            .pass(
                request,
                &headers::upwards(Wire::Anthropic, &asked.head.headers),
            )
            .await?;
        let body = counting.body.whole(MOST_BODY).await?;
        return Wire::Anthropic
            .decode_count(&counting.head, &body)
            .map(Some);
    }
    let Some(chat) = chat else {
        return Ok(None);
    };
    let chat = Chat {
        model: target.model.clone(),
        ..chat.clone()
    };
    upstream.count_tokens(&chat).await
}

fn tell(tokens: u64) -> Response<Sent> {
    let body = json!({"input_tokens": tokens});
    answer(StatusCode::OK, body.to_string().into_bytes())
}

fn estimated(tokens: u64) -> Response<Sent> {
    let mut told = tell(tokens);
    told.headers_mut()
        .insert(ESTIMATED, HeaderValue::from_static("true"));
    told
}
