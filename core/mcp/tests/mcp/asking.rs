//! Questions to the user: over another round, by a request to the client, and on the board.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::fixture::{Board, Said, Wire, said};
use callboard_mcp::{
    CallContext, Caller, Effect, Field, Memory, Message, NoParams, Prompt, PromptArgument,
    PromptArguments, Question, QuestionError, Reply, Role, Server, ServerSpec, Tool, ToolError,
    Verdict, question_answer, question_list,
};
use callboard_store::{FixedClock, Options, Store};
use callboard_telemetry::CallLog;
use callboard_telemetry::audit::{AuditFilter, audit_list};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BurnParams {
    title: String,
}

/// Takes something away, and asks before it does.
struct Burn;

impl Tool<Board> for Burn {
    const NAME: &'static str = "note_burn";
    const TITLE: &'static str = "Burn";
    const DESCRIPTION: &'static str = "Burns a note.";
    const EFFECT: Effect = Effect::Write {
        destructive: true,
        idempotent: false,
    };
    const ROLE: Role = Role::Developer;
    type Params = BurnParams;
    type Output = Said;

    async fn call(
        board: Arc<Board>,
        params: BurnParams,
        ctx: CallContext,
    ) -> Result<Said, ToolError> {
        let question = Question::confirm(format!("Burn {}?", params.title));
        let reply = ctx.ask("burn", question).await?;
        if !reply.is_yes() {
            return Ok(said(match reply {
                Reply::Dismissed => "nobody said yes",
                _ => "kept",
            }));
        }
        board.added.fetch_add(1, Ordering::SeqCst);
        Ok(said(format!("burnt {}", params.title)))
    }
}

/// Asks one thing after the other.
struct Paint;

impl Tool<Board> for Paint {
    const NAME: &'static str = "note_paint";
    const TITLE: &'static str = "Paint";
    const DESCRIPTION: &'static str = "Paints a note.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = NoParams;
    type Output = Said;

    async fn call(_: Arc<Board>, _: NoParams, ctx: CallContext) -> Result<Said, ToolError> {
        let colour = Question::choice("Which colour?", [("r", "Red"), ("b", "Blue")]);
        let colour = ctx.ask("colour", colour).await?;
        let colour = colour.choice().unwrap_or("none").to_owned();
        let coats = Question::new(format!("How many coats of {colour}?"))
            .field(Field::whole("coats").range(1, 3));
        let coats = ctx.ask("coats", coats).await?;
        Ok(said(format!(
            "{colour} x {}",
            coats.number("coats").unwrap_or(0.0)
        )))
    }
}

/// Asks two things at once.
struct Greet;

impl Tool<Board> for Greet {
    const NAME: &'static str = "note_greet";
    const TITLE: &'static str = "Greet";
    const DESCRIPTION: &'static str = "Greets.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;
    type Params = NoParams;
    type Output = Said;

    async fn call(_: Arc<Board>, _: NoParams, ctx: CallContext) -> Result<Said, ToolError> {
        let first = Question::new("First name?").field(Field::text("name").length(1, 20));
        let last = Question::new("Last name?").field(Field::text("name").length(1, 20));
        let (first, last) = tokio::try_join!(ctx.ask("first", first), ctx.ask("last", last))?;
        let name = |reply: &Reply| reply.text("name").unwrap_or("?").to_owned();
        Ok(said(format!("{} {}", name(&first), name(&last))))
    }
}

struct Tone;

impl Prompt<Board> for Tone {
    const NAME: &'static str = "tone";
    const TITLE: &'static str = "Tone";
    const DESCRIPTION: &'static str = "Asks for the tone.";
    const ARGUMENTS: &'static [PromptArgument] = &[];

    async fn messages(
        _: Arc<Board>,
        _: PromptArguments,
        ctx: CallContext,
    ) -> Result<Vec<Message>, ToolError> {
        let question = Question::new("Which tone?").field(Field::text("tone"));
        let reply = ctx.ask("tone", question).await?;
        let tone = reply.text("tone").unwrap_or("plain").to_owned();
        Ok(vec![Message::user(format!("Be {tone}."))])
    }
}

fn server(board: &Arc<Board>, memory: Memory) -> Server<Board> {
    let spec = ServerSpec {
        name: "asking",
        title: "Asking",
        version: "1",
        instructions: "",
    };
    Server::new(spec, Arc::clone(board), CallLog::disabled())
        .tool::<Burn>()
        .tool::<Paint>()
        .tool::<Greet>()
        .prompt::<Tone>()
        .memory(memory)
}

fn quiet(memory: Memory) -> (Arc<Board>, Server<Board>) {
    let board = Arc::new(Board::default());
    let server = server(&board, memory);
    (board, server)
}

fn can_ask() -> Value {
    json!({"elicitation": {}})
}

fn yes() -> Value {
    json!({"action": "accept", "content": {"confirm": true}})
}

fn call(tool: &str, arguments: Value) -> Value {
    json!({"name": tool, "arguments": arguments})
}

/// The same request with what the last round asked for.
fn again(mut request: Value, round: &Value, responses: Value) -> Value {
    request["inputResponses"] = responses;
    request["requestState"] = round["result"]["requestState"].clone();
    request
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap()
}

#[tokio::test]
async fn a_modern_client_is_asked_by_another_round() {
    let (board, server) = quiet(Memory::none());
    let mut wire = Wire::able(true, server, can_ask()).await;
    let request = call("note_burn", json!({"title": "a"}));
    let round = wire.request("tools/call", request.clone()).await;
    assert_eq!(round["result"]["resultType"], "input_required");
    let wanted = &round["result"]["inputRequests"]["burn"];
    assert_eq!(wanted["method"], "elicitation/create");
    assert_eq!(wanted["params"]["message"], "Burn a?");
    assert_eq!(
        wanted["params"]["requestedSchema"]["required"],
        json!(["confirm"])
    );
    assert_eq!(board.added.load(Ordering::SeqCst), 0);
    for (reply, said, burnt) in [
        (json!({"action": "decline"}), "kept", 0),
        (json!({"action": "cancel"}), "nobody said yes", 0),
        (yes(), "burnt a", 1),
    ] {
        let retry = again(request.clone(), &round, json!({"burn": reply}));
        let answer = wire.request("tools/call", retry).await;
        assert_eq!(text(&answer), said);
        assert_eq!(board.added.load(Ordering::SeqCst), burnt);
    }
    wire.close().await.unwrap();
}

#[tokio::test]
async fn replies_of_earlier_rounds_are_kept_in_the_state() {
    let (_, server) = quiet(Memory::none());
    let mut wire = Wire::able(true, server, can_ask()).await;
    let request = call("note_paint", json!({}));
    let first = wire.request("tools/call", request.clone()).await;
    let blue = json!({"colour": {"action": "accept", "content": {"choice": "b"}}});
    let second = wire
        .request("tools/call", again(request.clone(), &first, blue))
        .await;
    let wanted = second["result"]["inputRequests"].as_object().unwrap();
    assert_eq!(wanted.keys().collect::<Vec<_>>(), ["coats"]);
    assert_eq!(wanted["coats"]["params"]["message"], "How many coats of b?");
    assert_ne!(
        first["result"]["requestState"],
        second["result"]["requestState"]
    );
    // What was said in the first round can't be said again otherwise.
    let two = json!({
        "coats": {"action": "accept", "content": {"coats": 2}},
        "colour": {"action": "accept", "content": {"choice": "r"}}
    });
    let answer = wire
        .request("tools/call", again(request, &second, two))
        .await;
    assert_eq!(text(&answer), "b x 2");
    wire.close().await.unwrap();
}

#[tokio::test]
async fn two_questions_at_once_reach_the_client_together() {
    let (_, server) = quiet(Memory::none());
    let mut wire = Wire::able(true, server, can_ask()).await;
    let request = call("note_greet", json!({}));
    let round = wire.request("tools/call", request.clone()).await;
    let wanted = round["result"]["inputRequests"].as_object().unwrap();
    assert_eq!(wanted.len(), 2);
    let name = |name: &str| json!({"action": "accept", "content": {"name": name}});
    // Only one of them is answered: the other is asked for again.
    let half = again(request.clone(), &round, json!({"first": name("Ann")}));
    let round = wire.request("tools/call", half).await;
    let wanted = round["result"]["inputRequests"].as_object().unwrap();
    assert_eq!(wanted.keys().collect::<Vec<_>>(), ["last"]);
    let rest = json!({"last": name("Lee"), "surplus": 5});
    let answer = wire
        .request("tools/call", again(request, &round, rest))
        .await;
    assert_eq!(text(&answer), "Ann Lee");
    wire.close().await.unwrap();
}

#[tokio::test]
async fn a_prompt_asks_too() {
    let (_, server) = quiet(Memory::none());
    let mut wire = Wire::able(true, server, can_ask()).await;
    let request = json!({"name": "tone"});
    let round = wire.request("prompts/get", request.clone()).await;
    assert_eq!(round["result"]["resultType"], "input_required");
    let brisk = json!({"tone": {"action": "accept", "content": {"tone": "brisk"}}});
    let answer = wire
        .request("prompts/get", again(request, &round, brisk))
        .await;
    assert_eq!(
        answer["result"]["messages"][0]["content"]["text"],
        "Be brisk."
    );
    wire.close().await.unwrap();
}

/// A state is good for its own call alone, and a reply must fit.
#[tokio::test]
async fn a_state_or_reply_that_is_not_sound_is_refused() {
    let (board, server) = quiet(Memory::none());
    let mut wire = Wire::able(true, server, can_ask()).await;
    let request = call("note_burn", json!({"title": "a"}));
    let round = wire.request("tools/call", request.clone()).await;
    let good = again(request.clone(), &round, json!({"burn": yes()}));

    let state = round["result"]["requestState"].as_str().unwrap();
    let mut tampered = good.clone();
    tampered["requestState"] = json!(format!("{state}x"));
    let mut of_other_arguments = good.clone();
    of_other_arguments["arguments"]["title"] = json!("b");
    let mut of_another_tool = good.clone();
    of_another_tool["name"] = json!("note_paint");
    of_another_tool["arguments"] = json!({});
    for bad in [tampered, of_other_arguments, of_another_tool] {
        let answer = wire.request("tools/call", bad).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("make the call again without"), "{message}");
    }
    for (reply, said) in [
        (json!(5), "inputResponses.burn: is no result"),
        (
            json!({"action": "accept", "content": {"confirm": "yes"}}),
            "inputResponses.burn: confirm: got \"yes\"; wanted yes or no",
        ),
    ] {
        let bad = again(request.clone(), &round, json!({"burn": reply}));
        let answer = wire.request("tools/call", bad).await;
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(said), "{message}");
    }
    // What can take something away believes no reply that it did not ask for.
    let mut unasked = request.clone();
    unasked["inputResponses"] = json!({"burn": yes()});
    let answer = wire.request("tools/call", unasked).await;
    assert_eq!(answer["result"]["resultType"], "input_required");
    let mut misshapen = request;
    misshapen["inputResponses"] = json!("yes");
    let answer = wire.request("tools/call", misshapen).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert_eq!(board.added.load(Ordering::SeqCst), 0);
    let answer = wire.request("tools/call", good).await;
    assert_eq!(text(&answer), "burnt a");
    wire.close().await.unwrap();
}

/// The key is on the board: another process opens what this one sealed, for the same caller only.
#[tokio::test]
async fn a_state_outlives_the_process_that_sealed_it() {
    let dir = tempfile::tempdir().unwrap();
    let (_, first) = quiet(Memory::at(dir.path()));
    let mut wire = Wire::able(true, first, can_ask()).await;
    let request = call("note_burn", json!({"title": "a"}));
    let round = wire.request("tools/call", request.clone()).await;
    wire.close().await.unwrap();

    let retry = again(request, &round, json!({"burn": yes()}));
    let (_, second) = quiet(Memory::at(dir.path()));
    let stranger = second.caller(Caller::local("somebody else", Role::Admin));
    let mut wire = Wire::able(true, stranger, can_ask()).await;
    let answer = wire.request("tools/call", retry.clone()).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    wire.close().await.unwrap();

    let (board, third) = quiet(Memory::at(dir.path()));
    let mut wire = Wire::able(true, third, can_ask()).await;
    let answer = wire.request("tools/call", retry).await;
    assert_eq!(text(&answer), "burnt a");
    assert_eq!(board.added.load(Ordering::SeqCst), 1);
    wire.close().await.unwrap();
}

#[tokio::test]
async fn an_older_client_is_asked_by_a_request() {
    let (_, server) = quiet(Memory::none());
    let mut wire = Wire::able(false, server, can_ask()).await;
    let id = wire.send("tools/call", call("note_paint", json!({}))).await;
    for content in [json!({"choice": "r"}), json!({"coats": 3})] {
        let asked = wire.next().await.unwrap();
        assert_eq!(asked["method"], "elicitation/create", "{asked}");
        let reply = json!({"action": "accept", "content": content});
        wire.reply(&asked["id"], reply).await;
    }
    let answer = wire.answer_to(id).await;
    assert_eq!(text(&answer), "r x 3");

    let burn = call("note_burn", json!({"title": "a"}));
    let id = wire.send("tools/call", burn).await;
    let asked = wire.next().await.unwrap();
    let wrong = json!({"action": "accept", "content": {"confirm": 1}});
    wire.reply(&asked["id"], wrong).await;
    let answer = wire.answer_to(id).await;
    assert_eq!(answer["result"]["isError"], true);
    assert!(text(&answer).contains("wanted yes or no"), "{answer}");
    wire.close().await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_given_up_takes_its_question_along() {
    let (_, server) = quiet(Memory::none());
    let mut wire = Wire::able(false, server, can_ask()).await;
    let burn = call("note_burn", json!({"title": "a"}));
    let id = wire.send("tools/call", burn).await;
    let asked = wire.next().await.unwrap();
    assert_eq!(asked["method"], "elicitation/create");
    wire.notify("notifications/cancelled", json!({"requestId": id}))
        .await;
    let told = wire.next().await.unwrap();
    assert_eq!(told["method"], "notifications/cancelled", "{told}");
    assert_eq!(told["params"]["requestId"], asked["id"]);
    wire.close().await.unwrap();
}

/// A person who does not answer is not waited for without end, and the client is told to take the form away.
#[tokio::test(start_paused = true)]
async fn an_unanswered_request_ends_in_time() {
    let (board, server) = quiet(Memory::none());
    let mut wire = Wire::able(false, server, can_ask()).await;
    let id = wire
        .send("tools/call", call("note_burn", json!({"title": "a"})))
        .await;
    let answer = wire.answer_to(id).await;
    assert!(text(&answer).starts_with("needs_person: "), "{answer}");
    let methods: Vec<&Value> = wire.others.iter().map(|other| &other["method"]).collect();
    assert_eq!(methods, ["elicitation/create", "notifications/cancelled"]);
    assert_eq!(board.added.load(Ordering::SeqCst), 0);
    wire.close().await.unwrap();
}

fn store(dir: &Path) -> Store {
    Store::open(
        Options::board(dir),
        &[
            callboard_telemetry::audit::MIGRATIONS,
            callboard_mcp::MIGRATIONS,
        ],
    )
    .unwrap()
}

fn answer(store: &Store, id: &str, verdict: Verdict) -> Result<String, QuestionError> {
    let id = id.to_owned();
    let store = store.clone();
    std::thread::spawn(move || {
        store.write_blocking(move |c| {
            question_answer(c, now(), &id, &verdict).map(|question| question.state)
        })
    })
    .join()
    .unwrap()
}

fn now() -> i64 {
    1_000_000
}

fn open(store: &Store) -> Vec<callboard_mcp::StoredQuestion> {
    store.read_now(|c| question_list(c, now(), false)).unwrap()
}

fn kept(dir: &Path) -> (Arc<Board>, Server<Board>, Store, Arc<FixedClock>) {
    let store = store(dir);
    let (board, server) = quiet(Memory::of(store.clone()));
    let clock = Arc::new(FixedClock::new(now()));
    (board, server.clock(clock.clone()), store, clock)
}

#[tokio::test]
async fn where_nobody_can_be_asked_the_question_waits_on_the_board() {
    for modern in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let (board, server, store, _) = kept(dir.path());
        let mut wire = Wire::era(modern, server).await;
        let told = wire.refusal("note_burn", json!({"title": "a"})).await;
        let question = open(&store).remove(0);
        assert_eq!(
            told,
            format!(
                "needs_person: a person must answer first: Burn a?\nQuestion {id} (yes or no)\nHint: the user \
                 answers with `callboard answer {id} yes|no`; then call again with the same arguments",
                id = question.id
            )
        );
        // Asked again, it is the same question; with other arguments it is another.
        assert_eq!(wire.refusal("note_burn", json!({"title": "a"})).await, told);
        assert_ne!(wire.refusal("note_burn", json!({"title": "b"})).await, told);
        assert_eq!(open(&store).len(), 2);

        answer(&store, &question.id, Verdict::Value("yes".to_owned())).unwrap();
        assert_eq!(board.added.load(Ordering::SeqCst), 0);
        let done = wire.call("note_burn", json!({"title": "a"})).await;
        assert_eq!(done["structuredContent"]["said"], "burnt a");
        assert_eq!(board.added.load(Ordering::SeqCst), 1);
        // The reply is used up.
        let told = wire.refusal("note_burn", json!({"title": "a"})).await;
        assert!(!told.contains(&question.id), "{told}");
        assert_eq!(board.added.load(Ordering::SeqCst), 1);
        wire.close().await.unwrap();
    }
}

/// Both replies are there when the call goes through, although the first was used by a call that then asked
/// for the second.
#[tokio::test]
async fn stored_replies_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let (_, server, store, _) = kept(dir.path());
    let mut wire = Wire::modern(server).await;
    wire.refusal("note_paint", json!({})).await;
    let colour = open(&store).remove(0);
    answer(&store, &colour.id, Verdict::Value("Blue".to_owned())).unwrap();
    let told = wire.refusal("note_paint", json!({})).await;
    assert!(told.contains("How many coats of b?"), "{told}");
    let coats = open(&store).remove(0);
    let fields = Verdict::Fields(vec![("coats".to_owned(), "3".to_owned())]);
    answer(&store, &coats.id, fields).unwrap();
    let done = wire.call("note_paint", json!({})).await;
    assert_eq!(done["structuredContent"]["said"], "b x 3");
    assert_eq!(
        store.read_now(|c| question_list(c, now(), true)).unwrap(),
        []
    );
    wire.close().await.unwrap();
}

#[tokio::test]
async fn a_stored_no_is_a_no_and_another_caller_has_questions_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let (board, server, store, _) = kept(dir.path());
    let mut wire = Wire::modern(server).await;
    wire.refusal("note_burn", json!({"title": "a"})).await;
    let question = open(&store).remove(0);
    answer(&store, &question.id, Verdict::Value("yes".to_owned())).unwrap();
    wire.close().await.unwrap();

    let (_, server, _, _) = kept(dir.path());
    let stranger = server.caller(Caller::local("somebody else", Role::Admin));
    let mut wire = Wire::modern(stranger).await;
    let told = wire.refusal("note_burn", json!({"title": "a"})).await;
    let theirs = open(&store).remove(0);
    assert!(told.contains(&theirs.id) && theirs.id != question.id);
    answer(&store, &theirs.id, Verdict::Decline).unwrap();
    let done = wire.call("note_burn", json!({"title": "a"})).await;
    assert_eq!(done["structuredContent"]["said"], "kept");
    assert_eq!(board.added.load(Ordering::SeqCst), 0);
    wire.close().await.unwrap();
}

#[tokio::test]
async fn a_wrong_answer_changes_nothing_and_an_old_question_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let (_, server, store, clock) = kept(dir.path());
    let mut wire = Wire::modern(server).await;
    wire.refusal("note_burn", json!({"title": "a"})).await;
    let id = open(&store).remove(0).id;
    let value = |value: &str| Verdict::Value(value.to_owned());
    let fields = |name: &str| Verdict::Fields(vec![(name.to_owned(), "yes".to_owned())]);
    for (id, verdict, said) in [
        ("q_none", value("yes"), "there is no question q_none"),
        (id.as_str(), value("perhaps"), "wanted yes or no"),
        (id.as_str(), fields("sure"), "its fields: confirm"),
        (
            id.as_str(),
            Verdict::Fields(Vec::new()),
            "confirm: is missing",
        ),
    ] {
        let error = answer(&store, id, verdict).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(open(&store).len(), 1);
    answer(&store, &id, value("no")).unwrap();
    let error = answer(&store, &id, value("yes")).unwrap_err().to_string();
    assert!(error.contains("answered already (accepted)"), "{error}");

    // A day later the reply is too old to act on.
    clock.advance(25 * 60 * 60 * 1_000);
    let told = wire.refusal("note_burn", json!({"title": "a"})).await;
    assert!(!told.contains(&id), "{told}");
    wire.close().await.unwrap();
}

#[tokio::test]
async fn the_questions_of_one_caller_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let (_, server, store, _) = kept(dir.path());
    let mut wire = Wire::modern(server).await;
    for number in 0..40 {
        let told = wire
            .refusal("note_burn", json!({"title": format!("{number}")}))
            .await;
        assert!(told.starts_with("needs_person: "), "{told}");
    }
    let told = wire.refusal("note_burn", json!({"title": "last"})).await;
    assert!(told.starts_with("limit: 40 questions wait"), "{told}");
    assert_eq!(open(&store).len(), 40);
    wire.close().await.unwrap();
}

/// A question that a person could answer on the board is gone once the client's user has answered it.
#[tokio::test]
async fn a_live_answer_withdraws_the_stored_question() {
    let dir = tempfile::tempdir().unwrap();
    let (_, server, store, _) = kept(dir.path());
    let mut wire = Wire::modern(server).await;
    wire.refusal("note_burn", json!({"title": "a"})).await;
    assert_eq!(open(&store).len(), 1);
    wire.capabilities = can_ask();
    let request = call("note_burn", json!({"title": "a"}));
    let round = wire.request("tools/call", request.clone()).await;
    let retry = again(request, &round, json!({"burn": yes()}));
    assert_eq!(text(&wire.request("tools/call", retry).await), "burnt a");
    assert_eq!(open(&store).len(), 0);
    wire.close().await.unwrap();
}

/// The audit's rows about questions: what, by whom, in which call, how it was answered.
fn decisions(store: &Store) -> Vec<[String; 4]> {
    let rows = store.read_now(|c| audit_list(c, &AuditFilter::default(), 100));
    let rows = rows.unwrap().into_iter().map(|row| {
        let detail: Value = serde_json::from_str(&row.detail).unwrap();
        let reply = detail["reply"].as_str().unwrap_or("-").to_owned();
        [row.verb, row.name, row.action, reply]
    });
    rows.filter(|row| row[0].starts_with("question")).collect()
}

#[tokio::test]
async fn a_question_its_answer_and_its_use_are_rows_of_the_audit() {
    let dir = tempfile::tempdir().unwrap();
    let (_, server, store, _) = kept(dir.path());
    let mut wire = Wire::modern(server).await;
    wire.refusal("note_burn", json!({"title": "a"})).await;
    let question = open(&store).remove(0);
    answer(&store, &question.id, Verdict::Value("yes".to_owned())).unwrap();
    wire.call("note_burn", json!({"title": "a"})).await;
    let rows = decisions(&store);
    let told: Vec<_> = rows.iter().map(|row| (&*row[0], &*row[3])).collect();
    assert_eq!(
        told,
        [
            ("question_ask", "-"),
            ("question_answer", "accepted"),
            ("question_use", "accepted")
        ]
    );
    for row in [&rows[0], &rows[2]] {
        assert!(
            row[2].ends_with(".note_burn") && row[1] != "callboard",
            "{row:?}"
        );
    }
    wire.close().await.unwrap();
}

#[tokio::test]
async fn what_the_clients_user_decides_is_one_row_of_the_audit() {
    let dir = tempfile::tempdir().unwrap();
    let (_, server, store, _) = kept(dir.path());
    let mut wire = Wire::able(true, server, can_ask()).await;
    let mut again = call("note_burn", json!({"title": "a"}));
    let round = wire.request("tools/call", again.clone()).await;
    assert_eq!(round["result"]["resultType"], "input_required", "{round}");
    let asked = round["result"]["inputRequests"].as_object().unwrap();
    let key = asked.keys().next().unwrap().clone();
    assert!(decisions(&store).is_empty());
    again["requestState"] = round["result"]["requestState"].clone();
    again["inputResponses"] = json!({key: {"action": "accept", "content": {"confirm": true}}});
    let done = wire.request("tools/call", again).await;
    assert_eq!(done["result"]["isError"], false, "{done}");
    let rows = decisions(&store);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        [&*rows[0][0], &*rows[0][3]],
        ["question_answer", "accepted"]
    );
    assert!(rows[0][2].ends_with(".note_burn"), "{rows:?}");
    wire.close().await.unwrap();
}
