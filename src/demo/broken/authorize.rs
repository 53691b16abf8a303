//! The authorization endpoint (RFC 6749 section 4.1): a page that names the client, and the redirect once somebody
//! pressed its button, with `iss` (RFC 9207).

use std::time::Instant;

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use url::Url;

use super::metadata::{MORE_SCOPE, SCOPE};
use super::{Broken, token};
use crate::demo::parts::reply::{self, Reply};
use crate::demo::parts::{field, fields};
use crate::secret;

/// Longer ones do not fit into a header on every way.
const LONGEST_URI: usize = 2000;

/// What a code stands for.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) scope: String,
    pub(super) at: Instant,
}

/// A request that may be shown and approved.
struct Request {
    client_name: String,
    client_id: String,
    redirect_uri: String,
    state: Option<String>,
    challenge: String,
    scope: String,
}

/// Shows the page.
pub(super) fn ask(broken: &Broken, head: &Parts, _: &[u8]) -> Reply {
    let asked = fields(head.uri.query().unwrap_or_default().as_bytes());
    let request = match examine(broken, &asked) {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    // RFC 8707 section 2. The page's form does not carry the resource: it is known from here on.
    if field(&asked, "resource").is_some_and(|resource| !token::is_here(broken, &resource)) {
        let what = [("error", "invalid_target"), ("error_description", "Unknown resource")];
        return redirect(broken, &request.redirect_uri, request.state.as_deref(), &what);
    }
    let page = reply::text(StatusCode::OK, "text/html; charset=utf-8", page(&request));
    let page = reply::with(page, CACHE_CONTROL, "no-store");
    let page = reply::with(page, REFERRER_POLICY, "no-referrer");
    // No `form-action`: browsers apply it to the redirect that follows, which goes to the client.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    reply::with(page, CONTENT_SECURITY_POLICY, policy)
}

/// The button was pressed: issues a code. Takes the page's form, or the parameters of the authorization request.
pub(super) fn approve(broken: &Broken, _: &Parts, body: &[u8]) -> Reply {
    let request = match examine(broken, &fields(body)) {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    let Ok(code) = secret::random() else { return reply::failed() };
    let Request { client_id, redirect_uri, challenge, scope, .. } = request;
    let answer = redirect(broken, &redirect_uri, request.state.as_deref(), &[("code", &code)]);
    broken.state().codes.put(code, Grant { client_id, redirect_uri, challenge, scope, at: Instant::now() });
    answer
}

/// Nobody is redirected to an address that the client did not register (RFC 6749 section 4.1.2.1).
fn examine(broken: &Broken, asked: &[(String, String)]) -> Result<Request, Box<Reply>> {
    let refuse = |text: &str| Box::new(reply::error(StatusCode::BAD_REQUEST, "invalid_request", text));
    let client_id = field(asked, "client_id").ok_or_else(|| refuse("client_id is missing"))?;
    let client = broken.state().clients.get(&client_id).cloned().ok_or_else(|| refuse("Unknown client"))?;
    let redirect_uri = field(asked, "redirect_uri").ok_or_else(|| refuse("redirect_uri is missing"))?;
    if !client.redirect_uris.iter().any(|registered| is_same_uri(registered, &redirect_uri)) {
        return Err(refuse("redirect_uri is not registered"));
    }
    let state = field(asked, "state");
    let deny = |code: &str, text: &str| {
        Box::new(redirect(broken, &redirect_uri, state.as_deref(), &[("error", code), ("error_description", text)]))
    };
    if field(asked, "response_type").as_deref() != Some("code") {
        return Err(deny("unsupported_response_type", "Only code"));
    }
    if field(asked, "code_challenge_method").as_deref() != Some("S256") {
        return Err(deny("invalid_request", "PKCE with S256 is required"));
    }
    let Some(challenge) = field(asked, "code_challenge").filter(|challenge| challenge.len() == 43) else {
        return Err(deny("invalid_request", "code_challenge is missing or no S256 value"));
    };
    let scope = granted(&field(asked, "scope").unwrap_or_default());
    Ok(Request { client_name: client.name, client_id, redirect_uri, state, challenge, scope })
}

/// What is granted of what was asked for: unknown scopes are left out (RFC 6749 section 3.3), the first one is always
/// there.
fn granted(asked: &str) -> String {
    let more = asked.split(' ').any(|scope| scope == MORE_SCOPE);
    if more { format!("{SCOPE} {MORE_SCOPE}") } else { SCOPE.to_owned() }
}

/// The authorization response.
fn redirect(broken: &Broken, to: &str, state: Option<&str>, what: &[(&str, &str)]) -> Reply {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(what);
    query.extend_pairs(state.map(|state| ("state", state)));
    query.append_pair("iss", &broken.origin);
    let joint = if to.contains('?') { '&' } else { '?' };
    let location = format!("{to}{joint}{}", query.finish());
    let mut answer = reply::with(reply::empty(StatusCode::FOUND), CACHE_CONTROL, "no-store");
    match HeaderValue::try_from(location) {
        Ok(location) => {
            answer.headers_mut().insert(LOCATION, location);
            answer
        }
        Err(_) => reply::error(StatusCode::BAD_REQUEST, "invalid_request", "redirect_uri is no header value"),
    }
}

/// https, http on loopback, or an application's own scheme (RFC 8252 section 7); never one that a browser runs.
pub(super) fn is_redirect_uri(uri: &str) -> bool {
    const RUN_OR_READ: [&str; 7] = ["about", "blob", "data", "file", "javascript", "vbscript", "view-source"];
    let plain = uri.len() <= LONGEST_URI && uri.bytes().all(|byte| byte.is_ascii_graphic()) && !uri.contains('#');
    let Some(parsed) = plain.then(|| Url::parse(uri).ok()).flatten() else { return false };
    match parsed.scheme() {
        "https" => true,
        "http" => is_loopback(&parsed),
        scheme => !RUN_OR_READ.contains(&scheme),
    }
}

/// Literally the same, or both on loopback and the same but for the port (RFC 8252 section 7.3).
fn is_same_uri(registered: &str, asked: &str) -> bool {
    if registered == asked {
        return true;
    }
    let without_port = |uri: &str| {
        let mut uri = Url::parse(uri).ok().filter(|uri| uri.scheme() == "http" && is_loopback(uri))?;
        uri.set_port(None).ok()?;
        Some(uri)
    };
    is_redirect_uri(asked) && without_port(registered).is_some_and(|registered| Some(registered) == without_port(asked))
}

fn is_loopback(uri: &Url) -> bool {
    matches!(uri.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"))
}

/// The form's address is relative: the page works wherever it is seen.
fn page(request: &Request) -> String {
    let mut inputs = String::new();
    let mut input = |name: &str, value: &str| {
        inputs.push_str(&format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escaped(value)));
    };
    input("response_type", "code");
    input("client_id", &request.client_id);
    input("redirect_uri", &request.redirect_uri);
    input("code_challenge", &request.challenge);
    input("code_challenge_method", "S256");
    input("scope", &request.scope);
    if let Some(state) = &request.state {
        input("state", state);
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Allow access?</title>\n\
         <style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem;\
         color-scheme:light dark}}button{{font:inherit;padding:.5rem 1.5rem}}code{{overflow-wrap:anywhere}}</style>\n\
         <h1>Allow access?</h1>\n\
         <p><strong>{name}</strong> wants to call the tools of the mcp-mend demo server.</p>\n\
         <p>The answer goes to <code>{to}</code>.</p>\n\
         <form method=\"post\" action=\"/approve\">\n{inputs}<button>Approve</button>\n</form>\n</html>\n",
        name = escaped(&request.client_name),
        to = escaped(&request.redirect_uri),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_that_may_be_registered() {
        for uri in ["https://claude.ai/cb", "http://localhost:1/cb", "http://[::1]/", "cursor://host/cb", "com.app:/cb"]
        {
            assert!(is_redirect_uri(uri), "{uri}");
        }
        for uri in ["http://h.example/cb", "javascript:alert(1)", "data:,x", "/cb", "https://h/#x", "https://h/ä", ""]
        {
            assert!(!is_redirect_uri(uri), "{uri}");
        }
    }

    #[test]
    fn redirect_uris_match_exactly_but_for_a_loopback_port() {
        assert!(is_same_uri("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"));
        assert!(is_same_uri("http://localhost:1/cb?x=1", "http://localhost:2/cb?x=1"));
        assert!(is_same_uri("https://h/cb", "https://h/cb"));
        for (registered, asked) in [
            ("https://h/cb", "https://h:444/cb"),
            ("https://h/cb", "https://h/cb/"),
            ("http://127.0.0.1/cb", "http://localhost/cb"),
            ("http://127.0.0.1/cb", "https://127.0.0.1/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1/other"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:1/cb#x"),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb"),
        ] {
            assert!(!is_same_uri(registered, asked), "{registered} {asked}");
        }
    }

    #[test]
    fn a_page_holds_no_markup_of_a_client() {
        let request = Request {
            client_name: "<script>'x'</script>".into(),
            client_id: "c".into(),
            redirect_uri: "https://h/?a=1&b=\"".into(),
            state: None,
            challenge: "x".into(),
            scope: SCOPE.into(),
        };
        let page = page(&request);
        assert!(page.contains("&lt;script&gt;&#39;x&#39;&lt;/script&gt;"));
        assert!(page.contains("value=\"https://h/?a=1&amp;b=&quot;\""));
        assert!(!page.contains("<script"));
    }
}
