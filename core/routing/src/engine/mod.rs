//! A call from its decision to its end.
//!
//! For: [`Router`], which knows the configured providers and routes and looks up who should be asked; [`next`], what
//! comes after a candidate failed: the same again, another one, or the end. Not for: the rules of choosing (`route`),
//! or talking to a provider (`upstream`).

mod along;
mod ask;
mod asked;
mod attempt;
mod complete;
mod count;
mod detail;
mod error;
mod estimate;
mod explain;
mod flights;
mod hand;
mod health;
mod next;
mod node;
mod pass;
mod passing;
mod refused;
mod router;
mod run;
mod settings;
mod sniff;
mod standing;
mod stream;
mod text;
mod used;

pub use ask::{Ask, Terms, Wanted, Who};
pub use complete::Answered;
pub use count::Count;
pub use detail::row_of;
pub use error::{CallError, Hop, Nobody};
pub use estimate::{USUAL_OUTPUT, input_tokens, output_tokens};
pub use explain::{Considered, Explained};
pub use hand::Handed;
pub use next::{Patience, Plight, Step, next};
pub use pass::Passed;
pub use passing::{Passing, What};
pub use router::Router;
pub use settings::{Escalate, Parts, Provider, RouteSettings, Settings, Target};
pub use standing::Standing;
pub use stream::Answering;
