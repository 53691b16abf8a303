//! Which clients a connection over HTTP/1.1 may serve next.
//!
//! An upstream that answers a request without reading its body takes the rest of the body for the next request on that
//! connection (RFC 9112 section 9.3). If another client's request went over it, that client would get the answer to what
//! the first one wrote, or its credentials would become part of it. A connection therefore stays in the common pool only
//! as long as each body that was sent on it was read for certain. Otherwise it serves the caller that the request came from,
//! on that caller's connection to us, and nobody else, or is closed. The connection alone is not enough: something in front
//! that says nothing of itself may send many clients' requests over one.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::body::RequestBody;
use crate::body::caller::Caller;
use crate::connection::Connection;
use crate::edit::params;
use crate::exchange::{is_json, is_media_type};

/// Who may use a connection after the exchange under way.
pub(super) enum Next {
    Anybody,
    /// Anybody if the answer turns out to grant a token, and otherwise this one.
    Unproven(Box<Next>),
    /// The caller that it has served since a body may have been left unread.
    Only(Owner),
    /// One caller, that has to be named with [`Lease::name_owner`] or it is closed.
    Unnamed,
    /// It is closed.
    Nobody,
}

impl Next {
    pub(super) fn is_unnamed(&self) -> bool {
        match self {
            Self::Unnamed => true,
            Self::Unproven(otherwise) => otherwise.is_unnamed(),
            _ => false,
        }
    }

    /// Puts the caller where it is missing. Answers whether the connection leaves the common pool for certain.
    pub(super) fn name(&mut self, owner: Option<Owner>) -> bool {
        match self {
            Self::Unnamed => {
                *self = owner.map_or(Self::Nobody, Self::Only);
                true
            }
            Self::Unproven(otherwise) => {
                otherwise.name(owner);
                false
            }
            _ => false,
        }
    }
}

/// Who may go on with a connection if the body of a request may have been left unread on it.
#[derive(Clone)]
pub enum Ownership {
    /// It is closed then.
    Nobody,
    Of(Owner),
    /// [`super::Lease::wants_owner`] says whether it matters. To tell callers apart costs more than most exchanges have to pay.
    Unnamed,
}

/// A caller on its connection to us.
#[derive(Clone)]
pub struct Owner {
    pub(super) connection: Arc<Connection>,
    pub(super) caller: Caller,
}

impl Owner {
    /// `caller`: known by its credentials.
    #[must_use]
    pub fn new(connection: Arc<Connection>, caller: Caller) -> Self {
        Self { connection, caller }
    }
}

/// What proves that a request's body was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    Nothing,
    /// A success: no server can carry the request out without having read the body.
    Success,
    /// A token, granted to what is a form. A success alone proves nothing at an upstream that has no token endpoint there.
    Token,
}

/// What is known of a request's body before it is sent.
pub(super) struct Sending {
    pub(super) has_body: bool,
    proof: Proof,
    owner: Ownership,
}

impl Sending {
    /// `proof`: what would prove that the body was read, if it is what it is called.
    pub(super) fn of(request: &Request<RequestBody>, proof: Proof, owner: Ownership) -> Self {
        let body = request.body();
        let proof = match body {
            RequestBody::Whole(bytes) if proof != Proof::Token || params::is_well_formed(bytes) => proof,
            // A body that streams is not known to be one message and nothing behind it.
            _ => Proof::Nothing,
        };
        Self { has_body: !body.is_end_stream(), proof, owner }
    }

    pub(super) fn owner(&self) -> Option<&Owner> {
        if let Ownership::Of(owner) = &self.owner { Some(owner) } else { None }
    }

    pub(super) fn next(&self, before: Next, answer: &Response<Incoming>, was_sent: bool) -> Next {
        match (before, &self.owner) {
            (before, _) if !self.has_body => before,
            (_, _) if !was_sent => Next::Nobody,
            (before, _) if self.proof == Proof::Success && is_carried_out(answer) => before,
            (Next::Only(owner), _) => Next::Only(owner),
            (Next::Anybody, owner) => {
                let next = match owner {
                    Ownership::Nobody => Next::Nobody,
                    Ownership::Of(owner) => Next::Only(owner.clone()),
                    Ownership::Unnamed => Next::Unnamed,
                };
                let may_be_proven = self.proof == Proof::Token && answer.status() == StatusCode::OK;
                if may_be_proven { Next::Unproven(Box::new(next)) } else { next }
            }
            (Next::Unproven(_) | Next::Unnamed | Next::Nobody, _) => Next::Nobody,
        }
    }
}

/// Whether an answer says that a request was carried out, in a form in which such requests are answered. A page does not.
fn is_carried_out(answer: &Response<Incoming>) -> bool {
    let kind = answer.headers().get(CONTENT_TYPE);
    let is_right = kind.is_none_or(|kind| is_json(kind) || is_media_type(kind, "text/event-stream"));
    answer.status().is_success() && is_right
}
