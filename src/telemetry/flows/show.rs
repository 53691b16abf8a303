//! Flows as JSON, for the page.

use serde_json::{Map, Value, json};

use super::flow::{Flow, Phase};
use crate::exchange::Site;
use crate::knowledge::Knowledge;
use crate::redact::{Message, Redacted};
use crate::tape::SiteFacts;
use crate::telemetry::stamp;

/// Longer texts are cut.
const LONGEST: usize = 16 * 1024;

/// A site that is served. `endpoint` is what clients are told to use, path and all.
pub(super) fn site(site: &SiteFacts) -> Value {
    let seen = Site { facts: &site.facts, known: &Knowledge::default() };
    json!({
        "name": site.name,
        "public": site.facts.public.as_str(),
        "upstream": site.facts.upstream.as_str(),
        "endpoint": seen.resource(),
    })
}

/// A flow, with or without its exchanges.
pub(super) fn flow(flow: &Flow, with_exchanges: bool) -> Value {
    let phases: Map<String, Value> = Phase::ALL
        .into_iter()
        .zip(flow.phases)
        .map(|(phase, taken)| {
            let taken = taken.map(|is_taken| if is_taken { "ok" } else { "failed" });
            (phase.name().to_owned(), taken.into())
        })
        .collect();
    let mut value = json!({
        "id": flow.id,
        "site": flow.site,
        "client": flow.client.to_string(),
        "agent": flow.agent,
        "hosted": flow.hosted,
        "began": stamp(flow.began),
        "last": stamp(flow.last),
        "phases": phases,
        "sentence": flow.sentence.map(super::flow::Sentence::text),
    });
    if with_exchanges {
        value["exchanges"] = flow.exchanges.iter().map(|(_, shown, _)| shown.clone()).collect();
    }
    value
}

/// An exchange.
pub(super) fn exchange(exchange: &Redacted) -> Value {
    let answers = || exchange.turns.iter().filter_map(|(_, came)| came.as_ref());
    let repairs: Vec<Value> = exchange
        .fired
        .iter()
        .map(|fired| json!({ "id": fired.id, "what": fired.finding.what, "mode": fired.mode.to_string() }))
        .collect();
    json!({
        "number": exchange.number,
        "at": stamp(exchange.began),
        "phase": Phase::of(exchange).map(|(phase, _)| phase.name()),
        "class": exchange.class.name(),
        "method": exchange.asked.method(),
        "path": exchange.asked.path(),
        "status": exchange.answered.status(),
        "upstream_status": answers().next_back().map(Message::status),
        "ms": u64::try_from(exchange.total.as_millis()).unwrap_or(u64::MAX),
        "bytes": exchange.bytes,
        "repairs": repairs,
        "untouched": exchange.untouched.map(crate::counters::SkipReason::name),
        "refused": exchange.refused.map(|(name, _)| name),
        "ending": exchange.ending.map(crate::ending::Ending::name),
        "request": cut(exchange.asked.text()),
        "before": answers().map(|came| cut(came.text())).collect::<Vec<_>>(),
        "after": cut(exchange.answered.text()),
    })
}

fn cut(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}\n({} bytes more)", &text[..end], text.len() - end)
}
