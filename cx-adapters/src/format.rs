//! The formats that cx reads, by name.

use std::fmt;
use std::io::BufRead;
use std::str::FromStr;

use crate::{
    Options, Record, RecordError, chatwoot, csv, jsonl, mail, sendgrid, shopify, twilio, zendesk,
};

/// A format of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Format {
    /// Zendesk: API objects and event webhooks, as JSON.
    Zendesk,
    /// Chatwoot: webhooks, as JSON.
    Chatwoot,
    /// Mail: `.eml` and `mbox`.
    Mail,
    /// Twilio: calls, messages and status callbacks, as JSON.
    Twilio,
    /// Shopify: orders, carts, checkouts, refunds, as JSON.
    Shopify,
    /// SendGrid: event webhooks, as JSON.
    Sendgrid,
    /// cx's own events, one JSON object a line.
    Jsonl,
    /// Tables with a header line.
    Csv,
}

impl Format {
    /// All formats, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::Zendesk,
        Self::Chatwoot,
        Self::Mail,
        Self::Twilio,
        Self::Shopify,
        Self::Sendgrid,
        Self::Jsonl,
        Self::Csv,
    ];

    /// The name, as on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zendesk => "zendesk",
            Self::Chatwoot => "chatwoot",
            Self::Mail => "mail",
            Self::Twilio => "twilio",
            Self::Shopify => "shopify",
            Self::Sendgrid => "sendgrid",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No format has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no format: zendesk, chatwoot, mail, twilio, shopify, sendgrid, jsonl or csv")]
pub struct FormatError {
    /// The name that was read.
    pub name: String,
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(name: &str) -> Result<Self, FormatError> {
        let found = Self::ALL.iter().find(|format| format.name() == name.trim());
        found.copied().ok_or_else(|| FormatError { name: name.to_owned() })
    }
}

/// The same from a reader. Mail, tables and cx's own events are read one by one, so a file may be
/// of any size; JSON of other systems is read as a whole, since a record may name one behind it.
///
/// ```
/// use cx_adapters::{Format, Options, format};
///
/// let table = "kind,channel,direction,occurred_at,phone\n\
///     call,phone,in,2026-03-04T10:02:00+01:00,+31 6 1234 5678\n";
/// let options = Options::of("pbx");
/// let mut events = format::read(Format::Csv, table.as_bytes(), &options);
/// assert_eq!(events.next().unwrap()?.channel.name(), "phone");
/// # Ok::<(), cx_adapters::RecordError>(())
/// ```
pub fn read<'a>(
    format: Format,
    mut reader: impl BufRead + 'a,
    options: &'a Options,
) -> Box<dyn Iterator<Item = Record> + 'a> {
    match format {
        Format::Mail => Box::new(mail::read(reader, options)),
        Format::Jsonl => Box::new(jsonl::read(reader, options)),
        Format::Csv => Box::new(csv::read(reader, csv::ColumnMap::default(), options)),
        Format::Zendesk
        | Format::Chatwoot
        | Format::Twilio
        | Format::Shopify
        | Format::Sendgrid => {
            let mut bytes = Vec::new();
            let failed = reader.read_to_end(&mut bytes).err();
            let failed = failed.map(|error| RecordError::new(format!("cannot be read: {error}")));
            let records: Vec<Record> = events(format, &bytes, options).collect();
            Box::new(records.into_iter().chain(failed.map(Err)))
        }
    }
}

/// The events in the records of one file, and what is wrong with the rest, in the order of the
/// file.
pub fn events<'a>(
    format: Format,
    bytes: &'a [u8],
    options: &'a Options,
) -> Box<dyn Iterator<Item = Record> + 'a> {
    match format {
        Format::Zendesk => zendesk::events(bytes, options),
        Format::Chatwoot => chatwoot::events(bytes, options),
        Format::Twilio => twilio::events(bytes, options),
        Format::Shopify => shopify::events(bytes, options),
        Format::Sendgrid => sendgrid::events(bytes, options),
        Format::Mail => mail::events(bytes, options),
        Format::Jsonl => jsonl::events(bytes, options),
        Format::Csv => csv::events(bytes, options),
    }
}
