//! A customer's history: everything that is read of one customer for an answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cx_core::context::facts::{CustomerFacts, SourceFreshness};
use cx_core::conversation::LONGEST_CALL;
use cx_core::event::{Event, EventReader, Kind, Visibility};
use cx_core::identifier::Identifier;
use cx_core::ids::{BundleId, ConversationKey};
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::codec;
use crate::error::StoreError;
use crate::read::{self, TimelineQuery};
use crate::schema::{self, CORRECTING_OF_MEMBERS};
use crate::waiting;

/// How many of a customer's latest events an answer looks at, for how many signals among them it
/// looks at an earlier event that is none, how many further ones of their conversations it reads,
/// and how many earlier ones of each sort that speak for ever.
pub(crate) const SCAN: usize = 5_000;

/// How many times as many events are passed over at most, to find those that are no signals. No
/// index tells the two apart.
const FAR: usize = 20;

/// In how many times as many conversations, orders and carts a customer may stand, so that those
/// that are open are looked for, however old they are.
const MANY: usize = 10;

/// How many of the first events of a conversation are looked at where not all of it can be: those
/// that say where it is held and what it is about.
const OPENING: usize = 20;

/// Everything that is read of one customer.
#[derive(Debug)]
pub(crate) struct History {
    /// The latest events in timeline order.
    pub(crate) events: Vec<Event>,
    /// Events before these that speak for ever.
    pub(crate) earlier: Vec<Event>,
    /// Further events of their conversations, in timeline order.
    pub(crate) further: Vec<Event>,
    /// Events that decide what stands open, and are not told of.
    pub(crate) beside: Vec<Event>,
    /// What others said of consents on their contact points.
    pub(crate) of_others: Vec<Event>,
    /// The one key of each conversation that has several.
    pub(crate) canonical: BTreeMap<ConversationKey, ConversationKey>,
    pub(crate) customer: CustomerFacts,
    /// The bundles that their events are in.
    pub(crate) bundles: Vec<BundleId>,
    /// How fresh each source is, of all customers together.
    pub(crate) sources: Vec<SourceFreshness>,
    /// What there was too much of to look at, and how much of it was left out.
    pub(crate) left_out: BTreeMap<String, u64>,
    /// About how many bytes of memory all this takes.
    pub(crate) size: usize,
    /// What stands in the columns of each event, in the order of the lists: events, earlier, further,
    /// of others, beside.
    rows: Vec<Columns>,
}

/// What of an event stands in columns alone.
#[derive(Debug, Clone, Copy)]
struct Columns {
    seq: i64,
    bundle: i64,
    conversation: Option<i64>,
    size: usize,
}

type Line = (Columns, Event);

impl History {
    /// Reads a customer's history until an instant. What is known of an earlier reading, in which
    /// the same numbers meant the same events, is not read again.
    pub(crate) fn read(
        connection: &Connection,
        customer: i64,
        as_of: Timestamp,
        scan: usize,
        known: Option<Self>,
    ) -> Result<Self, StoreError> {
        let known = known.map(Self::into_lines).unwrap_or_default();
        let reader = EventReader::default();
        let correcting = schema::correcting(connection)?;
        let as_of_us = as_of.as_micros();
        let mut lines = Lines { connection, as_of: as_of_us, scan, correcting, reader, known };
        let whole = Whole::of(connection, customer)?;
        let mut left_out = BTreeMap::new();
        let mut events = if whole.n <= scan && !whole.is_attributed {
            lines.all(customer, whole.n)?
        } else {
            lines.latest(&whole.bundles)?
        };
        events.sort_by(|a, b| a.1.timeline_cmp(&b.1));
        let (mut earlier, mut public_since) = (Vec::new(), None);
        let mut open = Vec::new();
        if whole.n > scan && events.len() >= scan {
            let what = lines.behind_signals(&whole.bundles, &mut events)?;
            let n = whole.n.saturating_sub(events.len());
            left_out.insert(what.to_owned(), u64::try_from(n).unwrap_or(u64::MAX));
            open = read::open_conversations(connection, &whole.bundles, MANY * scan)?;
            let first = events.first().map_or(as_of, |(_, event)| event.occurred_at);
            let known: BTreeSet<i64> = events.iter().map(|(columns, _)| columns.seq).collect();
            earlier = lines.standing(&whole.bundles, first, &known)?;
            earlier.sort_by(|a, b| a.1.timeline_cmp(&b.1));
            let first = TimelineQuery::new().visibility(Visibility::Public).until(as_of).limit(1);
            let first = read::timeline(connection, customer, &first, None)?;
            public_since = first.events.first().map(|event| event.occurred_at);
        }
        let (mut further, mut canonical) = lines.further(&events, open, &mut left_out)?;
        let known: BTreeSet<i64> =
            events.iter().chain(&further).map(|(columns, _)| columns.seq).collect();
        let mut correcting = lines.corrections_of_others(customer, &further)?;
        if whole.n > scan {
            correcting.extend(lines.corrections_of(&whole.bundles)?);
        }
        for seq in correcting.difference(&known) {
            further.push(lines.one(*seq)?);
        }
        further.sort_by(|a, b| a.1.timeline_cmp(&b.1));
        let beside = lines.beside(&[&events, &further], &mut canonical)?;
        let of_others = lines.words_of_others(customer)?;
        let sources = if whole.is_attributed && whole.n <= scan {
            read::sources_by_bundle(connection, customer)?
        } else {
            sources_by_bundle(&[&events, &earlier])
        };
        let bundles = whole.ids(connection, customer)?;
        let customer =
            CustomerFacts { public_since, ..read::customer_facts(connection, customer, &sources)? };
        let mut rows = Vec::new();
        let mut part = |lines: Vec<Line>| -> Vec<Event> {
            let one = |(columns, event)| {
                rows.push(columns);
                event
            };
            lines.into_iter().map(one).collect()
        };
        let (events, earlier, further) = (part(events), part(earlier), part(further));
        let (of_others, beside) = (part(of_others), part(beside));
        let size = rows.iter().map(|columns| columns.size).sum::<usize>();
        let size = size + size_of_val(bundles.as_slice());
        let sources = read::sources(connection)?;
        Ok(Self {
            events,
            earlier,
            further,
            beside,
            of_others,
            canonical,
            customer,
            bundles,
            sources,
            left_out,
            size,
            rows,
        })
    }

    /// The events with their columns, by their numbers.
    fn into_lines(self) -> HashMap<i64, Line> {
        let events = self.events.into_iter().chain(self.earlier).chain(self.further);
        let events = events.chain(self.of_others).chain(self.beside);
        self.rows.into_iter().zip(events).map(|(row, event)| (row.seq, (row, event))).collect()
    }
}

/// From which sources the events of each bundle come.
fn sources_by_bundle(lines: &[&[Line]]) -> BTreeMap<i64, BTreeSet<String>> {
    let mut sources: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    let mut last: Option<(i64, &str, &str)> = None;
    for (columns, event) in lines.iter().copied().flatten() {
        let source = &event.source;
        let this = (columns.bundle, source.system.as_str(), source.instance.as_str());
        if last != Some(this) {
            sources.entry(columns.bundle).or_default().insert(source.scope());
            last = Some(this);
        }
    }
    sources
}

/// How much there is of a customer.
struct Whole {
    bundles: Vec<i64>,
    ids: Vec<BundleId>,
    /// How many events.
    n: usize,
    /// Whether an event hangs on another bundle than the one it arrived under.
    is_attributed: bool,
}

impl Whole {
    fn of(connection: &Connection, customer: i64) -> Result<Self, StoreError> {
        let mut rows = connection.prepare_cached(
            "SELECT b.id, b.hash, b.n,
                (SELECT count(*) FROM attribution a WHERE a.bundle_id = b.id AND a.by_time = 1),
                EXISTS(SELECT 1 FROM attribution a WHERE a.bundle_id = b.id)
                OR EXISTS(SELECT 1 FROM attribution a WHERE a.home_id = b.id)
             FROM member m JOIN bundle b ON b.id = m.bundle_id WHERE m.customer_id = ?1",
        )?;
        let mut rows = rows.query([customer])?;
        let mut whole = Self { bundles: Vec::new(), ids: Vec::new(), n: 0, is_attributed: false };
        while let Some(row) = rows.next()? {
            whole.bundles.push(row.get(0)?);
            whole.ids.push(BundleId::from_bytes(row.get(1)?));
            // Those at home in it, and those that hang on it by their time.
            let n = row.get::<_, i64>(2)?.saturating_add(row.get(3)?);
            whole.n = whole.n.saturating_add(usize::try_from(n).unwrap_or(0));
            whole.is_attributed |= row.get::<_, bool>(4)?;
        }
        Ok(whole)
    }

    /// The bundles of these events, also those that are at home in another one than they hang on.
    fn ids(self, connection: &Connection, customer: i64) -> Result<Vec<BundleId>, StoreError> {
        let mut ids = self.ids;
        if self.is_attributed {
            let mut homes = connection.prepare_cached(
                "SELECT DISTINCT h.hash FROM member m JOIN attribution a ON a.bundle_id = m.bundle_id
                   JOIN bundle h ON h.id = a.home_id WHERE m.customer_id = ?1 AND a.by_time = 1",
            )?;
            let homes = homes.query_map([customer], |row| row.get(0).map(BundleId::from_bytes))?;
            ids.extend(homes.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(ids)
    }
}

/// Reads events with what stands in their columns.
struct Lines<'c> {
    connection: &'c Connection,
    as_of: i64,
    /// How many are looked at, as of [`SCAN`].
    scan: usize,
    /// That an event is a correction in force, in SQL, where there is any.
    correcting: Option<String>,
    reader: EventReader,
    known: HashMap<i64, Line>,
}

impl Lines<'_> {
    /// All events of a customer, about so many, in any order.
    fn all(&mut self, customer: i64, n: usize) -> Result<Vec<Line>, StoreError> {
        if !self.known.is_empty() {
            let mut rows = self.connection.prepare_cached(
                "SELECT e.seq FROM member m JOIN event e INDEXED BY event_timeline
                   ON e.bundle_id = m.bundle_id AND e.standing = 0
                 WHERE m.customer_id = ?1 AND e.ts <= ?2",
            )?;
            let rows = rows.query_map([customer, self.as_of], |row| row.get(0))?;
            let seqs: Vec<i64> = rows.collect::<Result<_, _>>()?;
            return seqs.into_iter().map(|seq| self.one(seq)).collect();
        }
        let mut rows = self.connection.prepare_cached(
            "SELECT e.seq, e.bundle_id, e.conversation_id,
               iif(packed IS NULL, payload, cx_unpack(packed))
             FROM member m JOIN event e INDEXED BY event_timeline
               ON e.bundle_id = m.bundle_id AND e.standing = 0
             WHERE m.customer_id = ?1 AND e.ts <= ?2",
        )?;
        let mut rows = rows.query([customer, self.as_of])?;
        let mut lines = Vec::with_capacity(n);
        while let Some(row) = rows.next()? {
            lines.push(line(row, &mut self.reader)?);
        }
        Ok(lines)
    }

    /// The latest events of these bundles.
    fn latest(&mut self, bundles: &[i64]) -> Result<Vec<Line>, StoreError> {
        let as_of = codec::timestamp(self.as_of)?;
        let seqs = read::latest(self.connection, bundles, as_of, self.scan)?;
        seqs.into_iter().map(|seq| self.one(seq)).collect()
    }

    /// Puts before the latest events of these bundles, in timeline order, for each signal among
    /// them an earlier event that is none, and gives what is left out before these: `signals`, or
    /// `events` where others may be among them.
    fn behind_signals(
        &mut self,
        bundles: &[i64],
        latest: &mut Vec<Line>,
    ) -> Result<&'static str, StoreError> {
        let is_signal = |line: &&Line| schema::is_signal(&line.1.kind.name());
        let n = latest.iter().filter(is_signal).count();
        let Some((_, first)) = latest.first().filter(|_| n > 0) else { return Ok("events") };
        let far = FAR * self.scan;
        let before = read::before_without_signals(self.connection, bundles, first, n, far)?;
        let mut lines =
            before.seqs.into_iter().map(|seq| self.one(seq)).collect::<Result<Vec<_>, _>>()?;
        let what = if before.is_all { "signals" } else { "events" };
        lines.sort_by(|a, b| a.1.timeline_cmp(&b.1));
        lines.append(latest);
        *latest = lines;
        Ok(what)
    }

    fn one(&mut self, seq: i64) -> Result<Line, StoreError> {
        if let Some(known) = self.known.remove(&seq) {
            return Ok(known);
        }
        let mut row = self.connection.prepare_cached(
            "SELECT seq, bundle_id, conversation_id,
               iif(packed IS NULL, payload, cx_unpack(packed))
             FROM event WHERE seq = ?1",
        )?;
        let mut rows = row.query([seq])?;
        let row = rows.next()?.ok_or_else(|| StoreError::malformed("event row", seq))?;
        line(row, &mut self.reader)
    }

    /// The latest events of each kind that speaks for ever, until an instant, without those that
    /// are known.
    fn standing(
        &mut self,
        bundles: &[i64],
        until: Timestamp,
        known: &BTreeSet<i64>,
    ) -> Result<Vec<Line>, StoreError> {
        let mut standing = Vec::new();
        for kind in schema::standing(self.connection)? {
            let most = self.scan + known.len();
            let mut seqs = read::latest_standing(self.connection, bundles, kind, until, most)?;
            seqs.retain(|seq| !known.contains(seq));
            for seq in seqs.into_iter().take(self.scan) {
                standing.push(self.one(seq)?);
            }
        }
        Ok(standing)
    }

    /// The latest events that say something of consents and name a value of this customer, of others
    /// and of nobody.
    fn words_of_others(&mut self, customer: i64) -> Result<Vec<Line>, StoreError> {
        let is_standing = schema::is_standing(self.connection)?;
        let profile: Option<i64> = self
            .connection
            .prepare_cached("SELECT id FROM dict WHERE class = 3 AND name = 'profile.updated'")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let seqs: Vec<i64> = {
            let mut rows = self.connection.prepare_cached(&format!(
                "SELECT DISTINCT e.seq, e.ts FROM member m JOIN bundle_claim c ON c.bundle_id = m.bundle_id
                   JOIN identifier i ON i.id = c.identifier_id AND i.linkable = 1
                   JOIN dict d ON d.id = i.ns AND d.name IN ('email', 'phone', 'wa_id', 'wa_bsuid',
                     'social', 'sip', 'device', 'address') AND (i.hub = 0 OR d.name = 'email')
                   JOIN bundle_claim o ON o.identifier_id = i.id
                   JOIN event e INDEXED BY event_standing ON e.bundle_id = o.bundle_id
                     AND e.kind <> ?3 AND e.ts <= ?2 AND e.standing = 0 AND {is_standing}
                   LEFT JOIN attribution a ON a.event_seq = e.seq
                   LEFT JOIN member n ON n.bundle_id = coalesce(a.bundle_id, e.bundle_id)
                 WHERE m.customer_id = ?1 AND n.customer_id IS NOT ?1
                 ORDER BY e.ts DESC, e.seq DESC LIMIT ?4",
            ))?;
            let most = i64::try_from(self.scan).unwrap_or(i64::MAX);
            let rows = rows
                .query_map(params![customer, self.as_of, profile.unwrap_or(-1), most], |row| {
                    row.get(0)
                })?;
            rows.collect::<Result<_, _>>()?
        };
        seqs.into_iter().map(|seq| self.one(seq)).collect()
    }

    /// Further events of the conversations of these events and of those that are open, and the one
    /// key of each that has several.
    fn further(
        &mut self,
        events: &[Line],
        open: Vec<i64>,
        left_out: &mut BTreeMap<String, u64>,
    ) -> Result<(Vec<Line>, BTreeMap<ConversationKey, ConversationKey>), StoreError> {
        let known: BTreeSet<i64> = events.iter().map(|(columns, _)| columns.seq).collect();
        let mut ids: BTreeSet<i64> =
            events.iter().filter_map(|(columns, _)| columns.conversation).collect();
        ids.extend(open);
        let mut canonical = BTreeMap::new();
        let mut seen: BTreeSet<i64> = BTreeSet::new();
        let (mut further, mut n_cut) = (Vec::new(), 0);
        for id in ids {
            if !seen.insert(id) {
                continue;
            }
            let keys = read::keys_beside(self.connection, id)?;
            if let [(_, one), _, ..] = keys.as_slice() {
                for (_, key) in &keys {
                    canonical.insert(key.clone(), one.clone());
                }
            }
            seen.extend(keys.iter().map(|(id, _)| *id));
            let room = self.scan.saturating_sub(further.len());
            let ids: Vec<i64> = keys.into_iter().map(|(id, _)| id).collect();
            let (seqs, is_cut) = self.of_conversation(&ids, &known, room)?;
            n_cut += u64::from(is_cut);
            for seq in seqs {
                further.push(self.one(seq)?);
            }
        }
        if n_cut > 0 {
            left_out.insert("conversations".to_owned(), n_cut);
        }
        Ok((further, canonical))
    }

    /// The events of the conversations in which those of these events live on, and the calls with the
    /// numbers from which somebody called in vain in them, without what is known: as many as are
    /// looked at of anything else.
    fn beside(
        &mut self,
        told: &[&[Line]],
        canonical: &mut BTreeMap<ConversationKey, ConversationKey>,
    ) -> Result<Vec<Line>, StoreError> {
        let told = || told.iter().copied().flatten();
        let mut seen: BTreeSet<i64> =
            told().filter_map(|(columns, _)| columns.conversation).collect();
        let into = |event: &Event| match &event.kind {
            Kind::ConversationMerged(merged) => merged.into.clone(),
            _ => None,
        };
        let mut next: Vec<String> = told().filter_map(|(_, event)| into(event)).collect();
        let calls_in_vain = told().map(|(_, event)| event).filter(|event| {
            event.is_from_customer()
                && (matches!(&event.kind, Kind::Call(call) if !call.was_taken())
                    || matches!(event.kind, Kind::Voicemail(_)))
        });
        let (mut from, mut since) = (BTreeSet::new(), None);
        for event in calls_in_vain {
            from.extend(event.person_claims().into_iter().map(|claim| claim.identifier().clone()));
            let at = event.occurred_at - LONGEST_CALL;
            since = Some(since.map_or(at, |since: Timestamp| since.min(at)));
        }
        let known: BTreeSet<i64> = told().map(|(columns, _)| columns.seq).collect();
        let mut taken: BTreeSet<i64> = BTreeSet::new();
        let mut beside: Vec<Line> = Vec::new();
        while let Some(key) = next.pop().filter(|_| beside.len() < self.scan) {
            let mut id =
                self.connection.prepare_cached("SELECT id FROM conversation WHERE key = ?1")?;
            let id: Option<i64> = id.query_row([key], |row| row.get(0)).optional()?;
            let Some(id) = id.filter(|id| !seen.contains(id)) else { continue };
            let keys = read::keys_beside(self.connection, id)?;
            seen.insert(id);
            seen.extend(keys.iter().map(|(id, _)| *id));
            if let [(_, one), _, ..] = keys.as_slice() {
                for (_, key) in &keys {
                    canonical.insert(key.clone(), one.clone());
                }
            }
            let ids: Vec<i64> = keys.into_iter().map(|(id, _)| id).collect();
            let room = self.scan.saturating_sub(beside.len());
            for seq in self.of_conversation(&ids, &known, room)?.0 {
                if taken.insert(seq) {
                    let line = self.one(seq)?;
                    next.extend(into(&line.1));
                    beside.push(line);
                }
            }
        }
        if let Some(since) = since {
            let from: Vec<Identifier> = from.into_iter().collect();
            let until = codec::timestamp(self.as_of)?;
            let reader = &mut self.reader;
            let calls = waiting::calls_with(self.connection, &from, since, until, reader)?;
            let seqs: BTreeSet<i64> = calls.into_iter().map(|(seq, _)| seq).collect();
            for seq in seqs.into_iter().rev().take(self.scan) {
                if !known.contains(&seq) && taken.insert(seq) {
                    beside.push(self.one(seq)?);
                }
            }
        }
        beside.sort_by(|a, b| a.1.timeline_cmp(&b.1));
        Ok(beside)
    }

    /// The events of a conversation that are not known: all, or where there are too many the first
    /// few, the latest and those that take back what was written, and whether that was so.
    fn of_conversation(
        &self,
        ids: &[i64],
        known: &BTreeSet<i64>,
        room: usize,
    ) -> Result<(Vec<i64>, bool), StoreError> {
        let mut seqs: BTreeSet<i64> = BTreeSet::new();
        let mut is_cut = false;
        for id in ids {
            let most = self.scan + known.len();
            let mut found = self.in_order(*id, "DESC", most + 1)?;
            let is_long = found.len() > most;
            found.truncate(most);
            found.retain(|seq| !known.contains(seq));
            if is_long || found.len() > room.saturating_sub(seqs.len()) {
                is_cut = true;
                found.truncate(room.saturating_sub(seqs.len()));
                let first = self.in_order(*id, "ASC", OPENING)?;
                let corrections = self.corrections(*id)?;
                let more = first.into_iter().chain(corrections);
                found.extend(more.filter(|seq| !known.contains(seq)));
            }
            seqs.extend(found);
        }
        Ok((seqs.into_iter().collect(), is_cut))
    }

    /// The latest corrections of these bundles: what they take back stays so behind any number of
    /// events.
    fn corrections_of(&self, bundles: &[i64]) -> Result<BTreeSet<i64>, StoreError> {
        let Some(correcting) = &self.correcting else { return Ok(BTreeSet::new()) };
        let mut own = self.connection.prepare_cached(&format!(
            "SELECT seq FROM event INDEXED BY event_correcting
             WHERE bundle_id = ?1 AND ts <= ?2 AND {correcting} ORDER BY ts DESC LIMIT ?3"
        ))?;
        let mut given = self.connection.prepare_cached(&format!(
            "SELECT e.seq FROM attribution a JOIN event e ON e.seq = a.event_seq
             WHERE a.bundle_id = ?1 AND e.ts <= ?2 AND {correcting} ORDER BY e.ts DESC LIMIT ?3"
        ))?;
        let limit = i64::try_from(self.scan).unwrap_or(i64::MAX);
        let mut seqs = BTreeSet::new();
        for bundle in bundles {
            for rows in [&mut own, &mut given] {
                for seq in rows.query_map(params![bundle, self.as_of, limit], |row| row.get(0))? {
                    seqs.insert(seq?);
                }
            }
        }
        Ok(seqs)
    }

    /// The latest corrections that stand in no conversation of the other customers who wrote in these
    /// conversations: they may take back what those wrote there.
    fn corrections_of_others(
        &self,
        customer: i64,
        further: &[Line],
    ) -> Result<BTreeSet<i64>, StoreError> {
        let Some(correcting) = &self.correcting else { return Ok(BTreeSet::new()) };
        let mut owner = self.connection.prepare_cached(
            "SELECT m.customer_id FROM event e LEFT JOIN attribution a ON a.event_seq = e.seq
               JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id)
             WHERE e.seq = ?1",
        )?;
        let mut others: BTreeSet<i64> = BTreeSet::new();
        for (columns, _) in further {
            let owner: Option<i64> = owner.query_row([columns.seq], |row| row.get(0)).optional()?;
            others.extend(owner.filter(|owner| *owner != customer));
        }
        let mut rows = self.connection.prepare_cached(&format!(
            "SELECT seq FROM {CORRECTING_OF_MEMBERS} AND {correcting}
             WHERE m.customer_id = ?1 AND e.conversation_id IS NULL AND e.ts <= ?2
             ORDER BY e.ts DESC LIMIT ?3"
        ))?;
        let limit = i64::try_from(self.scan).unwrap_or(i64::MAX);
        let mut seqs = BTreeSet::new();
        for other in others {
            for seq in rows.query_map(params![other, self.as_of, limit], |row| row.get(0))? {
                seqs.insert(seq?);
            }
        }
        Ok(seqs)
    }

    fn corrections(&self, id: i64) -> Result<Vec<i64>, StoreError> {
        let Some(correcting) = &self.correcting else { return Ok(Vec::new()) };
        let mut rows = self.connection.prepare_cached(&format!(
            "SELECT seq FROM event INDEXED BY event_conversation
             WHERE conversation_id = ?1 AND ts <= ?2 AND {correcting}
             ORDER BY ts DESC LIMIT ?3"
        ))?;
        let limit = i64::try_from(self.scan).unwrap_or(i64::MAX);
        let rows = rows.query_map(params![id, self.as_of, limit], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn in_order(&self, id: i64, order: &str, limit: usize) -> Result<Vec<i64>, StoreError> {
        let mut rows = self.connection.prepare_cached(&format!(
            "SELECT seq FROM event INDEXED BY event_conversation
             WHERE conversation_id = ?1 AND standing = 0 AND ts <= ?2 ORDER BY ts {order} LIMIT ?3"
        ))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = rows.query_map(params![id, self.as_of, limit], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// A row with its number, its bundle, its conversation and its payload.
fn line(row: &rusqlite::Row<'_>, reader: &mut EventReader) -> Result<Line, StoreError> {
    let payload = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
    let read = reader.read(payload);
    let mut event = read.map_err(|error| StoreError::malformed("event", error))?;
    // It may be remembered.
    event.who.shrink_to_fit();
    // Each field has an allocation of its own.
    let size = size_of::<Line>() + 2 * payload.len();
    let (seq, bundle, conversation) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok((Columns { seq, bundle, conversation, size }, event))
}

#[cfg(test)]
mod tests {
    use cx_core::channel::Channel;
    use cx_core::context::ContextOptions;
    use cx_core::event::{ConversationRef, Direction, Source};
    use cx_core::identifier::{Assurance, Claim, Namespace, Role, Who};
    use cx_core::identity::{Assertion, Subject, Verdict};
    use cx_core::ids::{EventKey, ObservationId};
    use cx_core::time::Micros;
    use serde_json::json;

    use super::*;
    use crate::{Recording, Store};

    fn at(minutes: usize) -> Timestamp {
        let minutes = i64::try_from(minutes).unwrap();
        Timestamp::from_seconds(1_772_438_400).unwrap() + Micros::MINUTE.times(minutes)
    }

    fn event(n: usize, kind: &str, data: &serde_json::Value) -> Event {
        let kind = Kind::from_json(kind, data.as_object().unwrap().clone()).unwrap();
        let source = Source { system: "test".to_owned(), ..Source::default() };
        let key = EventKey::new(format!("test/{n}")).unwrap();
        let mut event = Event::new(key, source, kind, at(n));
        event.channel = Channel::Chat;
        event.direction = Direction::In;
        let jan =
            Claim::new(Namespace::Email, "jan@example.nl", Role::From, Assurance::ChannelProved);
        event.who.push(jan.unwrap());
        event
    }

    /// Consents, then profiles, then messages of one conversation, in which somebody else speaks too.
    fn store(consents: usize, profiles: usize, messages: usize) -> Store {
        let mut events = Vec::new();
        for n in 0..consents {
            let data = json!({"purpose": "marketing", "on": "email", "state": "denied"});
            events.push(event(n, "consent.changed", &data));
        }
        for n in consents..consents + profiles {
            events.push(event(n, "profile.updated", &json!({"language": "nl"})));
        }
        let before = consents + profiles;
        for n in before..before + messages {
            let mut message = event(n, "message", &json!({}));
            let key = ConversationKey::new("chat/1").unwrap();
            message.conversation = Some(ConversationRef::of(key));
            if n % 2 == 1 {
                message.who.clear();
                message.direction = Direction::Out;
            }
            events.push(message);
        }
        let store = Store::open_in_memory().unwrap();
        store.ingest(&Recording::new(at(100_000), "test"), events).unwrap();
        store
    }

    fn read(store: &Store, scan: usize) -> History {
        store
            .read(|connection| {
                let row = connection.query_row("SELECT id FROM customer", [], |row| row.get(0))?;
                History::read(connection, row, at(100_000), scan, None)
            })
            .unwrap()
    }

    #[test]
    fn however_long_a_history_is_so_many_events_of_it_are_read() {
        for (consents, profiles, messages) in [(40, 60, 300), (80, 200, 900)] {
            let history = read(&store(consents, profiles, messages), 20);
            assert_eq!(history.events.len(), 20);
            // Of the kinds that speak for ever the latest ones.
            let of = |name: &str| {
                let is_it = |event: &&Event| event.kind.name() == name;
                history.earlier.iter().filter(is_it).count()
            };
            assert_eq!((of("consent.changed"), of("profile.updated")), (20, 20));
            assert_eq!(history.earlier.len(), 40);
            // What is left of the conversation, and how it began.
            assert!(history.further.len() <= 20 + OPENING, "{}", history.further.len());
            let left_out = u64::try_from(consents + profiles + messages - 20).unwrap();
            assert_eq!(history.left_out.get("events"), Some(&left_out));
            assert_eq!(history.left_out.get("conversations"), Some(&1));
        }
    }

    #[test]
    fn a_history_that_is_short_enough_is_read_whole() {
        let history = read(&store(5, 5, 10), 20);
        assert_eq!(history.left_out, BTreeMap::new());
        assert_eq!(history.events.len() + history.further.len(), 20);
        assert!(history.earlier.is_empty());
    }

    /// A question that nobody answered, an order and a bad answer, in this order, and then pages.
    fn store_of_pages(pages: usize) -> Store {
        let mut question = event(0, "message", &json!({}));
        question.conversation =
            Some(ConversationRef::of(ConversationKey::new("mail/question").unwrap()));
        let order = json!({"order_id": "7", "total": "900.00", "currency": "EUR"});
        let answer = json!({"survey": "csat", "score": 1, "scale": {"min": 1, "max": 5}});
        let mut events = vec![
            question,
            event(1, "order.placed", &order),
            event(2, "feedback.answered", &answer),
        ];
        let page = json!({"url": "https://shop.example/"});
        events.extend((3..3 + pages).map(|n| event(n, "page.viewed", &page)));
        let store = Store::open_in_memory().unwrap();
        store.ingest(&Recording::new(at(100_000), "test"), events).unwrap();
        store
    }

    #[test]
    fn signals_do_not_take_the_room_of_what_was_said_bought_and_thought() {
        let history = read(&store_of_pages(100), 20);
        let kinds: Vec<_> = history.events.iter().map(|event| event.kind.name()).collect();
        assert_eq!(kinds.len(), 23);
        assert_eq!(&kinds[..3], ["message", "order.placed", "feedback.answered"]);
        assert_eq!(history.left_out, BTreeMap::from([("signals".to_owned(), 80)]));
        // What they are in place of is limited in number.
        let mut events = Vec::new();
        for n in 0..400 {
            let kind = if n % 2 == 0 { "order.placed" } else { "page.viewed" };
            let data = if n % 2 == 0 { json!({"order_id": n.to_string()}) } else { json!({}) };
            events.push(event(n, kind, &data));
        }
        let store = Store::open_in_memory().unwrap();
        store.ingest(&Recording::new(at(100_000), "test"), events).unwrap();
        let history = read(&store, 20);
        assert_eq!(history.events.len(), 30);
        assert_eq!(history.left_out, BTreeMap::from([("events".to_owned(), 370)]));
        assert!(history.events.is_sorted_by(|a, b| a.timeline_cmp(b).is_lt()));
    }

    #[test]
    fn the_way_back_over_signals_is_limited_but_for_what_is_open() {
        let history = read(&store_of_pages(20 * FAR + 50), 20);
        assert!(history.events.iter().all(|event| event.kind.name() == "page.viewed"));
        assert_eq!(history.left_out.get("events"), Some(&(20 * 20 + 33)));
        let further: Vec<_> = history.further.iter().map(|event| event.key.as_str()).collect();
        assert_eq!(further, ["test/0"]);
    }

    #[test]
    fn what_is_open_is_known_behind_any_number_of_messages() {
        let store = store(0, 0, 300);
        let mut question = event(301, "message", &json!({}));
        question.occurred_at = at(0);
        question.conversation =
            Some(ConversationRef::of(ConversationKey::new("mail/question").unwrap()));
        store.ingest(&Recording::new(at(100_000), "test"), [question.clone()]).unwrap();
        assert!(read(&store, 20).further.contains(&question));
    }

    #[test]
    fn an_old_word_is_theirs_who_was_said_to_have_spoken_it() {
        let store = store(1, 0, 200);
        let mut foreign =
            event(300, "consent.changed", &json!({"purpose": "all", "state": "denied"}));
        let piet =
            Claim::new(Namespace::Email, "piet@example.nl", Role::From, Assurance::ChannelProved);
        foreign.who = vec![piet.unwrap()];
        foreign.occurred_at = at(0);
        let [own, foreign_id, message] = ["test/0", "test/300", "test/2"]
            .map(|key| ObservationId::of("", &EventKey::new(key).unwrap()));
        store.ingest(&Recording::new(at(100_000), "test"), [foreign]).unwrap();
        let Who::Identifier(jan) = Who::parse("jan@example.nl", None).unwrap() else { return };
        let say = |verdict| {
            let by = "agent:7".to_owned();
            let said = Assertion { verdict, by, reason: None, at: at(100_000) };
            store.assert(&said, at(100_000)).unwrap();
        };
        let heard = || -> Vec<String> {
            let row = "SELECT customer_id FROM member m JOIN bundle b ON b.id = m.bundle_id
                       ORDER BY b.n DESC LIMIT 1";
            let read = |connection: &Connection| {
                let row = connection.query_row(row, [], |row| row.get(0))?;
                History::read(connection, row, at(100_000), 20, None)
            };
            let history = store.read(read).unwrap();
            history.earlier.iter().map(|event| event.key.to_string()).collect()
        };
        assert_eq!(heard(), ["test/0"]);
        say(Verdict::Detach(own, jan));
        assert!(heard().is_empty());
        say(Verdict::Same(Subject::Observation(foreign_id), Subject::Observation(message)));
        assert_eq!(heard(), ["test/300"]);
        say(Verdict::Same(Subject::Observation(own), Subject::Observation(message)));
        assert_eq!(heard(), ["test/0", "test/300"]);
    }

    #[test]
    fn what_was_taken_out_amid_a_long_conversation_is_known_to_be() {
        let store = store(0, 0, 300);
        let mut redacted = event(301, "message.redacted", &json!({"target": "test/299"}));
        (redacted.who, redacted.occurred_at) = (Vec::new(), at(150));
        redacted.conversation = Some(ConversationRef::of(ConversationKey::new("chat/1").unwrap()));
        store.ingest(&Recording::new(at(100_000), "test"), [redacted.clone()]).unwrap();
        assert!(read(&store, 20).further.contains(&redacted));
    }

    #[test]
    fn what_was_taken_out_stays_so_behind_any_number_of_messages() {
        let store = store(0, 0, 300);
        let mut redacted = event(301, "message.redacted", &json!({"target": "test/0"}));
        redacted.occurred_at = at(1);
        let mut others = event(302, "message.redacted", &json!({"target": "test/1"}));
        others.occurred_at = at(1);
        store.ingest(&Recording::new(at(100_000), "test"), [redacted.clone(), others]).unwrap();
        let history = read(&store, 20);
        assert!(history.further.contains(&redacted));
        assert_eq!(history.left_out.get("events"), Some(&282));
    }

    #[test]
    fn since_when_somebody_is_known_publicly_is_told_of_all_their_events() {
        assert_eq!(read(&store(0, 0, 200), 20).customer.public_since, Some(at(0)));
        assert_eq!(read(&store(0, 0, 10), 20).customer.public_since, None);
    }

    #[test]
    fn an_old_refusal_counts_behind_any_number_of_messages() {
        let store = store(1, 0, 200);
        let history = read(&store, 20);
        assert_eq!(history.earlier.len(), 1);
        let jan = Who::parse("jan@example.nl", None).unwrap();
        let context = store.context(&jan, &ContextOptions::at(at(100_000))).unwrap();
        assert_eq!(context.consent.len(), 1);
    }
}
