//! Rows of any Arrow stream as events: from polars, pandas, pyarrow, DuckDB, or cx itself.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use arrow_array::cast::{AsArray, as_primitive_array};
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use cx_adapters::csv;
use cx_core::actor::ActorType;
use cx_core::event::{Direction, Event, Kind, Visibility};
use cx_core::identifier::{
    Assurance, Claim, IdentifierError, Namespace, Role, is_international_number,
};
use cx_core::ids::{ConversationKey, CustomerId, EventKey, IdError};
use cx_core::time::Timestamp;
use cx_store::ScanColumn;
use jiff::civil;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value, json};

use super::stream::Stream;
use super::{ACTOR, BODY, COLUMNS, CONVERSATION, Column, Fill, Holds, Parts, SOURCE};
use crate::convert::{Defaults, Zone, localise};
use crate::error::{BindingError, RowError};

/// Where a scan says whose an event is. An id that cx made says nothing when it comes back.
const CUSTOMER: &str = "customer";

/// Where a scan has the whole event.
const JSON: &str = "json";

/// The fields of an event in the canonical form.
const FIELDS: &[&str] = &[
    "key",
    "rev",
    "source",
    "kind",
    "channel",
    "direction",
    "visibility",
    "actor",
    "who",
    "name",
    "conversation",
    "occurred_at",
    "occurred_at_origin",
    "utc_offset",
    "seq",
    "body",
    "attachments",
    "data",
    "extra",
];

/// Columns in which an empty text is as good as none in a table that cx wrote; elsewhere it is kept
/// as it stands.
const NOTHING_IF_EMPTY: &[&str] = &[
    "actor",
    "attachments",
    "channel",
    "conversation",
    "data",
    "direction",
    "email",
    "extra",
    "occurred_at",
    "occurred_at_origin",
    "phone",
    "rest",
    "seq",
    "utc_offset",
    "visibility",
    "who",
];

/// Columns in which what follows a point would be lost digits of an id, and no version or word.
const IDS: &[&str] =
    &["key", "conversation", "reply_to", "actor_id", "source_id", "email", "phone"];

/// From here on not every whole number has a float.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// What a column of a table says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Says {
    /// Nothing: it numbers the rows.
    Nothing,
    /// What the column of this name says in every table that cx writes.
    Ours(&'static Column),
    /// What only other people's tables say in a column of its own: identifiers, fields of the kind,
    /// roles and assurances. As in tables in files.
    Theirs(csv::Column),
    /// What cx does not know.
    Unknown,
}

impl Says {
    /// Names are the same in any case.
    fn of(name: &str) -> Self {
        if is_index(name) {
            return Self::Nothing;
        }
        let name = name.trim().to_ascii_lowercase();
        if let Some(column) = column(&name) {
            return Self::Ours(column);
        }
        match csv::Column::from_name(&name) {
            Some(
                column @ (csv::Column::Identifier(..)
                | csv::Column::Data(_)
                | csv::Column::Role
                | csv::Column::Assurance),
            ) => Self::Theirs(column),
            _ => Self::Unknown,
        }
    }

    /// Whether cx knows what it is.
    const fn is_known(&self) -> bool {
        matches!(self, Self::Ours(_) | Self::Theirs(_))
    }

    /// Whether ids stand in it, or numbers of telephones.
    fn is_id(&self) -> bool {
        match self {
            Self::Ours(column) => IDS.contains(&column.name),
            Self::Theirs(column) => matches!(column, csv::Column::Identifier(..)),
            Self::Nothing | Self::Unknown => false,
        }
    }

    const fn column(&self) -> Option<&'static Column> {
        match self {
            Self::Ours(column) => Some(column),
            Self::Nothing | Self::Theirs(_) | Self::Unknown => None,
        }
    }
}

/// A cell of a column that only other people's tables have, with the name that the table gives it.
#[derive(Clone, Copy)]
struct Their<'a> {
    name: &'a str,
    column: &'a csv::Column,
    value: &'a Value,
}

impl Their<'_> {
    fn problem(self, problem: impl Into<String>) -> RowError {
        problem_in(self.name, self.value, problem)
    }
}

/// Tells how rows become events: those of a stream, and those that dicts are.
struct Reader {
    /// Whether the table is one that cx wrote: it leaves nothing to be guessed.
    is_ours: bool,
    defaults: Defaults,
}

/// A foreign Arrow stream, read batch by batch.
pub(crate) struct Rows {
    stream: Stream,
    /// What its columns say, in their order.
    says: Vec<Says>,
    /// Whether it has the columns of a scan only, and the whole events among them.
    is_scan: bool,
    reader: Reader,
    row: u64,
    /// What was read of the stream, and how many of its rows were given out.
    begun: Option<(RecordBatch, usize)>,
    /// Whether a cell of [`CUSTOMER`] was kept.
    has_customers: bool,
    /// Whether a row was read by its columns, and not by the event that stands in it.
    is_by_columns: bool,
}

impl Rows {
    /// Takes the stream out of a capsule; the capsule is empty afterwards.
    pub(crate) fn from_capsule(
        capsule: &Bound<'_, PyCapsule>,
        defaults: Defaults,
    ) -> Result<Self, BindingError> {
        let stream = Stream::from_capsule(capsule)?;
        let fields = stream.schema().fields();
        let says: Vec<Says> = fields.iter().map(|field| Says::of(field.name())).collect();
        let is_ours = is_ours(|name| fields.find(name).is_some());
        let is_scan = fields.find(JSON).is_some()
            && fields.iter().zip(&says).all(|(field, says)| {
                *says == Says::Nothing || field.name().parse::<ScanColumn>().is_ok()
            });
        let rows = Self {
            stream,
            says,
            is_scan,
            reader: Reader { is_ours, defaults },
            row: 0,
            begun: None,
            has_customers: false,
            is_by_columns: false,
        };
        rows.check_columns()?;
        Ok(rows)
    }

    /// Columns that are none of ours, and of which cells were or would be kept in `extra`.
    pub(crate) fn unmapped(&self) -> Vec<String> {
        if self.is_scan && !self.is_by_columns {
            return Vec::new();
        }
        let schema = self.stream.schema();
        let unknown = schema.fields().iter().zip(&self.says);
        unknown
            .filter(|(_, says)| **says == Says::Unknown)
            .map(|(field, _)| field.name().clone())
            .filter(|name| name != CUSTOMER || self.has_customers)
            .collect()
    }

    /// The next rows, at most so many; empty batches are skipped, `None` at the end.
    pub(crate) fn next_batch(
        &mut self,
        size: usize,
    ) -> Option<Result<Vec<Result<Event, RowError>>, BindingError>> {
        loop {
            if let Some((batch, from)) = self.begun.take() {
                let to = batch.num_rows().min(from.saturating_add(size));
                if from < to {
                    let events = self.events(&batch, from..to);
                    self.begun = Some((batch, to));
                    return Some(Ok(events));
                }
            }
            match self.stream.next()? {
                Ok(batch) => self.begun = Some((batch, 0)),
                Err(error) => return Some(Err(error.into())),
            }
        }
    }

    fn events(&mut self, batch: &RecordBatch, rows: Range<usize>) -> Vec<Result<Event, RowError>> {
        let schema = batch.schema();
        let mut events = Vec::with_capacity(rows.len());
        for position in rows {
            let event = self.event(&schema, batch.columns(), position);
            if let Ok(event) = &event {
                self.has_customers |= event.extra.contains_key(CUSTOMER);
            }
            events.push(event.map_err(|error| error.in_row(self.row)));
            self.row = self.row.saturating_add(1);
        }
        events
    }

    fn event(
        &mut self,
        schema: &SchemaRef,
        columns: &[ArrayRef],
        position: usize,
    ) -> Result<Event, RowError> {
        let mut cells = Vec::with_capacity(columns.len());
        for ((field, array), says) in schema.fields().iter().zip(columns).zip(&self.says) {
            let name = field.name().as_str();
            if *says == Says::Nothing {
                continue;
            }
            let value = value(array.as_ref(), position, self.reader.defaults.zone.as_ref());
            let value = value.map_err(|problem| cannot_be_read(name, problem))?;
            let value = match value {
                Value::String(text) if says.is_id() && is_decimal(array.data_type()) => {
                    whole_number(text)
                }
                value => value,
            };
            cells.push((name, says, value));
        }
        if self.is_scan {
            if let Some(json) = scanned(&cells) {
                return Ok(Event::from_json(json)?);
            }
            self.is_by_columns = true;
        }
        self.reader.event(cells)
    }

    /// What is wrong with the table as a whole is said once, before any row is read.
    fn check_columns(&self) -> Result<(), BindingError> {
        let schema = self.stream.schema();
        let (mut seen, mut known) = (BTreeSet::new(), BTreeSet::new());
        for (field, says) in schema.fields().iter().zip(&self.says) {
            let is_new = match says {
                Says::Ours(column) => known.insert(column.name.to_owned()),
                Says::Theirs(column) => known.insert(column.name()),
                Says::Nothing | Says::Unknown => true,
            };
            if !seen.insert(field.name().as_str()) || !is_new {
                return Err(whole(field.name(), "two columns have this name"));
            }
            if let Some(problem) = unreadable(field.data_type()) {
                return Err(whole(field.name(), &problem));
            }
            if says.column().is_some_and(|column| column.holds == Holds::Instant)
                && is_naive(field.data_type())
                && self.reader.defaults.zone.is_none()
            {
                return Err(whole(
                    field.name(),
                    "times without a zone name no instant: give the column a zone, \
                     or say which zone is meant, as in tz=\"Europe/Amsterdam\"",
                ));
            }
        }
        let required = ["key", "kind", "occurred_at"];
        match required.into_iter().find(|name| !known.contains(*name)) {
            Some(name) => {
                let there = seen.into_iter().collect::<Vec<_>>().join(", ");
                Err(whole(name, &format!("no such column; there are: {there}")))
            }
            None => Ok(()),
        }
    }
}

/// Dicts that are rows of a table: `frame.to_dict("records")`, `store.events().to_dicts()`.
pub(crate) struct Dicts {
    reader: Reader,
    /// What the fields say that were seen, by their names.
    says: BTreeMap<String, Says>,
    has_customers: bool,
}

impl Dicts {
    /// Rows such as this one; `None` where it is an event in the canonical form.
    ///
    /// A row has the names of columns that are no fields of that form, or a text where that has an
    /// object. Who writes a part of an event as an object writes an event.
    pub(crate) fn of(first: &Map<String, Value>, defaults: &Defaults) -> Option<Self> {
        let is_event = first.iter().any(|(name, value)| match name.as_str() {
            "source" | "actor" | "conversation" | "body" => value.is_object(),
            "who" => value.is_array(),
            _ => false,
        });
        let is_row = first.iter().any(|(name, value)| match name.as_str() {
            "actor" | "conversation" => value.is_string() || value.is_number(),
            "who" | "data" | "attachments" | "extra" => value.is_string(),
            name => {
                let is_flat = !value.is_object() && !value.is_array();
                is_flat && !FIELDS.contains(&name) && Says::of(name).is_known()
            }
        });
        (is_row && !is_event).then(|| Self {
            reader: Reader {
                is_ours: is_ours(|name| first.contains_key(name)),
                defaults: defaults.clone(),
            },
            says: BTreeMap::new(),
            has_customers: false,
        })
    }

    /// Fields that are no columns of ours.
    pub(crate) fn unmapped(&self) -> Vec<String> {
        let unknown = self.says.iter().filter(|(_, says)| **says == Says::Unknown);
        let names = unknown.map(|(name, _)| name.clone());
        names.filter(|name| name != CUSTOMER || self.has_customers).collect()
    }

    /// The event that a row is.
    pub(crate) fn event(&mut self, row: Map<String, Value>) -> Result<Event, RowError> {
        for name in row.keys() {
            if self.says.contains_key(name) {
                continue;
            }
            let says = Says::of(name);
            if says.is_known() && self.says.values().any(|other| *other == says) {
                return Err(cannot_be_read(name, "two columns have this name".to_owned()));
            }
            self.says.insert(name.clone(), says);
        }
        let mut cells = Vec::with_capacity(row.len());
        for (name, value) in row {
            if let Some((name, says)) = self.says.get_key_value(&name) {
                cells.push((name.as_str(), says, value));
            }
        }
        let event = self.reader.event(cells)?;
        self.has_customers |= event.extra.contains_key(CUSTOMER);
        Ok(event)
    }
}

impl Reader {
    /// The event that a row is: its cells with the names of their columns.
    fn event(&self, row: Vec<(&str, &Says, Value)>) -> Result<Event, RowError> {
        let mut cells: BTreeMap<&str, Value> = BTreeMap::new();
        let mut theirs = Vec::new();
        let mut unknown = Vec::new();
        for (name, says, value) in row {
            let value = self.cell(says, value);
            let value = value.map_err(|problem| cannot_be_read(name, problem))?;
            match says {
                _ if value.is_null() => {}
                Says::Ours(column) => drop(cells.insert(column.name, value)),
                Says::Theirs(column) if !is_blank(&value) => theirs.push((name, column, value)),
                Says::Unknown => unknown.push((name, value)),
                Says::Nothing | Says::Theirs(_) => {}
            }
        }
        let theirs: Vec<Their<'_>> =
            theirs.iter().map(|(name, column, value)| Their { name, column, value }).collect();
        let guessed = if self.is_ours { Guessed::default() } else { Guessed::of(&mut cells) };
        if !self.is_ours {
            data(&mut cells, &theirs);
        }
        if cells.contains_key("utc_offset") || self.is_ours {
            in_utc(&mut cells);
        }
        let mut json = object(cells.remove("rest"));
        let mut extra = object(cells.remove("extra"));
        if !cells.contains_key("source_system") {
            self.defaults.fill(&mut json);
        }
        join(&mut json, &mut cells, &mut extra, "source", SOURCE);
        join(&mut json, &mut cells, &mut extra, "actor", ACTOR);
        join(&mut json, &mut cells, &mut extra, "conversation", CONVERSATION);
        join(&mut json, &mut cells, &mut extra, "body", BODY);
        let addresses = [
            (csv::Column::Identifier(Namespace::Email, None), "email", cells.remove("email")),
            (csv::Column::Identifier(Namespace::Phone, None), "phone", cells.remove("phone")),
        ];
        json.extend(cells.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let unknown =
            unknown.into_iter().filter(|(name, value)| *name != CUSTOMER || !is_customer(value));
        extra.extend(unknown.map(|(name, value)| (name.to_owned(), value)));
        if !extra.is_empty() {
            json.insert("extra".to_owned(), Value::Object(extra));
        }
        localise(&mut json, self.defaults.zone.as_ref())?;
        let mut event = Event::from_json(json)?;
        event.check_names()?;
        guessed.fill(&mut event);
        if !self.is_ours {
            within_source(&mut event)?;
        }
        let role = match word::<Role>(&theirs, &csv::Column::Role)? {
            Some(role) => role,
            None => event.person_claims().first().map_or_else(
                || if self.is_ours { Role::Subject } else { role_of(event.direction) },
                // Those of the person whom `who` names are in it already, where cx wrote the table.
                |claim| claim.role,
            ),
        };
        let assurance = word(&theirs, &csv::Column::Assurance)?;
        let assurance = assurance.unwrap_or(Assurance::ChannelProved);
        let addresses = addresses.iter().filter_map(|(column, name, value)| {
            Some(Their { name, column, value: value.as_ref()? })
        });
        // In the order of the columns' meanings, as in a file: where a column stands says nothing.
        let mut claimed: Vec<Their<'_>> = addresses.chain(theirs.iter().copied()).collect();
        claimed.sort_by(|one, other| one.column.cmp(other.column));
        for cell in claimed {
            self.claim(&mut event, cell, role, assurance)?;
        }
        Ok(event)
    }

    /// Claims an identifier, unless `who` holds it. What is none (`n/a`, `noreply@`) is kept as
    /// `extra`.
    fn claim(
        &self,
        event: &mut Event,
        cell: Their<'_>,
        role: Role,
        assurance: Assurance,
    ) -> Result<(), RowError> {
        let csv::Column::Identifier(namespace, scope) = cell.column else { return Ok(()) };
        let raw = match cell.value {
            Value::String(text) => text.clone(),
            Value::Number(_) => id(cell.value).map_err(|problem| cell.problem(problem))?,
            _ => return Err(cell.problem("not text")),
        };
        let own = event.source.scope();
        let scope = match scope {
            Some(scope) => scope.as_str(),
            None if *namespace == Namespace::UserId || !namespace.is_scoped() => "",
            None => own.as_str(),
        };
        let claim = match namespace {
            Namespace::Phone => {
                let region = self.defaults.region.as_deref();
                let claim = Claim::phone(&raw, region, role, assurance);
                let is_read = claim.as_ref().is_ok_and(|it| it.identifier().key().starts_with('+'));
                // Who reads a column of numbers as numbers loses the plus before them.
                let international = format!("+{raw}");
                if cell.value.is_number() && !is_read && is_international_number(&international) {
                    Claim::phone(&international, region, role, assurance)
                } else {
                    claim
                }
            }
            namespace => Claim::scoped(namespace.clone(), scope, &raw, role, assurance),
        };
        match claim {
            Ok(claim) => {
                let is_known = event.who.iter().map(Claim::identifier).any(|known| {
                    known == claim.identifier()
                        || (known.namespace() == claim.identifier().namespace()
                            && known.scope() == claim.identifier().scope()
                            && known.key() == raw)
                });
                if !is_known {
                    event.who.push(claim);
                }
            }
            Err(IdentifierError::Placeholder | IdentifierError::Nobody) => {
                event.extra.insert(cell.name.to_owned(), cell.value.clone());
            }
            Err(error) => return Err(cell.problem(error.to_string())),
        }
        Ok(())
    }

    /// What a cell says. In a table of others an empty text says nothing, and what its columns are
    /// known for stands without the spaces around it: as in tables in files.
    fn cell(&self, says: &Says, value: Value) -> Result<Value, String> {
        let value = match value {
            Value::String(text) if !self.is_ours && text.trim().is_empty() => Value::Null,
            Value::String(text) if !self.is_ours && says.is_known() => text.trim().into(),
            value => value,
        };
        let (name, holds) = match says.column() {
            Some(column) => (column.name, column.holds),
            None => return Ok(value),
        };
        if NOTHING_IF_EMPTY.contains(&name)
            && value.as_str().is_some_and(|text| text.trim().is_empty())
        {
            return Ok(Value::Null);
        }
        match holds {
            Holds::Json => {}
            // Whether it was a number is asked where it is claimed.
            Holds::Text if value.is_number() && name == "phone" => return Ok(value),
            // Ids are numbers in many tables and text everywhere else.
            Holds::Text if value.is_number() && IDS.contains(&name) => {
                return Ok(id(&value)?.into());
            }
            Holds::Text if value.is_number() => return Ok(exact(&value)?.into()),
            // As an instant is told in tables in files: seconds or milliseconds since 1970.
            Holds::Instant if value.is_number() => return Ok(as_text(value).into()),
            Holds::Count if value.is_number() || value.is_string() => {
                let text = if value.is_number() { exact(&value)? } else { as_text(value) };
                let whole = text.trim().parse::<u64>();
                return whole.map(Value::from).map_err(|_| "not a whole number".to_owned());
            }
            Holds::Text | Holds::Instant | Holds::Count => return Ok(value),
        }
        let value = match value {
            Value::String(text) => {
                serde_json::from_str(&text).map_err(|error| format!("not JSON: {error}"))?
            }
            value => value,
        };
        let fits = match name {
            "who" | "attachments" => value.is_array(),
            _ => value.is_object(),
        };
        if fits || value.is_null() {
            Ok(value)
        } else if matches!(name, "who" | "attachments") {
            Err("not a list in JSON".to_owned())
        } else {
            Err("not an object in JSON".to_owned())
        }
    }
}

/// What follows from the other cells of a row, where a table does not say it: as in tables in files.
#[derive(Debug, Clone, Copy, Default)]
struct Guessed {
    direction: bool,
    visibility: bool,
    actor: bool,
}

impl Guessed {
    /// Reads the words of a row in any case, and tells which of them are missing.
    fn of(cells: &mut BTreeMap<&str, Value>) -> Self {
        for (name, value) in &mut *cells {
            let Value::String(text) = value else { continue };
            let lower = text.trim().to_ascii_lowercase();
            *text = match *name {
                "kind" | "channel" => lower,
                "direction" => match lower.as_str() {
                    "inbound" | "incoming" => "in".to_owned(),
                    "outbound" | "outgoing" => "out".to_owned(),
                    _ => lower,
                },
                "visibility" | "occurred_at_origin" | "actor" => lower.replace([' ', '-'], "_"),
                _ => continue,
            };
        }
        // Of a message it is the subject of both; without a conversation there is only one.
        let is_message = cells.get("kind").is_some_and(|kind| kind == "message");
        if is_message
            && let Some(subject) = cells.remove("subject").filter(|subject| !is_blank(subject))
        {
            if cells.contains_key("conversation") {
                cells.insert("subject", subject.clone());
            }
            if let Value::Object(data) = cells.entry("data").or_insert_with(|| json!({})) {
                data.entry("subject").or_insert(subject);
            }
        }
        let lacks = |name| !cells.contains_key(name);
        Self {
            direction: lacks("direction"),
            visibility: lacks("visibility"),
            actor: lacks("actor"),
        }
    }

    fn fill(self, event: &mut Event) {
        if self.direction && event.kind.is_talk() {
            event.direction = match event.actor.kind {
                ActorType::Customer | ActorType::Contact => Direction::In,
                ActorType::Agent | ActorType::Bot | ActorType::Ai | ActorType::Automation => {
                    Direction::Out
                }
                _ => event.direction,
            };
        }
        if self.visibility && matches!(event.kind, Kind::Note(_)) {
            event.visibility = Visibility::Internal;
        }
        if self.actor {
            event.actor.kind = match event.direction {
                Direction::In => ActorType::Customer,
                Direction::Out => ActorType::Agent,
                Direction::None => event.actor.kind,
            };
        }
    }
}

const fn role_of(direction: Direction) -> Role {
    match direction {
        Direction::In => Role::From,
        Direction::Out => Role::To,
        Direction::None => Role::Subject,
    }
}

/// The word in a column, in any case.
fn word<T: DeserializeOwned>(
    theirs: &[Their<'_>],
    column: &csv::Column,
) -> Result<Option<T>, RowError> {
    let Some(cell) = theirs.iter().find(|cell| cell.column == column) else { return Ok(None) };
    let word = as_text(cell.value.clone()).trim().to_ascii_lowercase().replace([' ', '-'], "_");
    let read = serde_json::from_value(Value::String(word));
    read.map(Some).map_err(|error| cell.problem(error.to_string()))
}

/// Puts the fields of the kind that have a column each (`data.duration_s`) to the others. What the
/// kind does not take as the number or text it is may be meant as the other of them.
fn data(cells: &mut BTreeMap<&str, Value>, theirs: &[Their<'_>]) {
    let fields: BTreeMap<&str, &Value> = theirs
        .iter()
        .filter_map(|cell| match cell.column {
            csv::Column::Data(field) => Some((field.as_str(), cell.value)),
            _ => None,
        })
        .collect();
    let Some(kind) = cells.get("kind").and_then(Value::as_str).map(str::to_owned) else { return };
    if fields.is_empty() {
        return;
    }
    let Value::Object(all) = cells.entry("data").or_insert_with(|| json!({})) else { return };
    for (field, value) in &fields {
        all.insert((*field).to_owned(), read_as_cell(value));
    }
    while let Err(error) = Kind::from_json(&kind, all.clone()) {
        let field = error.pointer.strip_prefix("/data/").unwrap_or_default();
        match (fields.get(field), all.get_mut(field)) {
            (Some(written), Some(value)) if !value.is_string() => {
                *value = as_text((*written).clone()).into();
            }
            // What is wrong with it is told where the event is read.
            _ => return,
        }
    }
}

/// Text as a cell of a table in a file: numbers, `true` and `false`, lists and objects as such.
/// Whole numbers are floats in pandas, as soon as one is missing.
fn read_as_cell(value: &Value) -> Value {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => as_text(value.clone()),
        _ => return value.clone(),
    };
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Null | Value::String(_)) | Err(_) => value.clone(),
        Ok(read) => read,
    }
}

/// Puts the keys of an event and its conversation within its source, if they are no whole ones: as
/// in tables in files, since two systems count from 1 each.
fn within_source(event: &mut Event) -> Result<(), RowError> {
    let malformed = |name: &str, value: &str, error: IdError| {
        problem_in(name, &Value::from(value), error.to_string())
    };
    let key = event.key.as_str().to_owned();
    if event.source.object.is_empty() {
        "row".clone_into(&mut event.source.object);
    }
    if event.source.id.is_empty() {
        event.source.id.clone_from(&key);
    }
    event.key = EventKey::new(csv::event_key(&event.source, &key))
        .map_err(|error| malformed("key", &key, error))?;
    if let Some(conversation) = &mut event.conversation {
        let key = conversation.key.as_str().to_owned();
        conversation.key = ConversationKey::new(csv::conversation_key(&event.source, &key))
            .map_err(|error| malformed("conversation", &key, error))?;
    }
    Ok(())
}

/// The event that a row of a scan holds: that of its key. Other tables have a column of that name,
/// too.
fn scanned(cells: &[(&str, &Says, Value)]) -> Option<Map<String, Value>> {
    let cell = |name: &str| cells.iter().find(|(column, _, _)| *column == name);
    let (_, _, Value::String(text)) = cell(JSON)? else { return None };
    let (_, _, key) = cell("key")?;
    let json: Map<String, Value> = serde_json::from_str(text).ok()?;
    let is_event = json.get("key") == Some(key) && json.get("source").is_some_and(Value::is_object);
    is_event.then_some(json)
}

/// Whether a table with these columns is one that cx wrote.
fn is_ours(has: impl Fn(&str) -> bool) -> bool {
    COLUMNS.iter().filter(|column| column.fill == Fill::Always).all(|column| has(column.name))
}

fn is_decimal(holds: &DataType) -> bool {
    match holds {
        DataType::Dictionary(_, values) => is_decimal(values),
        holds => matches!(
            holds,
            DataType::Decimal32(..)
                | DataType::Decimal64(..)
                | DataType::Decimal128(..)
                | DataType::Decimal256(..)
        ),
    }
}

/// A decimal as the number that it is: databases whose whole numbers are decimals have ids in them.
fn whole_number(text: String) -> Value {
    let digits = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
        _ => text.as_str(),
    };
    serde_json::from_str::<Number>(digits).map_or(Value::String(text), Value::Number)
}

fn cannot_be_read(column: &str, problem: String) -> RowError {
    RowError { row: None, field: column.to_owned(), value: None, problem }
}

/// An instant that stands in a column beside its offset is in UTC, however that is spelled there.
fn in_utc(cells: &mut BTreeMap<&str, Value>) {
    let Some(Value::String(text)) = cells.get_mut("occurred_at") else { return };
    if let Ok((at, Some(offset))) = csv::instant(text, None)
        && offset.as_minutes() == 0
    {
        *text = at.to_string();
    }
}

/// A number as the text of an id: a float is one only where it has lost no digit of it.
fn id(number: &Value) -> Result<String, String> {
    if number.as_f64().is_some_and(|float| number.is_f64() && float.fract() != 0.0) {
        return Err("an id with a fraction: read the column as text".to_owned());
    }
    exact(number)
}

/// A number as text, where it is the one that was written.
fn exact(number: &Value) -> Result<String, String> {
    if number.as_f64().is_some_and(|float| number.is_f64() && float.abs() >= EXACT) {
        return Err("a float that may have lost digits: read the column as text".to_owned());
    }
    Ok(as_text(number.clone()))
}

fn is_blank(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn problem_in(field: &str, value: &Value, problem: impl Into<String>) -> RowError {
    RowError {
        row: None,
        field: field.to_owned(),
        value: Some(cx_core::text::first_words(&value.to_string(), 80)),
        problem: problem.into(),
    }
}

/// The cells of any Arrow stream as text, empty where there is nothing.
pub(crate) struct Cells {
    /// The names of the columns.
    pub(crate) names: Vec<String>,
    /// The cells, row by row.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Cells {
    /// Takes the stream out of a capsule and reads it to its end, without the interpreter lock.
    /// Columns that are not wanted have nothing in them.
    pub(crate) fn from_capsule(
        capsule: &Bound<'_, PyCapsule>,
        is_wanted: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Self, BindingError> {
        let stream = Stream::from_capsule(capsule)?;
        capsule.py().detach(|| Self::read(stream, is_wanted))
    }

    fn read(
        stream: Stream,
        is_wanted: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Self, BindingError> {
        let fields = stream.schema().fields().iter();
        let names: Vec<String> = fields.map(|field| field.name().clone()).collect();
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(whole(twice, "two columns have this name"));
        }
        let is_wanted: Vec<bool> = names.iter().map(|name| is_wanted(name)).collect();
        for (field, is_wanted) in stream.schema().fields().iter().zip(&is_wanted) {
            if let (true, Some(problem)) = (is_wanted, unreadable(field.data_type())) {
                return Err(whole(field.name(), &problem));
            }
        }
        let mut rows: Vec<Vec<String>> = Vec::new();
        for batch in stream {
            let batch = batch?;
            for position in 0..batch.num_rows() {
                let mut row = Vec::with_capacity(names.len());
                let columns = names.iter().zip(batch.columns()).zip(&is_wanted);
                for ((name, array), is_wanted) in columns {
                    if !is_wanted {
                        row.push(String::new());
                        continue;
                    }
                    let cell =
                        value(array.as_ref(), position, None).map_err(|problem| RowError {
                            row: u64::try_from(rows.len()).ok(),
                            field: name.clone(),
                            value: None,
                            problem,
                        })?;
                    row.push(as_text(cell));
                }
                rows.push(row);
            }
        }
        Ok(Self { names, rows })
    }
}

/// A cell as one would write it. Whole numbers are floats in pandas, as soon as one is missing.
pub(crate) fn as_text(cell: Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => text,
        Value::Number(number) if number.is_f64() => {
            let text = number.to_string();
            text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
        }
        other => other.to_string(),
    }
}

fn whole(column: &str, problem: &str) -> BindingError {
    let (field, problem) = (column.to_owned(), problem.to_owned());
    RowError { row: None, field, value: None, problem }.into()
}

fn column(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.name == name)
}

/// Whether pandas calls an index so that has no name: it numbers rows, and says nothing of them.
fn is_index(name: &str) -> bool {
    let number = name.strip_prefix("__index_level_").and_then(|rest| rest.strip_suffix("__"));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

fn is_customer(cell: &Value) -> bool {
    cell.as_str().is_some_and(|text| text.parse::<CustomerId>().is_ok())
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Brings the columns of a part of the envelope together. A part is named by its first field;
/// without that, the others (a subject without a conversation) are kept in `extra`.
fn join(
    json: &mut Map<String, Value>,
    cells: &mut BTreeMap<&str, Value>,
    extra: &mut Map<String, Value>,
    part: &str,
    parts: Parts,
) {
    let mut fields = object(json.remove(part));
    for (field, column) in parts {
        fields.extend(cells.remove(column).map(|value| ((*field).to_owned(), value)));
    }
    if part == "actor" && !fields.is_empty() {
        fields.entry("type").or_insert_with(|| "unknown".into());
    }
    if parts.first().is_none_or(|(name, _)| fields.contains_key(*name)) {
        json.insert(part.to_owned(), Value::Object(fields));
    } else {
        extra.extend(
            parts
                .iter()
                .filter_map(|(field, column)| Some(((*column).to_owned(), fields.remove(*field)?)))
                .filter(|(_, value)| value.as_str() != Some("")),
        );
    }
}

fn is_naive(holds: &DataType) -> bool {
    match holds {
        DataType::Timestamp(_, zone) => zone.is_none(),
        DataType::Dictionary(_, values) => is_naive(values),
        _ => false,
    }
}

/// What is said of a column whose cells cannot be read; `None` where they can.
fn unreadable(holds: &DataType) -> Option<String> {
    match holds {
        DataType::Null
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal32(_, _)
        | DataType::Decimal64(_, _)
        | DataType::Decimal128(_, _)
        | DataType::Decimal256(_, _)
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(_, _) => None,
        DataType::Dictionary(_, of) => unreadable(of),
        DataType::List(of) | DataType::LargeList(of) | DataType::FixedSizeList(of, _) => {
            unreadable(of.data_type())
        }
        DataType::Struct(fields) => fields.iter().find_map(|field| unreadable(field.data_type())),
        other => Some(format!(
            "a column of type {other} cannot be read: cast it to text, or leave it out"
        )),
    }
}

/// The value of a cell. Null fields of nested values are left out.
fn value(array: &dyn Array, position: usize, zone: Option<&Zone>) -> Result<Value, String> {
    if array.is_null(position) {
        return Ok(Value::Null);
    }
    macro_rules! number {
        ($type:ty) => {
            as_primitive_array::<$type>(array).value(position).into()
        };
    }
    // As Python's `Decimal` does: a text, which no rounding touches.
    macro_rules! decimal {
        ($type:ty) => {
            as_primitive_array::<$type>(array).value_as_string(position).into()
        };
    }
    macro_rules! time {
        ($type:ty) => {
            as_primitive_array::<$type>(array)
                .value_as_time(position)
                .map_or(Value::Null, |time| time.to_string().into())
        };
    }
    Ok(match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => array.as_boolean().value(position).into(),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 => float(as_primitive_array::<Float32Type>(array).value(position).into()),
        DataType::Float64 => float(as_primitive_array::<Float64Type>(array).value(position)),
        DataType::Utf8 => array.as_string::<i32>().value(position).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(position).into(),
        DataType::Utf8View => array.as_string_view().value(position).into(),
        DataType::Date32 => as_primitive_array::<Date32Type>(array)
            .value_as_date(position)
            .map_or(Value::Null, |date| date.to_string().into()),
        DataType::Date64 => as_primitive_array::<Date64Type>(array)
            .value_as_date(position)
            .map_or(Value::Null, |date| date.to_string().into()),
        DataType::Time32(TimeUnit::Second) => time!(Time32SecondType),
        DataType::Time32(_) => time!(Time32MillisecondType),
        DataType::Time64(TimeUnit::Microsecond) => time!(Time64MicrosecondType),
        DataType::Time64(_) => time!(Time64NanosecondType),
        DataType::Decimal32(_, _) => decimal!(Decimal32Type),
        DataType::Decimal64(_, _) => decimal!(Decimal64Type),
        DataType::Decimal128(_, _) => decimal!(Decimal128Type),
        DataType::Decimal256(_, _) => decimal!(Decimal256Type),
        DataType::Timestamp(unit, of) => {
            instant(micros(array, *unit, position)?, of.as_deref(), zone)?.into()
        }
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let index = value(dictionary.keys(), position, None)?;
            let index = index.as_u64().and_then(|index| usize::try_from(index).ok());
            let values = dictionary.values();
            match index.filter(|index| *index < values.len()) {
                Some(index) => value(values.as_ref(), index, zone)?,
                None => return Err("a category that its dictionary does not have".to_owned()),
            }
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(position), zone)?,
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(position), zone)?,
        DataType::FixedSizeList(_, _) => list(&array.as_fixed_size_list().value(position), zone)?,
        DataType::Struct(fields) => {
            let mut map = Map::new();
            for (field, array) in fields.iter().zip(array.as_struct().columns()) {
                let value = value(array.as_ref(), position, zone)?;
                if !value.is_null() {
                    map.insert(field.name().clone(), value);
                }
            }
            Value::Object(map)
        }
        other => return Err(unreadable(other).unwrap_or_default()),
    })
}

fn list(items: &ArrayRef, zone: Option<&Zone>) -> Result<Value, String> {
    (0..items.len()).map(|position| value(items.as_ref(), position, zone)).collect()
}

/// A number that is none is a missing value, as in pandas.
fn float(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

fn micros(array: &dyn Array, unit: TimeUnit, position: usize) -> Result<i64, String> {
    let micros = match unit {
        TimeUnit::Second => {
            as_primitive_array::<TimestampSecondType>(array).value(position).checked_mul(1_000_000)
        }
        TimeUnit::Millisecond => {
            as_primitive_array::<TimestampMillisecondType>(array).value(position).checked_mul(1_000)
        }
        TimeUnit::Microsecond => {
            Some(as_primitive_array::<TimestampMicrosecondType>(array).value(position))
        }
        TimeUnit::Nanosecond => Some(
            as_primitive_array::<TimestampNanosecondType>(array).value(position).div_euclid(1_000),
        ),
    };
    micros.ok_or_else(|| "the instant lies outside the years 0001 to 9999".to_owned())
}

/// An instant as RFC 3339, with the offset of the column's own zone where that is known. Where the
/// column has none, it is as clocks in `zone` showed it.
fn instant(micros: i64, of: Option<&str>, zone: Option<&Zone>) -> Result<String, String> {
    let at = Timestamp::from_micros(micros).map_err(|error| error.to_string())?;
    if let Some(of) = of {
        let own = Zone::of_column(of).and_then(|own| own.shown(micros));
        return Ok(own.unwrap_or_else(|| at.to_string()));
    }
    let written = at.to_string();
    let written = written.trim_end_matches('Z');
    let Some(zone) = zone else {
        // Only `occurred_at` must be an instant, and that was seen to before; elsewhere such a
        // time is kept as it stands.
        return Ok(written.to_owned());
    };
    let written: civil::DateTime = written.parse().map_err(|_| "not a date and time".to_owned())?;
    zone.instant(written).ok_or_else(|| "no instant in that time zone".to_owned())
}
