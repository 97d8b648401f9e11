//! A question to a model, and the answer in the words of the client's protocol.
//!
//! For: which questions pass as they are, and which are translated. Not for: how either is done.

use callboard_mcp::http::{Asked, Sent};
use callboard_mcp::{Refusal, ToolError};
use callboard_routing::engine::{CallError, Handed, Terms, Wanted, What};
use callboard_routing::gateway::{Asked as Read, Dialect, Named, Unfit, passes};
use callboard_routing::wire::Wire;
use http::{Response, StatusCode};

use super::refuse::{Speech, ended};
use super::{Gateway, candidates, pass, translated, who};

/// A question on its way.
pub(super) struct Question {
    pub(super) speech: Speech,
    /// Where in the body the model is named.
    pub(super) named: Named,
    pub(super) target: Wanted,
    pub(super) terms: Terms,
    pub(super) asked: Asked,
}

impl Question {
    /// What can be seen of it without translating it; or the answer that refuses it.
    pub(super) fn read(gateway: &Gateway, asked: Asked) -> Result<Question, Box<Response<Sent>>> {
        let speech = Speech::of(asked.head.uri.path(), &asked.head.headers);
        let named = Named::find(&asked.body);
        let named = named.map_err(|unfit| Box::new(speech.unfit(unfit, &asked.id)))?;
        let terms = who::terms(&asked.head.headers).map_err(|(what, message)| {
            let error = ToolError::invalid(message);
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, what, error);
            Box::new(speech.refusal(&refusal, &asked.id))
        })?;
        Ok(Question {
            speech,
            target: gateway.router.resolve(&named.model),
            named,
            terms,
            asked,
        })
    }
}

/// How a question gets to a model.
enum Way {
    /// Everybody who may answer speaks the client's own protocol.
    Passes(Wire),
    /// Some do. The others are asked the translation, where there is one.
    Either(Wire, Result<Box<Read>, Unfit>),
    Translated(Box<Read>),
}

pub(super) async fn answer_to(gateway: &Gateway, dialect: Dialect, asked: Asked) -> Response<Sent> {
    let question = match Question::read(gateway, asked) {
        Ok(question) => question,
        Err(refused) => return *refused,
    };
    let (speech, id) = (question.speech, question.asked.id.clone());
    let answered = match way(gateway, dialect, &question) {
        Err(unfit) => return speech.unfit(unfit, &id),
        Ok(Way::Passes(wire)) => pass::ask(gateway, &question, wire, What::Chat).await,
        Ok(Way::Either(wire, read)) => either(gateway, &question, wire, read).await,
        Ok(Way::Translated(read)) => translated::ask(gateway, &question, &read).await,
    };
    answered.unwrap_or_else(|error| speech.error(&error, &id))
}

/// Who speaks the client's own protocol gets its words and not ours: with them goes what a translation does not know,
/// such as what is to be cached.
fn way(gateway: &Gateway, dialect: Dialect, question: &Question) -> Result<Way, Unfit> {
    let decoded = || dialect.decode(&question.asked.body).map(Box::new);
    let settings = gateway.router.settings();
    let all = candidates::of(&settings, &question.target);
    let wire = dialect
        .wire()
        .filter(|wire| candidates::any_speaks(*wire, &all) && passes(&question.asked.body));
    Ok(match wire {
        None => Way::Translated(decoded()?),
        Some(wire) if candidates::all_speak(wire, &all) => Way::Passes(wire),
        Some(wire) => Way::Either(wire, decoded()),
    })
}

/// Asks each in its own way, by one decision.
async fn either(
    gateway: &Gateway,
    question: &Question,
    wire: Wire,
    read: Result<Box<Read>, Unfit>,
) -> Result<Response<Sent>, CallError> {
    let mut passing = pass::passing(question, wire, What::Chat)?;
    passing.patience = Some(translated::patience(gateway));
    let (chat, read) = match read {
        Ok(read) => (Ok(read.chat.clone()), Some(read)),
        Err(unfit) => (Err(unfit), None),
    };
    let handing = async {
        let handed = gateway.router.hand(passing, chat).await?;
        match (handed, read) {
            (Handed::Passed(passed), _) => pass::hand_on(question, *passed).await,
            (Handed::Answered(answered), Some(read)) => {
                translated::whole(gateway, question, &read, &answered)
            }
            (Handed::Answering(answering), Some(read)) => {
                translated::begun(gateway, question, &read, *answering).await
            }
            (_, None) => Err(pass::failed(translated::cut())),
        }
    };
    tokio::select! {
        answered = handing => answered,
        () = question.asked.ending.cancelled() => Err(pass::failed(ended())),
    }
}
