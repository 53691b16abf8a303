//! `mcp-mend check URL`: asks a server what clients ask, and says for every repair whether it is needed, who is stopped
//! by what, and what to do about it. The function that mends is the one that finds.

mod evidence;
mod login;
mod probes;
pub mod report;
mod situation;
pub mod stand;
pub mod verdict;
mod walk;

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use crate::config::Config;
use crate::server::StartError;
use report::Report;
use stand::Stand;
use walk::Walk;

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

/// How a client registers.
#[derive(Clone, Debug)]
pub struct Profile {
    pub client_name: String,
    pub redirect_uris: Vec<String>,
    pub auth_method: &'static str,
    pub application_type: Option<&'static str>,
    pub agent: Option<String>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            client_name: "mcp-mend check".into(),
            redirect_uris: Vec::new(),
            auth_method: "none",
            application_type: Some("native"),
            agent: None,
        }
    }
}

/// Checks the server that a configuration names.
///
/// # Errors
/// When the server's address cannot be used.
pub async fn check(config: &Config, url: &str, wish: &Wish) -> Result<Report, StartError> {
    let began = Instant::now();
    let stand = Arc::new(Stand::new(config)?.calling_itself(wish.profile.agent.as_deref()));
    let walked = Walk::new(stand, wish).whole().await;
    Ok(Report::of(config, url, wish, &walked, began.elapsed().as_secs_f64()))
}
