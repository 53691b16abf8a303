//! Putting a question, and judging whether a repair of requests was needed for it.

use http::header::{AUTHORIZATION, ORIGIN};
use http::{Method, StatusCode};
use tokio_util::task::AbortOnDropHandle;

use super::{Judged, Walk};
use crate::check::probes;
use crate::check::stand::{Answer, Probe, Seen};
use crate::endpoint::{SESSION, VERSION};
use crate::repair::Mode;
use crate::sse;
use crate::tape::RecordedExchange;

impl Walk<'_> {
    /// Asks once, and if a repair of requests would have mended the question, whether it had to. Answers what a client of
    /// the mended server gets.
    pub(in crate::check) async fn ask(&mut self, probe: Probe) -> Option<Answer> {
        let seen = self.stand.ask(probe.clone()).await;
        self.take_in(probe, seen).await
    }

    /// Asks all at once what does not depend on each other: one that hangs does not hold up the others.
    pub(in crate::check) async fn ask_all(&mut self, probes: Vec<Probe>) {
        let asking: Vec<_> = probes
            .into_iter()
            .map(|probe| {
                let (stand, asked) = (self.stand.clone(), probe.clone());
                (probe, AbortOnDropHandle::new(tokio::spawn(async move { stand.ask(asked).await })))
            })
            .collect();
        for (probe, seen) in asking {
            if let Ok(seen) = seen.await {
                self.take_in(probe, seen).await;
            }
        }
    }

    pub(in crate::check) async fn take_in(&mut self, probe: Probe, seen: Seen) -> Option<Answer> {
        let observed: Vec<_> = seen
            .taped
            .iter()
            .flat_map(|taped| &taped.fired)
            .filter(|fired| fired.mode == Mode::Observe)
            .map(|fired| (fired.id, fired.finding.clone()))
            .collect();
        let ids: Vec<&str> = observed.iter().map(|(id, _)| *id).collect();
        for (id, finding) in observed {
            if let Some(mended) = self.judge(id, &probe, &seen).await {
                // What a repair would have prevented shows nothing more, and its session is nobody's.
                if let Ok(plain) = &seen.answer {
                    self.end_of(&probe, plain);
                }
                let answer = mended.answer.clone().ok();
                self.last = last_target(&mended);
                self.walked.judged.push(Judged { id, finding, refused: seen, taken: mended });
                return answer;
            }
        }
        let answer = seen.answer.clone().ok();
        self.last = last_target(&seen);
        let is_known = |id: &str| self.walked.judged.iter().any(|judged| judged.id == id);
        let was_taken =
            seen.taped.as_ref().and_then(status_where_it_is_taken).is_some_and(|status| status.is_success());
        if was_taken || !ids.iter().any(|id| is_known(id)) {
            self.walked.seen.push(seen);
        }
        answer
    }

    /// A repair of requests is needed if the server refuses the plain request and takes the mended one, or lets in what
    /// the repair refuses. Answers the mended exchange, if so.
    pub(in crate::check) async fn judge(&self, id: &'static str, probe: &Probe, plain: &Seen) -> Option<Seen> {
        let taped = plain.taped.as_ref()?;
        // Who gives no answer at all does not refuse either.
        let is_in = plain.answer.as_ref().map_or(true, |answer| answer.status.is_success() && !is_error(answer));
        let was_taken = status_where_it_is_taken(taped).is_some_and(|status| status.is_success());
        // What was taken once is not sent again, but for messages that change nothing.
        let is_repeatable = taped.class.has_messages() && !probe.is_once;
        if (was_taken && !is_repeatable) || self.walked.judged.iter().any(|judged| judged.id == id) {
            return None;
        }
        let mended = self.stand.ask_with(id, probe.clone()).await?;
        let second = mended.taped.as_ref()?;
        let status = mended.answer.as_ref().ok()?.status;
        let is_needed = if second.turns.is_empty() {
            is_in && !status.is_success()
        } else {
            !was_taken && status_where_it_is_taken(second).is_some_and(|status| status.is_success())
        };
        if !is_needed {
            self.end_of(probe, mended.answer.as_ref().ok()?);
        }
        is_needed.then_some(mended)
    }

    /// Asks, and ends the session that this may begin.
    pub(in crate::check) async fn ask_and_end(&mut self, probe: Probe) {
        if let Some(answer) = self.ask(probe.clone()).await {
            self.end_of(&probe, &answer);
        }
    }

    /// Begins to end the session that the answer to a question has begun, if it has.
    pub(in crate::check) fn end_of(&self, probe: &Probe, answer: &Answer) {
        let is_in_session = probe.headers.contains_key(SESSION);
        let Some(session) = answer.headers.get(SESSION).filter(|_| !is_in_session) else { return };
        let mut end = Probe::new("the end of a session", Method::DELETE, probe.target.clone());
        for name in [AUTHORIZATION, ORIGIN] {
            if let Some(value) = probe.headers.get(&name) {
                end.headers.insert(name, value.clone());
            }
        }
        end.headers.insert(SESSION, session.clone());
        // Nothing waits for it but the end of the walk.
        let (stand, end) = (self.stand.clone(), end.header(VERSION, probes::SPOKEN));
        self.ends.spawn(async move { drop(stand.ask(end).await) });
    }
}

/// The target of the last ask of an exchange.
fn last_target(seen: &Seen) -> Option<String> {
    seen.taped.as_ref()?.turns.last().map(|turn| turn.asked.target.to_string())
}

/// What the server itself said first where it takes messages: a redirect on the way there is another matter.
fn status_where_it_is_taken(taped: &RecordedExchange) -> Option<StatusCode> {
    let statuses = || taped.turns.iter().filter_map(|turn| turn.came.as_ref()).map(|came| came.status);
    let is_on_the_way = |status: &StatusCode| status.is_redirection() && taped.class.has_messages();
    statuses().find(|status| !is_on_the_way(status)).or_else(|| statuses().next())
}

/// The message of an answer, be it the body or the data of an event.
pub(in crate::check) fn message_of(answer: &Answer) -> Option<serde_json::Value> {
    serde_json::from_slice(&answer.body).ok().or_else(|| {
        sse::events(&answer.body)
            .filter_map(|event| sse::data(&event))
            .find_map(|data| serde_json::from_slice::<serde_json::Value>(&data).ok().filter(|data| data.is_object()))
    })
}

/// Whether an answer carries a JSON-RPC error.
fn is_error(answer: &Answer) -> bool {
    message_of(answer).is_some_and(|message| message.get("error").is_some_and(|error| !error.is_null()))
}

pub(in crate::check) fn has_result(answer: &Answer) -> bool {
    message_of(answer).is_some_and(|message| message.get("result").is_some())
}
