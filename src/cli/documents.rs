//! The documents that are written from the code: a table in the README, the example configuration and its schema.

use std::fmt::Write as _;

use crate::repairs::REPAIRS;
use crate::telemetry::metrics::names;

/// The README's table of repairs.
#[must_use]
pub fn repairs_table() -> String {
    let mut out = String::from("| repair | what is wrong | rows | default |\n|---|---|---|---|\n");
    for repair in REPAIRS {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} |",
            repair.id,
            repair.summary.replace('|', "\\|"),
            repair.rows.join(", "),
            repair.default
        );
    }
    out
}

/// The README's table of metrics.
#[must_use]
pub fn metrics_table() -> String {
    let mut out = String::from("| metric | labels | what it is |\n|---|---|---|\n");
    for metric in names::ALL {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(out, "| `{}` | {} | {} |", metric.sample_name(), labels.join(", "), metric.help);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::limits::{limits_table, memory_table, refusals_table};
    use crate::config::settings;

    /// The text with a table between its two marks, if it has them.
    fn with_table(text: &str, name: &str, table: &str) -> String {
        let (begin, end) =
            (format!("<!-- {name}: begin (a test writes this table) -->\n"), format!("<!-- {name}: end -->"));
        let Some((before, rest)) = text.split_once(&begin) else { return text.to_owned() };
        let (_, after) = rest.split_once(&end).expect("the table's end");
        format!("{before}{begin}{table}{end}{after}")
    }

    /// Writes the file anew if it is not what it shall be, and fails once.
    fn keep(name: &str, wanted: impl Fn(&str) -> String) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let have = std::fs::read_to_string(&path).unwrap_or_default();
        let wanted = wanted(&have);
        if have != wanted {
            std::fs::write(&path, wanted).unwrap();
            panic!("{name} was out of date; it has been written anew: commit it");
        }
    }

    /// One test for all places: two would write the file at once.
    #[test]
    fn the_readme_lists_and_counts_every_repair_limit_and_metric() {
        let tally = format!("  repairs      {}", super::super::show::tally(|repair| repair.default));
        keep("README.md", |have| {
            for name in ["repairs", "metrics", "memory"] {
                assert!(have.contains(&format!("<!-- {name}: begin")), "the README has no table of {name}");
            }
            let text = with_table(have, "repairs", &repairs_table());
            let text = with_table(&text, "limits", &limits_table());
            let text = with_table(&text, "memory", &memory_table());
            let text = with_table(&text, "metrics", &metrics_table());
            let text = with_table(&text, "refusals", &refusals_table());
            let is_tally = |line: &str| line.starts_with("  repairs      ");
            text.lines().map(|line| format!("{}\n", if is_tally(line) { &tally } else { line })).collect()
        });
    }

    #[test]
    fn the_example_file_is_current() {
        keep("proxy.example.toml", |_| settings::example_file());
    }

    #[test]
    fn the_schema_of_checks_is_current() {
        let schema = schemars::schema_for!(crate::check::report::Report);
        keep("check.schema.json", |_| format!("{:#}\n", schema.as_value()));
    }

    #[test]
    fn the_schema_is_current() {
        keep("proxy.schema.json", |_| format!("{:#}\n", settings::schema()));
    }
}
