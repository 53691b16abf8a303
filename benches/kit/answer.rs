//! Reads answers without I/O of its own: bytes go in, and it says when an answer is complete.

/// One answer at a time, framed by Content-Length or chunked. Body bytes are counted, not kept.
#[derive(Default)]
pub struct Reader {
    /// The head, and what came in the same pieces behind it.
    pub head: Vec<u8>,
    body: Body,
    /// Body bytes so far, framing of chunks included.
    pub body_bytes: usize,
    /// The last bytes of a chunked body, to see its end.
    tail: [u8; 7],
}

#[derive(Clone, Copy, Default)]
enum Body {
    #[default]
    NotBegun,
    Sized(usize),
    Chunked,
}

/// The end of a chunked body, the line end before it included.
const END: &[u8; 7] = b"\r\n0\r\n\r\n";

impl Reader {
    /// Makes ready for the next answer.
    pub fn reset(&mut self) {
        self.head.clear();
        self.body = Body::NotBegun;
        self.body_bytes = 0;
        self.tail = *b"\0\0\0\0\0\r\n";
    }

    /// Takes bytes in; answers whether the answer is complete. Nobody pipelines: what is read is of one answer.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        match self.body {
            Body::NotBegun => {
                self.head.extend_from_slice(bytes);
                let Some(end) = find(&self.head, b"\r\n\r\n").map(|at| at + 4) else { return false };
                self.body = framing(&self.head[..end]);
                let head = std::mem::take(&mut self.head);
                let complete = self.took(&head[end..]);
                self.head = head;
                complete
            }
            _ => self.took(bytes),
        }
    }

    /// Whether a part of the body is here.
    pub fn has_body(&self) -> bool {
        self.body_bytes > 0
    }

    /// The status code; 0 when there is none.
    pub fn status(&self) -> u16 {
        let digits = self.head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
        digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }

    /// Head and the beginning of the body, to look into.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.head).into_owned()
    }

    fn took(&mut self, bytes: &[u8]) -> bool {
        self.body_bytes += bytes.len();
        match self.body {
            Body::Sized(length) => self.body_bytes >= length,
            _ => {
                let kept = bytes.len().min(END.len());
                self.tail.rotate_left(kept);
                let (_, new) = self.tail.split_at_mut(END.len() - kept);
                new.copy_from_slice(&bytes[bytes.len() - kept..]);
                self.tail == *END
            }
        }
    }
}

fn framing(head: &[u8]) -> Body {
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        if line[..colon].eq_ignore_ascii_case(b"content-length") {
            let digits = line[colon + 1..].iter().filter(|byte| byte.is_ascii_digit());
            return Body::Sized(digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0')));
        }
        if line[..colon].eq_ignore_ascii_case(b"transfer-encoding") {
            return Body::Chunked;
        }
    }
    Body::Sized(0)
}

pub fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
