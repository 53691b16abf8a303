//! D-15, field report 26: a registration is refused for members that it has, or for a name that it has not.

use super::reduce::{add_name, ease, reduce, says_nothing};
use super::{asks_for_client, is_refused_for_content, refusal};
use crate::client::who;
use crate::endpoint::Class;
use crate::exchange::features::Feature;
use crate::exchange::{Ask, Outcome, Reply, Request, Site};
use crate::repair::{Example, Hook, Mode, Needs, Repair, SiteKind, Then};
use crate::repairs::basis;

pub static REPAIR: Repair = Repair {
    id: "register.members-refused",
    rows: &["D-15"],
    summary: "a registration is refused for members that the server ought to ignore, or for want of a name",
    why: "A server ignores what it does not know and may not demand what is optional. Clients send what is newer than \
          the server, as `application_type`, or an empty scope; Claude sends no name.",
    hits: "Claude (name), MCP Inspector, mcp-remote, TypeScript SDK 2 and rmcp clients (unknown members), Raycast",
    stops: who::TYPESCRIPT_2.and(who::RUST).and(who::CLAUDE).and(who::GEMINI),
    remedy: "Sends it once more with what the code flow needs and nothing else, without the scope if that was refused, \
             with the name of the redirect URI's host if one was demanded. Not if the refusal has another reason.",
    advice: "Ignore unknown members, and demand nothing but `redirect_uris`.",
    basis: &[basis::REGISTRATION_REQUEST],
    default: Mode::Fix,
    on: &[Class::Register],
    gate: &[&[Feature::Post], &[Feature::BadRequest, Feature::OtherClientError]],
    hook: Hook::Reply {
        needs: Needs::Body,
        when: |request, reply| is_refused_for_content(request, reply) && asks_for_client(request),
        run,
    },
    examples: &[
        Example {
            note: "unknown members",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"],\"client_name\":\"x\",\
                      \"grant_types\":[\"authorization_code\",\"refresh_token\",\
                      \"urn:ietf:params:oauth:grant-type:device_code\"],\"application_type\":\"native\",\"scope\":\"\"}",
            reply: "400\nContent-Type: application/json\n\n{\"message\":\"Unrecognized field \\\"application_type\\\"\"}",
            then: Then::Asks(
                "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"],\"client_name\":\"x\",\
                 \"grant_types\":[\"authorization_code\",\"refresh_token\"]}",
            ),
        },
        Example {
            note: "a name is demanded",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"https://claude.ai/api/mcp/auth_callback\"]}",
            reply: "422\nContent-Type: application/json\n\n{\"message\":\"The client name field is required.\",\
                    \"errors\":{\"client_name\":[\"The client name field is required.\"]}}",
            then: Then::Asks(
                "POST /register\n\n\
                 {\"redirect_uris\":[\"https://claude.ai/api/mcp/auth_callback\"],\"client_name\":\"Claude\"}",
            ),
        },
        Example {
            note: "the scope is refused",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n\
                      {\"redirect_uris\":[\"http://localhost:1/cb\"],\"client_uri\":\"https://c.example\",\
                      \"scope\":\"openid mcp\"}",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_client_metadata\",\"error_description\":\"Not permitted to use scope openid\"}",
            then: Then::Asks(
                "POST /register\n\n\
                 {\"redirect_uris\":[\"http://localhost:1/cb\"],\"client_uri\":\"https://c.example\"}",
            ),
        },
        Example {
            note: "a refusal that says nothing",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"],\"software_id\":\"i\"}",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_client_metadata\"}",
            then: Then::Asks(
                "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"],\"client_name\":\"localhost\"}",
            ),
        },
        Example {
            note: "nothing can be left out",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"],\"client_name\":\"x\"}",
            reply: "400\nContent-Type: application/json\n\n{\"error\":\"invalid_client_metadata\"}",
            then: Then::Sound,
        },
        Example {
            note: "another reason",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"],\"software_id\":\"i\"}",
            reply: "400\nContent-Type: application/json\n\n\
                    {\"error\":\"invalid_client_metadata\",\"error_description\":\"An initial access token is needed\"}",
            then: Then::Sound,
        },
        Example {
            note: "a failure that names nothing",
            site: SiteKind::Cohosted,
            request: "POST /register\n\n{\"redirect_uris\":[\"http://localhost:1/cb\"],\"software_id\":\"i\"}",
            reply: "500\nContent-Type: application/json\n\n{\"error\":\"server_error\"}",
            then: Then::Sound,
        },
    ],
};

fn run(_: &Site<'_>, request: &Request, reply: &Reply) -> Outcome {
    let (Some(words), Some(asked)) = (refusal::words(reply), request.json()) else { return Outcome::Sound };
    let mut body = asked.clone();
    let what = if ease(&mut body, &words) {
        "members are refused, or a name is demanded"
    } else if says_nothing(&words) {
        reduce(&mut body);
        add_name(&mut body);
        "refused without a reason; sent what every server knows"
    } else {
        return Outcome::Sound;
    };
    if body == *asked {
        return Outcome::Sound;
    }
    Outcome::again(what, Ask::with_json(body))
}
