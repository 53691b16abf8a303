//! The OAuth endpoints that metadata name, and what lenient servers read their paths as.

use super::Class;
use super::canonical::{bare, readings};

/// Paths of the OAuth endpoints, as the upstream's metadata name them or by the defaults of MCP 2025-03-26.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    pub authorize: String,
    pub token: String,
    pub register: String,
    pub revoke: String,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            authorize: "/authorize".into(),
            token: "/token".into(),
            register: "/register".into(),
            revoke: "/revoke".into(),
        }
    }
}

/// The OAuth endpoints of an upstream, and every reading of their paths. Metadata may name many endpoints, so each path is
/// read once, when it is taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    paths: Paths,
    /// What rules compare paths with: the endpoints that are mended, and further ones.
    pub(super) places: Vec<Place>,
    /// Whether metadata name more places than are kept.
    is_crowded: bool,
}

impl From<Paths> for Endpoints {
    fn from(paths: Paths) -> Self {
        let mut endpoints = Self { paths, places: Vec::new(), is_crowded: false };
        for class in Self::MENDED {
            let path = endpoints.path_of(class).unwrap_or_default().to_owned();
            endpoints.places.extend(Place::all(class, &path, true));
        }
        endpoints
    }
}

impl Default for Endpoints {
    fn default() -> Self {
        Paths::default().into()
    }
}

impl Endpoints {
    const MENDED: [Class; 4] = [Class::Token, Class::Register, Class::Authorize, Class::Revoke];
    /// Readings of places that are kept.
    const MOST_FURTHER: usize = 256;

    /// The paths of the endpoints that are mended.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Adds a place that a further document names: of a second authorization server, of the other kind of metadata, of mutual
    /// TLS (RFC 8705 section 5). Rules hold there, and nothing is mended.
    pub fn add_further(&mut self, class: Class, path: &str) {
        for place in Place::all(class, path, false) {
            let is_known = self.places.iter().any(|have| have.class == class && have.reading == place.reading);
            if !is_known && self.places.len() >= Self::MOST_FURTHER {
                self.is_crowded = true;
                return;
            }
            if !is_known {
                self.places.push(place);
            }
        }
    }

    /// Whether metadata name more places than are kept. Then a request that changes something may go to any of them.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.is_crowded
    }

    /// The class of the endpoint at this path.
    pub(super) fn class_of(&self, path: &str) -> Option<Class> {
        Self::MENDED.into_iter().find(|class| self.path_of(*class) == Some(path))
    }

    /// The path of the endpoint of a class, if it is one of theirs.
    #[must_use]
    pub fn path_of(&self, class: Class) -> Option<&str> {
        match class {
            Class::Token => Some(&self.paths.token),
            Class::Register => Some(&self.paths.register),
            Class::Authorize => Some(&self.paths.authorize),
            Class::Revoke => Some(&self.paths.revoke),
            _ => None,
        }
    }
}

/// A reading of a place that the upstream's metadata name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) reading: String,
    pub(super) class: Class,
    /// Whether it is one of the endpoints that are mended.
    pub(super) is_mended: bool,
}

impl Place {
    /// A path that metadata name and that is longer is not read: reading one takes time that grows with its length.
    const LONGEST: usize = 256;

    /// Every reading of a place. A place that nobody can read is guarded as it is written.
    pub(super) fn all(class: Class, path: &str, is_mended: bool) -> impl Iterator<Item = Self> {
        let read = Some(path).filter(|path| path.len() <= Self::LONGEST).and_then(readings);
        let read = read.unwrap_or_else(|| vec![bare(path)]);
        // At the root everything would be the endpoint.
        let read = read.into_iter().filter(|reading| reading != "/");
        read.map(move |reading| Self { reading, class, is_mended })
    }
}
