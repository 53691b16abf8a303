//! `mcp-mend check URL`: asks a server what clients ask, and says for every repair whether it is needed, who is stopped
//! by what, and what to do about it. The function that mends is the one that finds.

mod discover;
mod evidence;
pub mod first;
mod login;
mod probes;
pub mod reach;
pub mod report;
mod script;
pub mod show;
mod signs;
mod situation;
pub mod stand;
pub mod verdict;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::client::{self, Client};
use crate::config::Config;
use crate::redact::Redactor;
use crate::secret;
use crate::server::StartError;
use report::Report;
use stand::Stand;
use walk::{Walk, Walked};

/// A server that answers everything late is not worth more: with what follows, a check ends within two minutes.
pub const TIME: Duration = Duration::from_secs(90);

/// What is to be checked, and how far.
pub struct Wish {
    /// Registers a client.
    pub register: bool,
    /// Goes through the whole login.
    pub login: bool,
    /// Opens messages.
    pub token: Option<String>,
    /// Tools that may be called.
    pub calls: Vec<Call>,
    /// Which client this is.
    pub profile: Profile,
    /// Where the login comes back to on loopback; 0 takes any free port.
    pub callback_port: u16,
    /// How long all questions together may take; nobody's time in the browser counts.
    pub time: Duration,
    /// Shows somebody the page of the login.
    pub show_page: Box<dyn Fn(&str) + Send + Sync>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            register: false,
            login: false,
            token: None,
            calls: Vec::new(),
            profile: Profile::default(),
            callback_port: 0,
            time: TIME,
            show_page: Box::new(|_| {}),
        }
    }
}

impl Wish {
    fn profile(&self) -> Profile {
        self.profile.clone()
    }
}

/// A tool that may be called.
#[derive(Clone, Debug)]
pub struct Call {
    pub tool: String,
    pub arguments: Value,
}

/// How the client of a check registers and calls itself.
#[derive(Clone)]
pub struct Profile {
    /// Who it is.
    pub client: &'static Client,
    pub client_name: Option<&'static str>,
    pub redirect_uris: Vec<String>,
    pub auth_method: Option<&'static str>,
    pub application_type: Option<&'static str>,
    pub agent: Option<&'static str>,
}

/// The client that is checked for unless another is named.
pub const USUAL: &Client = &client::TS2;

impl Profile {
    /// As this client does.
    #[must_use]
    pub fn of(client: &'static Client) -> Self {
        let registration = &client.registration;
        Self {
            client,
            client_name: registration.client_name,
            redirect_uris: registration.redirect_uris.iter().map(|uri| (*uri).to_owned()).collect(),
            auth_method: registration.auth_method,
            application_type: registration.application_type,
            agent: client.user_agent(),
        }
    }
}

impl Default for Profile {
    /// The usual client, and no name that a firewall may know.
    fn default() -> Self {
        let usual = Self::of(USUAL);
        Self { agent: None, ..usual }
    }
}

/// Checks the server of the first site of a configuration.
///
/// # Errors
/// When the server's address cannot be used.
pub async fn check(config: &Config, url: &str, wish: &Wish) -> Result<Report, StartError> {
    let began = Instant::now();
    let site = config.sites.first();
    let stand = Arc::new(Stand::new(&config.process, site)?.calling_itself(wish.profile.agent));
    let mut walked = Walk::new(stand.clone(), wish).whole().await;
    walked.reach = reach::look(&stand, site, &walked).await;
    let redactor = redactor(&stand, &walked)?;
    Ok(Report::of(site, url, wish, &walked, &redactor, began.elapsed()))
}

/// Takes the secrets out of what is shown. Its key is told nobody.
fn redactor(stand: &Stand, walked: &Walked) -> Result<Redactor, StartError> {
    let key = secret::key().map_err(|_| StartError::Randomness)?;
    let judged = walked.judged.iter().flat_map(|judged| [&judged.refused, &judged.taken]);
    let taped = walked.seen.iter().chain(judged).filter_map(|seen| seen.taped.as_ref());
    Ok(Redactor::new(key).knowing(&stand.runtime().facts).knowing_all(taped))
}
