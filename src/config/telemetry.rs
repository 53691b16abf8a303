//! `[log]`: what is said of exchanges, and where.

use std::path::PathBuf;

use super::Checker;

/// How lines of the access log look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
    /// Apache's combined log format, for tools that read that.
    Combined,
    Off,
}

impl Checker<'_> {
    pub(super) fn log_format(&mut self) -> Option<Format> {
        self.one("log.format", |text| match text {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            "combined" => Ok(Format::Combined),
            "off" => Ok(Format::Off),
            _ => Err("write text, json, combined or off".into()),
        })
    }

    pub(super) fn log_file(&mut self) -> Option<PathBuf> {
        self.optional("log.file", |text| match text {
            "" => Err("write a file, as in /var/log/mcp-mend/access.log".into()),
            text => Ok(PathBuf::from(text)),
        })
    }
}
