//! An event stream as the strictest clients read it (HTML standard, section 9.2).

use serde_json::Value;

/// One event.
#[derive(Default)]
pub(in crate::demo) struct Event {
    pub(in crate::demo) name: Option<String>,
    pub(in crate::demo) data: Option<String>,
}

/// The events of a stream. No byte order mark, no bare CR: not all parsers know them; what no blank line ends is lost.
pub(in crate::demo) fn events(text: &[u8]) -> Result<Vec<Event>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "a stream that is no UTF-8")?;
    if text.starts_with('\u{feff}') {
        return Err("a stream that begins with a byte order mark".to_owned());
    }
    let text = text.replace("\r\n", "\n");
    if text.contains('\r') {
        return Err("a stream with a bare CR".to_owned());
    }
    let mut found = Vec::new();
    let mut event = Event::default();
    // The last line has no end, or is empty.
    let mut lines: Vec<&str> = text.split('\n').collect();
    let unended = lines.pop().unwrap_or_default();
    for line in lines {
        if line.is_empty() {
            found.extend(Some(std::mem::take(&mut event)).filter(|event| event.data.is_some()));
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event.name = Some(value.to_owned()),
            "data" => match &mut event.data {
                Some(data) => *data = format!("{data}\n{value}"),
                none => *none = Some(value.to_owned()),
            },
            _ => {}
        }
    }
    if event.data.is_some() || !unended.is_empty() {
        return Err("the last event does not end with a blank line".to_owned());
    }
    Ok(found)
}

/// The messages of a stream: each event is one. Events without data are no messages (HTML standard, section 9.2.6).
pub(in crate::demo) fn messages(text: &[u8]) -> Result<Vec<Value>, String> {
    messages_of(events(text)?)
}

/// The messages that these events are.
pub(in crate::demo) fn messages_of(events: impl IntoIterator<Item = Event>) -> Result<Vec<Value>, String> {
    let events = events.into_iter().filter(|event| event.data.as_deref() != Some(""));
    let message = |event: Event| {
        if let Some(name) = event.name.filter(|name| name != "message") {
            return Err(format!("an event that is called {name}"));
        }
        let data = event.data.unwrap_or_default();
        let message: Value = serde_json::from_str(&data).map_err(|_| format!("an event with the data: {data}"))?;
        if message.is_object() { Ok(message) } else { Err("an event with a list of messages".to_owned()) }
    };
    events.map(message).collect()
}

/// Up to the last blank line: a stream that goes on may be read in the middle of an event.
pub(in crate::demo) fn whole(text: &[u8]) -> &[u8] {
    let end = text.windows(2).rposition(|two| two == b"\n\n").map_or(0, |at| at + 2);
    &text[..end]
}

/// Where a stream says that messages go.
pub(in crate::demo) fn endpoint(text: &[u8]) -> Option<String> {
    let found = events(whole(text)).ok()?.into_iter().find(|event| event.name.as_deref() == Some("endpoint"));
    found?.data
}

/// Whether a message has come on a stream.
pub(in crate::demo) fn has_message(text: &[u8]) -> bool {
    events(whole(text)).is_ok_and(|events| events.iter().any(|event| event.name.as_deref() == Some("message")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_strictly() {
        let count = |text: &str| messages(text.as_bytes()).map(|all| all.len());
        assert_eq!(count(": hello\n\nid: 1\ndata:\n\nevent: message\r\ndata: {}\r\n\r\ndata:{\ndata:}\n\n"), Ok(2));
        for wrong in [
            "data: {}",
            "data: {}\n",
            "data: {}\r\r",
            "\u{feff}data: {}\n\n",
            "event: response\ndata: {}\n\n",
            "data: ok\n\n",
            "data: [{}]\n\n",
            "{}",
        ] {
            assert!(count(wrong).is_err(), "{wrong:?}");
        }
    }
}
