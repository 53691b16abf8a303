//! Reading a body: whole under a cap, its beginning, or to be rid of it.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use tokio::time::Instant;

use crate::overload::Held;

/// A body as hyper reads it, perhaps with its beginning put back.
pub trait HyperBody: Body<Data = Bytes, Error = hyper::Error> + Unpin {}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> HyperBody for B {}

/// How much of a body was read.
pub enum Read {
    Whole(Bytes),
    /// It was too long, or too slow: what was read is to be handed back first.
    Partly(Bytes),
    /// The connection ended, or what came is no body: it is not the message.
    Failed(hyper::Error),
}

/// Reads a body up to a limit and for a time; gives everything back if it stops.
pub async fn read<B: HyperBody>(incoming: &mut B, limit: usize, time: Duration, held: &mut Held) -> Read {
    read_while(incoming, limit, time, held, |_| true).await
}

/// Reads what is left of a body that nobody wants, so that the connection can go on. `false` if it does not end within
/// `most` bytes and so much time.
///
/// # Errors
/// When it does not follow its own framing, or its sender has gone.
pub async fn drain<B>(body: &mut B, most: usize, time: Duration) -> Result<bool, B::Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > most as u64 {
        return Ok(false);
    }
    let all = async {
        let mut taken = 0;
        while !body.is_end_stream() {
            match std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
                None => return Ok(true),
                Some(Err(error)) => return Err(error),
                Some(Ok(frame)) => taken += frame.data_ref().map_or(0, Bytes::len),
            }
            if taken > most {
                return Ok(false);
            }
        }
        Ok(true)
    };
    tokio::time::timeout(time, all).await.unwrap_or(Ok(false))
}

/// Reads the first piece of a body, to be handed back.
pub async fn read_start<B: HyperBody>(incoming: &mut B, time: Duration) -> Read {
    match tokio::time::timeout(time, next_piece(incoming)).await {
        Err(_) | Ok(None) => Read::Partly(Bytes::new()),
        Ok(Some(Err(error))) => Read::Failed(error),
        Ok(Some(Ok(piece))) => Read::Partly(piece),
    }
}

/// Waits for the next piece of a body; `None` at its end. Trailers are an empty piece.
pub async fn next_piece<B: HyperBody>(incoming: &mut B) -> Option<Result<Bytes, hyper::Error>> {
    let frame = std::future::poll_fn(|cx| Pin::new(&mut *incoming).poll_frame(cx)).await?;
    Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

/// As [`read`], and stops as soon as what has come is not what was looked for.
pub async fn read_while<B: HyperBody>(
    incoming: &mut B,
    limit: usize,
    time: Duration,
    held: &mut Held,
    is_right: impl Fn(&[u8]) -> bool,
) -> Read {
    let before = held.begin();
    match read_on(incoming, limit, time, held, is_right).await {
        Read::Partly(bytes) => Read::Partly(held.part(bytes, before)),
        Read::Failed(error) => {
            held.set(before);
            Read::Failed(error)
        }
        whole @ Read::Whole(_) => whole,
    }
}

async fn read_on<B: HyperBody>(
    incoming: &mut B,
    limit: usize,
    time: Duration,
    held: &mut Held,
    is_right: impl Fn(&[u8]) -> bool,
) -> Read {
    if incoming.size_hint().lower() > limit as u64 {
        return Read::Partly(Bytes::new());
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let deadline = Instant::now() + time;
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *incoming).poll_frame(cx));
        let data = match tokio::time::timeout_at(deadline, frame).await {
            Err(_) => return Read::Partly(joined(first, all)),
            Ok(None) => return Read::Whole(joined(first, all)),
            Ok(Some(Err(error))) => return Read::Failed(error),
            // Trailers of a body that was read whole describe it no more than its length does.
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        };
        let has_room = held.grow(data.len());
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&data);
        }
        let length = first.len().max(all.len());
        let so_far: &[u8] = if all.is_empty() { &first } else { &all };
        if !has_room || length > limit || !is_right(so_far) {
            return Read::Partly(joined(first, all));
        }
        if incoming.is_end_stream() {
            return Read::Whole(joined(first, all));
        }
    }
}

fn joined(first: Bytes, all: BytesMut) -> Bytes {
    if all.is_empty() { first } else { all.freeze() }
}
