//! One identity: every URL on the upstream's own origin becomes the public one, and back.

pub mod endpoint_event;
pub mod location;
pub mod own_origin;
pub mod redirect_document;
pub mod registration;
pub mod resource_metadata;
pub mod resource_parameter;
pub mod server_metadata;

use serde_json::Value;

use crate::edit::json::Object;
use crate::edit::origin::Origin;
use crate::edit::params;
use crate::exchange::Site;

/// Turns every URL on the upstream's own origin, in any member but the named ones, into its public form. Answers
/// whether there were any.
fn publish_members(site: &Site<'_>, document: &mut Object, except: &[&str]) -> bool {
    let mut any = false;
    for name in document.names() {
        if except.contains(&name.as_str()) {
            continue;
        }
        // Without a colon it is no URL. A backslash may stand for one.
        if let Some(text) = document.raw(&name)
            && memchr::memchr2(b':', b'\\', &text).is_some()
            && let Ok(mut value) = serde_json::from_slice(&text)
            && publish(site, &mut value)
        {
            document.set(&name, value);
            any = true;
        }
    }
    any
}

/// Turns the URLs in a value into their public form. Answers whether there were any.
fn publish(site: &Site<'_>, value: &mut Value) -> bool {
    match value {
        Value::String(text) => match site.to_public(text) {
            Some(public) => {
                *text = public;
                true
            }
            None => false,
        },
        Value::Array(list) => list.iter_mut().map(|value| publish(site, value)).max().unwrap_or(false),
        Value::Object(members) => members.values_mut().map(|value| publish(site, value)).max().unwrap_or(false),
        _ => false,
    }
}

/// Whether the upstream writes its issuer so in all of its documents, at the address that clients use: then it is right
/// to the byte (RFC 8414 section 3.3), with a path or a slash, for as long as nobody stands before it.
fn is_its_own_issuer(site: &Site<'_>, issuer: &str) -> bool {
    let known = site.known;
    known.issuer.as_deref() == Some(issuer)
        && known.authorization_servers.iter().any(|listed| listed == issuer)
        && Origin::of(issuer).is_ok_and(|origin| origin == site.facts.public)
}

/// `iss` of an authorization response.
fn iss_of(location: &str) -> Option<String> {
    let query = location.split_once('?')?.1;
    params::get(query.split('#').next().unwrap_or(query), "iss").map(Into::into)
}

/// An authorization response in a redirect URL, with our issuer for `iss` (RFC 9207 section 2); `None` when it is no
/// authorization response or needs no change. All other bytes stay.
fn with_public_iss(site: &Site<'_>, location: &str) -> Option<String> {
    let (before, after) = location.split_once('?')?;
    let (query, fragment) = after.split_once('#').map_or((after, None), |(q, f)| (q, Some(f)));
    if !params::has(query, "code") && !params::has(query, "error") {
        return None;
    }
    let query = params::map_values(query, "iss", |iss| {
        (site.owns(iss) && iss != site.issuer()).then(|| site.issuer().to_owned())
    })?;
    let fragment = fragment.map(|f| format!("#{f}")).unwrap_or_default();
    Some(format!("{before}?{query}{fragment}"))
}
