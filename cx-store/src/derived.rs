//! Derived rows: which customer each bundle belongs to, kept equal to what a rebuild would give.
//!
//! An update takes the bundles that facts have touched, gathers the components they lie in,
//! resolves each with [`cx_core::identity::resolve()`] and writes what has changed, all inside the
//! transaction that wrote the facts. Its cost is that of the neighbourhood, not of the store.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cx_core::identifier::{Identifier, Namespace};
use cx_core::identity::bridge::{self, Carrier};
use cx_core::identity::hub::{MOST_OF_ONE_NAME, counts_persons};
use cx_core::identity::policy::{Limit, Tier};
use cx_core::identity::resolve::{Record, Refusal};
use cx_core::identity::{
    Assertions, BundleFacts, DirectView, Joiner, Moments, ObservedClaim, PersonName, Policy,
    Resolution, Rules, Subject, resolve,
};
use cx_core::ids::{AssertionId, BundleId, CustomerId, EventKey, IdKey, ObservationId};
use cx_core::time::Timestamp;
use rusqlite::{OptionalExtension, Transaction, params};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::codec;
use crate::error::StoreError;
use crate::feed::{By, Movements, Occasion};
use crate::statements::Statements;

/// What derivation depends on besides the facts.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The tenant whose store it is.
    pub(crate) tenant: String,
    /// The key under which customer ids are issued.
    pub(crate) id_key: IdKey,
    /// The policy in force.
    pub(crate) policy: Policy,
    /// The assertions in force.
    pub(crate) assertions: Arc<Assertions>,
    /// The number under which they were read.
    pub(crate) said: u64,
}

/// What facts have touched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touched {
    /// Bundles that have won or lost events.
    pub(crate) bundles: BTreeSet<i64>,
    /// Bridges on which bundles may stand no longer.
    pub(crate) bridges: BTreeSet<i64>,
    /// Values that bundles may have no longer.
    pub(crate) values: BTreeSet<i64>,
    /// Bundles that were linked through such values, to be resolved again.
    pub(crate) loosened: BTreeSet<i64>,
    /// Records that may have another bundle now, by their keys, and whose they were.
    pub(crate) handed: BTreeMap<String, Option<i64>>,
    /// What there was not before: it need not be read back.
    pub(crate) fresh: Fresh,
}

/// What was made in the transaction that is under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fresh {
    /// The number of the last event that there was before, where events have come.
    pub(crate) after: Option<i64>,
    /// Bundles, with what they claim and the name.
    pub(crate) bundles: FxHashMap<i64, FreshBundle>,
    /// Identifiers.
    pub(crate) identifiers: FxHashSet<i64>,
    /// The bundles on a bridge, where the bridge is among these identifiers.
    pub(crate) on_bridge: FxHashMap<i64, Vec<i64>>,
}

/// A bundle that was not there before.
#[derive(Debug, Clone)]
pub(crate) struct FreshBundle {
    pub(crate) id: BundleId,
    pub(crate) claims: Vec<(ObservedClaim, i64)>,
    pub(crate) name: Option<PersonName>,
    /// Whether it is that of one record alone.
    pub(crate) is_own: bool,
    /// What was written of it, where its rows are already as they will be once it is resolved.
    pub(crate) settled: Option<Settled>,
}

/// The rows of a new bundle, which are written once and not read back.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    pub(crate) first_seen: i64,
    /// When its first observation was recorded, which one that is, and its event's key.
    pub(crate) anchor: (i64, [u8; 16], String),
    /// The values by which it may be linked.
    pub(crate) linked: BTreeSet<i64>,
    pub(crate) bridges: BTreeSet<i64>,
}

impl FreshBundle {
    /// What identity looks at, as of its first observation. The policy asks for no sources.
    pub(crate) fn facts(
        &self,
        first_seen: i64,
        anchor: (i64, [u8; 16]),
        alone: Option<ObservationId>,
    ) -> Result<BundleFacts, StoreError> {
        Ok(BundleFacts {
            id: self.id,
            claims: self.claims.iter().map(|(claim, _)| claim.clone()).collect(),
            name: self.name.clone(),
            first_seen: codec::timestamp(first_seen)?,
            anchor: (codec::timestamp(anchor.0)?, ObservationId::from_bytes(anchor.1)),
            alone,
            sources: BTreeSet::new(),
        })
    }
}

impl Touched {
    pub(crate) fn add(&mut self, other: Self) {
        self.bundles.extend(other.bundles);
        self.bridges.extend(other.bridges);
        self.values.extend(other.values);
        self.loosened.extend(other.loosened);
        for (key, owner) in other.handed {
            self.handed.entry(key).or_insert(owner);
        }
        self.fresh.after = self.fresh.after.or(other.fresh.after);
        self.fresh.bundles.extend(other.fresh.bundles);
        self.fresh.identifiers.extend(other.fresh.identifiers);
        self.fresh.on_bridge.extend(other.fresh.on_bridge);
    }
}

/// What an update has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// How many customers have other bundles than before, are new or are gone.
    pub(crate) n_customers: u64,
    /// How many bundles the largest component had.
    pub(crate) largest_component: usize,
    /// What people said that could not be done, and why.
    pub(crate) refused: Vec<(AssertionId, Refusal)>,
}

/// Brings the derived rows up to date after facts have touched these bundles.
pub(crate) fn update(
    tx: &Transaction<'_>,
    settings: &Settings,
    touched: &Touched,
    occasion: &Occasion,
) -> Result<Outcome, StoreError> {
    let mut update = Update::new(tx, settings);
    update.fresh = Some(&touched.fresh);
    update.movements.handed(&touched.handed);
    update.run(touched, occasion)
}

/// Brings the derived rows up to date after an assertion has touched these bundles: which of
/// their claims link may have changed, and which of their values are hubs.
pub(crate) fn assess(
    tx: &Transaction<'_>,
    settings: &Settings,
    touched: &Touched,
    occasion: &Occasion,
) -> Result<Outcome, StoreError> {
    for bundle in &touched.bundles {
        // Every value in question is looked at again, whoever touched it last.
        tx.prepare_cached("UPDATE bundle SET resolved_first_seen = NULL WHERE id = ?1")?
            .execute([bundle])?;
    }
    let mut update = Update::new(tx, settings);
    update.movements.handed(&touched.handed);
    for bundle in &touched.bundles {
        update.in_question.extend(update.claimed_rows(*bundle)?);
    }
    update.run(touched, occasion)
}

/// Takes all claims of a bundle out, for others to be written in their place. Gives what is
/// touched by it.
pub(crate) fn unclaim(
    tx: &Transaction<'_>,
    settings: &Settings,
    bundle: i64,
) -> Result<Touched, StoreError> {
    let mut touched = Touched::default();
    let mut update = Update::new(tx, settings);
    let (linked, loosened) = update.neighbours(bundle)?;
    let name = update.name_of(bundle)?;
    update.count_seen_with(name.as_deref(), &linked, -1)?;
    touched.bundles.insert(bundle);
    touched.values = update.claimed_rows(bundle)?;
    touched.loosened = loosened;
    tx.prepare_cached("DELETE FROM bundle_claim WHERE bundle_id = ?1")?.execute([bundle])?;
    tx.prepare_cached(
        "UPDATE bundle SET registered = 0, resolved_first_seen = NULL WHERE id = ?1",
    )?
    .execute([bundle])?;
    Ok(touched)
}

/// What an assertion touches: the bundles of everything it names.
pub(crate) fn holders(
    tx: &Transaction<'_>,
    settings: &Settings,
    side: &Subject,
) -> Result<BTreeSet<i64>, StoreError> {
    Update::new(tx, settings).holders(side)
}

/// A bundle with the rows of the identifiers by which it may be linked.
struct Loaded {
    facts: BundleFacts,
    rows: Vec<i64>,
}

struct Update<'a> {
    tx: &'a Transaction<'a>,
    sql: Statements<'a>,
    settings: &'a Settings,
    /// Identifiers whose direct view may have changed.
    in_question: BTreeSet<i64>,
    loaded: BTreeMap<i64, Loaded>,
    /// Identifiers that were read before: they never change.
    identifiers: RefCell<FxHashMap<i64, Identifier>>,
    /// Which of them are hubs, as far as that was asked.
    hubs: RefCell<FxHashMap<i64, bool>>,
    /// Which of them are contested, as far as that is known.
    contested: RefCell<FxHashMap<i64, bool>>,
    /// Whether single events hang on other bundles than they arrived under, as far as was asked.
    is_attributed: Cell<Option<bool>>,
    visited: BTreeSet<i64>,
    /// Customers that have lost or won a bundle.
    changed: BTreeSet<i64>,
    /// Bundles whose customer has changed.
    moved: BTreeSet<i64>,
    movements: Movements,
    refused: Vec<(AssertionId, Refusal)>,
    largest: usize,
    /// What was made in this transaction.
    fresh: Option<&'a Fresh>,
    /// By which values bundles are linked, of those whose links were written here.
    linked: FxHashMap<i64, BTreeSet<i64>>,
    /// Of values that are new: whom they link, and what is seen with them.
    new_values: FxHashMap<i64, NewValue>,
    /// New bundles that are to be marked as registered when they are resolved.
    unmarked: BTreeSet<i64>,
}

/// A value that was not there before, as far as it was written here.
#[derive(Debug, Default)]
struct NewValue {
    links: Vec<i64>,
    seen_with: BTreeSet<String>,
    /// Something was taken from it: the rows say how it stands.
    is_changed: bool,
}

impl<'a> Update<'a> {
    fn new(tx: &'a Transaction<'a>, settings: &'a Settings) -> Self {
        Self {
            tx,
            sql: Statements::new(tx),
            settings,
            in_question: BTreeSet::new(),
            loaded: BTreeMap::new(),
            identifiers: RefCell::default(),
            hubs: RefCell::default(),
            contested: RefCell::default(),
            is_attributed: Cell::default(),
            visited: BTreeSet::new(),
            changed: BTreeSet::new(),
            moved: BTreeSet::new(),
            movements: Movements::default(),
            refused: Vec::new(),
            largest: 0,
            fresh: None,
            linked: FxHashMap::default(),
            new_values: FxHashMap::default(),
            unmarked: BTreeSet::new(),
        }
    }

    fn fresh_bundle(&self, bundle: i64) -> Option<&'a FreshBundle> {
        self.fresh?.bundles.get(&bundle)
    }

    /// A new bundle whose rows are as they will be.
    fn settled(&self, bundle: i64) -> Option<(&'a FreshBundle, &'a Settled)> {
        let fresh = self.fresh_bundle(bundle)?;
        Some((fresh, fresh.settled.as_ref()?))
    }

    fn is_new_value(&self, row: i64) -> bool {
        self.fresh.is_some_and(|fresh| fresh.identifiers.contains(&row))
    }

    /// What was written of a new value, if nothing was taken from it.
    fn new_value(&self, row: i64) -> Option<&NewValue> {
        if !self.is_new_value(row) {
            return None;
        }
        self.new_values.get(&row).filter(|value| !value.is_changed)
    }

    /// Whether nothing was taken from a value that was not there before.
    fn is_unchanged_new_value(&self, row: i64) -> bool {
        self.is_new_value(row) && self.new_values.get(&row).is_none_or(|value| !value.is_changed)
    }

    /// Notes that a value is no longer as it was written here.
    fn changed_value(&mut self, row: i64) {
        if self.is_new_value(row) {
            self.new_values.entry(row).or_default().is_changed = true;
        }
    }

    fn run(&mut self, touched: &Touched, occasion: &Occasion) -> Result<Outcome, StoreError> {
        let mut bridges = touched.bridges.clone();
        if occasion.by != By::Import {
            // An import has named the bridges on which anything came.
            for bundle in &touched.bundles {
                bridges.extend(self.bridges(*bundle)?);
            }
        }
        let mut seeds = self.register(&touched.bundles, occasion)?;
        seeds.extend(&touched.loosened);
        self.in_question.extend(&touched.values);
        seeds.extend(self.turn_hubs()?);
        for seed in seeds {
            if self.visited.contains(&seed) {
                continue;
            }
            let is_there = self.settled(seed).is_some()
                || self.standing(seed)?.is_some_and(|standing| standing.n > 0);
            if is_there {
                let component = self.component(seed)?;
                self.resolve(&component)?;
            }
        }
        for bundle in std::mem::take(&mut self.unmarked) {
            self.mark(bundle, Mark::Registered)?;
        }
        self.carry(bridges)?;
        let (tenant, after) = (&self.settings.tenant, self.last_before());
        self.movements.write(self.tx, &self.sql, tenant, after, occasion)?;
        self.sweep()?;
        let n_customers = u64::try_from(self.changed.len()).unwrap_or(u64::MAX);
        let refused = std::mem::take(&mut self.refused);
        Ok(Outcome { n_customers, largest_component: self.largest, refused })
    }

    fn rules(&self) -> Rules<'a> {
        Rules { policy: &self.settings.policy, assertions: &self.settings.assertions }
    }

    /// Enters new bundles, removes empty ones, and says which bundles have to be resolved.
    fn register(
        &mut self,
        touched: &BTreeSet<i64>,
        occasion: &Occasion,
    ) -> Result<BTreeSet<i64>, StoreError> {
        // By which claims a bundle may be linked follows from what is always the same of it, from
        // assertions and the policy, and from its sources where the policy asks for them.
        let is_only_more = occasion.by == By::Import && self.settings.policy.sources.is_empty();
        let mut seeds = BTreeSet::new();
        for bundle in touched {
            if let Some((fresh, settled)) = self.settled(*bundle) {
                self.enter(*bundle, fresh, settled)?;
                seeds.insert(*bundle);
                continue;
            }
            let Some(standing) = self.standing(*bundle)? else { continue };
            if standing.n == 0 {
                seeds.extend(self.remove(*bundle)?);
                continue;
            }
            let is_moved = standing.resolved != Some((standing.first_seen, standing.anchor));
            if is_only_more && standing.is_registered && !is_moved {
                if self.is_contested(*bundle)? {
                    seeds.insert(*bundle);
                    let loaded = self.load(*bundle)?;
                    self.loaded.insert(*bundle, loaded);
                }
                continue;
            }
            let loaded = match self.fresh_bundle(*bundle) {
                Some(fresh) => self.load_fresh(*bundle, fresh, &standing)?,
                None => self.load(*bundle)?,
            };
            let links = self.link_flags(*bundle, &loaded, &standing)?;
            if links || is_moved || self.is_contested(*bundle)? {
                seeds.insert(*bundle);
            }
            self.loaded.insert(*bundle, loaded);
        }
        seeds.retain(|bundle| {
            self.loaded.get(bundle).is_none_or(|loaded| loaded.facts.is_somebody())
        });
        Ok(seeds)
    }

    /// Takes note of a new bundle whose rows are as they will be.
    fn enter(
        &mut self,
        bundle: i64,
        fresh: &FreshBundle,
        settled: &Settled,
    ) -> Result<(), StoreError> {
        let (recorded, anchor, _) = &settled.anchor;
        let facts = fresh.facts(settled.first_seen, (*recorded, *anchor), None)?;
        let loaded = self.look_up(fresh, facts)?;
        self.movements.arrived(bundle);
        self.link(bundle, &loaded, settled.linked.clone())?;
        self.loaded.insert(bundle, loaded);
        Ok(())
    }

    /// Takes note of the values by which a bundle is linked from now on.
    fn link(
        &mut self,
        bundle: i64,
        loaded: &Loaded,
        wanted: BTreeSet<i64>,
    ) -> Result<(), StoreError> {
        let name = loaded.facts.name.as_ref().map(PersonName::key);
        self.count_seen_with(name.as_deref(), &wanted, 1)?;
        for row in &wanted {
            if self.is_new_value(*row) {
                self.new_values.entry(*row).or_default().links.push(bundle);
            }
        }
        // A value that nobody is linked by may be blocked, or a role's.
        self.in_question.extend(&loaded.rows);
        self.linked.insert(bundle, wanted);
        Ok(())
    }

    /// Writes by which claims a bundle may be linked, where that has changed; says whether it has.
    fn link_flags(
        &mut self,
        bundle: i64,
        loaded: &Loaded,
        standing: &Standing,
    ) -> Result<bool, StoreError> {
        let linking: BTreeSet<Identifier> =
            self.rules().linking(&loaded.facts).into_iter().map(|c| c.identifier.clone()).collect();
        let nobody = !loaded.facts.is_somebody();
        let (registered, was_nobody) = (standing.is_registered, standing.was_nobody);
        if nobody && registered && !was_nobody {
            // Nobody singles it out any more: its bridges, if it has any, say whose it is.
            self.leave(bundle)?;
        }
        // What is not registered is linked by nothing.
        let stored = if registered { self.linked_rows(bundle)? } else { BTreeSet::new() };
        let wanted: BTreeSet<i64> = loaded
            .facts
            .claims
            .iter()
            .zip(&loaded.rows)
            .filter(|(claim, _)| linking.contains(&claim.identifier))
            .map(|(_, row)| *row)
            .collect();
        if registered && stored == wanted && nobody == was_nobody {
            return Ok(false);
        }
        if !registered {
            self.movements.arrived(bundle);
        }
        let name = loaded.facts.name.as_ref().map(PersonName::key);
        self.count_seen_with(name.as_deref(), &stored, -1)?;
        for row in &stored {
            self.changed_value(*row);
        }
        if !stored.is_empty() {
            self.sql.execute(
                "UPDATE bundle_claim SET links = 0 WHERE bundle_id = ?1 AND links = 1",
                [bundle],
            )?;
        }
        if wanted.len() == loaded.rows.len() && !wanted.is_empty() {
            self.sql.execute("UPDATE bundle_claim SET links = 1 WHERE bundle_id = ?1", [bundle])?;
        } else {
            for row in &wanted {
                self.sql.execute(
                    "UPDATE bundle_claim SET links = 1 WHERE bundle_id = ?1 AND identifier_id = ?2",
                    [bundle, *row],
                )?;
            }
        }
        if nobody || registered || self.fresh_bundle(bundle).is_none() {
            self.mark(bundle, if nobody { Mark::Nobody } else { Mark::Registered })?;
        } else {
            self.unmarked.insert(bundle);
        }
        self.link(bundle, loaded, wanted)?;
        // Who was linked through what is taken away has to be resolved anew.
        self.in_question.extend(&stored);
        Ok(true)
    }

    /// Writes that a bundle is registered.
    fn mark(&self, bundle: i64, mark: Mark) -> Result<(), StoreError> {
        self.sql.execute(
            "UPDATE bundle SET registered = 1, nobody = ?2 WHERE id = ?1",
            params![bundle, mark == Mark::Nobody],
        )?;
        Ok(())
    }

    fn linked_rows(&self, bundle: i64) -> Result<BTreeSet<i64>, StoreError> {
        if let Some(known) = self.linked.get(&bundle) {
            return Ok(known.clone());
        }
        Ok(self.sql.query_all(
            "SELECT identifier_id FROM bundle_claim WHERE bundle_id = ?1 AND links = 1",
            [bundle],
            |row| row.get(0),
        )?)
    }

    fn claimed_rows(&self, bundle: i64) -> Result<BTreeSet<i64>, StoreError> {
        Ok(self.sql.query_all(
            "SELECT identifier_id FROM bundle_claim WHERE bundle_id = ?1",
            [bundle],
            |row| row.get(0),
        )?)
    }

    /// Counts the name and the exclusive ids of a bundle as seen with each value that links it.
    fn count_seen_with(
        &mut self,
        name: Option<&str>,
        linked: &BTreeSet<i64>,
        by: i64,
    ) -> Result<(), StoreError> {
        if linked.is_empty() {
            return Ok(());
        }
        let mut exclusive: Vec<(i64, String)> = Vec::new();
        let mut strong: Vec<(Identifier, String)> = Vec::new();
        let policy = &self.settings.policy;
        for row in linked {
            let identifier = self.identifier(*row)?;
            let place =
                format!("{}\u{1f}{}\u{1f}{row}", identifier.namespace(), identifier.scope());
            if matches!(policy.of_identifier(&identifier).limit, Limit::Hard(_)) {
                exclusive.push((*row, format!("x\u{1f}{place}")));
            }
            if policy.of_identifier(&identifier).tier == Tier::Strong {
                let kind = if name.is_none() { 's' } else { 'o' };
                strong.push((identifier, format!("{kind}\u{1f}{place}")));
            }
        }
        for row in linked {
            let identifier = self.identifier(*row)?;
            let names = name.iter().map(|name| format!("n\u{1f}{name}"));
            let others = exclusive.iter().filter(|(other, _)| other != row);
            let others = others.map(|(_, what)| what.clone());
            let strong = strong.iter().filter(|(s, _)| counts_persons(policy, &identifier, s));
            for what in names.chain(others).chain(strong.map(|(_, what)| what.clone())) {
                self.sql.execute(
                    "INSERT INTO seen_with(identifier_id, what, n) VALUES(?1, ?2, ?3)
                         ON CONFLICT(identifier_id, what) DO UPDATE SET n = n + excluded.n",
                    params![row, what, by],
                )?;
                if by > 0 && self.is_new_value(*row) {
                    self.new_values.entry(*row).or_default().seen_with.insert(what);
                } else if by < 0 {
                    self.changed_value(*row);
                    self.sql.execute(
                        "DELETE FROM seen_with WHERE identifier_id = ?1 AND what = ?2 AND n <= 0",
                        params![row, what],
                    )?;
                }
            }
        }
        Ok(())
    }

    fn name_of(&self, bundle: i64) -> Result<Option<String>, StoreError> {
        Ok(self
            .sql
            .query_row("SELECT name_key FROM bundle WHERE id = ?1", [bundle], |row| row.get(0))?)
    }

    /// The values by which a bundle is linked, and the bundles that may hang on it.
    fn neighbours(&self, bundle: i64) -> Result<(BTreeSet<i64>, BTreeSet<i64>), StoreError> {
        let linked = self.linked_rows(bundle)?;
        let mut neighbours = BTreeSet::new();
        for row in &linked {
            if !self.is_hub(*row)? {
                neighbours.extend(self.linked_bundles(*row)?);
            }
        }
        let facts = self.load(bundle)?.facts;
        for (_, a, b) in self.settings.assertions.joining(&facts) {
            neighbours.extend(self.holders(&a)?);
            neighbours.extend(self.holders(&b)?);
        }
        neighbours.remove(&bundle);
        Ok((linked, neighbours))
    }

    /// Takes an empty bundle out; gives the neighbours that may have hung on it.
    fn remove(&mut self, bundle: i64) -> Result<BTreeSet<i64>, StoreError> {
        let (linked, neighbours) = self.neighbours(bundle)?;
        let name = self.name_of(bundle)?;
        self.count_seen_with(name.as_deref(), &linked, -1)?;
        for row in &linked {
            self.changed_value(*row);
        }
        self.linked.remove(&bundle);
        self.in_question.extend(self.claimed_rows(bundle)?);
        self.leave(bundle)?;
        self.movements.removed(bundle);
        for table in ["bundle_bridge", "bundle_stat"] {
            let sql = format!("DELETE FROM {table} WHERE bundle_id = ?1");
            self.tx.prepare_cached(&sql)?.execute([bundle])?;
        }
        // Events that an assertion gave another home may come back.
        let comes_back: bool = self.sql.query_row(
            "SELECT EXISTS(SELECT 1 FROM event WHERE bundle_id = ?1 AND standing = 0)",
            [bundle],
            |row| row.get(0),
        )?;
        if comes_back {
            self.sql.execute("UPDATE bundle_claim SET links = 0 WHERE bundle_id = ?1", [bundle])?;
            self.sql.execute(
                "UPDATE bundle SET registered = 0, resolved_first_seen = NULL WHERE id = ?1",
                [bundle],
            )?;
        } else {
            self.sql.execute("DELETE FROM bundle_claim WHERE bundle_id = ?1", [bundle])?;
            self.sql.execute("DELETE FROM bundle WHERE id = ?1", [bundle])?;
        }
        Ok(neighbours)
    }

    /// Finds which values in question have become hubs, or are none any more; gives the bundles
    /// that carry them.
    fn turn_hubs(&mut self) -> Result<BTreeSet<i64>, StoreError> {
        let mut seeds = BTreeSet::new();
        for row in std::mem::take(&mut self.in_question) {
            if !self.is_unchanged_new_value(row) {
                // Of what links nobody any more, no component says that nobody contests it.
                let settled = self.sql.execute("UPDATE identifier SET contested = 0 WHERE id = ?1 AND contested = 1
                         AND NOT EXISTS(SELECT 1 FROM bundle_claim WHERE identifier_id = ?1 AND links = 1)", [row])?;
                if settled > 0 {
                    self.contested.borrow_mut().insert(row, false);
                }
            }
            let identifier = self.identifier(row)?;
            let is_hub =
                self.rules().hub(&identifier, &self.direct_view(row, &identifier)?).is_some();
            if is_hub != self.is_hub(row)? {
                self.sql.execute(
                    "UPDATE identifier SET hub = ?2 WHERE id = ?1",
                    params![row, is_hub],
                )?;
                self.hubs.borrow_mut().insert(row, is_hub);
                // Whoever only stated it may be somebody by it no longer, or again.
                seeds.extend(self.claiming_bundles(row)?);
            }
        }
        Ok(seeds)
    }

    fn direct_view(&self, row: i64, identifier: &Identifier) -> Result<DirectView, StoreError> {
        let mut view = DirectView::default();
        let above = self.settings.policy.of_identifier(identifier).hub_above;
        let Some(above) = above else { return Ok(view) };
        if let Some(known) = self.new_value(row).filter(|known| known.links.len() <= FEW) {
            for what in &known.seen_with {
                match what.split_once('\u{1f}') {
                    Some(("n", name)) => drop(view.names.insert(PersonName::from_key(name))),
                    Some(("s", _)) => *view.strong_values.entry(place_of(what)).or_insert(0) += 1,
                    Some(("o", _)) => {
                        *view.strong_of_named.entry(place_of(what)).or_insert(0) += 1;
                    }
                    _ => *view.exclusive_ids.entry(place_of(what)).or_insert(0) += 1,
                }
            }
            return Ok(view);
        }
        let names: Vec<String> = self.sql.query_all(
            "SELECT substr(what, 3) FROM seen_with
             WHERE identifier_id = ?1 AND what >= 'n' || char(31) AND what < 'n' || char(32)
             ORDER BY what LIMIT ?2",
            params![row, self.settings.policy.names_looked_at],
            |row| row.get(0),
        )?;
        for name in names {
            view.names.insert(PersonName::from_key(&name));
        }
        let mut seen = self.tx.prepare_cached(
            "SELECT what FROM seen_with
             WHERE identifier_id = ?1 AND what >= ?2 || char(31) AND what < ?2 || char(32)
             ORDER BY what",
        )?;
        let most = above.max(MOST_OF_ONE_NAME);
        for (kind, counts, above) in [
            ("x", &mut view.exclusive_ids, above),
            ("s", &mut view.strong_values, above),
            ("o", &mut view.strong_of_named, most),
        ] {
            let mut seen = seen.query(params![row, kind])?;
            while let Some(row) = seen.next()? {
                let what: String = row.get(0)?;
                let count = counts.entry(place_of(&what)).or_insert(0);
                *count += 1;
                if *count > above {
                    break;
                }
            }
        }
        Ok(view)
    }

    /// The bundles that hang together with this one, itself among them.
    fn component(&mut self, seed: i64) -> Result<Vec<i64>, StoreError> {
        let mut component = Vec::new();
        let mut next = vec![seed];
        // Whoever has a value is found once, and not again by each who has it.
        let mut followed = FxHashSet::default();
        while let Some(bundle) = next.pop() {
            if !self.visited.insert(bundle) {
                continue;
            }
            if !self.loaded.contains_key(&bundle) {
                let loaded = self.load(bundle)?;
                self.loaded.insert(bundle, loaded);
            }
            for row in self.linked_rows(bundle)? {
                if followed.insert(row) && !self.is_hub(row)? {
                    let others = self.linked_bundles(row)?;
                    next.extend(others.into_iter().filter(|other| !self.visited.contains(other)));
                }
            }
            next.extend(self.joined_by_assertion(bundle)?);
            component.push(bundle);
        }
        self.largest = self.largest.max(component.len());
        Ok(component)
    }

    /// The bundles that people's words bring together with this one.
    fn joined_by_assertion(&self, bundle: i64) -> Result<BTreeSet<i64>, StoreError> {
        let mut joined = BTreeSet::new();
        let Some(loaded) = self.loaded.get(&bundle) else { return Ok(joined) };
        for (_, a, b) in self.settings.assertions.joining(&loaded.facts) {
            joined.extend(self.holders(&a)?);
            joined.extend(self.holders(&b)?);
        }
        Ok(joined)
    }

    fn holders(&self, side: &Subject) -> Result<BTreeSet<i64>, StoreError> {
        let rows = match side {
            Subject::Observation(observation) => {
                let own = BundleId::of_one(*observation);
                let mut found = self.tx.prepare_cached("SELECT id FROM bundle WHERE hash = ?1")?;
                let rows = found.query_map([&own.as_bytes()[..]], |row| row.get(0))?;
                rows.collect::<Result<_, _>>()?
            }
            Subject::Identifier(identifier) => {
                let mut found = self.tx.prepare_cached(
                    "SELECT c.bundle_id FROM identifier i JOIN bundle_claim c ON c.identifier_id = i.id
                       JOIN bundle b ON b.id = c.bundle_id
                     WHERE i.hash = ?1 AND b.n > 0",
                )?;
                let hash = codec::identifier_hash(identifier);
                let rows = found.query_map([&hash[..]], |row| row.get(0))?;
                rows.collect::<Result<_, _>>()?
            }
        };
        Ok(rows)
    }

    /// Resolves a component and writes what has changed.
    fn resolve(&mut self, component: &[i64]) -> Result<(), StoreError> {
        let mut row_of: BTreeMap<BundleId, i64> = BTreeMap::new();
        let mut facts: Vec<BundleFacts> = Vec::new();
        let mut hubs: BTreeSet<Identifier> = BTreeSet::new();
        let mut identifier_rows: BTreeMap<Identifier, i64> = BTreeMap::new();
        for bundle in component {
            let Some(loaded) = self.loaded.get(bundle) else { continue };
            row_of.insert(loaded.facts.id, *bundle);
            facts.push(loaded.facts.clone());
            for (claim, row) in loaded.facts.claims.iter().zip(&loaded.rows) {
                if identifier_rows.insert(claim.identifier.clone(), *row).is_none()
                    && self.is_hub(*row)?
                {
                    hubs.insert(claim.identifier.clone());
                }
            }
        }
        let mut moments = Stored { tx: self.tx, tenant: &self.settings.tenant, row_of: &row_of };
        let mut resolution = resolve(&facts, &hubs, self.rules(), &mut moments)?;
        for cluster in &resolution.clusters {
            let bundles: Vec<i64> =
                cluster.bundles.iter().filter_map(|bundle| row_of.get(bundle)).copied().collect();
            let customer = self.customer(cluster.anchor, &bundles)?;
            for bundle in bundles {
                self.belong(bundle, customer)?;
            }
        }
        for bundle in resolution.loose.iter().filter_map(|bundle| row_of.get(bundle)) {
            self.leave(*bundle)?;
        }
        for record in &resolution.records {
            if let Record::Refused { by: Joiner::Assertion(assertion), because, .. } = record {
                self.refused.push((*assertion, because.clone()));
            }
        }
        self.movements.joined(std::mem::take(&mut resolution.joins), &row_of);
        self.flag_contested(&resolution, &identifier_rows, component)?;
        self.attribute(&resolution, component, &row_of)?;
        for bundle in component {
            if self.settled(*bundle).is_some() {
                continue;
            }
            if self.unmarked.remove(bundle) {
                self.sql.execute(
                    "UPDATE bundle SET registered = 1, nobody = 0,
                           resolved_first_seen = first_seen, resolved_anchor = anchor_oid
                         WHERE id = ?1",
                    [bundle],
                )?;
                continue;
            }
            self.sql.execute("UPDATE bundle SET resolved_first_seen = first_seen, resolved_anchor = anchor_oid
                     WHERE id = ?1 AND (resolved_first_seen IS NOT first_seen OR resolved_anchor IS NOT anchor_oid)", [bundle])?;
        }
        Ok(())
    }

    fn flag_contested(
        &self,
        resolution: &Resolution,
        rows: &BTreeMap<Identifier, i64>,
        component: &[i64],
    ) -> Result<(), StoreError> {
        let component: FxHashSet<i64> = component.iter().copied().collect();
        for (identifier, row) in rows {
            let is_contested = resolution.contested.contains(identifier);
            let was_contested = self.contested.borrow().get(row).copied();
            if was_contested == Some(is_contested) {
                continue;
            }
            // Whoever has a value without being linked by it does not say that nobody contests it.
            if !is_contested && !self.is_theirs(*row, &component)? {
                continue;
            }
            self.contested.borrow_mut().insert(*row, is_contested);
            self.sql.execute(
                "UPDATE identifier SET contested = ?2 WHERE id = ?1 AND contested <> ?2",
                params![row, is_contested],
            )?;
        }
        Ok(())
    }

    /// Whether all who are linked by a value are in this component: a hub links nobody.
    fn is_theirs(&self, row: i64, component: &FxHashSet<i64>) -> Result<bool, StoreError> {
        if self.is_hub(row)? {
            return Ok(true);
        }
        let mut linked = self.tx.prepare_cached(
            "SELECT bundle_id FROM bundle_claim WHERE identifier_id = ?1 AND links = 1 LIMIT 1",
        )?;
        let linked: Option<i64> = linked.query_row([row], |row| row.get(0)).optional()?;
        Ok(linked.is_none_or(|bundle| component.contains(&bundle)))
    }

    /// Writes which single events go to another bundle than their own, by their time.
    fn attribute(
        &mut self,
        resolution: &Resolution,
        component: &[i64],
        row_of: &BTreeMap<BundleId, i64>,
    ) -> Result<(), StoreError> {
        let attributed = if self.has_attributions()? { component } else { &[] };
        for bundle in attributed {
            let is_divided: bool = self.sql.query_row(
                "SELECT EXISTS(SELECT 1 FROM attribution WHERE home_id = ?1 AND by_time = 1)",
                [bundle],
                |row| row.get(0),
            )?;
            if is_divided {
                let events = self.events_at_home(*bundle)?;
                self.divide(*bundle, &events)?;
            }
            self.sql.execute(
                "UPDATE attribution SET bundle_id = home_id, by_time = 0
                     WHERE home_id = ?1 AND by_time = 1",
                [bundle],
            )?;
            self.sql.execute(
                "DELETE FROM attribution WHERE home_id = ?1 AND bundle_id = ?1 AND EXISTS
                       (SELECT 1 FROM event WHERE seq = event_seq AND event.bundle_id = ?1)",
                [bundle],
            )?;
        }
        let owners: BTreeMap<ObservationId, i64> = resolution
            .attributed
            .iter()
            .filter_map(|(observation, bundle)| Some((*observation, *row_of.get(bundle)?)))
            .collect();
        if owners.is_empty() {
            return Ok(());
        }
        self.is_attributed.set(Some(true));
        for home in component {
            let events = self.events_at_home(*home)?;
            let mut given = Vec::new();
            for (seq, key) in &events {
                let observation = ObservationId::of(&self.settings.tenant, key);
                given.extend(owners.get(&observation).map(|owner| (*seq, *owner)));
            }
            if !given.is_empty() {
                self.divide(*home, &events)?;
            }
            for (seq, owner) in given {
                self.sql.execute(
                    "INSERT INTO attribution(event_seq, bundle_id, home_id, by_time)
                         VALUES(?1, ?2, ?3, 1)
                         ON CONFLICT(event_seq) DO UPDATE SET bundle_id = ?2, by_time = 1",
                    [seq, owner, *home],
                )?;
            }
        }
        Ok(())
    }

    /// The number of the last event that is not new.
    fn last_before(&self) -> i64 {
        self.fresh.and_then(|fresh| fresh.after).unwrap_or(i64::MAX)
    }

    /// Takes note of whose the events of a bundle were, which is told of each by itself.
    fn divide(&mut self, home: i64, events: &[(i64, EventKey)]) -> Result<(), StoreError> {
        if !self.movements.divided(home) {
            return Ok(());
        }
        let after = self.last_before();
        let mut owners: BTreeMap<i64, Option<i64>> = BTreeMap::new();
        for (seq, key) in events.iter().filter(|(seq, _)| *seq <= after) {
            let given: Option<i64> = self
                .sql
                .query_row("SELECT bundle_id FROM attribution WHERE event_seq = ?1", [seq], |row| {
                    row.get(0)
                })
                .optional()?;
            let bundle = given.unwrap_or(home);
            let owner = match owners.get(&bundle) {
                Some(owner) => *owner,
                None if self.movements.has_moved(bundle) => self.movements.owner_before(bundle),
                None => self.member(bundle)?,
            };
            owners.insert(bundle, owner);
            self.movements.handed(&BTreeMap::from([(key.to_string(), owner)]));
        }
        Ok(())
    }

    fn has_attributions(&self) -> Result<bool, StoreError> {
        if let Some(known) = self.is_attributed.get() {
            return Ok(known);
        }
        let mut any = self.tx.prepare_cached("SELECT EXISTS(SELECT 1 FROM attribution)")?;
        let any = any.query_row([], |row| row.get(0))?;
        self.is_attributed.set(Some(any));
        Ok(any)
    }

    fn events_at_home(&self, bundle: i64) -> Result<Vec<(i64, EventKey)>, StoreError> {
        let mut events = self.tx.prepare_cached(AT_HOME)?;
        let rows = events.query_map([bundle], |row| Ok((row.get(0)?, row.get::<_, String>(2)?)))?;
        let mut found = Vec::new();
        for row in rows {
            let (seq, key) = row?;
            found.push((seq, codec::event_key(&key)?));
        }
        Ok(found)
    }

    /// Gives bundles that name nobody to whoever stands on the same bridges.
    fn carry(&mut self, mut bridges: BTreeSet<i64>) -> Result<(), StoreError> {
        for bundle in &self.moved {
            bridges.extend(self.bridges(*bundle)?);
        }
        bridges.retain(|bridge| !self.carries_only_somebody(*bridge));
        let mut nobodies: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        let mut next: Vec<i64> = bridges.iter().copied().collect();
        let mut seen = bridges;
        while let Some(bridge) = next.pop() {
            for bundle in self.nobodies_on(bridge)? {
                if let std::collections::btree_map::Entry::Vacant(entry) = nobodies.entry(bundle) {
                    let on = self.bridges(bundle)?;
                    next.extend(on.iter().filter(|other| seen.insert(**other)));
                    entry.insert(on);
                }
            }
        }
        for group in groups(&nobodies) {
            let on: BTreeSet<i64> =
                group.iter().filter_map(|bundle| nobodies.get(bundle)).flatten().copied().collect();
            let mut carriers = Vec::new();
            for bridge in on {
                carriers.extend(self.carriers(bridge)?);
            }
            match bridge::owner(carriers) {
                Some(owner) => {
                    for bundle in group {
                        self.belong(bundle, owner)?;
                    }
                }
                None => {
                    for bundle in group {
                        self.leave(bundle)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a bridge is new, and all bundles on it are, and name somebody.
    fn carries_only_somebody(&self, bridge: i64) -> bool {
        let Some(fresh) = self.fresh else { return false };
        fresh.on_bridge.get(&bridge).is_some_and(|bundles| {
            bundles.iter().all(|bundle| {
                fresh.bundles.contains_key(bundle)
                    && self.loaded.get(bundle).is_some_and(|loaded| loaded.facts.is_somebody())
            })
        })
    }

    fn bridges(&self, bundle: i64) -> Result<BTreeSet<i64>, StoreError> {
        if let Some((_, settled)) = self.settled(bundle) {
            return Ok(settled.bridges.clone());
        }
        Ok(self.sql.query_all(
            "SELECT identifier_id FROM bundle_bridge WHERE bundle_id = ?1",
            [bundle],
            |row| row.get(0),
        )?)
    }

    fn nobodies_on(&self, bridge: i64) -> Result<Vec<i64>, StoreError> {
        Ok(self.sql.query_all(
            "SELECT b.id FROM bundle_bridge x JOIN bundle b ON b.id = x.bundle_id
             WHERE x.identifier_id = ?1 AND b.nobody = 1 AND b.n > 0",
            [bridge],
            |row| row.get(0),
        )?)
    }

    fn carriers(&self, bridge: i64) -> Result<Vec<(Identifier, Carrier<i64>)>, StoreError> {
        let identifier = self.identifier(bridge)?;
        let rows: Vec<(i64, [u8; 16], i64)> = self.sql.query_all(
            "SELECT x.first_seen, b.hash, m.customer_id
             FROM bundle_bridge x JOIN bundle b ON b.id = x.bundle_id JOIN member m ON m.bundle_id = b.id
             WHERE x.identifier_id = ?1 AND b.nobody = 0",
            [bridge],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let mut carriers = Vec::new();
        for (first_seen, bundle, customer) in rows {
            let first_seen = codec::timestamp(first_seen)?;
            let bundle = BundleId::from_bytes(bundle);
            carriers.push((identifier.clone(), Carrier { first_seen, bundle, customer }));
        }
        Ok(carriers)
    }

    /// The row of the customer with this anchor.
    fn customer(
        &mut self,
        anchor: (Timestamp, ObservationId),
        bundles: &[i64],
    ) -> Result<i64, StoreError> {
        let cid = CustomerId::issue(&self.settings.id_key, anchor.1);
        let is_likely_new = bundles.iter().all(|bundle| self.fresh_bundle(*bundle).is_some());
        if !is_likely_new && let Some(known) = self.customer_row(cid, anchor.0)? {
            return Ok(known);
        }
        let made = self.sql.execute(
            "INSERT INTO customer(cid, anchor_recorded, anchor_oid) VALUES(?1, ?2, ?3)
                 ON CONFLICT(cid) DO NOTHING",
            params![&cid.as_bytes()[..], anchor.0.as_micros(), &anchor.1.as_bytes()[..]],
        )?;
        if made == 0
            && let Some(known) = self.customer_row(cid, anchor.0)?
        {
            return Ok(known);
        }
        let row = self.tx.last_insert_rowid();
        if let Some(key) = self.key_of(anchor.1, bundles)? {
            self.sql.execute("INSERT INTO issued(cid, oid, event_key) VALUES(?1, ?2, ?3)
                     ON CONFLICT(cid) DO UPDATE SET oid = excluded.oid, event_key = excluded.event_key
                     WHERE event_key <> excluded.event_key", params![&cid.as_bytes()[..], &anchor.1.as_bytes()[..], key])?;
        }
        self.changed.insert(row);
        self.movements.created(row, cid);
        Ok(row)
    }

    /// The row of a customer who is known, whose anchor was recorded at this instant.
    fn customer_row(
        &self,
        cid: CustomerId,
        recorded: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let known: Option<(i64, i64)> = self
            .sql
            .query_row(
                "SELECT id, anchor_recorded FROM customer WHERE cid = ?1",
                [&cid.as_bytes()[..]],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        let Some((row, before)) = known else { return Ok(None) };
        if before != recorded.as_micros() {
            self.sql.execute(
                "UPDATE customer SET anchor_recorded = ?2 WHERE id = ?1",
                [row, recorded.as_micros()],
            )?;
        }
        Ok(Some(row))
    }

    /// The key of the event that an observation of these bundles is.
    fn key_of(
        &self,
        observation: ObservationId,
        bundles: &[i64],
    ) -> Result<Option<String>, StoreError> {
        let mut anchored = self
            .tx
            .prepare_cached("SELECT anchor_key FROM bundle WHERE id = ?1 AND anchor_oid = ?2")?;
        for bundle in bundles {
            if let Some((_, settled)) = self.settled(*bundle)
                && settled.anchor.1 == *observation.as_bytes()
            {
                return Ok(Some(settled.anchor.2.clone()));
            }
            let key = anchored
                .query_row(params![bundle, &observation.as_bytes()[..]], |row| row.get(0))
                .optional()?;
            if key.is_some() {
                return Ok(key);
            }
        }
        // The first observation of the bundle went to somebody else.
        for bundle in bundles {
            for (_, key) in self.events_at_home(*bundle)? {
                if ObservationId::of(&self.settings.tenant, &key) == observation {
                    return Ok(Some(key.to_string()));
                }
            }
        }
        Ok(None)
    }

    fn member(&self, bundle: i64) -> Result<Option<i64>, StoreError> {
        if self.movements.has_moved(bundle) {
            return Ok(self.movements.owner_now(bundle));
        }
        if self.fresh_bundle(bundle).is_some() {
            return Ok(None);
        }
        let of = self.sql.query_row(
            "SELECT customer_id FROM member WHERE bundle_id = ?1",
            [bundle],
            |row| row.get(0),
        );
        Ok(of.optional()?)
    }

    fn belong(&mut self, bundle: i64, customer: i64) -> Result<(), StoreError> {
        let before = self.member(bundle)?;
        if before == Some(customer) {
            return Ok(());
        }
        self.sql.execute(
            "INSERT INTO member(bundle_id, customer_id) VALUES(?1, ?2)
                 ON CONFLICT(bundle_id) DO UPDATE SET customer_id = ?2",
            [bundle, customer],
        )?;
        self.changed.extend(before.into_iter().chain([customer]));
        self.moved.insert(bundle);
        self.movements.moved(bundle, before, Some(customer));
        Ok(())
    }

    fn leave(&mut self, bundle: i64) -> Result<(), StoreError> {
        let Some(before) = self.member(bundle)? else { return Ok(()) };
        self.sql.execute("DELETE FROM member WHERE bundle_id = ?1", [bundle])?;
        self.changed.insert(before);
        self.moved.insert(bundle);
        self.movements.moved(bundle, Some(before), None);
        Ok(())
    }

    /// Takes out customers that have no bundle any more. Their ids stay issued.
    fn sweep(&self) -> Result<(), StoreError> {
        let kept = self.movements.winners();
        for customer in self.changed.iter().filter(|customer| !kept.contains(customer)) {
            self.sql.execute(
                "DELETE FROM customer WHERE id = ?1
                     AND NOT EXISTS(SELECT 1 FROM member WHERE customer_id = ?1)",
                [customer],
            )?;
        }
        Ok(())
    }

    fn is_hub(&self, row: i64) -> Result<bool, StoreError> {
        if let Some(is_hub) = self.hubs.borrow().get(&row) {
            return Ok(*is_hub);
        }
        let is_hub =
            self.sql
                .query_row("SELECT hub FROM identifier WHERE id = ?1", [row], |row| row.get(0))?;
        self.hubs.borrow_mut().insert(row, is_hub);
        Ok(is_hub)
    }

    fn is_contested(&self, bundle: i64) -> Result<bool, StoreError> {
        Ok(self.sql.query_row(
            "SELECT EXISTS(SELECT 1 FROM bundle_claim c JOIN identifier i ON i.id = c.identifier_id
             WHERE c.bundle_id = ?1 AND c.links = 1 AND i.contested = 1)",
            [bundle],
            |row| row.get(0),
        )?)
    }

    fn claiming_bundles(&self, row: i64) -> Result<Vec<i64>, StoreError> {
        Ok(self.sql.query_all(
            "SELECT bundle_id FROM bundle_claim WHERE identifier_id = ?1",
            [row],
            |row| row.get(0),
        )?)
    }

    fn linked_bundles(&self, row: i64) -> Result<Vec<i64>, StoreError> {
        if let Some(known) = self.new_value(row) {
            return Ok(known.links.clone());
        }
        Ok(self.sql.query_all(
            "SELECT bundle_id FROM bundle_claim WHERE identifier_id = ?1 AND links = 1",
            [row],
            |row| row.get(0),
        )?)
    }

    fn identifier(&self, row: i64) -> Result<Identifier, StoreError> {
        if let Some(known) = self.identifiers.borrow().get(&row) {
            return Ok(known.clone());
        }
        let mut found = self.tx.prepare_cached(
            "SELECT d.name, i.scope, i.key, i.linkable FROM identifier i JOIN dict d ON d.id = i.ns
             WHERE i.id = ?1",
        )?;
        let found = found.query_row([row], |row| codec::read_identifier(row, 0))?;
        self.identifiers.borrow_mut().insert(row, found.clone());
        Ok(found)
    }

    fn standing(&self, bundle: i64) -> Result<Option<Standing>, StoreError> {
        const STANDING: &str = "
            SELECT n, first_seen, anchor_oid, resolved_first_seen, resolved_anchor, registered,
              nobody, anchor_recorded
            FROM bundle WHERE id = ?1";
        let standing = self.sql.query_row(STANDING, [bundle], |row| {
            let resolved = row.get::<_, Option<i64>>(3)?.zip(row.get::<_, Option<[u8; 16]>>(4)?);
            Ok(Standing {
                n: row.get(0)?,
                first_seen: row.get(1)?,
                anchor: row.get(2)?,
                resolved,
                is_registered: row.get(5)?,
                was_nobody: row.get(6)?,
                recorded: row.get(7)?,
            })
        });
        Ok(standing.optional()?)
    }

    /// The sources of a bundle's events, where the policy asks for them.
    fn sources(&self, bundle: i64) -> Result<BTreeSet<String>, StoreError> {
        if self.settings.policy.sources.is_empty() {
            return Ok(BTreeSet::new());
        }
        let mut rows = self.tx.prepare_cached(
            "SELECT DISTINCT d.name FROM event e JOIN dict d ON d.id = e.source
             WHERE e.bundle_id = ?1 AND e.standing = 0
               AND NOT EXISTS(SELECT 1 FROM attribution a WHERE a.event_seq = e.seq AND a.home_id <> ?1)
             UNION SELECT d.name FROM attribution a JOIN event e ON e.seq = a.event_seq
               JOIN dict d ON d.id = e.source WHERE a.home_id = ?1",
        )?;
        let rows = rows.query_map([bundle], |row| row.get::<_, String>(0))?;
        rows.map(|row| Ok(codec::source_scope(&row?))).collect()
    }

    /// A bundle that was made in this transaction.
    fn load_fresh(
        &self,
        bundle: i64,
        fresh: &FreshBundle,
        standing: &Standing,
    ) -> Result<Loaded, StoreError> {
        let alone = self.settings.assertions.alone_in(fresh.id);
        let facts =
            fresh.facts(standing.first_seen, (standing.recorded, standing.anchor), alone)?;
        let sources = self.sources(bundle)?;
        self.look_up(fresh, BundleFacts { sources, ..facts })
    }

    /// A new bundle, once it is known how its values stand.
    fn look_up(&self, fresh: &FreshBundle, facts: BundleFacts) -> Result<Loaded, StoreError> {
        for (claim, row) in &fresh.claims {
            if self.is_new_value(*row) {
                self.hubs.borrow_mut().entry(*row).or_insert(false);
                self.contested.borrow_mut().entry(*row).or_insert(false);
            } else if !self.contested.borrow().contains_key(row) {
                let (hub, contested) = self.sql.query_row(
                    "SELECT hub, contested FROM identifier WHERE id = ?1",
                    [row],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?;
                self.hubs.borrow_mut().entry(*row).or_insert(hub);
                self.contested.borrow_mut().insert(*row, contested);
            }
            self.identifiers.borrow_mut().entry(*row).or_insert_with(|| claim.identifier.clone());
        }
        Ok(Loaded { facts, rows: fresh.claims.iter().map(|(_, row)| *row).collect() })
    }

    fn load(&self, bundle: i64) -> Result<Loaded, StoreError> {
        let mut claims = self.tx.prepare_cached(
            "SELECT d.name, i.scope, i.key, i.linkable, c.assurance, c.caveat, i.id, i.hub, i.contested
             FROM bundle_claim c JOIN identifier i ON i.id = c.identifier_id JOIN dict d ON d.id = i.ns
             WHERE c.bundle_id = ?1",
        )?;
        let mut rows = claims.query([bundle])?;
        let mut read: Vec<(ObservedClaim, i64)> = Vec::new();
        while let Some(row) = rows.next()? {
            let identifier = codec::read_identifier(row, 0)?;
            let id: i64 = row.get(6)?;
            self.identifiers.borrow_mut().insert(id, identifier.clone());
            self.hubs.borrow_mut().insert(id, row.get(7)?);
            self.contested.borrow_mut().insert(id, row.get(8)?);
            let claim = ObservedClaim {
                identifier,
                assurance: codec::assurance(row.get(4)?)?,
                caveat: codec::caveat(row.get(5)?)?,
            };
            read.push((claim, id));
        }
        read.sort();
        let (claims, rows) = read.into_iter().unzip();
        let mut found = self.tx.prepare_cached(
            "SELECT hash, name_key, first_seen, anchor_recorded, anchor_oid FROM bundle WHERE id = ?1",
        )?;
        let (hash, name, first_seen, recorded, oid): (
            [u8; 16],
            Option<String>,
            i64,
            i64,
            [u8; 16],
        ) = found.query_row([bundle], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })?;
        let id = BundleId::from_bytes(hash);
        let facts = BundleFacts {
            id,
            claims,
            name: name.map(|key| PersonName::from_key(&key)),
            first_seen: codec::timestamp(first_seen)?,
            anchor: (codec::timestamp(recorded)?, ObservationId::from_bytes(oid)),
            alone: self.settings.assertions.alone_in(id),
            sources: self.sources(bundle)?,
        };
        Ok(Loaded { facts, rows })
    }
}

/// The namespace and scope of another value, as it was written by [`Update::count_seen_with`].
fn place_of(what: &str) -> (Namespace, String) {
    let mut parts = what.split('\u{1f}').skip(1);
    let namespace = Namespace::from_name(parts.next().unwrap_or_default());
    (namespace, parts.next().unwrap_or_default().to_owned())
}

/// So many bundles on a new value are looked at in memory: with more of them the limits on what is
/// looked at count.
const FEW: usize = 3;

/// How a bundle is marked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Registered,
    /// Registered, and naming nobody.
    Nobody,
}

/// What decides whether a known bundle has to be resolved again.
struct Standing {
    n: i64,
    first_seen: i64,
    anchor: [u8; 16],
    recorded: i64,
    resolved: Option<(i64, [u8; 16])>,
    is_registered: bool,
    was_nobody: bool,
}

/// Current events whose home is this bundle: those that arrived under it, less those that an
/// assertion gave a bundle of their own, and that one where it is such a bundle.
const AT_HOME: &str = "
    SELECT e.seq, e.ts, e.key FROM event e
    WHERE e.bundle_id = ?1 AND e.standing = 0
      AND NOT EXISTS(SELECT 1 FROM attribution a WHERE a.event_seq = e.seq AND a.home_id <> ?1)
    UNION ALL
    SELECT e.seq, e.ts, e.key FROM attribution a JOIN event e ON e.seq = a.event_seq
    WHERE a.home_id = ?1 AND e.bundle_id <> ?1 AND e.standing = 0";

/// The payloads of the events of [`AT_HOME`], with their channels.
pub(crate) const PAYLOADS_AT_HOME: &str = "
    SELECT iif(packed IS NULL, payload, cx_unpack(packed)), e.channel FROM event e
    WHERE e.bundle_id = ?1 AND e.standing = 0
      AND NOT EXISTS(SELECT 1
     FROM attribution a WHERE a.event_seq = e.seq AND a.home_id <> ?1)
    UNION ALL
    SELECT iif(packed IS NULL, payload, cx_unpack(packed)), e.channel
     FROM attribution a JOIN event e ON e.seq = a.event_seq
    WHERE a.home_id = ?1 AND e.bundle_id <> ?1 AND e.standing = 0";

/// The observations of bundles, read when `resolve` asks for them.
struct Stored<'a> {
    tx: &'a Transaction<'a>,
    tenant: &'a str,
    row_of: &'a BTreeMap<BundleId, i64>,
}

impl Moments for Stored<'_> {
    type Error = StoreError;

    fn of(&mut self, bundle: BundleId) -> Result<Vec<(Timestamp, ObservationId)>, StoreError> {
        let Some(row) = self.row_of.get(&bundle) else { return Ok(Vec::new()) };
        let mut events = self.tx.prepare_cached(AT_HOME)?;
        let rows =
            events.query_map([row], |row| Ok((row.get::<_, i64>(1)?, row.get::<_, String>(2)?)))?;
        let mut moments = Vec::new();
        for row in rows {
            let (ts, key) = row?;
            let observation = ObservationId::of(self.tenant, &codec::event_key(&key)?);
            moments.push((codec::timestamp(ts)?, observation));
        }
        Ok(moments)
    }
}

/// Bundles in groups that hang together through their bridges.
fn groups(bundles: &BTreeMap<i64, BTreeSet<i64>>) -> Vec<Vec<i64>> {
    let mut on: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (bundle, bridges) in bundles {
        for bridge in bridges {
            on.entry(*bridge).or_default().push(*bundle);
        }
    }
    let mut seen: BTreeSet<i64> = BTreeSet::new();
    let mut groups = Vec::new();
    for start in bundles.keys() {
        if !seen.insert(*start) {
            continue;
        }
        let (mut group, mut next) = (vec![*start], vec![*start]);
        while let Some(bundle) = next.pop() {
            let bridges = bundles.get(&bundle).into_iter().flatten();
            for other in bridges.filter_map(|bridge| on.get(bridge)).flatten() {
                if seen.insert(*other) {
                    group.push(*other);
                    next.push(*other);
                }
            }
        }
        groups.push(group);
    }
    groups
}
