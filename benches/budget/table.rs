//! The committed table of what each workload may cost.

use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Clone, Copy, serde::Deserialize, serde::Serialize)]
pub struct Cost {
    pub instructions: u64,
    pub allocations: u64,
}

pub struct Table(BTreeMap<String, Cost>);

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/budget/budget.json")
}

impl Table {
    pub fn read() -> Self {
        let text = std::fs::read_to_string(file()).unwrap_or_else(|_| "{}".to_owned());
        Self(serde_json::from_str(&text).expect("a table of workloads"))
    }

    pub fn write(&self) {
        let text = serde_json::to_string_pretty(&self.0).expect("a table") + "\n";
        std::fs::write(file(), text).expect("a file");
    }

    /// Prints a workload beside its budget, and takes its cost in. Answers whether it keeps the budget and leaves no slack.
    pub fn compare(&mut self, name: &str, cost: Cost) -> bool {
        let Some(budget) = self.0.insert(name.to_owned(), cost) else {
            println!("{name:<16}{:>14}{:>14}{:>9}{:>13}", cost.instructions, "none", "", cost.allocations);
            return false;
        };
        let change = cost.instructions as f64 / budget.instructions as f64 - 1.0;
        let is_kept = change.abs() <= 0.02 && cost.allocations <= budget.allocations;
        println!(
            "{name:<16}{:>14}{:>14}{:>+8.1}%{:>13}{:>9}{}",
            cost.instructions,
            budget.instructions,
            change * 100.0,
            cost.allocations,
            budget.allocations,
            if is_kept { "" } else { "  <-" }
        );
        is_kept
    }
}
