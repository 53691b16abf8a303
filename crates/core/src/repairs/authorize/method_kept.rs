//! Field report 24: the authorization response in a redirect that keeps the method.

use http::StatusCode;
use http::header::LOCATION;

use super::{Cut, is_response, leads_to_client, location};
use crate::client::who;
use crate::edit::params;
use crate::endpoint::Class;
use crate::exchange::edits::Edits;
use crate::exchange::features::Feature;
use crate::exchange::{Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "authorize.method-kept",
    rows: &["E-02"],
    summary: "the browser goes back to the client with 307 or 308, and so with the consent form's POST",
    why: "307 and 308 keep the method: the browser POSTs the consent form, and what the user typed into it, to the \
          client's callback, which answers 405 Method Not Allowed.",
    hits: "claude.ai, Claude Desktop; every client whose callback takes GET alone",
    stops: who::CLAUDE,
    remedy: "The status becomes 303 when the redirect leads to a client and carries `code` or `error`, from other \
             pages than the authorization endpoint also `state`. The address stays as it is.",
    advice: "Redirect with 303, or 302. In Next.js: `NextResponse.redirect(url, 303)`.",
    basis: &[basis::REDIRECT_METHOD, basis::AUTHORIZATION_RESPONSE],
    default: Mode::Fix,
    on: &[Class::Authorize, Class::Other],
    gate: &[&[Feature::Location]],
    hook: Hook::Reply { needs: Needs::Head, when, run },
    examples: &[
        Example {
            note: "Next.js's consent",
            site: SiteKind::Cohosted,
            request: "POST /api/consent",
            reply: "307\nLocation: https://claude.ai/api/mcp/auth_callback?code=a%2fb&state=x+y",
            then: Then::Becomes("303\nLocation: https://claude.ai/api/mcp/auth_callback?code=a%2fb&state=x+y"),
        },
        Example {
            note: "a refusal, at a private-use scheme",
            site: SiteKind::Bare,
            request: "POST /authorize",
            reply: "308\nLocation: cursor://anysphere.cursor-retrieval/cb?error=access_denied",
            then: Then::Becomes("303\nLocation: cursor://anysphere.cursor-retrieval/cb?error=access_denied"),
        },
        Example {
            note: "in the fragment",
            site: SiteKind::Cohosted,
            request: "GET /authorize?response_mode=fragment",
            reply: "307\nLocation: http://127.0.0.1:9/cb#code=c",
            then: Then::Becomes("303\nLocation: http://127.0.0.1:9/cb#code=c"),
        },
        Example {
            note: "to the upstream's own next page",
            site: SiteKind::Cohosted,
            request: "POST /login",
            reply: "307\nLocation: /consent?code=123456",
            then: Then::Sound,
        },
        Example {
            note: "no authorization response",
            site: SiteKind::Cohosted,
            request: "POST /authorize?response_type=code",
            reply: "307\nLocation: https://login.example.net/?response_type=code",
            then: Then::Sound,
        },
        Example {
            note: "a page of the application that sends a code of its own",
            site: SiteKind::Cohosted,
            request: "POST /shop",
            reply: "307\nLocation: https://pay.example/?code=1",
            then: Then::Sound,
        },
        Example {
            note: "state stands beside the code, or it is another's",
            site: SiteKind::Cohosted,
            request: "POST /shop",
            reply: "307\nLocation: https://pay.example/?code=1#state=s",
            then: Then::Sound,
        },
        Example {
            note: "an application whose users log in elsewhere",
            site: SiteKind::Foreign,
            request: "POST /shop",
            reply: "307\nLocation: https://pay.example/?code=1",
            then: Then::Sound,
        },
    ],
};

fn when(_: &Request, reply: &Reply) -> bool {
    matches!(reply.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT)
        && reply.headers.contains_key(LOCATION)
}

fn run(site: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    if request.class == Class::Other && !site.has_own_authorization_server() {
        return Outcome::Sound;
    }
    let answers_client = location(reply).is_some_and(|location| {
        let cut = Cut::of(location);
        // Any page may send a `code` somewhere; clients send `state` along (MCP, Open Redirection).
        let is_ours = |text: &&str| request.class == Class::Authorize || params::has(text, "state");
        let mut responses = [cut.query, cut.fragment].into_iter().flatten().filter(|text| is_response(text));
        responses.any(|text| is_ours(&text)) && leads_to_client(site, location)
    });
    if !answers_client {
        return Outcome::Sound;
    }
    let mut edits = Edits::new();
    edits.status(StatusCode::SEE_OTHER);
    Outcome::mended("the redirect to the client keeps the method", edits)
}
