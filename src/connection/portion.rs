//! Reading in small portions.
//!
//! hyper doubles its read buffer each time a read fills it, and what was read of a body keeps the buffer in memory until
//! the other side has taken it. Portions just below 16 KiB keep every buffer at 16 KiB.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// Bytes of one read at most. One less than a buffer size of hyper, which would grow if it were filled.
pub const MOST: usize = 16 * 1024 - 1;

/// Reads at most [`MOST`] bytes, or as much as the buffer takes if there is room for that.
pub fn poll_read<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
    has_room: bool,
) -> Poll<io::Result<()>> {
    if has_room || buf.remaining() <= MOST {
        return Pin::new(stream).poll_read(cx, buf);
    }
    poll_some(stream, cx, buf, MOST).map_ok(|_| ())
}

/// Reads so many bytes at most; answers how many.
pub fn poll_some<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
    most: usize,
) -> Poll<io::Result<usize>> {
    let most = most.min(buf.remaining());
    let mut portion = ReadBuf::new(buf.initialize_unfilled_to(most));
    ready!(Pin::new(stream).poll_read(cx, &mut portion))?;
    let read = portion.filled().len();
    buf.advance(read);
    Poll::Ready(Ok(read))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_large_buffer_is_filled_in_portions() {
        let (mut ours, mut theirs) = duplex(1 << 16);
        let sent: Vec<u8> = (0..40_000u32).map(|number| number.to_le_bytes()[0]).collect();
        theirs.write_all(&sent).await.unwrap();
        drop(theirs);
        let (mut space, mut lengths) = (vec![0; 1 << 16], Vec::new());
        let mut buf = ReadBuf::new(&mut space);
        loop {
            let before = buf.filled().len();
            std::future::poll_fn(|cx| poll_read(&mut ours, cx, &mut buf, false)).await.unwrap();
            let read = buf.filled().len() - before;
            if read == 0 {
                break;
            }
            lengths.push(read);
        }
        assert_eq!(lengths, [MOST, MOST, 40_000 - 2 * MOST]);
        assert_eq!(buf.filled(), sent);
    }
}
