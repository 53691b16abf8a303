//! All addresses of the upstream, and in which order they are asked.

use std::cmp::Reverse;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderMap;
use tokio::time::Instant;

use super::health::{Place, Report};
use super::{Route, affinity};
use crate::config::Address;
use crate::endpoint::SESSION;

/// Names among several addresses are looked up again after this.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(5);
/// More addresses of one name than this are not wanted.
const MOST_OF_A_NAME: usize = 64;

/// The addresses, and the health of each.
#[derive(Debug)]
pub struct Places {
    /// The only one, if there are no others.
    sole: Option<Arc<Place>>,
    listed: Vec<Address>,
    /// The listed ones, with each name replaced by its addresses.
    found: ArcSwap<Vec<Arc<Place>>>,
    /// Whose turn it is among those that suit alike.
    turn: AtomicUsize,
    begun: Instant,
    /// When names were last looked up, in milliseconds after `begun`; 0: never.
    looked_up: AtomicU64,
    looking_up: AtomicBool,
}

impl Places {
    /// One address; a name stands for whatever it resolves to when a connection is made.
    #[must_use]
    pub fn one(address: Address) -> Self {
        let place = Arc::new(Place::new(address.clone()));
        Self { sole: Some(place.clone()), ..Self::with(vec![address], vec![place]) }
    }

    /// Several addresses; a name stands for each that it resolves to.
    #[must_use]
    pub fn several(listed: Vec<Address>) -> Self {
        let known = listed.iter().filter(|address| !matches!(address, Address::Name(..)));
        let places = known.map(|address| Arc::new(Place::new(address.clone()))).collect();
        Self::with(listed, places)
    }

    fn with(listed: Vec<Address>, places: Vec<Arc<Place>>) -> Self {
        Self {
            sole: None,
            listed,
            found: ArcSwap::from_pointee(places),
            turn: AtomicUsize::new(0),
            begun: Instant::now(),
            looked_up: AtomicU64::new(0),
            looking_up: AtomicBool::new(false),
        }
    }

    /// The only address, if there are no others.
    #[must_use]
    pub fn sole(&self) -> Option<&Arc<Place>> {
        self.sole.as_ref()
    }

    /// As they were written.
    #[must_use]
    pub fn listed(&self) -> &[Address] {
        &self.listed
    }

    /// How each does.
    #[must_use]
    pub fn report(&self) -> Vec<Report> {
        self.found.load().iter().map(|place| place.report()).collect()
    }

    /// All as they are known now.
    pub(super) async fn now(self: &Arc<Self>) -> Arc<Vec<Arc<Place>>> {
        let has_names = self.sole.is_none() && self.listed.iter().any(|address| matches!(address, Address::Name(..)));
        if has_names {
            let (then, now) = (self.looked_up.load(Ordering::Relaxed), self.millis());
            let is_old = then == 0 || now.saturating_sub(then) > LOOK_UP_AGAIN.as_millis() as u64;
            if is_old && !self.looking_up.swap(true, Ordering::Relaxed) {
                let places = self.clone();
                let looking = tokio::spawn(async move { places.look_up().await });
                if then == 0 {
                    let _ = looking.await;
                }
            }
        }
        self.found.load_full()
    }

    /// Replaces names by their addresses. One that was known keeps what is known of it; a name that cannot be looked up
    /// now keeps those that it had.
    async fn look_up(&self) {
        let mut addresses: Vec<Address> = Vec::new();
        let mut is_whole = true;
        for listed in &self.listed {
            let Address::Name(name, port) = listed else {
                addresses.push(listed.clone());
                continue;
            };
            match look_up(name, *port).await {
                Ok(found) => addresses.extend(found.into_iter().take(MOST_OF_A_NAME).map(Address::Ip)),
                Err(error) => {
                    is_whole = false;
                    tracing::debug!(%name, %error, "a name of the upstream cannot be looked up");
                }
            }
        }
        let before = self.found.load_full();
        if !is_whole {
            addresses.extend(before.iter().map(|place| place.address.clone()));
        }
        addresses.sort();
        addresses.dedup();
        if before.iter().map(|place| &place.address).ne(&addresses) {
            let known = |address: &Address| before.iter().find(|place| place.address == *address).cloned();
            let places = addresses
                .into_iter()
                .map(|address| known(&address).unwrap_or_else(|| Arc::new(Place::new(address))))
                .collect();
            self.found.store(Arc::new(places));
        }
        self.looked_up.store(self.millis().max(1), Ordering::Relaxed);
        self.looking_up.store(false, Ordering::Relaxed);
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Where a request goes, the right address first; those that do not do well are tried when no other is left.
    ///
    /// A session is at the address that gave out its id. Where that does not answer, all replicas agree on another, which
    /// says that it does not know the session, and the client begins a new one. Takes out of the session id what was
    /// written in it for this.
    pub(super) fn order(&self, all: &[Arc<Place>], route: Route, headers: &mut HeaderMap) -> Vec<Arc<Place>> {
        let sealed = headers.get(SESSION).and_then(affinity::unseal);
        let tag = sealed.map(|(id, tag)| {
            headers.insert(SESSION, id);
            tag
        });
        let now = Instant::now();
        let mut order = all.to_vec();
        let key = match route {
            Route::Home => Some(affinity::HOME),
            Route::Messages => headers.get(SESSION).map(|id| id.as_bytes()),
        };
        match key {
            Some(key) => order.sort_by_cached_key(|place| {
                let is_its = route == Route::Messages && tag.as_ref() == Some(&place.tag);
                (!place.is_healthy(now), !is_its, Reverse(affinity::score(key, &place.name)))
            }),
            None => {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed) % order.len().max(1);
                order.rotate_left(turn);
                order.sort_by_key(|place| !place.is_healthy(now));
            }
        }
        order
    }
}

/// The addresses of a name as they are now, in the order of the system (RFC 6724).
pub(super) async fn look_up(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((name, port)).await?.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refuse;
    use http::HeaderValue;

    fn places() -> Arc<Places> {
        let all = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"];
        Arc::new(Places::several(all.iter().map(|text| Address::parse(text).unwrap()).collect()))
    }

    fn first(places: &Places, all: &[Arc<Place>], route: Route, session: Option<&str>) -> (String, Option<String>) {
        let mut headers = HeaderMap::new();
        if let Some(session) = session {
            headers.insert(SESSION, HeaderValue::from_str(session).unwrap());
        }
        let order = places.order(all, route, &mut headers);
        assert_eq!(order.len(), all.len());
        let left = headers.get(SESSION).map(|id| id.to_str().unwrap().to_owned());
        (order[0].name.clone(), left)
    }

    #[tokio::test]
    async fn a_session_is_where_its_id_was_given_out() {
        let places = places();
        let all = places.now().await;
        for place in all.iter() {
            let id = affinity::seal(&HeaderValue::from_static("s1"), &place.tag).unwrap();
            let asked = first(&places, &all, Route::Messages, Some(id.to_str().unwrap()));
            assert_eq!(asked, (place.name.clone(), Some("s1".to_owned())));
        }
    }

    #[tokio::test]
    async fn where_that_is_gone_replicas_agree() {
        let (one, two) = (places(), places());
        let mut ended = std::collections::BTreeSet::new();
        for number in 0..60 {
            let mut chosen = Vec::new();
            for places in [&one, &two] {
                let all = places.now().await;
                all[0].failed(&refuse::UNREACHABLE.into());
                let id = HeaderValue::from_str(&format!("s{number}")).unwrap();
                let id = affinity::seal(&id, &all[0].tag).unwrap();
                chosen.push(first(places, &all, Route::Messages, Some(id.to_str().unwrap())).0);
            }
            assert_eq!(chosen[0], chosen[1]);
            ended.insert(chosen[0].clone());
        }
        assert_eq!(ended.len(), 2, "both of the others take their share");
    }

    #[tokio::test]
    async fn logins_go_to_one_and_messages_take_turns() {
        let places = places();
        let all = places.now().await;
        let of =
            |route| (0..30).map(|_| first(&places, &all, route, None).0).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(of(Route::Home).len(), 1);
        assert_eq!(of(Route::Messages).len(), 3);
        all.iter().for_each(|place| place.failed(&refuse::UNREACHABLE.into()));
        assert_eq!(of(Route::Home).len(), 1, "all are tried when none does well");
    }

    #[tokio::test]
    async fn a_name_stands_for_its_addresses() {
        let listed = [Address::parse("localhost:9").unwrap(), Address::parse("10.0.0.1:1").unwrap()];
        let places = Arc::new(Places::several(listed.to_vec()));
        let all = places.now().await;
        assert!(all.iter().any(|place| place.name == "127.0.0.1:9"), "{all:?}");
        assert!(all.iter().any(|place| place.name == "10.0.0.1:1"));
        assert!(Arc::ptr_eq(&all, &places.now().await));
    }
}
