//! Rounds, medians, ratios, and how they are shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::process::Pins;
use super::target::Target;

pub const START: &str = "start to first answer, ms";
pub const RSS: &str = "idle RSS, MiB";
pub const STREAMS: &str = "silent streams, KiB each";

/// What was measured: for each row and target one figure a round.
pub struct Table {
    names: Vec<&'static str>,
    layout: &'static str,
    order: Vec<&'static str>,
    rows: BTreeMap<&'static str, Vec<Vec<f64>>>,
    complaints: Vec<String>,
}

impl Table {
    pub fn new(targets: &[Target<'_>], pins: &Pins) -> Self {
        let names = targets.iter().map(|target| target.name).collect();
        Self { names, layout: pins.describe(), order: Vec::new(), rows: BTreeMap::new(), complaints: Vec::new() }
    }

    /// One figure of one round.
    pub fn note(&mut self, row: &'static str, target: usize, figure: f64) {
        self.row(row)[target].push(figure);
    }

    /// The row is there, whether or not the target has a figure in it.
    pub fn skip(&mut self, row: &'static str, target: usize) {
        self.row(row)[target].push(f64::NAN);
    }

    pub fn complain(&mut self, text: &str) {
        if self.complaints.len() < 10 {
            self.complaints.push(text.to_owned());
        }
    }

    fn row(&mut self, row: &'static str) -> &mut Vec<Vec<f64>> {
        if !self.order.contains(&row) {
            self.order.push(row);
        }
        let count = self.names.len();
        self.rows.entry(row).or_insert_with(|| vec![Vec::new(); count])
    }

    /// The ratios of mcp-mend to a target, round by round.
    fn ratios(figures: &[Vec<f64>], target: usize) -> Vec<f64> {
        figures[0].iter().zip(&figures[target]).map(|(own, other)| own / other).collect()
    }

    pub fn text(&self) -> String {
        let mut out = format!("\nCPU us a request; {}\n\n", self.layout);
        let _ = write!(out, "{:<27}", "");
        for name in &self.names {
            let _ = write!(out, "{name:>9}");
        }
        for name in self.names.iter().skip(1) {
            let _ = write!(out, "  {:>15}", format!("to {name}"));
        }
        out.push('\n');
        for row in &self.order {
            let figures = &self.rows[row];
            let _ = write!(out, "{row:<27}");
            for figures in figures {
                let _ = write!(out, "{:>9}", show(median(figures)));
            }
            for target in 1..self.names.len() {
                let ratios = Self::ratios(figures, target);
                let _ = write!(out, "  {:>15}", spread(&ratios));
            }
            out.push('\n');
        }
        out.push_str(
            "\nFigures are medians of the rounds; ratios are mcp-mend's, median (lowest-highest) of the rounds.\n",
        );
        for complaint in &self.complaints {
            let _ = writeln!(out, "! {complaint}");
        }
        out
    }

    pub fn json(&self) -> Value {
        let rows = self.order.iter().map(|row| {
            let figures = &self.rows[row];
            let each = self.names.iter().enumerate().map(|(target, name)| {
                let ratio = if target == 0 { f64::NAN } else { median(&Self::ratios(figures, target)) };
                // A figure that is none becomes null.
                (
                    (*name).to_owned(),
                    json!({ "median": median(&figures[target]), "rounds": figures[target], "ratio": ratio }),
                )
            });
            ((*row).to_owned(), Value::Object(each.collect()))
        });
        json!({ "layout": self.layout, "rows": Value::Object(rows.collect()), "complaints": self.complaints })
    }
}

fn sorted(figures: &[f64]) -> Vec<f64> {
    let mut known: Vec<f64> = figures.iter().copied().filter(|figure| figure.is_finite()).collect();
    known.sort_by(f64::total_cmp);
    known
}

fn median(figures: &[f64]) -> f64 {
    let known = sorted(figures);
    match known.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => known[odd / 2],
        even => f64::midpoint(known[even / 2 - 1], known[even / 2]),
    }
}

fn show(figure: f64) -> String {
    match figure {
        figure if !figure.is_finite() => "-".to_owned(),
        figure if figure >= 100.0 => format!("{figure:.0}"),
        figure => format!("{figure:.1}"),
    }
}

fn spread(ratios: &[f64]) -> String {
    match sorted(ratios).as_slice() {
        [] => "-".to_owned(),
        known => format!("{:.2} ({:.2}-{:.2})", median(known), known[0], known[known.len() - 1]),
    }
}
