//! What Callgrind has written (Valgrind manual, section "Callgrind Format Specification").

use std::collections::HashMap;

/// Instructions by function, how often memory was allocated, and how often a repair was called.
#[derive(Default)]
pub struct Profile {
    functions: HashMap<String, u64>,
    allocations: u64,
    visits: u64,
}

impl Profile {
    /// Reads a file with one event, instructions.
    pub fn parse(text: &str) -> Self {
        let mut profile = Self::default();
        let mut names = HashMap::new();
        let (mut function, mut callee) = (String::new(), String::new());
        // The line behind `calls=` has the cost of what was called, which stands at its own place as well.
        let mut is_inclusive = false;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn=") {
                function = full_name(&mut names, name);
            } else if let Some(name) = line.strip_prefix("cfn=") {
                callee = full_name(&mut names, name);
            } else if let Some(calls) = line.strip_prefix("calls=") {
                is_inclusive = true;
                if is_allocation(&callee) && !is_allocation(&function) {
                    profile.allocations += number(calls.split(' ').next());
                }
                if is_of_repairs(&callee) && !is_of_repairs(&function) {
                    profile.visits += number(calls.split(' ').next());
                }
            } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
                && !std::mem::take(&mut is_inclusive)
            {
                *profile.functions.entry(function.clone()).or_default() += number(line.split(' ').nth(1));
            }
        }
        profile
    }

    pub fn instructions(&self) -> u64 {
        self.functions.values().sum()
    }

    pub fn allocations(&self) -> u64 {
        self.allocations
    }

    pub fn visits(&self) -> u64 {
        self.visits
    }

    /// What this run has more than another.
    pub fn minus(mut self, other: &Self) -> Self {
        for (name, cost) in &mut self.functions {
            *cost = cost.saturating_sub(other.functions.get(name).copied().unwrap_or_default());
        }
        self.allocations = self.allocations.saturating_sub(other.allocations);
        self.visits = self.visits.saturating_sub(other.visits);
        self
    }

    pub fn divided_by(mut self, count: u64) -> Self {
        // Rounded to the nearest: many functions cost little.
        self.functions.values_mut().for_each(|cost| *cost = (*cost + count / 2) / count);
        self.allocations = (self.allocations + count / 2) / count;
        self.visits = (self.visits + count / 2) / count;
        self
    }

    /// The functions that cost more or less than in another build, the largest difference first.
    pub fn print_difference(&self, other: &Self, most: usize) {
        let cost = |profile: &Self, name: &str| profile.functions.get(name).copied().unwrap_or_default();
        let mut all: Vec<(&str, u64, u64)> =
            self.functions.keys().map(|name| (name.as_str(), cost(other, name), cost(self, name))).collect();
        let gone = other.functions.iter().filter(|(name, _)| !self.functions.contains_key(*name));
        all.extend(gone.map(|(name, cost)| (name.as_str(), *cost, 0)));
        all.sort_by_key(|(name, was, is)| (std::cmp::Reverse(was.abs_diff(*is)), *name));
        println!("  {} instructions in the other build. By function:", other.instructions());
        println!("  {:>8}{:>8}{:>8}", "other", "own", "");
        for (name, was, is) in all.into_iter().filter(|(_, was, is)| was != is).take(most) {
            let difference = i128::from(is) - i128::from(was);
            println!("  {was:>8}{is:>8}{difference:>+8}  {}", name.chars().take(90).collect::<String>());
        }
    }
}

/// A name that is written out once and then called by its number.
fn full_name(names: &mut HashMap<String, String>, text: &str) -> String {
    let (number, name) = text.split_once(')').unwrap_or((text, ""));
    if name.is_empty() {
        return names.get(number).cloned().unwrap_or_default();
    }
    let name = without_hash(name.trim());
    names.insert(number.to_owned(), name.clone());
    name
}

/// Two builds give the same function another hash at its end, and recursion is marked.
fn without_hash(name: &str) -> String {
    let name = name.split('\'').next().unwrap_or(name);
    let hash = name.rsplit_once("::h").filter(|(_, hash)| hash.len() == 16);
    hash.map_or(name, |(rest, _)| rest).to_owned()
}

/// Whether it is a function of jemalloc by which a program allocates or grows memory.
fn is_allocation(function: &str) -> bool {
    const NAMES: [&str; 6] = ["malloc", "calloc", "realloc", "mallocx", "rallocx", "aligned_alloc"];
    let name = function.trim_start_matches("_rjem_").trim_start_matches("je_");
    NAMES.contains(&name)
}

/// Whether it is a part of a repair: its gate was open.
fn is_of_repairs(function: &str) -> bool {
    function.starts_with("mcp_mend::repairs::")
}

fn number(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}
