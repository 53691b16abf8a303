//! What an exchange may cost: how often it may be asked, how much of it is held, and what becomes of a body that nobody
//! wants.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{EXPECT, HeaderMap};
use http_body::Body;
use hyper::body::Incoming;

use super::Exchange;
use crate::body;
use crate::endpoint::{self, Class};
use crate::exchange::Request;
use crate::headers;
use crate::overload::shares::Share;
use crate::overload::{Full, Held};
use crate::refuse::{self, Refusal};
use crate::upstream::Failure;

/// Of a request's body that nobody wants, so much is read in order to keep the connection.
const MOST_LEFT: usize = 64 * 1024;
/// And for so long.
const LEFT_PATIENCE: Duration = Duration::from_secs(1);

impl Exchange {
    /// Leaves the body of a request that is not passed on: a short one is read, so that the connection can go on; a longer
    /// one ends it (RFC 9112 section 9.3). Who waits to be asked for it is not asked (RFC 9110 section 10.1.1). Over HTTP/2
    /// no connection is to be saved (RFC 9113 section 8.1), and whoever waited would hold the head for nothing.
    pub(super) async fn discard_body(
        &mut self,
        request: &Request,
        may_go_on: bool,
        mut body: impl Body<Data = Bytes> + Unpin,
    ) {
        if self.connection.is_multiplexed() {
            return;
        }
        let may_read = may_go_on && !request.headers.contains_key(EXPECT);
        let is_over = body.is_end_stream()
            || may_read && matches!(body::drain(&mut body, MOST_LEFT, LEFT_PATIENCE).await, Ok(true));
        self.cut_short |= !is_over;
    }

    /// Leaves the body of a request that is passed on without it.
    pub(super) async fn leave_meaningless(&mut self, request: &mut Request, mut body: Incoming) -> Result<(), Failure> {
        let may_read = !request.headers.contains_key(EXPECT);
        headers::unframe(&mut request.headers);
        if self.connection.is_multiplexed() {
            return Ok(());
        }
        let is_over = may_read && body::drain(&mut body, MOST_LEFT, LEFT_PATIENCE).await.map_err(Failure::of_upload)?;
        self.cut_short |= !is_over;
        Ok(())
    }

    /// Counts this exchange as one of its client.
    ///
    /// # Errors
    /// What is answered if there is no room for it.
    pub(super) fn count_request(&mut self, headers: &HeaderMap) -> Result<(), Refusal> {
        let (client, share) = self.who_counts(headers);
        self.held.count_for(client, share);
        let runtime = &self.worker.runtime;
        match runtime.load.begin(client, share, runtime.bounds.requests) {
            Ok(request) => {
                self.under_way = Some(request);
                Ok(())
            }
            Err(full) => {
                self.retry_after = Some(1);
                Err(match full {
                    Full::All => refuse::OVERLOADED,
                    Full::Client => refuse::SHARE_TAKEN,
                })
            }
        }
    }

    /// Whose request this is, and how many that client may have. A trusted proxy that names nobody speaks for many, and a
    /// client of this machine may be a proxy in front; all whom a trusted proxy names badly are one client.
    fn who_counts(&self, headers: &HeaderMap) -> (IpAddr, Share) {
        let peer = self.connection.peer;
        match self.connection.client(headers, &self.worker.runtime.trusted_proxies) {
            Some(client) if client.is_loopback() => (client, Share::Most),
            Some(client) if client == peer && self.connection.trusted => (client, Share::Most),
            Some(client) => (client, Share::Half),
            None => (peer, Share::Half),
        }
    }

    /// Whether this client asks too often; counts the request if not.
    pub(super) fn asks_too_often(&mut self, request: &Request) -> bool {
        let runtime = &self.worker.runtime;
        if endpoint::is_read(&request.method) || !runtime.rates.counts(request.rules) {
            return false;
        }
        let client = self.connection.client(&request.headers, &runtime.trusted_proxies);
        // A client that a trusted proxy does not name clearly is counted with that proxy. Whatever a proxy says, its client is
        // not known to be a program of this machine.
        let may_spare = !self.connection.trusted;
        let verdict = runtime.rates.check(request.rules, client.unwrap_or(self.connection.peer), may_spare);
        self.retry_after = verdict.err();
        self.retry_after.is_some()
    }

    /// For what is held beside the exchange.
    pub(super) fn holding(&self) -> Held {
        self.held.beside()
    }
}

/// Whether a body of this request has no meaning (RFC 9110 sections 9.3.1, 9.3.2, 9.3.5, 9.3.7 and 9.3.8), so that it is
/// not passed on: an upstream that does not expect one may take it for the next request. Some APIs read such a body; MCP,
/// OAuth and their documents do not. Elsewhere it goes up, on a connection that no other client shares.
pub(super) fn has_meaningless_body(request: &Request, body: &Incoming) -> bool {
    let has_no_meaning =
        matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::DELETE);
    has_no_meaning && request.class != Class::Other && !body.is_end_stream()
}
