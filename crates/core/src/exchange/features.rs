//! What an exchange shows at a glance, as bits, and the gates of repairs: which of these a repair needs. Whether a repair can
//! have anything to do is then a test of a few bits, and most are never called.

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE, LINK, LOCATION, WWW_AUTHENTICATE,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::{Opening, Reply, ReplyBody, Request, is_json, is_media_type};
use crate::endpoint::SESSION;
use crate::jsonrpc::{Envelope, PROBE};

/// One bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    // The method of the request.
    Post,
    Get,
    Head,
    Options,
    Delete,
    OtherMethod,
    // The message in the request.
    Message,
    Asks,
    Unanswered,
    Batch,
    Initialize,
    Probe,
    // What else the request is.
    Origin,
    Document,
    SessionSent,
    WithToken,
    WithoutToken,
    Guarded,
    OneForm,
    Moved,
    // The status of the reply.
    Informational,
    Ok,
    Created,
    Accepted,
    NoContent,
    OtherSuccess,
    Redirect,
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    OtherClientError,
    InternalServerError,
    OtherServerError,
    // The media type of the reply.
    Json,
    Events,
    Html,
    OtherType,
    // Other fields of the reply.
    Location,
    /// `Link` or `Content-Location`.
    Link,
    Challenge,
    RenamedChallenge,
    AllowsOrigin,
    SessionGiven,
    Coded,
    /// `Content-Length` is zero.
    LengthZero,
    // The beginning of the body.
    ErrorInside,
    OpensList,
    OpensNothing,
    ReadAsText,
    // A message of the answer.
    Response,
    HasResult,
    HasError,
    Unsound,
}

/// The classes of statuses.
pub const SUCCESS: &[Feature] =
    &[Feature::Ok, Feature::Created, Feature::Accepted, Feature::NoContent, Feature::OtherSuccess];
pub const CLIENT_ERROR: &[Feature] = &[
    Feature::BadRequest,
    Feature::Unauthorized,
    Feature::Forbidden,
    Feature::NotFound,
    Feature::MethodNotAllowed,
    Feature::OtherClientError,
];
pub const ERROR: &[Feature] = &[
    Feature::BadRequest,
    Feature::Unauthorized,
    Feature::Forbidden,
    Feature::NotFound,
    Feature::MethodNotAllowed,
    Feature::OtherClientError,
    Feature::InternalServerError,
    Feature::OtherServerError,
];

/// Without one feature of each set a repair has nothing to do. A gate may let more pass than the repair accepts, never less.
pub type Gate = &'static [&'static [Feature]];

/// A set of features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(u64);

const _: () = assert!((Feature::Unsound as u64) < 64, "there are more features than bits");

impl Features {
    /// Every one that there is, and more.
    pub const ALL: Self = Self(u64::MAX);

    /// The set of these.
    #[must_use]
    pub fn of(features: &[Feature]) -> Self {
        features.iter().fold(Self::default(), |set, feature| set.with_if(*feature, true))
    }

    #[must_use]
    fn with_if(self, feature: Feature, has: bool) -> Self {
        Self(self.0 | u64::from(has) << feature as u64)
    }

    /// How many features there are.
    #[must_use]
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether the sets share a feature.
    #[must_use]
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether a gate lets this pass.
    #[must_use]
    pub fn opens(self, gate: Gate) -> bool {
        gate.iter().all(|set| Self::of(set).intersects(self))
    }

    /// What a request shows.
    #[must_use]
    pub fn of_request(request: &Request) -> Self {
        let method = match request.method {
            Method::POST => Feature::Post,
            Method::GET => Feature::Get,
            Method::HEAD => Feature::Head,
            Method::OPTIONS => Feature::Options,
            Method::DELETE => Feature::Delete,
            _ => Feature::OtherMethod,
        };
        let token = if request.authorized { Feature::WithToken } else { Feature::WithoutToken };
        let set = Self::of(&[method, token])
            .with_if(Feature::Origin, request.origin.is_some())
            .with_if(Feature::Document, request.is_document)
            .with_if(Feature::SessionSent, request.session_sent.is_some())
            .with_if(Feature::Guarded, request.requires_auth)
            .with_if(Feature::OneForm, request.accepts.json != request.accepts.events)
            .with_if(Feature::Moved, request.moved.is_some());
        let Some(message) = &request.message else { return set };
        set.with_if(Feature::Message, true)
            .with_if(Feature::Asks, request.asks())
            .with_if(Feature::Unanswered, message.is_unanswered())
            .with_if(Feature::Batch, message.is_batch)
            .with_if(Feature::Initialize, message.is("initialize"))
            .with_if(Feature::Probe, message.is(PROBE))
    }

    /// What a reply shows, beside what its request does.
    #[must_use]
    pub fn with_reply(self, reply: &Reply) -> Self {
        let set = self
            .with_if(status(reply.status), true)
            .with_if(Feature::Coded, reply.coding.is_some())
            .with_if(Feature::ErrorInside, reply.is_error_inside())
            .with_if(Feature::OpensList, reply.opening == Opening::List)
            .with_if(Feature::OpensNothing, reply.opening == Opening::Nothing)
            .with_if(Feature::ReadAsText, matches!(reply.body, ReplyBody::Text(_)));
        let (mut set, mut has_type) = (set, false);
        for (name, value) in &reply.headers {
            set = set.with_field(name, value);
            has_type |= *name == CONTENT_TYPE;
        }
        set.with_if(Feature::OtherType, !has_type)
    }

    fn with_field(self, name: &HeaderName, value: &HeaderValue) -> Self {
        const RENAMED: HeaderName = HeaderName::from_static("x-amzn-remapped-www-authenticate");
        let feature = match *name {
            CONTENT_TYPE => media_type(value),
            LOCATION => Feature::Location,
            // However many digits say so.
            CONTENT_LENGTH if value.as_bytes().iter().all(|byte| matches!(byte, b'0' | b'+')) => Feature::LengthZero,
            LINK | CONTENT_LOCATION => Feature::Link,
            WWW_AUTHENTICATE => Feature::Challenge,
            ACCESS_CONTROL_ALLOW_ORIGIN => Feature::AllowsOrigin,
            _ if *name == SESSION => Feature::SessionGiven,
            _ if *name == RENAMED => Feature::RenamedChallenge,
            _ => return self,
        };
        self.with_if(feature, true)
    }

    /// What a message of an answer shows, beside what its request does.
    #[must_use]
    pub fn with_message(self, message: &Envelope) -> Self {
        self.with_if(Feature::Response, message.is_response())
            .with_if(Feature::HasResult, message.result.is_some())
            .with_if(Feature::HasError, message.error.is_some())
            .with_if(Feature::Unsound, !message.is_surely_sound())
    }
}

fn status(status: StatusCode) -> Feature {
    match status {
        StatusCode::OK => Feature::Ok,
        StatusCode::CREATED => Feature::Created,
        StatusCode::ACCEPTED => Feature::Accepted,
        StatusCode::NO_CONTENT => Feature::NoContent,
        StatusCode::BAD_REQUEST => Feature::BadRequest,
        StatusCode::UNAUTHORIZED => Feature::Unauthorized,
        StatusCode::FORBIDDEN => Feature::Forbidden,
        StatusCode::NOT_FOUND => Feature::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Feature::MethodNotAllowed,
        StatusCode::INTERNAL_SERVER_ERROR => Feature::InternalServerError,
        status if status.is_informational() => Feature::Informational,
        status if status.is_success() => Feature::OtherSuccess,
        status if status.is_redirection() => Feature::Redirect,
        status if status.is_client_error() => Feature::OtherClientError,
        _ => Feature::OtherServerError,
    }
}

fn media_type(value: &HeaderValue) -> Feature {
    match value {
        value if is_json(value) => Feature::Json,
        value if is_media_type(value, "text/event-stream") => Feature::Events,
        value if is_media_type(value, "text/html") => Feature::Html,
        _ => Feature::OtherType,
    }
}
