//! A scan: columns of all events as they stand in their rows, without decoding one event.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::resume_unwind;
use std::str::FromStr;
use std::sync::{Arc, mpsc};
use std::thread;

use cx_core::event::{Direction, Visibility};
use cx_core::ids::CustomerId;
use cx_core::time::Timestamp;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::codec;
use crate::edition::Edition;
use crate::error::StoreError;
use crate::ingest::{CHANNEL, KIND, SOURCE};
use crate::read;
use crate::store::Store;

/// How many places of the file are read from one snapshot: long enough that a snapshot costs
/// nothing, and short enough that the log can be emptied meanwhile.
const RANGE: i64 = 16_384;

/// With so many bytes of text a page is full, whatever the number of its rows.
const FULL: usize = 64 << 20;

/// How many bytes a customer's id has when it is written.
const ID: usize = 36;

/// A column of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScanColumn {
    /// The event's key: a text.
    Key,
    /// When it happened: an instant.
    OccurredAt,
    /// What it is: a name, such as `message`.
    Kind,
    /// Where: a name, such as `email`.
    Channel,
    /// `in`, `out` or `none`: a name.
    Direction,
    /// `public` or `internal`: a name.
    Visibility,
    /// Which system said so, and which of its accounts: a name, such as `zendesk:acme`.
    Source,
    /// The key of the conversation that the event names: a text, where it names one.
    Conversation,
    /// The id of the customer whose event it is, as of when the scan began: a text, where it is
    /// anybody's.
    Customer,
    /// Which revision of the record it is: a text, where the source says so.
    Rev,
    /// The whole event, as JSON: a text.
    Json,
}

/// What stands in a column of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// [`Values::Instants`].
    Instants,
    /// [`Values::Texts`], each of its own.
    Texts,
    /// [`Values::Names`]: a few that come again and again.
    Names,
}

impl ScanColumn {
    /// All of them, in order.
    pub const ALL: [Self; 11] = [
        Self::Key,
        Self::OccurredAt,
        Self::Kind,
        Self::Channel,
        Self::Direction,
        Self::Visibility,
        Self::Source,
        Self::Conversation,
        Self::Customer,
        Self::Rev,
        Self::Json,
    ];

    /// Its name, as in every table of events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::OccurredAt => "occurred_at",
            Self::Kind => "kind",
            Self::Channel => "channel",
            Self::Direction => "direction",
            Self::Visibility => "visibility",
            Self::Source => "source",
            Self::Conversation => "conversation",
            Self::Customer => "customer",
            Self::Rev => "rev",
            Self::Json => "json",
        }
    }

    /// What stands in it.
    pub const fn holds(self) -> Holds {
        match self {
            Self::OccurredAt => Holds::Instants,
            Self::Key | Self::Conversation | Self::Customer | Self::Rev | Self::Json => {
                Holds::Texts
            }
            Self::Kind | Self::Channel | Self::Direction | Self::Visibility | Self::Source => {
                Holds::Names
            }
        }
    }

    /// Whether events may have nothing in it.
    pub const fn is_optional(self) -> bool {
        matches!(self, Self::Conversation | Self::Customer | Self::Rev)
    }

    const fn sql(self) -> &'static str {
        match self {
            Self::Key => "e.key",
            Self::OccurredAt => "e.ts",
            Self::Kind => "e.kind",
            Self::Channel => "e.channel",
            Self::Direction => "e.direction",
            Self::Visibility => "e.visibility",
            Self::Source => "e.source",
            Self::Conversation => "c.key",
            Self::Customer => "e.bundle_id",
            Self::Rev => "e.rev",
            Self::Json => "iif(packed IS NULL, payload, cx_unpack(packed))",
        }
    }
}

impl fmt::Display for ScanColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ScanColumn {
    type Err = UnknownColumn;

    fn from_str(name: &str) -> Result<Self, UnknownColumn> {
        let found = Self::ALL.into_iter().find(|column| column.name() == name);
        found.ok_or_else(|| {
            let away = |column: &Self| strsim::osa_distance(column.name(), name);
            let nearest = Self::ALL.into_iter().min_by_key(away);
            let nearest = nearest.filter(|column| 2 * away(column) <= column.name().len());
            UnknownColumn { name: name.to_owned(), nearest }
        })
    }
}

/// A scan has no column of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: no column of a scan{}", instead(*.nearest))]
pub struct UnknownColumn {
    /// What was asked for.
    pub name: String,
    /// The column that is written most like it; `None` where half of it would have to change.
    pub nearest: Option<ScanColumn>,
}

fn instead(nearest: Option<ScanColumn>) -> String {
    let all = ScanColumn::ALL.map(ScanColumn::name).join(", ");
    match nearest {
        Some(nearest) => format!(", is {nearest} meant? There are: {all}"),
        None => format!("; there are: {all}"),
    }
}

/// Which columns of which events are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanQuery {
    columns: Vec<ScanColumn>,
    since: Timestamp,
    until: Timestamp,
}

impl Default for ScanQuery {
    fn default() -> Self {
        let columns = ScanColumn::ALL.to_vec();
        Self { columns, since: Timestamp::MIN, until: Timestamp::MAX }
    }
}

impl ScanQuery {
    /// All columns of all events.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only these columns, in this order; what is named twice stands once.
    #[must_use]
    pub fn columns(mut self, columns: impl IntoIterator<Item = ScanColumn>) -> Self {
        self.columns.clear();
        for column in columns {
            if !self.columns.contains(&column) {
                self.columns.push(column);
            }
        }
        self
    }

    /// Nothing before this instant.
    #[must_use]
    pub const fn since(mut self, since: Timestamp) -> Self {
        self.since = since;
        self
    }

    /// Nothing after this instant.
    #[must_use]
    pub const fn until(mut self, until: Timestamp) -> Self {
        self.until = until;
        self
    }

    /// The columns that are asked for.
    pub fn as_columns(&self) -> &[ScanColumn] {
        &self.columns
    }

    /// Whether events of all times are asked for.
    pub fn is_of_all_times(&self) -> bool {
        (self.since, self.until) == (Timestamp::MIN, Timestamp::MAX)
    }

    fn sql(&self) -> String {
        let mut sql = String::from("SELECT e.seq");
        for column in &self.columns {
            sql.extend([", ", column.sql()]);
        }
        // Places are read in their order, whatever index there may be of them.
        sql.push_str(" FROM event AS e NOT INDEXED");
        if self.columns.contains(&ScanColumn::Conversation) {
            sql.push_str(" LEFT JOIN conversation AS c ON c.id = e.conversation_id");
        }
        sql.push_str(
            " WHERE e.seq > ?1 AND e.seq <= ?2 AND e.standing = 0 AND e.ts >= ?3 AND e.ts <= ?4 AND ",
        );
        sql.extend([read::was_there("?5").as_str(), " ORDER BY e.seq"]);
        sql
    }
}

/// Some rows of a scan, column by column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPage {
    /// How many rows there are; at least one.
    pub n_rows: usize,
    /// The columns, in the order in which they were asked for.
    pub columns: Vec<Values>,
}

/// What stands in a column, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// Microseconds since 1970 in UTC.
    Instants(Vec<i64>),
    /// Texts.
    Texts(Texts),
    /// Names that come again and again.
    Names(Names),
}

/// Texts, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    text: String,
    /// Where each begins, and at last where the last one ends.
    bounds: Vec<i32>,
    /// Which are there at all; empty where all are.
    is_there: Vec<bool>,
}

impl Texts {
    /// The text of a row, where it has one.
    pub fn get(&self, row: usize) -> Option<&str> {
        if self.is_there.get(row) == Some(&false) {
            return None;
        }
        let bound = |at: usize| self.bounds.get(at).and_then(|at| usize::try_from(*at).ok());
        self.text.get(bound(row)?..bound(row + 1)?)
    }

    /// Where each text begins, and at last where the last one ends; the texts; and which rows have
    /// one, where some have none.
    pub fn into_parts(self) -> (Vec<i32>, String, Option<Vec<bool>>) {
        let is_there = (!self.is_there.is_empty()).then_some(self.is_there);
        (self.bounds, self.text, is_there)
    }
}

/// A few names, and which of them each row has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Which name a row has: a place in `names`.
    pub codes: Vec<i32>,
    /// The names.
    pub names: Arc<[String]>,
}

impl Names {
    /// The name of a row.
    pub fn get(&self, row: usize) -> Option<&str> {
        let code = usize::try_from(*self.codes.get(row)?).ok()?;
        self.names.get(code).map(String::as_str)
    }
}

impl Store {
    /// Columns of all events, in the order of the file, page by page.
    ///
    /// Nothing is decoded: what stands in the rows is copied. Each page is read from a fresh
    /// snapshot, so that a long scan holds up nobody; an event that is revised meanwhile may stand
    /// twice, as it was and as it is, and records that are new since it began are not in it. Two threads read, where the store is a file.
    ///
    /// ```
    /// use cx_store::{Recording, ScanColumn, ScanQuery, Store, Values};
    ///
    /// let store = Store::open_in_memory()?;
    /// let call = serde_json::from_str(
    ///     r#"{"key": "pbx/1", "source": {"system": "pbx"}, "kind": "call", "channel": "phone",
    ///         "direction": "in", "occurred_at": "2026-03-04T09:58:00Z",
    ///         "who": [{"ns": "phone", "value": "+31612345678", "role": "from"}]}"#,
    /// )?;
    /// store.ingest(&Recording::new("2026-03-04T10:00:00Z".parse()?, "example"), [call])?;
    /// let mut pages = store.scan(ScanQuery::new().columns([ScanColumn::Key, ScanColumn::Kind]));
    /// let page = pages.next().unwrap()?;
    /// let [Values::Texts(keys), Values::Names(kinds)] = page.columns.as_slice() else { panic!() };
    /// assert_eq!((keys.get(0), kinds.get(0)), (Some("pbx/1"), Some("call")));
    /// assert!(pages.next().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn scan(&self, query: ScanQuery) -> Scan {
        let room = vec![0; query.columns.len()];
        Scan {
            sql: query.sql(),
            store: self.clone(),
            query,
            customers: None,
            begun: None,
            after: 0,
            at_once: AtOnce::One,
            range: RANGE,
            full: FULL,
            room,
            read: VecDeque::new(),
            is_over: false,
        }
    }
}

/// How many ranges are read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtOnce {
    One,
    Two,
}

/// The pages of a scan.
#[derive(Debug)]
pub struct Scan {
    store: Store,
    query: ScanQuery,
    sql: String,
    customers: Option<Customers>,
    /// The last place of the file when the scan began.
    begun: Option<i64>,
    /// The place up to which everything was read.
    after: i64,
    at_once: AtOnce,
    range: i64,
    full: usize,
    /// How many bytes each column of texts had in the page before.
    room: Vec<usize>,
    read: VecDeque<ScanPage>,
    is_over: bool,
}

impl Iterator for Scan {
    type Item = Result<ScanPage, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(page) = self.read.pop_front() {
                return Some(Ok(page));
            }
            if self.is_over {
                return None;
            }
            if let Err(error) = self.go_on() {
                self.is_over = true;
                return Some(Err(error));
            }
        }
    }
}

impl Scan {
    /// Reads the next range, or two.
    fn go_on(&mut self) -> Result<(), StoreError> {
        if self.customers.is_none() && self.query.columns.contains(&ScanColumn::Customer) {
            self.customers = Some(self.store.read(Customers::read)?);
        }
        if self.begun.is_none() {
            self.begun = Some(self.store.read(read::last_place)?);
        }
        let (first, second) = (self.after, self.after.saturating_add(self.range));
        let (one, other) = match self.at_once {
            AtOnce::One => (self.range(first)?, None),
            AtOnce::Two => self.two(first, second)?,
        };
        let is_whole = one.until == second;
        self.keep(one);
        match other {
            Some(other) if is_whole => self.keep(other),
            // Texts this long are not worth reading twice.
            Some(_) => self.at_once = AtOnce::One,
            None if is_whole && self.store.reads_beside_itself() => self.at_once = AtOnce::Two,
            None => {}
        }
        Ok(())
    }

    /// The second range is read as it stands no earlier than the first one: what is revised goes
    /// towards the end of the file, and would be seen in neither.
    fn two(&self, first: i64, second: i64) -> Result<(Range, Option<Range>), StoreError> {
        let (begun, may_begin) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let beside = thread::Builder::new().spawn_scoped(scope, move || {
                // Where the first one cannot be read, nobody says that it was begun.
                may_begin.recv().unwrap_or_default();
                self.range(second)
            });
            let one = self.store.read(move |connection| {
                drop(begun);
                self.range_in(connection, first)
            });
            // Where there is no further thread, one does it.
            let other =
                beside.ok().map(|beside| beside.join().unwrap_or_else(|p| resume_unwind(p)));
            Ok((one?, other.transpose()?))
        })
    }

    fn range(&self, after: i64) -> Result<Range, StoreError> {
        self.store.read(|connection| self.range_in(connection, after))
    }

    fn range_in(&self, connection: &Connection, after: i64) -> Result<Range, StoreError> {
        let until = after.saturating_add(self.range);
        let mut filling = self.filling(connection, (after, until))?;
        let mut rows = connection.prepare_cached(&self.sql)?;
        let (since, to) = (self.query.since.as_micros(), self.query.until.as_micros());
        let begun = self.begun.unwrap_or(i64::MAX);
        let mut rows = rows.query([after, until, since, to, begun])?;
        let (mut n_rows, mut n_bytes, mut reached) = (0_usize, 0_usize, until);
        while let Some(row) = rows.next()? {
            let seq = row.get(0)?;
            for (position, column) in filling.iter_mut().enumerate() {
                n_bytes += column.push(connection, seq, row.get_ref(position + 1)?)?;
            }
            n_rows += 1;
            if n_bytes >= self.full {
                reached = seq;
                break;
            }
        }
        let columns = filling.into_iter().map(Filling::finish).collect::<Result<_, _>>()?;
        let next = if n_rows == 0 { next_after(connection, until)? } else { Some(reached) };
        Ok(Range { page: ScanPage { n_rows, columns }, until: reached, next })
    }

    fn filling<'s>(
        &'s self,
        connection: &Connection,
        range: (i64, i64),
    ) -> Result<Vec<Filling<'s>>, StoreError> {
        let columns = self.query.columns.iter().zip(&self.room);
        columns.map(|(column, room)| self.filling_of(connection, range, *column, *room)).collect()
    }

    fn filling_of<'s>(
        &'s self,
        connection: &Connection,
        range: (i64, i64),
        column: ScanColumn,
        room: usize,
    ) -> Result<Filling<'s>, StoreError> {
        let texts = TextFilling::new(column, room);
        let fixed = |names: [&str; 3], code_of: Vec<i64>| {
            let names = names.map(str::to_owned).into_iter().filter(|name| !name.is_empty());
            Filling::Names(NameFilling {
                column,
                codes: Vec::new(),
                code_of: (0..).zip(code_of).map(|(place, number)| (number, place)).collect(),
                names: names.collect(),
            })
        };
        Ok(match column {
            ScanColumn::OccurredAt => Filling::Instants(Vec::new()),
            ScanColumn::Key | ScanColumn::Conversation | ScanColumn::Rev | ScanColumn::Json => {
                Filling::Texts(texts)
            }
            ScanColumn::Kind => Filling::Names(NameFilling::read(connection, column, KIND)?),
            ScanColumn::Channel => Filling::Names(NameFilling::read(connection, column, CHANNEL)?),
            ScanColumn::Source => Filling::Names(NameFilling::read(connection, column, SOURCE)?),
            ScanColumn::Direction => {
                let all = [Direction::None, Direction::In, Direction::Out];
                fixed(all.map(Direction::name), all.map(codec::direction_code).to_vec())
            }
            ScanColumn::Visibility => {
                let all = [Visibility::Public, Visibility::Internal];
                fixed(["public", "internal", ""], all.map(codec::visibility_code).to_vec())
            }
            ScanColumn::Customer => {
                let attributed = attributed(connection, range)?;
                let now = Edition::of(connection)?;
                let of = self.customers.as_ref().filter(|of| of.rewritten == now.rewritten);
                Filling::Customers { texts, attributed, of }
            }
        })
    }

    fn keep(&mut self, range: Range) {
        match range.next {
            // Between them nothing stands.
            Some(next) => self.after = range.until.max(next.saturating_sub(1)),
            None => self.is_over = true,
        }
        if range.page.n_rows > 0 {
            (self.after, self.is_over) = (range.until, false);
            for (room, values) in self.room.iter_mut().zip(&range.page.columns) {
                if let Values::Texts(texts) = values {
                    *room = texts.text.len();
                }
            }
            self.read.push_back(range.page);
        }
    }
}

/// What was read of a range.
struct Range {
    page: ScanPage,
    /// The place up to which everything was read.
    until: i64,
    /// Where to go on; `None` where nothing stands behind it.
    next: Option<i64>,
}

fn next_after(connection: &Connection, place: i64) -> Result<Option<i64>, StoreError> {
    let mut next = connection.prepare_cached("SELECT min(seq) FROM event WHERE seq > ?1")?;
    Ok(next.query_row([place], |row| row.get(0))?)
}

/// A column while it is read.
enum Filling<'s> {
    Instants(Vec<i64>),
    Texts(TextFilling),
    Names(NameFilling),
    Customers {
        texts: TextFilling,
        /// By place: events that hang on another bundle than the one they arrived under.
        attributed: BTreeMap<i64, i64>,
        of: Option<&'s Customers>,
    },
}

impl Filling<'_> {
    /// Takes in a value, and says how many bytes of text it has.
    fn push(
        &mut self,
        connection: &Connection,
        seq: i64,
        value: ValueRef<'_>,
    ) -> Result<usize, StoreError> {
        match self {
            Self::Instants(instants) => {
                instants.push(integer("occurred_at", value)?);
                Ok(0)
            }
            Self::Names(names) => names.push(value).map(|()| 0),
            Self::Texts(texts) => match value {
                ValueRef::Text(text) => texts.push(Some(text)),
                ValueRef::Null => texts.push(None),
                ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => {
                    Err(StoreError::malformed(texts.column.name(), "not a text"))
                }
            },
            Self::Customers { texts, attributed, of } => {
                let arrived = integer("customer", value)?;
                let bundle = attributed.get(&seq).copied().unwrap_or(arrived);
                match of {
                    Some(of) if bundle <= of.last => {
                        texts.push(of.customer_of(bundle).map(str::as_bytes))
                    }
                    // It came after the scan began.
                    _ => texts.push(customer_of(connection, bundle)?.as_deref().map(str::as_bytes)),
                }
            }
        }
    }

    fn finish(self) -> Result<Values, StoreError> {
        Ok(match self {
            Self::Instants(instants) => Values::Instants(instants),
            Self::Names(names) => {
                Values::Names(Names { codes: names.codes, names: names.names.into() })
            }
            Self::Texts(texts) | Self::Customers { texts, .. } => Values::Texts(texts.finish()?),
        })
    }
}

fn integer(what: &'static str, value: ValueRef<'_>) -> Result<i64, StoreError> {
    value.as_i64().map_err(|error| StoreError::malformed(what, error))
}

struct TextFilling {
    column: ScanColumn,
    bytes: Vec<u8>,
    bounds: Vec<i32>,
    is_there: Vec<bool>,
}

impl TextFilling {
    fn new(column: ScanColumn, room: usize) -> Self {
        // A little more than in the page before.
        let bytes = Vec::with_capacity(room + room / 16);
        Self { column, bytes, bounds: vec![0], is_there: Vec::new() }
    }

    fn push(&mut self, text: Option<&[u8]>) -> Result<usize, StoreError> {
        let column = self.column.name();
        if self.column.is_optional() {
            self.is_there.push(text.is_some());
        } else if text.is_none() {
            return Err(StoreError::malformed(column, "nothing"));
        }
        let text = text.unwrap_or_default();
        self.bytes.extend_from_slice(text);
        let end = i32::try_from(self.bytes.len());
        self.bounds.push(end.map_err(|_| StoreError::malformed(column, "a text beyond 2 GB"))?);
        Ok(text.len())
    }

    fn finish(self) -> Result<Texts, StoreError> {
        let Self { column, bytes, bounds, is_there } = self;
        let text = String::from_utf8(bytes)
            .map_err(|error| StoreError::malformed(column.name(), error.utf8_error()))?;
        let is_between = |at: &i32| usize::try_from(*at).is_ok_and(|at| text.is_char_boundary(at));
        if !bounds.iter().all(is_between) {
            return Err(StoreError::malformed(column.name(), "not UTF-8"));
        }
        Ok(Texts { text, bounds, is_there })
    }
}

struct NameFilling {
    column: ScanColumn,
    codes: Vec<i32>,
    /// The number that stands for a name in rows, ascending, with the place in `names`.
    code_of: Vec<(i64, usize)>,
    names: Vec<String>,
}

impl NameFilling {
    fn read(connection: &Connection, column: ScanColumn, class: i64) -> Result<Self, StoreError> {
        let mut rows =
            connection.prepare_cached("SELECT id, name FROM dict WHERE class = ?1 ORDER BY id")?;
        let rows = rows.query_map([class], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        let (mut code_of, mut names) = (Vec::new(), Vec::new());
        // `a` of `b` and `a:b` are two sources of one name.
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for row in rows {
            let (number, name) = row?;
            let name = if class == SOURCE { codec::source_scope(&name) } else { name };
            let place = *places.entry(name).or_insert_with_key(|name| {
                names.push(name.clone());
                names.len() - 1
            });
            code_of.push((number, place));
        }
        Ok(Self { column, codes: Vec::new(), code_of, names })
    }

    fn push(&mut self, value: ValueRef<'_>) -> Result<(), StoreError> {
        let number = integer(self.column.name(), value)?;
        let found = self.code_of.binary_search_by_key(&number, |(number, _)| *number).ok();
        let place = found.and_then(|found| self.code_of.get(found)).map(|(_, place)| *place);
        let code = place.and_then(|place| i32::try_from(place).ok());
        self.codes.push(code.ok_or_else(|| StoreError::malformed(self.column.name(), number))?);
        Ok(())
    }
}

/// Which bundle belongs to whom.
#[derive(Debug)]
struct Customers {
    /// By number of the bundle: whose it is, counted from 1; 0 where it is nobody's.
    of_bundle: Vec<u32>,
    /// The ids, [`ID`] bytes each.
    ids: String,
    /// The last bundle there was; bundles behind it are asked for one by one.
    last: i64,
    /// Events have been taken out since where the file has another mark, and the numbers of their
    /// bundles may be others' now.
    rewritten: [u8; 8],
}

/// Where fewer than one of so many numbers is in use, there is no list of them.
const SPARSE: i64 = 64;

impl Customers {
    fn read(connection: &Connection) -> Result<Self, StoreError> {
        let rewritten = Edition::of(connection)?.rewritten;
        let sql = "SELECT coalesce(max(id), 0), count(*) FROM bundle";
        let (last, n): (i64, i64) =
            connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if last / SPARSE > n.saturating_add(SPARSE) {
            let (of_bundle, ids) = (Vec::new(), String::new());
            return Ok(Self { of_bundle, ids, last: 0, rewritten });
        }
        let mut rows = connection.prepare_cached(
            "SELECT u.cid, m.bundle_id FROM customer AS u CROSS JOIN member AS m ON m.customer_id = u.id",
        )?;
        let mut rows = rows.query([])?;
        let (mut of_bundle, mut ids, mut n) = (Vec::new(), String::new(), 0_u32);
        let mut latest = None;
        while let Some(row) = rows.next()? {
            let (cid, bundle): ([u8; 16], i64) = (row.get(0)?, row.get(1)?);
            if latest != Some(cid) {
                latest = Some(cid);
                ids.push_str(&CustomerId::from_bytes(cid).to_string());
                n = n.saturating_add(1);
            }
            let Some(place) = usize::try_from(bundle).ok().filter(|_| bundle <= last) else {
                return Err(StoreError::malformed("bundle", bundle));
            };
            if place >= of_bundle.len() {
                of_bundle.resize(place + 1, 0);
            }
            if let Some(of) = of_bundle.get_mut(place) {
                *of = n;
            }
        }
        Ok(Self { of_bundle, ids, last, rewritten })
    }

    fn customer_of(&self, bundle: i64) -> Option<&str> {
        let n = self.of_bundle.get(usize::try_from(bundle).ok()?)?.checked_sub(1)?;
        let from = usize::try_from(n).ok()?.checked_mul(ID)?;
        self.ids.get(from..from.checked_add(ID)?)
    }
}

fn customer_of(connection: &Connection, bundle: i64) -> Result<Option<String>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT u.cid FROM member AS m JOIN customer AS u ON u.id = m.customer_id
         WHERE m.bundle_id = ?1",
    )?;
    let mut rows = rows.query([bundle])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(CustomerId::from_bytes(row.get(0)?).to_string()))
}

fn attributed(
    connection: &Connection,
    (after, until): (i64, i64),
) -> Result<BTreeMap<i64, i64>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT event_seq, bundle_id FROM attribution WHERE event_seq > ?1 AND event_seq <= ?2",
    )?;
    let rows = rows.query_map([after, until], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use cx_core::event::Event;
    use cx_core::identifier::Who;

    use super::*;
    use crate::{EraseMode, Recording};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// 200 events of ten persons, some longer than others, and one of them erased.
    fn filled(store: &Store) {
        let events = (0..200).map(|n| -> Event {
            let json = serde_json::json!({
                "key": format!("t/{n}"), "source": {"system": "t", "instance": "a"},
                "kind": if n % 3 == 0 { "call" } else { "message" }, "channel": "phone",
                "occurred_at": format!("2026-01-01T00:{:02}:{:02}Z", n / 60, n % 60),
                "who": [{"ns": "email", "value": format!("p{}@example.nl", n * n % 10)}],
                "conversation": {"key": format!("t/case/{}", n / 9)},
                "body": {"text": "é".repeat(n * n % 500)}});
            serde_json::from_value(json).unwrap()
        });
        let recording = Recording::new(at("2026-01-02T00:00:00Z"), "test");
        store.ingest(&recording, events).unwrap();
        let gone = Who::parse("p6@example.nl", None).unwrap();
        store.erase(&gone, EraseMode::Delete, at("2026-01-03T00:00:00Z")).unwrap();
    }

    fn rows(scan: Scan) -> Vec<(String, String, String)> {
        let mut rows = Vec::new();
        for page in scan {
            let page = page.unwrap();
            let [Values::Texts(keys), Values::Texts(json), Values::Texts(customers)] =
                page.columns.as_slice()
            else {
                panic!("{page:?}");
            };
            assert!(page.n_rows > 0);
            rows.extend((0..page.n_rows).map(|row| {
                let [key, json, customer] = [keys, json, customers].map(|texts| texts.get(row));
                (key.unwrap().into(), json.unwrap().into(), customer.unwrap().into())
            }));
        }
        rows
    }

    #[test]
    fn however_long_ranges_and_pages_are_every_event_is_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("a.cx")).unwrap();
        filled(&store);
        let expected: Vec<_> = store
            .events()
            .map(|event| {
                let event = event.unwrap();
                let who = Who::Identifier(event.who.first().unwrap().identifier().clone());
                let customer = store.find(&who).unwrap().customers.first().unwrap().id;
                let json = serde_json::to_string(&event).unwrap();
                (event.key.to_string(), json, customer.to_string())
            })
            .collect();
        assert!(expected.len() > 100 && expected.len() < 200);
        let columns = [ScanColumn::Key, ScanColumn::Json, ScanColumn::Customer];
        for range in [1, 7, 64, 1_000, i64::MAX] {
            for full in [1, 3_000, usize::MAX] {
                let mut scan = store.scan(ScanQuery::new().columns(columns));
                (scan.range, scan.full) = (range, full);
                assert!(rows(scan) == expected, "{range} {full}");
            }
        }
    }

    #[test]
    fn a_column_that_is_none_names_the_nearest_and_all() {
        for column in ScanColumn::ALL {
            assert_eq!(column.to_string().parse(), Ok(column));
        }
        let unknown = "chanel".parse::<ScanColumn>().unwrap_err();
        assert_eq!(unknown.nearest, Some(ScanColumn::Channel));
        assert!(unknown.to_string().starts_with("chanel: no column of a scan, is channel meant?"));
        assert_eq!("flavour".parse::<ScanColumn>().unwrap_err().nearest, None);
    }

    fn note(key: &str, source: &serde_json::Value, rev: &str) -> Event {
        let json = serde_json::json!({
            "key": key, "rev": rev, "source": source, "kind": "note",
            "occurred_at": "2026-01-01T00:00:00Z"});
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn two_sources_of_one_name_are_one() {
        let store = Store::open_in_memory().unwrap();
        let recording = Recording::new(at("2026-01-02T00:00:00Z"), "test");
        let sources = [
            serde_json::json!({"system": "a", "instance": "b"}),
            serde_json::json!({"system": "c"}),
            serde_json::json!({"system": "a:b"}),
        ];
        let events = (0..).zip(&sources).map(|(n, source)| note(&format!("{n}"), source, "1"));
        store.ingest(&recording, events).unwrap();
        let page = store.scan(ScanQuery::new().columns([ScanColumn::Source])).next().unwrap();
        let page = page.unwrap();
        let [Values::Names(names)] = page.columns.as_slice() else { panic!("{page:?}") };
        let mut read = [0, 1, 2].map(|row| names.get(row));
        read.sort_unstable();
        assert_eq!(read, [Some("a:b"), Some("a:b"), Some("c")]);
        assert_eq!(names.names.len(), 2);
    }

    /// Every record is written anew under another key, and as another revision, as it is read.
    #[test]
    fn a_reading_has_what_was_there_when_it_began_however_much_is_written_meanwhile() {
        let source = serde_json::json!({"system": "t"});
        let recording = Recording::new(at("2026-01-02T00:00:00Z"), "test");
        let keys = |n: usize| (0..n).map(|n| format!("t/{n:05}")).collect::<Vec<_>>();
        for (revised, expected) in [(0, 2_500), (1_000, 2_500), (2_500, 2_500)] {
            let store = Store::open_in_memory().unwrap();
            let events = keys(expected).into_iter().map(|key| note(&key, &source, "1"));
            store.ingest(&recording, events).unwrap();
            let write = |n: usize| {
                let new = keys(n).into_iter().map(|key| note(&format!("{key}/copy"), &source, "1"));
                store.ingest(&recording, new).unwrap();
                let again = keys(expected).into_iter().rev().take(revised);
                store.ingest(&recording, again.map(|key| note(&key, &source, "2"))).unwrap();
            };
            let mut events = store.events();
            let mut read = vec![events.next().unwrap().unwrap().key.to_string()];
            write(2_000);
            read.extend(events.map(|event| event.unwrap().key.to_string()));
            read.sort();
            read.dedup();
            assert_eq!(read, keys(expected));

            let query = ScanQuery::new().columns([ScanColumn::Key]);
            let mut scan = store.scan(query);
            scan.range = 700;
            let mut rows = Vec::new();
            let mut n = 2_000;
            for page in scan {
                let page = page.unwrap();
                let [Values::Texts(keys)] = page.columns.as_slice() else { panic!("{page:?}") };
                rows.extend((0..page.n_rows).map(|row| keys.get(row).unwrap().to_owned()));
                n += 1_000;
                write(n);
            }
            assert_eq!(rows.len(), expected + 2_000);
        }
    }

    #[test]
    fn nothing_before_and_nothing_after() {
        let store = Store::open_in_memory().unwrap();
        filled(&store);
        let query = ScanQuery::new().since(at("2026-01-01T00:01:00Z"));
        let query = query.until(at("2026-01-01T00:01:59Z")).columns([ScanColumn::OccurredAt]);
        for page in store.scan(query) {
            let page = page.unwrap();
            let [Values::Instants(instants)] = page.columns.as_slice() else { panic!("{page:?}") };
            let first = at("2026-01-01T00:01:00Z").as_micros();
            assert!(instants.iter().all(|at| (first..first + 60_000_000).contains(at)));
            assert!(instants.len() > 30);
        }
    }
}
