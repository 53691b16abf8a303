//! What the login needs of the walk: it asks in an order of its own.

use std::sync::Arc;

use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::Walk;
use crate::check::Wish;
use crate::check::stand::{Answer, Probe, Seen};
use crate::example;
use crate::exchange::{Reply, Site};
use crate::knowledge::Knowledge;
use crate::tape::RecordedExchange;

/// How the browser came back.
#[derive(Clone, Debug)]
pub struct Returned {
    pub query: String,
    /// Whether it sent the form of the consent page along: the redirect kept the method.
    pub by_post: bool,
}

impl Walk<'_> {
    pub(in crate::check) async fn put(&mut self, probe: Probe) -> Option<Answer> {
        self.ask(probe).await
    }

    pub(in crate::check) fn wish(&self) -> &Wish {
        self.wish
    }

    /// The site as a client of the mended server sees it.
    pub(in crate::check) fn site(&self) -> Site<'_> {
        Site { facts: &self.stand.runtime().facts, known: &self.walked.known }
    }

    /// Whether a document was looked for there already, in vain: the server does not answer.
    pub(in crate::check) fn hangs_at(&self, path: &str) -> bool {
        let is_silent = |taped: &RecordedExchange| {
            taped.asked.target.path() == path
                && !taped.turns.is_empty()
                && taped.turns.iter().all(|turn| turn.came.is_none())
        };
        self.walked.seen.iter().filter_map(|seen| seen.taped.as_ref()).any(is_silent)
    }

    /// The challenge that a stranger gets, as the client of the mended server sees it.
    pub(in crate::check) fn first_refusal(&self) -> Option<HeaderMap> {
        self.walked.seen.iter().find_map(|seen| challenge_of(seen.answer.as_ref().ok()?))
    }

    /// What the server was asked last, in the form that it took.
    pub(in crate::check) fn last_target(&self) -> Option<String> {
        self.last.clone()
    }

    /// What the redirect that brought the browser back must have been, shown to the repairs: it went past this process.
    /// Answers the response as a client of the mended server gets it.
    pub(in crate::check) fn came_back(&mut self, target: &str, redirect_uri: &str, returned: &Returned) -> String {
        let (method, status) = match returned.by_post {
            true => ("POST", StatusCode::TEMPORARY_REDIRECT),
            false => ("GET", StatusCode::FOUND),
        };
        let site = self.site();
        let location = HeaderValue::from_str(&format!("{redirect_uri}?{}", returned.query));
        let request = example::request(&format!("{method} {target}"), site.facts, site.known);
        let (Ok(location), Ok(request)) = (location, request) else { return returned.query.clone() };
        let mut reply = Reply::new(status, HeaderMap::from_iter([(LOCATION, location)]));
        let before = reply.clone();
        let (report, _) = self.stand.runtime().plan.mend_reply(&site, &request, &mut reply, false);
        let query = reply.headers.get(LOCATION).and_then(|to| Some(to.to_str().ok()?.split_once('?')?.1.to_owned()));
        let taped = RecordedExchange::past(&request, &before, &reply, report.fired, self.walked.known.clone());
        let probe = "the way back from the browser";
        self.walked.seen.push(Seen {
            probe,
            is_beside: false,
            taped: Some(taped),
            answer: Err("it went to the browser".into()),
        });
        query.unwrap_or_else(|| returned.query.clone())
    }

    /// Somebody was waited for.
    pub(in crate::check) fn waited(&self, time: std::time::Duration) {
        self.stand.waited(time);
    }

    pub(in crate::check) fn known(&self) -> &Arc<Knowledge> {
        &self.walked.known
    }
}

/// The challenge of a refusal, if there is one.
fn challenge_of(answer: &Answer) -> Option<HeaderMap> {
    let has_challenge =
        answer.status == StatusCode::UNAUTHORIZED && answer.headers.contains_key(http::header::WWW_AUTHENTICATE);
    has_challenge.then(|| answer.headers.clone())
}
