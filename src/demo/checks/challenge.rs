//! The 401 that starts a login (RFC 9728 section 5.1).

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, HeaderMap, ORIGIN, VARY, WWW_AUTHENTICATE,
};
use http::{Method, StatusCode};
use serde_json::json;

use super::client::{Answer, Base};
use super::{MCP, PAGE, verdict};

/// Nobody lists this origin.
const STRANGER: &str = "https://stranger.example";

async fn refused(base: &Base, origin: Option<&str>) -> Result<Answer, String> {
    let ask = base.ask(Method::POST, MCP).json(&json!({}));
    let answer = match origin {
        Some(origin) => ask.header(ORIGIN, origin),
        None => ask,
    };
    answer.send().await
}

/// Bearer is the first challenge, and it leads to the metadata here.
pub(super) async fn is_sent(base: &Base) -> Result<String, String> {
    let answer = refused(base, None).await?;
    answer.expect(StatusCode::UNAUTHORIZED)?;
    let pointer = pointer(&answer.headers)?;
    let target = base.target(pointer).ok_or("resource_metadata is elsewhere")?;
    let document = base.ask(Method::GET, target).send().await?;
    verdict(document.status == StatusCode::OK, "401, Bearer, metadata found", || {
        "resource_metadata leads nowhere".into()
    })
}

/// A page's script may read the challenge.
pub(super) async fn is_exposed(base: &Base) -> Result<String, String> {
    let answer = refused(base, Some(PAGE)).await?;
    verdict(answer.lists(ACCESS_CONTROL_EXPOSE_HEADERS, "WWW-Authenticate"), "WWW-Authenticate", || {
        let some = answer.headers.contains_key(ACCESS_CONTROL_EXPOSE_HEADERS);
        if some { "exposes other headers" } else { "nothing exposed" }.to_owned()
    })
}

/// The listed page may read the answer, a stranger's may not, and nobody gets `*`.
pub(super) async fn is_readable(base: &Base) -> Result<String, String> {
    let answer = refused(base, Some(PAGE)).await?;
    answer.expect(StatusCode::UNAUTHORIZED)?;
    match answer.only(ACCESS_CONTROL_ALLOW_ORIGIN) {
        Some(PAGE) => {}
        Some(other) => return Err(format!("allows {other}")),
        None => return Err("no Access-Control-Allow-Origin".to_owned()),
    }
    if !answer.lists(VARY, "Origin") {
        return Err("no Vary: Origin".to_owned());
    }
    let stranger = refused(base, Some(STRANGER)).await?;
    let allowed = |origin: &str| stranger.lists(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    verdict(!allowed("*") && !allowed(STRANGER), "https://claude.ai, Vary: Origin", || "allows any origin".into())
}

/// `resource_metadata` of the first challenge, which has to be Bearer.
pub(super) fn pointer(headers: &HeaderMap) -> Result<&str, &'static str> {
    let first = headers.get(WWW_AUTHENTICATE).ok_or("401 without WWW-Authenticate")?;
    let first = first.to_str().map_err(|_| "WWW-Authenticate is no text")?;
    let parameters = first.strip_prefix("Bearer").ok_or("Bearer is not the first challenge")?;
    let (_, value) = parameters.split_once(" resource_metadata=\"").ok_or("Bearer without resource_metadata")?;
    value.split_once('"').map(|(url, _)| url).ok_or("resource_metadata has no end")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(challenge: &'static str) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        pointer(&headers).map(str::to_owned)
    }

    #[test]
    fn only_a_leading_bearer_with_a_pointer_will_do() {
        assert_eq!(read("Bearer resource_metadata=\"http://h/x\", scope=\"a\"").as_deref(), Ok("http://h/x"));
        assert_eq!(read("Bearer error=\"invalid_token\", resource_metadata=\"u\"").as_deref(), Ok("u"));
        for wrong in ["Bearer", "Basic, Bearer resource_metadata=\"u\"", "Bearer resource_metadata=u", "bearer x"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(pointer(&HeaderMap::new()), Err("401 without WWW-Authenticate"));
    }
}
