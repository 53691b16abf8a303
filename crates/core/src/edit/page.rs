//! What a reader of a web page or a text sees: no tags, no scripts, no control characters.

/// What stands between these is no text of the page.
const HIDDEN: [&str; 2] = ["script", "style"];

/// The few entities that stand in error pages.
const ENTITIES: [(&str, &str); 5] = [("&nbsp;", " "), ("&quot;", "'"), ("&#39;", "'"), ("&#x27;", "'"), ("&amp;", "&")];

/// The text of a page, near enough: attributes, scripts and styles are not part of it. A text that is no page is
/// taken as it is. Blanks are collapsed.
#[must_use]
pub fn shown(text: &str) -> String {
    if !text.trim_start().starts_with('<') {
        return collapsed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once('<') {
        out.push_str(before);
        out.push(' ');
        rest = behind(tag).split_once('>').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    for (entity, text) in ENTITIES {
        out = out.replace(entity, text);
    }
    collapsed(&out)
}

/// From the end tag on, for an element whose content nobody sees.
fn behind(tag: &str) -> &str {
    let begins = |name: &&str| tag.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
    let Some(name) = HIDDEN.into_iter().find(begins) else { return tag };
    let end = tag.to_ascii_lowercase().find(&format!("</{name}")).map_or(tag.len(), |at| at + 2);
    &tag[end..]
}

/// Text without control characters, each run of blanks one blank.
#[must_use]
pub fn collapsed(text: &str) -> String {
    let blanked: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    blanked.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_is_seen_is_read() {
        for (text, seen) in [
            ("plain\u{7}  text\n", "plain text"),
            ("<html nonce=\"x\"><p>invalid_scope</p>prompt", "invalid_scope prompt"),
            ("<STYLE>p{}</style><h1>No&nbsp;<b>way</b></h1><script>var a='<p>'</script>!", "No way !"),
            ("<script>never ends", ""),
            ("<p", ""),
            ("a < b", "a < b"),
        ] {
            assert_eq!(shown(text), seen, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[<>/a-z äscriptyle=\"&;\\x00-\\x1f]{0,60}") {
            prop_assert!(!shown(&text).chars().any(char::is_control));
        }
    }
}
