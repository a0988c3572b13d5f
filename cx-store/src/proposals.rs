//! Proposals: which customers a model takes for one person, for people to decide; and links, where
//! somebody says from which weight on they need not.
//!
//! A run compares the customers as identifiers and people's words make them, never as an earlier
//! run has linked them: so the outcome does not depend on how often it is run.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use cx_core::event::Kind;
use cx_core::identifier::Identifier;
use cx_core::identity::explain::Relation;
use cx_core::identity::{Assertion, Assertions, PersonName, Rules, Subject, Verdict};
use cx_core::ids::{BundleId, CustomerId, ObservationId};
use cx_core::linkage::{
    Address, CustomerRow, LinkOptions, Linkage, Model, ScoredPair, Table, TrainError, TrainOptions,
    Waterfall, customers, link, train, waterfall,
};
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::corrections;
use crate::derived::Settings;
use crate::error::StoreError;
use crate::feed::{self, ChangeRecord};
use crate::ingest::Writing;
use crate::neighbourhood::{self, Asking};

/// How customers are compared.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProposeOptions {
    /// The model that weighs.
    pub model: Model,
    /// Whether the model is first fitted to the customers of the store.
    pub fit: Fit,
    /// Pairs that weigh at least this much are proposed, in thousandths of a bit.
    pub review_at: i32,
    /// Pairs that weigh at least this much are linked; none, if this is `None`.
    pub link_at: Option<i32>,
    /// How many proposals are kept, the heaviest first.
    pub most: usize,
    /// On how many threads; the outcome is the same.
    pub threads: std::num::NonZeroUsize,
}

/// Whether a model is taken as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fit {
    /// It is.
    AsItIs,
    /// It is trained on the store's customers first.
    ToTheCustomers,
}

impl ProposeOptions {
    /// Proposes from one in two on with this model as it is, at most 100,000 pairs, on one thread;
    /// links nobody.
    pub const fn new(model: Model) -> Self {
        Self {
            model,
            fit: Fit::AsItIs,
            review_at: 0,
            link_at: None,
            most: 100_000,
            threads: std::num::NonZeroUsize::MIN,
        }
    }
}

/// What came of comparing customers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposed {
    /// The hash of the model that weighed.
    pub model: String,
    /// How many customers were compared.
    pub customers: u64,
    /// How many pairs of them.
    pub compared: u64,
    /// How many pairs people are to decide about.
    pub possible: u64,
    /// How many pairs seem to live together.
    pub households: u64,
    /// How many pairs are linked by the model now.
    pub linked: u64,
    /// How many links of former runs are taken back.
    pub taken_back: u64,
    /// How many further pairs would be, and something stands against it: a person's word, or a
    /// limit.
    pub refused: u64,
    /// What became of customers by it, in order.
    pub changes: Vec<ChangeRecord>,
}

/// What a model says of two customers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposal {
    /// One customer, as it is called today.
    pub a: CustomerId,
    /// The other one.
    pub b: CustomerId,
    /// What they may be to each other.
    pub relation: Relation,
    /// The weight with the prior, in thousandths of a bit.
    pub weight: i32,
    /// The hash of the model that said so.
    pub model: String,
    /// When it did.
    pub at: Timestamp,
    /// How the weight adds up.
    pub waterfall: Waterfall,
}

/// Which model ran last, and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LastRun {
    pub(crate) model: String,
    pub(crate) at: Timestamp,
}

/// The customers of a store as rows to compare, each named by an observation of its own.
pub(crate) struct Compared {
    anchors: Vec<ObservationId>,
    /// Which of these observations names the customer that a bundle belongs to.
    anchor_of: BTreeMap<i64, ObservationId>,
    table: Table,
}

/// Reads the customers as they are without any model's links.
pub(crate) fn read(connection: &Connection, asking: &Asking) -> Result<Compared, StoreError> {
    let assertions = Assertions::new(corrections::all(connection)?);
    let divided = divided(connection, asking, &assertions)?;
    let mut rows: BTreeMap<ObservationId, CustomerRow> = BTreeMap::new();
    let mut names: BTreeMap<ObservationId, BTreeSet<PersonName>> = BTreeMap::new();
    let mut anchor_of: BTreeMap<i64, ObservationId> = BTreeMap::new();
    let mut alone: BTreeMap<i64, ObservationId> = BTreeMap::new();
    let mut members = connection.prepare(
        "SELECT m.bundle_id, b.hash, b.name, u.anchor_oid FROM member m
           JOIN bundle b ON b.id = m.bundle_id JOIN customer u ON u.id = m.customer_id
         WHERE b.n > 0",
    )?;
    let mut members = members.query([])?;
    while let Some(row) = members.next()? {
        let bundle: i64 = row.get(0)?;
        let own = ObservationId::from_bytes(row.get(3)?);
        let id = BundleId::from_bytes(row.get(1)?);
        alone.extend(assertions.alone_in(id).map(|observation| (bundle, observation)));
        let anchor = divided.get(&id).copied().unwrap_or(own);
        anchor_of.insert(bundle, anchor);
        let known = rows.entry(anchor).or_default();
        if let Some(name) = row.get::<_, Option<String>>(2)? {
            known.name(&name);
            names.entry(anchor).or_default().insert(PersonName::from_key(&name));
        }
    }
    // Hubs, and values that several persons carry, neither weigh nor block. What only a limit keeps
    // from joining people of one name does: a system may know one person twice.
    let mut on: BTreeMap<Identifier, BTreeSet<ObservationId>> = BTreeMap::new();
    let mut claims = connection.prepare(
        "SELECT c.bundle_id, d.name, i.scope, i.key, i.linkable, i.contested FROM bundle_claim c
           JOIN identifier i ON i.id = c.identifier_id JOIN dict d ON d.id = i.ns
         WHERE i.hub = 0 AND c.caveat = 0 AND i.linkable = 1
           AND d.name IN ('email', 'phone', 'wa_id', 'national_id')",
    )?;
    let mut claims = claims.query([])?;
    while let Some(row) = claims.next()? {
        let is_contested: bool = row.get(5)?;
        let bundle: i64 = row.get(0)?;
        let Some(anchor) = anchor_of.get(&bundle) else { continue };
        let identifier = codec::read_identifier(row, 1)?;
        // What a person has taken a record from says nothing of it.
        if alone.get(&bundle).is_some_and(|of| assertions.is_taken(*of, &identifier)) {
            continue;
        }
        if assertions.blocks(&identifier) {
            continue;
        }
        if is_contested {
            on.entry(identifier).or_default().insert(*anchor);
        } else if let Some(known) = rows.get_mut(anchor) {
            known.identifier(&identifier);
        }
    }
    for (identifier, anchors) in on {
        if anchors.len() <= MOST_OF_ONE_NAME && are_of_one_name(&anchors, &names) {
            for anchor in anchors {
                if let Some(known) = rows.get_mut(&anchor) {
                    known.identifier(&identifier);
                }
            }
        }
    }
    let mut profiles = connection.prepare(
        "SELECT coalesce(a.bundle_id, e.bundle_id), iif(packed IS NULL, payload, cx_unpack(packed))
         FROM event e
           JOIN dict d ON d.id = e.kind AND d.name = 'profile.updated'
           LEFT JOIN attribution a ON a.event_seq = e.seq
         WHERE e.standing = 0",
    )?;
    let mut profiles = profiles.query([])?;
    while let Some(row) = profiles.next()? {
        let known = anchor_of.get(&row.get(0)?).and_then(|anchor| rows.get_mut(anchor));
        let event = codec::event(&row.get::<_, String>(1)?)?;
        if let (Some(known), Kind::ProfileUpdated(profile)) = (known, &event.kind) {
            known.profile(profile);
        }
    }
    let (anchors, rows): (Vec<ObservationId>, Vec<CustomerRow>) = rows.into_iter().unzip();
    Ok(Compared { anchors, anchor_of, table: customers(&rows) })
}

/// So many customers who share a value are held against each other at most.
const MOST_OF_ONE_NAME: usize = 64;

/// Whether all these customers have names, and no two of those disagree.
fn are_of_one_name(
    anchors: &BTreeSet<ObservationId>,
    names: &BTreeMap<ObservationId, BTreeSet<PersonName>>,
) -> bool {
    let of: Vec<&BTreeSet<PersonName>> =
        anchors.iter().filter_map(|anchor| names.get(anchor)).collect();
    let all: BTreeSet<&PersonName> = of.iter().copied().flatten().collect();
    of.len() == anchors.len()
        && all.len() <= MOST_OF_ONE_NAME
        && all.iter().all(|one| all.iter().all(|other| one.agrees(other)))
}

/// The observation that names each bundle's customer, had no model linked anybody; of the
/// customers that models have linked only.
fn divided(
    connection: &Connection,
    asking: &Asking,
    assertions: &Assertions,
) -> Result<BTreeMap<BundleId, ObservationId>, StoreError> {
    let mut probable = BTreeSet::new();
    let mut ends: BTreeSet<ObservationId> = BTreeSet::new();
    for (id, said) in assertions.in_force() {
        if let Verdict::Probable(a, b, _) = said.verdict {
            probable.insert(id);
            ends.extend([a, b]);
        }
    }
    if ends.is_empty() {
        return Ok(BTreeMap::new());
    }
    let subjects: Vec<Subject> = ends.into_iter().map(Subject::Observation).collect();
    let loaded = neighbourhood::around(connection, asking, &subjects)?;
    let certain = assertions.without(&probable);
    let rules = Rules { policy: &loaded.policy, assertions: &certain };
    let settled = loaded.neighbourhood.settle(rules, &asking.id_key);
    let mut anchors: BTreeMap<CustomerId, (Timestamp, ObservationId)> = BTreeMap::new();
    let bundles = &loaded.neighbourhood.bundles;
    for (bundle, customer) in &settled.customer_of {
        if let Some(whole) = bundles.get(bundle).filter(|whole| whole.facts.is_somebody()) {
            let anchor = anchors.entry(*customer).or_insert(whole.facts.anchor);
            *anchor = (*anchor).min(whole.facts.anchor);
        }
    }
    let of = settled.customer_of.iter();
    Ok(of.filter_map(|(bundle, of)| Some((*bundle, anchors.get(of)?.1))).collect())
}

impl Compared {
    /// Scores the customers.
    pub(crate) fn run(&self, options: &ProposeOptions) -> Result<(Model, Linkage), TrainError> {
        let model = match options.fit {
            Fit::AsItIs => options.model.clone(),
            Fit::ToTheCustomers => {
                let training = TrainOptions { threads: options.threads, ..TrainOptions::default() };
                train(&self.table, &options.model, &training)?
            }
        };
        let linking = LinkOptions {
            link_at: options.link_at.unwrap_or(i32::MAX),
            review_at: options.review_at,
            address: Address::IsNotEnough,
            threads: options.threads,
            ..LinkOptions::default()
        };
        let linkage = link(&self.table, &model, &linking);
        Ok((model, linkage))
    }

    fn pair(&self, pair: &ScoredPair) -> Option<(ObservationId, ObservationId)> {
        let of = |row: u32| self.anchors.get(usize::try_from(row).ok()?).copied();
        let (a, b) = (of(pair.a)?, of(pair.b)?);
        Some((a.min(b), a.max(b)))
    }

    /// The observation that names the customer of a record.
    fn anchor_of(
        &self,
        tx: &Transaction<'_>,
        settings: &Settings,
        record: ObservationId,
    ) -> Result<Option<ObservationId>, StoreError> {
        let key = corrections::key_of(tx, &settings.tenant, &settings.id_key, record)?;
        let mut bundle = tx.prepare_cached(
            "SELECT coalesce(a.bundle_id, e.bundle_id) FROM event e
               LEFT JOIN attribution a ON a.event_seq = e.seq
             WHERE e.key = ?1 AND e.standing = 0",
        )?;
        let bundle: Option<i64> = bundle.query_row([key], |row| row.get(0)).optional()?;
        Ok(bundle.and_then(|bundle| self.anchor_of.get(&bundle)).copied())
    }

    /// How many customers there are.
    fn len(&self) -> u64 {
        u64::try_from(self.anchors.len()).unwrap_or(u64::MAX)
    }
}

/// Keeps what came of a run: proposals instead of those of the run before, links beside what
/// people said.
pub(crate) fn keep(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    compared: &Compared,
    (model, linkage): (&Model, &Linkage),
    most: usize,
    at: Timestamp,
) -> Result<Proposed, StoreError> {
    let by = format!("model {}", model.hash());
    let mut revoked_by_people: BTreeSet<(ObservationId, ObservationId)> = BTreeSet::new();
    let settings = &*writer.settings;
    for (a, b) in taken_back(&corrections::all(tx)?, &settings.assertions) {
        // What names a customer changes when it becomes part of an older one.
        let (a, b) = (compared.anchor_of(tx, settings, a)?, compared.anchor_of(tx, settings, b)?);
        if let (Some(a), Some(b)) = (a, b) {
            revoked_by_people.insert((a.min(b), a.max(b)));
        }
    }
    let mut wanted: BTreeMap<(ObservationId, ObservationId), i32> = BTreeMap::new();
    for pair in &linkage.links {
        if let Some(ends) = compared.pair(pair) {
            wanted.insert(ends, pair.weight);
        }
    }
    let mut wanted = without_taken_back(wanted, &revoked_by_people);
    let mut said = Vec::new();
    let assertion = |verdict| Assertion { verdict, by: by.clone(), reason: None, at };
    let mut gone: u64 = 0;
    for (id, former) in writer.settings.assertions.in_force() {
        let Verdict::Probable(a, b, weight) = former.verdict else { continue };
        if former.by == by && wanted.get(&(a.min(b), a.max(b))) == Some(&weight) {
            wanted.remove(&(a.min(b), a.max(b)));
        } else {
            gone += 1;
            said.push(assertion(Verdict::Revoke(id)));
        }
    }
    let known = |observation: ObservationId| {
        let settings = &writer.settings;
        corrections::key_of(tx, &settings.tenant, &settings.id_key, observation)
    };
    for ((a, b), weight) in wanted {
        // An event may have gone meanwhile.
        if known(a)?.is_some() && known(b)?.is_some() {
            said.push(assertion(Verdict::Probable(a, b, weight)));
        }
    }
    let before = feed::last(tx)?;
    corrections::keep(tx, writer, &said, at)?;
    let (mut linked, mut refused) = (0, 0);
    for (_, said) in writer.settings.assertions.in_force() {
        let Verdict::Probable(a, b, _) = said.verdict else { continue };
        let of = |end| customer_of_bundle(tx, BundleId::of_one(end));
        match (of(a)?, of(b)?) {
            (Some(a), Some(b)) if a == b => linked += 1,
            _ => refused += 1,
        }
    }
    let apart = apart(tx, &writer.settings.assertions)?;
    tx.execute("DELETE FROM proposal", [])?;
    let (mut possible, mut households) = (0, 0);
    // What something stands against is not linked, and people decide about it, too.
    let mut undecided: Vec<&ScoredPair> = linkage.possible.iter().collect();
    for pair in &linkage.links {
        let Some((a, b)) = compared.pair(pair) else { continue };
        if anchored(tx, a)? != anchored(tx, b)? {
            undecided.push(pair);
        }
    }
    undecided.sort_by_key(|pair| (Reverse(pair.weight), pair.a, pair.b));
    let proposals = undecided.into_iter().map(|pair| (pair, Relation::Possible));
    let households_of = linkage.households.iter().map(|pair| (pair, Relation::Household));
    for (pair, relation) in proposals.take(most).chain(households_of.take(most)) {
        let Some((a, b)) = compared.pair(pair) else { continue };
        if let (Some(one), Some(other)) = (anchored(tx, a)?, anchored(tx, b)?)
            && apart.contains(&(one.min(other), one.max(other)))
        {
            continue;
        }
        let told = waterfall(&compared.table, model, pair.a, pair.b);
        let told = serde_json::to_string(&told)
            .map_err(|error| StoreError::malformed("waterfall", error))?;
        tx.prepare_cached(
            "INSERT OR IGNORE INTO proposal(a, b, relation, weight, told) VALUES(?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            &a.as_bytes()[..],
            &b.as_bytes()[..],
            relation.name(),
            pair.weight,
            told
        ])?;
        match relation {
            Relation::Possible => possible += 1,
            Relation::Household => households += 1,
        }
    }
    keep_run(tx, &LastRun { model: model.hash(), at })?;
    Ok(Proposed {
        model: model.hash(),
        customers: compared.len(),
        compared: linkage.compared,
        possible,
        households,
        linked,
        taken_back: gone,
        refused,
        changes: feed::after(tx, before, usize::MAX)?,
    })
}

/// What is to be linked but those links that would make one customer of two of whom a person took
/// that back, be it over others: of those that do it together the lightest goes.
fn without_taken_back(
    wanted: BTreeMap<(ObservationId, ObservationId), i32>,
    taken_back: &BTreeSet<(ObservationId, ObservationId)>,
) -> BTreeMap<(ObservationId, ObservationId), i32> {
    if taken_back.is_empty() {
        return wanted;
    }
    let mut heaviest: Vec<((ObservationId, ObservationId), i32)> = wanted.into_iter().collect();
    heaviest.sort_by_key(|(ends, weight)| (Reverse(*weight), *ends));
    let mut of: BTreeMap<ObservationId, ObservationId> = BTreeMap::new();
    let mut members: BTreeMap<ObservationId, BTreeSet<ObservationId>> = BTreeMap::new();
    let mut left = BTreeMap::new();
    for ((a, b), weight) in heaviest {
        let (one, other) = (of.get(&a).copied().unwrap_or(a), of.get(&b).copied().unwrap_or(b));
        if one != other {
            let set = |name: ObservationId| {
                members.get(&name).cloned().unwrap_or_else(|| BTreeSet::from([name]))
            };
            let (ones, others) = (set(one), set(other));
            let parted = |(x, y): &(ObservationId, ObservationId)| {
                ones.contains(x) && others.contains(y) || ones.contains(y) && others.contains(x)
            };
            if taken_back.iter().any(parted) {
                continue;
            }
            of.extend(others.iter().map(|member| (*member, one)));
            of.insert(one, one);
            members.remove(&other);
            members.entry(one).or_insert(ones).extend(others);
        }
        left.insert((a, b), weight);
    }
    left
}

/// Whether it was a model that said something, and not a person of that name.
fn is_by_model(by: &str) -> bool {
    by.strip_prefix("model ")
        .is_some_and(|hash| hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The pairs whose links people have taken back, and not taken that back: no model links them again.
fn taken_back(
    all: &[Assertion],
    in_force: &Assertions,
) -> BTreeSet<(ObservationId, ObservationId)> {
    let mut probable = BTreeMap::new();
    for said in all {
        if let Verdict::Probable(a, b, _) = said.verdict {
            probable.insert(said.id(), (a, b));
        }
    }
    let revoked = all.iter().filter_map(|said| match said.verdict {
        // A model takes back what models said; a person's word is another matter.
        Verdict::Revoke(id) if !is_by_model(&said.by) && in_force.stands(said.id()) => {
            probable.get(&id).copied()
        }
        _ => None,
    });
    revoked.collect()
}

/// The pairs of customers, the lower id first, whom people called different.
pub(crate) fn apart(
    connection: &Connection,
    assertions: &Assertions,
) -> Result<BTreeSet<(CustomerId, CustomerId)>, StoreError> {
    let mut apart = BTreeSet::new();
    for (_, said) in assertions.in_force() {
        let Verdict::Different(a, b) = &said.verdict else { continue };
        let (left, right) = (holders(connection, a)?, holders(connection, b)?);
        for (one, other) in left.iter().flat_map(|l| right.iter().map(move |r| (*l, *r))) {
            if one != other {
                apart.insert((one.min(other), one.max(other)));
            }
        }
    }
    Ok(apart)
}

/// The customers whom one side of an assertion means.
fn holders(connection: &Connection, side: &Subject) -> Result<BTreeSet<CustomerId>, StoreError> {
    let identifier = match side {
        Subject::Observation(observation) => {
            let of = customer_of_bundle(connection, BundleId::of_one(*observation))?;
            return Ok(of.into_iter().collect());
        }
        Subject::Identifier(identifier) => identifier,
    };
    let mut holders = connection.prepare_cached(
        "SELECT DISTINCT u.cid, c.links AND i.hub = 0 FROM identifier i
           JOIN bundle_claim c ON c.identifier_id = i.id JOIN member m ON m.bundle_id = c.bundle_id
           JOIN customer u ON u.id = m.customer_id WHERE i.hash = ?1",
    )?;
    let hash = codec::identifier_hash(identifier);
    let all = holders.query_map([&hash[..]], |row| {
        Ok((CustomerId::from_bytes(row.get(0)?), row.get::<_, bool>(1)?))
    })?;
    let all: Vec<(CustomerId, bool)> = all.collect::<Result<_, _>>()?;
    let is_linked = all.iter().any(|(_, links)| *links);
    let meant = all.into_iter().filter(|(_, links)| *links || !is_linked);
    Ok(meant.map(|(customer, _)| customer).collect())
}

fn customer_of_bundle(
    connection: &Connection,
    bundle: BundleId,
) -> Result<Option<CustomerId>, StoreError> {
    holder(connection, "b.hash = ?1", bundle.as_bytes())
}

/// The customer who is named by an observation, or has it as the first of a bundle.
fn anchored(
    connection: &Connection,
    observation: ObservationId,
) -> Result<Option<CustomerId>, StoreError> {
    holder(connection, "b.anchor_oid = ?1", observation.as_bytes())
}

/// The customer who has the bundle `b` of which this holds.
fn holder(
    connection: &Connection,
    of: &str,
    bytes: &[u8],
) -> Result<Option<CustomerId>, StoreError> {
    let mut holder = connection.prepare_cached(&format!(
        "SELECT u.cid FROM bundle b JOIN member m ON m.bundle_id = b.id
           JOIN customer u ON u.id = m.customer_id WHERE {of}"
    ))?;
    let holder = holder.query_row([bytes], |row| row.get(0)).optional()?;
    Ok(holder.map(CustomerId::from_bytes))
}

/// What the last run says of a customer, the heaviest first.
pub(crate) fn of(
    connection: &Connection,
    customer: CustomerId,
) -> Result<Vec<Proposal>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT p.b, p.relation, p.weight, p.told FROM customer u JOIN member m ON m.customer_id = u.id
           JOIN bundle b ON b.id = m.bundle_id JOIN proposal p ON p.a = b.anchor_oid WHERE u.cid = ?1
         UNION SELECT p.a, p.relation, p.weight, p.told FROM customer u JOIN member m ON m.customer_id = u.id
           JOIN bundle b ON b.id = m.bundle_id JOIN proposal p ON p.b = b.anchor_oid WHERE u.cid = ?1
         ORDER BY 3 DESC, 1",
    )?;
    let mut rows = rows.query([&customer.as_bytes()[..]])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let other = ObservationId::from_bytes(row.get(0)?);
        all.extend(proposal(connection, customer, other, row)?);
    }
    Ok(all)
}

fn proposal(
    connection: &Connection,
    a: CustomerId,
    other: ObservationId,
    row: &rusqlite::Row<'_>,
) -> Result<Option<Proposal>, StoreError> {
    let Some(LastRun { model, at }) = last_run(connection)? else { return Ok(None) };
    let Some(b) = anchored(connection, other)?.filter(|b| *b != a) else { return Ok(None) };
    let (relation, waterfall) = told(&row.get::<_, String>(1)?, &row.get::<_, String>(3)?)?;
    Ok(Some(Proposal { a, b, relation, weight: row.get(2)?, model, at, waterfall }))
}

/// What a proposal says, from its columns: what two may be to each other, and how that adds up.
pub(crate) fn told(relation: &str, told: &str) -> Result<(Relation, Waterfall), StoreError> {
    let known = [Relation::Possible, Relation::Household];
    let relation = known.into_iter().find(|known| known.name() == relation);
    let relation = relation.ok_or_else(|| StoreError::malformed("proposal", "its relation"))?;
    let waterfall =
        serde_json::from_str(told).map_err(|error| StoreError::malformed("waterfall", error))?;
    Ok((relation, waterfall))
}

/// Keeps which model ran last.
pub(crate) fn keep_run(tx: &Transaction<'_>, last: &LastRun) -> Result<(), StoreError> {
    let last = serde_json::to_vec(last).map_err(|error| StoreError::malformed("run", error))?;
    tx.prepare_cached("INSERT OR REPLACE INTO meta(k, v) VALUES('proposed', ?1)")?
        .execute([last])?;
    Ok(())
}

pub(crate) fn last_run(connection: &Connection) -> Result<Option<LastRun>, StoreError> {
    let last: Option<Vec<u8>> = codec::setting(connection, "proposed")?;
    last.map(|last| read_run(&last)).transpose()
}

pub(crate) fn read_run(bytes: &[u8]) -> Result<LastRun, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::malformed("run", error))
}

/// All of it that nobody has called different since, the heaviest first, at most `limit` pairs.
pub(crate) fn all(
    connection: &Connection,
    assertions: &Assertions,
    limit: usize,
) -> Result<Vec<Proposal>, StoreError> {
    let apart = apart(connection, assertions)?;
    let mut rows = connection.prepare_cached(
        "SELECT p.b, p.relation, p.weight, p.told, u.cid FROM proposal p
           JOIN bundle b ON b.anchor_oid = p.a JOIN member m ON m.bundle_id = b.id
           JOIN customer u ON u.id = m.customer_id
         WHERE p.relation = 'possible' ORDER BY p.weight DESC, p.a, p.b",
    )?;
    let mut rows = rows.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        if all.len() >= limit {
            break;
        }
        let other = ObservationId::from_bytes(row.get(0)?);
        let a = CustomerId::from_bytes(row.get(4)?);
        let found = proposal(connection, a, other, row)?;
        all.extend(found.filter(|it| !apart.contains(&(it.a.min(it.b), it.a.max(it.b)))));
    }
    Ok(all)
}

/// Takes out what was said of somebody who is erased.
pub(crate) fn forget(tx: &Transaction<'_>, erased: ObservationId) -> Result<(), StoreError> {
    for sql in ["DELETE FROM proposal WHERE a = ?1", "DELETE FROM proposal WHERE b = ?1"] {
        tx.prepare_cached(sql)?.execute([&erased.as_bytes()[..]])?;
    }
    Ok(())
}

/// Takes out what was said of customers who lose records, on which it may rest; and what names
/// nobody any more.
pub(crate) fn forget_customers(
    tx: &Transaction<'_>,
    customers: &BTreeSet<i64>,
) -> Result<(), StoreError> {
    for customer in customers {
        for end in ["a", "b"] {
            let sql = format!(
                "DELETE FROM proposal WHERE {end} IN (SELECT b.anchor_oid FROM member m
                   JOIN bundle b ON b.id = m.bundle_id WHERE m.customer_id = ?1)"
            );
            tx.prepare_cached(&sql)?.execute([customer])?;
        }
    }
    tx.prepare_cached(
        "DELETE FROM proposal WHERE NOT EXISTS(SELECT 1 FROM bundle WHERE anchor_oid = a)
           OR NOT EXISTS(SELECT 1 FROM bundle WHERE anchor_oid = b)",
    )?
    .execute([])?;
    Ok(())
}
