use proptest::prelude::*;

use super::*;

fn peek(text: &str) -> Option<Envelope> {
    Envelope::peek(&Bytes::copy_from_slice(text.as_bytes()))
}

#[test]
fn tells_the_kinds_apart() {
    for (text, request, unanswered, response) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, true, false, false),
        (r#"{"method":"p\u0069ng","id":"a","params":{"id":null}}"#, true, false, false),
        (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, false, true, false),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, false, true, true),
        (r#"{"jsonrpc":"2.0","id":null,"error":{}}"#, false, true, true),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, false, false, false),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, false, false, false),
        ("{}", false, false, false),
    ] {
        let found = peek(text).unwrap();
        assert_eq!(
            (found.is_request(), found.is_unanswered(), found.is_response()),
            (request, unanswered, response),
            "{text}"
        );
    }
    for text in ["", "1", "null", "{", "{}x", "{\"id\":}", "[1"] {
        assert_eq!(peek(text), None, "{text}");
    }
}

#[test]
fn a_sound_answer_is_told_without_looking_inside() {
    for (text, sound) in [
        (r#"{"jsonrpc":"2.0","id":1,"result":{"a":null}}"#, true),
        (r#" {"result":{},"id":"a","jsonrpc":"2.0"} "#, true),
        (r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#, true),
        (r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#, true),
        (r#"{"id":1,"result":{}}"#, false),
        (r#"{"jsonrpc":"1.0","id":1,"result":{}}"#, false),
        (r#"{"jsonrpc":"2.0","id":null,"result":{}}"#, false),
        (r#"{"jsonrpc":"2.0","result":{}}"#, false),
        (r#"{"jsonrpc":"2.0","id":1.0,"result":{}}"#, false),
        (r#"{"jsonrpc":"2.0","id":1,"result":[]}"#, false),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":null}"#, false),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"x":1}"#, false),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"params":{}}"#, false),
        (r#"{"jsonrpc":"2.0","method":"notifications/message","params":null}"#, false),
    ] {
        assert_eq!(peek(text).unwrap().is_surely_sound(), sound, "{text}");
    }
}

#[test]
fn an_answer_is_known_by_its_id_however_written() {
    let request = peek(r#"{"id":1,"method":"ping"}"#).unwrap();
    for (id, answers) in [("1", true), ("\"1\"", true), ("1.0", true), ("2", false), ("null", false)] {
        let answer = peek(&format!("{{\"id\":{id},\"result\":{{}}}}")).unwrap();
        assert_eq!(answer.answers(&request), answers, "{id}");
    }
}

proptest! {
    #[test]
    fn a_beginning_tells_what_the_whole_tells(cut in 0_usize..60) {
        let text = r#"{"jsonrpc":"2.0","method":"tools/call","id":7,"params":{}}"#;
        let start = Envelope::peek_start(&Bytes::copy_from_slice(&text.as_bytes()[..cut.min(text.len())]));
        let whole = peek(text).unwrap();
        prop_assert!(start.method.is_none() || start.method == whole.method);
        prop_assert!(start.id.is_none() || start.id == whole.id);
    }

    #[test]
    fn the_scan_tells_what_the_reader_tells(
        members in prop::collection::vec(
            "\"(jsonrpc|id|method|params|result|error|x|\\\\u0069d)\"[ ]?:[ ]?\
             (\"(a|é|\\\\n|\\\\u0061|\\\\ud800|\\\\|\t|2.0)*\"|-?[0-9]{0,2}(\\.[0-9]{0,2})?(e[+-]?1?)?|null|true|tru|\
             \\{(\"a\":[1n])?\\}|\\[1?,?[2\\[\\]]?\\])", 0..5),
        separator in "(,|, |,|,,|)",
    ) {
        let text = Bytes::from(format!("{{{}}}", members.join(&separator)));
        if let Some(found) = Envelope::scan(&text) {
            prop_assert_eq!(Some(found), Envelope::read(&text));
        }
    }

    #[test]
    fn nothing_panics(text in "[{}\\[\\]\":,a0\\\\ ]{0,40}") {
        let text = Bytes::from(text);
        if let Some(whole) = Envelope::peek(&text) {
            prop_assert_eq!(Envelope::peek_start(&text), whole);
        }
    }
}
