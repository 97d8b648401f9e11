//! How it is spoken: tools, resources and prompts over MCP, in both protocol eras.
//!
//! For: one trait for each kind of thing a server offers, one wrapper that every call goes through (span,
//! time, outcome row, panic guard, cancellation, time limit), and standard input and output as a
//! transport. Not for: what the tools do, where the board is, or who may do what on it.

mod ability;
pub mod access;
mod ask;
mod batch;
mod call;
mod caller;
mod complete;
mod content;
mod context;
mod decode;
mod digest;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod gate;
pub mod http;
mod lines;
mod log;
mod long;
mod memory;
mod message;
mod offers;
mod param;
mod pass;
mod prompt;
mod question;
mod questions;
mod resource;
mod roots;
mod sampling;
mod schema;
mod scrub;
mod serve;
mod server;
mod stdio;
mod subscribe;
mod tool;
mod view;
mod watch;

pub use ability::Ability;
pub use call::BoxFuture;
pub use caller::{Caller, Grant, Role, Via};
pub use complete::Completing;
pub use content::{Answer, Block, Blocks, Body, Embedded, Illustrated, IntoAnswer, Media};
pub use context::CallContext;
pub use error::{ErrorKind, ToolError};
pub use gate::{Arrival, Gate, Refusal};
pub use log::Level;
pub use long::Long;
pub use memory::{MIGRATIONS, Memory, OpenBoard};
pub use offers::Offers;
pub use param::{Id, Limit, Line, NoParams, Text, Whole};
pub use prompt::{Message, Prompt, PromptArgument, PromptArguments};
pub use question::{Choice, Field, Question, Reply};
pub use questions::{
    QuestionError, StoredQuestion, Verdict, question_answer, question_json, question_list,
};
pub use resource::{Resource, ResourcePage, ResourceRequest};
pub use roots::Root;
pub use serve::{ServeError, run, runtime, serve_on, serve_stdio};
pub use server::{Served, Server, ServerSpec, ToolFacts};
pub use tool::{Effect, Link, Render, Tool};
pub use view::{ANSWER_CHARS, clip};
pub use watch::{Sight, Watch, Watched};
