//! Retention: what is too old under the rules, told beforehand, and taken out for good.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use cx_core::identifier::Who;
use cx_core::ids::{CustomerId, ObservationId};
use cx_core::retention::{Retention, Rule};
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;

use crate::codec;
use crate::derived::{self, Settings};
use crate::erasure;
use crate::error::StoreError;
use crate::expiry::{self, Expiry, Limits};
use crate::feed::{self, By, Occasion};
use crate::ingest::{self, TakenOut, Writing};
use crate::proposals;
use crate::read::find;
use crate::search;
use crate::store::Store;
use crate::taking_back::{Keeping, revisions};

/// What rules of retention would take out at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetentionPreview {
    /// The instant at which records are looked at.
    pub now: Timestamp,
    /// How many records are over; of one with several revisions one counts.
    pub events: u64,
    /// How many revisions they have, all together.
    pub revisions: u64,
    /// How many customers have nothing else, and would be gone.
    pub customers: u64,
    /// How many records are over and stay, since what people said of who is who names them: a
    /// merge must not fall apart with the record that it was said of. They go once that is revoked.
    pub kept_named: u64,
    /// How many records are over and stay, since another revision of them is not.
    pub kept_revised: u64,
    /// How many records are over and stay, since they take back what another record says that stays:
    /// edits, redactions and deletions of messages, a no after a yes, blanks of a profile, what closes
    /// or moves a conversation, cancellations and the like. They go once that does.
    pub kept_corrects: u64,
    /// What is over, by rule, kind and channel.
    pub due: Vec<Due>,
    /// The rules that are for a kind or a channel which no record ever had.
    pub idle: Vec<Rule>,
}

/// Records of one kind on one channel that are over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Due {
    /// The rule by which they are.
    pub rule: Rule,
    /// Their kind.
    pub kind: String,
    /// Their channel.
    pub channel: String,
    /// How many there are.
    pub events: u64,
    /// When the oldest of them happened.
    pub oldest: Timestamp,
    /// When the newest of them happened.
    pub newest: Timestamp,
}

/// What a retention has taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retained {
    /// The instant at which records were looked at.
    pub retained_at: Timestamp,
    /// The rules. They are in force until the next retention: what is over under them does not
    /// come in again.
    pub rules: Retention,
    /// How many records are gone; of one with several revisions one counts.
    pub events: u64,
    /// How many revisions they had, all together.
    pub revisions: u64,
    /// How many customers had nothing else, and are gone.
    pub customers: u64,
    /// When the file was rewritten, so that nothing is left in it; `None` until then.
    pub compacted_at: Option<Timestamp>,
}

/// How a retention is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetainOptions {
    /// The instant at which records are looked at.
    pub now: Timestamp,
    /// How many records are taken out in one transaction; between two of them others may write.
    /// At least one is.
    pub batch: usize,
}

impl RetainOptions {
    /// At this instant, 10,000 records at once.
    pub const fn at(now: Timestamp) -> Self {
        Self { now, batch: 10_000 }
    }
}

impl Store {
    /// Tells what rules of retention would take out. Reads the timeline of everybody, and the
    /// records that may be over; changes nothing.
    ///
    /// A record is over when all its revisions are. What an assertion in force names stays, and so
    /// does what takes back what another record says that stays; both are counted.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn retention_preview(
        &self,
        rules: &Retention,
        now: Timestamp,
    ) -> Result<RetentionPreview, StoreError> {
        self.read_under(|connection, settings| preview(connection, settings, rules, now))
    }

    /// Takes out what is over under these rules, batch by batch, each in a transaction of its own,
    /// and puts the rules in force: from now on nothing comes in that is over under them when it is
    /// recorded, or was when they were last applied. Other rules, and none at all, are put in force
    /// by another retention.
    ///
    /// `after_batch` sees what was taken out so far, and may stop; what was taken out by then stays
    /// so, and the next retention goes on with the rest. The store is whole after every batch.
    ///
    /// Nothing of what was taken out can be read any more; [`Store::compact`] takes it out of the
    /// free space of the file as well.
    ///
    /// A customer whose first record goes has another id from then on; the old one is still found,
    /// and means the same customer, or is told to be gone where nothing is left.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use cx_core::retention::Retention;
    /// use cx_store::{Recording, RetainOptions, Store};
    ///
    /// let store = Store::open_in_memory()?;
    /// let now = "2026-03-04T10:00:00Z".parse()?;
    /// let visit = serde_json::from_str(
    ///     r#"{"key": "web/1", "source": {"system": "web"}, "kind": "web.page", "channel": "web",
    ///         "occurred_at": "2024-01-01T00:00:00Z", "who": [{"ns": "cookie", "value": "c1"}]}"#,
    /// )?;
    /// store.ingest(&Recording::new(now, "example"), [visit])?;
    /// let rules = Retention::read("[[rule]]\nchannel = \"web\"\nkeep = \"13 months\"")?;
    /// assert_eq!(store.retention_preview(&rules, now)?.events, 1);
    /// let done = store.retain(&rules, RetainOptions::at(now), |_| ControlFlow::Continue(()))?;
    /// assert_eq!((done.events, store.counts()?), (1, (0, 0)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::DiskFull`], [`StoreError::Locked`]; the batches
    /// before the failing one are done.
    pub fn retain(
        &self,
        rules: &Retention,
        options: RetainOptions,
        mut after_batch: impl FnMut(&Retained) -> ControlFlow<()>,
    ) -> Result<Retained, StoreError> {
        // The rules are in force first, so that nothing too old comes in meanwhile.
        let run = self.write(|tx, _| begin(tx, rules, options.now))?;
        let mut after = i64::MIN;
        loop {
            let next = self.write(|tx, writer| {
                batch(tx, writer, rules, options.now, Part { run, after, n: options.batch.max(1) })
            })?;
            let so_far = self.read(|connection| one(connection, run))?;
            if after_batch(&so_far).is_break() || next.is_none() {
                self.empty_log();
                return Ok(so_far);
            }
            after = next.unwrap_or(i64::MAX);
        }
    }

    /// The rules of retention in force; `None` where there never was a retention.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn retention(&self) -> Result<Option<Retention>, StoreError> {
        Ok(self.read(Expiry::in_force)?.map(Expiry::into_rules))
    }

    /// All retentions, the first one first: when, by which rules, how much went, and whether the
    /// file was rewritten since.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn retentions(&self) -> Result<Vec<Retained>, StoreError> {
        self.read(|connection| {
            let mut ids = connection.prepare_cached("SELECT id FROM retention ORDER BY id")?;
            let ids: Vec<i64> = ids.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            ids.into_iter().map(|id| one(connection, id)).collect()
        })
    }
}

fn begin(tx: &Transaction<'_>, rules: &Retention, now: Timestamp) -> Result<i64, StoreError> {
    tx.prepare_cached(
        "INSERT INTO retention(at, rules, events, revisions, customers) VALUES(?1, ?2, 0, 0, 0)",
    )?
    .execute(params![now.as_micros(), expiry::written(rules)?])?;
    Ok(tx.last_insert_rowid())
}

fn one(connection: &Connection, run: i64) -> Result<Retained, StoreError> {
    let mut row = connection.prepare_cached(
        "SELECT at, rules, events, revisions, customers, compacted_at FROM retention WHERE id = ?1",
    )?;
    let mut rows = row.query([run])?;
    let row = rows.next()?.ok_or_else(|| StoreError::malformed("retention", "it is gone"))?;
    let count = |at: usize| -> Result<u64, StoreError> {
        Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or(0))
    };
    Ok(Retained {
        retained_at: codec::timestamp(row.get(0)?)?,
        rules: expiry::read(&row.get::<_, String>(1)?)?,
        events: count(2)?,
        revisions: count(3)?,
        customers: count(4)?,
        compacted_at: row.get::<_, Option<i64>>(5)?.map(codec::timestamp).transpose()?,
    })
}

/// A record that is over by what it says today.
struct Candidate {
    bundle: i64,
    seq: i64,
    key: String,
    ts: i64,
    kind: i64,
    channel: i64,
    rule: usize,
    /// The rows of all its revisions.
    rows: Vec<i64>,
    fate: Fate,
}

/// What becomes of a record that is over by what it says today.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Over,
    /// An assertion in force names it.
    Named,
    /// Another revision of it is not over.
    Revised,
    /// It takes back what another record says that stays.
    Corrects,
}

/// Looks at every record that is over by what it says today, by the bundles they arrived under,
/// from one of these on, until told to stop.
fn each_candidate(
    connection: &Connection,
    settings: &Settings,
    limits: &mut Limits<'_>,
    from: i64,
    mut take: impl FnMut(&Limits<'_>, Candidate) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT bundle_id, seq, key, ts, kind, channel FROM event INDEXED BY event_timeline
         WHERE standing = 0 AND bundle_id >= ?1 AND ts < ?2 ORDER BY bundle_id, ts, src_seq, key",
    )?;
    let mut rows = rows.query([from, limits.latest()])?;
    let mut keeping = Keeping::new(connection, settings);
    while let Some(row) = rows.next()? {
        let (ts, kind, channel) = (row.get(3)?, row.get(4)?, row.get(5)?);
        let Some(rule) = limits.over(kind, channel, ts) else { continue };
        let (bundle, seq, key) = (row.get(0)?, row.get(1)?, row.get::<_, String>(2)?);
        let (rows, is_over) = revisions(connection, limits, &key)?;
        let observation = ObservationId::of(&settings.tenant, &codec::event_key(&key)?);
        let fate = match is_over {
            _ if settings.assertions.names(observation) => Fate::Named,
            false => Fate::Revised,
            true if keeping.keeps(limits, seq, kind, ts)? => Fate::Corrects,
            true => Fate::Over,
        };
        let candidate = Candidate { bundle, seq, key, ts, kind, channel, rule, rows, fate };
        if take(limits, candidate)?.is_break() {
            return Ok(());
        }
    }
    Ok(())
}

/// Counts what is over.
fn preview(
    connection: &Connection,
    settings: &Settings,
    rules: &Retention,
    now: Timestamp,
) -> Result<RetentionPreview, StoreError> {
    let mut limits = Limits::new(connection, rules, now)?;
    let mut due: BTreeMap<(usize, String, String), (u64, i64, i64)> = BTreeMap::new();
    let mut homes: BTreeMap<i64, i64> = BTreeMap::new();
    let mut preview = RetentionPreview {
        now,
        events: 0,
        revisions: 0,
        customers: 0,
        kept_named: 0,
        kept_revised: 0,
        kept_corrects: 0,
        due: Vec::new(),
        idle: idle(connection, rules)?,
    };
    each_candidate(connection, settings, &mut limits, i64::MIN, |limits, it| {
        match it.fate {
            Fate::Named => preview.kept_named += 1,
            Fate::Revised => preview.kept_revised += 1,
            Fate::Corrects => preview.kept_corrects += 1,
            Fate::Over => {
                preview.events += 1;
                preview.revisions += u64::try_from(it.rows.len()).unwrap_or(0);
                let names = (limits.name(it.kind).to_owned(), limits.name(it.channel).to_owned());
                let (n, oldest, newest) =
                    due.entry((it.rule, names.0, names.1)).or_insert((0, it.ts, it.ts));
                *n += 1;
                *oldest = it.ts.min(*oldest);
                *newest = it.ts.max(*newest);
                *homes.entry(home(connection, &it)?).or_insert(0) += 1;
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    preview.customers = emptied(connection, &homes)?;
    for ((rule, kind, channel), (events, oldest, newest)) in due {
        let Some(rule) = rules.rules.get(rule).cloned() else { continue };
        let (oldest, newest) = (codec::timestamp(oldest)?, codec::timestamp(newest)?);
        preview.due.push(Due { rule, kind, channel, events, oldest, newest });
    }
    Ok(preview)
}

/// The rules that are for a kind or a channel which no record ever had, such as one that is misspelt.
fn idle(connection: &Connection, rules: &Retention) -> Result<Vec<Rule>, StoreError> {
    let mut names = connection.prepare_cached("SELECT name FROM dict WHERE class = ?1")?;
    let mut names = |class: i64| -> Result<Vec<String>, StoreError> {
        Ok(names.query_map([class], |row| row.get(0))?.collect::<Result<_, _>>()?)
    };
    let (kinds, channels) = (names(ingest::KIND)?, names(ingest::CHANNEL)?);
    let covers = |rule: &&Rule| {
        let rule = |kind: Option<&str>, channel: Option<&str>| {
            let (of_kind, of_channel) = (rule.kind.as_deref(), rule.channel.as_deref());
            rule.covers(kind.or(of_kind).unwrap_or(""), channel.or(of_channel).unwrap_or(""))
        };
        (kinds.is_empty() || kinds.iter().any(|kind| rule(Some(kind), None)))
            && (channels.is_empty() || channels.iter().any(|channel| rule(None, Some(channel))))
    };
    Ok(rules.rules.iter().filter(|rule| !covers(rule)).cloned().collect())
}

/// The bundle that a record is counted in.
fn home(connection: &Connection, of: &Candidate) -> Result<i64, StoreError> {
    let mut home =
        connection.prepare_cached("SELECT home_id FROM attribution WHERE event_seq = ?1")?;
    Ok(home.query_row([of.seq], |row| row.get(0)).optional()?.unwrap_or(of.bundle))
}

/// How many customers have no bundle of somebody that keeps a record, when these lose so many.
fn emptied(connection: &Connection, losses: &BTreeMap<i64, i64>) -> Result<u64, StoreError> {
    let mut customers: BTreeSet<i64> = BTreeSet::new();
    let mut of =
        connection.prepare_cached("SELECT customer_id FROM member WHERE bundle_id = ?1")?;
    for bundle in losses.keys() {
        customers.extend(of.query_row([bundle], |row| row.get::<_, i64>(0)).optional()?);
    }
    let mut n = 0;
    let mut bundles = connection.prepare_cached(
        "SELECT b.id, b.n FROM member m JOIN bundle b ON b.id = m.bundle_id
         WHERE m.customer_id = ?1 AND b.nobody = 0",
    )?;
    for customer in customers {
        let mut bundles = bundles.query([customer])?;
        let mut is_left = false;
        while let Some(row) = bundles.next()? {
            let (bundle, has): (i64, i64) = (row.get(0)?, row.get(1)?);
            is_left |= has > losses.get(&bundle).copied().unwrap_or(0);
        }
        n += u64::from(!is_left);
    }
    Ok(n)
}

/// What one transaction of a retention does.
#[derive(Clone, Copy)]
struct Part {
    run: i64,
    /// It begins with the records of this bundle.
    after: i64,
    /// So many records go at most.
    n: usize,
}

/// Takes out the next records that are over. Gives the bundle to go on with; `None` at the end.
fn batch(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    rules: &Retention,
    now: Timestamp,
    part: Part,
) -> Result<Option<i64>, StoreError> {
    let mut limits = Limits::new(tx, rules, now)?;
    let mut over: Vec<Candidate> = Vec::new();
    let mut next = None;
    // All of a bundle is counted anew when it loses records: one that has very many loses more of
    // them at once.
    let most = part.n.saturating_mul(10);
    each_candidate(tx, writer.settings, &mut limits, part.after, |_, it| {
        if it.fate != Fate::Over {
            return Ok(ControlFlow::Continue(()));
        }
        let is_one = over.first().is_none_or(|first| first.bundle == it.bundle);
        if over.len() >= if is_one { most } else { part.n } {
            next = Some(it.bundle);
            return Ok(ControlFlow::Break(()));
        }
        over.push(it);
        Ok(ControlFlow::Continue(()))
    })?;
    if !over.is_empty() {
        take_out(tx, writer, &over, part.run, now)?;
    }
    Ok(next)
}

fn take_out(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    over: &[Candidate],
    run: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows: BTreeSet<i64> = over.iter().flat_map(|it| it.rows.iter().copied()).collect();
    let mut values = erasure::once_claimed(tx, &rows)?;
    let mut owners: Vec<Option<i64>> = Vec::new();
    for it in over {
        owners.push(feed::owner(tx, it.seq)?);
        values.extend(claimed(tx, home(tx, it)?)?);
        values.extend(claimed(tx, it.bundle)?);
    }
    proposals::forget_customers(tx, &owners.iter().copied().flatten().collect())?;
    for row in &rows {
        search::forget(tx, *row)?;
    }
    let TakenOut { touched, conversations } = ingest::take_out(tx, writer, &rows)?;
    search::step_back(tx)?;
    let (mut gone, mut handed) = (BTreeSet::new(), BTreeSet::new());
    for (it, owner) in over.iter().zip(&owners) {
        let observation = ObservationId::of(&writer.settings.tenant, &codec::event_key(&it.key)?);
        handed.extend(hand_down(tx, writer.settings, &it.key, observation, *owner)?);
        erasure::forget_observation(tx, observation)?;
    }
    for owner in owners.into_iter().flatten() {
        if feed::newest(tx, owner)?.is_none() {
            gone.insert(owner);
        }
    }
    let occasion = Occasion::new(now, By::Retention);
    derived::update(tx, writer.settings, &touched, &occasion)?;
    for id in handed {
        // The heir may be nobody's without the record that is gone.
        if find(tx, &Who::Customer(id))?.customers.is_empty() {
            forget_id(tx, id)?;
        }
    }
    erasure::forget_conversations(tx, &conversations)?;
    erasure::forget_identifiers(tx, &values)?;
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    tx.prepare_cached(
        "UPDATE retention SET events = events + ?2, revisions = revisions + ?3,
           customers = customers + ?4, compacted_at = NULL WHERE id = ?1",
    )?
    .execute([run, count(over.len()), count(rows.len()), count(gone.len())])?;
    Ok(())
}

/// The values that a bundle carries.
fn claimed(tx: &Transaction<'_>, bundle: i64) -> Result<Vec<i64>, StoreError> {
    let mut rows = tx.prepare_cached(
        "SELECT identifier_id FROM bundle_claim WHERE bundle_id = ?1
         UNION ALL SELECT identifier_id FROM bundle_bridge WHERE bundle_id = ?1",
    )?;
    let rows = rows.query_map([bundle], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Lets the ids that name a record which is gone name another one of the same customer: the newest,
/// which stays longest. Where there is none, they are known to be gone. Gives those that were handed
/// down.
fn hand_down(
    tx: &Transaction<'_>,
    settings: &Settings,
    key: &str,
    observation: ObservationId,
    owner: Option<i64>,
) -> Result<BTreeSet<CustomerId>, StoreError> {
    let mut handed = BTreeSet::new();
    let own = CustomerId::issue(&settings.id_key, observation);
    for id in [own].into_iter().chain(erasure::inherited(tx, observation)?) {
        let is_its: Option<()> = tx
            .prepare_cached("SELECT 1 FROM issued WHERE cid = ?1 AND event_key = ?2")?
            .query_row(params![&id.as_bytes()[..], key], |_| Ok(()))
            .optional()?;
        if is_its.is_none() {
            continue;
        }
        let is_handed = match owner {
            Some(owner) => feed::hand_down(tx, &settings.tenant, id, owner)?,
            None => false,
        };
        if is_handed {
            handed.insert(id);
        } else {
            forget_id(tx, id)?;
        }
    }
    Ok(handed)
}

/// Lets an id be known to be gone.
fn forget_id(tx: &Transaction<'_>, id: CustomerId) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE issued SET event_key = '', oid = zeroblob(16) WHERE cid = ?1")?
        .execute([&id.as_bytes()[..]])?;
    Ok(())
}
