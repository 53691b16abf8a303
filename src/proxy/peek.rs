//! The client's side of an exchange: reading of a request's body what a repair has to see. The rest streams by.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{Exchange, admit, limits};
use crate::body::{self, Read, Upload};
use crate::connection::Phase;
use crate::counters::SkipReason;
use crate::exchange::Request;
use crate::jsonrpc::Envelope;
use crate::machine::reading::{self, OfRequest};
use crate::refuse;
use crate::upstream::Failure;

impl Exchange {
    /// Reads the request's body if a live repair asks for it, under a cap; otherwise it stays a stream.
    pub(super) async fn peek(
        &mut self,
        request: &mut Request,
        mut incoming: Incoming,
    ) -> Result<(body::RequestBody, Upload), Failure> {
        let bounds = self.runtime().bounds;
        let declared = request.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > bounds.request_bytes) {
            return Err(refuse::BODY_TOO_LARGE.into());
        }
        if limits::has_meaningless_body(request, &incoming) {
            Box::pin(self.leave_meaningless(request, incoming)).await?;
            return Ok((body::RequestBody::Empty, Upload::begun(Instant::now())));
        }
        let wanted = reading::of_request(&self.runtime().plan, &self.known, request);
        if wanted == OfRequest::Message {
            return self.peek_message(request, incoming, declared).await;
        }
        let mut prefix = None;
        if let OfRequest::Body(needs) = wanted {
            self.connection.enter(Phase::Body);
            let longest = bounds.body_bytes.min(admit::LONGEST_BODY);
            let read = Box::pin(body::read(&mut incoming, longest, bounds.body_time, &mut self.held)).await;
            self.connection.leave(Phase::Body);
            match read {
                Read::Whole(_) if body::is_cut(&self.connection, &incoming) => return Err(refuse::BAD_BODY.into()),
                Read::Whole(bytes) => {
                    self.take_in(&bytes);
                    reading::show_body(needs, request, bytes.clone());
                    return Ok((body::RequestBody::Whole(bytes), Upload::begun(Instant::now())));
                }
                Read::Partly(bytes) => {
                    if self.held.is_refused {
                        self.note_untouched(SkipReason::Busy);
                    }
                    prefix = Some(bytes);
                }
                Read::Failed(error) => return Err(Failure::of_upload(error)),
            }
        }
        Ok(self.stream_up(prefix, incoming))
    }

    /// A body was read whole.
    fn take_in(&mut self, bytes: &Bytes) {
        self.runtime().counters.bytes_up.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.tape_body(bytes);
    }

    fn stream_up(&self, prefix: Option<Bytes>, incoming: Incoming) -> (body::RequestBody, Upload) {
        let bounds = &self.runtime().bounds;
        let limits = (bounds.request_bytes, bounds.patience.body);
        let counters = self.runtime().counters.clone();
        body::RequestBody::from_client(prefix, incoming, self.connection.clone(), counters, limits, self.started)
    }

    /// Peeks at a message: at all of a short one, which then can be mended and sent again; at the beginning of a long one,
    /// which streams.
    async fn peek_message(
        &mut self,
        request: &mut Request,
        mut incoming: Incoming,
        declared: Option<u64>,
    ) -> Result<(body::RequestBody, Upload), Failure> {
        let bounds = self.runtime().bounds;
        let longest = bounds.body_bytes.min(admit::LONGEST_BODY);
        let is_long = declared.is_some_and(|length| length > longest as u64);
        self.connection.enter(Phase::Body);
        let read = if is_long {
            Box::pin(body::read_start(&mut incoming, bounds.body_time)).await
        } else {
            Box::pin(body::read(&mut incoming, longest, bounds.body_time, &mut self.held)).await
        };
        self.connection.leave(Phase::Body);
        match read {
            Read::Whole(_) if body::is_cut(&self.connection, &incoming) => Err(refuse::BAD_BODY.into()),
            Read::Whole(bytes) => {
                self.take_in(&bytes);
                let is_legacy = || self.runtime().learner.is_legacy();
                reading::show_message(&self.runtime().plan, request, bytes.clone(), is_legacy);
                Ok((body::RequestBody::Whole(bytes), Upload::begun(Instant::now())))
            }
            Read::Partly(bytes) => {
                if !is_long && self.held.is_refused {
                    self.note_untouched(SkipReason::Busy);
                }
                request.message = Some(Envelope::peek_start(&bytes)).filter(Envelope::is_message);
                Ok(self.stream_up(Some(bytes).filter(|bytes| !bytes.is_empty()), incoming))
            }
            Read::Failed(error) => Err(Failure::of_upload(error)),
        }
    }
}
