//! Letters that nobody sees, but that move a cursor, turn the reading direction, or hide a word: none of them may get from
//! a server to a terminal or an issue.

/// Whether a letter works without being seen (Unicode categories Cc, Cf, Zl and Zp as far as terminals and browsers heed
/// them).
pub(super) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with such letters written out, as in `\u{1b}`; so a defect that is one of them still shows.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unseen(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_written_out() {
        assert_eq!(plain("a\u{1b}[31m\r\u{7}\u{9b}31m\0"), r"a\u{1b}[31m\r\u{7}\u{9b}31m\u{0}");
        assert_eq!(plain("\u{202e}x\u{2066}\u{200b}\u{2028}\u{feff}"), r"\u{202e}x\u{2066}\u{200b}\u{2028}\u{feff}");
        assert_eq!(plain("ä … 日本 \\ \"'"), "ä … 日本 \\ \"'");
    }
}
