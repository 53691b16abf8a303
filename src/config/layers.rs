//! Where values come from: the file, the environment, the command line; a later one wins. Nothing is judged here but
//! form: is it TOML, is the key known, is the value of the right kind.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Complaint;
use super::budget::Memory;
use super::settings::{self, Kind, OTEL_VARIABLES, SETTINGS, Setting};
use crate::ranges::Ranges;
use crate::repairs;
use crate::seal::SealKeys;

/// The values of a setting as they were written, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    pub values: Vec<Value>,
}

/// One value and the place to name if it is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub text: String,
    pub place: String,
}

/// All that was given, by key.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    pub given: BTreeMap<&'static str, Given>,
    /// The address ranges that are known, those of `access.ranges_files` included.
    pub ranges: Ranges,
    /// The keys from `seal.key_files`; none if no file is stated.
    pub seal: SealKeys,
    /// The memory that was found.
    pub memory: Memory,
    /// The `[[site]]` tables, in their order.
    pub sites: Vec<SiteLayer>,
    /// Where the table is that this is about, if it is about a site.
    pub place: String,
    /// The files that all this was read from.
    pub files: Vec<PathBuf>,
}

/// What one `[[site]]` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteLayer {
    /// File and line.
    pub place: String,
    pub given: BTreeMap<&'static str, Given>,
}

impl Layers {
    /// Every file whose content matters: the configuration itself, and those that its settings name.
    #[must_use]
    pub fn all_files(&self) -> Vec<PathBuf> {
        let tables = std::iter::once(&self.given).chain(self.sites.iter().map(|site| &site.given));
        let named = tables
            .flatten()
            .filter(|(key, _)| key.ends_with("_file") || key.ends_with("_files"))
            .flat_map(|(_, given)| &given.values)
            .map(|value| PathBuf::from(&value.text));
        let mut files: Vec<PathBuf> = self.files.iter().cloned().chain(named).collect();
        files.sort();
        files.dedup();
        files
    }

    /// Whether a site is described outside of the `[[site]]` tables.
    pub(super) fn names_upstream(&self) -> bool {
        self.given.contains_key("upstream.url")
    }

    /// Where a setting was last given; empty if it was not.
    pub(super) fn place_of(&self, key: &str) -> String {
        let value = self.given.get(key).and_then(|given| given.values.last());
        value.map(|value| value.place.clone()).unwrap_or_default()
    }

    /// Whether both say the same.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.given == other.given && self.sites == other.sites
    }

    /// Replaces what an earlier layer said of the setting. Modes add up: each is about another repair.
    pub fn set(&mut self, setting: &'static Setting, values: Vec<Value>) {
        let given = self.given.entry(setting.key).or_default();
        if setting.kind == Kind::Modes {
            given.values.extend(values);
        } else {
            given.values = values;
        }
    }

    /// Takes in the variables. A list is separated by commas.
    pub fn take_environment(&mut self, lookup: impl Fn(&str) -> Option<String>) {
        self.take_otel(&lookup);
        for setting in SETTINGS {
            let name = setting.variable();
            let Some(text) = lookup(&name).filter(|text| !text.is_empty()) else { continue };
            let values = match setting.kind {
                Kind::List | Kind::Modes => {
                    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
                }
                _ => vec![text],
            };
            self.set(setting, values.into_iter().map(|text| Value { text, place: name.clone() }).collect());
        }
    }

    /// Takes in OpenTelemetry's own variables. The values in its lists are percent-encoded (W3C Baggage).
    fn take_otel(&mut self, lookup: &impl Fn(&str) -> Option<String>) {
        if lookup("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return;
        }
        for (name, key) in OTEL_VARIABLES {
            let text = lookup(name).filter(|text| !text.trim().is_empty());
            let (Some(setting), Some(text)) = (settings::find(key), text) else { continue };
            let decoded = |part: &str| percent_decode_str(part.trim()).decode_utf8_lossy().into_owned();
            let values: Vec<String> = match setting.kind {
                Kind::List => text.split(',').map(decoded).filter(|part| !part.is_empty()).collect(),
                _ => vec![text],
            };
            let place = || (*name).to_owned();
            self.set(setting, values.into_iter().map(|text| Value { text, place: place() }).collect());
        }
    }

    /// Takes in a file, and complains of everything in it that is not a setting.
    pub fn take_file(&mut self, name: &str, text: &str, complaints: &mut Vec<Complaint>) {
        let mut file = File { name, text, layers: self, complaints };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let line = error.span().map_or(1, |span| file.line(&span));
            file.complaints.push(Complaint { place: format!("{name}:{line}"), message: error.message().to_owned() });
        }
        file.table(table.get_ref(), "");
    }
}

struct File<'a> {
    name: &'a str,
    text: &'a str,
    layers: &'a mut Layers,
    complaints: &'a mut Vec<Complaint>,
}

impl File<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        self.text.get(..span.start).unwrap_or_default().matches('\n').count() + 1
    }

    fn place(&self, span: &Range<usize>) -> String {
        format!("{}:{}", self.name, self.line(span))
    }

    fn complain(&mut self, span: &Range<usize>, message: String) {
        let place = self.place(span);
        self.complaints.push(Complaint { place, message });
    }

    fn table(&mut self, table: &DeTable<'_>, prefix: &str) {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            if key == "repairs" {
                self.modes(value, "");
            } else if key == "site" {
                self.sites(value);
            } else if let Some(setting) = settings::find(&key) {
                self.setting(setting, value);
            } else if let (Some(setting), DeValue::String(_)) = (settings::find(&format!("{key}.url")), value.get_ref())
            {
                // `upstream = "http://..."` is the short form of `upstream.url`.
                self.setting(setting, value);
            } else if let DeValue::Table(inner) = value.get_ref()
                && SETTINGS.iter().any(|setting| setting.key.starts_with(&format!("{key}.")))
            {
                self.table(inner, &format!("{key}."));
            } else {
                let hint = nearest(&key).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                self.complain(&name.span(), format!("`{key}` is no setting{hint}"));
            }
        }
    }

    /// `[[site]]`: what may differ between sites.
    fn sites(&mut self, value: &Spanned<DeValue<'_>>) {
        let DeValue::Array(tables) = value.get_ref() else {
            return self.complain(&value.span(), "`site` is a list of tables; write [[site]] above each".into());
        };
        for table in tables {
            let DeValue::Table(members) = table.get_ref() else {
                self.complain(&table.span(), "a site is a table; write [[site]] above it".into());
                continue;
            };
            // The table's own span may begin behind its head.
            let at = members.iter().map(|(name, _)| name.span().start).chain([table.span().start]).min();
            let at = at.unwrap_or_default();
            let mut layers = Layers::default();
            let mut site = File { name: self.name, text: self.text, layers: &mut layers, complaints: self.complaints };
            site.table(members, "");
            let place = self.place(&(at..at));
            for (key, given) in &layers.given {
                if !settings::is_of_a_site(key) {
                    let place = given.values.first().map_or_else(|| place.clone(), |value| value.place.clone());
                    let message = format!("`{key}` is the same for all sites; write it above the first [[site]]");
                    self.complaints.push(Complaint { place, message });
                }
            }
            self.layers.sites.push(SiteLayer { place, given: layers.given });
        }
    }

    fn setting(&mut self, setting: &'static Setting, value: &Spanned<DeValue<'_>>) {
        let span = value.span();
        let values = match (setting.kind, value.get_ref()) {
            (Kind::Text, DeValue::String(text)) => vec![(text.to_string(), span.clone())],
            (Kind::Switch, DeValue::Boolean(on)) => vec![(on.to_string(), span.clone())],
            (Kind::Number, DeValue::Integer(number)) => vec![(number.as_str().replace('_', ""), span.clone())],
            (Kind::Number, DeValue::Float(number)) => vec![(number.as_str().replace('_', ""), span.clone())],
            (Kind::List, DeValue::Array(list)) => {
                let mut values = Vec::new();
                for member in list {
                    match member.get_ref() {
                        DeValue::String(text) => values.push((text.to_string(), member.span())),
                        _ => self.complain(&member.span(), format!("`{}` holds strings", setting.key)),
                    }
                }
                values
            }
            (kind, _) => {
                let wanted = match kind {
                    Kind::Text => "a string in quotes",
                    Kind::Switch => "true or false",
                    Kind::Number => "a number",
                    Kind::List => "a list of strings, such as [\"...\"]",
                    Kind::Modes => "a table",
                };
                return self.complain(&span, format!("`{}` must be {wanted}", setting.key));
            }
        };
        let values = values.into_iter().map(|(text, span)| Value { text, place: self.place(&span) }).collect();
        self.layers.set(setting, values);
    }

    /// `[repairs]`: an id is a dotted key, so a group is a table.
    fn modes(&mut self, value: &Spanned<DeValue<'_>>, prefix: &str) {
        let (Some(setting), DeValue::Table(table)) = (settings::find("repairs"), value.get_ref()) else {
            let message = "`repairs` must be a table of ids and modes, such as cors.origin = \"off\"".to_owned();
            return self.complain(&value.span(), message);
        };
        for (name, value) in table {
            let id = format!("{prefix}{}", name.get_ref());
            match value.get_ref() {
                DeValue::Table(_) => self.modes(value, &format!("{id}.")),
                DeValue::String(mode) => {
                    let place = self.place(&name.span());
                    self.layers.set(setting, vec![Value { text: format!("{id}={mode}"), place }]);
                }
                _ => self.complain(&value.span(), format!("`{id}` must be \"off\", \"observe\" or \"fix\"")),
            }
        }
    }
}

fn nearest(key: &str) -> Option<&'static str> {
    SETTINGS
        .iter()
        .map(|setting| (strsim::jaro_winkler(key, setting.key), setting.key))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, key)| key)
        // An id at the top level belongs under [repairs].
        .or_else(|| repairs::find(key).map(|_| "repairs"))
}
