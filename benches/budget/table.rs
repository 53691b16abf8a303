//! The committed table of what each workload may cost.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// How much more or less than the table says is the same.
const SLACK: f64 = 0.02;
/// The same for memory, which depends on what the allocator returns when.
const SLACK_OF_MEMORY: f64 = 0.05;

#[derive(Clone, Copy, serde::Deserialize, serde::Serialize)]
pub struct Cost {
    pub instructions: u64,
    pub allocations: u64,
    /// Calls of repairs, whose gates were open.
    pub visits: u64,
}

#[derive(Default, serde::Deserialize, serde::Serialize)]
pub struct Table {
    requests: BTreeMap<String, Cost>,
    bytes_a_silent_stream: Option<u64>,
    #[serde(default)]
    bytes_a_future: BTreeMap<String, u64>,
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/budget/budget.json")
}

impl Table {
    pub fn read() -> Self {
        let text = std::fs::read_to_string(file()).ok();
        text.map_or_else(Self::default, |text| serde_json::from_str(&text).expect("a table of workloads"))
    }

    pub fn write(&self) {
        let text = serde_json::to_string_pretty(self).expect("a table") + "\n";
        std::fs::write(file(), text).expect("a file");
    }

    pub fn print_heading() {
        println!("{:<16}{:>22}{:>20}{:>16}", "a request of", "instructions", "allocations", "calls of repairs");
    }

    /// Prints a workload beside its budget, and takes its cost in. Answers whether it keeps the budget.
    pub fn compare(&mut self, name: &str, cost: Cost) -> bool {
        let Some(budget) = self.requests.insert(name.to_owned(), cost) else {
            println!("{name:<16}{:>22}{:>20}{:>16}  no budget", cost.instructions, cost.allocations, cost.visits);
            return false;
        };
        let change = change(cost.instructions, budget.instructions);
        let is_kept = change <= SLACK && cost.allocations <= budget.allocations && cost.visits <= budget.visits;
        println!(
            "{name:<16}{:>13} ({:>+5.1}%){:>11} (max {:>3}){:>7} (max {:>3}){}",
            cost.instructions,
            change * 100.0,
            cost.allocations,
            budget.allocations,
            cost.visits,
            budget.visits,
            mark(is_kept, change < -SLACK)
        );
        is_kept
    }

    /// The same for the size of a future. It depends on the compiler alone.
    pub fn compare_future(&mut self, name: &str, bytes: u64) -> bool {
        let title = format!("future: {name}");
        let Some(budget) = self.bytes_a_future.insert(name.to_owned(), bytes) else {
            println!("{title:<20}{bytes:>9} bytes  no budget");
            return false;
        };
        let change = change(bytes, budget);
        println!("{title:<20}{bytes:>9} bytes ({:>+5.1}%){}", change * 100.0, mark(change <= SLACK, change < -SLACK));
        change <= SLACK
    }

    /// The same for the memory of a stream.
    pub fn compare_stream(&mut self, bytes: u64) -> bool {
        let Some(budget) = self.bytes_a_silent_stream.replace(bytes) else {
            println!("{:<16}{bytes:>13} bytes  no budget", "a silent stream");
            return false;
        };
        let change = change(bytes, budget);
        let is_kept = change <= SLACK_OF_MEMORY;
        let mark = mark(is_kept, change < -SLACK_OF_MEMORY);
        println!("{:<16}{bytes:>13} bytes ({:>+5.1}%){mark}", "a silent stream", change * 100.0);
        is_kept
    }
}

fn mark(is_kept: bool, is_less: bool) -> &'static str {
    match (is_kept, is_less) {
        (false, _) => "  too much",
        (true, true) => "  less: lower the budget by --write",
        (true, false) => "",
    }
}

fn change(is: u64, was: u64) -> f64 {
    is as f64 / was as f64 - 1.0
}
