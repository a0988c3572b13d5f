//! How the columns of a table are named: a map from cx's names to the file's.

use std::collections::BTreeMap;
use std::str::FromStr;

/// cx's names of columns. Any other column goes to `extra`; `data.NAME` goes to the kind's data.
pub const NAMES: &[&str] = &[
    "key",
    "id",
    "rev",
    "kind",
    "channel",
    "direction",
    "visibility",
    "actor",
    "actor_id",
    "actor_name",
    "occurred_at",
    "seq",
    "name",
    "email",
    "phone",
    "user_id",
    "external_id",
    "cookie",
    "wa_id",
    "order",
    "role",
    "assurance",
    "conversation",
    "subject",
    "text",
    "lang",
    "source_system",
    "source_instance",
    "source_object",
];

/// How the columns of a table are named, and the zone of times without an offset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    renamed: BTreeMap<String, String>,
    zone: Option<String>,
}

/// Why a text is no map of columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ColumnsError {
    /// A part is not `name=column`.
    #[error("{part:?} is not name=column")]
    Malformed {
        /// The part.
        part: String,
    },
    /// cx has no column of that name.
    #[error("{name:?} is no column of cx{}; there are {known}", did_you_mean(name), known = NAMES.join(", "))]
    Unknown {
        /// The name.
        name: String,
    },
    /// There is no such time zone.
    #[error("{zone:?} is no time zone such as Europe/Amsterdam")]
    UnknownZone {
        /// The zone.
        zone: String,
    },
}

fn did_you_mean(name: &str) -> String {
    let close = NAMES.iter().find(|known| known.contains(name) || name.contains(*known));
    close.map(|known| format!(" (did you mean {known:?}?)")).unwrap_or_default()
}

impl Columns {
    /// The file's name of one of cx's columns: the one it was given, else the same.
    pub fn named<'a>(&'a self, name: &'a str) -> &'a str {
        self.renamed.get(name).map_or(name, String::as_str)
    }

    /// The zone of times without an offset, as an IANA name.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// cx's names that were given another name, and those.
    pub fn renamed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.renamed.iter().map(|(name, column)| (name.as_str(), column.as_str()))
    }
}

impl FromStr for Columns {
    type Err = ColumnsError;

    /// Reads `email=E-mail, occurred_at=Date, zone=Europe/Amsterdam`.
    fn from_str(text: &str) -> Result<Self, ColumnsError> {
        let mut columns = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, column) = part
                .split_once('=')
                .map(|(name, column)| (name.trim(), column.trim()))
                .filter(|(name, column)| !name.is_empty() && !column.is_empty())
                .ok_or_else(|| ColumnsError::Malformed { part: part.to_owned() })?;
            if name == "zone" {
                jiff::tz::TimeZone::get(column)
                    .map_err(|_| ColumnsError::UnknownZone { zone: column.to_owned() })?;
                columns.zone = Some(column.to_owned());
            } else if NAMES.contains(&name) || name.starts_with("data.") {
                columns.renamed.insert(name.to_owned(), column.to_owned());
            } else {
                return Err(ColumnsError::Unknown { name: name.to_owned() });
            }
        }
        Ok(columns)
    }
}
