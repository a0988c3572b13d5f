//! What can be saved of a damaged file, into a new one.
//!
//! Facts are found by the form of their rows, whatever has become of the pages that lead to them;
//! each event is compared with its hash. Everything derived is made anew.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{self, ErrorKind};
use std::path::Path;

use cx_core::identity::{Assertion, Policy};
use cx_core::ids::{AssertionId, CustomerId, IdKey, ObservationId};
use serde::Serialize;

use crate::codec;
use crate::compression::{self, Unpacker};
use crate::corrections;
use crate::encryption::EncryptionKey;
use crate::error::StoreError;
use crate::expiry;
use crate::facts::{Fact, FactCounts, RecordedEvent, StoredChange, StoredRetention};
use crate::lines::Head;
use crate::log::Damage;
use crate::moving::{self, Taking};
use crate::pages::{Pages, Place, Row, Value};
use crate::placing;
use crate::proposals;
use crate::report::Recording;
use crate::schema;
use crate::store::Store;
use crate::suppression::Seal;
use crate::trees::{LIST, Trees, Use};

/// What was saved of a damaged file, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SalvageReport {
    /// How many pages of 8,192 bytes the file has, with its log.
    pub pages: u64,
    /// How many facts of each kind were saved.
    pub saved: FactCounts,
    /// How many events there were, as the file counted them; `None` where the counts are lost too.
    pub events_before: Option<u64>,
    /// How many rows were found that could not be saved.
    pub unreadable: u64,
    /// What could not be saved, or may have been on a page that is lost, in words with its place;
    /// at most [`SalvageReport::KEPT`]. Empty where all facts were saved.
    pub lost: Vec<String>,
}

impl SalvageReport {
    /// How many losses are kept in words.
    pub const KEPT: usize = 1_000;

    /// Whether every fact was saved: every page is accounted for, and no row of a fact is spoilt.
    pub const fn is_complete(&self) -> bool {
        self.lost.is_empty()
    }

    fn lose(&mut self, what: impl Into<String>) {
        if self.lost.len() < Self::KEPT {
            self.lost.push(what.into());
        }
    }

    fn lose_row(&mut self, what: impl Into<String>) {
        self.unreadable += 1;
        self.lose(what);
    }
}

impl Store {
    /// Reads what facts can be read of a damaged file into a new one, and derives everything anew.
    /// The damaged file is left as it is. Nothing is left of the new one where that fails.
    ///
    /// Events whose content is not what it was are left out, and told. Takes some 20 bytes of
    /// memory an event, and the time of taking all events in again.
    ///
    /// # Errors
    /// [`StoreError::Exists`]; [`StoreError::NotFound`]; [`StoreError::NotOurs`] where there is no
    /// row of cx in it; [`StoreError::Unsalvageable`] where that is because it is encrypted: take a
    /// backup of it; [`StoreError::Locked`] where somebody writes so much to it meanwhile that its
    /// log is begun anew; or where the new file cannot be written.
    pub fn salvage(
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
    ) -> Result<(Self, SalvageReport), StoreError> {
        Self::salvage_under(from, to, None)
    }

    /// As [`Store::salvage`], into a store that is encrypted under this key.
    ///
    /// # Errors
    /// As [`Store::salvage`], and [`StoreError::NoEncryption`].
    pub fn salvage_under(
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
        key: Option<&EncryptionKey>,
    ) -> Result<(Self, SalvageReport), StoreError> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let _reading = schema::read_log(from);
        moving::make(to, || {
            let mut pages = pages(from)?;
            let done = salvage(&mut pages, from, to, key)?;
            let is_another = pages.is_another_log().map_err(|error| unreadable(from, &error))?;
            if is_another { Err(StoreError::Locked { path: from.to_owned() }) } else { Ok(done) }
        })
    }
}

/// Instants are larger than this, in microseconds, and numbers of rows smaller.
const ERA: i64 = 1_000_000_000_000;

/// How many entries of the change feed may be lost at its end where nothing tells how many were.
const UNSEEN: i64 = 1_000_000;

/// The adapter of events of which it is lost when they were recorded.
const SALVAGE: &str = "salvage";

/// What was found in the pages.
#[derive(Default)]
struct Finds {
    /// Where each event lies, by its row's number.
    events: BTreeMap<i64, Vec<Place>>,
    changes: BTreeMap<i64, Place>,
    /// The number that was given out last in the change feed.
    last_change: Option<i64>,
    /// Where each identifier lies, by its row's number.
    identifiers: HashMap<i64, Place>,
    names: HashMap<i64, String>,
    recordings: HashMap<i64, Recording>,
    settings: HashMap<String, Vec<u8>>,
    assertions: BTreeMap<[u8; 16], Fact>,
    /// By the key of their table.
    others: BTreeMap<(u8, Vec<u8>), Fact>,
    /// How many events there are of each source.
    counts: BTreeMap<i64, i64>,
}

/// The pages of the file at a path.
pub(crate) fn pages(path: &Path) -> Result<Pages, StoreError> {
    placing::settle(path)?;
    Pages::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => StoreError::NotFound { path: path.to_owned() },
        _ => unreadable(path, &error),
    })
}

pub(crate) fn unreadable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::CannotOpen { path: path.to_owned(), detail: error.to_string() }
}

/// Saves into a new file what can be read of these pages, which are those of a file at a path.
pub(crate) fn salvage(
    pages: &mut Pages,
    from: &Path,
    to: &Path,
    key: Option<&EncryptionKey>,
) -> Result<(Store, SalvageReport), StoreError> {
    let cannot = |error: io::Error| unreadable(from, &error);
    let mut report = SalvageReport { pages: pages.count().into(), ..SalvageReport::default() };
    if pages.rest > 0 {
        report.lose(format!("{} bytes at the end of the file, less than a page", pages.rest));
    }
    if let Some(missing) = pages.whole.checked_sub(pages.count()).filter(|missing| *missing > 0) {
        report.lose(format!("{missing} pages at the end of the file"));
    }
    for (Damage { frame, page }, is_again) in pages.logged.lost() {
        let of = page.map_or_else(String::new, |page| format!(", one of page {page},"));
        let what = if is_again {
            "is spoilt and was written again later: rows may be lost where its number is what is spoilt"
        } else {
            "is spoilt: rows may be lost"
        };
        report.lose(format!("page {frame} of the log{of} {what}"));
    }
    if pages.logged.is_torn {
        report.lose("the last transaction in the log, which is not whole");
    }
    let trees = Trees::read(pages).map_err(cannot)?;
    for (page, what) in &trees.lost {
        report.lose(format!("page {page}: {what}"));
    }
    let mut finds = Finds::default();
    // A page that was written over another one is whole.
    let mut seen: HashSet<(&str, u64)> = HashSet::new();
    for page in 1..=pages.count() {
        let of = trees.of(page);
        if matches!(of, Use::Free | Use::Further) {
            continue;
        }
        let (rows, unreadable) = pages.rows(page).map_err(cannot)?;
        for _ in 0..unreadable {
            if of != Use::Derived {
                report.lose_row(format!("page {page}: a row that cannot be read"));
            }
        }
        let mut is_anothers = false;
        for row in rows {
            let key = seen_by(&row);
            match (finds.take(row, &mut report), of) {
                (None, Use::Kept(table)) if table != LIST => {
                    report.lose_row(format!("page {page}: a row of no form that cx writes"));
                }
                (Some(form), Use::Kept(table)) => {
                    is_anothers |= form != table || !seen.insert((table, key));
                }
                _ => {}
            }
        }
        if let Use::Kept(table) = of
            && is_anothers
        {
            let what = "it holds rows of another page";
            report.lose(format!("page {page}: {what}, so rows of \"{table}\" may be lost"));
        }
    }
    if finds.events.is_empty() && !finds.settings.contains_key("id_key") {
        if matches!(schema::look(from, None), Err(StoreError::Encrypted { .. })) {
            return Err(StoreError::Unsalvageable { path: from.to_owned() });
        }
        let found = "no row of cx is in it".to_owned();
        return Err(StoreError::NotOurs { path: from.to_owned(), found });
    }
    if !finds.counts.is_empty() {
        let before = finds.counts.values().fold(0_i64, |sum, n| sum.saturating_add(*n));
        report.events_before = u64::try_from(before).ok();
    }
    let head = finds.head(&mut report);
    let gone: BTreeSet<[u8; 16]> = finds.suppressed();
    let seal = Seal::new(&head.id_key);
    let tenant = head.tenant.clone();
    let mut taking = Taking::new(to, head, key)?;
    if finds.settings.contains_key(compression::PACKS) {
        taking.pack()?;
    }
    let mut unpacker = Unpacker::new()?;
    for fact in std::mem::take(&mut finds.assertions).into_values() {
        take(&mut taking, fact, 0)?;
    }
    let (mut saved, mut undated): (u64, u64) = (0, 0);
    for (seq, places) in std::mem::take(&mut finds.events) {
        match event(pages, &mut unpacker, &finds.recordings, seq, &places).map_err(cannot)? {
            Ok((event, _)) if gone.contains(&seal.event(event.event.key.as_str())) => {}
            Ok((event, n_bytes)) => {
                saved += 1;
                undated += u64::from(event.recording.adapter == SALVAGE);
                take(&mut taking, Fact::Event(Box::new(event)), n_bytes)?;
            }
            Err(problem) => report.lose_row(format!("event row {seq}: {problem}")),
        }
    }
    if let Some(before) = report.events_before.filter(|before| *before > saved) {
        report.lose(format!("{} of {before} events", before - saved));
    }
    if undated > 0 {
        report.lose(format!(
            "when {undated} events were recorded, and by what: when they happened counts now"
        ));
    }
    let last_saved = finds.changes.keys().next_back().copied();
    for (seq, place) in std::mem::take(&mut finds.changes) {
        match change(pages, &finds, seq, place, &mut report).map_err(cannot)? {
            Some(change) if Fact::Change(change.clone()).sound().is_ok() => {
                take(&mut taking, Fact::Change(change), 0)?;
            }
            _ => report.lose_row(format!("entry {seq} of the change feed")),
        }
    }
    if let Some(last) = finds.last_change {
        taking.number_changes_after(last)?;
    } else if last_saved.is_some() || trees.has_lost("sqlite_sequence") {
        // Whoever follows the feed may have seen more than was saved.
        report.lose("how far the change feed has been numbered: it goes on far behind");
        taking.number_changes_after(last_saved.unwrap_or(0).saturating_add(UNSEEN))?;
    }
    let last = finds.settings.get("proposed").map(|last| proposals::read_run(last));
    if last.as_ref().is_some_and(Result::is_err) {
        report.lose("which model proposed, and when");
    }
    let last = last.and_then(Result::ok);
    for mut fact in finds.others.into_values() {
        match &mut fact {
            Fact::Proposal { run, .. } => run.clone_from(&last),
            Fact::Issued { customer, observation, key } if !key.is_empty() => {
                let of = codec::event_key(key).map(|key| ObservationId::of(&tenant, &key));
                if !of.is_ok_and(|of| of == *observation) {
                    report.lose_row(format!("the id {customer}: it is not what was given out"));
                    continue;
                }
            }
            _ => {}
        }
        match fact.sound() {
            Ok(()) => take(&mut taking, fact, 0)?,
            Err(error) => report.lose_row(error.to_string()),
        }
    }
    let (store, saved) = taking.finish()?;
    report.saved = saved;
    Ok((store, report))
}

fn take(taking: &mut Taking, fact: Fact, n_bytes: usize) -> Result<(), StoreError> {
    // They come in the order in which they have to.
    taking.take(fact, n_bytes)?.map_err(|problem| StoreError::malformed("fact", problem))
}

/// By what a row is known among those of its table: its number, or what it begins with.
fn seen_by(row: &Row) -> u64 {
    let Some(number) = row.number else {
        let mut hasher = blake3::Hasher::new();
        // No table that is kept has more than two columns in its key, and no two of its rows the
        // same first two.
        for value in row.columns.iter().take(2) {
            match value {
                Value::Text(text) => hasher.update(text.as_bytes()),
                Value::Blob(bytes) => hasher.update(bytes),
                other => hasher.update(&other.integer().unwrap_or_default().to_be_bytes()),
            };
            hasher.update(&[0]);
        }
        let hash = hasher.finalize();
        return hash.as_bytes().iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte));
    };
    number.cast_unsigned()
}

impl Finds {
    /// Takes a row; the table of which it has the form, if it is one of facts, or of what is needed
    /// to read them.
    fn take(&mut self, row: Row, report: &mut SalvageReport) -> Option<&'static str> {
        let Row { place, number, columns } = row;
        match number {
            Some(number) => self.take_numbered(place, number, &columns, report),
            None => self.take_keyed(&columns),
        }
    }

    /// Rows of tables whose rows have numbers, by their form.
    fn take_numbered(
        &mut self,
        place: Place,
        number: i64,
        columns: &[Value],
        report: &mut SalvageReport,
    ) -> Option<&'static str> {
        use Value::{Blob, Garbled, Integer, Null, Text};
        let table = match columns {
            // Rows of earlier versions have no sum.
            [Null, Integer(_), Integer(_), _, Text(_) | Garbled, ..] if columns.len() >= 17 => {
                self.events.entry(number).or_default().push(place);
                "event"
            }
            [Null, Integer(at), Text(adapter), Text(version)] => {
                let Ok(recorded_at) = codec::timestamp(*at) else { return None };
                let (adapter, adapter_version) = (adapter.clone(), version.clone());
                let recording = Recording { recorded_at, adapter, adapter_version };
                self.recordings.insert(number, recording);
                "batch"
            }
            [Text(table), Integer(last)] if table == "change" => {
                self.last_change = self.last_change.max(Some(*last));
                "sqlite_sequence"
            }
            [Null, Integer(_), Text(name)] => {
                self.names.insert(number, name.clone());
                "dict"
            }
            [Null, Integer(event), Integer(import), Integer(n)]
                if event.abs() > ERA && import.abs() > ERA =>
            {
                self.counts.insert(number, *n);
                "source_stat"
            }
            [Null, Integer(_), Text(_), _, _, Integer(_), Text(_), _, Text(_)] => {
                self.changes.insert(number, place);
                "change"
            }
            [Null, Blob(_), Integer(ns), Text(_), Text(_), Integer(_), Integer(_), Integer(_)] => {
                // A row of no namespace only holds the place of one that is gone.
                if *ns != 0 {
                    self.identifiers.insert(number, place);
                }
                "identifier"
            }
            [Null, Integer(at), Text(mode), customer @ Blob(_), Integer(events), compacted] => {
                let fact = erasure(*at, mode, customer, *events, compacted);
                match fact {
                    Some(fact) => {
                        let key = number.to_be_bytes().to_vec();
                        self.others.insert((9, key), fact);
                    }
                    None => report.lose_row(format!("erasure {number}")),
                }
                "erasure"
            }
            [
                Null,
                Integer(at),
                Text(rules),
                Integer(events),
                Integer(revisions),
                Integer(customers),
                compacted,
            ] => {
                match retention(*at, rules, [*events, *revisions, *customers], compacted) {
                    Some(fact) => {
                        self.others.insert((10, number.to_be_bytes().to_vec()), fact);
                    }
                    None => report.lose_row(format!("retention {number}")),
                }
                "retention"
            }
            [
                id @ Blob(_),
                Text(kind),
                Text(a),
                Text(b),
                Text(by),
                reason,
                Integer(at),
                Integer(recorded),
            ] => {
                let reason = reason.text().map(str::to_owned);
                let read = || -> Result<Fact, StoreError> {
                    let verdict = corrections::verdict(kind, a, b)?;
                    let (by, at) = (by.clone(), codec::timestamp(*at)?);
                    let recorded_at = codec::timestamp(*recorded)?;
                    Ok(Fact::Assertion(Assertion { verdict, by, reason, at }, recorded_at))
                };
                let same = |fact: &Fact, id: [u8; 16]| matches!(fact, Fact::Assertion(said, _) if *said.id().as_bytes() == id);
                match (id.bytes::<16>(), read()) {
                    (Some(id), Ok(fact)) if same(&fact, id) => {
                        self.assertions.insert(id, fact);
                    }
                    _ => report.lose_row(format!("assertion {number}: it is not what was said")),
                }
                "assertion"
            }
            _ => return None,
        };
        Some(table)
    }

    /// Rows of tables that are their own index, by their form.
    fn take_keyed(&mut self, columns: &[Value]) -> Option<&'static str> {
        use Value::{Blob, Integer, Text};
        let table = match columns {
            [Text(key), Blob(value)] => {
                self.settings.insert(key.clone(), value.clone());
                "meta"
            }
            [hash @ Blob(_), Integer(until)] if until.abs() > ERA => {
                let (Some(hash), Ok(until)) = (hash.bytes(), codec::timestamp(*until)) else {
                    return None;
                };
                self.others.insert((8, hash.to_vec()), Fact::Suppressed { hash, until });
                "suppressed"
            }
            [customer @ Blob(_), observation @ Blob(_), Text(key)] => {
                let (Some(customer), Some(observation)) = (customer.bytes(), observation.bytes())
                else {
                    return None;
                };
                let fact = Fact::Issued {
                    customer: CustomerId::from_bytes(customer),
                    observation: ObservationId::from_bytes(observation),
                    key: key.clone(),
                };
                self.others.insert((6, customer.to_vec()), fact);
                "issued"
            }
            [a @ Blob(_), b @ Blob(_), Text(relation), Integer(weight), Text(told)] => {
                let (Some(a), Some(b)) = (a.bytes::<16>(), b.bytes::<16>()) else { return None };
                let fact = Fact::Proposal {
                    a: ObservationId::from_bytes(a),
                    b: ObservationId::from_bytes(b),
                    relation: relation.clone(),
                    weight: *weight,
                    told: told.clone(),
                    run: None,
                };
                self.others.insert((7, [a, b].concat()), fact);
                "proposal"
            }
            _ => return None,
        };
        Some(table)
    }

    /// Whose store it is and how customers are derived; the defaults where that is lost.
    fn head(&self, report: &mut SalvageReport) -> Head {
        let setting = |name: &str| self.settings.get(name);
        let tenant = setting("tenant").map(|name| String::from_utf8_lossy(name).into_owned());
        if tenant.is_none() {
            report.lose("whose store it is: it is nobody's now");
        }
        let tenant = tenant.unwrap_or_default();
        let id_key = setting("id_key").and_then(|key| <[u8; 32]>::try_from(key.as_slice()).ok());
        if id_key.is_none() {
            report.lose("the key of customer ids: it follows from the tenant's name now");
        }
        let id_key = id_key.map_or_else(|| IdKey::of_tenant(&tenant), IdKey::new);
        let policy: Option<Policy> =
            setting("policy").and_then(|policy| serde_json::from_slice(policy).ok());
        if policy.is_none() {
            report.lose("the policy: it is the default one now");
        }
        let policy = policy.unwrap_or_default();
        if setting("policy_hash")
            .is_some_and(|hash| *hash != policy.hash() && !policy.was_named(hash))
        {
            report.lose("the policy as it was, as its hash tells");
        }
        Head { tenant, id_key, policy }
    }

    /// The value in an identifier's row, as changes tell it.
    fn value(&self, pages: &mut Pages, place: Place) -> io::Result<Option<String>> {
        use Value::{Integer, Text};
        let columns = pages.row_at(place)?.map_or_else(Vec::new, |row| row.columns);
        let [_, _, Integer(ns), Text(scope), Text(key), Integer(linkable), ..] = columns.as_slice()
        else {
            return Ok(None);
        };
        let Some(name) = self.names.get(ns) else { return Ok(None) };
        Ok(Some([linkable.to_string().as_str(), name, scope, key].join("\u{1f}")))
    }

    fn suppressed(&self) -> BTreeSet<[u8; 16]> {
        let hashes = self.others.values().filter_map(|fact| match fact {
            Fact::Suppressed { hash, .. } => Some(*hash),
            _ => None,
        });
        hashes.collect()
    }
}

fn erasure(at: i64, mode: &str, customer: &Value, events: i64, compacted: &Value) -> Option<Fact> {
    let compacted_at = match compacted {
        Value::Null => None,
        compacted => Some(codec::timestamp(compacted.integer()?).ok()?),
    };
    Some(Fact::Erasure {
        at: codec::timestamp(at).ok()?,
        mode: mode.to_owned(),
        customer: CustomerId::from_bytes(customer.bytes()?),
        events,
        compacted_at,
    })
}

fn retention(at: i64, rules: &str, counts: [i64; 3], compacted: &Value) -> Option<Fact> {
    let compacted_at = match compacted {
        Value::Null => None,
        compacted => Some(codec::timestamp(compacted.integer()?).ok()?),
    };
    let [events, revisions, customers] = counts;
    let (at, rules) = (codec::timestamp(at).ok()?, expiry::read(rules).ok()?);
    Some(Fact::Retention(StoredRetention { at, rules, events, revisions, customers, compacted_at }))
}

/// The event of a row, where it is what was written, and how many bytes its text has.
fn event(
    pages: &mut Pages,
    unpacker: &mut Unpacker,
    recordings: &HashMap<i64, Recording>,
    seq: i64,
    places: &[Place],
) -> io::Result<Result<(RecordedEvent, usize), String>> {
    let mut problem = "it cannot be read".to_owned();
    for place in places {
        let Some(row) = pages.row_at(*place)?.filter(|row| row.number == Some(seq)) else {
            continue;
        };
        match whole_event(&row.columns, unpacker, recordings) {
            Ok(event) => return Ok(Ok(event)),
            Err(found) => problem = found,
        }
    }
    Ok(Err(problem))
}

fn whole_event(
    columns: &[Value],
    unpacker: &mut Unpacker,
    recordings: &HashMap<i64, Recording>,
) -> Result<(RecordedEvent, usize), String> {
    let column = |at: usize| columns.get(at).unwrap_or(&Value::Null);
    let packed = column(18).blob().map(|packed| unpacker.unpack(packed)).transpose();
    let packed = packed.map_err(|error| error.to_string())?;
    let payload = packed.or_else(|| column(16).text());
    let (Some(payload), Some(hash)) = (payload, column(13).bytes::<16>()) else {
        return Err("its text is spoilt".to_owned());
    };
    let sum = column(17).integer();
    if sum.is_some() && sum != column(11).integer().map(|batch| codec::sum(payload, batch)) {
        return Err("it is not what was written".to_owned());
    }
    let event = codec::event(payload).map_err(|error| error.to_string())?;
    let is_whole = column(15).integer() != Some(codec::BLACKED_OUT);
    if is_whole && event.content_hash() != hash {
        return Err(format!("{}: its content is not what was taken in", event.key));
    }
    if column(4).text() != Some(event.key.as_str()) {
        return Err(format!("{}: it stands under another key", event.key));
    }
    let recording = column(11).integer().and_then(|batch| recordings.get(&batch));
    // Where it is lost when it was recorded, it was not before it happened.
    let recording =
        recording.cloned().unwrap_or_else(|| Recording::new(event.occurred_at, SALVAGE));
    Ok((RecordedEvent { recording, event, whole: (!is_whole).then_some(hash) }, payload.len()))
}

fn change(
    pages: &mut Pages,
    finds: &Finds,
    seq: i64,
    place: Place,
    report: &mut SalvageReport,
) -> io::Result<Option<StoredChange>> {
    let Some(row) = pages.row_at(place)?.filter(|row| row.number == Some(seq)) else {
        return Ok(None);
    };
    let column = |at: usize| row.columns.get(at).unwrap_or(&Value::Null);
    let customer = |at: usize| column(at).bytes().map(CustomerId::from_bytes);
    let read = || -> Option<StoredChange> {
        Some(StoredChange {
            seq,
            at: codec::timestamp(column(1).integer()?).ok()?,
            kind: column(2).text()?.to_owned(),
            a: customer(3),
            b: customer(4),
            n: column(5).integer()?,
            cause: column(6).text()?.to_owned(),
            assertion: column(7).bytes().map(AssertionId::from_bytes),
            values: Vec::new(),
        })
    };
    let Some(mut change) = read() else { return Ok(None) };
    let via = column(8).text().unwrap_or_default();
    for id in via.split_whitespace().filter_map(|id| id.parse().ok()) {
        // Values of whoever was erased are gone.
        let Some(place) = finds.identifiers.get(&id) else { continue };
        match finds.value(pages, *place)? {
            Some(value) => change.values.push(value),
            None => report.lose(format!("a value that entry {seq} of the change feed names")),
        }
    }
    Ok(Some(change))
}
