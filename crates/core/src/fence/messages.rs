//! What no repair may do to a message of an answer.

use crate::edit::json::Object;
use crate::exchange::Request;
use crate::jsonrpc;

/// As [`super::check_reply`], for one message of an answer: what a tool has said is nobody's to change.
///
/// # Errors
/// The promise that was broken.
pub fn check_message(request: &Request, before: &Object, after: &Object) -> Result<(), &'static str> {
    if !is_same_id(request, before, after) {
        return Err("the id of a message was changed to another's");
    }
    check_kind(before, after)?;
    let words = |message: &Object| message.child("error")?.text("message").filter(|words| !words.is_empty());
    if words(before).is_some_and(|was| words(after) != Some(was)) {
        return Err("what an error says was changed");
    }
    let (Some(before), Some(after)) = (before.child("result"), after.child("result")) else { return Ok(()) };
    if is_told_whole(&before, &after) {
        return Ok(());
    }
    let is_said = |text: &bytes::Bytes| matches!(text.first(), Some(b'[' | b'{'));
    let is_gone = |was: String| ![after.text("content"), text_of(&after)].contains(&Some(was));
    if before.text("content").is_some_and(is_gone) {
        return Err("what a tool has said was touched");
    }
    for name in ["structuredContent", "content", "contents", "messages"] {
        let was = before.raw(name).filter(is_said);
        // One block that should have been a list of one stays as it is in the list.
        let is_kept = was.as_ref().is_none_or(|was| {
            after.raw(name).is_some_and(|is| is == *was || (name == "content" && holds_text(&is, was)))
        });
        if !is_kept {
            return Err("what a tool has said was touched");
        }
    }
    Ok(())
}

/// The id stays, or becomes that of the request if there was none or it was only written otherwise.
fn is_same_id(request: &Request, before: &Object, after: &Object) -> bool {
    let id = |message: &Object| message.raw("id").filter(|id| &id[..] != b"null");
    let asked = request.message.as_ref().filter(|_| request.asks()).and_then(|asked| asked.id.clone());
    match (id(before), id(after)) {
        (was, is) if was == is => true,
        (None, Some(is)) => asked == Some(is),
        (Some(was), Some(is)) => asked.as_ref() == Some(&is) && jsonrpc::is_same_id(&was, &is),
        (Some(_), None) => false,
        (None, None) => true,
    }
}

/// A result stays a result, an error an error, a call the same call.
fn check_kind(before: &Object, after: &Object) -> Result<(), &'static str> {
    let has = |message: &Object, name: &str| message.has(name) && !message.is_null(name);
    if has(before, "result") != has(after, "result") && !before.is_null("result") {
        return Err("a result was taken out of a message, or put into one");
    }
    if has(before, "error") != has(after, "error") {
        return Err("an error was taken out of a message, or put into one");
    }
    let is_answer = has(after, "result") || has(after, "error");
    for name in ["method", "params"] {
        // To what was asked, what has a result is an answer, whatever else it says.
        let is_gone = !after.has(name) && (is_answer || before.is_null(name));
        if before.raw(name) != after.raw(name) && !is_gone {
            return Err("what a server asks for was changed");
        }
    }
    Ok(())
}

/// Whether a result that had no content stands as a text in the one block that it has now.
fn is_told_whole(before: &Object, after: &Object) -> bool {
    let has_content = before.raw("content").is_some_and(|content| &content[..] != b"null");
    !has_content && text_of(after).is_some_and(|text| text.as_bytes() == before.to_bytes())
}

/// The text of the one block that a result has.
fn text_of(result: &Object) -> Option<String> {
    let blocks = result.get("content")?;
    match blocks.as_array()?.as_slice() {
        [block] => Some(block.get("text")?.as_str()?.to_owned()),
        _ => None,
    }
}

fn holds_text(list: &[u8], block: &[u8]) -> bool {
    list.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) == Some(block)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::example;
    use crate::repair::SiteKind;

    #[test]
    fn a_message_stays_what_it_is() {
        let (facts, known) = (example::facts(SiteKind::Open), example::knowledge(SiteKind::Open));
        let request = "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}";
        let request = example::request(request, &facts, &known).unwrap();
        for (before, after, allowed) in [
            (r#"{"id":"1","result":{}}"#, r#"{"id":1,"result":{}}"#, true),
            (r#"{"id":null,"result":{}}"#, r#"{"id":1,"result":{}}"#, true),
            (r#"{"result":{}}"#, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, true),
            (r#"{"id":1,"method":"a","result":{}}"#, r#"{"id":1,"result":{}}"#, true),
            (r#"{"id":null,"method":"notifications/a"}"#, r#"{"method":"notifications/a"}"#, true),
            (r#"{"id":1,"result":null}"#, r#"{"id":1,"result":{}}"#, true),
            (r#"{"id":1,"result":{},"error":null}"#, r#"{"id":1,"result":{}}"#, true),
            (r#"{"id":1,"error":"no"}"#, r#"{"id":1,"error":{"code":-32603,"message":"no"}}"#, true),
            (
                r#"{"id":1,"error":{"message":"no"}}"#,
                r#"{"id":1,"error":{"code":-32603,"message":"Internal error"}}"#,
                false,
            ),
            (
                r#"{"id":1,"result":{"content":"a"}}"#,
                r#"{"id":1,"result":{"content":[{"type":"text","text":"a"}]}}"#,
                true,
            ),
            (
                r#"{"id":1,"result":{"content":"a"}}"#,
                r#"{"id":1,"result":{"content":[{"type":"text","text":"b"}]}}"#,
                false,
            ),
            (r#"{"id":2,"result":{}}"#, r#"{"id":1,"result":{}}"#, false),
            (r#"{"id":1,"result":{}}"#, r#"{"result":{}}"#, false),
            (r#"{"result":{}}"#, r#"{"id":2,"result":{}}"#, false),
            (r#"{"id":1,"error":{"code":1}}"#, r#"{"id":1,"result":{}}"#, false),
            (r#"{"id":1,"result":{}}"#, r#"{"id":1,"error":{"code":1}}"#, false),
            (r#"{"id":1,"result":{}}"#, r#"{"id":1}"#, false),
            (r#"{"method":"a","params":{"b":1}}"#, r#"{"method":"a","params":{"b":2}}"#, false),
            (r#"{"method":"a"}"#, r#"{"method":"b"}"#, false),
            (r#"{"id":1,"result":{"content":[{"text":"a"}]}}"#, r#"{"id":1,"result":{"content":[]}}"#, false),
        ] {
            let [before, after] =
                [before, after].map(|text| Object::parse(Bytes::from_static(text.as_bytes())).unwrap());
            let verdict = check_message(&request, &before, &after);
            assert_eq!(verdict.is_ok(), allowed, "{before:?} -> {after:?}: {verdict:?}");
        }
    }
}
