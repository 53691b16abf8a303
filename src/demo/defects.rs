//! The defects that the demo server can show, as data: how a client meets each, how the server comes to have it, and
//! how to tell from the answer whether it is gone. The only list of them is here.

mod authorize;
mod challenge;
mod head;
mod legacy;
mod message;
mod page;
mod refused_message;
mod refused_registration;
mod refused_token;
mod registration;
mod resource;
mod server;
mod session;
mod stream;
mod token;
mod transport;
mod version;

use http::StatusCode;
use http::header::LOCATION;
use serde_json::{Value, json};

use super::client::{Answer, Base};
use super::mended::Check;
use super::visit::Visit;
use crate::demo::parts::change::Change;
use crate::demo::parts::reply::{self, Reply};

/// What stands for the known issue page's defects on the command line.
pub const ALL_OF_THE_PAGE: &str = "all-of-the-page";

/// Something that servers get wrong.
#[derive(Debug)]
pub struct Defect {
    /// What it is called on the command line.
    pub name: &'static str,
    /// The row of the project's catalogue; `R-` and the rank for what only users have reported.
    pub row: &'static str,
    /// What is wrong, in one line.
    pub summary: &'static str,
    /// What a client does to meet it.
    ask: Visit,
    /// Whether the answer is as it should be.
    check: Check,
    /// How the sound server comes to have it.
    pub(super) change: &'static [Change],
}

impl Defect {
    /// Does what a client does at `http://HOST:PORT`.
    ///
    /// # Errors
    /// When no answer came, or one to an earlier request on the way that leads nowhere.
    pub async fn visit(&self, base: &str) -> Result<Answer, String> {
        let base = Base::parse(base).ok_or("not an http:// address")?;
        (self.ask)(&base).await
    }

    /// Whether the answer is as it should be. Knows nothing of how the proxy mends.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn is_mended(&self, answer: &Answer) -> Result<(), String> {
        (self.check)(answer)
    }
}

/// The groups, in the order in which a client meets them.
static GROUPS: &[&[Defect]] = &[
    challenge::DEFECTS,
    resource::DEFECTS,
    server::DEFECTS,
    refused_registration::DEFECTS,
    registration::DEFECTS,
    authorize::DEFECTS,
    refused_token::DEFECTS,
    token::DEFECTS,
    head::DEFECTS,
    transport::DEFECTS,
    version::DEFECTS,
    session::DEFECTS,
    stream::DEFECTS,
    message::DEFECTS,
    refused_message::DEFECTS,
    legacy::DEFECTS,
    page::DEFECTS,
];

/// Every defect there is.
pub fn all() -> impl Iterator<Item = &'static Defect> {
    GROUPS.iter().copied().flatten()
}

/// Those of the known issue page, which the demo shows when none is named.
#[must_use]
pub fn of_the_page() -> Vec<&'static Defect> {
    page::DEFECTS.iter().collect()
}

/// The defect of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Defect> {
    all().find(|defect| defect.name == name)
}

/// The name most like a mistyped one.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static str> {
    let names = all().map(|defect| defect.name).chain([ALL_OF_THE_PAGE]);
    let likeness = names.map(|have| (strsim::jaro_winkler(name, have), have)).filter(|(likeness, _)| *likeness > 0.75);
    likeness.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, have)| have)
}

/// Takes a member out of a document.
fn remove(document: &mut Value, name: &str) {
    if let Some(members) = document.as_object_mut() {
        members.shift_remove(name);
    }
}

/// Gives a member of a document another name.
fn rename(document: &mut Value, name: &str, other: &str) {
    if let Some(value) = document.as_object_mut().and_then(|members| members.shift_remove(name)) {
        document[other] = value;
    }
}

/// What a web framework shows to browsers.
fn html(status: StatusCode, text: &str) -> Reply {
    let page =
        format!("<!doctype html>\n<html><head><title>{text}</title></head><body><h1>{text}</h1></body></html>\n");
    reply::text(status, "text/html; charset=utf-8", page)
}

/// What a web application shows to somebody who has not logged in.
fn login_page() -> Reply {
    let page = "<!doctype html>\n<html><head><title>Log in</title></head><body><form action=\"/login\" method=\"post\">\
                <input name=\"user\"><input name=\"password\" type=\"password\"><button>Log in</button></form></body>\
                </html>\n";
    reply::text(StatusCode::OK, "text/html; charset=utf-8", page)
}

/// A JSON-RPC error without the id of the request: of a server that did not read so far.
fn refused(status: StatusCode, code: i32, text: &str) -> Reply {
    reply::json(status, &json!({"jsonrpc": "2.0", "id": null, "error": {"code": code, "message": text}}))
}

/// A redirect to another place.
fn redirect(status: StatusCode, to: &str) -> Reply {
    reply::with_text(reply::empty(status), LOCATION, to)
}

#[cfg(test)]
mod tests;
