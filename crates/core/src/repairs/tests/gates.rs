//! A gate may let more pass than its repair accepts, never less.

use std::sync::LazyLock;

use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::*;
use crate::coding::Coding;
use crate::exchange::Opening;
use crate::exchange::features::Features;
use crate::jsonrpc::Envelope;

/// An exchange of every example, in the kind of its hook.
static EXAMPLES: LazyLock<Vec<&Example>> =
    LazyLock::new(|| REPAIRS.iter().flat_map(|repair| repair.examples).collect());

const STATUSES: [u16; 26] = [
    200, 201, 202, 203, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 409, 410, 415, 422, 429,
    500, 501, 503,
];

const TYPES: [&str; 8] = [
    "application/json",
    "application/json; charset=utf-8",
    "Application/Problem+JSON",
    "text/event-stream",
    "TEXT/HTML;charset=x",
    "application/xhtml+xml",
    "text/plain",
    "",
];

const OPENINGS: [Opening; 6] =
    [Opening::Unseen, Opening::Nothing, Opening::Object, Opening::List, Opening::Events, Opening::Other];

/// The repairs that accept an exchange which their gate keeps out.
fn kept_out(request: &Request, reply: &Reply) -> Vec<&'static str> {
    let of_request = Features::of_request(request);
    let of_reply = of_request.with_reply(reply);
    let message = match &reply.body {
        crate::exchange::ReplyBody::Json(object) => Envelope::peek(&object.to_bytes()),
        _ => None,
    };
    let is_kept_out = |repair: &&Repair| {
        let (accepts, features) = match (&repair.hook, &message) {
            (Hook::Request { when, .. }, _) => (when(request), of_request),
            (Hook::Reply { when, .. } | Hook::Event { when, .. } | Hook::Silence { when, .. }, _) => {
                (when(request, reply), of_reply)
            }
            (Hook::Message { when, .. }, Some(message)) => (when(request, message), of_request.with_message(message)),
            (Hook::Message { .. }, None) => (false, of_request),
        };
        accepts && repair.on.contains(&request.class) && !features.opens(repair.gate)
    };
    REPAIRS.iter().filter(|repair| is_kept_out(repair)).map(|repair| repair.id).collect()
}

fn stage_and_request(example: &Example) -> Request {
    Stage::new(example.site).request(example)
}

#[test]
fn no_gate_has_more_sets_than_are_looked_at() {
    for repair in REPAIRS {
        assert!(repair.gate.len() <= crate::plan::MOST_SETS, "{}", repair.id);
        assert!(repair.gate.iter().all(|set| !set.is_empty()), "{}", repair.id);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    /// The request of one example, the reply of another, with another status, media type, length and beginning.
    #[test]
    fn a_gate_opens_for_what_its_repair_accepts(
        asked in 0..EXAMPLES.len(),
        answered in 0..EXAMPLES.len(),
        status in prop::option::of(prop::sample::select(STATUSES.to_vec())),
        kind in prop::option::of(prop::sample::select(TYPES.to_vec())),
        length in prop::option::of(prop::sample::select(vec!["0", "00", "7"])),
        opening in prop::option::of(prop::sample::select(OPENINGS.to_vec())),
        session: bool,
        requires_auth: bool,
        is_coded: bool,
    ) {
        let mut request = stage_and_request(EXAMPLES[asked]);
        request.requires_auth |= requires_auth;
        if session {
            request.session_sent = Some("s".parse().unwrap());
        }
        let Ok(mut reply) = example::reply(EXAMPLES[answered].reply).or_else(|_| example::reply("200")) else { return Ok(()) };
        if let Some(status) = status {
            reply.status = StatusCode::from_u16(status).unwrap();
        }
        if let Some(kind) = kind {
            reply.headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        }
        if let Some(length) = length {
            reply.headers.insert(CONTENT_LENGTH, length.parse().unwrap());
        }
        if is_coded {
            reply.coding = Some(Coding::Gzip);
        }
        if let crate::exchange::ReplyBody::Json(object) = &reply.body {
            reply.message = Envelope::peek(&object.to_bytes());
        }
        if let Some(opening) = opening {
            reply.opening = opening;
        }
        prop_assert_eq!(kept_out(&request, &reply), Vec::<&str>::new());
    }

    /// Exchanges of every kind.
    #[test]
    fn a_gate_opens_for_any_exchange_that_its_repair_accepts(
        kind in any_site(),
        request in prop_oneof![any_request(), any_message()],
        reply in any_reply(),
    ) {
        let stage = Stage::new(kind);
        let request = example::request(&request, &stage.facts, &stage.known).unwrap();
        prop_assert_eq!(kept_out(&request, &reply), Vec::<&str>::new());
    }
}
