//! Which column of a table means what.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use cx_core::identifier::Namespace;
use jiff::tz::TimeZone;

use crate::RecordError;

macro_rules! columns {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// What a column of a table can mean.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Column {
            $($(#[$doc])* $variant,)*
            /// An identifier of the person: `email`, `phone`, or any namespace, with a scope after
            /// `@` where it needs another than the source: `loyalty@acme`.
            Identifier(Namespace, Option<String>),
            /// A field of the kind: `data.duration_s`.
            Data(String),
        }

        impl Column {
            /// The names of the columns that have one meaning each.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The column of that name; `None` for a name that cx does not know.
            pub fn from_name(name: &str) -> Option<Self> {
                let name = name.trim();
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => Self::of_family(name),
                }
            }

            /// The name of the column.
            pub fn name(&self) -> String {
                match self {
                    $(Self::$variant => $name.to_owned(),)*
                    Self::Identifier(namespace, None) => namespace.to_string(),
                    Self::Identifier(namespace, Some(scope)) => format!("{namespace}@{scope}"),
                    Self::Data(field) => format!("data.{field}"),
                }
            }
        }
    };
}

columns! {
    /// What makes two deliveries of one row the same event.
    Key = "key";
    /// The version of the row.
    Rev = "rev";
    /// What happened: a kind such as `message`.
    Kind = "kind";
    /// Where it happened.
    Channel = "channel";
    /// Which way it went: `in`, `out` or `none`.
    Direction = "direction";
    /// Whether the customer could see it: `public` or `internal`.
    Visibility = "visibility";
    /// When it happened.
    OccurredAt = "occurred_at";
    /// How good that instant is: `event`, `created`, `received` or `import`.
    OccurredAtOrigin = "occurred_at_origin";
    /// The order among rows with the same instant: a whole number.
    Seq = "seq";
    /// What kind of actor did it.
    Actor = "actor";
    /// The actor's id at the source.
    ActorId = "actor_id";
    /// The actor's name.
    ActorName = "actor_name";
    /// The name of the person it is about.
    Name = "name";
    /// In which role the identifiers name that person.
    Role = "role";
    /// How well the identifiers are proved.
    Assurance = "assurance";
    /// The conversation it belongs to.
    Conversation = "conversation";
    /// What the conversation or message is about.
    Subject = "subject";
    /// What it answers.
    ReplyTo = "reply_to";
    /// What was written or said.
    Text = "text";
    /// The language of the text, as a BCP 47 tag.
    Lang = "lang";
    /// The system the row comes from.
    SourceSystem = "source_system";
    /// The account in that system.
    SourceInstance = "source_instance";
    /// What the row is there.
    SourceObject = "source_object";
    /// Its id there.
    SourceId = "source_id";
}

impl Column {
    fn of_family(name: &str) -> Option<Self> {
        if let Some(field) = name.strip_prefix("data.").filter(|field| !field.is_empty()) {
            return Some(Self::Data(field.to_owned()));
        }
        let (namespace, scope) = match name.split_once('@') {
            Some((namespace, scope)) => (namespace, Some(scope.to_owned())),
            None => (name, None),
        };
        let namespace = Namespace::from_name(namespace);
        let is_known = Namespace::NAMED.contains(&namespace);
        // The conversation is a column of its own.
        (is_known && namespace != Namespace::Conversation)
            .then_some(Self::Identifier(namespace, scope))
    }
}

/// Why a text is no map of columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ColumnMapError {
    /// Neither `column=name` nor `column:=value`.
    #[error("{text:?}: neither COLUMN=NAME nor COLUMN:=VALUE")]
    Malformed {
        /// What was read.
        text: String,
    },
    /// cx has no such column.
    #[error("{name:?}: no column of cx; columns are {}, identifiers such as email, and data.FIELD", Column::NAMES.join(", "))]
    UnknownColumn {
        /// What was read.
        name: String,
    },
    /// The same column twice.
    #[error("{name}: twice")]
    Twice {
        /// The column.
        name: String,
    },
    /// Not a time zone of the IANA database.
    #[error("{name:?}: no time zone; one is Europe/Amsterdam")]
    UnknownZone {
        /// What was read.
        name: String,
    },
    /// Decimals stand behind a comma or a dot.
    #[error("{text:?}: no mark of decimals; one is , or .")]
    Decimal {
        /// What was read.
        text: String,
    },
    /// A delimiter is one ASCII character that is no quotation mark.
    #[error("{text:?}: no delimiter; one is ; or tab")]
    Delimiter {
        /// What was read.
        text: String,
    },
}

/// How a table's columns are called, and what is the same in all its rows.
///
/// Read from pairs with commas or line ends between them: `email=E-mail` says that the table calls
/// the column `email` `E-mail`; `channel:=phone` gives a value to every row that has none in such
/// a column. Beside the columns there are four settings: `zone:=Europe/Amsterdam` (where times
/// without an offset are written), `time_format:=%d-%m-%Y %H:%M` (as in `strftime`), `delimiter:=;` and
/// `decimal:=","` (how numbers in `data.FIELD` are written). Names and values with commas stand in
/// quotation marks.
///
/// Columns of cx's own names need no entry; in a table that calls another column so, the entry
/// wins. Of an identifier there may be several columns, and all count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnMap {
    /// Of identifiers a table may have several.
    names: BTreeMap<Column, Vec<String>>,
    constants: BTreeMap<Column, (String, String)>,
    zone: Option<TimeZone>,
    time_format: Option<String>,
    delimiter: Option<u8>,
    decimal: Option<char>,
}

impl FromStr for ColumnMap {
    type Err = ColumnMapError;

    fn from_str(text: &str) -> Result<Self, ColumnMapError> {
        let mut map = Self::default();
        for pair in pairs(text) {
            map.add(&pair)?;
        }
        Ok(map)
    }
}

/// The parts of a text between commas and line ends that stand outside quotation marks.
fn pairs(text: &str) -> Vec<String> {
    let mut pairs = vec![String::new()];
    let mut is_quoted = false;
    for character in text.chars() {
        is_quoted ^= character == '"';
        match (character, pairs.last_mut()) {
            (',' | '\n', _) if !is_quoted => pairs.push(String::new()),
            (_, Some(last)) => last.push(character),
            (_, None) => {}
        }
    }
    pairs.retain(|pair| !pair.trim().is_empty());
    pairs
}

impl ColumnMap {
    fn add(&mut self, pair: &str) -> Result<(), ColumnMapError> {
        let malformed = || ColumnMapError::Malformed { text: pair.trim().to_owned() };
        let (name, value) = pair.split_once('=').ok_or_else(malformed)?;
        let (name, is_constant) = match name.strip_suffix(':') {
            Some(name) => (name.trim(), true),
            None => (name.trim(), false),
        };
        let value = value.trim();
        let value =
            value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        if value.is_empty() {
            return Err(malformed());
        }
        match name {
            "zone" => {
                let zone = TimeZone::get(value)
                    .map_err(|_| ColumnMapError::UnknownZone { name: value.to_owned() })?;
                self.zone = Some(zone);
                return Ok(());
            }
            "time_format" => {
                self.time_format = Some(value.to_owned());
                return Ok(());
            }
            "delimiter" => {
                self.delimiter = Some(delimiter(value)?);
                return Ok(());
            }
            "decimal" => {
                self.decimal = match value {
                    "," => Some(','),
                    "." => Some('.'),
                    _ => return Err(ColumnMapError::Decimal { text: value.to_owned() }),
                };
                return Ok(());
            }
            _ => {}
        }
        let unknown = || ColumnMapError::UnknownColumn { name: name.to_owned() };
        let column = Column::from_name(name).ok_or_else(unknown)?;
        let is_twice = if is_constant {
            self.constants.insert(column, (name.to_owned(), value.to_owned())).is_some()
        } else {
            let is_identifier = matches!(column, Column::Identifier(..));
            let names = self.names.entry(column).or_default();
            let is_twice = names.iter().any(|other| is_same(other, value))
                || !is_identifier && !names.is_empty();
            names.push(value.to_owned());
            is_twice
        };
        if is_twice { Err(ColumnMapError::Twice { name: name.to_owned() }) } else { Ok(()) }
    }

    pub(super) const fn delimiter(&self) -> Option<u8> {
        self.delimiter
    }

    /// The map, laid over a table's header line.
    pub(super) fn over(self, header: &[String]) -> Result<Columns, RecordError> {
        let names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        let mut positions: BTreeMap<Column, Vec<usize>> = BTreeMap::new();
        let mut unknown = Vec::new();
        let mut seen = BTreeSet::new();
        for name in names.iter().filter(|name| !name.is_empty()) {
            if !seen.insert(name.to_lowercase()) {
                return Err(RecordError::new("two columns have this name").at(name.as_str()));
            }
        }
        for (column, name) in
            self.names.iter().flat_map(|(column, names)| names.iter().map(move |it| (column, it)))
        {
            if !names.iter().any(|other| is_same(other, name)) {
                let problem = format!("no such column, for {}", column.name());
                return Err(RecordError::new(problem).at(name.as_str()));
            }
        }
        for (position, name) in names.iter().enumerate() {
            let is_it = |others: &Vec<String>| others.iter().any(|other| is_same(name, other));
            let mut mapped = self.names.iter().filter(|(_, others)| is_it(others)).peekable();
            if mapped.peek().is_some() {
                for (column, _) in mapped {
                    positions.entry(column.clone()).or_default().push(position);
                }
                continue;
            }
            let own = Column::from_name(&name.to_ascii_lowercase()).filter(|column| {
                matches!(column, Column::Identifier(..)) || !self.names.contains_key(column)
            });
            match own {
                Some(column) => positions.entry(column).or_default().push(position),
                None => unknown.push(position),
            }
        }
        if positions.is_empty() {
            let problem = "no column that cx knows, such as kind, occurred_at, email; --columns \
                says how the table calls them";
            return Err(RecordError::new(problem).with_value(&names.join(" ")));
        }
        for column in self.constants.keys() {
            positions.entry(column.clone()).or_default();
        }
        Ok(Columns { names, positions, unknown, map: self })
    }
}

/// Names are the same in any case.
fn is_same(name: &str, other: &str) -> bool {
    name.trim().to_lowercase() == other.trim().to_lowercase()
}

fn delimiter(text: &str) -> Result<u8, ColumnMapError> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err(ColumnMapError::Delimiter { text: text.to_owned() }),
    }
}

/// A table's columns, by what they mean.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    /// The names in the header line.
    pub(super) names: Vec<String>,
    positions: BTreeMap<Column, Vec<usize>>,
    unknown: Vec<usize>,
    map: ColumnMap,
}

impl Columns {
    /// Every column that a row may say something in.
    pub(super) fn columns(&self) -> impl Iterator<Item = &Column> {
        self.positions.keys()
    }

    pub(super) fn positions(&self, column: &Column) -> impl Iterator<Item = usize> {
        self.positions.get(column).into_iter().flatten().copied()
    }

    pub(super) fn unknown(&self) -> impl Iterator<Item = usize> {
        self.unknown.iter().copied()
    }

    pub(super) fn constant(&self, column: &Column) -> Option<(&str, &str)> {
        self.map.constants.get(column).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What the table calls the column, or would.
    pub(super) fn name_of(&self, column: &Column) -> String {
        self.map
            .names
            .get(column)
            .and_then(|names| names.first())
            .cloned()
            .unwrap_or_else(|| column.name())
    }

    pub(super) const fn zone(&self) -> Option<&TimeZone> {
        self.map.zone.as_ref()
    }

    /// The mark before decimals, if the table's own is told.
    pub(super) const fn decimal(&self) -> Option<char> {
        self.map.decimal
    }

    pub(super) fn time_format(&self) -> Option<&str> {
        self.map.time_format.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_reads_back_its_name() {
        for name in Column::NAMES.iter().copied().chain(["email", "loyalty@acme", "data.x"]) {
            assert_eq!(Column::from_name(name).unwrap().name(), name);
        }
        assert_eq!(Column::from_name("E-mail"), None);
    }

    #[test]
    fn a_map_says_what_is_wrong_with_it() {
        let error = |text: &str| text.parse::<ColumnMap>().unwrap_err().to_string();
        assert_eq!(error("email"), "\"email\": neither COLUMN=NAME nor COLUMN:=VALUE");
        assert!(error("mail=E-mail").starts_with("\"mail\": no column of cx; columns are key, "));
        assert_eq!(error("text=A, text=B"), "text: twice");
        assert_eq!(
            error("zone:=Amsterdam"),
            "\"Amsterdam\": no time zone; one is Europe/Amsterdam"
        );
        assert_eq!(error("email=A, email=a"), "email: twice");
        assert_eq!(error("decimal:=x"), "\"x\": no mark of decimals; one is , or .");
        assert_eq!(error("delimiter:=::"), "\"::\": no delimiter; one is ; or tab");
    }

    #[test]
    fn names_with_commas_stand_in_quotation_marks() {
        let map: ColumnMap = "email=\"E-mail, private\"\nchannel:=email".parse().unwrap();
        let columns = map.over(&["e-mail, private".to_owned()]).unwrap();
        let email = Column::from_name("email").unwrap();
        assert_eq!(columns.positions(&email).collect::<Vec<_>>(), [0]);
    }
}
