//! What no repair may do to a stream: to an event, and into a silence.

use bytes::Bytes;

use crate::edit::json::List;
use crate::edit::origin::Origin;
use crate::exchange::{At, Event, Site};
use crate::jsonrpc::Envelope;
use crate::repairs::stream::bom::without_marks;
use crate::sse;

/// As [`super::check_reply`], for an event: whatever its form becomes, it carries the same messages in the same order.
///
/// # Errors
/// The promise that was broken.
pub fn check_event(site: &Site<'_>, before: &Event, after: &Event) -> Result<(), &'static str> {
    if before.at != after.at || before.ends != after.ends {
        return Err("a stream was ended by an event");
    }
    let (was, is) = (Content::of(&before.text), Content::of(&after.text));
    if was.messages != is.messages {
        return Err("a message was changed, dropped, doubled or moved");
    }
    if !is_within(&is.others, &was.others) {
        return Err("an event was changed that carries no message");
    }
    // An event that is taken out takes its own fields along.
    let is_shorter = is.others.len() < was.others.len();
    let is_kept = |was: &[String], is: &[String]| if is_shorter { is_within(is, was) } else { was == is };
    if !is_kept(&was.ids, &is.ids) {
        return Err("the id of an event was touched");
    }
    if !is_kept(&was.retries, &is.retries) {
        return Err("the time before the next connection was touched");
    }
    let is_own = |(was, is): (&String, &String)| was == is || is_own_address(site, was, is);
    if was.addresses.len() != is.addresses.len() || !was.addresses.iter().zip(&is.addresses).all(is_own) {
        return Err("an endpoint event leads to another server");
    }
    Ok(())
}

/// As [`check_event`], for a silence: it is broken by a comment, or by the end once the answer has passed.
///
/// # Errors
/// The promise that was broken.
pub fn check_silence(before: &Event, after: &Event) -> Result<(), &'static str> {
    if before.at != after.at {
        return Err("a silence became an event");
    }
    let is_comment = |line: &[u8]| line.is_empty() || line.starts_with(b":");
    if !after.text.split(|b| matches!(b, b'\r' | b'\n')).all(is_comment) || !sse::is_between_events(&after.text) {
        return Err("something else than a comment was said into a silence");
    }
    if after.ends && after.at != (At::Silence { answered: true }) {
        return Err("a stream was ended before its answer");
    }
    Ok(())
}

/// What a text of events carries, whatever the form.
#[derive(Default)]
struct Content {
    /// Messages, each member of a list apart, without line ends: those differ with the form.
    messages: Vec<Vec<u8>>,
    /// Name and data of the other events, `endpoint` apart.
    others: Vec<(String, Bytes)>,
    addresses: Vec<String>,
    ids: Vec<String>,
    retries: Vec<String>,
}

impl Content {
    fn of(text: &Bytes) -> Self {
        let mut content = Self::default();
        let text = without_marks(text);
        // A message that is called an event stream stands there without any field.
        let bare = text.slice_ref(text.trim_ascii());
        if matches!(bare.first(), Some(b'{' | b'[')) && content.take_messages(&bare) {
            return content;
        }
        for event in sse::events(&text) {
            content.take_event(&event);
        }
        content.retries.dedup();
        content
    }

    fn take_event(&mut self, event: &Bytes) {
        let field = |name| sse::field(event, name).map(std::borrow::Cow::into_owned);
        self.ids.extend(field("id"));
        self.retries.extend(field("retry"));
        // Of several names the last counts, and without one it is a message (WHATWG HTML section 9.2.6).
        let name = field("event").and_then(|names| names.rsplit('\n').next().map(str::to_owned)).unwrap_or_default();
        let name = if name.is_empty() { "message".to_owned() } else { name };
        let Some(data) = sse::data(event) else { return };
        if self.take_messages(&data) || data.trim_ascii().is_empty() {
            return;
        }
        if name == "endpoint" {
            self.addresses.push(String::from_utf8_lossy(&data).into_owned());
        } else {
            self.others.push((name, data));
        }
    }

    /// Takes the messages in a text; `false` if it is something else.
    fn take_messages(&mut self, text: &Bytes) -> bool {
        let Some(message) = Envelope::peek(text) else { return false };
        let without_line_ends = |text: &Bytes| text.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
        if !message.is_batch {
            if message.is_message() || message.is_versioned {
                self.messages.push(without_line_ends(text));
                return true;
            }
            return false;
        }
        let Some(list) = List::parse(text.clone()) else { return false };
        let is_message = |text: &Bytes| Envelope::peek(text).is_some_and(|one| one.is_message() && !one.is_batch);
        let members: Vec<Bytes> = list.iter().collect();
        if members.is_empty() || !members.iter().all(is_message) {
            return false;
        }
        self.messages.extend(members.iter().map(without_line_ends));
        true
    }
}

/// Whether one list is the other without some of its members.
fn is_within<T: PartialEq>(part: &[T], whole: &[T]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|one| rest.any(|other| other == one))
}

/// Whether an address leads to this site, or to where the event led already.
fn is_own_address(site: &Site<'_>, was: &str, is: &str) -> bool {
    let was = was.replace('\\', "");
    match Origin::of(is) {
        Ok(origin) => origin == site.facts.public || was.contains(is),
        // A reference that is not to this host by its form must have stood there.
        Err(_) => !is.starts_with("//") && !is.contains(':') || was.contains(is),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use crate::repair::SiteKind;

    fn verdict(before: &str, after: &str) -> Result<(), &'static str> {
        let (facts, known) = (example::facts(SiteKind::Open), example::knowledge(SiteKind::Open));
        check_event(&Site { facts: &facts, known: &known }, &example::event(before), &example::event(after))
    }

    const ONE: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    const TWO: &str = r#"{"jsonrpc":"2.0","method":"a"}"#;

    #[test]
    fn the_form_of_an_event_may_change() {
        for (before, after) in [
            (format!("data: {ONE}\r\r"), format!("data: {ONE}\n\n")),
            (format!("\u{feff}id: 7\ndata: {ONE}\n\n"), format!("id: 7\ndata: {ONE}\n\n")),
            (format!("event: response\ndata: {ONE}\n\n"), format!("event: message\ndata: {ONE}\n\n")),
            (
                format!("id: 7\nretry: 9\ndata: [{TWO}, {ONE}]\n\n"),
                format!("retry: 9\ndata: {TWO}\n\nid: 7\nretry: 9\ndata: {ONE}\n\n"),
            ),
            (format!("(end){ONE}"), format!("(end)event: message\ndata: {ONE}\n\n")),
            (format!("(end)data: {ONE}"), format!("(end)data: {ONE}\n\n")),
            ("(end, open)".to_owned(), "(end, open)\n\n".to_owned()),
            ("id: 3\ndata: [DONE]\n\n".to_owned(), String::new()),
            ("event: endpoint\ndata: \"/m\"\n\n".to_owned(), "event: endpoint\ndata: /m\n\n".to_owned()),
            (
                "event: endpoint\ndata: http://127.0.0.1:3000/m\n\n".to_owned(),
                "event: endpoint\ndata: https://mcp.example.com/m\n\n".to_owned(),
            ),
        ] {
            assert_eq!(verdict(&before, &after), Ok(()), "{before:?} -> {after:?}");
        }
    }

    #[test]
    fn what_an_event_carries_stays() {
        let both = format!("data: [{TWO},{ONE}]\n\n");
        for (before, after) in [
            (format!("data: {ONE}\n\n"), String::new()),
            (format!("data: {ONE}\n\n"), format!("data: {ONE}\n\ndata: {ONE}\n\n")),
            (format!("data: {ONE}\n\n"), format!("data: {}\n\n", ONE.replace("{}", "{\"a\":1}"))),
            (format!("data: {ONE}\n\n"), format!("data: {}\n\n", ONE.replace(":1", ":2"))),
            (both.clone(), format!("data: {ONE}\n\ndata: {TWO}\n\n")),
            (both, format!("data: {ONE}\n\n")),
            (String::new(), format!("data: {ONE}\n\n")),
            (format!("data: {ONE}\n\n"), format!("(the stream ends)data: {ONE}\n\n")),
            (format!("id: 7\ndata: {ONE}\n\n"), format!("data: {ONE}\n\n")),
            (format!("id: 7\ndata: {ONE}\n\n"), format!("id: 8\ndata: {ONE}\n\n")),
            (format!("retry: 7\ndata: {ONE}\n\n"), format!("data: {ONE}\n\n")),
            ("event: log\ndata: x\n\n".to_owned(), "event: message\ndata: x\n\n".to_owned()),
            ("event: log\ndata: x\n\n".to_owned(), "event: log\ndata: y\n\n".to_owned()),
            ("event: endpoint\ndata: /m\n\n".to_owned(), String::new()),
            (
                "event: endpoint\ndata: /m\n\n".to_owned(),
                "event: endpoint\ndata: https://evil.example/m\n\n".to_owned(),
            ),
            ("event: endpoint\ndata: /m\n\n".to_owned(), "event: endpoint\ndata: //evil.example/m\n\n".to_owned()),
        ] {
            let after = after.strip_prefix("(the stream ends)").map_or((after.as_str(), false), |rest| (rest, true));
            let (facts, known) = (example::facts(SiteKind::Open), example::knowledge(SiteKind::Open));
            let after = Event { ends: after.1, ..example::event(after.0) };
            let verdict = check_event(&Site { facts: &facts, known: &known }, &example::event(&before), &after);
            assert!(verdict.is_err(), "{before:?} -> {after:?}");
        }
    }

    #[test]
    fn into_a_silence_a_comment_is_said_or_the_end() {
        let silence = |answered| Event::at(At::Silence { answered }, Bytes::new());
        for (answered, text, ends, allowed) in [
            (false, ":\n\n", false, true),
            (true, ": still there\r\n\r\n", false, true),
            (true, "", true, true),
            (false, "", true, false),
            (false, ":", false, false),
            (false, "data: 1\n\n", false, false),
            (false, ":\nid: 1\n\n", false, false),
            (false, ":\ndata: {}\n\n", false, false),
        ] {
            let before = silence(answered);
            let after = Event { text: Bytes::from_static(text.as_bytes()), ends, ..before.clone() };
            assert_eq!(check_silence(&before, &after).is_ok(), allowed, "{text:?} {ends}");
        }
    }
}
