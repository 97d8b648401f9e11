//! Secrets: who gets them, and that nothing else has them. Each test plants values that are found nowhere else, and looks
//! for them, in every usual spelling, in everything that was written.

mod agents;
mod answers;
mod commands;
mod learning;
mod locks;
mod rig;
mod scenarios;
