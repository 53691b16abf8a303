//! What printed text looks like: 80 columns, colour only where the terminal wants it.

use anstyle::{AnsiColor, Style};

/// Columns.
pub const WIDTH: usize = 80;

/// Names of things: bold.
pub const NAME: Style = Style::new().bold();
/// What is well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What is not.
pub const BAD: Style = AnsiColor::Red.on_default();
/// What is beside the point.
pub const QUIET: Style = Style::new().dimmed();

/// A line in pieces of at most this many characters, cut between words or members where there are any; all but
/// the first stand in a little.
#[must_use]
pub fn cut(line: &str, width: usize) -> Vec<String> {
    let mut rest: Vec<char> = line.chars().collect();
    let mut pieces = Vec::new();
    let mut indent = "";
    loop {
        let room = width - indent.len();
        if rest.len() <= room {
            pieces.push(format!("{indent}{}", rest.iter().collect::<String>()));
            return pieces;
        }
        let joint = rest[..room].iter().rposition(|c| matches!(c, ' ' | ',' | '&')).filter(|joint| *joint > room / 2);
        let tail = rest.split_off(joint.map_or(room, |joint| joint + 1));
        pieces.push(format!("{indent}{}", rest.iter().collect::<String>().trim_end()));
        rest = tail;
        indent = "  ";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_its_joints() {
        assert_eq!(cut("abcdefg", 4), ["abcd", "  ef", "  g"]);
        assert_eq!(cut("a bc defg", 5), ["a bc", "  def", "  g"]);
        assert_eq!(cut("", 4), [""]);
    }
}
