//! Tables: one event a row, with a header line.

mod columns;
mod rows;
mod cell;

use std::io::BufRead;

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::{
    Body, ConversationRef, Direction, Event, Kind, Source, TimeOrigin, Visibility,
};
use cx_core::identifier::{Assurance, Claim, IdentifierError, Namespace, Role};
use cx_core::ids::{ConversationKey, EventKey};
use cx_core::money::{Money, MoneyError};
use cx_core::time::{Timestamp, UtcOffset};
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Options, Record, RecordError};

use columns::Columns;
pub use columns::{Column, ColumnMap, ColumnMapError};
use rows::{Row, Rows};

/// The longest row that is read, in bytes: 1 MiB.
pub const ROW_LIMIT: usize = 1 << 20;

/// The events in a table whose columns have cx's own names. See [`Column`].
///
/// The delimiter (`,`, `;`, tab or `|`) is told by the header line. Columns of other names are
/// kept as `extra`; empty cells say nothing.
///
/// ```
/// let table = b"kind,channel,direction,occurred_at,phone\n\
///     call,phone,in,2026-03-04T10:02:00+01:00,+31 6 1234 5678\n";
/// let options = cx_adapters::Options::of("pbx");
/// let event = cx_adapters::csv::events(table, &options).next().unwrap()?;
/// assert_eq!(event.who[0].identifier().to_string(), "phone:+31612345678");
/// # Ok::<(), cx_adapters::RecordError>(())
/// ```
pub fn events<'a>(bytes: &'a [u8], options: &'a Options) -> Box<dyn Iterator<Item = Record> + 'a> {
    Box::new(read(bytes, ColumnMap::default(), options))
}

/// The events in a table whose columns are named by the map, from a reader: one row at a time is
/// in memory, none longer than [`ROW_LIMIT`].
///
/// ```
/// let table = "Datum;Klant;Bericht\n2-3-2026 9:00;jan@example.nl;Waar is mijn pakket?\n";
/// let map = "occurred_at=Datum, email=Klant, text=Bericht, kind:=message, channel:=email, \
///     direction:=in, zone:=Europe/Amsterdam, time_format:=%d-%m-%Y %H:%M".parse()?;
/// let options = cx_adapters::Options::of("shop");
/// let event = cx_adapters::csv::read(table.as_bytes(), map, &options).next().unwrap()?;
/// assert_eq!(event.occurred_at.to_string(), "2026-03-02T08:00:00Z");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read<'a>(
    reader: impl BufRead + 'a,
    map: ColumnMap,
    options: &'a Options,
) -> impl Iterator<Item = Record> + 'a {
    let mut rows = Rows::new(reader, ROW_LIMIT, map.delimiter());
    let mut table: Option<Table<'a>> = None;
    let mut map = Some(map);
    std::iter::from_fn(move || {
        loop {
            // Without its header line nothing says what stands in the rows.
            if table.is_none() && map.is_none() {
                return None;
            }
            let row = match rows.next()? {
                Ok(row) => row,
                Err(error) => {
                    map = None;
                    return Some(Err(error));
                }
            };
            if let Some(table) = &table {
                return Some(table.event(&row).map_err(|error| error.on_line(row.line)));
            }
            match map.take()?.over(&row.cells) {
                Ok(columns) => table = Some(Table { columns, options }),
                Err(error) => return Some(Err(error.on_line(row.line))),
            }
        }
    })
}

/// The columns of a table that cx does not know, by their names: what stands in them is kept as
/// `extra`. Only the header line is read; of one that is refused there are none.
///
/// ```
/// let names = cx_adapters::csv::unknown_columns(&b"kind,Status,email\n"[..], Default::default());
/// assert_eq!(names, ["Status"]);
/// ```
pub fn unknown_columns(reader: impl BufRead, map: ColumnMap) -> Vec<String> {
    let header = Rows::new(reader, ROW_LIMIT, map.delimiter()).next();
    let columns = header.and_then(Result::ok).and_then(|row| map.over(&row.cells).ok());
    let Some(columns) = columns else { return Vec::new() };
    let names = columns.unknown().filter_map(|position| columns.names.get(position));
    names.filter(|name| !name.is_empty()).cloned().collect()
}

/// The instant that a cell of the column `occurred_at` tells, and the offset with which it does; of
/// one without an offset, as clocks in the zone showed it.
///
/// # Errors
/// What is wrong with it, in words.
///
/// ```
/// let (at, offset) = cx_adapters::csv::instant("2026-03-02 09:00+0100", None)?;
/// assert_eq!((at.to_string(), offset.is_some()), ("2026-03-02T08:00:00Z".to_owned(), true));
/// # Ok::<(), String>(())
/// ```
pub fn instant(
    text: &str,
    zone: Option<&TimeZone>,
) -> Result<(Timestamp, Option<UtcOffset>), String> {
    cell::moment(text.trim(), zone, None).map(|moment| (moment.at, moment.offset))
}

/// The key of the event that a row is, where `key` stands in the column of that name: as it stands, if
/// it is a whole one (`SYSTEM:INSTANCE/OBJECT/ID`), else within its source.
///
/// ```
/// # use cx_core::event::Source;
/// let (system, object) = ("pbx".to_owned(), "row".to_owned());
/// let source = Source { system, object, ..Source::default() };
/// assert_eq!(cx_adapters::csv::event_key(&source, "17"), "pbx/row/17");
/// ```
pub fn event_key(source: &Source, key: &str) -> String {
    if is_whole(key, source) {
        return key.to_owned();
    }
    format!("{}/{}/{key}", source.scope(), source.object)
}

/// The same of the column `conversation`: `42` becomes `pbx/conversation/42`.
pub fn conversation_key(source: &Source, key: &str) -> String {
    if is_whole(key, source) {
        return key.to_owned();
    }
    format!("{}/conversation/{key}", source.scope())
}

/// A table of which the header line is read.
struct Table<'a> {
    columns: Columns,
    options: &'a Options,
}

impl Table<'_> {
    fn event(&self, row: &Row) -> Record {
        let (names, cells) = (self.columns.names.len(), row.cells.len());
        if cells > names && row.cells.iter().skip(names).any(|cell| !cell.is_empty()) {
            let problem = format!("{cells} cells, and the header line has {names}");
            return Err(RecordError::new(problem).with_value(&row.cells.join(" ")));
        }
        let record = Cells { columns: &self.columns, row, options: self.options };
        record.event()
    }
}

/// A row with the names of its columns.
#[derive(Clone, Copy)]
struct Cells<'a> {
    columns: &'a Columns,
    row: &'a Row,
    options: &'a Options,
}

/// What stands in a cell, and the name that the table gives its column.
#[derive(Clone, Copy)]
struct Cell<'a> {
    name: &'a str,
    value: &'a str,
}

impl Cell<'_> {
    fn problem(self, problem: impl Into<String>) -> RecordError {
        RecordError::new(problem).at(self.name).with_value(self.value)
    }
}

impl<'a> Cells<'a> {
    /// The cell of a column; a constant of the map where the table has no such cell.
    fn cell(self, column: &Column) -> Option<Cell<'a>> {
        self.cells(column).next().or_else(|| {
            let (name, value) = self.columns.constant(column)?;
            Some(Cell { name, value })
        })
    }

    /// The cells of a column that say anything: a table may have several of one meaning.
    fn cells(self, column: &Column) -> impl Iterator<Item = Cell<'a>> {
        let cells = self.columns.positions(column).filter_map(move |position| {
            let value = self.row.cells.get(position)?.trim();
            Some(Cell { name: self.columns.names.get(position)?, value })
        });
        cells.filter(|cell| !cell.value.is_empty())
    }

    fn text(self, column: &Column) -> Option<String> {
        self.cell(column).map(|cell| cell.value.to_owned())
    }

    /// A cell with one word of a closed list, in any case: `In`, `staff verified`.
    fn word<T: DeserializeOwned>(self, column: &Column) -> Result<Option<T>, RecordError> {
        let Some(cell) = self.cell(column) else { return Ok(None) };
        let word = cell.value.to_ascii_lowercase().replace([' ', '-'], "_");
        let word = match (column, word.as_str()) {
            (Column::Direction, "inbound" | "incoming") => "in".to_owned(),
            (Column::Direction, "outbound" | "outgoing") => "out".to_owned(),
            _ => word,
        };
        let read = serde_json::from_value(Value::String(word));
        read.map(Some).map_err(|error| cell.problem(error.to_string()))
    }

    fn event(self) -> Record {
        let source = self.source();
        let (moment, origin) = self.moment()?;
        let mut event = Event::new(self.key(&source)?, source, self.kind()?, moment.at);
        event.utc_offset = moment.offset;
        event.occurred_at_origin = origin;
        event.rev = self.text(&Column::Rev);
        event.channel = self.cell(&Column::Channel).map_or(Channel::Other(String::new()), |cell| {
            Channel::from_name(&cell.value.to_ascii_lowercase())
        });
        event.direction = self.direction(&event.kind)?;
        event.visibility = self.word(&Column::Visibility)?.unwrap_or(match event.kind {
            Kind::Note(_) => Visibility::Internal,
            _ => Visibility::Public,
        });
        event.actor = self.actor(event.direction)?;
        event.name = self.text(&Column::Name);
        event.conversation = self.conversation(&event.source)?;
        event.seq = match self.cell(&Column::Seq) {
            Some(cell) => Some(cell.value.parse().map_err(|_| cell.problem("not a whole number"))?),
            None => None,
        };
        event.body = self
            .text(&Column::Text)
            .map(|text| Body { lang: self.text(&Column::Lang), ..Body::text(text) });
        event.extra = self.extra();
        self.keep_unplaced(&mut event);
        self.claim(&mut event)?;
        Ok(event)
    }

    fn source(self) -> Source {
        let text = |column| self.text(&column);
        Source {
            system: text(Column::SourceSystem).unwrap_or_else(|| "csv".to_owned()),
            instance: text(Column::SourceInstance)
                .unwrap_or_else(|| self.options.instance.trim().to_owned()),
            object: text(Column::SourceObject).unwrap_or_else(|| "row".to_owned()),
            id: text(Column::SourceId).or_else(|| text(Column::Key)).unwrap_or_default(),
        }
    }

    /// The key as it stands, if it is a whole one; else within the source: `csv:acme/row/17`. Without
    /// one a hash of the row, so that the same row is the same event.
    fn key(self, source: &Source) -> Result<EventKey, RecordError> {
        let key = match self.cell(&Column::Key).or_else(|| self.cell(&Column::SourceId)) {
            Some(cell) => event_key(source, cell.value),
            None => format!("{}/{}/sha/{}", source.scope(), source.object, self.fingerprint()),
        };
        EventKey::new(key).map_err(|error| RecordError::new(error.to_string()))
    }

    fn fingerprint(self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("cx row without a key 1");
        let mut add = |text: &str| {
            let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
            hasher.update(&length.to_le_bytes());
            hasher.update(text.as_bytes());
        };
        for (name, cell) in self.columns.names.iter().zip(&self.row.cells) {
            if !cell.trim().is_empty() {
                add(name.trim());
                add(cell.trim());
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    fn moment(self) -> Result<(cell::Moment, TimeOrigin), RecordError> {
        let Some(cell) = self.cell(&Column::OccurredAt) else {
            // A row that is cut short, or a sum below the table, has no time: it is not of now.
            let missing =
                || RecordError::new("missing").at(self.columns.name_of(&Column::OccurredAt));
            if self.columns.positions(&Column::OccurredAt).next().is_some() {
                return Err(missing());
            }
            let at = self.options.received_at.ok_or_else(missing)?;
            return Ok((cell::Moment { at, offset: None }, TimeOrigin::Import));
        };
        let moment = cell::moment(cell.value, self.columns.zone(), self.columns.time_format());
        let origin = self.word(&Column::OccurredAtOrigin)?.unwrap_or_default();
        Ok((moment.map_err(|problem| cell.problem(problem))?, origin))
    }

    fn kind(self) -> Result<Kind, RecordError> {
        let Some(cell) = self.cell(&Column::Kind) else {
            return Err(RecordError::new("missing").at(self.columns.name_of(&Column::Kind)));
        };
        let name = cell.value.to_ascii_lowercase();
        let cells: Vec<(&str, Cell<'_>)> = self.data_cells().collect();
        let mut data: Map<String, Value> = cells
            .iter()
            .map(|(field, cell)| {
                let decimal = self.columns.decimal();
                let value = match cell::value(cell.value, decimal) {
                    // An amount is text, and not the text of the cell.
                    Value::Number(number) if decimal.is_some() && AMOUNTS.contains(field) => {
                        Value::String(number.to_string())
                    }
                    value => value,
                };
                ((*field).to_owned(), value)
            })
            .collect();
        if matches!(name.as_str(), "message")
            && let Some(subject) = self.text(&Column::Subject)
        {
            data.entry("subject").or_insert_with(|| subject.into());
        }
        precise(&cells, &data)?;
        // A number may be a name (`order_id`): what cannot be read as a value is tried as text.
        loop {
            let error = match Kind::from_json(&name, data.clone()) {
                Ok(kind) => return Ok(kind),
                Err(error) => error,
            };
            let field = error.pointer.strip_prefix("/data/").unwrap_or_default();
            let cell = cells.iter().find(|(name, _)| *name == field).map(|(_, cell)| *cell);
            match (cell, data.get_mut(field)) {
                (Some(cell), Some(value)) if !value.is_string() => *value = cell.value.into(),
                (Some(cell), _) => return Err(cell.problem(error.problem)),
                (None, _) => return Err(RecordError::from(error)),
            }
        }
    }

    /// The fields of the kind: columns `data.FIELD`.
    fn data_cells(self) -> impl Iterator<Item = (&'a str, Cell<'a>)> {
        self.columns.columns().filter_map(move |column| match column {
            Column::Data(field) => Some((field.as_str(), self.cell(column)?)),
            _ => None,
        })
    }

    /// Which way it went: as the row says, else as it follows from who said it.
    fn direction(self, kind: &Kind) -> Result<Direction, RecordError> {
        if let Some(direction) = self.word(&Column::Direction)? {
            return Ok(direction);
        }
        let actor: Option<ActorType> = self.word(&Column::Actor)?;
        Ok(match actor {
            Some(ActorType::Customer | ActorType::Contact) if kind.is_talk() => Direction::In,
            Some(ActorType::Agent | ActorType::Bot | ActorType::Ai | ActorType::Automation)
                if kind.is_talk() =>
            {
                Direction::Out
            }
            _ => Direction::None,
        })
    }

    fn actor(self, direction: Direction) -> Result<Actor, RecordError> {
        let kind = self.word(&Column::Actor)?.unwrap_or(match direction {
            Direction::In => ActorType::Customer,
            Direction::Out => ActorType::Agent,
            Direction::None => ActorType::Unknown,
        });
        let mut actor = Actor::of(kind);
        actor.id = self.text(&Column::ActorId);
        actor.name = self.text(&Column::ActorName);
        Ok(actor)
    }

    /// The conversation's key as it stands, if it is a whole one; else within the source.
    fn conversation(self, source: &Source) -> Result<Option<ConversationRef>, RecordError> {
        let Some(cell) = self.cell(&Column::Conversation) else { return Ok(None) };
        let key = ConversationKey::new(conversation_key(source, cell.value))
            .map_err(|error| cell.problem(error.to_string()))?;
        Ok(Some(ConversationRef {
            subject: self.text(&Column::Subject),
            reply_to: self.text(&Column::ReplyTo),
            ..ConversationRef::of(key)
        }))
    }

    /// Claims the identifiers. What is none (`n/a`, `noreply@`, our own) is kept as `extra`.
    fn claim(self, event: &mut Event) -> Result<(), RecordError> {
        let role = self.word(&Column::Role)?.unwrap_or(match event.direction {
            Direction::In => Role::From,
            Direction::Out => Role::To,
            Direction::None => Role::Subject,
        });
        let assurance = self.word(&Column::Assurance)?.unwrap_or(Assurance::ChannelProved);
        for column in self.columns.columns() {
            let Column::Identifier(namespace, scope) = column else { continue };
            let own = event.source.scope();
            let scope = match scope {
                Some(scope) => scope.as_str(),
                None if *namespace == Namespace::UserId || !namespace.is_scoped() => "",
                None => own.as_str(),
            };
            let mut cells: Vec<Cell<'_>> = self.cells(column).collect();
            if cells.is_empty() {
                cells.extend(self.cell(column));
            }
            for cell in cells {
                let claim = match namespace {
                    Namespace::Phone => {
                        Claim::phone(cell.value, self.options.region.as_deref(), role, assurance)
                    }
                    _ => Claim::scoped(namespace.clone(), scope, cell.value, role, assurance),
                };
                match claim {
                    Ok(claim) if !self.is_own(&claim) => {
                        // The same in two columns is said once.
                        if !event.who.contains(&claim) {
                            event.who.push(claim);
                        }
                    }
                    Ok(_) | Err(IdentifierError::Placeholder | IdentifierError::Nobody) => {
                        event.extra.insert(cell.name.to_owned(), cell.value.into());
                    }
                    Err(error) => return Err(cell.problem(error.to_string())),
                }
            }
        }
        Ok(())
    }

    fn is_own(self, claim: &Claim) -> bool {
        match claim.identifier().namespace() {
            Namespace::Email => self.options.is_own_address(claim.raw()),
            _ => self.options.is_own_number(claim.identifier()),
        }
    }

    /// What the row says of a conversation or a text that it does not have is kept as `extra`.
    fn keep_unplaced(self, event: &mut Event) {
        let is_of_message = matches!(event.kind, Kind::Message(_));
        let (has_thread, has_text) = (event.conversation.is_some(), event.body.is_some());
        for (column, has_place) in [
            (Column::Subject, has_thread || is_of_message),
            (Column::ReplyTo, has_thread),
            (Column::Lang, has_text),
        ] {
            if let Some(cell) = self.cell(&column).filter(|_| !has_place) {
                event.extra.insert(cell.name.to_owned(), cell.value.into());
            }
        }
    }

    /// The cells of columns that cx does not know, by the names that the table gives them.
    fn extra(self) -> Map<String, Value> {
        let unknown = self.columns.unknown().filter_map(|position| {
            let name = self.columns.names.get(position).filter(|name| !name.is_empty());
            let cell = self.row.cells.get(position).filter(|cell| !cell.trim().is_empty())?;
            let name = name.cloned().unwrap_or_else(|| format!("column {}", position + 1));
            Some((name, Value::String(cell.clone())))
        });
        unknown.collect()
    }
}

/// The fields of kinds that are amounts of money.
const AMOUNTS: &[&str] = &["total", "amount"];

/// Whether an amount has no more decimals than its currency: `1.234` may be a thousand euros and more.
fn precise(cells: &[(&str, Cell<'_>)], data: &Map<String, Value>) -> Result<(), RecordError> {
    let Some(currency) = data.get("currency").and_then(Value::as_str) else { return Ok(()) };
    for (field, cell) in cells.iter().filter(|(field, _)| AMOUNTS.contains(field)) {
        let amount = match data.get(*field) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => continue,
        };
        if let Err(error @ MoneyError::TooPrecise { .. }) = Money::parse(&amount, currency) {
            return Err(cell.problem(error.to_string()));
        }
    }
    Ok(())
}

/// Whether a cell is a key of its own, `SYSTEM:INSTANCE/OBJECT/ID`, or one within the source in full.
/// Many ids have a `/` in them.
fn is_whole(key: &str, source: &Source) -> bool {
    let mut parts = key.splitn(3, '/');
    let is_one = parts
        .next()
        .is_some_and(|scope| scope.split_once(':').is_some_and(|(system, _)| !system.is_empty()));
    let is_within =
        key.strip_prefix(source.scope().as_str()).is_some_and(|rest| rest.starts_with('/'));
    is_within || is_one && parts.all(|part| !part.is_empty()) && key.matches('/').count() > 1
}
