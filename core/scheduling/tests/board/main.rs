//! Scheduling through the real store, on a file of its own for each test.
//!
//! For: what the rules promise once rows, indexes and several processes are involved. Not for: the pure
//! parts, which are tested beside their code.
#![allow(clippy::unwrap_used)]

mod ageing;
mod attempts;
mod bulk;
mod claim_plan;
mod dependencies;
mod duties;
mod fixture;
mod leases;
mod listing;
mod many_clients;
mod model;
mod people;
mod reasons;
mod retries;
mod state_machine;
mod validation;
