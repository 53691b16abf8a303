//! What ties an exchange to others, as keyed hashes, and what it was about.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{Redactor, words};
use crate::edit::{jwt, params};
use crate::endpoint::{self, Class};
use crate::jsonrpc::Envelope;
use crate::tape::RecordedExchange;

/// Nothing shorter ties exchanges together.
const SHORTEST_KEY: usize = 6;

/// What kind of value ties two exchanges together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Client,
    State,
    Code,
    Token,
    Session,
}

/// A value that only the exchanges of one login share, as a keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub kind: Kind,
    pub hash: u64,
}

/// What can be said of an exchange without saying what was in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    pub keys: Vec<Key>,
    /// The method of the message, if the client sent one.
    pub rpc: Option<String>,
    /// Whether a bearer token came with it.
    pub has_token: bool,
    /// Whether that is a JWT whose time was over.
    pub is_expired: bool,
    /// Whether a client was registered.
    pub is_registered: bool,
    /// Whether a token was given out.
    pub is_granted: bool,
    /// Whether a code was given out.
    pub is_authorized: bool,
    /// Whether the message was answered with an error inside a success.
    pub is_error: bool,
}

pub(super) fn signs(redactor: &Redactor, taped: &RecordedExchange) -> Signs {
    let site = taped.site.as_ref().map_or("", |site| site.name.as_str());
    let mut found = Found { redactor, site, signs: Signs::default() };
    let began = taped.began.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    let bearer = taped.asked.headers.get(AUTHORIZATION);
    found.signs.is_expired =
        bearer.is_some_and(|value| jwt::has_expired(value, i64::try_from(began).unwrap_or(i64::MAX)));
    found.request(taped);
    found.answer(taped);
    let mut signs = found.signs;
    signs.rpc = Envelope::peek(&taped.asked.body.bytes)
        .filter(|_| taped.class.has_messages())
        .and_then(|message| message.method)
        .filter(|method| words::is_name(method));
    signs
}

struct Found<'a> {
    redactor: &'a Redactor,
    /// What the site is called; empty if there is none.
    site: &'a str,
    signs: Signs,
}

impl Found<'_> {
    fn add(&mut self, kind: Kind, value: &str) {
        // Short ones are chosen by people, and a client that is a document is everybody's.
        let is_everybodys = kind == Kind::Client && value.starts_with("https://");
        if value.len() < SHORTEST_KEY || matches!(value, "undefined") || is_everybodys {
            return;
        }
        // Site and kind belong to the value: a state `1` is no session `1`, and no login goes over two sites.
        let hash = self.redactor.number(&format!("{kind:?}:{}:{value}", self.site));
        let key = Key { kind, hash };
        if !self.signs.keys.contains(&key) && self.signs.keys.len() < 16 {
            self.signs.keys.push(key);
        }
    }

    fn named(&mut self, name: &str, value: &str) {
        match name {
            "client_id" => self.add(Kind::Client, value),
            "state" => self.add(Kind::State, value),
            "code" => self.add(Kind::Code, value),
            "access_token" | "refresh_token" => self.add(Kind::Token, value),
            _ => {}
        }
    }

    fn params(&mut self, text: &str) {
        let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = params::all(text).take(64).collect();
        for (name, value) in pairs {
            self.named(&name, &value);
        }
    }

    fn document(&mut self, bytes: &Bytes) -> Option<Value> {
        let document: Value = serde_json::from_slice(bytes).ok()?;
        for (name, value) in document.as_object()? {
            if let Some(text) = value.as_str() {
                self.named(name, text);
            }
        }
        Some(document)
    }

    fn request(&mut self, taped: &RecordedExchange) {
        let asked = &taped.asked;
        let is_login = taped.class.is_oauth() || taped.class == Class::Other;
        if let Some(query) = asked.target.query().filter(|_| is_login) {
            self.params(query);
        }
        self.headers(&asked.headers);
        if let Some(value) = asked.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) {
            let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
            if scheme.eq_ignore_ascii_case("bearer") {
                self.signs.has_token = true;
                self.add(Kind::Token, rest.trim());
            } else if scheme.eq_ignore_ascii_case("basic")
                && let Ok(pair) = STANDARD.decode(rest.trim())
                && let Some((user, _)) = String::from_utf8_lossy(&pair).split_once(':')
            {
                self.add(Kind::Client, &percent_encoding::percent_decode_str(user).decode_utf8_lossy());
            }
        }
        if matches!(taped.class, Class::Token | Class::Revoke) {
            if let Ok(form) = std::str::from_utf8(&asked.body.bytes) {
                self.params(form);
            }
            self.document(&asked.body.bytes);
        }
        if taped.class == Class::LegacyPost
            && let Some(session) = asked.target.query().and_then(endpoint::session_in)
        {
            self.add(Kind::Session, session);
        }
    }

    fn headers(&mut self, headers: &HeaderMap) {
        if let Some(session) = headers.get(endpoint::SESSION).and_then(|value| value.to_str().ok()) {
            self.add(Kind::Session, session);
        }
    }

    fn answer(&mut self, taped: &RecordedExchange) {
        let answered = &taped.answered;
        self.headers(&answered.headers);
        if let Some(to) = answered.headers.get(LOCATION).and_then(|to| to.to_str().ok()) {
            for part in to.split(['?', '#']).skip(1) {
                self.signs.is_authorized |= params::has(part, "code");
                self.params(part);
            }
        }
        if matches!(taped.class, Class::Register | Class::Token) && answered.status.is_success() {
            let Some(document) = self.document(&answered.body.bytes) else { return };
            self.signs.is_registered = taped.class == Class::Register && document.get("client_id").is_some();
            self.signs.is_granted = taped.class == Class::Token && document.get("access_token").is_some();
        }
        let message = Envelope::peek(&answered.body.bytes).filter(|_| taped.class.has_messages());
        let is_error = message.is_some_and(|message| message.error.is_some() && message.result.is_none());
        self.signs.is_error = is_error && answered.status == StatusCode::OK;
    }
}
