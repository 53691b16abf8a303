//! The two discovery documents (RFC 9728 section 2, RFC 8414 section 2).

use http::header::CACHE_CONTROL;
use http::{Method, StatusCode};
use serde_json::Value;

use super::MCP;
use super::client::{Answer, Base};
use crate::endpoint::{RESOURCE_METADATA, SERVER_METADATA, resource_metadata_path};

/// Where the page looks for them.
pub(super) const SERVER: &str = SERVER_METADATA;
pub(super) const RESOURCE: &str = RESOURCE_METADATA;

async fn get(base: &Base, path: &str) -> Result<Answer, String> {
    let answer = base.ask(Method::GET, path).send().await?;
    match answer.status {
        StatusCode::OK => Ok(answer),
        other => Err(format!("{} {}", other.as_u16(), path.trim_start_matches("/.well-known/"))),
    }
}

/// No cache keeps the documents.
pub(super) async fn are_not_kept(base: &Base) -> Result<String, String> {
    for path in [SERVER, RESOURCE] {
        let answer = get(base, path).await?;
        if !answer.lists(CACHE_CONTROL, "no-store") {
            return Err(answer.only(CACHE_CONTROL).unwrap_or("no Cache-Control").to_owned());
        }
    }
    Ok("no-store on both".to_owned())
}

/// Issuer and resource are those that a client used, in one spelling, and no URL leads away.
pub(super) async fn name_this_address(base: &Base) -> Result<String, String> {
    let server = get(base, SERVER).await?.json()?;
    if server["issuer"] != base.origin() {
        return Err(format!("issuer {}", text(&server["issuer"])));
    }
    leads_nowhere_else(base, &server)?;
    for path in [resource_metadata_path(MCP).as_str(), RESOURCE] {
        let document = get(base, path).await?.json()?;
        if document["resource"] != format!("{}{MCP}", base.origin()).as_str() {
            return Err(format!("resource {}", text(&document["resource"])));
        }
        if document["authorization_servers"][0] != server["issuer"] {
            return Err(format!("server {}", text(&document["authorization_servers"][0])));
        }
        leads_nowhere_else(base, &document)?;
    }
    Ok("all of them here".to_owned())
}

fn leads_nowhere_else(base: &Base, value: &Value) -> Result<(), String> {
    match value {
        Value::String(url) if url.contains("://") && base.target(url).is_none() => Err(format!("names {url}")),
        Value::Array(list) => list.iter().try_for_each(|value| leads_nowhere_else(base, value)),
        Value::Object(object) => object.values().try_for_each(|value| leads_nowhere_else(base, value)),
        _ => Ok(()),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("is missing")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_a_foreign_url_at_any_depth() {
        let base = Base::parse("http://127.0.0.1:8").unwrap();
        assert_eq!(leads_nowhere_else(&base, &json!({"a": ["http://127.0.0.1:8/x", "plain"], "b": 1})), Ok(()));
        let foreign = json!({"a": [{"b": "http://127.0.0.1:80/x"}]});
        assert_eq!(leads_nowhere_else(&base, &foreign), Err("names http://127.0.0.1:80/x".to_owned()));
    }
}
