//! What answers are called, and what is wrong with streams of events (catalogue 4F, F-19 to F-23).

use http::Method;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::Defect;
use crate::demo::mended::messages as mended;
use crate::demo::parts::body::Body;
use crate::demo::parts::change::{Asked, Change, Seam};
use crate::demo::parts::reply::{self, Reply};
use crate::demo::visit::messages as visit;

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "answer-text",
        row: "F-19",
        summary: "an answer is called text/plain",
        ask: visit::ECHO,
        check: mended::said,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            if_answer(asked, reply, |reply| reply::with(reply, CONTENT_TYPE, "text/plain"))
        })],
    },
    Defect {
        name: "answer-untyped",
        row: "F-19",
        summary: "an answer without Content-Type",
        ask: visit::ECHO,
        check: mended::said,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            if_answer(asked, reply, |reply| reply::without(reply, CONTENT_TYPE))
        })],
    },
    Defect {
        name: "answer-json-rpc",
        row: "F-19",
        summary: "an answer is called application/json-rpc",
        ask: visit::ECHO,
        check: mended::said,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            if_answer(asked, reply, |reply| reply::with(reply, CONTENT_TYPE, "application/json-rpc"))
        })],
    },
    Defect {
        name: "json-as-events",
        row: "F-19",
        summary: "an answer in JSON is called text/event-stream",
        ask: visit::ECHO,
        check: mended::said,
        change: &[Change::After(Seam::Opened, |asked, reply| {
            if_answer(asked, reply, |reply| reply::with(reply, CONTENT_TYPE, "text/event-stream"))
        })],
    },
    Defect {
        name: "events-as-json",
        row: "F-19",
        summary: "an event stream is called application/json",
        ask: visit::COUNT,
        check: mended::said,
        change: &[Change::After(Seam::Opened, |_, reply| {
            if reply::is_stream(&reply) { reply::with(reply, CONTENT_TYPE, "application/json") } else { reply }
        })],
    },
    Defect {
        name: "event-without-blank-line",
        row: "F-20",
        summary: "the last event of a stream ends without its blank line",
        ask: visit::COUNT,
        check: mended::said,
        change: &[Change::After(Seam::Opened, |_, reply| {
            reply::retold(reply, |text| text.trim_end().to_owned() + "\n")
        })],
    },
    Defect {
        name: "event-without-newline",
        row: "F-20",
        summary: "the last event of a stream ends without any newline",
        ask: visit::COUNT,
        check: mended::said,
        change: &[Change::After(Seam::Opened, |_, reply| reply::retold(reply, |text| text.trim_end().to_owned()))],
    },
    Defect {
        name: "event-called-response",
        row: "F-21",
        summary: "events are called `response`, not `message`",
        ask: visit::COUNT,
        check: mended::said,
        change: &[Change::After(Seam::Opened, |_, reply| {
            reply::retold(reply, |text| text.replace("event: message", "event: response"))
        })],
    },
    Defect {
        name: "events-bare-cr",
        row: "F-21",
        summary: "the lines of a stream end with CR alone",
        ask: visit::COUNT,
        check: mended::said,
        change: &[Change::After(Seam::Opened, |_, reply| reply::retold(reply, |text| text.replace('\n', "\r")))],
    },
    Defect {
        name: "events-byte-order-mark",
        row: "F-21",
        summary: "a stream begins with a byte order mark",
        ask: visit::COUNT,
        check: mended::said,
        change: &[Change::After(Seam::Opened, |_, reply| reply::retold(reply, |text| format!("\u{feff}{text}")))],
    },
    Defect {
        name: "events-junk",
        row: "F-21",
        summary: "a stream begins with an event that is no JSON",
        ask: visit::COUNT,
        check: mended::said,
        change: &[Change::After(Seam::Opened, |_, reply| {
            reply::retold(reply, |text| format!("data: connected\n\n{text}"))
        })],
    },
    Defect {
        name: "events-done",
        row: "F-21",
        summary: "a stream has an event `[DONE]`, before the answer",
        ask: visit::COUNT,
        check: mended::said,
        change: &[Change::After(Seam::Opened, |_, reply| {
            reply::retold(reply, |text| format!("data: [DONE]\n\n{text}"))
        })],
    },
    Defect {
        name: "events-batch",
        row: "F-21",
        summary: "an event of a stream is a list of messages",
        ask: visit::COUNT,
        check: mended::said,
        change: &[Change::After(Seam::Opened, |_, reply| {
            reply::retold(reply, |text| {
                let all: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
                format!("event: message\ndata: [{}]\n\n", all.join(","))
            })
        })],
    },
    Defect {
        name: "stream-buffered",
        row: "F-22",
        summary: "a stream does not say that nobody may hold it back",
        ask: visit::COUNT,
        check: mended::said_at_once,
        change: &[Change::After(Seam::Opened, |_, reply| {
            if !reply::is_stream(&reply) {
                return reply;
            }
            reply::without(reply::without(reply, reply::BUFFERING), CACHE_CONTROL)
        })],
    },
    Defect {
        name: "stream-silent",
        row: "F-22",
        summary: "the stream that a GET opens is silent, until something cuts it",
        ask: visit::LISTEN,
        check: mended::listening,
        change: &[Change::After(Seam::Opened, |asked, reply| match asked.by(&Method::GET) {
            true => reply::events(Body::default().never_ending()),
            false => reply,
        })],
    },
    Defect {
        name: "stream-stays-open",
        row: "F-23",
        summary: "the stream of an answer stays open behind the answer",
        ask: visit::COUNT,
        check: mended::said_to_the_end,
        change: &[Change::After(Seam::Opened, |_, reply| {
            if reply::is_stream(&reply) { reply.map(Body::never_ending) } else { reply }
        })],
    },
];

/// Changes the answer of a tool.
fn if_answer(asked: &Asked<'_>, reply: Reply, change: impl FnOnce(Reply) -> Reply) -> Reply {
    if asked.calls("tools/call") { change(reply) } else { reply }
}
