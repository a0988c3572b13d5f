//! Facts in: idempotent, in any order, one transaction a batch.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use cx_core::event::{Event, Source};
use cx_core::identifier::Identifier;
use cx_core::identity::{Observation, ObservedClaim, PersonName, Rules};
use cx_core::ids::{BundleId, ConversationKey, ObservationId};
use cx_core::time::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, params};
use rustc_hash::FxHashMap;

use crate::codec;
use crate::compression::{self, Packer};
use crate::derived::{self, FreshBundle, Settings, Settled, Touched};
use crate::error::StoreError;
use crate::expiry::Expiry;
use crate::feed::{self, By, Occasion};
use crate::report::{IngestReport, Recording};
use crate::statements::Statements;
use crate::suppression::Suppression;
use crate::taking_back::Keeping;
use crate::waiting;

/// Which revision of a record counts.
const CURRENT: i64 = 0;
const OLDER: i64 = 1;
const CONFLICT: i64 = 2;

/// Small numbers for names, remembered between batches.
#[derive(Debug, Default)]
pub(crate) struct Dictionary(HashMap<i64, HashMap<String, i64>>);

pub(crate) const SOURCE: i64 = 1;
pub(crate) const CHANNEL: i64 = 2;
pub(crate) const KIND: i64 = 3;
pub(crate) const NAMESPACE: i64 = 4;

impl Dictionary {
    fn number(&mut self, tx: &Transaction<'_>, class: i64, name: &str) -> Result<i64, StoreError> {
        if let Some(number) = self.0.get(&class).and_then(|names| names.get(name)) {
            return Ok(*number);
        }
        let mut find = tx.prepare_cached("SELECT id FROM dict WHERE class = ?1 AND name = ?2")?;
        let known: Option<i64> =
            find.query_row(params![class, name], |row| row.get(0)).optional()?;
        let number = if let Some(number) = known {
            number
        } else {
            tx.prepare_cached("INSERT INTO dict(class, name) VALUES(?1, ?2)")?
                .execute(params![class, name])?;
            tx.last_insert_rowid()
        };
        self.0.entry(class).or_default().insert(name.to_owned(), number);
        Ok(number)
    }
}

/// The row of an identifier, made if it is new.
fn identifier_row(
    tx: &Transaction<'_>,
    sql: &Statements<'_>,
    dictionary: &mut Dictionary,
    identifier: &Identifier,
) -> Result<(i64, IsNew), StoreError> {
    let hash = codec::identifier_hash(identifier);
    let known: Option<i64> = sql
        .query_row("SELECT id FROM identifier WHERE hash = ?1", [&hash[..]], |row| row.get(0))
        .optional()?;
    if let Some(row) = known {
        return Ok((row, IsNew::No));
    }
    let ns = dictionary.number(tx, NAMESPACE, identifier.namespace().name())?;
    sql.execute(
        "INSERT INTO identifier(hash, ns, scope, key, linkable) VALUES(?1, ?2, ?3, ?4, ?5)",
        params![&hash[..], ns, identifier.scope(), identifier.key(), identifier.is_linkable()],
    )?;
    Ok((tx.last_insert_rowid(), IsNew::Yes))
}

/// Whether a row was made just now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IsNew {
    Yes,
    No,
}

/// Writes down what all revisions claim that are shown no longer.
///
/// Schema version 4: files of version 1 do not have it, and by then what was replaced was found by
/// nobody, not even to be erased.
pub(crate) fn remember_replaced(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let tenant: Option<Vec<u8>> = codec::setting(tx, "tenant")?;
    // A new file has neither a tenant nor events yet.
    let Some(tenant) = tenant else { return Ok(()) };
    let tenant = String::from_utf8_lossy(&tenant);
    let (mut dictionary, sql) = (Dictionary::default(), Statements::new(tx));
    // Before version 8 there is no other way of keeping a payload than as it is.
    let packs = tx.prepare("SELECT packed FROM event LIMIT 0").is_ok();
    let payload = if packs { "iif(packed IS NULL, payload, cx_unpack(packed))" } else { "payload" };
    let mut replaced =
        tx.prepare(&format!("SELECT seq, {payload} FROM event WHERE standing <> 0"))?;
    let mut replaced = replaced.query([])?;
    while let Some(row) = replaced.next()? {
        let (seq, payload): (i64, String) = (row.get(0)?, row.get(1)?);
        let observation = Observation::of(&tenant, &codec::event(&payload)?);
        let claimed = observation.claims.iter().map(|claim| &claim.identifier);
        for identifier in claimed.chain(&observation.bridges) {
            let (identifier, _) = identifier_row(tx, &sql, &mut dictionary, identifier)?;
            tx.prepare_cached(
                "INSERT OR IGNORE INTO past_claim(identifier_id, event_seq) VALUES(?1, ?2)",
            )?
            .execute([identifier, seq])?;
        }
    }
    Ok(())
}

/// What a write needs besides its transaction.
pub(crate) struct Writing<'a> {
    pub(crate) dictionary: &'a mut Dictionary,
    pub(crate) settings: &'a mut Settings,
}

/// An event's text, and its hash.
pub(crate) type Text = (String, [u8; 16]);

/// An event that is to come in.
pub(crate) struct Incoming<'a> {
    pub(crate) event: &'a Event,
    /// Its text, where that was written already.
    pub(crate) text: Option<Text>,
    /// The hash of the whole, where some of it was blacked out since.
    whole: Option<[u8; 16]>,
}

impl<'a> Incoming<'a> {
    pub(crate) const fn new(event: &'a Event, text: Option<Text>) -> Self {
        Self { event, text, whole: None }
    }

    pub(crate) fn all(events: &'a [Event]) -> Vec<Self> {
        events.iter().map(|event| Self::new(event, None)).collect()
    }
}

/// Takes in a batch inside a transaction; the caller commits.
pub(crate) fn ingest(
    tx: &Transaction<'_>,
    settings: &Settings,
    dictionary: &mut Dictionary,
    recording: &Recording,
    events: Vec<Incoming<'_>>,
) -> Result<IngestReport, StoreError> {
    let expiry = Expiry::in_force(tx)?;
    import(tx, settings, dictionary, recording, events, expiry.as_ref())
}

/// Takes in what is left of records that were here before: no rule of retention keeps it out.
pub(crate) fn put_back(
    tx: &Transaction<'_>,
    settings: &Settings,
    dictionary: &mut Dictionary,
    recording: &Recording,
    events: &[Event],
) -> Result<(), StoreError> {
    import(tx, settings, dictionary, recording, Incoming::all(events), None)?;
    Ok(())
}

fn import(
    tx: &Transaction<'_>,
    settings: &Settings,
    dictionary: &mut Dictionary,
    recording: &Recording,
    events: Vec<Incoming<'_>>,
    expiry: Option<&Expiry>,
) -> Result<IngestReport, StoreError> {
    let suppression = Suppression::new(tx, &settings.id_key)?;
    let mut blacked: BTreeMap<usize, (Event, [u8; 16])> = BTreeMap::new();
    for (at, Incoming { event, text, .. }) in events.iter().enumerate() {
        if !suppression.reaches(event) {
            continue;
        }
        // It is known by all that was told: told again, it is the same.
        let hash = text.as_ref().map_or_else(|| event.text_and_hash().1, |(_, hash)| *hash);
        // What stays out, or is here as it was told, need not be looked through.
        if suppression.covers(tx, event, &hash)? || is_here(tx, event, &hash)? {
            continue;
        }
        if let Some(left) = suppression.blacked(tx, event)? {
            blacked.insert(at, (left, hash));
        }
    }
    let events = events.into_iter().enumerate().map(|(at, told)| match blacked.get(&at) {
        Some((left, hash)) => Incoming { event: left, text: None, whole: Some(*hash) },
        None => told,
    });
    let prepared = prepare(tx, settings, events.collect())?;
    let occasion = Occasion {
        adapter: Some(recording.adapter.clone()),
        ..Occasion::new(recording.recorded_at, By::Import)
    };
    let barred = Barred { suppression, expiry };
    take_in(tx, settings, dictionary, recording, &prepared, &occasion, &barred)
}

/// What may not come in.
struct Barred<'a> {
    suppression: Suppression,
    expiry: Option<&'a Expiry>,
}

/// Whether this very revision of a record is here, by all that was told of it.
fn is_here(tx: &Transaction<'_>, event: &Event, hash: &[u8; 16]) -> Result<bool, StoreError> {
    let mut here = tx.prepare_cached(
        "SELECT EXISTS(SELECT 1 FROM event WHERE key = ?1 AND hash = ?2 AND rev IS ?3)",
    )?;
    let (key, rev) = (event.key.as_str(), event.rev.as_deref());
    Ok(here.query_row(params![key, &hash[..], rev], |row| row.get(0))?)
}

/// Takes in a batch that was recorded in another file: events, with the hash of the whole where
/// some of it was blacked out since.
pub(crate) fn restore(
    tx: &Transaction<'_>,
    settings: &Settings,
    dictionary: &mut Dictionary,
    recording: &Recording,
    events: &[(Event, Option<[u8; 16]>)],
) -> Result<(), StoreError> {
    let events = events.iter().map(|(event, whole)| Incoming { event, text: None, whole: *whole });
    let prepared = prepare(tx, settings, events.collect())?;
    let occasion = Occasion { is_told: false, ..Occasion::new(recording.recorded_at, By::Import) };
    let suppression = Suppression::new(tx, &settings.id_key)?;
    let barred = Barred { suppression, expiry: None };
    take_in(tx, settings, dictionary, recording, &prepared, &occasion, &barred)?;
    Ok(())
}

fn take_in(
    tx: &Transaction<'_>,
    settings: &Settings,
    dictionary: &mut Dictionary,
    recording: &Recording,
    prepared: &[Prepared<'_>],
    occasion: &Occasion,
    Barred { suppression, expiry }: &Barred<'_>,
) -> Result<IngestReport, StoreError> {
    // Rows of one bundle stand together, in the order of its timeline.
    let mut order: Vec<(BundleId, Timestamp, usize, &Prepared<'_>)> = prepared
        .iter()
        .enumerate()
        .map(|(position, record)| (record.bundle, record.event.occurred_at, position, record))
        .collect();
    order.sort_unstable_by(|a, b| {
        (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| a.3.beside().cmp(&b.3.beside()))
    });
    let mut batch = Batch::new(tx, settings, dictionary, recording)?;
    let mut old = Vec::new();
    for (_, _, position, record) in order {
        if suppression.covers(tx, record.event, &record.hash)? {
            batch.report.suppressed += 1;
        } else if expiry.is_some_and(|it| it.covers(record.event, recording.recorded_at)) {
            old.push((position, record));
        } else {
            batch.position = position;
            batch.take(record)?;
        }
    }
    batch.flush()?;
    if let Some(expiry) = expiry.filter(|_| !old.is_empty()) {
        batch.take_old(expiry, &old)?;
    }
    for bundle in std::mem::take(&mut batch.recount) {
        batch.count_again(bundle)?;
    }
    batch.group()?;
    let outcome = derived::update(tx, settings, &batch.touched, occasion)?;
    batch.report.customers = outcome.n_customers;
    for gone in waiting::forget(tx, &batch.parted)? {
        batch.conversations.remove(&gone);
    }
    let told = batch.told.iter().map(|(row, positions)| {
        let records = positions.iter().filter_map(|position| prepared.get(*position));
        (*row, records.map(|record| record.event).collect())
    });
    waiting::refold_with(tx, &batch.conversations, told.collect())?;
    Ok(batch.report)
}

/// Gives observations that an assertion names a bundle of their own, or takes it away again where
/// none does any more. Gives the bundles that are touched by it.
pub(crate) fn single_out(
    tx: &Transaction<'_>,
    settings: &Settings,
    dictionary: &mut Dictionary,
    observations: &BTreeMap<ObservationId, String>,
) -> Result<Touched, StoreError> {
    // Nothing is recorded here: each record keeps the instant at which it first was.
    let recording = Recording::new(Timestamp::MAX, "");
    let mut batch = Batch::new(tx, settings, dictionary, &recording)?;
    for (id, key) in observations {
        let found: Option<(i64, String, i64)> = tx
            .prepare_cached(
                "SELECT seq, iif(packed IS NULL, payload, cx_unpack(packed)), bundle_id
                 FROM event WHERE key = ?1 AND standing = 0",
            )?
            .query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((seq, payload, arrived)) = found else { continue };
        batch.hand_on(key, seq)?;
        let event = codec::event(&payload)?;
        let record = Prepared::new(settings, &event);
        let own = batch.bundle(&record, BundleId::of_one(*id), first_recorded(tx, key)?)?;
        if settings.assertions.names(*id) {
            tx.prepare_cached(
                "INSERT OR REPLACE INTO attribution(event_seq, bundle_id, home_id, by_time)
                 VALUES(?1, ?2, ?2, 0)",
            )?
            .execute([seq, own])?;
        } else {
            tx.prepare_cached("DELETE FROM attribution WHERE event_seq = ?1")?.execute([seq])?;
        }
        batch.recount.extend([own, arrived]);
        batch.touched.bundles.extend([own, arrived]);
    }
    for bundle in std::mem::take(&mut batch.recount) {
        batch.count_again(bundle)?;
    }
    Ok(batch.touched)
}

/// Files all records anew whose claims or names are read otherwise than when they came in. Gives
/// what is touched by it; nothing is derived yet.
pub(crate) fn file_anew(tx: &Transaction<'_>, settings: &Settings) -> Result<Touched, StoreError> {
    let recording = Recording::new(Timestamp::MAX, "");
    let mut dictionary = Dictionary::default();
    let mut batch = Batch::new(tx, settings, &mut dictionary, &recording)?;
    let mut moved = BTreeSet::new();
    let mut events = tx.prepare(
        "SELECT e.seq, iif(e.packed IS NULL, e.payload, cx_unpack(e.packed)), e.bundle_id, b.hash
         FROM event e LEFT JOIN bundle b ON b.id = e.bundle_id WHERE e.standing = 0",
    )?;
    let mut events = events.query([])?;
    while let Some(row) = events.next()? {
        let (seq, arrived): (i64, i64) = (row.get(0)?, row.get(2)?);
        let event = codec::event(&row.get::<_, String>(1)?)?;
        let record = Prepared::new(settings, &event);
        let is_alone = settings.assertions.names(record.observation.id);
        let is_there = row.get::<_, Option<[u8; 16]>>(3)? == Some(*record.bundle.as_bytes());
        // The bundle of a record that is singled out does not tell by its name what it claims.
        if is_there && !is_alone {
            continue;
        }
        let key = event.key.as_str();
        batch.hand_on(key, seq)?;
        let recorded = first_recorded(tx, key)?;
        if is_alone {
            let own = batch.bundle(&record, record.observation.own_bundle(), recorded)?;
            batch.recount.insert(own);
        }
        let bundle = batch.bundle(&record, record.bundle, recorded)?;
        if bundle != arrived {
            moved.insert((seq, bundle));
            batch.recount.extend([arrived, bundle]);
        }
    }
    drop(events);
    // What nobody was singled out for goes home before it is given away anew.
    batch.flush()?;
    tx.execute_batch(
        "UPDATE attribution SET bundle_id = home_id, by_time = 0 WHERE by_time = 1;
         DELETE FROM attribution WHERE home_id = (SELECT bundle_id FROM event WHERE seq = event_seq);",
    )?;
    for (seq, bundle) in moved {
        tx.prepare_cached("UPDATE event SET bundle_id = ?2 WHERE seq = ?1")?
            .execute([seq, bundle])?;
    }
    for bundle in std::mem::take(&mut batch.recount) {
        batch.touched.bundles.insert(bundle);
        batch.count_again(bundle)?;
    }
    tx.execute("DELETE FROM past_claim", [])?;
    let touched = Touched { fresh: derived::Fresh::default(), ..batch.touched };
    remember_replaced(tx)?;
    Ok(touched)
}

/// What a removal of events has touched.
pub(crate) struct TakenOut {
    /// The bundles that have lost any.
    pub(crate) touched: Touched,
    /// The conversations that have lost any, and all that were under one key with them.
    pub(crate) conversations: BTreeSet<i64>,
}

/// Takes rows of events out, for good.
pub(crate) fn take_out(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    rows: &BTreeSet<i64>,
) -> Result<TakenOut, StoreError> {
    let recording = Recording::new(Timestamp::MAX, "");
    let mut batch = Batch::new(tx, writer.settings, writer.dictionary, &recording)?;
    let mut sources: BTreeMap<i64, SourceLoss> = BTreeMap::new();
    for row in rows {
        let (arrived, home, standing, source, conversation, loss) = tx
            .prepare_cached(
                "SELECT e.bundle_id, a.home_id, e.standing, e.source, e.ts, b.recorded_at,
                   e.conversation_id
                 FROM event e JOIN batch b ON b.id = e.batch
                   LEFT JOIN attribution a ON a.event_seq = e.seq WHERE e.seq = ?1",
            )?
            .query_row([row], |row| {
                let loss = SourceLoss { n: 1, last_event: row.get(4)?, last_import: row.get(5)? };
                let (arrived, home): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
                let conversation: Option<i64> = row.get(6)?;
                Ok((arrived, home, row.get::<_, i64>(2)?, row.get(3)?, conversation, loss))
            })?;
        batch.parted.extend(conversation);
        if standing == CURRENT {
            batch.recount.extend([arrived].into_iter().chain(home));
        } else if let Some(shown) = shown_instead(tx, *row)? {
            // It may have been recorded first of its record, by which customers are named.
            batch.recount.insert(batch.homes(shown)?.0);
        }
        for sql in [
            "DELETE FROM attribution WHERE event_seq = ?1",
            "DELETE FROM past_claim WHERE event_seq = ?1",
            "DELETE FROM event WHERE seq = ?1",
        ] {
            tx.prepare_cached(sql)?.execute([row])?;
        }
        let sum = sources.entry(source).or_insert(SourceLoss { n: 0, ..loss });
        sum.n += 1;
        sum.last_event = sum.last_event.max(loss.last_event);
        sum.last_import = sum.last_import.max(loss.last_import);
    }
    for (source, loss) in sources {
        loss.count_out(tx, source)?;
    }
    batch.touched.bundles.extend(batch.recount.iter().copied());
    for bundle in std::mem::take(&mut batch.recount) {
        batch.count_again(bundle)?;
    }
    batch.group()?;
    batch.conversations.append(&mut batch.parted);
    Ok(TakenOut { touched: batch.touched, conversations: batch.conversations })
}

/// The revision of a record that is shown in the place of this one.
fn shown_instead(tx: &Transaction<'_>, row: i64) -> Result<Option<i64>, StoreError> {
    let mut shown = tx.prepare_cached(
        "SELECT o.seq FROM event e JOIN event o ON o.key = e.key AND o.standing = 0
         WHERE e.seq = ?1",
    )?;
    Ok(shown.query_row([row], |row| row.get(0)).optional()?)
}

/// What a source has lost: how many events, and the last instants among them.
#[derive(Clone, Copy)]
struct SourceLoss {
    n: i64,
    last_event: i64,
    last_import: i64,
}

impl SourceLoss {
    /// Counts the loss out. Only where the last of the source is among what is gone are its events
    /// read for what is the last one now.
    fn count_out(self, tx: &Transaction<'_>, source: i64) -> Result<(), StoreError> {
        let (last_event, last_import, n): (i64, i64, i64) = tx
            .prepare_cached("SELECT last_event, last_import, n FROM source_stat WHERE source = ?1")?
            .query_row([source], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        if n <= self.n {
            tx.prepare_cached("DELETE FROM source_stat WHERE source = ?1")?.execute([source])?;
            return Ok(());
        }
        let is_left = |sql: &str, last: i64| -> Result<bool, StoreError> {
            let mut left = tx.prepare_cached(sql)?;
            Ok(left.query_row([source, last], |_| Ok(())).optional()?.is_some())
        };
        let is_same = (self.last_event < last_event
            || is_left(
                "SELECT 1 FROM event WHERE source = ?1 AND ts = ?2 ORDER BY seq DESC LIMIT 1",
                last_event,
            )?)
            && (self.last_import < last_import
                || is_left(
                    "SELECT 1 FROM event e CROSS JOIN batch b ON b.id = e.batch
                     WHERE e.source = ?1 AND b.recorded_at = ?2 ORDER BY e.seq DESC LIMIT 1",
                    last_import,
                )?);
        if is_same {
            tx.prepare_cached("UPDATE source_stat SET n = n - ?2 WHERE source = ?1")?
                .execute([source, self.n])?;
            return Ok(());
        }
        tx.prepare_cached(
            "UPDATE source_stat SET n = n - ?2,
               (last_event, last_import) = (SELECT max(e.ts), max(b.recorded_at)
                 FROM event e JOIN batch b ON b.id = e.batch WHERE e.source = ?1)
             WHERE source = ?1",
        )?
        .execute([source, self.n])?;
        Ok(())
    }
}

/// An event with all that is computed from it alone.
struct Prepared<'a> {
    event: &'a Event,
    observation: Observation,
    bundle: BundleId,
    payload: String,
    /// The payload as it is kept, where it is packed.
    packed: Option<Vec<u8>>,
    hash: [u8; 16],
    /// Then the hash is that of the whole.
    is_blacked_out: bool,
}

/// So many events at least are worth a thread of their own.
const SHARE: usize = 1_000;

/// Computes what depends on each event alone, on all cores where there are many.
fn prepare<'a>(
    tx: &Transaction<'_>,
    settings: &Settings,
    mut events: Vec<Incoming<'a>>,
) -> Result<Vec<Prepared<'a>>, StoreError> {
    let packs = compression::is_in_force(tx)?;
    let prepared = |share: &mut [Incoming<'a>]| -> Result<_, StoreError> {
        let mut packer = if packs { Some(Packer::new()?) } else { None };
        let mut prepared = Vec::with_capacity(share.len());
        for Incoming { event, text, whole } in share {
            let text = text.take().unwrap_or_else(|| event.text_and_hash());
            let mut record = Prepared::of_text(settings, event, text, *whole);
            record.packed = packer.as_mut().and_then(|packer| packer.pack(&record.payload));
            prepared.push(record);
        }
        Ok(prepared)
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = events.len().div_ceil(cores).max(SHARE);
    if events.len() <= share {
        return prepared(&mut events);
    }
    let done: Vec<Option<Result<Vec<Prepared<'a>>, StoreError>>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            events.chunks_mut(share).map(|share| scope.spawn(|| prepared(share))).collect();
        threads.into_iter().map(|thread| thread.join().ok()).collect()
    });
    let mut all = Vec::with_capacity(events.len());
    for share in done {
        let failed = || StoreError::malformed("event", "a thread that stopped");
        all.extend(share.ok_or_else(failed)??);
    }
    Ok(all)
}

/// What is counted into a bundle, to be written once.
struct Counts {
    /// Whether the bundle has no row yet.
    is_new: bool,
    n: i64,
    first: i64,
    last: i64,
    /// When it was recorded, the observation, and its event's key: the least of them.
    anchor: (i64, [u8; 16], String),
    /// Of several spellings of one name the same one is shown in any order: the greatest.
    name: Option<String>,
    /// By identifier: when it was seen first, and how often.
    bridges: BTreeMap<i64, (i64, i64)>,
    channels: BTreeMap<i64, i64>,
}

impl<'a> Prepared<'a> {
    fn new(settings: &Settings, event: &'a Event) -> Self {
        Self::of_text(settings, event, event.text_and_hash(), None)
    }

    fn of_text(
        settings: &Settings,
        event: &'a Event,
        (payload, hash): Text,
        whole: Option<[u8; 16]>,
    ) -> Self {
        let observation = Observation::of(&settings.tenant, event);
        let bundle = observation.bundle();
        let is_blacked_out = whole.is_some();
        let hash = whole.unwrap_or(hash);
        Self { event, observation, bundle, payload, packed: None, hash, is_blacked_out }
    }

    /// In which order it comes among those of one bundle and instant.
    fn beside(&self) -> (&str, [u8; 16]) {
        (self.event.key.as_str(), self.hash)
    }
}

/// A stored revision of a record.
struct Revision {
    seq: i64,
    rev: Option<String>,
    hash: [u8; 16],
    standing: i64,
    recorded: i64,
}

const REVISIONS: &str = "
    SELECT e.seq, e.rev, e.hash, e.standing, b.recorded_at
    FROM event e CROSS JOIN batch b ON b.id = e.batch WHERE e.key = ?1";
const INSERT_EVENT: &str = "
    INSERT INTO event(bundle_id, ts, src_seq, key, source, channel, kind, direction, visibility,
      conversation_id, batch, rev, hash, standing, codec, payload, packed, sum)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";
const INSERT_BUNDLE: &str = "
    INSERT INTO bundle(id, hash, name_key, name, first_seen, last_seen, n, anchor_recorded,
      anchor_oid, anchor_key, registered, nobody, resolved_first_seen, resolved_anchor)
    VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
const INSERT_CLAIM: &str = "
    INSERT INTO bundle_claim(bundle_id, identifier_id, assurance, caveat, links)
    VALUES(?1, ?2, ?3, ?4, ?5)";

struct Batch<'a> {
    tx: &'a Transaction<'a>,
    sql: Statements<'a>,
    /// Prepared once, since every event needs them.
    find_revisions: CachedStatement<'a>,
    insert_event: CachedStatement<'a>,
    insert_bundle: CachedStatement<'a>,
    insert_claim: CachedStatement<'a>,
    settings: &'a Settings,
    dictionary: &'a mut Dictionary,
    recorded_at: Timestamp,
    row: Option<i64>,
    recording: &'a Recording,
    touched: Touched,
    recount: BTreeSet<i64>,
    conversations: BTreeSet<i64>,
    identifiers: HashMap<Identifier, i64>,
    bundles: FxHashMap<BundleId, i64>,
    conversation_rows: HashMap<ConversationKey, i64>,
    /// Conversations of which there is a new alias.
    joined: BTreeSet<i64>,
    /// Conversations an event of which named aliases and is shown no longer.
    parted: BTreeSet<i64>,
    /// The row of the bundle that was made last, if any was.
    last_bundle: Option<i64>,
    /// The row of the conversation that was made last, if any was.
    last_conversation: Option<i64>,
    counts: BTreeMap<i64, Counts>,
    /// Where in the batch the record stands that is taken in.
    position: usize,
    /// Conversations that are known by one key only and all of whose events came in this batch:
    /// where these stand.
    told: BTreeMap<i64, Vec<usize>>,
    /// Sources with their numbers.
    sources_seen: Vec<(String, String, i64)>,
    /// By source: its last event, and how many came.
    sources: BTreeMap<i64, (i64, i64)>,
    report: IngestReport,
}

impl<'a> Batch<'a> {
    fn new(
        tx: &'a Transaction<'a>,
        settings: &'a Settings,
        dictionary: &'a mut Dictionary,
        recording: &'a Recording,
    ) -> Result<Self, StoreError> {
        let last = tx.query_row("SELECT coalesce(max(seq), 0) FROM event", [], |row| row.get(0))?;
        let mut touched = Touched::default();
        touched.fresh.after = Some(last);
        Ok(Self {
            tx,
            sql: Statements::new(tx),
            find_revisions: tx.prepare_cached(REVISIONS)?,
            insert_event: tx.prepare_cached(INSERT_EVENT)?,
            insert_bundle: tx.prepare_cached(INSERT_BUNDLE)?,
            insert_claim: tx.prepare_cached(INSERT_CLAIM)?,
            settings,
            dictionary,
            recorded_at: recording.recorded_at,
            row: None,
            recording,
            touched,
            recount: BTreeSet::new(),
            conversations: BTreeSet::new(),
            identifiers: HashMap::new(),
            bundles: FxHashMap::default(),
            conversation_rows: HashMap::new(),
            joined: BTreeSet::new(),
            parted: BTreeSet::new(),
            last_bundle: None,
            last_conversation: None,
            counts: BTreeMap::new(),
            position: 0,
            told: BTreeMap::new(),
            sources_seen: Vec::new(),
            sources: BTreeMap::new(),
            report: IngestReport::default(),
        })
    }

    fn take(&mut self, record: &Prepared<'_>) -> Result<(), StoreError> {
        let revisions = self.revisions(record.event.key.as_str())?;
        let rev = record.event.rev.as_deref();
        if revisions.iter().any(|other| other.rev.as_deref() == rev && other.hash == record.hash) {
            self.report.duplicate += 1;
            return Ok(());
        }
        if revisions.iter().any(|other| other.rev.as_deref() == rev) {
            self.report.conflict += 1;
            if self.report.conflicts.len() < IngestReport::KEPT {
                self.report.conflicts.push(record.event.key.to_string());
            }
        } else if revisions.is_empty() {
            self.report.new += 1;
            self.report.count(&record.event.kind.name());
        } else {
            self.report.revised += 1;
        }
        self.report.count_unlinked(record.event);
        let before = revisions.iter().map(|other| other.recorded).min();
        let before = before.map_or(Ok(Timestamp::MAX), codec::timestamp)?;
        let recorded = before.min(self.recorded_at);
        let Some(current) = revisions.iter().find(|other| other.standing == CURRENT) else {
            return self.insert(record, CURRENT, recorded);
        };
        match compare_revs(rev, current.rev.as_deref()) {
            Ordering::Less => self.insert(record, OLDER, recorded)?,
            // Of two records that cannot both be right the same one is shown in any order.
            Ordering::Equal if record.hash > current.hash => {
                self.insert(record, CONFLICT, recorded)?;
            }
            Ordering::Equal => return self.replace(current, CONFLICT, record, recorded),
            Ordering::Greater => {
                for other in revisions.iter().filter(|other| other.standing == CONFLICT) {
                    self.set_standing(other.seq, OLDER)?;
                }
                return self.replace(current, OLDER, record, recorded);
            }
        }
        if recorded < before {
            // A customer may be named after this record from now on.
            let (home, _) = self.homes(current.seq)?;
            self.recount.insert(home);
            self.touched.bundles.insert(home);
        }
        Ok(())
    }

    /// Takes in what is over under the rules in force and comes in all the same: revisions of records
    /// that are here, which stay or go as a whole, and what takes back what stays.
    fn take_old(
        &mut self,
        expiry: &Expiry,
        old: &[(usize, &Prepared<'_>)],
    ) -> Result<(), StoreError> {
        let (tx, settings) = (self.tx, self.settings);
        let mut left: Vec<&(usize, &Prepared<'_>)> = old.iter().collect();
        // What comes in may be what another one takes back.
        loop {
            // With the kinds that have come in by now.
            let mut limits = expiry.limits(tx, self.recorded_at)?;
            let mut keeping = Keeping::new(tx, settings);
            let mut over = Vec::new();
            for it @ (position, record) in left.iter().copied() {
                let comes_in = !self.revisions(record.event.key.as_str())?.is_empty()
                    || keeping.lets_in(&mut limits, record.event)?;
                if comes_in {
                    self.position = *position;
                    self.take(record)?;
                } else {
                    over.push(it);
                }
            }
            self.flush()?;
            let is_settled = over.is_empty() || over.len() == left.len();
            left = over;
            if is_settled {
                break;
            }
        }
        self.report.expired += u64::try_from(left.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    fn revisions(&mut self, key: &str) -> Result<Vec<Revision>, StoreError> {
        let rows = self.find_revisions.query_map([key], |row| {
            Ok(Revision {
                seq: row.get(0)?,
                rev: row.get(1)?,
                hash: row.get(2)?,
                standing: row.get(3)?,
                recorded: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn set_standing(&self, seq: i64, standing: i64) -> Result<(), StoreError> {
        self.sql.execute("UPDATE event SET standing = ?2 WHERE seq = ?1", [seq, standing])?;
        Ok(())
    }

    /// Shows another revision from now on.
    fn replace(
        &mut self,
        old: &Revision,
        standing: i64,
        record: &Prepared<'_>,
        recorded: Timestamp,
    ) -> Result<(), StoreError> {
        // What it claims may have come in this very batch.
        self.flush()?;
        self.hand_on(record.event.key.as_str(), old.seq)?;
        let (home, arrived) = self.homes(old.seq)?;
        let conversation: Option<i64> = self.sql.query_row(
            "SELECT conversation_id FROM event WHERE seq = ?1",
            [old.seq],
            |row| row.get(0),
        )?;
        self.conversations.extend(conversation);
        if let Some(row) = conversation {
            self.told.remove(&row);
        }
        let payload: String = self.sql.query_row(
            "SELECT iif(packed IS NULL, payload, cx_unpack(packed)) FROM event WHERE seq = ?1",
            [old.seq],
            |row| row.get(0),
        )?;
        let event = codec::event(&payload)?;
        let observation = Observation::of(&self.settings.tenant, &event);
        if event.conversation != record.event.conversation
            && event.conversation.is_some_and(|it| !it.aliases.is_empty())
        {
            self.parted.extend(conversation);
        }
        self.remember(old.seq, &observation)?;
        self.set_standing(old.seq, standing)?;
        self.sql.execute("DELETE FROM attribution WHERE event_seq = ?1", [old.seq])?;
        // Where it has another home, the bundle under which it arrived was kept for its sake.
        self.recount.extend([home, arrived]);
        self.touched.bundles.extend([home, arrived]);
        self.insert(record, CURRENT, recorded)
    }

    /// Takes note of whose a record is that may get another bundle. What is new is nobody's yet.
    fn hand_on(&mut self, key: &str, seq: i64) -> Result<(), StoreError> {
        if self.touched.fresh.after.is_none_or(|after| seq <= after) {
            let owner = feed::owner(self.tx, seq)?;
            self.touched.handed.entry(key.to_owned()).or_insert(owner);
        }
        Ok(())
    }

    /// On which bundle an event hangs, and under which it arrived.
    fn homes(&self, seq: i64) -> Result<(i64, i64), StoreError> {
        let homes = self.sql.query_row(
            "SELECT coalesce((SELECT a.home_id FROM attribution a WHERE a.event_seq = e.seq), e.bundle_id),
               e.bundle_id
             FROM event e WHERE e.seq = ?1",
            [seq],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(homes)
    }

    /// Keeps what a revision claims that is shown no longer: by it the past is found.
    fn remember(&mut self, seq: i64, observation: &Observation) -> Result<(), StoreError> {
        let claimed = observation.claims.iter().map(|claim| &claim.identifier);
        for identifier in claimed.chain(&observation.bridges) {
            let identifier = self.identifier(identifier)?;
            self.sql.execute(
                "INSERT OR IGNORE INTO past_claim(identifier_id, event_seq) VALUES(?1, ?2)",
                [identifier, seq],
            )?;
        }
        Ok(())
    }

    fn insert(
        &mut self,
        record: &Prepared<'_>,
        standing: i64,
        recorded: Timestamp,
    ) -> Result<(), StoreError> {
        let event = &record.event;
        let source = self.source(&event.source)?;
        let channel = self.dictionary.number(self.tx, CHANNEL, &event.channel.name())?;
        let kind = self.dictionary.number(self.tx, KIND, &event.kind.name())?;
        let batch = self.batch()?;
        let is_current = standing == CURRENT;
        let mut bundle = 0;
        let mut conversation = None;
        if is_current {
            bundle = self.bundle(record, record.bundle, recorded)?;
            conversation = self.conversation(record)?;
        }
        self.insert_event.execute(params![
            bundle,
            event.occurred_at.as_micros(),
            codec::source_order(event.seq),
            event.key.as_str(),
            source,
            channel,
            kind,
            codec::direction_code(event.direction),
            codec::visibility_code(event.visibility),
            conversation,
            batch,
            event.rev,
            &record.hash[..],
            standing,
            if record.is_blacked_out { codec::BLACKED_OUT } else { codec::WHOLE },
            if record.packed.is_none() { record.payload.as_str() } else { "" },
            record.packed,
            codec::sum(&record.payload, batch),
        ])?;
        let seq = self.tx.last_insert_rowid();
        let at = event.occurred_at.as_micros();
        let (last, n) = self.sources.entry(source).or_insert((at, 0));
        *last = at.max(*last);
        *n += 1;
        if !is_current {
            return self.remember(seq, &record.observation);
        }
        let mut home = bundle;
        if self.settings.assertions.names(record.observation.id) {
            home = self.bundle(record, record.observation.own_bundle(), recorded)?;
            self.sql.execute(
                "INSERT OR IGNORE INTO named(oid, event_key) VALUES(?1, ?2)",
                params![&record.observation.id.as_bytes()[..], event.key.as_str()],
            )?;
            self.sql.execute("INSERT INTO attribution(event_seq, bundle_id, home_id, by_time) VALUES(?1, ?2, ?2, 0)", [seq, home])?;
            self.recount.insert(bundle);
            self.touched.bundles.insert(bundle);
        }
        self.count_in(record, home, channel, recorded)?;
        self.touched.bundles.insert(home);
        if let Some(row) = conversation {
            self.conversations.insert(row);
            if let Some(positions) = self.told.get_mut(&row) {
                positions.push(self.position);
            }
        }
        Ok(())
    }

    /// The number of a source; of one after another it is mostly the same.
    fn source(&mut self, source: &Source) -> Result<i64, StoreError> {
        let place = (source.system.as_str(), source.instance.as_str());
        let known = self
            .sources_seen
            .iter()
            .find(|(system, instance, _)| (&**system, &**instance) == place);
        if let Some((_, _, number)) = known {
            return Ok(*number);
        }
        let name = format!("{}\u{1f}{}", source.system, source.instance);
        let number = self.dictionary.number(self.tx, SOURCE, &name)?;
        if self.sources_seen.len() < 32 {
            self.sources_seen.push((source.system.clone(), source.instance.clone(), number));
        }
        Ok(number)
    }

    fn batch(&mut self) -> Result<i64, StoreError> {
        if let Some(batch) = self.row {
            return Ok(batch);
        }
        self.sql.execute(
            "INSERT INTO batch(recorded_at, adapter, adapter_version) VALUES(?1, ?2, ?3)",
            params![
                self.recorded_at.as_micros(),
                self.recording.adapter,
                self.recording.adapter_version
            ],
        )?;
        let batch = self.tx.last_insert_rowid();
        self.row = Some(batch);
        Ok(batch)
    }

    /// The row of a bundle, made with its claims if it is new. Its counts are for the caller.
    fn bundle(
        &mut self,
        record: &Prepared<'_>,
        id: BundleId,
        recorded: Timestamp,
    ) -> Result<i64, StoreError> {
        let observation = &record.observation;
        let is_alone = observation.claims.is_empty() && observation.bridges.is_empty();
        let is_own = id != record.bundle || is_alone;
        if let Some(row) = self.bundles.get(&id).copied() {
            if is_own {
                self.renew(row, record)?;
            }
            return Ok(row);
        }
        let known: Option<i64> = self
            .sql
            .query_row("SELECT id FROM bundle WHERE hash = ?1", [&id.as_bytes()[..]], |row| {
                row.get(0)
            })
            .optional()?;
        let at = observation.occurred_at.as_micros();
        if let Some(row) = known {
            self.bundles.insert(id, row);
            if is_own {
                self.renew(row, record)?;
            }
            return Ok(row);
        }
        let row = match self.last_bundle {
            Some(last) => last + 1,
            None => {
                self.tx.query_row("SELECT coalesce(max(id), 0) + 1 FROM bundle", [], |row| {
                    row.get(0)
                })?
            }
        };
        self.last_bundle = Some(row);
        let mut claims = Vec::with_capacity(observation.claims.len());
        for claim in &observation.claims {
            claims.push((claim.clone(), self.identifier(&claim.identifier)?));
        }
        claims.sort();
        let name = observation.name.clone();
        let counts = Counts {
            is_new: true,
            n: 0,
            first: at,
            last: at,
            anchor: (
                recorded.as_micros(),
                *observation.id.as_bytes(),
                record.event.key.to_string(),
            ),
            name: record.event.name.as_ref().filter(|_| name.is_some()).cloned(),
            bridges: BTreeMap::new(),
            channels: BTreeMap::new(),
        };
        self.counts.insert(row, counts);
        self.touched
            .fresh
            .bundles
            .insert(row, FreshBundle { id, claims, name, is_own, settled: None });
        self.bundles.insert(id, row);
        Ok(row)
    }

    /// Writes a bundle that has no row yet, with its claims. Where it can be told already how they
    /// will stand once it is resolved, they are written so.
    fn write_bundle(&mut self, bundle: i64, counts: &Counts) -> Result<(), StoreError> {
        let Some(fresh) = self.touched.fresh.bundles.get(&bundle) else { return Ok(()) };
        let (recorded, oid, key) = &counts.anchor;
        // Nobody has singled it out, and the policy does not ask whose word it is.
        let is_plain = counts.n > 0 && !fresh.is_own && self.settings.policy.sources.is_empty();
        let facts = fresh.facts(counts.first, (*recorded, *oid), None)?;
        let linking: Vec<&ObservedClaim> = if is_plain {
            let rules =
                Rules { policy: &self.settings.policy, assertions: &self.settings.assertions };
            rules.linking(&facts)
        } else {
            Vec::new()
        };
        let is_resolved = is_plain && facts.is_somebody();
        self.insert_bundle.execute(params![
            bundle,
            &fresh.id.as_bytes()[..],
            fresh.name.as_ref().map(PersonName::key),
            counts.name,
            counts.first,
            counts.last,
            counts.n,
            recorded,
            &oid[..],
            key,
            is_plain,
            is_plain && !is_resolved,
            is_resolved.then_some(counts.first),
            is_resolved.then_some(&oid[..]),
        ])?;
        let mut linked = BTreeSet::new();
        for (claim, identifier) in &fresh.claims {
            let links = linking.iter().any(|other| other.identifier == claim.identifier);
            if links {
                linked.insert(*identifier);
            }
            write_claim(&mut self.insert_claim, bundle, *identifier, claim, links)?;
        }
        let bridges = counts.bridges.keys().copied().collect();
        let settled =
            Settled { first_seen: counts.first, anchor: counts.anchor.clone(), linked, bridges };
        if let Some(fresh) = self.touched.fresh.bundles.get_mut(&bundle).filter(|_| is_plain) {
            fresh.settled = Some(settled);
        }
        Ok(())
    }

    /// Takes back what was foreseen of a new bundle: it has changed since.
    fn unsettle(&mut self, bundle: i64) -> Result<(), StoreError> {
        let fresh = self.touched.fresh.bundles.get_mut(&bundle);
        if fresh.and_then(|fresh| fresh.settled.take()).is_none() {
            return Ok(());
        }
        self.sql.execute(
            "UPDATE bundle SET registered = 0, nobody = 0, resolved_first_seen = NULL,
                   resolved_anchor = NULL WHERE id = ?1",
            [bundle],
        )?;
        self.sql.execute("UPDATE bundle_claim SET links = 0 WHERE bundle_id = ?1", [bundle])?;
        Ok(())
    }

    fn claim(&mut self, bundle: i64, observation: &Observation) -> Result<(), StoreError> {
        for claim in &observation.claims {
            let identifier = self.identifier(&claim.identifier)?;
            write_claim(&mut self.insert_claim, bundle, identifier, claim, false)?;
        }
        Ok(())
    }

    /// Brings the bundle that a record has for itself up to date with what its revision says now.
    fn renew(&mut self, bundle: i64, record: &Prepared<'_>) -> Result<(), StoreError> {
        // It may be new.
        self.flush()?;
        let observation = &record.observation;
        let mut says = BTreeSet::new();
        for claim in &observation.claims {
            let identifier = self.identifier(&claim.identifier)?;
            says.insert((
                identifier,
                codec::assurance_code(claim.assurance),
                codec::caveat_code(claim.caveat),
            ));
        }
        let said: BTreeSet<(i64, i64, i64)> = {
            let mut rows = self.tx.prepare_cached(
                "SELECT identifier_id, assurance, caveat FROM bundle_claim WHERE bundle_id = ?1",
            )?;
            let rows =
                rows.query_map([bundle], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        let name_key = observation.name.as_ref().map(PersonName::key);
        let name_was: Option<String> =
            self.sql.query_row("SELECT name_key FROM bundle WHERE id = ?1", [bundle], |row| {
                row.get(0)
            })?;
        if says == said && name_key == name_was {
            return Ok(());
        }
        self.touched.add(derived::unclaim(self.tx, self.settings, bundle)?);
        self.touched.fresh.bundles.remove(&bundle);
        self.claim(bundle, observation)?;
        self.sql
            .execute("UPDATE bundle SET name_key = ?2 WHERE id = ?1", params![bundle, name_key])?;
        Ok(())
    }

    fn identifier(&mut self, identifier: &Identifier) -> Result<i64, StoreError> {
        if let Some(row) = self.identifiers.get(identifier) {
            return Ok(*row);
        }
        let (row, is_new) = identifier_row(self.tx, &self.sql, self.dictionary, identifier)?;
        if is_new == IsNew::Yes {
            self.touched.fresh.identifiers.insert(row);
        }
        self.identifiers.insert(identifier.clone(), row);
        Ok(row)
    }

    /// Counts an observation into its bundle; [`Batch::flush`] writes it.
    fn count_in(
        &mut self,
        record: &Prepared<'_>,
        bundle: i64,
        channel: i64,
        recorded: Timestamp,
    ) -> Result<(), StoreError> {
        let observation = &record.observation;
        let at = observation.occurred_at.as_micros();
        let (recorded, oid) = (recorded.as_micros(), *observation.id.as_bytes());
        let mut bridges = Vec::with_capacity(observation.bridges.len());
        for bridge in &observation.bridges {
            bridges.push(self.identifier(bridge)?);
        }
        let counts = self.counts.entry(bundle).or_insert_with(|| Counts {
            is_new: false,
            n: 0,
            first: at,
            last: at,
            anchor: (recorded, oid, record.event.key.to_string()),
            name: None,
            bridges: BTreeMap::new(),
            channels: BTreeMap::new(),
        });
        counts.n += 1;
        counts.first = counts.first.min(at);
        counts.last = counts.last.max(at);
        if (recorded, oid) < (counts.anchor.0, counts.anchor.1) {
            counts.anchor = (recorded, oid, record.event.key.to_string());
        }
        if let (Some(_), Some(name)) = (&observation.name, &record.event.name)
            && counts.name.as_ref().is_none_or(|known| known < name)
        {
            counts.name = Some(name.clone());
        }
        for bridge in bridges {
            let (first, n) = counts.bridges.entry(bridge).or_insert((at, 0));
            *first = at.min(*first);
            *n += 1;
        }
        *counts.channels.entry(channel).or_insert(0) += 1;
        Ok(())
    }

    /// Writes what has been counted, each bundle and each source once.
    fn flush(&mut self) -> Result<(), StoreError> {
        let mut bundle_row = self.tx.prepare_cached(
            "UPDATE bundle SET n = n + ?2, first_seen = min(first_seen, ?3),
               last_seen = max(last_seen, ?4),
               resolved_first_seen =
                 iif((anchor_recorded, anchor_oid) > (?5, ?6), NULL, resolved_first_seen),
               anchor_recorded = iif((anchor_recorded, anchor_oid) > (?5, ?6), ?5, anchor_recorded),
               anchor_oid = iif((anchor_recorded, anchor_oid) > (?5, ?6), ?6, anchor_oid),
               anchor_key = iif((anchor_recorded, anchor_oid) > (?5, ?6), ?7, anchor_key),
               name = iif(?8 IS NULL, name, max(coalesce(name, ''), ?8))
             WHERE id = ?1",
        )?;
        let mut bridge_row = self.tx.prepare_cached(
            "INSERT INTO bundle_bridge(identifier_id, bundle_id, first_seen, n) VALUES(?1, ?2, ?3, ?4)
             ON CONFLICT(identifier_id, bundle_id)
             DO UPDATE SET first_seen = min(first_seen, excluded.first_seen), n = n + excluded.n",
        )?;
        let mut channel_row = self.tx.prepare_cached(
            "INSERT INTO bundle_stat(bundle_id, channel, n) VALUES(?1, ?2, ?3)
             ON CONFLICT(bundle_id, channel) DO UPDATE SET n = n + excluded.n",
        )?;
        for (bundle, counts) in std::mem::take(&mut self.counts) {
            if counts.is_new {
                self.write_bundle(bundle, &counts)?;
            } else {
                self.unsettle(bundle)?;
                let (recorded, oid, key) = &counts.anchor;
                bundle_row.execute(params![
                    bundle,
                    counts.n,
                    counts.first,
                    counts.last,
                    recorded,
                    &oid[..],
                    key,
                    counts.name
                ])?;
            }
            for (bridge, (first, n)) in counts.bridges {
                bridge_row.execute([bridge, bundle, first, n])?;
                if self.touched.fresh.identifiers.contains(&bridge) {
                    self.touched.fresh.on_bridge.entry(bridge).or_default().push(bundle);
                }
                self.touched.bridges.insert(bridge);
            }
            for (channel, n) in counts.channels {
                channel_row.execute([bundle, channel, n])?;
            }
        }
        let mut source_row = self.tx.prepare_cached(
            "INSERT INTO source_stat(source, last_event, last_import, n) VALUES(?1, ?2, ?3, ?4)
             ON CONFLICT(source) DO UPDATE SET last_event = max(last_event, excluded.last_event),
               last_import = max(last_import, excluded.last_import), n = n + excluded.n",
        )?;
        for (source, (last, n)) in std::mem::take(&mut self.sources) {
            source_row.execute([source, last, self.recorded_at.as_micros(), n])?;
        }
        Ok(())
    }

    /// Counts a bundle anew from the events whose home it is, after one has left it.
    fn count_again(&mut self, bundle: i64) -> Result<(), StoreError> {
        self.flush()?;
        self.unsettle(bundle)?;
        let bridges: Vec<i64> = {
            let mut rows = self
                .tx
                .prepare_cached("SELECT identifier_id FROM bundle_bridge WHERE bundle_id = ?1")?;
            let rows = rows.query_map([bundle], |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        self.touched.bridges.extend(bridges);
        for table in ["bundle_bridge", "bundle_stat"] {
            let sql = format!("DELETE FROM {table} WHERE bundle_id = ?1");
            self.tx.prepare_cached(&sql)?.execute([bundle])?;
        }
        let events: Vec<(String, i64)> = {
            let mut rows = self.tx.prepare_cached(derived::PAYLOADS_AT_HOME)?;
            let rows = rows.query_map([bundle], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        let (recorded, resolved): (i64, Option<i64>) = self.sql.query_row(
            "SELECT anchor_recorded, resolved_first_seen FROM bundle WHERE id = ?1",
            [bundle],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let max = Timestamp::MAX.as_micros();
        self.sql.execute("UPDATE bundle SET n = 0, name = NULL, first_seen = ?2, last_seen = ?3, anchor_recorded = ?2, anchor_oid = ?4
                 WHERE id = ?1", params![bundle, max, Timestamp::MIN.as_micros(), &[0xff_u8; 16][..]])?;
        for (payload, channel) in events {
            let event = codec::event(&payload)?;
            let record = Prepared::new(self.settings, &event);
            let recorded = first_recorded(self.tx, record.event.key.as_str())?;
            self.count_in(&record, bundle, channel, recorded)?;
        }
        self.flush()?;
        // It is resolved as it was, unless another instant names its customer now.
        self.sql.execute(
            "UPDATE bundle SET resolved_first_seen = ?3 WHERE id = ?1 AND anchor_recorded = ?2",
            params![bundle, recorded, resolved],
        )?;
        Ok(())
    }

    /// The row of the conversation that an event belongs to, with its aliases.
    fn conversation(&mut self, record: &Prepared<'_>) -> Result<Option<i64>, StoreError> {
        let Some(conversation) = &record.event.conversation else { return Ok(None) };
        let row = self.conversation_row(&conversation.key)?;
        for alias in &conversation.aliases {
            let alias = self.conversation_row(alias)?;
            self.told.remove(&row);
            self.told.remove(&alias);
            let added = self.sql.execute(
                "INSERT OR IGNORE INTO conversation_alias(alias_id, of_id) VALUES(?1, ?2)",
                [alias, row],
            )?;
            if added > 0 {
                self.joined.insert(row);
            }
        }
        Ok(Some(row))
    }

    fn conversation_row(&mut self, key: &ConversationKey) -> Result<i64, StoreError> {
        if let Some(row) = self.conversation_rows.get(key) {
            return Ok(*row);
        }
        let known: Option<i64> = self
            .sql
            .query_row("SELECT id FROM conversation WHERE key = ?1", [key.as_str()], |row| {
                row.get(0)
            })
            .optional()?;
        if let Some(row) = known {
            self.conversation_rows.insert(key.clone(), row);
            return Ok(row);
        }
        let row = match self.last_conversation {
            Some(last) => last + 1,
            None => self.tx.query_row(
                "SELECT coalesce(max(id), 0) + 1 FROM conversation",
                [],
                |row| row.get(0),
            )?,
        };
        self.last_conversation = Some(row);
        self.sql.execute(
            "INSERT INTO conversation(id, key, canonical_id) VALUES(?1, ?2, ?1)",
            params![row, key.as_str()],
        )?;
        self.conversation_rows.insert(key.clone(), row);
        self.told.insert(row, Vec::new());
        Ok(row)
    }

    /// Brings conversations that are known by several keys under one, as the events say that are
    /// shown now. `parted` has all that were under one key with them before.
    fn group(&mut self) -> Result<(), StoreError> {
        let parted = std::mem::take(&mut self.parted);
        for row in &parted {
            let beside: Vec<i64> = self.sql.query_all(
                "SELECT o.id FROM conversation c JOIN conversation o ON o.canonical_id = c.canonical_id
                 WHERE c.id = ?1",
                [row],
                |row| row.get(0),
            )?;
            self.parted.extend(beside);
        }
        for row in &parted {
            self.tell_aliases(*row)?;
        }
        let mut seen = BTreeSet::new();
        for row in std::mem::take(&mut self.joined).into_iter().chain(self.parted.clone()) {
            if !seen.contains(&row) {
                self.unite(row, &mut seen)?;
            }
        }
        Ok(())
    }

    /// Writes anew which aliases the events of a conversation name.
    fn tell_aliases(&mut self, row: i64) -> Result<(), StoreError> {
        let before: Vec<i64> = self.sql.query_all(
            "SELECT alias_id FROM conversation_alias WHERE of_id = ?1",
            [row],
            |row| row.get(0),
        )?;
        if before.is_empty() {
            return Ok(());
        }
        self.parted.extend(before);
        self.sql.execute("DELETE FROM conversation_alias WHERE of_id = ?1", [row])?;
        let payloads: Vec<String> = self.sql.query_all(
            "SELECT iif(packed IS NULL, payload, cx_unpack(packed)) FROM event
             WHERE conversation_id = ?1 AND standing = 0",
            [row],
            |row| row.get(0),
        )?;
        for payload in payloads {
            let event = codec::event(&payload)?;
            if event.conversation.as_ref().is_some_and(|it| !it.aliases.is_empty()) {
                self.conversation(&Prepared::new(self.settings, &event))?;
            }
        }
        Ok(())
    }

    /// Brings all that a conversation is known by under one key: the one that is nobody's alias,
    /// the smallest one if there are several or none.
    fn unite(&mut self, start: i64, seen: &mut BTreeSet<i64>) -> Result<(), StoreError> {
        // Their keys, and under which they were until now.
        let mut keys: BTreeMap<i64, (String, i64)> = BTreeMap::new();
        let mut aliases: BTreeSet<i64> = BTreeSet::new();
        let mut next = vec![start];
        while let Some(row) = next.pop() {
            if !seen.insert(row) {
                continue;
            }
            let key = self.sql.query_row(
                "SELECT key, canonical_id FROM conversation WHERE id = ?1",
                [row],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            keys.insert(row, key);
            let of: Vec<i64> = self.sql.query_all(
                "SELECT of_id FROM conversation_alias WHERE alias_id = ?1",
                [row],
                |row| row.get(0),
            )?;
            if !of.is_empty() {
                aliases.insert(row);
            }
            next.extend(of);
            let named: Vec<i64> = self.sql.query_all(
                "SELECT alias_id FROM conversation_alias WHERE of_id = ?1",
                [row],
                |row| row.get(0),
            )?;
            next.extend(named);
        }
        let by_rank = keys.iter().map(|(row, (key, _))| (aliases.contains(row), key, *row));
        let Some((_, _, canonical)) = by_rank.min() else { return Ok(()) };
        for (row, (_, before)) in &keys {
            if *before != canonical {
                self.sql.execute(
                    "UPDATE conversation SET canonical_id = ?2 WHERE id = ?1",
                    [*row, canonical],
                )?;
                self.conversations.extend([*row, *before, canonical]);
            }
        }
        Ok(())
    }
}

/// Writes what a bundle claims.
fn write_claim(
    insert: &mut CachedStatement<'_>,
    bundle: i64,
    identifier: i64,
    claim: &ObservedClaim,
    links: bool,
) -> Result<(), StoreError> {
    let (assurance, caveat) =
        (codec::assurance_code(claim.assurance), codec::caveat_code(claim.caveat));
    insert.execute(params![bundle, identifier, assurance, caveat, links])?;
    Ok(())
}

/// When a record was first recorded, in whatever revision; the end of time if never.
pub(crate) fn first_recorded(connection: &Connection, key: &str) -> Result<Timestamp, StoreError> {
    let mut first = connection.prepare_cached(
        "SELECT min(b.recorded_at) FROM event e JOIN batch b ON b.id = e.batch WHERE e.key = ?1",
    )?;
    let first: Option<i64> = first.query_row([key], |row| row.get(0))?;
    first.map_or(Ok(Timestamp::MAX), codec::timestamp)
}

/// Which of two revisions is newer: numbers before instants before other texts, each in their own
/// order. A record without a revision is the oldest.
pub(crate) fn compare_revs(one: Option<&str>, other: Option<&str>) -> Ordering {
    one.map(rank).cmp(&other.map(rank))
}

fn rank(rev: &str) -> (u8, u128, &str) {
    let digits = !rev.is_empty() && rev.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(number) = digits.then(|| rev.parse::<u128>().ok()).flatten() {
        return (0, number, rev);
    }
    match rev.parse::<Timestamp>() {
        Ok(at) => (1, u128::from(at.as_micros().abs_diff(Timestamp::MIN.as_micros())), rev),
        Err(_) => (2, 0, rev),
    }
}
