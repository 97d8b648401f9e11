//! A model that says what a script tells it to, on loopback, as agents' own clients expect a model to speak.
//!
//! For: real agents calling our tools without a model: Anthropic's Messages, OpenAI's Responses and, for a gateway, its
//! chat completions, streamed. Not for: anything else their endpoints do; what is asked besides is answered with a word or with 404.

mod anthropic;
mod completions;
mod openai;
mod wire;

use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What the model does in a turn.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Calls a tool.
    Call { tool: String, arguments: Value },
    /// Says something.
    Say(String),
}

/// A turn of the model.
pub(crate) struct Turn {
    pub step: Step,
    /// What Anthropic's protocol says was used, where the script says so.
    pub usage: Value,
}

/// Where a conversation stands.
pub(crate) struct Stand {
    /// The prompts so far, as one text.
    pub prompts: String,
    /// The results of tools since the last prompt, as texts, oldest first.
    pub results: Vec<String>,
    /// Whether tools are offered; requests without are the client's own errands.
    pub tools: bool,
}

/// The endpoint; ends with the test.
pub struct Model {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Value,
    requests: Mutex<Vec<Value>>,
    over: AtomicBool,
}

impl Model {
    /// Plays a script: `[{"on": "words of the prompt", "do": [{"call": "tool", "with": {…}}, {"say": "…"}]}]`. The steps
    /// of the last entry whose words are in the conversation follow one another, one for each result. In `say`,
    /// `{result}` is the last result as the model was given it; in arguments, a text `{name}` is that field of it. A
    /// step's `usage` is told as it is, by the models that speak Anthropic's Messages.
    ///
    /// # Panics
    /// When no port can be had.
    #[must_use]
    pub fn playing(script: Value) -> Model {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script,
            requests: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let for_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if for_thread.over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&for_thread);
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Model { address, shared }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that the model was asked so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Value> {
        self.shared.requests().clone()
    }

    /// Results of tools that reached the model, in the order in which they first did.
    #[must_use]
    pub fn results(&self) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        for request in self.requests() {
            for result in stand(&request).results {
                if !seen.contains(&result) {
                    seen.push(result);
                }
            }
        }
        seen
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn requests(&self) -> std::sync::MutexGuard<'_, Vec<Value>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) {
        let Some(request) = wire::read(&stream) else {
            return;
        };
        let path = request.path.split('?').next().unwrap_or_default();
        let events = match (request.method.as_str(), path) {
            ("POST", "/v1/messages") => anthropic::events,
            ("POST", "/v1/responses") => openai::events,
            ("POST", "/v1/chat/completions") => completions::events,
            ("HEAD", _) => return wire::answer(&stream, "200 OK", "application/json", ""),
            _ => {
                let text = json!({"error": {"type": "not_found_error", "message": path}});
                return wire::answer(
                    &stream,
                    "404 Not Found",
                    "application/json",
                    &text.to_string(),
                );
            }
        };
        let mut number = self.requests();
        number.push(request.body.clone());
        let count = number.len();
        drop(number);
        let text = events(&self.next(&request.body), count, &request.body);
        wire::answer(&stream, "200 OK", "text/event-stream", &text);
    }

    /// What comes next in the conversation of this request.
    fn next(&self, body: &Value) -> Turn {
        let stand = stand(body);
        let entries = self.script.as_array().into_iter().flatten();
        let entry = entries
            .rev()
            .find(|entry| stand.prompts.contains(entry["on"].as_str().unwrap_or("\0")));
        let Some(entry) = entry.filter(|_| stand.tools) else {
            return Turn {
                step: Step::Say("nothing is written for this".to_owned()),
                usage: Value::Null,
            };
        };
        let step = &entry["do"][stand.results.len()];
        let last = stand.results.last().map_or("", String::as_str);
        let usage = step["usage"].clone();
        let step = match step["call"].as_str() {
            Some(tool) => Step::Call {
                tool: tool.to_owned(),
                arguments: filled(&step["with"], last),
            },
            None => Step::Say(
                step["say"]
                    .as_str()
                    .unwrap_or("the script is over")
                    .replace("{result}", last),
            ),
        };
        Turn { step, usage }
    }
}

fn stand(body: &Value) -> Stand {
    if body.get("input").is_some() {
        openai::stand(body)
    } else if completions::is_it(body) {
        completions::stand(body)
    } else {
        anthropic::stand(body)
    }
}

/// Arguments with each text `{name}` put as that field of the last result.
fn filled(arguments: &Value, last: &str) -> Value {
    match arguments {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), filled(value, last)))
            .collect(),
        Value::Array(items) => items.iter().map(|item| filled(item, last)).collect(),
        Value::String(text) => text
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .map_or_else(|| arguments.clone(), |name| field(last, name)),
        other => other.clone(),
    }
}

/// A field of a result. Codex puts a line or two before the JSON.
fn field(result: &str, name: &str) -> Value {
    let json = result.find('{').map_or("", |at| &result[at..]);
    serde_json::Deserializer::from_str(json)
        .into_iter::<Value>()
        .next()
        .and_then(Result::ok)
        .map_or(Value::Null, |value| value[name].clone())
}

/// The text of content that is a text or a list of blocks.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts: Vec<&str> = blocks
                .iter()
                .filter_map(|block| block["text"].as_str())
                .collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}
