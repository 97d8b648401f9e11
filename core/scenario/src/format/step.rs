//! A step: one verb, what belongs to it, and what is expected of it.

use super::words::exact;
use super::{Amount, At, Capture, Command, Expect, OneOrMany, Time};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Declares the step and, from the same list, which keys were given.
macro_rules! step {
    ($($(#[$doc:meta])* $field:ident: $kind:ty,)*) => {
        /// A step: exactly one verb (`call`, `read`, `run`, …), the keys that belong to it, and those that every step
        /// may have: `name`, `on`, `timeout`, `expect`, `capture`, `eventually`, `delay`, `background`.
        #[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Step {
            $($(#[$doc])* pub $field: Option<$kind>,)*
        }

        impl Step {
            /// The keys that are given.
            #[must_use]
            pub fn given(&self) -> Vec<&'static str> {
                let mut keys = Vec::new();
                $(if self.$field.is_some() {
                    keys.push(stringify!($field).trim_start_matches("r#"));
                })*
                keys
            }
        }
    };
}

step! {
    /// What the step tells, for reports.
    name: String,
    /// The server; may be left out when there is only one.
    on: String,
    /// How long it may take.
    timeout: Time,
    /// What is expected.
    expect: Box<Expect>,
    /// What is kept for later, by name.
    capture: BTreeMap<String, Capture>,
    /// The step is tried again until its expectations hold, for so long.
    eventually: Time,
    /// Waits before the step.
    delay: Time,
    /// Goes on without waiting for the answer, which `await` or `cancel` names by this word.
    background: String,

    /// Calls a tool.
    call: String,
    /// Reads a resource.
    read: String,
    /// Gets a prompt.
    prompt: String,
    /// Lists tools, resources, templates or prompts: all pages.
    list: ListKind,
    /// Asks for completions: `ref` and `argument` as in the protocol.
    complete: Map<String, Value>,
    /// Subscribes to resources by URI; the words tools, prompts and resources stand for changes of the lists (2026-07-28).
    subscribe: OneOrMany,
    /// Ends subscriptions to resources.
    unsubscribe: OneOrMany,
    /// Waits for a notification (or a request) of the server's with this method.
    notification: String,
    /// Sends any request, dressed as the revision asks.
    request: String,
    /// Sends any notification.
    notify: String,
    /// Sends a message exactly as written.
    raw: Raw,
    /// Sends a line that is no message, and waits for nothing.
    malformed: String,
    /// Gives up a call that is in the background: a cancelled notification, or the closed stream over HTTP in 2026-07-28.
    cancel: String,
    /// Waits for the answer to a call in the background.
    r#await: String,
    /// Waits.
    sleep: Time,
    /// Runs a command to its end. It must end with 0 unless `exit` says otherwise.
    run: Command,
    /// Writes a file (with `text`, `json` or `append`), removes it (`remove`), or looks at it.
    file: String,
    /// Sets variables.
    set: Map<String, Value>,
    /// Expects something of a value.
    check: Value,
    /// Runs `steps` so many times: at most a million.
    repeat: Amount,
    /// Runs `steps` for each element of a list.
    for_each: Value,
    /// Runs `steps` in so many clients at once, each with a connection of its own.
    parallel: Amount,
    /// Runs lists of steps at once, on the same connections.
    branches: Vec<Vec<At<Step>>>,
    /// Sends a signal to a server's or process's whole group: KILL unless `signal` says otherwise.
    kill: String,
    /// Closes a server's standard input, or its connections over HTTP.
    close: String,
    /// Starts a server or process that was not used yet, or has ended.
    start: String,
    /// Ends a server or process and starts it again.
    restart: String,
    /// Waits for the end of a server or process; its value is `code` and `signal`.
    ended: String,
    /// Looks at what a server or process wrote: its value is `stdout` and `stderr`, its text the latter.
    output: String,

    /// Arguments of a tool or a prompt.
    arguments: Value,
    /// Parameters of `request` and `notify`; for `notification` what they must include.
    params: Value,
    /// More `_meta` of a request.
    meta: Map<String, Value>,
    /// More headers of this request, over HTTP.
    headers: BTreeMap<String, String>,
    /// Asks for progress.
    #[serde(deserialize_with = "exact")]
    progress: bool,
    /// Whether the server's questions are answered from the client's table: true unless given.
    #[serde(deserialize_with = "exact")]
    answer: bool,
    /// How long to wait for a notification: the timeout unless given.
    within: Time,
    /// The notification must not come within that time.
    #[serde(deserialize_with = "exact")]
    absent: bool,
    /// Only one page of a list, from this cursor; an empty text begins.
    cursor: String,
    /// Text of a file.
    text: String,
    /// A file's content as JSON.
    json: Value,
    /// Text added to the end of a file.
    append: String,
    /// Removes the file or directory.
    #[serde(deserialize_with = "exact")]
    remove: bool,
    /// Permissions of a file, such as "755".
    mode: String,
    /// Environment of `run`.
    env: BTreeMap<String, String>,
    /// Working directory of `run`.
    cwd: String,
    /// Standard input of `run`.
    stdin: String,
    /// The code that `run` must end with; `any` allows all.
    exit: Value,
    /// The signal of `kill`: KILL, TERM, INT, HUP, STOP, CONT.
    signal: String,
    /// Steps of a loop or of parallel clients.
    steps: Vec<At<Step>>,
    /// The variable that counts a loop (from 0) or holds its element.
    r#as: String,
    /// Servers that each parallel client gets its own connection to: `on`, or the only one, unless given.
    of: OneOrMany,
    /// Variables of the parallel clients or branches, each kept as a list.
    collect: OneOrMany,
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ListKind {
    /// `tools/list`
    Tools,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
    /// `prompts/list`
    Prompts,
}

/// A message exactly as written: one of `json`, `text`, `hex`, `http`, `tcp`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Raw {
    /// A JSON value, as one line.
    pub json: Option<Value>,
    /// A text, as one line unless `newline` is false.
    pub text: Option<String>,
    /// Bytes in hexadecimal.
    pub hex: Option<String>,
    /// An HTTP request to the server's address.
    pub http: Option<HttpRaw>,
    /// Text sent over a connection of its own to the server's address; the value is what comes back until it closes.
    pub tcp: Option<String>,
    /// Repeats the text or the bytes so many times (before the line's end).
    pub times: Option<Amount>,
    /// Whether a line's end follows: true unless given.
    #[serde(deserialize_with = "exact")]
    pub newline: Option<bool>,
    /// Writes in so many pieces with a pause between.
    #[serde(deserialize_with = "exact")]
    pub pieces: Option<u64>,
    /// What to wait for: `none`, `any` message, an `id`, or `closed`. A request in `json` waits for its id unless given.
    pub answer: Option<Await>,
    /// The id to wait for, with `answer: id`.
    pub id: Option<Value>,
}

/// What a raw message waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Await {
    /// Nothing.
    None,
    /// The next message, whatever it is.
    Any,
    /// The answer with the id that `id` gives; null is an id too.
    Id,
    /// The end of the connection.
    Closed,
}

/// An HTTP request as written. The value is `status`, `headers`, `body` (JSON when it is) and `events`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpRaw {
    /// POST unless given.
    pub method: Option<String>,
    /// From the address's root when it begins with `/`; the endpoint unless given.
    pub path: Option<String>,
    /// These headers and no others (besides Host and Content-Length).
    pub headers: BTreeMap<String, String>,
    /// A JSON body.
    pub json: Option<Value>,
    /// A body.
    pub body: Option<String>,
}
