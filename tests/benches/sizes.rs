//! How much is measured.

use std::time::Duration;

/// The sizes of a run.
pub struct Sizes {
    /// Ready tasks on the boards whose claims are compared, smallest first.
    pub ready: [u32; 3],
    /// Rounds over these boards, and claims queued at once on each board in a round.
    pub claim_rounds: u32,
    pub burst: u32,
    /// Claims in a round that wait for the disk one by one.
    pub singles: u32,
    /// Clients that cycle at once, rounds of each contender, cycles in a round.
    pub clients: usize,
    pub cycle_rounds: usize,
    pub cycles: u32,
    /// Cycles in a round where every operation waits for the disk by itself.
    pub lone_cycles: u32,
    /// How long eight processes work.
    pub processes: Duration,
    /// Starts of a server for each kind of first request.
    pub starts: u32,
    /// Rounds over the servers, and calls of each in a round.
    pub call_rounds: u32,
    pub calls: u32,
    /// Sessions over HTTP that stay idle, sessions that call at once, and calls of each of those.
    pub sessions: u32,
    pub crowd: u32,
    pub crowd_calls: u32,
    /// How long calls come at a steady rate.
    pub steady: Duration,
    /// Changes that a subscriber waits for, over each transport.
    pub changes: u32,
    /// Writes that wait for the disk, of each kind.
    pub syncs: u32,
    /// Rounds over those that a model is asked through, and calls of each connection in a round.
    pub llm_rounds: u32,
    pub llm_calls: u32,
    /// Rounds with and without the log of calls, and calls in each.
    pub telemetry_rounds: u32,
    pub telemetry_calls: u32,
    /// Calls after which the memory of the gateway is looked at.
    pub memory_calls: [u32; 2],
    /// The same beside LiteLLM.
    pub peer_rounds: u32,
    pub peer_calls: u32,
}

impl Sizes {
    pub fn full() -> Self {
        Self {
            ready: [1_000, 100_000, 1_000_000],
            claim_rounds: 40,
            burst: 50,
            singles: 8,
            clients: 128,
            cycle_rounds: 8,
            cycles: 6_000,
            lone_cycles: 150,
            processes: Duration::from_secs(4),
            starts: 30,
            call_rounds: 20,
            calls: 100,
            sessions: 1_500,
            crowd: 1_000,
            crowd_calls: 20,
            steady: Duration::from_secs(20),
            changes: 60,
            syncs: 300,
            llm_rounds: 5,
            llm_calls: 60,
            telemetry_rounds: 7,
            telemetry_calls: 8_000,
            memory_calls: [10_000, 100_000],
            peer_rounds: 5,
            peer_calls: 50,
        }
    }

    pub fn quick() -> Self {
        Self {
            ready: [1_000, 5_000, 20_000],
            claim_rounds: 30,
            burst: 50,
            singles: 2,
            clients: 64,
            cycle_rounds: 4,
            cycles: 2_000,
            lone_cycles: 20,
            processes: Duration::from_secs(1),
            starts: 5,
            call_rounds: 4,
            calls: 50,
            sessions: 300,
            crowd: 200,
            crowd_calls: 6,
            steady: Duration::from_secs(3),
            changes: 8,
            syncs: 30,
            llm_rounds: 2,
            llm_calls: 20,
            telemetry_rounds: 3,
            telemetry_calls: 800,
            memory_calls: [800, 1_600],
            peer_rounds: 1,
            peer_calls: 5,
        }
    }
}
