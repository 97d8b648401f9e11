//! The roadmap server through the real protocol in memory, on repositories made for each test.

mod editing;
mod listing;
mod reading;
mod rig;
mod running;
mod wrong_input;
