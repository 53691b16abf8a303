//! Asking the addresses of the upstream how they do (`upstream.health_path`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Method;
use http::header::{HOST, HeaderMap, HeaderValue, USER_AGENT};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::health::Place;
use super::target::{Health, Target};
use super::{Question, Route, Upstream};
use crate::body::{RequestBody, Upload};

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
                let (is_well, reason) = upstream.is_well(&place, &path, limit).await;
                place.looked_at(is_well, &reason);
            });
        }
        looks.join_all().await;
    }

    async fn is_well(self: &Arc<Self>, place: &Arc<Place>, path: &str, limit: Duration) -> (bool, String) {
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
            depends_on_body: false,
            owner: None,
        };
        let asking = self.ask_in(std::slice::from_ref(place), question);
        match tokio::time::timeout(limit, asking).await {
            Ok(Ok((answer, _))) => {
                (answer.status().is_success() || answer.status().is_redirection(), answer.status().to_string())
            }
            Ok(Err(failure)) => (false, failure.reason()),
            Err(_) => (false, "no answer in time".to_owned()),
        }
    }
}

/// Who asks the health paths; when that worker ends, another may.
struct Watching(Arc<Target>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.watched.store(false, Ordering::Relaxed);
    }
}
