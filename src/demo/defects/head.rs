//! What is wrong with the head of an answer, whatever it answers (catalogue 4H).

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_ENCODING,
};

use super::Defect;
use crate::demo::parts::change::{Asked, Change, Seam};
use crate::demo::parts::reply::{self, Reply};
use crate::demo::{mended, visit};

pub(super) static DEFECTS: &[Defect] = &[
    Defect {
        name: "challenge-not-exposed",
        row: "H-03",
        summary: "a page may read the answer, but not the challenge in its head",
        ask: visit::PAGE,
        check: mended::readable_by_the_page,
        change: &[Change::After(Seam::Anything, |_, reply| reply::without(reply, ACCESS_CONTROL_EXPOSE_HEADERS))],
    },
    Defect {
        name: "origin-twice",
        row: "H-04",
        summary: "two Access-Control-Allow-Origin, one of an application and one of a gateway",
        ask: visit::PAGE,
        check: mended::readable_by_the_page,
        change: &[Change::After(Seam::Anything, |_, mut reply| {
            reply.headers_mut().append(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            reply
        })],
    },
    Defect {
        name: "preflight-wildcard",
        row: "H-05",
        summary: "Access-Control-Allow-Headers: *, which does not stand for Authorization",
        ask: visit::PREFLIGHT,
        check: mended::preflight_granted,
        change: &[Change::After(Seam::Preflight, |_, reply| reply::with(reply, ACCESS_CONTROL_ALLOW_HEADERS, "*"))],
    },
    Defect {
        name: "preflight-methods",
        row: "H-10",
        summary: "Access-Control-Allow-Methods without DELETE",
        ask: visit::PREFLIGHT_OF_THE_END,
        check: mended::preflight_granted,
        change: &[Change::After(Seam::Preflight, |_, reply| {
            reply::with(reply, ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS")
        })],
    },
    Defect {
        name: "gzip-unasked",
        row: "H-08",
        summary: "a gzip body for a client that did not ask for one",
        ask: visit::SERVER_METADATA,
        check: mended::not_encoded,
        change: &[Change::After(Seam::Anything, packed)],
    },
];

fn packed(_: &Asked<'_>, reply: Reply) -> Reply {
    let plain = reply::bytes(&reply);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    // Nothing is written that is not in memory: it cannot fail.
    match gzip.write_all(&plain).and_then(|()| gzip.finish()) {
        Ok(packed) if !plain.is_empty() => reply::with(reply::body(reply, packed), CONTENT_ENCODING, "gzip"),
        _ => reply,
    }
}
