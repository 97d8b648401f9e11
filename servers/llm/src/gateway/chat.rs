//! A question to a model, and the answer in the words of the client's protocol.
//!
//! For: which questions pass as they are, and which are translated. Not for: how either is done.

use callboard_mcp::http::{Asked, Sent};
use callboard_mcp::{Refusal, ToolError};
use callboard_routing::engine::{Ask, CallError, Target, Terms, Wanted, What};
use callboard_routing::gateway::{Asked as Read, Dialect, Named, Unfit, passes};
use callboard_routing::wire::Wire;
use http::{Response, StatusCode};

use super::refuse::Speech;
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
        let terms = who::terms(&asked.head.headers).map_err(|what| {
            let error = ToolError::invalid(what);
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, "class", error);
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
    /// Everybody who may answer speaks the client's own protocol, or only those can who do.
    Passes(Wire),
    /// Who should answer first does, and the others do not.
    PassesFirst(Wire, Box<Read>, Vec<Target>),
    Translated(Box<Read>),
}

pub(super) async fn answer_to(gateway: &Gateway, dialect: Dialect, asked: Asked) -> Response<Sent> {
    let question = match Question::read(gateway, asked) {
        Ok(question) => question,
        Err(refused) => return *refused,
    };
    let (speech, id) = (question.speech, question.asked.id.clone());
    let way = match way(gateway, dialect, &question).await {
        Ok(Ok(way)) => way,
        Ok(Err(unfit)) => return speech.unfit(unfit, &id),
        Err(error) => return speech.error(&error, &id),
    };
    let answered = match way {
        Way::Passes(wire) => pass::ask(gateway, &question, wire, What::Chat).await,
        Way::Translated(read) => {
            let target = question.target.clone();
            translated::ask(gateway, &question, &read, target).await
        }
        Way::PassesFirst(wire, read, others) => {
            let mut answered = pass::ask(gateway, &question, wire, What::Chat).await;
            for Target { provider, model } in others {
                if !answered.as_ref().is_err_and(may_go_on) {
                    break;
                }
                let target = Wanted::Model { provider, model };
                answered = translated::ask(gateway, &question, &read, target).await;
            }
            answered
        }
    };
    answered.unwrap_or_else(|error| speech.error(&error, &id))
}

/// Who speaks the client's own protocol gets its words and not ours: with them goes what a translation does not know,
/// such as what is to be cached.
async fn way(
    gateway: &Gateway,
    dialect: Dialect,
    question: &Question,
) -> Result<Result<Way, Unfit>, CallError> {
    let decoded = || dialect.decode(&question.asked.body).map(Box::new);
    let settings = gateway.router.settings();
    let all = candidates::of(&settings, &question.target);
    let wire = dialect
        .wire()
        .filter(|wire| candidates::any_speaks(*wire, &all) && passes(&question.asked.body));
    let Some(wire) = wire else {
        return Ok(decoded().map(Way::Translated));
    };
    if candidates::all_speak(wire, &all) {
        return Ok(Ok(Way::Passes(wire)));
    }
    let Ok(read) = decoded() else {
        return Ok(Ok(Way::Passes(wire)));
    };
    let ask = Ask {
        terms: question.terms.clone(),
        who: who::who(&question.asked),
        ..Ask::new(read.chat.clone()).to(question.target.clone())
    };
    let explained = gateway.router.explain(&ask).await?;
    let order = explained.decision.order.iter();
    let order: Vec<Target> = order
        .map(|choice| explained.candidates[choice.at].target())
        .collect();
    let speaks = |target: &Target| {
        let provider = settings.providers.get(&target.provider);
        provider.is_some_and(|provider| provider.upstream.endpoint().wire == wire)
    };
    if !order.first().is_some_and(speaks) {
        return Ok(Ok(Way::Translated(read)));
    }
    let others = order.into_iter().filter(|target| !speaks(target)).collect();
    Ok(Ok(Way::PassesFirst(wire, read, others)))
}

/// Whether somebody else may do better.
fn may_go_on(error: &CallError) -> bool {
    match error {
        CallError::Failed { failure, .. } => failure.may_fail_over(),
        CallError::Denied(_) | CallError::Nobody(_) => true,
        _ => false,
    }
}
