use super::*;
use crate::repair::Repair;
use crate::repairs;
use crate::steps::{Step, Stop, table, table_at};

mod measured;

#[test]
fn clients_are_whole_and_told_apart() {
    let mut all = who::NOBODY;
    for (at, client) in CLIENTS.iter().enumerate() {
        assert_eq!(CLIENTS.iter().position(|other| other.id == client.id), Some(at), "{}: twice", client.id);
        assert!(client.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
        assert_eq!((client.one.len(), all.has(client.one)), (1, false), "{}: has no bit of its own", client.id);
        all = all.and(client.one);
        assert!(!client.name.is_empty() && client.name.len() <= 32, "{}", client.id);
        assert!(client.accept.contains("text/event-stream") && !client.first.is_empty(), "{}", client.id);
        assert!(!client.registration.redirect_uris.is_empty(), "{}", client.id);
        assert_eq!(find(client.id).map(|found| found.id), Some(client.id));
        if let Some(base) = client.built_on {
            assert!(find(base).is_some_and(|base| base.built_on.is_none()), "{} is built on {base}", client.id);
        }
        assert_eq!(client.is_browser, who::BROWSERS.has(client.one), "{}", client.id);
        assert_eq!(client.is_hosted, who::HOSTED.has(client.one), "{}", client.id);
    }
    assert_eq!(all, who::EVERYBODY, "EVERYBODY is not everybody");
    assert_eq!(find("nobody").map(|found| found.id), None);
    assert_eq!((nearest("claud"), nearest("zzz")), (Some("claude"), None));
}

#[test]
fn what_is_built_on_an_sdk_is_counted_with_it() {
    for (base, set) in [("ts1", who::TYPESCRIPT_1), ("ts2", who::TYPESCRIPT_2), ("rmcp", who::RUST)] {
        let built = CLIENTS.iter().filter(|client| client.id == base || client.built_on == Some(base));
        let ids: Vec<&str> = built.map(|client| client.id).collect();
        assert_eq!(ids, set.iter().map(|client| client.id).collect::<Vec<_>>());
    }
}

#[test]
fn places_are_paths() {
    let path = |place: Place| place.path("/mcp", "/t/").unwrap();
    assert_eq!(Place::Challenge.path("/mcp", ""), None);
    assert_eq!(path(Place::ResourceInserted), "/.well-known/oauth-protected-resource/mcp");
    assert_eq!(path(Place::ResourceAppended), "/mcp/.well-known/oauth-protected-resource");
    assert_eq!(path(Place::Listed(Form::OauthInserted)), "/.well-known/oauth-authorization-server/t");
    assert_eq!(path(Place::Listed(Form::OpenidAppended)), "/t/.well-known/openid-configuration");
    assert_eq!(path(Place::Own(Form::OauthInserted)), "/.well-known/oauth-authorization-server/mcp");
    assert_eq!(Place::ResourceInserted.path("/", ""), Place::ResourceRoot.path("/", ""));
}

fn repair(id: &str) -> &'static Repair {
    repairs::find(id).unwrap_or_else(|| panic!("{id}"))
}

#[test]
fn repairs_belong_to_steps() {
    for (id, step) in [
        ("cors.preflight", Step::Reach),
        ("auth.challenge-missing", Step::Challenge),
        ("cors.expose", Step::Challenge),
        ("metadata.resource-missing", Step::Discovery),
        ("register.null-members", Step::Registration),
        ("authorize.state-lost", Step::Authorize),
        ("identity.location", Step::Authorize),
        ("token.expires-in", Step::Token),
        ("transport.content-type", Step::Connect),
        ("stream.event-unended", Step::Connect),
        ("version.probe-unanswered", Step::Connect),
        ("transport.notification-refused", Step::Connect),
        ("message.initialize-incomplete", Step::Connect),
        ("message.input-schema", Step::Messages),
        ("session.lost", Step::Messages),
        ("auth.token-expired", Step::Messages),
        ("transport.stream-unanswered", Step::Streams),
    ] {
        assert_eq!(Step::of(repair(id)), step, "{id}");
    }
}

#[test]
fn a_client_stops_at_its_first_defect() {
    assert!(table(&[]).iter().all(|row| row.works() && row.connects));
    // Of defects at several steps the earliest counts, in whatever order they are found.
    let rows = table(&[repair("message.nulls"), repair("token.expires-in"), repair("register.null-members")]);
    let stop_of = |id: &str| {
        let row = rows.iter().find(|row| row.client.id == id).unwrap();
        (row.connects, row.stop.map(|stop| (stop.step, stop.repair.id)))
    };
    assert_eq!(stop_of("ts2"), (false, Some((Step::Registration, "register.null-members"))));
    assert_eq!(stop_of("rmcp"), (false, Some((Step::Token, "token.expires-in"))));
    assert_eq!(stop_of("gemini"), (true, Some((Step::Messages, "message.nulls"))));
    assert_eq!(stop_of("vscode"), (true, None));
    // What only a browser asks for stops only a browser.
    let rows = table(&[repair("cors.preflight"), repair("cors.origin"), repair("cors.expose")]);
    assert!(rows.iter().all(|row| row.works() != row.client.is_browser));
}

#[test]
fn where_it_was_found_counts_more() {
    let rows = table_at(&[Stop { step: Step::Connect, ..Stop::of(repair("message.nulls")) }]);
    assert!(rows.iter().any(|row| row.client.id == "ts1" && !row.connects));
}

#[test]
fn who_is_hit_and_who_stops_agree() {
    for repair in repairs::REPAIRS {
        // Whoever is hit in part is "everybody".
        let every = repair.hits.starts_with("every client");
        assert!(!every || !repair.stops.is_empty(), "{}: hits every client, and stops none", repair.id);
        let of_pages = repair.id.starts_with("cors.");
        assert!(!of_pages || who::BROWSERS.has(repair.stops), "{}: only pages are asked for CORS", repair.id);
    }
}

/// Whose code reads the answers stops where its clients do, but for what these do otherwise.
#[test]
fn what_is_built_on_an_sdk_stops_with_it() {
    // What the host decides: programs fall back to the older transport, and ask for no secret.
    let decided_by_hosts = ["transport.older-alone", "register.auth-method-refused"];
    for repair in repairs::REPAIRS {
        for client in CLIENTS {
            let Some(base) = client.built_on.and_then(find) else { continue };
            let stops = !repair.stops.has(base.one) || repair.stops.has(client.one);
            assert!(
                stops || decided_by_hosts.contains(&repair.id),
                "{}: {} stops, and {} does not",
                repair.id,
                base.id,
                client.id
            );
        }
    }
}
