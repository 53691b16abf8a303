//! The registry. Its order is the order of running.

use crate::repair::Repair;

mod basis;

pub mod auth;
pub mod authorize;
pub mod body;
pub mod cors;
pub mod identity;
pub mod message;
pub mod metadata;
pub mod oauth;
pub mod register;
pub mod session;
pub mod stream;
pub mod token;
pub mod transport;
pub mod version;

/// Every repair there is.
pub static REPAIRS: &[&Repair] = &[
    // Requests. What is known to be refused is not asked.
    &transport::origin_foreign::REPAIR,
    &auth::token_expired::REPAIR,
    &auth::open_get::REPAIR,
    &identity::resource_parameter::REPAIR,
    &identity::own_origin::REPAIR,
    &register::hosted_callback::REPAIR,
    &authorize::scope_form::REPAIR,
    &token::client_auth::REPAIR,
    &token::scope_empty::REPAIR,
    // Messages: where they go, what they are called, which session and version they name.
    &transport::moved::REPAIR,
    &transport::accept_narrow::REPAIR,
    &transport::media_type::REPAIR,
    &session::sealed::REPAIR,
    &version::initialize_too_new::REPAIR,
    &version::header_too_new::REPAIR,
    &transport::origin_passed::REPAIR,
    &version::probe_known::REPAIR,
    // The preflight comes first: it replaces the whole answer.
    &cors::preflight::REPAIR,
    // What a document is called, so that it is known for one.
    &metadata::content_type::REPAIR,
    &metadata::server_names::REPAIR,
    // Ask elsewhere or otherwise, before anything is mended.
    &metadata::resource_elsewhere::REPAIR,
    &metadata::server_elsewhere::REPAIR,
    &oauth::moved::REPAIR,
    &oauth::elsewhere::REPAIR,
    &register::redirects_refused::REPAIR,
    &register::redirect_uri_refused::REPAIR,
    &register::auth_method_refused::REPAIR,
    &authorize::scope_refused::REPAIR,
    &authorize::resource_refused::REPAIR,
    &authorize::parameter_refused::REPAIR,
    &token::form_refused::REPAIR,
    &token::client_auth_refused::REPAIR,
    &token::resource_refused::REPAIR,
    &token::scope_refused::REPAIR,
    &register::media_type_refused::REPAIR,
    &register::members_refused::REPAIR,
    // Documents.
    &metadata::resource_missing::REPAIR,
    &metadata::server_missing::REPAIR,
    &metadata::keys_missing::REPAIR,
    &metadata::not_found::REPAIR,
    &metadata::resource_shape::REPAIR,
    &metadata::server_shape::REPAIR,
    &identity::resource_metadata::REPAIR,
    &identity::server_metadata::REPAIR,
    &metadata::scopes::REPAIR,
    &metadata::openid_incomplete::REPAIR,
    &metadata::pkce_unsaid::REPAIR,
    &metadata::auth_methods::REPAIR,
    &metadata::registration_unsaid::REPAIR,
    &metadata::grant_types::REPAIR,
    &metadata::iss_unsaid::REPAIR,
    &metadata::client_documents::REPAIR,
    &register::error_form::REPAIR,
    &register::members_misplaced::REPAIR,
    &register::content_type::REPAIR,
    &register::nulls::REPAIR,
    &register::timestamps::REPAIR,
    &register::client_id::REPAIR,
    &register::redirect_uris::REPAIR,
    &register::lists::REPAIR,
    &register::uris::REPAIR,
    &register::member_types::REPAIR,
    &register::auth_method::REPAIR,
    &register::secret_expiry::REPAIR,
    &register::status::REPAIR,
    // What the answer says, then its form, then its members.
    &token::encoding::REPAIR,
    &token::wrapped::REPAIR,
    &token::error_as_success::REPAIR,
    &token::client_unknown::REPAIR,
    &token::grant_dead::REPAIR,
    &token::revoke_unknown::REPAIR,
    &token::error_shape::REPAIR,
    &token::members::REPAIR,
    &token::expires_in::REPAIR,
    &token::type_wrong::REPAIR,
    &token::status::REPAIR,
    &identity::registration::REPAIR,
    &identity::redirect_document::REPAIR,
    // What should be a 401, and what is wrong with one; then its challenge.
    &session::lost::REPAIR,
    &auth::challenge_renamed::REPAIR,
    &auth::refused_otherwise::REPAIR,
    &auth::login_page::REPAIR,
    &auth::error_as_success::REPAIR,
    &auth::token_refused_otherwise::REPAIR,
    &auth::page_as_refusal::REPAIR,
    &auth::head_unanswered::REPAIR,
    &auth::scope_unsaid::REPAIR,
    &auth::challenge_missing::REPAIR,
    &auth::challenge_malformed::REPAIR,
    &auth::challenge_pointer::REPAIR,
    &auth::challenge_scope::REPAIR,
    // Messages that were turned away, asked again where or as they are taken.
    &transport::redirected::REPAIR,
    &version::meta_refused::REPAIR,
    &version::header_mismatch::REPAIR,
    &version::refused::REPAIR,
    &transport::answer_elsewhere::REPAIR,
    &transport::older_alone::REPAIR,
    &message::batch_refused::REPAIR,
    // What an answer to a message says by its status.
    &version::probe_unanswered::REPAIR,
    &transport::notification_answered::REPAIR,
    &transport::notification_refused::REPAIR,
    &transport::stream_unanswered::REPAIR,
    &transport::end_unanswered::REPAIR,
    &transport::head_unanswered::REPAIR,
    &transport::error_status::REPAIR,
    &transport::method_unknown::REPAIR,
    &transport::empty::REPAIR,
    &transport::error_page::REPAIR,
    // What it is, and in which form it leaves.
    &message::bom::REPAIR,
    &message::batch::REPAIR,
    &transport::content_type::REPAIR,
    &transport::form_unaccepted::REPAIR,
    &transport::answer_in_place::REPAIR,
    &session::id_illegal::REPAIR,
    &session::cookie_needed::REPAIR,
    // Authorization responses, before their addresses and `iss` are made public.
    &authorize::elsewhere_foreign::REPAIR,
    &authorize::fragment::REPAIR,
    &authorize::state_lost::REPAIR,
    &authorize::iss_missing::REPAIR,
    &authorize::method_kept::REPAIR,
    &authorize::form_action::REPAIR,
    // Heads.
    &body::coding_unasked::REPAIR,
    &identity::location::REPAIR,
    &metadata::cacheable::REPAIR,
    &token::cacheable::REPAIR,
    &stream::buffered::REPAIR,
    &cors::origin::REPAIR,
    &cors::expose::REPAIR,
    // Events, as a text and then by what they carry.
    &stream::bom::REPAIR,
    &stream::bare_cr::REPAIR,
    &stream::json_as_events::REPAIR,
    &stream::event_unended::REPAIR,
    &stream::event_name::REPAIR,
    &stream::junk_data::REPAIR,
    &stream::batch::REPAIR,
    &stream::endpoint_data::REPAIR,
    &identity::endpoint_event::REPAIR,
    // Silences.
    &stream::open_after_answer::REPAIR,
    &stream::silence::REPAIR,
    // Messages.
    &message::envelope::REPAIR,
    &message::id::REPAIR,
    &message::error::REPAIR,
    &message::version_unknown::REPAIR,
    &message::initialize_incomplete::REPAIR,
    &message::nulls::REPAIR,
    &message::input_schema::REPAIR,
    &message::content::REPAIR,
];

/// Where a reference leads, if that is on the upstream itself: path and query.
#[must_use]
pub fn stream_target(site: &crate::exchange::Site<'_>, from: &str, to: &str) -> Option<String> {
    oauth::moved::own_target(site, from, to)
}

/// Ids that once named a repair, with what became of it: configuration that names them still loads, with a warning.
pub static RETIRED: &[(&str, &str)] = &[];

/// The repair with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Repair> {
    REPAIRS.iter().copied().find(|repair| repair.id == id)
}

/// The id most like a mistyped one.
#[must_use]
pub fn nearest(id: &str) -> Option<&'static str> {
    REPAIRS
        .iter()
        .map(|repair| (strsim::jaro_winkler(id, repair.id), repair.id))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, id)| id)
}

#[cfg(test)]
mod tests;
