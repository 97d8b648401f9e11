//! Kinds of answers beside structured ones, and what goes on while a call runs: values for what is being
//! filled in, log messages, the client's model.

use std::sync::Arc;

use crate::fixture::{Board, Wire};
use callboard_mcp::{
    Ability, Block, Blocks, CallContext, Completing, Effect, Level, Link, Message, NoParams,
    Prompt, PromptArgument, PromptArguments, Resource, ResourcePage, ResourceRequest, Role, Server,
    Tool, ToolError,
};
use callboard_telemetry::CallLog;
use serde_json::{Map, Value, json};

const BYTES: &[u8] = &[0, 255, 16];
const BASE64: &str = "AP8Q";

struct Show;

impl Tool<Board> for Show {
    const NAME: &'static str = "show";
    const TITLE: &'static str = "Show";
    const DESCRIPTION: &'static str = "Shows every kind of block.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;

    type Params = NoParams;
    type Output = Blocks;

    fn input_schema() -> Map<String, Value> {
        let schema = json!({"type": "object", "$anchor": "all", "additionalProperties": false});
        schema.as_object().unwrap().clone()
    }

    async fn call(_: Arc<Board>, _: NoParams, _: CallContext) -> Result<Blocks, ToolError> {
        Ok(Blocks(vec![
            Block::text("look"),
            Block::image("image/png", BYTES),
            Block::audio("audio/wav", BYTES),
            Block::resource("notes://one", "text/plain", "in whole"),
            Block::Link(Link {
                uri: "notes://all".to_owned(),
                name: "notes".to_owned(),
                description: "All of them.".to_owned(),
                mime: "text/markdown",
            }),
        ]))
    }
}

struct Tell;

impl Tool<Board> for Tell {
    const NAME: &'static str = "tell";
    const TITLE: &'static str = "Tell";
    const DESCRIPTION: &'static str = "Sends log messages.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;

    type Params = NoParams;
    type Output = Blocks;

    async fn call(_: Arc<Board>, _: NoParams, ctx: CallContext) -> Result<Blocks, ToolError> {
        ctx.log(Level::Debug, "small").await;
        ctx.log(Level::Info, json!({"size": "middle"})).await;
        ctx.log(Level::Error, "large").await;
        Ok(Blocks::text("told"))
    }
}

struct Ponder;

impl Tool<Board> for Ponder {
    const NAME: &'static str = "ponder";
    const TITLE: &'static str = "Ponder";
    const DESCRIPTION: &'static str = "Asks the client's model.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;

    type Params = NoParams;
    type Output = Blocks;

    async fn call(_: Arc<Board>, _: NoParams, ctx: CallContext) -> Result<Blocks, ToolError> {
        ctx.needs(Ability::Sampling)?;
        ctx.sample("model", "why?", 20).await.map(Blocks::text)
    }
}

struct Locate;

impl Tool<Board> for Locate {
    const NAME: &'static str = "locate";
    const TITLE: &'static str = "Locate";
    const DESCRIPTION: &'static str = "Asks the client's model, and where the client works.";
    const EFFECT: Effect = Effect::ReadOnly;
    const ROLE: Role = Role::Viewer;

    type Params = NoParams;
    type Output = Blocks;

    async fn call(_: Arc<Board>, _: NoParams, ctx: CallContext) -> Result<Blocks, ToolError> {
        let (why, roots) = tokio::join!(ctx.sample("model", "why?", 20), ctx.roots("roots"));
        let (why, roots) = (why?, roots?);
        let name = roots[0].name.as_deref().unwrap_or_default();
        Ok(Blocks::text(format!("{why} in {} ({name})", roots[0].uri)))
    }
}

struct Picture;

impl Resource<Board> for Picture {
    const URI: &'static str = "notes://picture";
    const NAME: &'static str = "picture";
    const TITLE: &'static str = "Picture";
    const DESCRIPTION: &'static str = "Bytes.";
    const MIME: &'static str = "image/png";
    const FRESH_MS: u64 = 7_000;

    async fn read(
        _: Arc<Board>,
        _: ResourceRequest,
        _: CallContext,
    ) -> Result<ResourcePage, ToolError> {
        Ok(ResourcePage::bytes(BYTES))
    }
}

struct Day;

impl Resource<Board> for Day {
    const URI: &'static str = "notes://day/{day}/{hour}";
    const NAME: &'static str = "day";
    const TITLE: &'static str = "Day";
    const DESCRIPTION: &'static str = "The notes of an hour.";
    const MIME: &'static str = "text/plain";
    const COMPLETES: &'static [&'static str] = &["day"];

    async fn read(
        _: Arc<Board>,
        request: ResourceRequest,
        _: CallContext,
    ) -> Result<ResourcePage, ToolError> {
        Ok(ResourcePage::whole(request.variable("day")))
    }

    async fn complete(
        _: Arc<Board>,
        completing: Completing,
        _: CallContext,
    ) -> Result<Vec<String>, ToolError> {
        let days: Vec<String> = (0..250).map(|day| format!("d{day}")).collect();
        Ok(completing.matching(days.iter().map(String::as_str)))
    }
}

struct Look;

impl Prompt<Board> for Look {
    const NAME: &'static str = "look";
    const TITLE: &'static str = "Look";
    const DESCRIPTION: &'static str = "Shows a picture.";
    const ARGUMENTS: &'static [PromptArgument] = &[
        PromptArgument {
            name: "city",
            description: "Where.",
            required: false,
        },
        PromptArgument {
            name: "street",
            description: "Where there.",
            required: false,
        },
    ];
    const COMPLETES: &'static [&'static str] = &["street"];

    async fn messages(
        _: Arc<Board>,
        _: PromptArguments,
        _: CallContext,
    ) -> Result<Vec<Message>, ToolError> {
        Ok(vec![
            Message::user_shows(Block::image("image/png", BYTES)),
            Message::user("What is it?"),
        ])
    }

    async fn complete(
        _: Arc<Board>,
        completing: Completing,
        _: CallContext,
    ) -> Result<Vec<String>, ToolError> {
        let city = completing.given("city").unwrap_or("nowhere");
        Ok(vec![format!(
            "{} {} in {city}",
            completing.name(),
            completing.typed()
        )])
    }
}

fn plain() -> Server<Board> {
    crate::fixture::server(&Arc::new(Board::default()), CallLog::disabled())
}

fn server() -> Server<Board> {
    plain()
        .tool::<Show>()
        .tool::<Tell>()
        .tool::<Ponder>()
        .tool::<Locate>()
        .resource::<Picture>()
        .resource::<Day>()
        .prompt::<Look>()
        .logs()
}

async fn capabilities(modern: bool, server: Server<Board>) -> Value {
    let mut wire = Wire::open(server);
    let (method, params) = if modern {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        ("server/discover", json!({ "_meta": meta }))
    } else {
        let client = json!({"name": "test", "version": "1"});
        (
            "initialize",
            json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}),
        )
    };
    wire.request(method, params).await["result"]["capabilities"].clone()
}

#[tokio::test]
async fn blocks_go_out_as_they_are_and_without_a_schema() {
    for modern in [false, true] {
        let mut wire = Wire::era(modern, server()).await;
        let result = wire.call("show", json!({})).await;
        assert!(result.get("structuredContent").is_none(), "{result}");
        assert_eq!(
            result["content"],
            json!([
                {"type": "text", "text": "look"},
                {"type": "image", "data": BASE64, "mimeType": "image/png"},
                {"type": "audio", "data": BASE64, "mimeType": "audio/wav"},
                {"type": "resource", "resource": {"uri": "notes://one", "mimeType": "text/plain", "text": "in whole"}},
                {"type": "resource_link", "uri": "notes://all", "name": "notes", "description": "All of them.", "mimeType": "text/markdown"},
            ])
        );
        let list = wire.request("tools/list", json!({})).await;
        let tools = list["result"]["tools"].as_array().unwrap();
        let show = tools.iter().find(|tool| tool["name"] == "show").unwrap();
        assert!(show.get("outputSchema").is_none(), "{show}");
        assert_eq!(show["inputSchema"]["$anchor"], "all");
    }
}

#[tokio::test]
async fn bytes_of_a_resource_are_base64_and_say_how_long_they_stay_true() {
    let mut wire = Wire::modern(server()).await;
    let read = wire
        .request("resources/read", json!({"uri": "notes://picture"}))
        .await;
    let result = &read["result"];
    assert_eq!(
        result["contents"],
        json!([{"uri": "notes://picture", "mimeType": "image/png", "blob": BASE64}])
    );
    assert_eq!(
        (&result["ttlMs"], &result["cacheScope"]),
        (&json!(7_000), &json!("private"))
    );
    let other = wire
        .request("resources/read", json!({"uri": "notes://day/d1/h1"}))
        .await;
    assert_eq!(other["result"]["ttlMs"], 0);
    for method in [
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
    ] {
        let list = wire.request(method, json!({})).await;
        let hints = (&list["result"]["ttlMs"], &list["result"]["cacheScope"]);
        assert_eq!(hints, (&json!(300_000), &json!("private")), "{method}");
    }
}

#[tokio::test]
async fn a_prompt_shows_a_picture() {
    let mut wire = Wire::legacy(server()).await;
    let got = wire.request("prompts/get", json!({"name": "look"})).await;
    assert_eq!(
        got["result"]["messages"],
        json!([
            {"role": "user", "content": {"type": "image", "data": BASE64, "mimeType": "image/png"}},
            {"role": "user", "content": {"type": "text", "text": "What is it?"}},
        ])
    );
}

#[tokio::test]
async fn values_are_offered_bounded_and_only_for_what_exists() {
    for modern in [false, true] {
        let mut wire = Wire::era(modern, server()).await;
        let street = json!({
            "ref": {"type": "ref/prompt", "name": "look"},
            "argument": {"name": "street", "value": "ba"},
            "context": {"arguments": {"city": "Rome"}},
        });
        let found = wire.request("completion/complete", street).await;
        let values = &found["result"]["completion"];
        assert_eq!(
            values,
            &json!({"values": ["street ba in Rome"], "total": 1, "hasMore": false})
        );

        let day = |name: &str, value: &str| {
            json!({
                "ref": {"type": "ref/resource", "uri": "notes://day/{day}/{hour}"},
                "argument": {"name": name, "value": value},
            })
        };
        let many = wire.request("completion/complete", day("day", "D")).await;
        let completion = &many["result"]["completion"];
        assert_eq!(completion["values"].as_array().unwrap().len(), 100);
        assert_eq!(
            (&completion["total"], &completion["hasMore"]),
            (&json!(250), &json!(true))
        );
        let none = wire.request("completion/complete", day("hour", "1")).await;
        assert_eq!(none["result"]["completion"]["values"], json!([]));

        let long = "d".repeat(10_001);
        for (wrong, word) in [
            (day("month", ""), "day has no `month`; it has: day, hour"),
            (day("day", &long), "more than 10000 bytes"),
            (
                json!({"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "a", "value": ""}}),
                "no such prompt",
            ),
        ] {
            let error = wire.request("completion/complete", wrong).await["error"].clone();
            assert_eq!(error["code"], -32602, "{error}");
            assert!(error["message"].as_str().unwrap().contains(word), "{error}");
        }
    }
}

#[tokio::test]
async fn what_is_not_offered_is_not_declared() {
    for modern in [false, true] {
        let bare = capabilities(modern, plain()).await;
        assert!(
            bare.get("completions").is_none() && bare.get("logging").is_none(),
            "{bare}"
        );
        let full = capabilities(modern, server()).await;
        assert!(
            full.get("completions").is_some() && full.get("logging").is_some(),
            "{full}"
        );
    }
    let mut wire = Wire::legacy(plain()).await;
    let refused = wire
        .request("logging/setLevel", json!({"level": "debug"}))
        .await;
    assert_eq!(refused["error"]["code"], -32601);
    let empty =
        json!({"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "a", "value": ""}});
    let none = wire.request("completion/complete", empty).await;
    assert_eq!(none["result"]["completion"]["values"], json!([]));
}

/// The levels of the log messages that came during a call.
fn levels(wire: &mut Wire) -> Vec<String> {
    let others = std::mem::take(&mut wire.others);
    let messages = others
        .iter()
        .filter(|message| message["method"] == "notifications/message");
    messages
        .map(|message| {
            assert_eq!(message["params"]["logger"], "fixture");
            message["params"]["level"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn a_session_hears_what_it_set() {
    let mut wire = Wire::legacy(server()).await;
    wire.call("tell", json!({})).await;
    assert_eq!(levels(&mut wire), ["info", "error"]);
    for (level, heard) in [
        ("debug", vec!["debug", "info", "error"]),
        ("warning", vec!["error"]),
        ("emergency", vec![]),
    ] {
        let set = wire
            .request("logging/setLevel", json!({ "level": level }))
            .await;
        assert_eq!(set["result"], json!({}));
        wire.call("tell", json!({})).await;
        assert_eq!(levels(&mut wire), heard, "{level}");
    }
    let wrong = wire
        .request("logging/setLevel", json!({"level": "loud"}))
        .await;
    assert_eq!(wrong["error"]["code"], -32602, "{wrong}");
}

#[tokio::test]
async fn without_a_session_each_request_says_what_it_hears() {
    let mut wire = Wire::modern(server()).await;
    wire.call("tell", json!({})).await;
    assert_eq!(levels(&mut wire), Vec::<String>::new());
    let meta = json!({"io.modelcontextprotocol/logLevel": "error"});
    wire.request("tools/call", json!({"name": "tell", "_meta": meta}))
        .await;
    assert_eq!(levels(&mut wire), ["error"]);
    wire.call("tell", json!({})).await;
    assert_eq!(levels(&mut wire), Vec::<String>::new());
    let refused = wire
        .request("logging/setLevel", json!({"level": "debug"}))
        .await;
    assert_eq!(refused["error"]["code"], -32601);
}

#[tokio::test]
async fn nothing_is_logged_by_a_server_that_does_not_offer_it() {
    let mut wire = Wire::legacy(plain().tool::<Tell>()).await;
    wire.call("tell", json!({})).await;
    assert_eq!(levels(&mut wire), Vec::<String>::new());
}

#[tokio::test]
async fn the_client_s_model_is_asked_during_the_call() {
    let mut wire = Wire::able(false, server(), json!({"sampling": {}})).await;
    let id = wire.send("tools/call", json!({"name": "ponder"})).await;
    let asked = wire.next().await.unwrap();
    assert_eq!(asked["method"], "sampling/createMessage");
    assert_eq!(asked["params"]["maxTokens"], 20);
    assert_eq!(asked["params"]["messages"][0]["content"]["text"], "why?");
    let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {
        "role": "assistant", "content": {"type": "text", "text": "because"}, "model": "m"}});
    wire.line(&answer.to_string()).await;
    let result = wire.answer_to(id).await["result"].clone();
    assert_eq!(
        result["content"],
        json!([{"type": "text", "text": "because"}])
    );

    let id = wire.send("tools/call", json!({"name": "ponder"})).await;
    let asked = wire.next().await.unwrap();
    let no =
        json!({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -1, "message": "not now"}});
    wire.line(&no.to_string()).await;
    let result = wire.answer_to(id).await["result"].clone();
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(
        text.starts_with("unavailable: ") && text.contains("model did not answer"),
        "{text}"
    );
}

#[tokio::test]
async fn what_a_client_did_not_declare_is_not_asked_of_it() {
    let mut wire = Wire::legacy(server()).await;
    let text = wire.refusal("ponder", json!({})).await;
    assert!(
        text.starts_with("client_lacks: ") && text.contains("`sampling`"),
        "{text}"
    );

    let mut wire = Wire::modern(server()).await;
    let refused = wire.request("tools/call", json!({"name": "ponder"})).await;
    assert_eq!(refused["error"]["code"], -32021, "{refused}");
    assert_eq!(
        refused["error"]["data"]["requiredCapabilities"],
        json!({"sampling": {}})
    );
}

#[tokio::test]
async fn without_a_handshake_the_model_and_the_roots_are_asked_in_one_round() {
    let mut wire = Wire::able(true, server(), json!({"sampling": {}, "roots": {}})).await;
    let asks = wire.request("tools/call", json!({"name": "locate"})).await["result"].clone();
    assert_eq!(asks["resultType"], "input_required", "{asks}");
    let wanted = &asks["inputRequests"];
    assert_eq!(wanted["model"]["method"], "sampling/createMessage");
    assert_eq!(wanted["model"]["params"]["maxTokens"], 20);
    assert_eq!(wanted["roots"]["method"], "roots/list");
    let model = json!({
        "role": "assistant", "content": {"type": "text", "text": "because"}, "model": "m"});
    let roots = json!({"roots": [{"uri": "file:///home", "name": "home"}]});
    let again = |model: &Value| {
        json!({"name": "locate", "requestState": asks["requestState"],
            "inputResponses": {"model": model, "roots": roots}})
    };
    let told = wire.request("tools/call", again(&model)).await["result"].clone();
    assert_eq!(told["content"][0]["text"], "because in file:///home (home)");

    let refused = wire.request("tools/call", again(&json!("because"))).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    let words = refused["error"]["message"].as_str().unwrap();
    assert!(words.contains("inputResponses.model"), "{words}");
}
