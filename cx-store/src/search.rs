//! Searching what was written: full text, diacritics folded, caught up behind ingest.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use cx_core::actor::Actor;
use cx_core::context::Audience;
use cx_core::conversation::{self, Corrections};
use cx_core::event::{Body, ConversationRef, Event, Kind, Source};
use cx_core::ids::{CustomerId, EventKey};
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::Map;

use crate::codec;
use crate::error::StoreError;
use crate::read;
use crate::schema::{self, CORRECTING_OF_MEMBERS};
use crate::waiting::{self, Waiting};

/// What is searched for, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    text: String,
    audience: Audience,
    customer: Option<i64>,
    since: Timestamp,
    until: Timestamp,
    limit: usize,
}

impl SearchQuery {
    /// So many different words of a query count; a long text pasted into a search would cost the
    /// product of its length and that of what it finds.
    pub const WORDS: usize = 32;

    /// So many events are ranked. Where the words stand in more of them, those that came in last
    /// are, and where these are not enough the next older ones behind them: what is best among all of a hundred thousand is no better to anybody who reads it.
    pub const RANKED: usize = 1_000;

    /// Everything in which all these words stand, for agents; a `*` behind a word stands for any
    /// ending. Everything else in the text is taken as it stands.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            audience: Audience::Agent,
            customer: None,
            since: Timestamp::MIN,
            until: Timestamp::MAX,
            limit: 20,
        }
    }

    /// Only what this audience may see: internal notes are for agents alone. For customers something
    /// is found only where [one](crate::Store::search_of) is named: what others wrote is not theirs.
    #[must_use]
    pub const fn audience(mut self, audience: Audience) -> Self {
        self.audience = audience;
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

    /// At most that many hits; at least one.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    pub(crate) const fn is_for(&self) -> Audience {
        self.audience
    }

    pub(crate) const fn of_customer(mut self, customer: i64) -> Self {
        self.customer = Some(customer);
        self
    }
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The event.
    pub event: EventKey,
    /// When it happened.
    pub at: Timestamp,
    /// The customer it belongs to; `None` where nobody is known.
    pub customer: Option<CustomerId>,
    /// The words around the hit; what was found stands between `[` and `]`.
    pub snippet: String,
    /// The whole event; for other audiences than agents what it is and what was said, without
    /// claims, names, tags, fields and what its source sent beyond it.
    pub found: Event,
}

/// How many events are indexed in one transaction.
pub(crate) const STEP: i64 = 50_000;

/// How many are indexed in the transaction of a small batch: more than it has, so that what larger
/// ones have left behind becomes less, and few enough to be waited for.
pub(crate) const SHORT_STEP: i64 = 2_000;

/// Brings the index up to date by one step of at most so many events; gives how many it was. There
/// is more to do where it was as many.
pub(crate) fn catch_up(tx: &Transaction<'_>, most: i64) -> Result<i64, StoreError> {
    let from = indexed_until(tx)?;
    let last: i64 = tx
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM event")?
        .query_row([], |row| row.get(0))?;
    if from >= last {
        return Ok(0);
    }
    let until = last.min(from.saturating_add(most));
    tx.prepare_cached(
        "INSERT INTO event_fts(rowid, text, subject)
         SELECT seq, text, subject FROM event_text
         WHERE seq > ?1 AND seq <= ?2 AND (text IS NOT NULL OR subject IS NOT NULL)",
    )?
    .execute([from, until])?;
    tx.prepare_cached("INSERT OR REPLACE INTO meta(k, v) VALUES('indexed_until', ?1)")?
        .execute([&until.to_le_bytes()[..]])?;
    Ok(until - from)
}

/// Puts parts of the index together, some megabytes of it; says whether there is more to do. Left
/// to itself SQLite does that behind some later batch, all at once.
pub(crate) fn merge(tx: &Transaction<'_>) -> Result<bool, StoreError> {
    let before = tx.total_changes();
    tx.prepare_cached("INSERT INTO event_fts(event_fts, rank) VALUES('merge', 500)")?.execute([])?;
    // A single one is that of the command itself.
    Ok(tx.total_changes() - before > 1)
}

/// Up to which row the index is complete.
pub(crate) fn indexed_until(connection: &Connection) -> Result<i64, StoreError> {
    let stored: Option<[u8; 8]> = codec::setting(connection, "indexed_until")?;
    Ok(stored.map_or(0, i64::from_le_bytes))
}

/// How many rows of events are not in the index yet, at most.
pub(crate) fn behind(connection: &Connection) -> Result<u64, StoreError> {
    let last: i64 = connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM event")?
        .query_row([], |row| row.get(0))?;
    Ok(u64::try_from(last - indexed_until(connection)?).unwrap_or(0))
}

/// Takes a row out of the index, while its text is still there; says whether it was in it.
pub(crate) fn forget(tx: &Transaction<'_>, row: i64) -> Result<bool, StoreError> {
    if row > indexed_until(tx)? {
        return Ok(false);
    }
    let taken = tx
        .prepare_cached(
            "INSERT INTO event_fts(event_fts, rowid, text, subject)
             SELECT 'delete', seq, text, subject FROM event_text
             WHERE seq = ?1 AND (text IS NOT NULL OR subject IS NOT NULL)",
        )?
        .execute([row])?;
    Ok(taken > 0)
}

/// After the last rows were taken out: their numbers will be given again.
pub(crate) fn step_back(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let last: i64 = tx
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM event")?
        .query_row([], |row| row.get(0))?;
    let until = indexed_until(tx)?.min(last);
    tx.prepare_cached("INSERT OR REPLACE INTO meta(k, v) VALUES('indexed_until', ?1)")?
        .execute([&until.to_le_bytes()[..]])?;
    Ok(())
}

/// Puts a row into the index.
pub(crate) fn index(tx: &Transaction<'_>, row: i64) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO event_fts(rowid, text, subject)
         SELECT seq, text, subject FROM event_text
         WHERE seq = ?1 AND (text IS NOT NULL OR subject IS NOT NULL)",
    )?
    .execute([row])?;
    Ok(())
}

/// What was found, best first. Words that were edited away or taken out are found by nobody; an edit
/// is found by its own.
pub(crate) fn search(connection: &Connection, query: &SearchQuery) -> Result<Vec<Hit>, StoreError> {
    let expression = expression(&query.text);
    let is_for_nobody = query.audience == Audience::Marketing
        || query.audience == Audience::Customer && query.customer.is_none();
    if query.limit == 0 || expression.is_empty() || is_for_nobody {
        return Ok(Vec::new());
    }
    let agents = query.audience == Audience::Agent;
    // Notes are for agents, however they are marked.
    let notes = read::notes(connection)?;
    let mut rows = connection.prepare_cached(&format!(
        "SELECT
           iif(packed IS NULL, payload, cx_unpack(packed)),
           snippet(event_fts, -1, '[', ']', '…', 12), u.cid, m.customer_id, c.canonical_id
         FROM event_fts f JOIN event e ON e.seq = f.rowid AND e.standing = 0
           LEFT JOIN attribution a ON a.event_seq = e.seq
           LEFT JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id)
           LEFT JOIN customer u ON u.id = m.customer_id
           LEFT JOIN conversation c ON c.id = e.conversation_id
         WHERE event_fts MATCH ?1 AND (?2 OR e.visibility = 0 AND e.kind NOT IN ({notes}))
           AND (?3 IS NULL OR m.customer_id = ?3)
           AND e.ts >= ?4 AND e.ts <= ?5 AND f.rowid >= ?7 AND f.rowid < ?9
         ORDER BY rank, e.ts DESC, e.key LIMIT ?6 OFFSET ?8",
    ))?;
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let (since, until) = (query.since.as_micros(), query.until.as_micros());
    let mut corrected = Corrected::new(connection)?;
    let mut hits = Vec::new();
    // Where all that is ranked was taken back, the next older ones are.
    let mut before = i64::MAX;
    while let Some(first) = first_ranked(connection, &expression, &notes, before, query)? {
        let mut seen = 0;
        loop {
            let from = seen;
            let parameters = params![
                expression,
                agents,
                query.customer,
                since,
                until,
                limit,
                first,
                from,
                before
            ];
            let mut rows = rows.query(parameters)?;
            while let Some(row) = rows.next()? {
                seen += 1;
                if hits.len() >= query.limit {
                    continue;
                }
                let found = codec::event(&row.get::<_, String>(0)?)?;
                if corrected.words(&found, [row.get(3)?, row.get(4)?])? != Words::AsWritten {
                    continue;
                }
                hits.push(Hit {
                    event: found.key.clone(),
                    at: found.occurred_at,
                    customer: row.get::<_, Option<[u8; 16]>>(2)?.map(CustomerId::from_bytes),
                    snippet: row.get(1)?,
                    found: if agents { found } else { told_outside(found) },
                });
            }
            if hits.len() >= query.limit {
                return Ok(hits);
            }
            if seen - from < limit {
                break;
            }
        }
        before = first;
    }
    Ok(hits)
}

/// What of an event is for other audiences than agents.
fn told_outside(found: Event) -> Event {
    let of_kind = Kind::from_json(&found.kind.name(), Map::new());
    let kind = of_kind.unwrap_or_else(|_| Kind::Custom {
        name: found.kind.name().into_owned(),
        data: Map::new(),
    });
    let source = Source { system: found.source.system, ..Source::default() };
    let mut told = Event::new(found.key, source, kind, found.occurred_at);
    told.channel = found.channel;
    told.direction = found.direction;
    told.visibility = found.visibility;
    told.actor = Actor::of(found.actor.kind);
    told.occurred_at_origin = found.occurred_at_origin;
    told.conversation = found.conversation.map(|talk| ConversationRef::of(talk.key));
    told.body = found.body.map(|body| Body::text(body.text));
    told
}

/// What became of the words of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// They stand as they were written.
    AsWritten,
    /// An edit tells them now.
    Edited(Option<String>),
    /// They were taken out.
    TakenOut,
}

/// What became of the words of each of these events.
pub(crate) fn words(connection: &Connection, events: &[Event]) -> Result<Vec<Words>, StoreError> {
    let mut corrected = Corrected::new(connection)?;
    events.iter().map(|event| corrected.of(event)).collect()
}

/// Takes out of matters the last words and the subjects that were taken out, or are told by an edit:
/// by what the customers' records correct, in their conversations and elsewhere.
pub(crate) fn leave_what_was_taken_out(
    connection: &Connection,
    matters: &mut [Waiting],
) -> Result<(), StoreError> {
    let mut corrected = Corrected::new(connection)?;
    if corrected.correcting.is_none() {
        return Ok(());
    }
    for Waiting { conversation, .. } in matters {
        let Some(id) = read::canonical_id(connection, &conversation.key)? else { continue };
        if !corrected.is_any_around(id)? {
            continue;
        }
        if let Some(last) = &mut conversation.last
            && let Some(event) = corrected.standing(last.event.as_str())?
        {
            match corrected.of(&event)? {
                Words::AsWritten => {}
                Words::Edited(words) => last.text = words,
                Words::TakenOut => last.text = None,
            }
        }
        let Some(subject) = &conversation.subject else { continue };
        let (mut is_taken_out, mut is_left) = (false, false);
        for event in waiting::events(connection, id)? {
            if !is_left && event.subjects().any(|given| given == subject) {
                let is_out = corrected.of(&event)? == Words::TakenOut;
                is_taken_out |= is_out;
                is_left |= !is_out;
            }
        }
        if is_taken_out && !is_left {
            conversation.subject = None;
        }
    }
    Ok(())
}

/// The corrections around what is found, read once.
struct Corrected<'c> {
    connection: &'c Connection,
    /// That an event is one in force, in SQL; `None` where there is none.
    correcting: Option<String>,
    /// By customer, and by conversation.
    known: [BTreeMap<i64, Around>; 2],
}

/// Corrections, by what they correct and by their own keys.
struct Around {
    corrections: Vec<Event>,
    by_name: HashMap<String, Vec<usize>>,
}

impl Around {
    fn of(corrections: Vec<Event>) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, event) in corrections.iter().enumerate() {
            for name in names(event) {
                by_name.entry(name).or_default().push(place);
            }
        }
        Self { corrections, by_name }
    }
}

/// By what a message is corrected, and by what a correction hangs together with others.
fn names(event: &Event) -> Vec<String> {
    let bare = |id: &str| conversation::bare(id).to_owned();
    let of_kind = match &event.kind {
        Kind::Message(message) => message.message_id.as_deref(),
        Kind::MessageEdited(it) | Kind::MessageRedacted(it) | Kind::MessageDeleted(it) => {
            Some(it.target.as_str())
        }
        _ => None,
    };
    std::iter::once(bare(event.key.as_str())).chain(of_kind.map(bare)).collect()
}

impl<'c> Corrected<'c> {
    fn new(connection: &'c Connection) -> Result<Self, StoreError> {
        let correcting = schema::correcting(connection)?;
        Ok(Self { connection, correcting, known: Default::default() })
    }

    /// Whether anything corrects in a conversation, or among the events of those who are in it.
    fn is_any_around(&self, conversation: i64) -> Result<bool, StoreError> {
        let Some(correcting) = &self.correcting else { return Ok(false) };
        let of_it = "conversation c JOIN event t ON t.conversation_id = c.id AND t.standing = 0";
        let mut any = self.connection.prepare_cached(&format!(
            "SELECT EXISTS(SELECT 1 FROM conversation c JOIN event e ON e.conversation_id = c.id
                 WHERE c.canonical_id = ?1 AND {correcting})
               OR EXISTS(SELECT 1 FROM {CORRECTING_OF_MEMBERS} AND {correcting}
                 WHERE m.customer_id IN (
                   SELECT o.customer_id FROM {of_it} LEFT JOIN attribution a ON a.event_seq = t.seq
                     JOIN member o ON o.bundle_id = coalesce(a.bundle_id, t.bundle_id)
                   WHERE c.canonical_id = ?1))"
        ))?;
        Ok(any.query_row([conversation], |row| row.get(0))?)
    }

    /// What became of the words of an event.
    fn of(&mut self, event: &Event) -> Result<Words, StoreError> {
        if self.correcting.is_none() {
            return Ok(Words::AsWritten);
        }
        let mut of = self.connection.prepare_cached(
            "SELECT m.customer_id, c.canonical_id FROM event e
               LEFT JOIN attribution a ON a.event_seq = e.seq
               LEFT JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id)
               LEFT JOIN conversation c ON c.id = e.conversation_id
             WHERE e.key = ?1 AND e.standing = 0",
        )?;
        let place =
            of.query_row([event.key.as_str()], |row| Ok([row.get(0)?, row.get(1)?])).optional()?;
        self.words(event, place.unwrap_or_default())
    }

    /// What became of the words of an event, by whatever its customer's events and those of its
    /// conversation correct.
    fn words(&mut self, event: &Event, of: [Option<i64>; 2]) -> Result<Words, StoreError> {
        let Some(correcting) = &self.correcting else { return Ok(Words::AsWritten) };
        let from = [
            format!("{CORRECTING_OF_MEMBERS} WHERE m.customer_id = ?1"),
            "conversation c JOIN event e ON e.conversation_id = c.id WHERE c.canonical_id = ?1"
                .to_owned(),
        ];
        for ((known, of), from) in self.known.iter_mut().zip(of).zip(from) {
            let Some(of) = of else { continue };
            if let Entry::Vacant(place) = known.entry(of) {
                let sql = format!(
                    "SELECT iif(e.packed IS NULL, e.payload, cx_unpack(e.packed))
                     FROM {from} AND {correcting}"
                );
                place.insert(Around::of(events(self.connection, &sql, of)?));
            }
        }
        // An edit is taken back with the message that it is an edit of, which may be known by an id.
        let edited = match &event.kind {
            Kind::MessageEdited(edit) => self.standing(&edit.target)?,
            _ => None,
        };
        let around = self.known.iter().zip(of);
        let around = around.filter_map(|(known, of)| known.get(&of?));
        let around: Vec<&Around> = around.collect();
        let mut together: Vec<&Event> = std::iter::once(event).chain(&edited).collect();
        let mut open: Vec<String> = together.iter().flat_map(|event| names(event)).collect();
        let mut seen: BTreeSet<(usize, usize)> = BTreeSet::new();
        while let Some(name) = open.pop() {
            for (n, around) in around.iter().enumerate() {
                for place in around.by_name.get(&name).into_iter().flatten() {
                    let Some(correction) = around.corrections.get(*place) else { continue };
                    if seen.insert((n, *place)) {
                        together.push(correction);
                        open.extend(names(correction));
                    }
                }
            }
        }
        together.sort_by(|a, b| a.timeline_cmp(b));
        together.dedup_by(|a, b| a.key == b.key);
        Ok(match Corrections::of(&together).of_message(&event.key) {
            None => Words::AsWritten,
            Some(None) => Words::TakenOut,
            Some(Some(edit)) => Words::Edited(edit.body.as_ref().map(|body| body.text.clone())),
        })
    }

    /// The event of a key, where there is one.
    fn standing(&self, key: &str) -> Result<Option<Event>, StoreError> {
        let mut row = self.connection.prepare_cached(
            "SELECT iif(packed IS NULL, payload, cx_unpack(packed)) FROM event
             WHERE key = ?1 AND standing = 0",
        )?;
        let payload = row.query_row([key], |row| row.get::<_, String>(0)).optional()?;
        payload.map(|payload| codec::event(&payload)).transpose()
    }
}

fn events(connection: &Connection, sql: &str, of: i64) -> Result<Vec<Event>, StoreError> {
    let mut rows = connection.prepare_cached(sql)?;
    let rows = rows.query_map([of], |row| row.get::<_, String>(0))?;
    rows.map(|payload| codec::event(&payload?)).collect()
}

/// The first row that is ranked: of those that are found before a row, the last ones are. `None` where nothing
/// is found.
fn first_ranked(
    connection: &Connection,
    expression: &str,
    notes: &str,
    before: i64,
    query: &SearchQuery,
) -> Result<Option<i64>, StoreError> {
    let mut found = connection.prepare_cached(&format!(
        "SELECT min(seq) FROM (SELECT f.rowid AS seq
           FROM event_fts f CROSS JOIN event e ON e.seq = f.rowid AND e.standing = 0
           WHERE event_fts MATCH ?1 AND f.rowid < ?7
             AND (?2 OR e.visibility = 0 AND e.kind NOT IN ({notes})) AND e.ts >= ?4 AND e.ts <= ?5
             AND (?3 IS NULL OR ?3 = (SELECT m.customer_id FROM member m WHERE m.bundle_id = coalesce(
               (SELECT a.bundle_id FROM attribution a WHERE a.event_seq = e.seq), e.bundle_id)))
           ORDER BY f.rowid DESC LIMIT ?6)",
    ))?;
    let most = i64::try_from(SearchQuery::RANKED).unwrap_or(i64::MAX);
    let (since, until) = (query.since.as_micros(), query.until.as_micros());
    let agents = query.audience == Audience::Agent;
    let parameters = params![expression, agents, query.customer, since, until, most, before];
    Ok(found.query_row(parameters, |row| row.get(0))?)
}

/// The words of a text as a query of the engine: each quoted, so that nothing in it is syntax.
fn expression(text: &str) -> String {
    let words = text.split_whitespace().filter_map(|word| {
        let (word, any_ending) = match word.strip_suffix('*') {
            Some(word) => (word, "*"),
            None => (word, ""),
        };
        let has_letters = word.chars().any(char::is_alphanumeric);
        let quoted = word.replace(['"', '\0'], " ");
        has_letters.then(|| format!("\"{quoted}\"{any_ending}"))
    });
    let mut words: Vec<String> = words.collect();
    words.sort_unstable();
    words.dedup();
    words.truncate(SearchQuery::WORDS);
    words.join(" ")
}
