//! How a line looks. Nothing that a client sent gets into one but as visible ASCII: no line is two, and nobody writes to a
//! terminal through the log.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::{HeaderValue, Version};
use serde_json::json;
use url::Url;

use super::Record;
use crate::counters::SkipReason;
use crate::ending::Ending;
use crate::plan::each_once;
use crate::redact::path_for_logs;
use crate::repair::Mode;

/// Longer paths are cut.
const PATH_CHARS: usize = 120;
/// Longer methods are cut: any token is one (RFC 9110 section 9.1).
const METHOD_CHARS: usize = 24;
/// Longer fields of the combined form are cut.
const FIELD_CHARS: usize = 256;

fn ids<'a>(record: &'a Record<'_>, mode: Mode) -> impl Iterator<Item = &'static str> + 'a {
    each_once(record.fired).filter(move |fired| fired.mode == mode).map(|fired| fired.id)
}

/// The path as the log shows it, and whether it was cut. It is ASCII.
fn shown(path: &str) -> (Cow<'_, str>, bool) {
    match path_for_logs(path) {
        shown if shown.len() <= PATH_CHARS => (shown, false),
        Cow::Borrowed(shown) => (Cow::Borrowed(&shown[..PATH_CHARS]), true),
        Cow::Owned(mut shown) => {
            shown.truncate(PATH_CHARS);
            (Cow::Owned(shown), true)
        }
    }
}

fn method<'a>(record: &'a Record<'_>) -> &'a str {
    let method = record.method.as_str();
    method.get(..METHOD_CHARS).unwrap_or(method)
}

pub(super) fn text(out: &mut String, date: &str, millis: u32, record: &Record<'_>) {
    let (path, cut) = shown(record.path);
    let cut = if cut { "..." } else { "" };
    let mut digits = itoa::Buffer::new();
    out.push_str(date);
    out.push('.');
    // Three digits, zeros in front: the last three of a thousand and the rest.
    out.push_str(&digits.format(1000 + millis)[1..]);
    out.push_str("Z ");
    for part in [record.status.as_str(), " ", method(record), " ", &path, cut, " "] {
        out.push_str(part);
    }
    out.push_str(digits.format(record.total.as_millis()));
    out.push_str("ms ");
    out.push_str(digits.format(record.bytes));
    out.push('B');
    for (label, mode) in [(" mended", Mode::Fix), (" observed", Mode::Observe)] {
        let mut label = Some(label);
        for id in ids(record, mode) {
            out.push_str(label.take().unwrap_or(","));
            out.push(' ');
            out.push_str(id);
        }
    }
    if let Some(why) = record.untouched {
        let _ = write!(out, " untouched ({})", why.name());
    }
    if let Some((name, fault)) = record.refused {
        let _ = write!(out, " refused: {name} (fault: {fault})");
    }
    match record.ending {
        Ending::Whole => {}
        Ending::UpstreamCut => out.push_str(" cut off by the upstream"),
        Ending::ClientLeft => out.push_str(" client left"),
        Ending::ClientStalled => out.push_str(" client took nothing"),
        Ending::Drained => out.push_str(" ended for shutdown"),
    }
    if let Some(address) = record.upstream {
        let _ = write!(out, " from {address}");
    }
    if let Some(trace) = record.trace {
        let _ = write!(out, " trace {trace:032x}");
    }
    out.push('\n');
}

pub(super) fn json(out: &mut String, date: &str, millis: u32, record: &Record<'_>) {
    let line = json!({
        "time": format!("{date}.{millis:03}Z"),
        "site": record.site,
        "peer": record.peer.to_string(),
        "client": record.client.unwrap_or(record.peer).to_string(),
        "class": record.class.name(),
        "method": method(record),
        "path": shown(record.path).0,
        "status": record.status.as_u16(),
        "mended": ids(record, Mode::Fix).collect::<Vec<_>>(),
        "observed": ids(record, Mode::Observe).collect::<Vec<_>>(),
        "untouched": record.untouched.map(SkipReason::name),
        "refused": record.refused.map(|(name, _)| name),
        "fault": record.refused.map(|(_, fault)| fault),
        "first_byte_ms": u64::try_from(record.first_byte.as_millis()).unwrap_or(u64::MAX),
        "total_ms": u64::try_from(record.total.as_millis()).unwrap_or(u64::MAX),
        "bytes": record.bytes,
        "ending": record.ending.name(),
        "asked": record.asked,
        "upstream": record.upstream,
        "trace_id": record.trace.map(|trace| format!("{trace:032x}")),
    });
    let _ = writeln!(out, "{line}");
}

/// Apache's combined log format (mod_log_config). The query is left out everywhere, of the referer too: codes and tokens
/// are in there.
pub(super) fn combined(out: &mut String, date: &str, record: &Record<'_>) {
    let client = record.client.unwrap_or(record.peer);
    let version = match record.version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    };
    let _ = write!(out, "{client} - - [{date}] \"{} ", method(record));
    quoted(out, shown(record.path).0.as_bytes());
    let _ = write!(out, " {version}\" {} ", record.status.as_str());
    match record.bytes {
        0 => out.push('-'),
        bytes => out.push_str(itoa::Buffer::new().format(bytes)),
    }
    let referer = record.referer.and_then(place);
    for field in [referer.as_deref().map(str::as_bytes), record.agent.map(|value| value.as_bytes())] {
        out.push_str(" \"");
        match field {
            Some(text) => quoted(out, text),
            None => out.push('-'),
        }
        out.push('"');
    }
    out.push('\n');
}

/// The place that a referer names: without user, password, query and fragment, and its path as that of a request is shown.
fn place(referer: &HeaderValue) -> Option<String> {
    let url = Url::parse(referer.to_str().ok()?).ok()?;
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    Some(format!("{}://{}{port}{}", url.scheme(), url.host()?, path_for_logs(url.path())))
}

/// What stands between quotes: as Apache writes it.
fn quoted(out: &mut String, text: &[u8]) {
    for byte in text.iter().take(FIELD_CHARS) {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
}

#[cfg(test)]
mod tests;
