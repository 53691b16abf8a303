//! What a finding says against a server: less than its repair does, where the server keeps the rules or nobody minds.

use std::collections::BTreeMap;

use crate::client::who;
use crate::example;
use crate::exchange::{Facts, Finding, Site};
use crate::knowledge::Knowledge;
use crate::plan::Plan;
use crate::repair::{Level, Mode, SiteKind};
use crate::repairs;

/// What is found at a server that nobody stands before: clients use its own address.
fn finding(id: &str, kind: SiteKind, request: &str, reply: &str) -> Finding {
    let facts = Facts { public: example::facts(kind).upstream, ..example::facts(kind) };
    found(id, &Site { facts: &facts, known: &example::knowledge(kind) }, request, reply)
}

fn found(id: &str, site: &Site<'_>, request: &str, reply: &str) -> Finding {
    let repair = repairs::find(id).unwrap();
    let plan = Plan::new(&[repair], &BTreeMap::from([(repair.id, Mode::Observe)]));
    let mut request = example::request(request, site.facts, site.known).unwrap();
    let report = match reply {
        "" => plan.mend_request(site, &mut request).0,
        reply => plan.mend_reply(site, &request, &mut example::reply(reply).unwrap(), false).0,
    };
    assert_eq!(report.fired.len(), 1, "{id} finds nothing in {reply}");
    report.fired[0].finding.clone()
}

const PROBE: &str = "POST /mcp\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\"}";
const RESOURCE: &str = "GET /.well-known/oauth-protected-resource/mcp";
const SERVER: &str = "GET /.well-known/oauth-authorization-server/auth";
const MESSAGE: &str = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}";

fn document(members: &str) -> String {
    format!("200\nContent-Type: application/json\n\n{{{members}}}")
}

#[test]
fn an_issuer_with_a_path_is_right_where_it_is_written_so_everywhere() {
    let blameless = |id, request, reply: &str| finding(id, SiteKind::Pathed, request, reply).is_blameless;
    let resource = |members: &str| document(&format!("\"resource\":\"http://localhost:3000/mcp\",{members}"));
    let id = "identity.resource-metadata";
    assert!(blameless(id, RESOURCE, &resource("\"authorization_servers\":[\"http://localhost:3000/auth\"]")));
    assert!(!blameless(id, RESOURCE, &resource("\"authorization_servers\":[\"http://localhost:3000/auth/\"]")));
    assert!(!blameless(
        id,
        RESOURCE,
        &document("\"resource\":\"http://localhost:3000\",\"authorization_servers\":[\"http://localhost:3000/auth\"]"),
    ));
    let id = "identity.server-metadata";
    let members =
        |issuer: &str| format!("\"issuer\":\"{issuer}\",\"token_endpoint\":\"http://localhost:3000/auth/token\"");
    assert!(blameless(id, SERVER, &document(&members("http://localhost:3000/auth"))));
    assert!(!blameless(id, SERVER, &document(&members("http://localhost:3000/auth/"))));
    let id = "identity.location";
    let to = |iss: &str| format!("302\nLocation: https://c.example/cb?code=c&iss={iss}");
    assert!(blameless(id, "GET /auth/authorize", &to("http%3A%2F%2Flocalhost%3A3000%2Fauth")));
    assert!(!blameless(id, "GET /auth/authorize", &to("http%3A%2F%2Flocalhost%3A3000%2Felsewhere")));
}

#[test]
fn behind_a_proxy_the_same_issuer_is_another_address() {
    let (facts, known) = (example::facts(SiteKind::Pathed), example::knowledge(SiteKind::Pathed));
    let reply =
        document("\"issuer\":\"http://localhost:3000/auth\",\"token_endpoint\":\"http://localhost:3000/auth/token\"");
    let site = Site { facts: &facts, known: &known };
    assert!(!found("identity.server-metadata", &site, SERVER, &reply).is_blameless);
    // Without resource metadata nobody tells clients of the path.
    let unlisted = Knowledge { authorization_servers: Vec::new(), ..known.clone() };
    let public = Facts { public: facts.upstream.clone(), ..facts.clone() };
    let site = Site { facts: &public, known: &unlisted };
    assert!(!found("identity.server-metadata", &site, SERVER, &reply).is_blameless);
}

#[test]
fn what_keeps_the_rules_is_not_blamed() {
    let post = |fields: &str| format!("POST /mcp\nContent-Type: application/json\n{fields}\n{MESSAGE}");
    let page = "POST /mcp\nOrigin: https://claude.ai";
    let error = "\n\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"Session not found\"}}";
    let probe = post("").replace("tools/list", "server/discover");
    for (id, request, reply, is_blameless) in [
        ("session.lost", post("Mcp-Session-Id: a\n"), "404\nContent-Type: text/plain\n\nSession not found", true),
        ("session.lost", post("Mcp-Session-Id: a\n"), &format!("400\nContent-Type: application/json{error}"), false),
        ("transport.head-unanswered", "HEAD /mcp".into(), "400", true),
        ("transport.head-unanswered", "HEAD /mcp".into(), "404", false),
        ("version.probe-unanswered", probe.clone(), "400\nContent-Type: text/plain\n\nno", true),
        ("version.probe-unanswered", probe, "500\nContent-Type: text/plain\n\nno", false),
        ("cors.expose", page.into(), "200\nContent-Type: text/plain\n\nx", true),
        ("cors.expose", page.into(), "200\nMcp-Session-Id: a\nContent-Type: text/plain\n\nx", false),
    ] {
        let finding = finding(id, SiteKind::Cohosted, &request, reply);
        assert_eq!(finding.is_blameless, is_blameless, "{id}: {reply}");
    }
}

#[test]
fn a_finding_stops_no_more_clients_than_it_does() {
    let preflight = "OPTIONS /mcp\nOrigin: https://claude.ai\nAccess-Control-Request-Method: POST";
    let state = "GET /authorize?redirect_uri=https%3A%2F%2Fc.example%2Fcb&state=a";
    let refresh =
        "POST /token\nContent-Type: application/x-www-form-urlencoded\n\ngrant_type=refresh_token&refresh_token=a";
    for (id, request, reply, stops) in [
        ("cors.preflight", preflight, "204\nAccess-Control-Allow-Origin: *", Some(who::NOBODY)),
        ("cors.preflight", preflight, "204", Some(who::BROWSERS)),
        ("authorize.state-lost", state, "302\nLocation: https://c.example/cb?error=access_denied", Some(who::NOBODY)),
        ("authorize.state-lost", state, "302\nLocation: https://c.example/cb?code=c", None),
        ("metadata.resource-elsewhere", RESOURCE, "404", None),
        ("metadata.resource-elsewhere", "GET /.well-known/oauth-protected-resource", "404", Some(who::CHATGPT)),
        ("oauth.elsewhere", "POST /token\n\ngrant_type=refresh_token&refresh_token=a", "404", Some(who::NOBODY)),
        (
            "token.grant-dead",
            refresh,
            "401\nContent-Type: application/json\n\n{\"error\":\"invalid_grant\"}",
            Some(who::NOBODY),
        ),
        ("transport.redirected", "POST /mcp", "307\nLocation: /mcp/", Some(who::HOSTED.and(who::VSCODE))),
        ("transport.redirected", "POST /mcp", "301\nLocation: /mcp/", None),
        ("version.probe-unanswered", PROBE, "404\nContent-Type: text/plain\n\nno", Some(who::NOBODY)),
        ("version.probe-unanswered", PROBE, "500\nContent-Type: text/plain\n\nno", None),
    ] {
        let kind = match (id, request) {
            ("metadata.resource-elsewhere", RESOURCE) | ("oauth.elsewhere", _) => SiteKind::Pathed,
            _ => SiteKind::Cohosted,
        };
        assert_eq!(finding(id, kind, request, reply).stops, stops, "{id}: {reply}");
    }
}

#[test]
fn what_the_client_owes_is_no_rule_for_the_server() {
    for (id, request) in [
        ("transport.media-type", format!("POST /mcp\n\n{MESSAGE}")),
        ("transport.accept-narrow", format!("POST /mcp\nAccept: application/json\n\n{MESSAGE}")),
        ("transport.origin-passed", format!("POST /mcp\nOrigin: https://claude.ai\n\n{MESSAGE}")),
    ] {
        assert_eq!(finding(id, SiteKind::Cohosted, &request, "").level, Some(Level::Interop), "{id}");
    }
}
