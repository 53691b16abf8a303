//! The forms in which lenient servers read a path. Every rule that keeps somebody out looks at these; what goes up stays
//! as it came.
//!
//! Servers disagree on how often a path is decoded, on whether its case counts, on empty and dot segments, parameters
//! (`;x=1`), backslashes and control characters (RFC 3986 sections 3.3 and 6.2.2). A rule that looked at one spelling would
//! guard that spelling alone. So a path has several readings, and a rule holds if it holds for one of them.

use icu_normalizer::ComposingNormalizerBorrowed;
use percent_encoding::{percent_decode, percent_decode_str};

use super::is_plain;

/// A path that is longer and not plain is not read, nor is one that takes more forms on its way through [`STEPS`].
const LONGEST: usize = 1024;
const MOST_FORMS: usize = 64;
/// How often a query is decoded at most.
const MOST_DECODINGS: usize = 4;

/// What a proxy, a server or a framework may do to a path before it looks at it, in any order and any number of times.
const STEPS: [fn(&str) -> String; 12] = [
    decode,
    decode_units,
    decode_blanks,
    compose,
    unite_separators,
    cut_at_end,
    drop_authority,
    drop_script,
    begin_behind_script,
    drop_parameters,
    merge_and_resolve,
    resolve,
];

/// Every path that a lenient server may read this one as: decoded, in lower case, without parameters, empty segments and a
/// slash at its end. A plain path has one reading. `None` if the path may be read as any place: it has too many readings, or is
/// not UTF-8 after decoding. A decoder that does not check for UTF-8 reads `%c0%af` as a slash (RFC 3629 section 10).
#[must_use]
pub fn readings(path: &str) -> Option<Vec<String>> {
    if is_plain(path) && !names_script(path) {
        return Some(vec![bare(path)]);
    }
    if path.len() > LONGEST {
        return None;
    }
    let mut forms = vec![path.to_owned()];
    let mut at = 0;
    while let Some(form) = forms.get(at).cloned() {
        at += 1;
        percent_decode_str(&form).decode_utf8().ok()?;
        for step in STEPS {
            let next = step(&form);
            if !forms.contains(&next) {
                forms.push(next);
            }
        }
        if forms.len() > MOST_FORMS {
            return None;
        }
    }
    let mut all: Vec<String> = forms.iter().map(|form| bare(form)).collect();
    all.sort_unstable();
    all.dedup();
    Some(all)
}

/// Whether a reading is this place. Some frameworks take a format behind it for the same place (`/mcp.json`, Rails routing
/// guide section 3.2).
#[must_use]
pub fn is_at(reading: &str, place: &str) -> bool {
    reading
        .strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || (rest.starts_with('.') && place != "/" && !rest.contains('/')))
}

/// Whether a reading is below this place. A server that mounts a handler there passes it every path below. Nothing is below
/// the root, because that would be every path.
#[must_use]
pub fn is_below(reading: &str, place: &str) -> bool {
    place != "/" && reading.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a lenient reader finds a parameter with such a name in a target. The target may be decoded several times, before
/// or after it is split. `is_meant` gets the name in lower case and without punctuation. Also true if that cannot be decided.
#[must_use]
pub fn may_have_parameter(target: &str, is_meant: impl Fn(&str) -> bool) -> bool {
    let mut text = target.as_bytes().to_vec();
    for _ in 0..=MOST_DECODINGS {
        let pieces = text.split(|byte| b"?&;".contains(byte)).skip(1);
        let names = pieces.map(|piece| piece.split(|byte| *byte == b'=').next().unwrap_or_default());
        let mut names = names.map(std::str::from_utf8);
        if names.any(|name| name.is_ok_and(|name| is_meant(&letters(name))) || name.is_err()) {
            return true;
        }
        let decoded: Vec<u8> = percent_decode(&text).collect();
        if decoded == text {
            return false;
        }
        text = decoded;
    }
    true
}

/// The letters and digits of a name.
fn letters(name: &str) -> String {
    fold(&compose(&decode_units(name))).chars().filter(char::is_ascii_alphanumeric).collect()
}

/// One decoding.
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A plus sign is a blank to decoders of forms.
fn decode_blanks(text: &str) -> String {
    text.replace('+', " ")
}

/// Some readers normalise compatibility characters, so that `\u{ff4d}` becomes an `m` (NFKC, UAX 15), and drop invisible ones
/// (`Default_Ignorable_Code_Point`, UAX 44).
fn compose(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let is_invisible = |letter: char| {
        matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
    };
    let composed = ComposingNormalizerBorrowed::new_nfkc().normalize(text);
    composed.chars().filter(|letter| !is_invisible(*letter)).collect()
}

/// The encoding of ECMAScript's `escape` (ECMA-262 appendix B.2.1.1), which some servers undo: `%u006d` is an `m`. The escapes of
/// its strings (`\u006d`) are read alike.
fn decode_units(text: &str) -> String {
    let marks = text.match_indices(['%', '\\']).map(|(at, _)| at);
    let ends = marks.clone().skip(1).chain([text.len()]);
    let mut out = text[..marks.clone().next().unwrap_or(text.len())].to_owned();
    for (mark, end) in marks.zip(ends) {
        let (mark, part) = text[mark..end].split_at(1);
        let digits = part.strip_prefix(['u', 'U']).and_then(|rest| rest.get(..4));
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let letter = digits.and_then(|digits| char::from_u32(u32::from_str_radix(digits, 16).ok()?));
        match (letter, part.get(5..)) {
            (Some(letter), Some(rest)) => {
                out.push(letter);
                out.push_str(rest);
            }
            _ => {
                out.push_str(mark);
                out.push_str(part);
            }
        }
    }
    out
}

/// A backslash separates segments on some systems, and code pages of Windows map other characters to it or to a slash. A URL
/// parser drops control characters (WHATWG URL section 4.4).
fn unite_separators(text: &str) -> String {
    const SEPARATORS: [char; 7] = ['\\', '\u{a5}', '\u{20a9}', '\u{2044}', '\u{2215}', '\u{2216}', '\u{29f8}'];
    text.replace(SEPARATORS, "/").chars().filter(|letter| !letter.is_control()).collect()
}

/// A C program ends a string at a zero byte, and a URL parser ends a path at `?` and `#`.
fn cut_at_end(text: &str) -> String {
    text.split(['\0', '?', '#']).next().unwrap_or_default().to_owned()
}

/// A reference that begins with two separators names a host first (RFC 3986 section 4.2), so a URL parser that is given a
/// target takes its first segment for one. Some parsers skip further separators before it (WHATWG URL section 4.4).
fn drop_authority(text: &str) -> String {
    let Some(rest) = text.strip_prefix("//") else { return text.to_owned() };
    let rest = rest.trim_start_matches('/');
    rest.find('/').map_or("/", |end| &rest[end..]).to_owned()
}

/// Whether a segment names a script, which is given the rest of the path: `/index.php/mcp` (PATH_INFO, RFC 3875 section
/// 4.1.5). Servers recognise a script by its suffix, which may have a version (`.php5`).
fn is_script(segment: &str) -> bool {
    const SUFFIXES: [&str; 18] = [
        "php", "phtml", "phar", "cgi", "fcgi", "fpl", "pl", "py", "rb", "wsgi", "asp", "aspx", "ashx", "asmx", "jsp",
        "cfm", "dll", "exe",
    ];
    let Some((name, suffix)) = segment.rsplit_once('.') else { return false };
    let suffix = suffix.trim_end_matches(|c: char| c.is_ascii_digit());
    !name.is_empty() && SUFFIXES.iter().any(|have| suffix.eq_ignore_ascii_case(have))
}

/// Whether the path names a script and something behind it. Cheap for the short paths that clients ask for.
fn names_script(path: &str) -> bool {
    path.contains('.') && path.rsplit('/').skip(1).any(is_script)
}

/// Whether a segment is a session of ASP.NET, which takes it out of the path: `(S(abc))`.
fn is_session(segment: &str) -> bool {
    segment.starts_with('(') && segment.ends_with("))")
}

/// The path as frameworks route it that ignore a script's name or a session wherever it stands.
fn drop_script(text: &str) -> String {
    let mut segments: Vec<&str> = text.split('/').collect();
    let last = segments.pop().unwrap_or_default();
    segments.retain(|segment| !is_script(segment) && !is_session(segment));
    segments.push(last);
    segments.join("/")
}

/// The path as a script in a folder gets it.
fn begin_behind_script(text: &str) -> String {
    let mut rest = text;
    while let Some((segment, behind)) = rest.split_once('/') {
        if is_script(segment) {
            return format!("/{behind}");
        }
        rest = behind;
    }
    text.to_owned()
}

/// A parameter of a segment (RFC 3986 section 3.3) is no part of its name, nor is a stream of NTFS (`name::$DATA`).
fn drop_parameters(text: &str) -> String {
    let without = |segment: &str| segment.find(';').or_else(|| segment.find("::$")).unwrap_or(segment.len());
    text.split('/').map(|segment| &segment[..without(segment)]).collect::<Vec<_>>().join("/")
}

/// Without empty and dot segments.
fn merge_and_resolve(text: &str) -> String {
    without_dots(text, true)
}

/// Without dot segments (RFC 3986 section 5.2.4). Here `..` removes an empty segment like any other.
fn resolve(text: &str) -> String {
    without_dots(text, false)
}

fn without_dots(text: &str, merges: bool) -> String {
    let mut out: Vec<&str> = Vec::new();
    for segment in text.trim_start_matches('/').split('/') {
        match segment {
            "." => {}
            "" if merges => {}
            ".." => drop(out.pop()),
            segment => out.push(segment),
        }
    }
    format!("/{}", out.join("/"))
}

/// A path in the form in which places are compared: in lower case, each segment without parameters and without the
/// characters that file systems drop at its end, without empty segments and without a slash at its end.
pub(super) fn bare(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for segment in text.split('/') {
        let segment = segment.split(';').next().unwrap_or_default().trim();
        let trimmed = segment.trim_end_matches(['.', ' ']);
        let segment = if trimmed.is_empty() && segment != "." { segment } else { trimmed };
        if !segment.is_empty() {
            path.push('/');
            path.push_str(segment);
        }
    }
    if path.is_empty() { "/".to_owned() } else { fold(&path) }
}

/// In lower case. Letters that some tables fold into ASCII letters (U+017F, U+212A) become those.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests;
