//! What a browser page needs to be let in (Fetch), under the house rules: exact origins, never `*` beside credentials.

pub mod expose;
pub mod origin;
pub mod preflight;

use http::HeaderValue;

use crate::endpoint::Class;
use crate::exchange::{Request, Site};

/// What pages of another origin may do at a class of endpoints.
const PUBLIC: HeaderValue = HeaderValue::from_static("*");

/// Endpoints that pages call with credentials in headers: listed origins only.
const LISTED: &[Class] =
    &[Class::Mcp, Class::LegacySse, Class::LegacyPost, Class::Register, Class::Token, Class::Revoke];

/// Every class that a page may have to call.
const CALLED_BY_PAGES: &[Class] = &[
    Class::ResourceMetadata,
    Class::ServerMetadata,
    Class::Mcp,
    Class::LegacySse,
    Class::LegacyPost,
    Class::Register,
    Class::Token,
    Class::Revoke,
    Class::Other,
];

/// Whether these rules hold for a request: it is of a class that pages call, or some server may take it for one that
/// carries credentials.
fn concerns(request: &Request) -> bool {
    request.class != Class::Other || request.rules.takes_credentials()
}

/// The one right value of `Access-Control-Allow-Origin`: `*` for public documents, the page's own origin when it is
/// listed, nothing otherwise. Never an origin that is merely reflected.
fn allowed_origin(site: &Site<'_>, request: &Request) -> Option<HeaderValue> {
    if request.is_document {
        return Some(PUBLIC);
    }
    request.origin.clone().filter(|origin| site.allows_origin(origin))
}
