//! Where a streamed answer comes from: the upstream, as it is or without its content coding.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};

use super::{Peeked, PolledFrame};
use crate::coding::Decoder;

/// So much of a coded body is decoded at a time: what comes out of it is all that is ever held.
const SLICE: usize = 1024;
/// What a slice may decode to: eight thousand times itself, which no text does.
const MOST: usize = 8 * 1024 * 1024;

/// The body of an answer on its way down.
pub enum Source {
    Plain(Peeked),
    Decoded(Box<Decoded>),
}

/// A body whose coding is undone piece by piece, as soon as each comes.
pub struct Decoded {
    incoming: Peeked,
    /// Gone once the coding has ended.
    decoder: Option<Decoder>,
    /// What was read and is still to be decoded.
    coded: Bytes,
}

impl Source {
    /// The body behind what was read of it already, without its coding.
    #[must_use]
    pub fn decoded(coded: Bytes, incoming: Peeked, decoder: Decoder) -> Self {
        Self::Decoded(Box::new(Decoded { incoming, decoder: Some(decoder), coded }))
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> PolledFrame {
        match self {
            Self::Plain(incoming) => Pin::new(incoming).poll_frame(cx).map_err(Into::into),
            Self::Decoded(decoded) => decoded.poll_frame(cx),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Plain(incoming) => incoming.is_end_stream(),
            Self::Decoded(decoded) => decoded.decoder.is_none(),
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Plain(incoming) => incoming.size_hint(),
            Self::Decoded(_) => SizeHint::new(),
        }
    }
}

impl Decoded {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> PolledFrame {
        let Some(decoder) = &mut self.decoder else { return Poll::Ready(None) };
        loop {
            if self.coded.is_empty() {
                match std::task::ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                    Some(Ok(frame)) => self.coded = frame.into_data().unwrap_or_default(),
                    Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                    None => {
                        let rest = decoder.finish(MOST);
                        self.decoder = None;
                        return Poll::Ready(match rest {
                            Ok(rest) if rest.is_empty() => None,
                            Ok(rest) => Some(Ok(Frame::data(rest))),
                            Err(error) => Some(Err(error.into())),
                        });
                    }
                }
            }
            let slice = self.coded.split_to(self.coded.len().min(SLICE));
            match decoder.push(&slice, MOST) {
                Ok(plain) if plain.is_empty() => {}
                Ok(plain) => return Poll::Ready(Some(Ok(Frame::data(plain)))),
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }
}
