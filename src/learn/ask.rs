//! The questions by which the proxy learns. Each is put within its time, follows the upstream's own redirects, and
//! changes nothing there.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, LOCATION, USER_AGENT};
use http::{Method, StatusCode, Uri};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::body::{RequestBody, Upload};
use crate::coding;
use crate::edit::json::Object;
use crate::edit::origin::after_origin;
use crate::endpoint;
use crate::exchange::{Facts, Reply, Site};
use crate::headers::{self, Forwarding};
use crate::knowledge::Knowledge;
use crate::runtime::Runtime;
use crate::upstream::{Incomplete, Ownership, Proof, Question, Route, Upstream, gather};

/// A document longer than this is no metadata.
const DOCUMENT_BYTES: usize = 256 * 1024;
/// So many questions at once tell whether it is one of them that is slow, or everything.
const MANY: usize = 4;
/// How many redirects are followed.
const MOST_REDIRECTS: usize = 2;

/// A question of the proxy's own.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether silence is an answer, as to somebody who opens a stream.
    pub(super) may_wait: bool,
}

/// What came: the head, and the body where it may be a document.
pub(super) struct Fetched {
    pub(super) reply: Reply,
    pub(super) body: Bytes,
    /// Whether the connection ended before the body did.
    pub(super) is_cut: bool,
    /// The target that answered, after redirects.
    pub(super) target: String,
}

impl Ask {
    pub(super) fn get(headers: &HeaderMap, target: impl Into<String>) -> Self {
        let (method, target, headers) = (Method::GET, target.into(), headers.clone());
        Self { method, target, headers, body: Bytes::new(), may_wait: false }
    }

    pub(super) fn post(headers: &HeaderMap, target: impl Into<String>, kind: &'static str, body: &'static str) -> Self {
        let mut headers = headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        crate::headers::reframe(&mut headers, body.len());
        let body = Bytes::from_static(body.as_bytes());
        Self { method: Method::POST, target: target.into(), headers, body, may_wait: false }
    }

    pub(super) fn accepting(mut self, kinds: &'static str) -> Self {
        self.headers.insert(ACCEPT, HeaderValue::from_static(kinds));
        self
    }

    /// The same with another method.
    pub(super) fn by(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// The same at another target.
    pub(super) fn at(self, target: impl Into<String>) -> Self {
        Self { target: target.into(), ..self }
    }

    /// The same, where silence is an answer.
    pub(super) fn that_may_wait(self) -> Self {
        Self { may_wait: true, ..self }
    }

    /// Asks, within the time; `None` if no answer came.
    pub(super) async fn send(self, upstream: Arc<Upstream>, facts: Arc<Facts>, limit: Duration) -> Option<Fetched> {
        tokio::time::timeout(limit, self.follow(&upstream, &facts)).await.ok().flatten()
    }

    async fn follow(mut self, upstream: &Arc<Upstream>, facts: &Facts) -> Option<Fetched> {
        for _ in 0..MOST_REDIRECTS {
            let fetched = self.clone().once(upstream).await?;
            match own_target(&fetched.reply, facts) {
                Some(target) if self.method == Method::GET && target != self.target => self.target = target,
                _ => return Some(fetched),
            }
        }
        self.once(upstream).await
    }

    /// Asks once, and follows no redirect.
    pub(super) async fn once(self, upstream: &Arc<Upstream>) -> Option<Fetched> {
        let body = if self.body.is_empty() { RequestBody::Empty } else { RequestBody::Whole(self.body) };
        let question = Question {
            method: self.method,
            target: self.target.parse::<Uri>().ok()?,
            headers: self.headers,
            body,
            upload: Upload::begun(Instant::now()),
            first_byte: None,
            route: Route::Home,
            proof: Proof::Nothing,
            owner: Ownership::Nobody,
        };
        let (answer, lease) = upstream.ask(question).await.ok()?;
        let (parts, incoming) = answer.into_parts();
        let reply = Reply::new(parts.status, parts.headers);
        if reply.is_of("text/event-stream") {
            // The connection goes with the body: an event stream would never end.
            return Some(Fetched { reply, body: Bytes::new(), is_cut: false, target: self.target });
        }
        let body = gather(incoming, DOCUMENT_BYTES).await;
        let is_cut = body == Err(Incomplete::Cut);
        let body = body.unwrap_or_default();
        lease.give_back(Instant::now());
        let body = match reply.coding {
            Some(coding) => coding::decode(coding, &body, DOCUMENT_BYTES).unwrap_or_default(),
            None => body,
        };
        Some(Fetched { reply, body, is_cut, target: self.target })
    }
}

impl Fetched {
    /// The JSON object, whatever it was served as.
    pub(super) fn document(&self) -> Option<Object> {
        (self.reply.status == StatusCode::OK).then(|| self.object()).flatten()
    }

    /// Whether another answer may come to the same question soon.
    pub(super) fn may_pass(&self) -> bool {
        self.is_cut || matches!(self.reply.status.as_u16(), 429 | 502..=504)
    }

    /// The JSON object of an answer of any status.
    pub(super) fn object(&self) -> Option<Object> {
        Object::parse(self.body.clone()).ok()
    }

    /// Whether the answer speaks of one of these words: in its body, or in the redirect that it is.
    pub(super) fn mentions(&self, words: &[&str]) -> bool {
        let location = self.reply.headers.get(LOCATION).map(HeaderValue::as_bytes).unwrap_or_default();
        [&self.body[..], location].iter().any(|text| {
            let text = String::from_utf8_lossy(text).to_ascii_lowercase();
            words.iter().any(|word| text.contains(word))
        })
    }
}

/// How long questions may take.
pub(super) struct Patience {
    /// One question, where those before it were answered quickly.
    question: Duration,
    /// When all have to be answered.
    until: Instant,
    /// How long the slowest answer took.
    slowest: Duration,
}

impl Patience {
    pub(super) fn new(question: Duration, until: Instant) -> Self {
        Self { question, until, slowest: Duration::ZERO }
    }

    /// The same for another server, which may be faster or slower.
    pub(super) fn afresh(&self) -> Self {
        Self::new(self.question, self.until)
    }

    /// Until when an answer is waited for: twice as long as the slowest one took. A server that takes just as long as one
    /// question may would lose some of many answers, and seem to lack what they say.
    fn deadline(&self, asked: Instant) -> Instant {
        (asked + self.question.max(self.slowest * 2)).min(self.until)
    }
}

/// Asks all at once. One answer for each, in their order. One that is later than the others has none; but where most of many
/// are late, it is the upstream or this machine that is slow, and they have all the time there is.
pub(super) async fn ask_all(
    upstream: &Arc<Upstream>,
    facts: &Arc<Facts>,
    patience: &mut Patience,
    asks: Vec<Ask>,
) -> Vec<Option<Fetched>> {
    let asked = Instant::now();
    let left = patience.until.saturating_duration_since(asked);
    let mut asking = JoinSet::new();
    let count = asks.len();
    for (at, ask) in asks.into_iter().enumerate() {
        let (upstream, facts) = (upstream.clone(), facts.clone());
        asking.spawn(async move { (at, ask.send(upstream, facts, left).await) });
    }
    let mut answers = Vec::new();
    answers.resize_with(count, || None);
    gather_all(patience, asked, &mut asking, &mut answers).await;
    answers
}

/// Takes the answers in as they come, for as long as they are waited for.
async fn gather_all<T: 'static>(
    patience: &mut Patience,
    asked: Instant,
    asking: &mut JoinSet<(usize, Option<T>)>,
    answers: &mut [Option<T>],
) {
    loop {
        let come = answers.iter().flatten().count();
        let is_slow = answers.len() >= MANY && come * 2 < answers.len();
        let until = if is_slow { patience.until } else { patience.deadline(asked) };
        match tokio::time::timeout_at(until, asking.join_next()).await {
            Ok(Some(Ok((at, answer)))) => {
                if answer.is_some() {
                    patience.slowest = patience.slowest.max(asked.elapsed());
                }
                answers[at] = answer;
            }
            Ok(Some(Err(_))) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

/// Where a redirect leads, if that is on the upstream itself.
pub(super) fn own_target(reply: &Reply, facts: &Facts) -> Option<String> {
    if !reply.status.is_redirection() {
        return None;
    }
    let to = reply.headers.get(LOCATION)?.to_str().ok()?;
    let known = Knowledge::default();
    let site = Site { facts, known: &known };
    let target =
        if to.starts_with('/') && !to.starts_with("//") { to } else { after_origin(to).filter(|_| site.owns(to))? };
    let path = target.split(['?', '#']).next().unwrap_or(target);
    endpoint::is_plain(path).then(|| path.to_owned())
}

/// The head of a request by which the proxy learns: it comes from the proxy itself.
pub(super) fn head(runtime: &Runtime, authority: &HeaderValue) -> HeaderMap {
    let public =
        HeaderValue::from_str(runtime.facts.public.authority()).unwrap_or(HeaderValue::from_static("localhost"));
    let peer = HeaderValue::from_static("127.0.0.1");
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut headers = HeaderMap::new();
    headers.insert(HOST, authority.clone());
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("mcp-mend/", env!("CARGO_PKG_VERSION"))));
    if runtime.as_client {
        return headers;
    }
    let forwarded = headers::forwarded(local, &public, runtime.proto());
    let forwarding = Forwarding {
        peer: &peer,
        host: &public,
        forwarded: &forwarded,
        proto: runtime.proto(),
        trusted: false,
        is_told: false,
    };
    headers::set_forwarding(&mut headers, &forwarding);
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the questions have an answer, if each takes so many milliseconds; 0: for ever.
    async fn answered(patience: &mut Patience, times: &[u64]) -> Vec<bool> {
        let mut asking = JoinSet::new();
        for (at, time) in times.iter().copied().enumerate() {
            asking.spawn(async move {
                match time {
                    0 => std::future::pending().await,
                    time => tokio::time::sleep(Duration::from_millis(time)).await,
                }
                (at, Some(()))
            });
        }
        let mut answers = vec![None; times.len()];
        gather_all(patience, Instant::now(), &mut asking, &mut answers).await;
        answers.iter().map(Option::is_some).collect()
    }

    fn patience() -> Patience {
        Patience::new(Duration::from_secs(4), Instant::now() + Duration::from_secs(9))
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_without_an_answer_does_not_delay_the_others() {
        let begun = Instant::now();
        assert_eq!(answered(&mut patience(), &[10, 0, 20, 0, 30]).await, [true, false, true, false, true]);
        assert_eq!(begun.elapsed().as_secs(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_upstream_loses_no_answer() {
        // More than half have come by the time that one question may take.
        assert_eq!(answered(&mut patience(), &[3_600, 3_900, 4_100, 3_800, 5_000]).await, [true; 5]);
        assert_eq!(answered(&mut patience(), &[8_000, 8_100, 8_200, 8_300]).await, [true; 4]);
        let mut patience = patience();
        assert_eq!(answered(&mut patience, &[3_000, 3_100]).await, [true; 2]);
        assert_eq!(answered(&mut patience, &[5_000]).await, [true], "it is known to be slow");
        assert_eq!(answered(&mut patience, &[2_000]).await, [false], "all time is over");
    }
}
