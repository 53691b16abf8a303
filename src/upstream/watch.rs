//! Asking the addresses of the upstream how they do (`upstream.health_path`).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::{HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, StatusCode};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::health::Place;
use super::target::{Health, Target};
use super::{Ownership, Proof, Question, Route, Upstream};
use crate::body::{RequestBody, Upload};
use crate::refuse;

/// A health path that does not answer within this time is not well.
const LOOK_PATIENCE: Duration = Duration::from_secs(5);

impl Upstream {
    /// Has the health paths asked, by one worker for all, as long as this is in use.
    pub(super) fn watch(self: &Arc<Self>) {
        if self.target.health.is_none() || self.target.watched.swap(true, Ordering::Relaxed) {
            return;
        }
        let (upstream, watching) = (Arc::downgrade(self), Watching(self.target.clone()));
        tokio::spawn(async move {
            let Some(health) = &watching.0.health else { return };
            let mut look = interval(health.every);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                look.tick().await;
                let Some(upstream) = upstream.upgrade() else { return };
                upstream.look(health).await;
            }
        });
    }

    /// Asks every address how it does, all at once.
    async fn look(self: &Arc<Self>, health: &Health) {
        let mut looks = tokio::task::JoinSet::new();
        for place in self.target.places.now().await.iter() {
            let (upstream, place, path) = (self.clone(), place.clone(), health.path.clone());
            let limit = health.every.min(LOOK_PATIENCE);
            looks.spawn(async move {
                if let Some((is_well, reason)) = upstream.is_well(&place, &path, limit).await {
                    place.looked_at(is_well, &reason);
                }
            });
        }
        looks.join_all().await;
    }

    /// Answers in a row did not come from an address that can be reached: asks it, once at a time, with nothing of what it
    /// left unanswered. Any answer at all will do, unless a health path was named.
    pub(super) fn look_into(self: &Arc<Self>, place: &Arc<Place>) {
        if !place.is_to_be_asked() {
            return;
        }
        let (upstream, place) = (self.clone(), place.clone());
        tokio::spawn(async move {
            let health = upstream.target.health.as_ref();
            let looked = match health {
                Some(health) => upstream.is_well(&place, &health.path, LOOK_PATIENCE).await,
                None => upstream.answers(&place, "/", LOOK_PATIENCE).await.map(|answer| match answer {
                    Ok(status) => (true, status.to_string()),
                    Err(reason) => (false, reason),
                }),
            };
            let (is_well, reason) = looked.unwrap_or((true, String::new()));
            if !is_well {
                tracing::warn!(address = %place.name, reason, "the upstream does not answer: others are asked first");
            }
            place.asked(is_well);
        });
    }

    /// Whether it does well, and why not; `None` if it could not be asked.
    async fn is_well(self: &Arc<Self>, place: &Arc<Place>, path: &str, limit: Duration) -> Option<(bool, String)> {
        Some(match self.answers(place, path, limit).await? {
            Ok(status) => (status.is_success() || status.is_redirection(), status.to_string()),
            Err(reason) => (false, reason),
        })
    }

    /// With which status an address answers the proxy's own question; or why it does not. `None` if it
    /// could not be asked, for a reason of this machine.
    async fn answers(
        self: &Arc<Self>,
        place: &Arc<Place>,
        path: &str,
        limit: Duration,
    ) -> Option<Result<StatusCode, String>> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, self.target.authority.clone());
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("mcp-mend/", env!("CARGO_PKG_VERSION"))));
        let question = Question {
            method: Method::GET,
            target: path.parse().unwrap_or_default(),
            headers,
            body: RequestBody::Empty,
            upload: Upload::begun(Instant::now()),
            first_byte: Some(limit),
            route: Route::Home,
            proof: Proof::Nothing,
            owner: Ownership::Nobody,
        };
        // Boxed: asking may find reason to ask again.
        let asking: Pin<Box<dyn Future<Output = _> + Send + '_>> =
            Box::pin(self.ask_in(std::slice::from_ref(place), question));
        Some(match tokio::time::timeout(limit, asking).await {
            Ok(Ok((answer, _))) => Ok(answer.status()),
            Ok(Err(failure)) if failure.refusal == refuse::NO_DESCRIPTOR => return None,
            Ok(Err(failure)) => Err(failure.reason()),
            Err(_) => Err("no answer in time".to_owned()),
        })
    }
}

/// Who asks the health paths; when that worker ends, another may.
struct Watching(Arc<Target>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.watched.store(false, Ordering::Relaxed);
    }
}
