//! The neighbourhood of a few subjects, read from the file: all that decides whose their records
//! are, today or at any past instant.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use cx_core::event::Event;
use cx_core::identifier::Identifier;
use cx_core::identity::explain::Sighting;
use cx_core::identity::hub::counts_persons;
use cx_core::identity::policy::Limit;
use cx_core::identity::{
    Assertion, Assertions, BundleFacts, DirectView, HubReason, Neighbourhood, Observation,
    ObservedClaim, PersonName, Policy, Rules, Subject, WholeBundle,
};
use cx_core::ids::{BundleId, EventKey, IdKey, ObservationId};
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::codec;
use crate::corrections;
use crate::derived::Settings;
use crate::error::StoreError;
use crate::ingest::{compare_revs, first_recorded};
use crate::past::Past;

/// Whose store is asked, under which policy, and of when.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    pub(crate) tenant: String,
    pub(crate) policy: Policy,
    pub(crate) id_key: IdKey,
    pub(crate) past: Past,
}

impl Asking {
    pub(crate) fn of(settings: &Settings, past: Past) -> Self {
        let Settings { tenant, policy, id_key, .. } = settings;
        Self { tenant: tenant.clone(), policy: policy.clone(), id_key: id_key.clone(), past }
    }
}

/// How many bundles that share a value are looked at where the value itself links nobody.
const AROUND: usize = 50;

/// A neighbourhood with what an explanation tells of it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) neighbourhood: Neighbourhood,
    pub(crate) sightings: BTreeMap<BundleId, Sighting>,
    /// The row of the event that each observation is, and when its record was recorded first.
    pub(crate) events: BTreeMap<ObservationId, (i64, Timestamp)>,
    pub(crate) assertions: Assertions,
    pub(crate) policy: Policy,
}

impl Loaded {
    pub(crate) const fn rules(&self) -> Rules<'_> {
        Rules { policy: &self.policy, assertions: &self.assertions }
    }
}

/// Reads the neighbourhood of these subjects as it was.
///
/// Its cost is that of the components that the subjects lie in, and of those that share a value
/// with them; in the past, of values that very many carry too.
pub(crate) fn around(
    connection: &Connection,
    asking: &Asking,
    subjects: &[Subject],
) -> Result<Loaded, StoreError> {
    let Asking { tenant, policy, id_key, past } = asking;
    let past = *past;
    let said = said(connection, asking)?;
    let assertions = Assertions::new(said.into_iter().map(|(assertion, _)| assertion));
    let mut reader = Reader {
        connection,
        tenant,
        policy,
        id_key,
        assertions: &assertions,
        past,
        is_whole: past == Past::today(),
        bundles: BTreeMap::new(),
        sightings: BTreeMap::new(),
        events: BTreeMap::new(),
        hubs: BTreeMap::new(),
        carriers: BTreeMap::new(),
        arrivals: BTreeMap::new(),
        completed: BTreeSet::new(),
        replaced: BTreeMap::new(),
        expanded: BTreeSet::new(),
    };
    let mut inner = BTreeSet::new();
    for subject in subjects {
        inner.extend(match subject {
            Subject::Identifier(identifier) => reader.carriers(identifier)?,
            Subject::Observation(observation) => reader.arrival(*observation)?,
        });
    }
    // Two rounds: what carries the subjects may itself be carried by an order or a talk.
    let mut all = reader.component(&inner)?;
    for _ in 0..2 {
        let carried = reader.carried(&all)?;
        all.extend(reader.component(&carried)?);
    }
    reader.share(&all)?;
    let Reader { bundles, sightings, events, hubs, .. } = reader;
    let hubs = hubs.into_iter().filter_map(|(value, why)| Some((value, why?))).collect();
    let neighbourhood = Neighbourhood { bundles, hubs };
    Ok(Loaded { neighbourhood, sightings, events, assertions, policy: policy.clone() })
}

/// An event without its payload.
struct Row {
    seq: i64,
    at: Timestamp,
    key: EventKey,
    source: String,
    recorded_at: Timestamp,
}

/// A revision that was shown then.
struct Revision {
    row: Row,
    observation: Observation,
    /// How it writes the person's name.
    written: Option<String>,
}

/// The revisions that claimed a value then and are shown no longer, by their bundles.
type Replaced = BTreeMap<BundleId, Vec<Revision>>;

struct Reader<'a> {
    connection: &'a Connection,
    tenant: &'a str,
    policy: &'a Policy,
    id_key: &'a IdKey,
    assertions: &'a Assertions,
    past: Past,
    /// Whether every fact may be known.
    is_whole: bool,
    bundles: BTreeMap<BundleId, WholeBundle>,
    sightings: BTreeMap<BundleId, Sighting>,
    events: BTreeMap<ObservationId, (i64, Timestamp)>,
    hubs: BTreeMap<Identifier, Option<HubReason>>,
    carriers: BTreeMap<Identifier, BTreeSet<BundleId>>,
    /// The bundles that the events of a row of `bundle` are in.
    arrivals: BTreeMap<i64, BTreeSet<BundleId>>,
    /// Bundles of which all events were looked for, shown still or not.
    completed: BTreeSet<BundleId>,
    /// By the row of a value.
    replaced: BTreeMap<i64, Rc<Replaced>>,
    expanded: BTreeSet<BundleId>,
}

impl Reader<'_> {
    const fn rules(&self) -> Rules<'_> {
        Rules { policy: self.policy, assertions: self.assertions }
    }

    /// The bundles that hang together with these, themselves among them.
    fn component(&mut self, of: &BTreeSet<BundleId>) -> Result<BTreeSet<BundleId>, StoreError> {
        let mut component = BTreeSet::new();
        let mut next: Vec<BundleId> = of.iter().copied().collect();
        while let Some(id) = next.pop() {
            if !component.insert(id) {
                continue;
            }
            let Some(whole) = self.bundles.get(&id) else { continue };
            let facts = whole.facts.clone();
            if self.expanded.insert(id) {
                let linking = self.rules().linking(&facts).into_iter();
                let linking: Vec<Identifier> = linking.map(|c| c.identifier.clone()).collect();
                // Whether a value is a hub also says whether those who stated it are somebody.
                for claim in &facts.claims {
                    self.hub(&claim.identifier)?;
                }
                for value in linking {
                    if self.hub(&value)?.is_none() {
                        next.extend(self.carriers(&value)?);
                    }
                }
            }
            for (_, a, b) in self.assertions.joining(&facts) {
                for side in [a, b] {
                    next.extend(match side {
                        Subject::Identifier(value) => self.carriers(&value)?,
                        Subject::Observation(observation) => self.arrival(observation)?,
                    });
                }
            }
        }
        Ok(component)
    }

    /// Bundles that name nobody and stand on the same bridges as these, and all who stand there.
    fn carried(&mut self, around: &BTreeSet<BundleId>) -> Result<BTreeSet<BundleId>, StoreError> {
        let mut next: Vec<Identifier> = Vec::new();
        for id in around {
            next.extend(self.bundles.get(id).into_iter().flat_map(|w| w.bridges.keys().cloned()));
        }
        let mut seen: BTreeSet<Identifier> = BTreeSet::new();
        let mut on = BTreeSet::new();
        while let Some(bridge) = next.pop() {
            if !seen.insert(bridge.clone()) {
                continue;
            }
            for id in self.carriers(&bridge)? {
                on.insert(id);
                if let Some(whole) = self.bundles.get(&id)
                    && !whole.facts.is_somebody()
                {
                    next.extend(whole.bridges.keys().cloned());
                }
            }
        }
        Ok(on)
    }

    /// Whoever shares a value with these bundles that does not link them.
    fn share(&mut self, with: &BTreeSet<BundleId>) -> Result<(), StoreError> {
        let claims = with
            .iter()
            .filter_map(|id| self.bundles.get(id))
            .flat_map(|whole| whole.facts.claims.iter().map(|claim| claim.identifier.clone()));
        let values: BTreeSet<Identifier> = claims.collect();
        let mut around = BTreeSet::new();
        for value in values {
            if self.hub(&value)?.is_none() && value.is_linkable() {
                around.extend(self.carriers(&value)?.into_iter().take(AROUND));
            }
        }
        let around: BTreeSet<BundleId> = around.difference(with).copied().collect();
        self.component(&around)?;
        Ok(())
    }

    /// Why a value links nobody, if it does not.
    fn hub(&mut self, value: &Identifier) -> Result<Option<HubReason>, StoreError> {
        if let Some(known) = self.hubs.get(value) {
            return Ok(*known);
        }
        // A word, a role, or a policy without a number decides without looking.
        let mut reason = self.rules().hub(value, &DirectView::default());
        let has_number = self.policy.of_identifier(value).hub_above.is_some();
        if reason.is_none() && has_number && !self.assertions.trusts(value) {
            let view = self.direct_view(value)?;
            reason = self.rules().hub(value, &view);
        }
        self.hubs.insert(value.clone(), reason);
        Ok(reason)
    }

    fn direct_view(&mut self, value: &Identifier) -> Result<DirectView, StoreError> {
        let mut view = DirectView::default();
        if self.is_whole
            && let Some(row) = self.identifier_row(value)?
        {
            let is_hub: bool = self
                .connection
                .prepare_cached("SELECT hub FROM identifier WHERE id = ?1")?
                .query_row([row], |row| row.get(0))?;
            if !is_hub {
                return Ok(view);
            }
        }
        let mut ids: BTreeSet<Identifier> = BTreeSet::new();
        let mut strong: BTreeSet<Identifier> = BTreeSet::new();
        let mut strong_of_named: BTreeSet<Identifier> = BTreeSet::new();
        for id in self.carriers(value)? {
            let Some(whole) = self.bundles.get(&id) else { continue };
            let linking = self.rules().linking(&whole.facts);
            if !linking.iter().any(|claim| claim.identifier == *value) {
                continue;
            }
            view.names.extend(whole.facts.name.clone());
            ids.extend(linking.iter().map(|claim| claim.identifier.clone()).filter(|other| {
                other != value && matches!(self.policy.of_identifier(other).limit, Limit::Hard(_))
            }));
            let others = linking.iter().map(|claim| &claim.identifier);
            let counts = |other: &&Identifier| counts_persons(self.policy, value, other);
            let is_named = whole.facts.name.is_some();
            let strong = if is_named { &mut strong_of_named } else { &mut strong };
            strong.extend(others.filter(counts).cloned());
        }
        let place = |id: &Identifier| (id.namespace().clone(), id.scope().to_owned());
        for id in ids {
            *view.exclusive_ids.entry(place(&id)).or_insert(0) += 1;
        }
        for id in strong {
            *view.strong_values.entry(place(&id)).or_insert(0) += 1;
        }
        for id in strong_of_named {
            *view.strong_of_named.entry(place(&id)).or_insert(0) += 1;
        }
        Ok(view)
    }

    fn identifier_row(&self, value: &Identifier) -> Result<Option<i64>, StoreError> {
        let hash = codec::identifier_hash(value);
        let mut row =
            self.connection.prepare_cached("SELECT id FROM identifier WHERE hash = ?1")?;
        Ok(row.query_row([&hash[..]], |row| row.get(0)).optional()?)
    }

    /// The bundles that claim a value or stand on it.
    fn carriers(&mut self, value: &Identifier) -> Result<BTreeSet<BundleId>, StoreError> {
        if let Some(known) = self.carriers.get(value) {
            return Ok(known.clone());
        }
        let mut carriers = BTreeSet::new();
        if let Some(row) = self.identifier_row(value)? {
            for bundle in self.rows(
                "SELECT bundle_id FROM bundle_claim WHERE identifier_id = ?1
                 UNION SELECT bundle_id FROM bundle_bridge WHERE identifier_id = ?1
                 UNION SELECT e.bundle_id FROM bundle_bridge x JOIN attribution a ON a.home_id = x.bundle_id
                   JOIN event e ON e.seq = a.event_seq WHERE x.identifier_id = ?1",
                row,
            )? {
                carriers.extend(self.read_bundle(bundle)?);
            }
            if self.past.recorded_by() < Timestamp::MAX {
                for (id, revisions) in self.replaced(row)?.iter() {
                    for revision in revisions {
                        self.enter(*id, revision);
                    }
                    self.complete(*id)?;
                    carriers.insert(*id);
                }
            }
        }
        // Not all events of a bundle stand on what one of them stands on.
        carriers.retain(|id| {
            self.bundles.get(id).is_some_and(|whole| {
                whole.bridges.contains_key(value)
                    || whole.facts.claims.iter().any(|claim| claim.identifier == *value)
            })
        });
        self.carriers.insert(value.clone(), carriers.clone());
        Ok(carriers)
    }

    fn rows(&self, sql: &str, of: i64) -> Result<Vec<i64>, StoreError> {
        let mut rows = self.connection.prepare_cached(sql)?;
        let rows = rows.query_map([of], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The bundle that an observation is in.
    fn arrival(&mut self, observation: ObservationId) -> Result<BTreeSet<BundleId>, StoreError> {
        let Some(key) =
            corrections::key_of(self.connection, self.tenant, self.id_key, observation)?
        else {
            return Ok(BTreeSet::new());
        };
        let revisions: Vec<(i64, i64)> = {
            let mut rows = self.connection.prepare_cached(
                "SELECT seq, bundle_id FROM event WHERE key = ?1 ORDER BY standing",
            )?;
            let rows = rows.query_map([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        for (seq, bundle) in revisions {
            let mut found = self.read_bundle(bundle)?;
            if self.past.recorded_by() < Timestamp::MAX {
                found.extend(self.read_revision(seq)?);
            }
            found.retain(|id| {
                let whole = self.bundles.get(id);
                whole.is_some_and(|whole| whole.moments.iter().any(|(_, id)| *id == observation))
            });
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(BTreeSet::new())
    }

    /// Reads the events that arrived in a bundle, as far as they may be known. Those that somebody
    /// singled out are bundles of their own.
    fn read_bundle(&mut self, bundle: i64) -> Result<BTreeSet<BundleId>, StoreError> {
        if let Some(known) = self.arrivals.get(&bundle) {
            return Ok(known.clone());
        }
        let mut found = BTreeSet::new();
        if let Some((id, claims, name, written)) = self.claims(bundle)? {
            for row in self.events_of(bundle)? {
                let observation = ObservationId::of(self.tenant, &row.key);
                let is_alone = self.assertions.names(observation);
                let id = if is_alone { BundleId::of_one(observation) } else { id };
                found.insert(id);
                let alone = is_alone.then_some(observation);
                let written = written.clone().filter(|_| self.is_whole && !is_alone);
                self.add(id, &claims, name.as_ref(), written, alone, &row);
            }
            for id in found.clone() {
                self.read_texts(bundle, id)?;
            }
        }
        self.arrivals.insert(bundle, found.clone());
        for id in &found {
            self.complete(*id)?;
        }
        Ok(found)
    }

    #[expect(clippy::type_complexity, reason = "the columns of one row, used in one place")]
    fn claims(
        &self,
        bundle: i64,
    ) -> Result<
        Option<(BundleId, Vec<ObservedClaim>, Option<PersonName>, Option<String>)>,
        StoreError,
    > {
        let mut head = self
            .connection
            .prepare_cached("SELECT hash, name_key, name FROM bundle WHERE id = ?1")?;
        let head: Option<([u8; 16], Option<String>, Option<String>)> = head
            .query_row([bundle], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((hash, name, written)) = head else { return Ok(None) };
        let mut rows = self.connection.prepare_cached(
            "SELECT d.name, i.scope, i.key, i.linkable, c.assurance, c.caveat
             FROM bundle_claim c JOIN identifier i ON i.id = c.identifier_id JOIN dict d ON d.id = i.ns
             WHERE c.bundle_id = ?1",
        )?;
        let mut rows = rows.query([bundle])?;
        let mut claims = Vec::new();
        while let Some(row) = rows.next()? {
            claims.push(ObservedClaim {
                identifier: codec::read_identifier(row, 0)?,
                assurance: codec::assurance(row.get(4)?)?,
                caveat: codec::caveat(row.get(5)?)?,
            });
        }
        claims.sort();
        let name = name.map(|key| PersonName::from_key(&key));
        Ok(Some((BundleId::from_bytes(hash), claims, name, written)))
    }

    /// The events that arrived in a bundle and are shown, as far as they may be known.
    fn events_of(&self, bundle: i64) -> Result<Vec<Row>, StoreError> {
        let mut rows = self.connection.prepare_cached(
            "SELECT e.seq, e.ts, e.key, d.name,
               (SELECT min(b.recorded_at) FROM event o JOIN batch b ON b.id = o.batch WHERE o.key = e.key)
             FROM event e JOIN dict d ON d.id = e.source JOIN batch t ON t.id = e.batch
             WHERE e.bundle_id = ?1 AND e.standing = 0 AND e.ts <= ?2 AND t.recorded_at <= ?3",
        )?;
        let (until, known) =
            (self.past.happened_by().as_micros(), self.past.recorded_by().as_micros());
        let mut rows = rows.query([bundle, until, known])?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            events.push(Row {
                seq: row.get(0)?,
                at: codec::timestamp(row.get(1)?)?,
                key: codec::event_key(&row.get::<_, String>(2)?)?,
                source: codec::source_scope(&row.get::<_, String>(3)?),
                recorded_at: codec::timestamp(row.get(4)?)?,
            });
        }
        Ok(events)
    }

    fn add(
        &mut self,
        id: BundleId,
        claims: &[ObservedClaim],
        name: Option<&PersonName>,
        written: Option<String>,
        alone: Option<ObservationId>,
        row: &Row,
    ) {
        let observation = ObservationId::of(self.tenant, &row.key);
        if self.events.insert(observation, (row.seq, row.recorded_at)).is_some() {
            return;
        }
        let anchor = (row.recorded_at, observation);
        let whole = self.bundles.entry(id).or_insert_with(|| WholeBundle {
            facts: BundleFacts {
                id,
                claims: claims.to_vec(),
                name: name.cloned(),
                first_seen: row.at,
                anchor,
                alone,
                sources: BTreeSet::new(),
            },
            moments: Vec::new(),
            bridges: BTreeMap::new(),
        });
        whole.facts.first_seen = whole.facts.first_seen.min(row.at);
        if !whole.facts.sources.contains(&row.source) {
            whole.facts.sources.insert(row.source.clone());
        }
        whole.moments.push((row.at, observation));
        let is_first = anchor <= whole.facts.anchor;
        whole.facts.anchor = whole.facts.anchor.min(anchor);
        let sighting = self.sightings.entry(id).or_insert_with(|| Sighting {
            name: written,
            sources: BTreeSet::new(),
            n_events: 0,
            first_seen: row.at,
            last_seen: row.at,
            event: row.key.clone(),
        });
        sighting.n_events = sighting.n_events.saturating_add(1);
        sighting.first_seen = sighting.first_seen.min(row.at);
        sighting.last_seen = sighting.last_seen.max(row.at);
        if !sighting.sources.contains(&row.source) {
            sighting.sources.insert(row.source.clone());
        }
        if is_first {
            sighting.event.clone_from(&row.key);
        }
    }

    /// What the events of a bundle stand on and since when, and how its name is written: counted
    /// already of whole bundles, read from the events of others.
    fn read_texts(&mut self, bundle: i64, id: BundleId) -> Result<(), StoreError> {
        let alone = self.bundles.get(&id).and_then(|whole| whole.facts.alone);
        if self.is_whole && alone.is_none() {
            let mut rows = self.connection.prepare_cached(
                "SELECT d.name, i.scope, i.key, i.linkable, x.first_seen
                 FROM bundle_bridge x JOIN identifier i ON i.id = x.identifier_id JOIN dict d ON d.id = i.ns
                 WHERE x.bundle_id = ?1",
            )?;
            let mut rows = rows.query([bundle])?;
            while let Some(row) = rows.next()? {
                let bridge = codec::read_identifier(row, 0)?;
                let since = codec::timestamp(row.get(4)?)?;
                if let Some(whole) = self.bundles.get_mut(&id) {
                    whole.bridges.insert(bridge, since);
                }
            }
            return Ok(());
        }
        let moments = self.bundles.get(&id).map(|whole| whole.moments.clone());
        for (_, observation) in moments.unwrap_or_default() {
            if let Some((seq, _)) = self.events.get(&observation).copied() {
                let event = event(self.connection, seq)?;
                self.stand(id, &event.bridges(), event.occurred_at, event.name.as_ref());
            }
        }
        Ok(())
    }

    fn stand(
        &mut self,
        id: BundleId,
        bridges: &[Identifier],
        at: Timestamp,
        written: Option<&String>,
    ) {
        let Some(whole) = self.bundles.get_mut(&id) else { return };
        for bridge in bridges {
            let since = whole.bridges.entry(bridge.clone()).or_insert(at);
            *since = (*since).min(at);
        }
        if whole.facts.name.is_some()
            && let Some(sighting) = self.sightings.get_mut(&id)
        {
            // Of several spellings the same one is shown as where all are counted.
            sighting.name = sighting.name.take().max(written.cloned());
        }
    }

    /// Reads the revision of a record that was shown then, if it is this one.
    fn read_revision(&mut self, seq: i64) -> Result<BTreeSet<BundleId>, StoreError> {
        let Some(revision) = self.shown_then(seq)? else { return Ok(BTreeSet::new()) };
        let id = self.bundle_of(&revision.observation);
        self.enter(id, &revision);
        self.complete(id)?;
        Ok(BTreeSet::from([id]))
    }

    /// Reads all other events of a bundle, shown still or not: one of them may be found by an order
    /// or a talk on which the others do not stand, and by values that link nobody no one is looked
    /// for. They all claim the same, or stand on the same bridges if nothing.
    fn complete(&mut self, id: BundleId) -> Result<(), StoreError> {
        if self.past.recorded_by() == Timestamp::MAX || !self.completed.insert(id) {
            return Ok(());
        }
        let Some(whole) = self.bundles.get(&id).filter(|whole| whole.facts.alone.is_none()) else {
            return Ok(());
        };
        let claimed = whole.facts.claims.first().map(|claim| &claim.identifier);
        let Some(value) = claimed.or_else(|| whole.bridges.keys().next()).cloned() else {
            return Ok(());
        };
        let mut row = self.connection.prepare_cached("SELECT id FROM bundle WHERE hash = ?1")?;
        let row: Option<i64> = row.query_row([&id.as_bytes()[..]], |row| row.get(0)).optional()?;
        if let Some(row) = row {
            self.read_bundle(row)?;
        }
        let Some(value) = self.identifier_row(&value)? else { return Ok(()) };
        let replaced = self.replaced(value)?;
        for revision in replaced.get(&id).into_iter().flatten() {
            self.enter(id, revision);
        }
        Ok(())
    }

    /// What claimed a value then and is shown no longer, read once.
    fn replaced(&mut self, value: i64) -> Result<Rc<Replaced>, StoreError> {
        if let Some(known) = self.replaced.get(&value) {
            return Ok(Rc::clone(known));
        }
        let mut replaced = Replaced::new();
        for seq in self.rows("SELECT event_seq FROM past_claim WHERE identifier_id = ?1", value)? {
            if let Some(revision) = self.shown_then(seq)? {
                let id = self.bundle_of(&revision.observation);
                replaced.entry(id).or_default().push(revision);
            }
        }
        let replaced = Rc::new(replaced);
        self.replaced.insert(value, Rc::clone(&replaced));
        Ok(replaced)
    }

    /// The revision of a row, if it is the one that was shown then.
    fn shown_then(&self, seq: i64) -> Result<Option<Revision>, StoreError> {
        let key: String = self
            .connection
            .prepare_cached("SELECT key FROM event WHERE seq = ?1")?
            .query_row([seq], |row| row.get(0))?;
        let shown = revision_at(self.connection, &key, self.past)?;
        if shown != Some(seq) {
            return Ok(None);
        }
        let event = event(self.connection, seq)?;
        if event.occurred_at > self.past.happened_by() {
            return Ok(None);
        }
        let row = Row {
            seq,
            at: event.occurred_at,
            source: event.source.scope(),
            recorded_at: first_recorded(self.connection, &key)?,
            key: event.key.clone(),
        };
        let observation = Observation::of(self.tenant, &event);
        Ok(Some(Revision { row, observation, written: event.name }))
    }

    fn bundle_of(&self, observation: &Observation) -> BundleId {
        if self.assertions.names(observation.id) {
            observation.own_bundle()
        } else {
            observation.bundle()
        }
    }

    /// Takes in what a revision of this bundle says.
    fn enter(&mut self, id: BundleId, revision: &Revision) {
        let Revision { row, observation, written } = revision;
        let alone = self.assertions.names(observation.id).then_some(observation.id);
        self.add(id, &observation.claims, observation.name.as_ref(), None, alone, row);
        self.stand(id, &observation.bridges, row.at, written.as_ref());
    }
}

/// The row of the revision of a record that was shown then.
pub(crate) fn revision_at(
    connection: &Connection,
    key: &str,
    past: Past,
) -> Result<Option<i64>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT e.seq, e.rev, e.hash FROM event e JOIN batch b ON b.id = e.batch
         WHERE e.key = ?1 AND b.recorded_at <= ?2",
    )?;
    let rows = rows.query_map(params![key, past.recorded_by().as_micros()], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, [u8; 16]>(2)?))
    })?;
    let mut revisions: Vec<(i64, Option<String>, [u8; 16])> = rows.collect::<Result<_, _>>()?;
    revisions
        .sort_by(|a, b| compare_revs(b.1.as_deref(), a.1.as_deref()).then_with(|| a.2.cmp(&b.2)));
    Ok(revisions.first().map(|(seq, ..)| *seq))
}

/// What had been said, with the instants at which it was recorded.
pub(crate) fn said(
    connection: &Connection,
    asking: &Asking,
) -> Result<Vec<(Assertion, Timestamp)>, StoreError> {
    let mut said = corrections::recorded(connection, asking.past)?;
    if asking.past == Past::today() {
        return Ok(said);
    }
    let mut known = Vec::new();
    for (assertion, recorded_at) in said.drain(..) {
        // Nothing could be said of a record that was not there yet.
        let mut is_known = true;
        for observation in assertion.verdict.observations() {
            is_known &= was_known(connection, asking, observation)?;
        }
        if is_known {
            known.push((assertion, recorded_at));
        }
    }
    Ok(known)
}

/// Whether there was such a record then.
fn was_known(
    connection: &Connection,
    asking: &Asking,
    observation: ObservationId,
) -> Result<bool, StoreError> {
    let key = corrections::key_of(connection, &asking.tenant, &asking.id_key, observation)?;
    let Some(key) = key else { return Ok(false) };
    let shown = revision_at(connection, &key, asking.past)?;
    let Some(shown) = shown else { return Ok(false) };
    Ok(event(connection, shown)?.occurred_at <= asking.past.happened_by())
}

/// The event of a row.
pub(crate) fn event(connection: &Connection, seq: i64) -> Result<Event, StoreError> {
    let mut payload = connection.prepare_cached(
        "SELECT iif(packed IS NULL, payload, cx_unpack(packed)) FROM event WHERE seq = ?1",
    )?;
    codec::event(&payload.query_row([seq], |row| row.get::<_, String>(0))?)
}
