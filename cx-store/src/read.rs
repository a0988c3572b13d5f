//! Reading: who holds an identifier, a customer's timeline, a conversation, a scan of all events.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use cx_core::channel::Channel;
use cx_core::context::facts::{
    Candidate, Confidence, CustomerFacts, IdentifierFact, MergeFact, PossibleDuplicate, Sharing,
    SourceFreshness, StatedValue, Weight,
};
use cx_core::event::{Direction, Event, Visibility};
use cx_core::identifier::{Identifier, Namespace, Who};
use cx_core::identity::policy::{Policy, Tier};
use cx_core::identity::{Assertion, Assertions, Subject};
use cx_core::ids::{AssertionId, BundleId, ConversationKey, CustomerId};
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::codec;
use crate::corrections;
use crate::error::StoreError;
use crate::ingest::{CHANNEL, KIND};
use crate::neighbourhood;
use crate::past::Past;
use crate::schema;
use crate::waiting;

/// Who is meant by an identifier or an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The customers who hold it, surest first.
    pub customers: Vec<FoundCustomer>,
    /// How sure it is that the first one is meant.
    pub confidence: Confidence,
    /// Whether the identifier is so widely used that it links nobody.
    pub is_hub: bool,
    /// How many events carry it and belong to nobody.
    pub unattributed: u64,
    /// Whether a customer id was asked for whose customer was erased.
    pub is_erased: bool,
}

impl Found {
    /// The customer who is meant, if one is: of several nobody is chosen.
    pub fn chosen(&self) -> Option<&FoundCustomer> {
        match self.confidence {
            Confidence::Certain | Confidence::Probable => self.customers.first(),
            Confidence::Ambiguous | Confidence::None => None,
        }
    }
}

/// A customer who holds an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundCustomer {
    /// The customer.
    pub id: CustomerId,
    /// The name that was written with the identifier, or else another of the customer's.
    pub name: Option<String>,
    /// Whether the identifier links, or was only said.
    pub weight: Weight,
    /// On how many events the customer carries it; all the customer's, where an id was asked for.
    pub n_events: u64,
    row: i64,
}

impl FoundCustomer {
    pub(crate) const fn row(&self) -> i64 {
        self.row
    }
}

/// Which part of a timeline is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineQuery {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    channels: Vec<Channel>,
    kinds: Vec<String>,
    direction: Option<Direction>,
    visibility: Option<Visibility>,
    without_signals: bool,
    order: Order,
    limit: usize,
}

/// Which end of a timeline comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As it happened.
    OldestFirst,
    /// The latest first.
    NewestFirst,
}

impl Default for TimelineQuery {
    fn default() -> Self {
        Self {
            since: None,
            until: None,
            channels: Vec::new(),
            kinds: Vec::new(),
            direction: None,
            visibility: None,
            without_signals: false,
            order: Order::OldestFirst,
            limit: 100,
        }
    }
}

impl TimelineQuery {
    /// All of it, oldest first, a hundred events a page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing before this instant.
    #[must_use]
    pub const fn since(mut self, since: Timestamp) -> Self {
        self.since = Some(since);
        self
    }

    /// Nothing after this instant.
    #[must_use]
    pub const fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// Only this channel, or one of those named before.
    #[must_use]
    pub fn channel(mut self, channel: Channel) -> Self {
        self.channels.push(channel);
        self
    }

    /// Only this kind, or one of those named before. `mail` means all kinds of mail.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kinds.push(kind.into());
        self
    }

    /// Only what went this way.
    #[must_use]
    pub const fn direction(mut self, direction: Direction) -> Self {
        self.direction = Some(direction);
        self
    }

    /// Only what is visible to these.
    #[must_use]
    pub const fn visibility(mut self, visibility: Visibility) -> Self {
        self.visibility = Some(visibility);
        self
    }

    /// The latest first.
    #[must_use]
    pub const fn newest_first(mut self) -> Self {
        self.order = Order::NewestFirst;
        self
    }

    /// At most that many events a page; at least one.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.max(1);
        self
    }

    /// What an event `e` has to be, in SQL.
    fn condition(&self, connection: &Connection) -> Result<String, StoreError> {
        let mut conditions = Vec::new();
        if !self.channels.is_empty() {
            let channels: Vec<_> = self.channels.iter().map(Channel::name).collect();
            let channels =
                numbers(connection, CHANNEL, |name| channels.iter().any(|it| it == name))?;
            conditions.push(format!(" AND e.channel IN ({channels})"));
        }
        if !self.kinds.is_empty() {
            let is_meant = |name: &str, kind: &String| {
                let rest = name.strip_prefix(kind.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let kinds =
                numbers(connection, KIND, |name| self.kinds.iter().any(|it| is_meant(name, it)))?;
            conditions.push(format!(" AND e.kind IN ({kinds})"));
        }
        if let Some(direction) = self.direction.map(codec::direction_code) {
            conditions.push(format!(" AND e.direction = {direction}"));
        }
        if let Some(visibility) = self.visibility.map(codec::visibility_code) {
            conditions.push(format!(" AND e.visibility = {visibility}"));
        }
        if self.without_signals {
            let signals = numbers(connection, KIND, schema::is_signal)?;
            conditions.push(format!(" AND e.kind NOT IN ({signals})"));
        }
        Ok(conditions.concat())
    }
}

/// The numbers of the names of a class that are meant, as a list in SQL.
fn numbers(
    connection: &Connection,
    class: i64,
    is_meant: impl Fn(&str) -> bool,
) -> Result<String, StoreError> {
    let mut rows = connection.prepare_cached("SELECT id, name FROM dict WHERE class = ?1")?;
    let mut rows = rows.query([class])?;
    let mut numbers = Vec::new();
    while let Some(row) = rows.next()? {
        if is_meant(&row.get::<_, String>(1)?) {
            numbers.push(row.get::<_, i64>(0)?.to_string());
        }
    }
    Ok(numbers.join(", "))
}

/// The numbers of the kinds that are notes, as a list in SQL; empty where there are none.
pub(crate) fn notes(connection: &Connection) -> Result<String, StoreError> {
    numbers(connection, KIND, |name| name == "note")
}

/// A place on a timeline, to go on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    ts: i64,
    src_seq: Option<i64>,
    key: String,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seq = self.src_seq.map(|seq| seq.to_string()).unwrap_or_default();
        write!(f, "1.{}.{seq}.", self.ts)?;
        self.key.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::str::FromStr for Cursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let malformed = || StoreError::MalformedCursor { text: text.to_owned() };
        let mut parts = text.split('.');
        let (Some("1"), Some(ts), Some(seq), Some(key), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed());
        };
        let src_seq =
            if seq.is_empty() { None } else { Some(seq.parse().map_err(|_| malformed())?) };
        let mut bytes = Vec::new();
        let digits = key.as_bytes();
        if digits.len() % 2 != 0 {
            return Err(malformed());
        }
        for pair in digits.chunks(2) {
            let pair = std::str::from_utf8(pair).map_err(|_| malformed())?;
            bytes.push(u8::from_str_radix(pair, 16).map_err(|_| malformed())?);
        }
        let key = String::from_utf8(bytes).map_err(|_| malformed())?;
        let cursor = Self { ts: ts.parse().map_err(|_| malformed())?, src_seq, key };
        // Signs, leading noughts and capitals are read as numbers, and were never given out.
        if cursor.to_string() == text { Ok(cursor) } else { Err(malformed()) }
    }
}

/// One page of a timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelinePage {
    /// The events.
    pub events: Vec<Event>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<Cursor>,
}

/// A conversation with all that was said in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// The one key of the conversation.
    pub key: ConversationKey,
    /// The other keys by which it is known, sorted.
    pub aliases: Vec<ConversationKey>,
    /// Its events in timeline order.
    pub events: Vec<Event>,
    /// What the events leave.
    pub conversation: cx_core::conversation::Conversation,
}

/// Who holds an identifier, or what an id stands for today.
pub(crate) fn find(connection: &Connection, who: &Who) -> Result<Found, StoreError> {
    match who {
        Who::Customer(id) => find_customer(connection, *id),
        Who::Identifier(identifier) => find_identifier(connection, identifier),
    }
}

fn find_customer(connection: &Connection, id: CustomerId) -> Result<Found, StoreError> {
    let key = corrections::named_by(connection, id)?.map(|(_, key)| key);
    // An id names an observation: whoever holds that today is meant.
    let row: Option<i64> = match &key {
        None => None,
        Some(key) => connection
            .prepare_cached(
                "SELECT m.customer_id FROM event e LEFT JOIN attribution a ON a.event_seq = e.seq
                   JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id)
                 WHERE e.key = ?1 AND e.standing = 0",
            )?
            .query_row([key], |row| row.get(0))
            .optional()?,
    };
    let mut customers = Vec::new();
    if let Some(row) = row {
        customers.push(FoundCustomer {
            id: customer_id(connection, row)?,
            name: any_name(connection, row)?,
            weight: Weight::Links,
            n_events: count_events(connection, row)?,
            row,
        });
    }
    let confidence = if customers.is_empty() { Confidence::None } else { Confidence::Certain };
    let is_erased = customers.is_empty() && key.is_some_and(|key| key.is_empty());
    Ok(Found { customers, confidence, is_hub: false, unattributed: 0, is_erased })
}

/// How many events a customer has: those of the bundles, without the ones that time gives to
/// somebody else, and with the ones that it gives to the customer.
fn count_events(connection: &Connection, customer: i64) -> Result<u64, StoreError> {
    let mut n = connection.prepare_cached(
        "SELECT (SELECT coalesce(sum(b.n), 0) FROM member m JOIN bundle b ON b.id = m.bundle_id
                 WHERE m.customer_id = ?1)
              - (SELECT count(*) FROM member m
                   JOIN attribution a ON a.home_id = m.bundle_id AND a.by_time = 1
                 WHERE m.customer_id = ?1)
              + (SELECT count(*) FROM member m
                   JOIN attribution a ON a.bundle_id = m.bundle_id AND a.by_time = 1
                 WHERE m.customer_id = ?1)",
    )?;
    let n: i64 = n.query_row([customer], |row| row.get(0))?;
    Ok(u64::try_from(n).unwrap_or(0))
}

fn find_identifier(connection: &Connection, identifier: &Identifier) -> Result<Found, StoreError> {
    let hash = codec::identifier_hash(identifier);
    let row: Option<(i64, bool)> = connection
        .prepare_cached("SELECT id, hub FROM identifier WHERE hash = ?1")?
        .query_row([&hash[..]], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((row, is_hub)) = row else {
        return Ok(Found {
            customers: Vec::new(),
            confidence: Confidence::None,
            is_hub: false,
            unattributed: 0,
            is_erased: false,
        });
    };
    let table = if identifier.namespace().is_bridge() {
        "SELECT bundle_id, 1 AS links, identifier_id FROM bundle_bridge"
    } else {
        "SELECT bundle_id, links, identifier_id FROM bundle_claim"
    };
    let mut given = given(connection, table, row)?;
    // Events that hang on another bundle by their time are counted there.
    let sql = format!(
        "SELECT m.customer_id, max(c.links), max(b.name), u.cid, sum(b.n -
           (SELECT count(*) FROM attribution a WHERE a.home_id = b.id AND a.by_time = 1))
         FROM ({table}) c JOIN bundle b ON b.id = c.bundle_id
           LEFT JOIN member m ON m.bundle_id = b.id LEFT JOIN customer u ON u.id = m.customer_id
         WHERE c.identifier_id = ?1 GROUP BY m.customer_id"
    );
    let mut rows = connection.prepare_cached(&sql)?;
    let mut rows = rows.query([row])?;
    let mut customers = Vec::new();
    let mut unattributed = 0;
    while let Some(row) = rows.next()? {
        let n_events = u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0);
        let Some(customer) = row.get::<_, Option<i64>>(0)? else {
            unattributed += n_events;
            continue;
        };
        let n_events = n_events + given.remove(&customer).unwrap_or(0);
        let weight = if row.get::<_, bool>(1)? && !is_hub { Weight::Links } else { Weight::Stated };
        let name: Option<String> = row.get(2)?;
        let name = match name {
            Some(name) => Some(name),
            None => any_name(connection, customer)?,
        };
        let id = CustomerId::from_bytes(row.get(3)?);
        customers.push(FoundCustomer { id, name, weight, n_events, row: customer });
    }
    customers.sort_by(|a, b| {
        let strength = |found: &FoundCustomer| (found.weight == Weight::Links, found.n_events);
        strength(b).cmp(&strength(a)).then_with(|| a.id.cmp(&b.id))
    });
    let linking = customers.iter().filter(|found| found.weight == Weight::Links).count();
    let confidence = match (linking, customers.len()) {
        (_, 0) => Confidence::None,
        (1, 1) => Confidence::Certain,
        (1, _) => Confidence::Probable,
        (0, 1) if !is_hub => Confidence::Probable,
        _ => Confidence::Ambiguous,
    };
    Ok(Found { customers, confidence, is_hub, unattributed, is_erased: false })
}

/// How many events with an identifier hang on another bundle by their time, by the customer whose
/// that is.
fn given(
    connection: &Connection,
    table: &str,
    identifier: i64,
) -> Result<BTreeMap<i64, u64>, StoreError> {
    let mut rows = connection.prepare_cached(&format!(
        "SELECT m.customer_id, count(*) FROM ({table}) c
           JOIN attribution a ON a.home_id = c.bundle_id AND a.by_time = 1
           JOIN member m ON m.bundle_id = a.bundle_id
         WHERE c.identifier_id = ?1 GROUP BY m.customer_id"
    ))?;
    let rows = rows.query_map([identifier], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
    rows.map(|row| row.map(|(customer, n)| (customer, u64::try_from(n).unwrap_or(0))))
        .collect::<Result<_, _>>()
        .map_err(StoreError::from)
}

pub(crate) fn customer_id(connection: &Connection, row: i64) -> Result<CustomerId, StoreError> {
    let mut id = connection.prepare_cached("SELECT cid FROM customer WHERE id = ?1")?;
    Ok(CustomerId::from_bytes(id.query_row([row], |row| row.get(0))?))
}

/// The name that is written on most of a customer's events.
pub(crate) fn any_name(connection: &Connection, row: i64) -> Result<Option<String>, StoreError> {
    let mut name = connection.prepare_cached(
        "SELECT max(b.name) AS name FROM member m JOIN bundle b ON b.id = m.bundle_id
         WHERE m.customer_id = ?1 AND b.name IS NOT NULL
         GROUP BY b.name_key ORDER BY sum(b.n) DESC, length(max(b.name)) DESC, max(b.name) LIMIT 1",
    )?;
    Ok(name.query_row([row], |row| row.get(0)).optional()?)
}

/// The bundles of a customer.
fn bundles(connection: &Connection, customer: i64) -> Result<Vec<i64>, StoreError> {
    let mut rows =
        connection.prepare_cached("SELECT bundle_id FROM member WHERE customer_id = ?1")?;
    let rows = rows.query_map([customer], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A row of a timeline before its payload is read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    ts: i64,
    src_seq: Option<i64>,
    key: String,
    seq: i64,
}

impl Place {
    fn order(&self, other: &Self) -> Ordering {
        (self.ts, self.src_seq, &self.key).cmp(&(other.ts, other.src_seq, &other.key))
    }

    fn cursor(&self) -> Cursor {
        Cursor { ts: self.ts, src_seq: self.src_seq, key: self.key.clone() }
    }
}

/// One page of a customer's timeline: each bundle is read from the cursor on, the streams are
/// merged, and only the payloads of the page are read.
pub(crate) fn timeline(
    connection: &Connection,
    customer: i64,
    query: &TimelineQuery,
    after: Option<&Cursor>,
) -> Result<TimelinePage, StoreError> {
    let bundles = bundles(connection, customer)?;
    let mut places = places(connection, &bundles, query, after, query.limit.saturating_add(1))?;
    let has_more = places.len() > query.limit;
    places.truncate(query.limit);
    let next = if has_more { places.last().map(Place::cursor) } else { None };
    let events = places.iter().map(|place| neighbourhood::event(connection, place.seq));
    Ok(TimelinePage { events: events.collect::<Result<_, _>>()?, next })
}

/// The first places of a timeline after one of them, at most so many.
fn places(
    connection: &Connection,
    bundles: &[i64],
    query: &TimelineQuery,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Vec<Place>, StoreError> {
    let (sign, direction) = match query.order {
        Order::OldestFirst => (">", "ASC"),
        Order::NewestFirst => ("<", "DESC"),
    };
    // NULL sorts first, and compares with nothing: -1 stands for it, since numbers are not
    // negative.
    let condition = query.condition(connection)?;
    let own = format!(
        "SELECT e.ts, e.src_seq, e.key, e.seq FROM event e
         WHERE e.bundle_id = ?1 AND e.standing = 0 AND e.ts >= ?2 AND e.ts <= ?3
           AND (?4 IS NULL OR (e.ts, coalesce(e.src_seq, -1), e.key) {sign} (?4, ?5, ?6))
           AND NOT EXISTS(SELECT 1 FROM attribution a WHERE a.event_seq = e.seq) {condition}
         ORDER BY e.ts {direction}, e.src_seq {direction}, e.key {direction} LIMIT ?7"
    );
    let given = format!(
        "SELECT e.ts, e.src_seq, e.key, e.seq FROM attribution a JOIN event e ON e.seq = a.event_seq
         WHERE a.bundle_id = ?1 AND e.standing = 0 AND e.ts >= ?2 AND e.ts <= ?3
           AND (?4 IS NULL OR (e.ts, coalesce(e.src_seq, -1), e.key) {sign} (?4, ?5, ?6)) {condition}
         ORDER BY e.ts {direction}, e.src_seq {direction}, e.key {direction} LIMIT ?7"
    );
    // The range of the index is bounded by the cursor too.
    let (mut since, mut until) = (
        query.since.unwrap_or(Timestamp::MIN).as_micros(),
        query.until.unwrap_or(Timestamp::MAX).as_micros(),
    );
    if let Some(cursor) = after {
        match query.order {
            Order::OldestFirst => since = since.max(cursor.ts),
            Order::NewestFirst => until = until.min(cursor.ts),
        }
    }
    let limit_column = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut places: Vec<Place> = Vec::new();
    let sort = |places: &mut Vec<Place>| {
        places.sort_by(|a, b| match query.order {
            Order::OldestFirst => a.order(b),
            Order::NewestFirst => b.order(a),
        });
        places.truncate(limit);
    };
    for bundle in bundles {
        // What lies beyond the last place of a page that is full already is not looked at.
        if places.len() > limit {
            sort(&mut places);
            match (query.order, places.last()) {
                (Order::OldestFirst, Some(last)) => until = until.min(last.ts),
                (Order::NewestFirst, Some(last)) => since = since.max(last.ts),
                (_, None) => {}
            }
        }
        for sql in [&own, &given] {
            let mut rows = connection.prepare_cached(sql)?;
            let rows = rows.query_map(
                params![
                    bundle,
                    since,
                    until,
                    after.map(|cursor| cursor.ts),
                    after.map(|cursor| cursor.src_seq.unwrap_or(-1)),
                    after.map(|cursor| cursor.key.as_str()),
                    limit_column
                ],
                |row| {
                    let (ts, src_seq) = (row.get(0)?, row.get(1)?);
                    Ok(Place { ts, src_seq, key: row.get(2)?, seq: row.get(3)? })
                },
            )?;
            for row in rows {
                places.push(row?);
            }
        }
    }
    sort(&mut places);
    Ok(places)
}

/// The numbers of the latest events of these bundles until an instant, at most so many.
pub(crate) fn latest(
    connection: &Connection,
    bundles: &[i64],
    until: Timestamp,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    let query = TimelineQuery::new().until(until).newest_first();
    let places = places(connection, bundles, &query, None, limit)?;
    Ok(places.into_iter().map(|place| place.seq).collect())
}

/// Events before another one that are no signals.
pub(crate) struct Before {
    /// Their numbers, the latest first.
    pub(crate) seqs: Vec<i64>,
    /// Whether there are no others.
    pub(crate) is_all: bool,
}

/// The latest events of these bundles before another one that are no signals, at most so many, and
/// of each bundle at most `far` events are passed over.
pub(crate) fn before_without_signals(
    connection: &Connection,
    bundles: &[i64],
    before: &Event,
    limit: usize,
    far: usize,
) -> Result<Before, StoreError> {
    let mut since = None;
    let mut far_back = connection.prepare_cached(
        "SELECT ts FROM event WHERE bundle_id = ?1 AND standing = 0 AND ts <= ?2
         ORDER BY ts DESC LIMIT 1 OFFSET ?3",
    )?;
    let (until, far) = (before.occurred_at.as_micros(), i64::try_from(far).unwrap_or(i64::MAX));
    for bundle in bundles {
        let ts: Option<i64> =
            far_back.query_row([*bundle, until, far], |row| row.get(0)).optional()?;
        since = since.max(ts);
    }
    let mut query = TimelineQuery::new().newest_first();
    query.without_signals = true;
    query.since = since.map(codec::timestamp).transpose()?;
    let src_seq = codec::source_order(before.seq);
    let cursor = Cursor { ts: until, src_seq, key: before.key.to_string() };
    let places = places(connection, bundles, &query, Some(&cursor), limit)?;
    let is_all = since.is_none() && places.len() < limit;
    Ok(Before { seqs: places.into_iter().map(|place| place.seq).collect(), is_all })
}

/// The open conversations in which somebody of these bundles speaks; none where they speak in more
/// than so many.
pub(crate) fn open_conversations(
    connection: &Connection,
    bundles: &[i64],
    most: usize,
) -> Result<Vec<i64>, StoreError> {
    let mut n_talks = 0_usize;
    let mut talks =
        connection.prepare_cached("SELECT count(*) FROM bundle_bridge WHERE bundle_id = ?1")?;
    for bundle in bundles {
        let n: i64 = talks.query_row([bundle], |row| row.get(0))?;
        n_talks = n_talks.saturating_add(usize::try_from(n).unwrap_or(usize::MAX));
    }
    if n_talks > most {
        return Ok(Vec::new());
    }
    let mut open = connection.prepare_cached(
        "SELECT o.conversation_id FROM bundle_bridge x
           JOIN identifier i ON i.id = x.identifier_id JOIN conversation c ON c.key = i.key
           JOIN open_conversation o ON o.conversation_id = c.canonical_id
         WHERE x.bundle_id = ?1
           AND i.ns = (SELECT id FROM dict WHERE class = 4 AND name = 'conversation')",
    )?;
    let mut ids = Vec::new();
    for bundle in bundles {
        for id in open.query_map([bundle], |row| row.get(0))? {
            ids.push(id?);
        }
    }
    Ok(ids)
}

/// The numbers of the latest events of one of the kinds that speak for ever until an instant, at
/// most so many.
pub(crate) fn latest_standing(
    connection: &Connection,
    bundles: &[i64],
    kind: i64,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    let is_standing = schema::is_standing(connection)?;
    let mut found: Vec<(i64, i64)> = Vec::new();
    let limit_column = i64::try_from(limit).unwrap_or(i64::MAX);
    // That the kind is one of those is said again, so that the index is seen to fit.
    let own = format!(
        "SELECT ts, seq FROM event INDEXED BY event_standing
         WHERE bundle_id = ?1 AND kind = ?2 AND ts <= ?3 AND standing = 0 AND {is_standing}
           AND NOT EXISTS(SELECT 1 FROM attribution a WHERE a.event_seq = seq)
         ORDER BY ts DESC LIMIT ?4"
    );
    let given = "SELECT e.ts, e.seq FROM attribution a JOIN event e ON e.seq = a.event_seq
         WHERE a.bundle_id = ?1 AND e.kind = ?2 AND e.ts <= ?3 AND e.standing = 0
         ORDER BY e.ts DESC LIMIT ?4";
    for bundle in bundles {
        for sql in [&own, given] {
            let mut rows = connection.prepare_cached(sql)?;
            let parameters = params![bundle, kind, until.as_micros(), limit_column];
            let rows = rows.query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?;
            for row in rows {
                found.push(row?);
            }
        }
        if found.len() > limit {
            found.sort_unstable_by(|a, b| b.cmp(a));
            found.truncate(limit);
        }
    }
    Ok(found.into_iter().map(|(_, seq)| seq).collect())
}

pub(crate) fn canonical_id(
    connection: &Connection,
    key: &ConversationKey,
) -> Result<Option<i64>, StoreError> {
    let mut id =
        connection.prepare_cached("SELECT canonical_id FROM conversation WHERE key = ?1")?;
    Ok(id.query_row([key.as_str()], |row| row.get(0)).optional()?)
}

/// The keys of a conversation, the one that stands for all of them first.
fn keys_of(connection: &Connection, canonical: i64) -> Result<Vec<ConversationKey>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT key FROM conversation WHERE canonical_id = ?1 ORDER BY id <> ?1, key",
    )?;
    let rows = rows.query_map([canonical], |row| row.get::<_, String>(0))?;
    let mut keys = Vec::new();
    for key in rows {
        keys.push(key?.parse().map_err(|error| StoreError::malformed("conversation key", error))?);
    }
    Ok(keys)
}

/// The conversations that are one with this, with their keys: the one that stands for all of them
/// first.
pub(crate) fn keys_beside(
    connection: &Connection,
    id: i64,
) -> Result<Vec<(i64, ConversationKey)>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT c.id, c.key FROM conversation o JOIN conversation c ON c.canonical_id = o.canonical_id
         WHERE o.id = ?1 ORDER BY c.id <> o.canonical_id, c.key",
    )?;
    let rows = rows.query_map([id], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    let mut keys = Vec::new();
    for row in rows {
        let (id, key) = row?;
        let key = key.parse().map_err(|error| StoreError::malformed("conversation key", error))?;
        keys.push((id, key));
    }
    Ok(keys)
}

/// The events of the conversations of these events that are none of them, in timeline order.
pub(crate) fn beside(connection: &Connection, events: &[Event]) -> Result<Vec<Event>, StoreError> {
    let known: BTreeSet<&str> = events.iter().map(|event| event.key.as_str()).collect();
    let keys: BTreeSet<&ConversationKey> =
        events.iter().filter_map(|event| Some(&event.conversation.as_ref()?.key)).collect();
    let mut seen: BTreeSet<i64> = BTreeSet::new();
    let mut beside = Vec::new();
    for key in keys {
        let Some(id) = canonical_id(connection, key)?.filter(|id| seen.insert(*id)) else {
            continue;
        };
        let mut rows = connection.prepare_cached(
            "SELECT e.seq, e.key FROM conversation c JOIN event e ON e.conversation_id = c.id
             WHERE c.canonical_id = ?1 AND e.standing = 0",
        )?;
        let mut rows = rows.query([id])?;
        while let Some(row) = rows.next()? {
            let key = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            if !known.contains(key) {
                beside.push(neighbourhood::event(connection, row.get(0)?)?);
            }
        }
    }
    beside.sort_by(Event::timeline_cmp);
    Ok(beside)
}

/// A conversation by any of its keys.
pub(crate) fn conversation(
    connection: &Connection,
    key: &ConversationKey,
) -> Result<Option<Transcript>, StoreError> {
    let Some(id) = canonical_id(connection, key)? else { return Ok(None) };
    let mut keys = keys_of(connection, id)?;
    if keys.is_empty() {
        return Ok(None);
    }
    let key = keys.remove(0);
    let events = waiting::events(connection, id)?;
    let folded = cx_core::conversation::fold(key.clone(), &events.iter().collect::<Vec<_>>());
    Ok(folded.map(|conversation| Transcript { key, aliases: keys, events, conversation }))
}

/// Who a customer is, with what the customer is recognised by.
pub(crate) fn customer_facts(
    connection: &Connection,
    customer: i64,
    sources: &BTreeMap<i64, BTreeSet<String>>,
) -> Result<CustomerFacts, StoreError> {
    let since: i64 = connection
        .prepare_cached(
            "SELECT min(b.first_seen) FROM member m JOIN bundle b ON b.id = m.bundle_id
             WHERE m.customer_id = ?1",
        )?
        .query_row([customer], |row| row.get(0))?;
    let identifiers = identifiers(connection, customer, sources)?;
    let possible = possible(connection, customer)?;
    let reasons = reasons(connection, customer, &identifiers)?;
    Ok(CustomerFacts {
        id: customer_id(connection, customer)?,
        since: codec::timestamp(since)?,
        public_since: None,
        identifiers,
        possible,
        reasons,
    })
}

fn identifiers(
    connection: &Connection,
    customer: i64,
    sources: &BTreeMap<i64, BTreeSet<String>>,
) -> Result<Vec<IdentifierFact>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT i.id, d.name, i.scope, i.key, i.linkable, i.hub, max(c.assurance), max(c.links),
                min(b.first_seen), max(b.last_seen), sum(b.n)
         FROM member m JOIN bundle b ON b.id = m.bundle_id JOIN bundle_claim c ON c.bundle_id = b.id
           JOIN identifier i ON i.id = c.identifier_id JOIN dict d ON d.id = i.ns
         WHERE m.customer_id = ?1 GROUP BY i.id ORDER BY d.name, i.scope, i.key",
    )?;
    let mut rows = rows.query([customer])?;
    let mut sources = sources_by_identifier(connection, customer, sources)?;
    let mut facts = Vec::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let is_hub: bool = row.get(5)?;
        // How many share what nobody is recognised by is not told.
        let others = if is_hub { 0 } else { others_with(connection, id, customer)? };
        facts.push(IdentifierFact {
            identifier: codec::read_identifier(row, 1)?,
            assurance: codec::assurance(row.get(6)?)?,
            weight: if row.get(7)? && !is_hub { Weight::Links } else { Weight::Stated },
            first_seen: codec::timestamp(row.get(8)?)?,
            last_seen: codec::timestamp(row.get(9)?)?,
            n_events: u64::try_from(row.get::<_, i64>(10)?).unwrap_or(0),
            sharing: match (is_hub, others) {
                (true, _) => Sharing::Hub,
                (false, 0) => Sharing::Own,
                (false, n) => Sharing::Shared(n),
            },
            sources: sources.remove(&id).unwrap_or_default().into_iter().collect(),
        });
    }
    Ok(facts)
}

/// Whether a customer's records would not be one customer's without what somebody only stated: some
/// of them do not hang together by values that are proved on both sides, or seen with one device.
pub(crate) fn is_joined_by_words(
    connection: &Connection,
    policy: &Policy,
    customer: i64,
) -> Result<bool, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT m.bundle_id, c.identifier_id, c.assurance, d.name
         FROM member m JOIN bundle b ON b.id = m.bundle_id AND b.nobody = 0 AND b.n > 0
           LEFT JOIN bundle_claim c ON c.bundle_id = m.bundle_id AND c.links = 1
           LEFT JOIN identifier i ON i.id = c.identifier_id LEFT JOIN dict d ON d.id = i.ns
         WHERE m.customer_id = ?1",
    )?;
    let mut rows = rows.query([customer])?;
    let (mut bundles, mut with) = (BTreeSet::new(), BTreeMap::new());
    let mut of: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let bundle: i64 = row.get(0)?;
        bundles.insert(bundle);
        let Some(identifier) = row.get::<_, Option<i64>>(1)? else { continue };
        let name = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
        let is_device = policy.of(&Namespace::from_name(name)).tier == Tier::Device;
        if is_device || codec::assurance(row.get(2)?)?.is_proved() {
            with.entry(identifier).or_insert_with(Vec::new).push(bundle);
            of.entry(bundle).or_default().push(identifier);
        }
    }
    let mut next: Vec<i64> = bundles.first().copied().into_iter().collect();
    while let Some(bundle) = next.pop() {
        if bundles.remove(&bundle) {
            let identifiers = of.remove(&bundle).unwrap_or_default();
            next.extend(identifiers.into_iter().filter_map(|it| with.remove(&it)).flatten());
        }
    }
    Ok(!bundles.is_empty())
}

/// How many other customers carry an identifier by which they are linked.
fn others_with(connection: &Connection, identifier: i64, customer: i64) -> Result<u32, StoreError> {
    let mut n = connection.prepare_cached(
        "SELECT count(DISTINCT m.customer_id) FROM bundle_claim c JOIN member m ON m.bundle_id = c.bundle_id
         WHERE c.identifier_id = ?1 AND c.links = 1 AND m.customer_id <> ?2",
    )?;
    Ok(n.query_row([identifier, customer], |row| row.get(0))?)
}

/// From which sources the events of each bundle of a customer come.
pub(crate) fn sources_by_bundle(
    connection: &Connection,
    customer: i64,
) -> Result<BTreeMap<i64, BTreeSet<String>>, StoreError> {
    let mut of_bundle: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    let mut rows = connection.prepare_cached(
        "SELECT s.bundle_id, d.name FROM
           (SELECT DISTINCT m.bundle_id, e.source FROM member m
              JOIN event e ON e.bundle_id = m.bundle_id AND e.standing = 0 WHERE m.customer_id = ?1
            UNION SELECT m.bundle_id, e.source FROM member m
              JOIN attribution a ON a.home_id = m.bundle_id JOIN event e ON e.seq = a.event_seq
            WHERE m.customer_id = ?1) s JOIN dict d ON d.id = s.source",
    )?;
    let mut rows = rows.query([customer])?;
    while let Some(row) = rows.next()? {
        let name = codec::source_scope(row.get_ref(1)?.as_str().unwrap_or_default());
        of_bundle.entry(row.get(0)?).or_default().insert(name);
    }
    Ok(of_bundle)
}

/// By identifier, from which sources it came.
fn sources_by_identifier(
    connection: &Connection,
    customer: i64,
    of_bundle: &BTreeMap<i64, BTreeSet<String>>,
) -> Result<BTreeMap<i64, BTreeSet<String>>, StoreError> {
    let mut claims = connection.prepare_cached(
        "SELECT c.identifier_id, c.bundle_id FROM member m
           JOIN bundle_claim c ON c.bundle_id = m.bundle_id WHERE m.customer_id = ?1",
    )?;
    let mut claims = claims.query([customer])?;
    let mut sources: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    while let Some(row) = claims.next()? {
        if let Some(of) = of_bundle.get(&row.get(1)?) {
            sources.entry(row.get(0)?).or_default().extend(of.iter().cloned());
        }
    }
    Ok(sources)
}

/// Customers who carry a value of this one that does not link one of the two: somebody stated
/// it, or several share it.
fn possible(connection: &Connection, customer: i64) -> Result<Vec<PossibleDuplicate>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT DISTINCT o.customer_id, d.name, i.scope, i.key, i.linkable, mine.links, theirs.links, u.cid
         FROM member m JOIN bundle_claim mine ON mine.bundle_id = m.bundle_id
           JOIN identifier i ON i.id = mine.identifier_id AND i.hub = 0 AND i.linkable = 1
           JOIN dict d ON d.id = i.ns
           JOIN bundle_claim theirs ON theirs.identifier_id = i.id
           JOIN member o ON o.bundle_id = theirs.bundle_id AND o.customer_id <> m.customer_id
           JOIN customer u ON u.id = o.customer_id
         WHERE m.customer_id = ?1 AND (mine.links = 0) <> (theirs.links = 0)
           AND d.name NOT IN ('address', 'ip')
         ORDER BY u.cid, d.name, i.scope, i.key, mine.links LIMIT 50",
    )?;
    let mut rows = rows.query([customer])?;
    let mut possible: Vec<PossibleDuplicate> = Vec::new();
    while let Some(row) = rows.next()? {
        let other: i64 = row.get(0)?;
        let identifier = codec::read_identifier(row, 1)?;
        let stated = StatedValue { identifier, here: !row.get::<_, bool>(5)? };
        let id = CustomerId::from_bytes(row.get(7)?);
        if let Some(known) = possible.iter_mut().find(|known| known.id == id) {
            known.stated.push(stated);
        } else {
            let name = any_name(connection, other)?;
            possible.push(PossibleDuplicate { id, name, stated: vec![stated] });
        }
    }
    possible.sort_by_key(|other| other.id);
    Ok(possible)
}

/// Why the records of a customer are one person, and who shares a value and is not.
fn reasons(
    connection: &Connection,
    customer: i64,
    identifiers: &[IdentifierFact],
) -> Result<Vec<String>, StoreError> {
    let mut reasons = Vec::new();
    let linking = identifiers.iter().filter(|fact| fact.weight == Weight::Links);
    for fact in linking.filter(|fact| fact.sources.len() > 1) {
        let proof = match fact.assurance {
            cx_core::identifier::Assurance::Inferred => "inferred",
            cx_core::identifier::Assurance::SelfStated => "stated",
            cx_core::identifier::Assurance::ChannelProved => "proved by the channel",
            cx_core::identifier::Assurance::Authenticated => "proved by a login",
            cx_core::identifier::Assurance::StaffVerified => "checked by staff",
        };
        reasons.push(format!(
            "{} is on the records of {} ({proof}, {})",
            fact.identifier,
            fact.sources.join(", "),
            n_events(fact.n_events)
        ));
    }
    for fact in identifiers.iter().filter(|fact| matches!(fact.sharing, Sharing::Shared(_))) {
        let mut rows = connection.prepare_cached(
            "SELECT DISTINCT m.customer_id, u.cid FROM identifier i JOIN bundle_claim c ON c.identifier_id = i.id
               JOIN member m ON m.bundle_id = c.bundle_id
               JOIN customer u ON u.id = m.customer_id
             WHERE i.hash = ?1 AND m.customer_id <> ?2 ORDER BY u.cid LIMIT 5",
        )?;
        let hash = codec::identifier_hash(&fact.identifier);
        let rows = rows.query_map(params![&hash[..], customer], |row| row.get::<_, i64>(0))?;
        for other in rows {
            let name = any_name(connection, other?)?;
            let name = name.unwrap_or_else(|| "somebody without a name".to_owned());
            reasons.push(format!(
                "{name} also uses {} and is another customer: names and proofs do not agree",
                fact.identifier
            ));
        }
    }
    Ok(reasons)
}

/// How fresh each source is.
pub(crate) fn sources(connection: &Connection) -> Result<Vec<SourceFreshness>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT d.name, s.last_event, s.last_import FROM source_stat s JOIN dict d ON d.id = s.source
         ORDER BY d.name",
    )?;
    let mut rows = rows.query([])?;
    let mut sources = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let (system, instance) = name.split_once('\u{1f}').unwrap_or((name.as_str(), ""));
        sources.push(SourceFreshness {
            system: system.to_owned(),
            instance: instance.to_owned(),
            last_event: codec::timestamp(row.get(1)?)?,
            last_import: codec::timestamp(row.get(2)?)?,
        });
    }
    Ok(sources)
}

/// How fresh sources were then: as they are where nothing came of them since, and else as far as
/// these events of theirs tell.
pub(crate) fn sources_then(
    today: Vec<SourceFreshness>,
    told: Vec<SourceFreshness>,
    past: Past,
) -> Vec<SourceFreshness> {
    let is_as_it_was = |source: &SourceFreshness| {
        source.last_event <= past.happened_by() && source.last_import <= past.recorded_by()
    };
    let mut told: BTreeMap<(String, String), SourceFreshness> = told
        .into_iter()
        .map(|source| ((source.system.clone(), source.instance.clone()), source))
        .collect();
    let then = today.into_iter().filter_map(|source| {
        let told = told.remove(&(source.system.clone(), source.instance.clone()));
        if is_as_it_was(&source) { Some(source) } else { told }
    });
    then.collect()
}

/// `1 event`, `2 events`.
fn n_events(n: u64) -> String {
    format!("{n} event{}", if n == 1 { "" } else { "s" })
}

/// Others who may be meant, as candidates.
pub(crate) fn candidates(found: &Found, chosen: Option<i64>) -> Vec<Candidate> {
    let others = found.customers.iter().filter(|other| Some(other.row) != chosen);
    others
        .map(|other| Candidate {
            id: other.id,
            name: other.name.clone(),
            reason: match other.weight {
                Weight::Links => format!("uses it too ({})", n_events(other.n_events)),
                Weight::Stated => format!("was said to use it ({})", n_events(other.n_events)),
            },
        })
        .collect()
}

/// The assertions in force that name an observation or an identifier of a customer. Whatever
/// observation they name is a bundle of its own.
pub(crate) fn merges(
    assertions: &Assertions,
    bundles: &[BundleId],
    identifiers: &[IdentifierFact],
) -> Vec<MergeFact> {
    if assertions.is_empty() {
        return Vec::new();
    }
    let alone = bundles.iter().filter_map(|bundle| assertions.alone_in(*bundle));
    let own = identifiers.iter().map(|fact| Subject::Identifier(fact.identifier.clone()));
    let fact = |(id, assertion): (AssertionId, &Assertion)| MergeFact {
        assertion: id,
        verdict: assertion.verdict.clone(),
        at: assertion.at,
        by: assertion.by.clone(),
        reason: assertion.reason.clone(),
    };
    assertions.naming(alone.map(Subject::Observation).chain(own)).into_iter().map(fact).collect()
}

/// The last place of the file: a reading that begins now has nothing of what comes behind it.
pub(crate) fn last_place(connection: &Connection) -> Result<i64, StoreError> {
    let mut last = connection.prepare_cached("SELECT coalesce(max(seq), 0) FROM event")?;
    Ok(last.query_row([], |row| row.get(0))?)
}

/// The condition in SQL that the record of a row `e` was there when a reading began, whose last
/// place was `begun` then. What is revised meanwhile goes to the end of the file, and belongs to
/// the reading; what is new does not, or one that writes as it reads would never end.
pub(crate) fn was_there(begun: &str) -> String {
    format!(
        "(e.seq <= {begun} OR EXISTS
           (SELECT 1 FROM event AS older WHERE older.key = e.key AND older.seq <= {begun}))"
    )
}

/// The events after a place in the order of the file, at most `limit`, with the place to go on.
pub(crate) fn scan(
    connection: &Connection,
    after: i64,
    begun: i64,
    limit: usize,
) -> Result<(Vec<Event>, Option<i64>), StoreError> {
    let mut rows = connection.prepare_cached(&format!(
        "SELECT e.seq, iif(packed IS NULL, payload, cx_unpack(packed))
         FROM event AS e WHERE e.seq > ?1 AND e.standing = 0 AND {} ORDER BY e.seq LIMIT ?3",
        was_there("?2")
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = [after, begun, limit];
    let rows = rows.query_map(values, |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    let (mut events, mut last) = (Vec::new(), None);
    for row in rows {
        let (seq, payload) = row?;
        events.push(codec::event(&payload)?);
        last = Some(seq);
    }
    Ok((events, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_only_as_it_was_given_out() {
        for text in ["1.0.0.6b", "1.-5..6b2f31", "1.7.-1."] {
            assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
        }
        for text in ["1.+0.0.6b", "1.00..", "1.-0..6b", "1.0.+5.6b", "1.0.0.6B", "1.0.0.+b"] {
            let refused = text.parse::<Cursor>();
            assert!(matches!(refused, Err(StoreError::MalformedCursor { .. })), "{text}");
        }
    }
}
