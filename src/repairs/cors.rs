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
];

/// The one right value of `Access-Control-Allow-Origin`: `*` for public documents, the page's own origin when it is
/// listed, nothing otherwise. Never an origin that is merely reflected.
fn allowed_origin(site: &Site<'_>, request: &Request) -> Option<HeaderValue> {
    if request.class.is_metadata() {
        return Some(PUBLIC);
    }
    request.origin.clone().filter(|origin| site.allows_origin(origin))
}
