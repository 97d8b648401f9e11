//! Agents of the user's own, good and bad: what is kept of their work, and what is never done with it.

mod astray;
mod failed;
mod good;
mod order;
mod processes;
mod together;
mod told;
