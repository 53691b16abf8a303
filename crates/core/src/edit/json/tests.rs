use proptest::prelude::*;
use serde_json::json;
use serde_json::value::RawValue;

use super::scan::tests::any_json;
use super::*;

fn object(text: &str) -> Object {
    Object::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn printed(object: &Object) -> String {
    String::from_utf8(object.to_bytes().to_vec()).unwrap()
}

#[test]
fn changes_only_the_named_member() {
    let mut it = object("{ \"a\" : 1e400,\n \"b\":\"\\u00e9\\/\", \"c\" : 1.50 , \"d\":null }\n");
    it.set("c", json!(1));
    it.remove("d");
    it.set("e", json!("x"));
    assert_eq!(printed(&it), "{ \"a\" : 1e400,\n \"b\":\"\\u00e9\\/\", \"c\" : 1,\"e\":\"x\" }\n");
}

#[test]
fn removes_first_middle_last_and_all() {
    for (names, left) in [
        (&["a"][..], r#"{"b":2, "c":3}"#),
        (&["b"], r#"{"a":1, "c":3}"#),
        (&["c"], r#"{"a":1, "b":2}"#),
        (&["a", "b", "c"], "{}"),
    ] {
        let mut it = object(r#"{"a":1, "b":2, "c":3}"#);
        names.iter().for_each(|name| it.remove(name));
        assert_eq!(printed(&it), left);
    }
}

#[test]
fn the_last_duplicate_counts() {
    let mut it = object(r#"{"a":1,"x":0,"a":2}"#);
    assert_eq!(it.get("a"), Some(json!(2)));
    it.set("a", json!(3));
    assert_eq!(printed(&it), r#"{"x":0,"a":3}"#);
}

#[test]
fn refuses_what_it_cannot_mend() {
    for text in ["", "[]", "{", "{}x", "null", "{\"a\":}", "{\"a\":1,}"] {
        assert_eq!(Object::parse(Bytes::from(text)).unwrap_err(), NotAnObject::NotJson, "{text}");
    }
    assert_eq!(Object::parse(Bytes::from_static(b"{\"\xff\":1}")).unwrap_err(), NotAnObject::NotText);
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    assert_eq!(Object::parse(Bytes::from(deep)).unwrap_err(), NotAnObject::TooDeep);
    assert!(Object::parse(Bytes::from(format!("{{\"a\":\"{}\"}}", "[".repeat(200)))).is_ok());
    let members = |count: usize| {
        let all: Vec<String> = (0..count).map(|number| format!("\"{number}\":0")).collect();
        Object::parse(Bytes::from(format!("{{{}}}", all.join(","))))
    };
    assert!(members(MAX_MEMBERS).is_ok());
    assert_eq!(members(MAX_MEMBERS + 1).unwrap_err(), NotAnObject::TooMany);
    let list = format!("{{\"a\":[{}0]}}", "0,".repeat(MAX_VALUES + 1));
    assert_eq!(Object::parse(Bytes::from(list)).unwrap_err(), NotAnObject::TooMany);
}

/// A repair would take such a value for a missing one.
#[test]
fn leaves_alone_what_cannot_be_built() {
    for value in [r#""\ud83d""#, r#""\udc00\ud83d""#, r#""\ud83d\u0041""#, r#"["a",{"\udfff":1}]"#] {
        let text = format!("{{\"a\":1,\"b\":{value}}}");
        assert_eq!(Object::parse(Bytes::from(text.clone())).unwrap_err(), NotAnObject::NotPlain, "{text}");
        assert_eq!(Object::parse_message(Bytes::from(text.clone())).unwrap_err(), NotAnObject::NotPlain, "{text}");
        assert!(List::parse(Bytes::from(format!("[{text}]"))).is_none(), "{text}");
    }
    for value in [r#""\ud83d\ude00""#, r#""\\ud83d""#, "1e400", "-1E+309", r#""é😀""#] {
        let text = format!("{{\"a\":1,\"b\":{value}}}");
        assert!(object(&text).get("b").is_some(), "{text}");
        assert!(Object::parse_message(Bytes::from(text.clone())).unwrap().get("b").is_some(), "{text}");
    }
}

#[test]
fn escaped_names_are_found() {
    let mut it = object(r#"{"\u0061":1}"#);
    it.set("a", json!(2));
    assert_eq!(printed(&it), r#"{"\u0061":2}"#);
}

proptest! {
    #[test]
    fn agrees_with_a_parsed_map(
        members in prop::collection::vec(("[a-e]", any_json()), 0..6),
        pretty: bool,
        edits in prop::collection::vec(("[a-g]", prop::option::of(any_json())), 0..5),
    ) {
        let mut model: serde_json::Map<String, Value> = members.into_iter().collect();
        let value = Value::Object(model.clone());
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        let mut it = object(&text);
        prop_assert_eq!(printed(&it), text);
        for (name, edit) in edits {
            match edit {
                Some(value) => { it.set(&name, value.clone()); model.insert(name, value); }
                None => { it.remove(&name); model.shift_remove(&name); }
            }
        }
        let reread: Value = serde_json::from_str(&printed(&it)).unwrap();
        prop_assert_eq!(reread, Value::Object(model));
    }

    /// What the scan accepts, the reader accepts, and both find the same.
    #[test]
    fn the_scan_finds_what_the_reader_finds(
        parts in prop::collection::vec(
            "\"(a|b)\"|:|,|\\{|\\}|\\[|\\]|\"(x|é|\\\\u00e9|\\\\u|\\\\|\n)*\"|-?[0-9]{1,2}|1\\.[0-9]?|1e[+-]?1?|null|true|fals|[ ]", 0..12),
        is_list: bool,
    ) {
        let inside = parts.concat();
        if is_list {
            let text = Bytes::from(format!("[{inside}]"));
            let mut found = Vec::new();
            let scanned = scan::elements(&text, |element| { found.push(element); Some(()) });
            if scanned.is_some() {
                let read: Vec<Box<RawValue>> = serde_json::from_slice(&text).unwrap();
                let found: Vec<&[u8]> = found.into_iter().map(|place| &text[place]).collect();
                prop_assert_eq!(found, read.iter().map(|value| value.get().as_bytes()).collect::<Vec<_>>());
            }
        } else {
            let text = Bytes::from(format!("{{{inside}}}"));
            if let Some((found, _)) = Object::scan(&text) {
                let read = Object::read(text).unwrap();
                prop_assert_eq!(found.names(), read.names());
                let places = |object: &Object| object.members.iter().map(|member| member.span.clone().unwrap()).collect::<Vec<_>>();
                prop_assert_eq!(places(&found), places(&read));
            }
        }
    }

    #[test]
    fn never_panics(text in "[{}\\[\\]\":,a0\\\\ ]{0,40}") {
        if let Ok(mut it) = Object::parse(Bytes::from(text)) {
            it.set("a", json!(1));
            prop_assert!(Object::parse(it.to_bytes()).is_ok());
        }
    }
}

/// What is inside an object, as it is read from the outside in.
fn assert_inside(object: &Object, expected: &serde_json::Map<String, Value>) {
    assert_eq!(object.names(), expected.keys().cloned().collect::<Vec<_>>());
    for (name, value) in expected {
        assert_eq!(object.get(name).as_ref(), Some(value));
        assert_eq!(object.child(name).is_some(), value.is_object());
        assert_eq!(object.list(name).is_some(), value.is_array());
        if let (Some(child), Value::Object(expected)) = (object.child(name), value) {
            assert_inside(&child, expected);
        }
        if let (Some(mut list), Value::Array(expected)) = (object.list(name), value) {
            assert_eq!(list.len(), expected.len());
            let mut objects = expected.iter().filter_map(Value::as_object);
            list.change(|element| {
                assert_inside(&element, objects.next().unwrap());
                None
            });
            assert_eq!(objects.next(), None);
        }
    }
}

proptest! {
    /// With escaped names and without, so that some are read by the scan and some are not.
    #[test]
    fn what_is_inside_is_what_was_printed(
        members in prop::collection::hash_map("[a-c\u{e9}\\\\\"]{0,3}", any_json(), 0..5), pretty: bool,
    ) {
        let value = Value::Object(members.into_iter().collect());
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        let object = Object::parse_message(text.into()).unwrap();
        assert_inside(&object, value.as_object().unwrap());
    }
}
