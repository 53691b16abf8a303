//! One attempt on one connection: how long it may take, and what became of it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;

use super::health::Place;
use super::heed::Watched;
use super::ownership::Sending;
use super::pool::{Carrier, Lease};
use super::{Failure, Upstream, http2};
use crate::body::pieces::Pieces;
use crate::body::{RequestBody, Upload};
use crate::lazy_timer::LazyTimer;
use crate::refuse;

/// How an attempt on one connection failed.
pub(super) enum Failed {
    /// Nothing of the request was written: it comes back.
    Unsent(Box<Request<RequestBody>>),
    /// It was written, and the other side says that nothing was done about it.
    Unprocessed(hyper::Error),
    /// The connection ended before a byte of an answer.
    Closed(hyper::Error),
    /// Somebody waits for less than the upstream may take: that says nothing of its health.
    Impatient,
    Final(Failure),
}

impl Upstream {
    pub(super) async fn exchange(
        self: &Arc<Self>,
        lease: &mut Lease,
        mut request: Request<RequestBody>,
        upload: &Upload,
        patience: &Patience,
        sending: &Sending,
    ) -> Result<Response<Incoming>, Failed> {
        let Lease { carrier, alarm, .. } = lease;
        let answer = match carrier {
            Carrier::Own { sender, heed, next, .. } => {
                http2::unaddress(&mut request);
                request.body_mut().pace(Some(heed.pace()));
                heed.begin(sending.has_body);
                let watcher = sending.has_body.then_some(&*heed);
                let request = request.map(|body| Watched::new(body, watcher));
                let answer = std::pin::pin!(sender.try_send_request(request));
                let answer = patience.wait(answer, alarm, upload).await;
                heed.end();
                if let Some(Ok(answer)) = &answer {
                    self.decide(next, sending, answer, heed.was_sent_first());
                }
                answer.map(|answer| answer.map_err(|error| Failed::unless_unsent(error, |body| body.body, upload)))
            }
            Carrier::Shared(stream) => {
                http2::address(&mut request, &self.target);
                request.body_mut().pace(None);
                let answer = std::pin::pin!(stream.sender.try_send_request(request.map(|body| Pieces::of(body, None))));
                let answer = patience.wait(answer, alarm, upload).await;
                answer.map(|answer| answer.map_err(|error| Failed::unless_unsent(error, Pieces::into_inner, upload)))
            }
        };
        let Some(answer) = answer else {
            let is_full = patience.is_full;
            return Err(if is_full { Failed::Final(refuse::ANSWER_TIMEOUT.into()) } else { Failed::Impatient });
        };
        match answer {
            // Nobody asked to switch protocols: what follows would not be HTTP.
            Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                Err(Failed::Final(Failure::new(refuse::BAD_ANSWER, "101 without an Upgrade")))
            }
            Ok(answer) if !has_one_framing(answer.headers()) => Err(Failed::Final(Failure::new(
                refuse::BAD_ANSWER,
                "an unknown transfer coding, or a length beside one",
            ))),
            answer => answer,
        }
    }
}

/// How long an answer may take to begin.
pub(super) struct Patience {
    first_byte: Duration,
    /// Whether that is as long as any answer may take.
    is_full: bool,
}

impl Patience {
    pub(super) fn of(wanted: Option<Duration>, most: Duration) -> Self {
        match wanted {
            Some(wanted) if wanted < most => Self { first_byte: wanted, is_full: false },
            _ => Self { first_byte: most, is_full: true },
        }
    }

    /// Waits for the head of an answer; `None` when it takes too long.
    async fn wait<F: Future>(
        &self,
        mut answer: Pin<&mut F>,
        alarm: &mut LazyTimer,
        upload: &Upload,
    ) -> Option<F::Output> {
        std::future::poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            // The clock runs from the last byte of the upload that was taken.
            Poll::Pending => alarm.poll(cx, || upload.progress() + self.first_byte).map(|()| None),
        })
        .await
    }
}

impl Failed {
    /// `unwrap` gives the body back of a request that was not sent.
    fn unless_unsent<B>(
        mut error: TrySendError<Request<B>>,
        unwrap: impl FnOnce(B) -> RequestBody,
        upload: &Upload,
    ) -> Self {
        match error.take_message() {
            Some(request) => Self::Unsent(Box::new(request.map(unwrap))),
            None => Self::of(error.into_error(), upload),
        }
    }

    fn of(error: hyper::Error, upload: &Upload) -> Self {
        if let Some(refusal) = upload.refusal() {
            return Self::Final(Failure::new(refusal, error));
        }
        if http2::is_unprocessed(&error) {
            return Self::Unprocessed(error);
        }
        if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() || http2::is_bad_answer(&error) {
            return Self::Final(Failure::new(refuse::BAD_ANSWER, error));
        }
        if http2::is_of_stream(&error) {
            Self::Final(Failure::new(refuse::CUT_OFF, error))
        } else {
            Self::Closed(error)
        }
    }

    /// What the client is told; and what is noted of the address, if it is at fault.
    pub(super) fn into_failure(self, place: &Place) -> Failure {
        let failure = match self {
            Self::Unsent(_) => refuse::CUT_OFF.into(),
            Self::Closed(error) | Self::Unprocessed(error) => Failure::new(refuse::CUT_OFF, error),
            Self::Impatient => return refuse::ANSWER_TIMEOUT.into(),
            Self::Final(failure) => failure,
        };
        if failure.refusal.fault == refuse::Fault::Upstream {
            place.failed(&failure);
        }
        failure
    }
}

/// Whether there is one way only to tell where the body ends (RFC 9112 section 6.3).
fn has_one_framing(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return true };
    coding.as_bytes().eq_ignore_ascii_case(b"chunked")
        && codings.next().is_none()
        && !headers.contains_key(CONTENT_LENGTH)
}
