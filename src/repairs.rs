//! The registry. Its order is the order of running.

use crate::repair::Repair;

mod basis;

pub mod auth;
pub mod body;
pub mod cors;
pub mod identity;
pub mod metadata;
pub mod register;
pub mod token;

/// Every repair there is.
pub static REPAIRS: &[&Repair] = &[
    // Requests.
    &identity::resource_parameter::REPAIR,
    &identity::own_origin::REPAIR,
    &register::hosted_callback::REPAIR,
    // The preflight comes first: it replaces the whole answer.
    &cors::preflight::REPAIR,
    // Ask elsewhere or otherwise, before anything is mended.
    &metadata::resource_elsewhere::REPAIR,
    &metadata::server_elsewhere::REPAIR,
    &register::redirects_refused::REPAIR,
    &register::redirect_uri_refused::REPAIR,
    &register::auth_method_refused::REPAIR,
    &register::media_type_refused::REPAIR,
    &register::members_refused::REPAIR,
    // Documents.
    &metadata::resource_missing::REPAIR,
    &identity::resource_metadata::REPAIR,
    &identity::server_metadata::REPAIR,
    &metadata::scopes::REPAIR,
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
    &identity::registration::REPAIR,
    &identity::redirect_document::REPAIR,
    // Challenges.
    &auth::challenge_missing::REPAIR,
    &auth::challenge_malformed::REPAIR,
    &auth::challenge_pointer::REPAIR,
    &auth::challenge_scope::REPAIR,
    // Heads.
    &body::coding_unasked::REPAIR,
    &identity::location::REPAIR,
    &metadata::cacheable::REPAIR,
    &token::cacheable::REPAIR,
    &cors::origin::REPAIR,
    &cors::expose::REPAIR,
    // Events.
    &identity::endpoint_event::REPAIR,
];

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
