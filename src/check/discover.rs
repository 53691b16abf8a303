//! Looking for the metadata as one client does: its places, in its order, with its header fields (`client.rs`).

use http::Method;
use http::header::{ACCEPT, HeaderValue, USER_AGENT};

use super::stand::{Answer, Probe};
use super::walk::Walk;
use crate::client::{Client, Place};
use crate::edit::challenge::Challenges;
use crate::edit::origin::after_origin;
use crate::endpoint::VERSION;

/// Asks at each place until a document of its kind is found.
pub async fn discover(walk: &mut Walk<'_>, client: &'static Client) {
    let (mut has_resource, mut has_server) = (false, false);
    for place in client.discovery.places {
        let is_of_server = matches!(place, Place::Listed(_) | Place::Own(_));
        let has_it = if is_of_server { &mut has_server } else { &mut has_resource };
        if *has_it {
            continue;
        }
        let Some(path) = path_of(walk, *place).filter(|path| !walk.hangs_at(path)) else { continue };
        let answer = walk.put(document(client, path)).await;
        *has_it = answer.as_ref().is_some_and(is_document);
    }
}

fn path_of(walk: &Walk<'_>, place: Place) -> Option<String> {
    let site = walk.site();
    let issuer = site.known.own_issuer_paths(site.facts).into_iter().next().unwrap_or_default();
    match place {
        Place::Challenge => {
            let challenge = walk.first_refusal()?;
            let challenges = Challenges::read(&challenge);
            let url = challenges.list.iter().find_map(|challenge| challenge.get("resource_metadata"))?;
            after_origin(url).filter(|_| site.owns(url)).map(str::to_owned)
        }
        place => place.path(&site.facts.mcp_path, &issuer),
    }
}

fn document(client: &Client, path: String) -> Probe {
    let discovery = &client.discovery;
    let mut probe = Probe::new("a discovery document, as the client looks for it", Method::GET, path).beside();
    if let Some(accept) = discovery.accept {
        probe = probe.header(ACCEPT, accept);
    }
    if let Some(version) = discovery.version {
        probe = probe.header(VERSION, version);
    }
    if !discovery.has_user_agent {
        probe.headers.insert(USER_AGENT, HeaderValue::from_static(""));
    }
    probe
}

fn is_document(answer: &Answer) -> bool {
    answer.status.is_success()
        && serde_json::from_slice::<serde_json::Value>(&answer.body).is_ok_and(|body| body.is_object())
}
