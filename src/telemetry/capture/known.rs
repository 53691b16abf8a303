//! What was known of the upstream, as one line of JSON.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::edit::json::Object;
use crate::edit::origin::Origin;
use crate::endpoint::Paths;
use crate::knowledge::{Foreign, Knowledge};

pub(super) fn write(known: &Knowledge) -> String {
    // Whoever adds a member is asked for it here.
    let Knowledge {
        resource_metadata_path,
        resource,
        authorization_servers,
        resource_document,
        server_metadata_path,
        issuer,
        server_document,
        foreign,
        anonymous_status,
        open_get,
        registers,
        checks_pkce,
        refreshes,
        promises_iss,
        sends_iss,
        refuses_documents,
        returns_directly,
        advertised,
        endpoints,
        auth_methods,
        pkce_methods,
        scopes,
    } = known;
    let Paths { authorize, token, register, revoke } = endpoints.paths();
    let document = |document: &Option<Object>| {
        document.as_ref().map(|document| String::from_utf8_lossy(&document.to_bytes()).into_owned())
    };
    let foreign = foreign.as_ref().map(|Foreign { listed, issuer, authorization_endpoint }| {
        json!({ "listed": listed, "issuer": issuer, "authorization_endpoint": authorization_endpoint })
    });
    json!({
        "resource_metadata_path": resource_metadata_path,
        "resource": resource,
        "authorization_servers": authorization_servers,
        "resource_document": document(resource_document),
        "server_metadata_path": server_metadata_path,
        "issuer": issuer,
        "server_document": document(server_document),
        "foreign": foreign,
        "stranger": anonymous_status.map(|status| status.as_u16()),
        "open_get": open_get,
        "registers": registers,
        "checks_pkce": checks_pkce,
        "refreshes": refreshes,
        "promises_iss": promises_iss,
        "sends_iss": sends_iss,
        "refuses_documents": refuses_documents,
        "returns_directly": returns_directly,
        "advertised": advertised.iter().map(Origin::as_str).collect::<Vec<_>>(),
        "endpoints": { "authorize": authorize, "token": token, "register": register, "revoke": revoke },
        "auth_methods": auth_methods,
        "pkce_methods": pkce_methods,
        "scopes": scopes,
    })
    .to_string()
}

pub(super) fn read(text: &str) -> Result<Knowledge, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("what is known is no JSON: {error}"))?;
    let all = Members(value.as_object().ok_or("what is known is no object")?);
    let foreign = value["foreign"].as_object().map(|foreign| {
        let foreign = Members(foreign);
        Foreign {
            listed: foreign.text("listed").unwrap_or_default(),
            issuer: foreign.text("issuer").unwrap_or_default(),
            authorization_endpoint: foreign.text("authorization_endpoint"),
        }
    });
    let defaults = Paths::default();
    let paths = match value["endpoints"].as_object().map(Members) {
        Some(paths) => Paths {
            authorize: paths.text("authorize").unwrap_or(defaults.authorize),
            token: paths.text("token").unwrap_or(defaults.token),
            register: paths.text("register").unwrap_or(defaults.register),
            revoke: paths.text("revoke").unwrap_or(defaults.revoke),
        },
        None => defaults,
    };
    let anonymous_status =
        value["stranger"].as_u64().and_then(|code| StatusCode::from_u16(u16::try_from(code).ok()?).ok());
    Ok(Knowledge {
        resource_metadata_path: all.text("resource_metadata_path"),
        resource: all.text("resource"),
        authorization_servers: all.list("authorization_servers").unwrap_or_default(),
        resource_document: all.document("resource_document"),
        server_metadata_path: all.text("server_metadata_path"),
        issuer: all.text("issuer"),
        server_document: all.document("server_document"),
        foreign,
        anonymous_status,
        open_get: all.is("open_get"),
        registers: all.is("registers"),
        checks_pkce: all.is("checks_pkce"),
        refreshes: all.is("refreshes"),
        promises_iss: all.is("promises_iss"),
        sends_iss: all.is("sends_iss"),
        refuses_documents: all.is("refuses_documents"),
        returns_directly: all.is("returns_directly"),
        advertised: all
            .list("advertised")
            .unwrap_or_default()
            .iter()
            .filter_map(|origin| Origin::exactly(origin).ok())
            .collect(),
        endpoints: paths.into(),
        auth_methods: all.list("auth_methods"),
        pkce_methods: all.list("pkce_methods"),
        scopes: all.list("scopes"),
    })
}

struct Members<'a>(&'a Map<String, Value>);

impl Members<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    fn is(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    fn list(&self, name: &str) -> Option<Vec<String>> {
        let list = self.0.get(name)?.as_array()?;
        Some(list.iter().filter_map(|each| each.as_str().map(str::to_owned)).collect())
    }

    fn document(&self, name: &str) -> Option<Object> {
        Object::parse(Bytes::from(self.text(name)?)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;
    use crate::repair::SiteKind;

    #[test]
    fn what_is_known_comes_back() {
        for kind in [SiteKind::Cohosted, SiteKind::Pathed, SiteKind::Foreign, SiteKind::Bare, SiteKind::Open] {
            let mut known = example::knowledge(kind);
            // A document comes back as text.
            known.server_document = known.server_document.and_then(|document| Object::parse(document.to_bytes()).ok());
            known.anonymous_status = Some(StatusCode::UNAUTHORIZED);
            known.scopes = Some(vec!["a".into()]);
            let back = read(&write(&known)).unwrap();
            assert_eq!(write(&back), write(&known));
            assert_eq!(format!("{back:?}"), format!("{known:?}"));
        }
    }
}
