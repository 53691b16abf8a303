//! What happens in one run, and when.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::peers::{self, Notes};

/// Something that happens to the upstream or on the way to it.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// What is sent is lost.
    Lost,
    /// What the upstream sends is lost; it hears all.
    Deaf,
    /// What is sent arrives when the way is free again.
    Held,
    Slow(Duration),
    Crashed,
    Restarted,
    Free,
}

/// The happenings of a run, each with its time.
#[derive(Debug)]
pub struct Course {
    happenings: Vec<(Duration, Happening)>,
}

/// When all is well again.
const HEALED: Duration = Duration::from_secs(8);
/// When nobody asks any more and idle connections have ended.
const OVER: Duration = Duration::from_secs(40);

/// Numbers that look like chance and belong to a seed.
pub struct Chance(u64);

impl Chance {
    pub fn of(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) % most
    }
}

impl Course {
    pub fn of(seed: u64) -> Self {
        let mut chance = Chance::of(seed);
        let mut happenings = Vec::new();
        let mut at = 300 + chance.below(500);
        while at < 7000 {
            let happening = match chance.below(6) {
                0 => Happening::Lost,
                1 => Happening::Deaf,
                2 => Happening::Held,
                3 => Happening::Slow(Duration::from_millis(20 + chance.below(400))),
                4 => Happening::Crashed,
                _ => Happening::Restarted,
            };
            happenings.push((Duration::from_millis(at), happening));
            at += 50 + chance.below(1200);
            happenings.push((Duration::from_millis(at), Happening::Free));
            at += chance.below(800);
        }
        Self { happenings }
    }

    pub fn run(self, seed: u64, notes: &Arc<Mutex<Notes>>) -> Result<(), String> {
        let mut sim = turmoil::Builder::new()
            .rng_seed(seed)
            .simulation_duration(OVER * 2)
            .tick_duration(Duration::from_millis(5))
            .max_message_latency(Duration::from_millis(20))
            .enable_random_order()
            .tcp_capacity(100_000)
            .build();
        let seen = notes.clone();
        sim.host("upstream", move || peers::upstream(seen.clone()));
        let told = notes.clone();
        sim.host("proxy", move || peers::proxy(told.clone()));
        for client in 0..6 {
            sim.client(format!("client-{client}"), peers::client(client, seed, notes.clone()));
        }
        sim.client("watcher", peers::watcher(HEALED, OVER, notes.clone()));
        let mut happenings = self.happenings.into_iter().peekable();
        let mut is_healed = false;
        loop {
            while let Some((_, happening)) = happenings.next_if(|(at, _)| *at <= sim.elapsed()) {
                happen(&mut sim, happening);
            }
            if !is_healed && sim.elapsed() >= HEALED {
                is_healed = true;
                happen(&mut sim, Happening::Free);
            }
            if sim.step().map_err(|error| error.to_string())? {
                return Ok(());
            }
        }
    }
}

fn happen(sim: &mut turmoil::Sim<'_>, happening: Happening) {
    match happening {
        Happening::Lost => sim.partition("proxy", "upstream"),
        Happening::Deaf => sim.partition_oneway("upstream", "proxy"),
        Happening::Held => sim.hold("proxy", "upstream"),
        Happening::Slow(latency) => sim.set_link_latency("proxy", "upstream", latency),
        Happening::Crashed => sim.crash("upstream"),
        Happening::Restarted => sim.bounce("upstream"),
        Happening::Free => {
            sim.repair("proxy", "upstream");
            sim.release("proxy", "upstream");
            sim.set_link_latency("proxy", "upstream", Duration::from_millis(5));
            if !sim.is_host_running("upstream") {
                sim.bounce("upstream");
            }
        }
    }
}
