//! rmcp's authorization manager, asked to read the documents that lie behind one base URL.

use std::fmt::Display;
use std::time::Duration;

use rmcp::transport::auth::{
    AuthError, AuthorizationManager, AuthorizationMetadataSource, CredentialStore, InMemoryCredentialStore,
    OAuthClientConfig, OAuthTokenResponse, StoredCredentials,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::cases::{self, Case};

/// Longer than any step may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Below this a client would ask for the next token with nearly every request.
const SHORTEST_LIFE: Duration = Duration::from_secs(60);

/// What is to be read, and where.
pub struct Question {
    group: String,
    base: String,
    /// There is no metadata document: the client must do without.
    none: bool,
    /// What it must have read, by the name of the member.
    expected: Map<String, Value>,
}

#[derive(Default)]
pub struct Answer {
    pub ok: bool,
    pub error: Option<String>,
    /// The code, if the client knew the answer for an OAuth error.
    pub code: Option<String>,
}

impl Question {
    pub fn about(case: &Case, base: &str) -> Self {
        Self { group: case.group.clone(), base: base.to_owned(), none: case.is("none"), expected: case.expected() }
    }

    pub fn read(line: &Value) -> Self {
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        let expected = line["expected"].as_object().unwrap().clone();
        Self { group: text("group"), base: text("base"), none: line["none"] == true, expected }
    }

    /// Looks at what was read in its written form: the getters are those of a crate that is no dependency here.
    fn check(&self, found: &impl Serialize) -> Result<Value, AuthError> {
        let found = serde_json::to_value(found).map_err(refused)?;
        for (member, value) in &self.expected {
            let wanted = value.as_str().map(|text| text.replace("{origin}", &self.base));
            if found[member].as_str() != wanted.as_deref() {
                return Err(refused(format!("{member} is {}, not {wanted:?}", found[member])));
            }
        }
        Ok(found)
    }
}

pub async fn ask(question: &Question) -> Answer {
    match tokio::time::timeout(LIMIT, read(question)).await {
        Ok(Ok(())) => Answer { ok: true, ..Answer::default() },
        Ok(Err(error)) => {
            let text = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            Answer { ok: false, code: code_of(&error), error: Some(text.chars().take(300).collect()) }
        }
        Err(_) => Answer { error: Some("no answer in time".to_owned()), ..Answer::default() },
    }
}

async fn read(question: &Question) -> Result<(), AuthError> {
    let mut manager = AuthorizationManager::new(format!("{}/mcp", question.base)).await?;
    let found = manager.resolve_metadata().await?;
    if question.group == "server-metadata" && !question.none {
        question.check(&found.metadata)?;
    }
    manager.set_metadata(found.metadata);
    match question.group.as_str() {
        "registration" => {
            manager.register_client("parsers", &redirect(), &[]).await?;
            // Whoever can read the registration must also get through the token request that follows it.
            exchange(&manager).await?;
        }
        "token" => {
            configure(&mut manager)?;
            lives(&question.check(&exchange(&manager).await?)?)?;
            manager.set_credential_store(old_credentials().await?);
            lives(&question.check(&manager.refresh_token().await?)?)?;
        }
        "server-metadata" if !found.source.is_discovered() && !question.none => {
            return Err(refused("no metadata found"));
        }
        "resource-metadata" if found.source != AuthorizationMetadataSource::ProtectedResourceMetadata => {
            return Err(refused("no resource metadata found"));
        }
        _ => {
            configure(&mut manager)?;
            manager.get_authorization_url(&[]).await?;
        }
    }
    Ok(())
}

async fn exchange(manager: &AuthorizationManager) -> Result<OAuthTokenResponse, AuthError> {
    let url = Url::parse(&manager.get_authorization_url(&[]).await?).map_err(refused)?;
    let state = url.query_pairs().find_map(|(name, value)| (name == "state").then(|| value.into_owned()));
    manager.exchange_code_for_token("code", &state.unwrap_or_default()).await
}

fn configure(manager: &mut AuthorizationManager) -> Result<(), AuthError> {
    manager.configure_client(OAuthClientConfig::new(client_id(), redirect()))
}

/// What a client holds that comes back after a while.
async fn old_credentials() -> Result<InMemoryCredentialStore, AuthError> {
    let token = json!({ "access_token": "old", "token_type": "Bearer", "refresh_token": "refresh" });
    let token = serde_json::from_value(token).map_err(refused)?;
    let store = InMemoryCredentialStore::new();
    store.save(StoredCredentials::new(client_id(), Some(token), Vec::new(), None)).await?;
    Ok(store)
}

fn lives(token: &Value) -> Result<(), AuthError> {
    match token["expires_in"].as_u64() {
        Some(seconds) if seconds < SHORTEST_LIFE.as_secs() => {
            Err(refused(format!("the token is taken to live {seconds} s")))
        }
        _ => Ok(()),
    }
}

fn client_id() -> String {
    cases::sound_text("registration", "public", "client_id")
}

fn redirect() -> String {
    cases::sound_text("registration", "public", "redirect_uris")
}

fn refused(why: impl Display) -> AuthError {
    AuthError::InternalError(why.to_string())
}

/// The manager keeps what a refusal said as the end of its message.
fn code_of(error: &AuthError) -> Option<String> {
    match error {
        AuthError::TokenExchangeFailed(text) => {
            let said = text.strip_prefix("Server returned error response: ")?;
            said.split(':').next().map(str::to_owned)
        }
        AuthError::RegistrationFailed(text) if text.starts_with("HTTP ") => {
            let body: Value = serde_json::from_str(&text[text.find('{')?..]).ok()?;
            body["error"].as_str().map(str::to_owned)
        }
        _ => None,
    }
}
