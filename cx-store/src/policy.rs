//! The policy of a store: read, tried out, put in force.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::identity::Policy;
use cx_core::time::Timestamp;
use rusqlite::{Connection, Transaction, params};
use serde::Serialize;

use crate::derived::{self, Settings, Touched};
use crate::edition::Edition;
use crate::error::StoreError;
use crate::feed::{self, By, ChangeRecord, Occasion};
use crate::ingest::{self, Writing};
use crate::{codec, corrections};

/// What another policy changes, or would change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PolicyReport {
    /// How many customers there are before.
    pub customers_before: u64,
    /// How many customers there are after it.
    pub customers_after: u64,
    /// How many values link nobody before.
    pub hubs_before: u64,
    /// How many values link nobody after it.
    pub hubs_after: u64,
    /// How many entries of the change feed there are of each kind: `merged`, `split`, ...
    pub changes: BTreeMap<String, u64>,
    /// The first of these entries, at most [`PolicyReport::KEPT`].
    pub first: Vec<ChangeRecord>,
}

impl PolicyReport {
    /// How many changes are told one by one; all are counted.
    pub const KEPT: usize = 1_000;
}

/// Puts a policy in force: everything is derived anew under it.
pub(crate) fn apply(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    policy: &Policy,
    at: Timestamp,
) -> Result<PolicyReport, StoreError> {
    let (customers_before, hubs_before) = counts(tx)?;
    let before = feed::last(tx)?;
    if *policy != writer.settings.policy {
        keep(tx, policy)?;
        writer.settings.policy = policy.clone();
        derive_anew(tx, writer.settings, Touched::default(), &Occasion::new(at, By::Policy))?;
    }
    let (customers_after, hubs_after) = counts(tx)?;
    let mut changes = BTreeMap::new();
    let mut kinds =
        tx.prepare_cached("SELECT kind, count(*) FROM change WHERE seq > ?1 GROUP BY kind")?;
    let mut kinds = kinds.query([i64::try_from(before).unwrap_or(i64::MAX)])?;
    while let Some(row) = kinds.next()? {
        changes.insert(row.get(0)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0));
    }
    let first = feed::after(tx, before, PolicyReport::KEPT)?;
    Ok(PolicyReport { customers_before, customers_after, hubs_before, hubs_after, changes, first })
}

/// The policy of a file whose records were filed under earlier normalisers and rules. The first
/// files of all do not say under which.
fn of_earlier_rules(connection: &Connection) -> Result<Option<Policy>, StoreError> {
    let get = |name: &str| codec::setting::<Vec<u8>>(connection, name);
    let (policy, hash) = (get("policy")?, get("policy_hash")?);
    let policy: Option<Policy> = policy.and_then(|policy| serde_json::from_slice(&policy).ok());
    let is_earlier =
        |policy: &Policy| hash.is_none_or(|hash| hash != policy.hash() && policy.was_named(&hash));
    Ok(policy.filter(is_earlier))
}

/// Whether the file was written under earlier normalisers and rules.
pub(crate) fn is_of_earlier_rules(connection: &Connection) -> Result<bool, StoreError> {
    Ok(of_earlier_rules(connection)?.is_some())
}

/// Files all records and derives everybody anew, where the file was written under earlier
/// normalisers and rules. It is a step of the schema, so that versions of cx before it, which would
/// go on under theirs, refuse the file, and is done again whenever the rules have changed since.
/// The change feed tells what became of whom.
pub(crate) fn bring_forward(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let Some(policy) = of_earlier_rules(tx)? else { return Ok(()) };
    let (tenant, id_key) = codec::tenant(tx)?
        .ok_or_else(|| StoreError::malformed("tenant", "it does not say whose store it is"))?;
    let (said, assertions) = corrections::in_force(tx)?;
    let settings = Settings { tenant, id_key, policy, assertions, said };
    let touched = ingest::file_anew(tx, &settings)?;
    keep(tx, &settings.policy)?;
    let last: Option<i64> =
        tx.query_row("SELECT max(recorded_at) FROM batch", [], |row| row.get(0))?;
    let at = last.map_or(Ok(Timestamp::MIN), codec::timestamp)?;
    derive_anew(tx, &settings, touched, &Occasion::new(at, By::Policy))?;
    Edition::end(tx)
}

/// Derives who is who anew from what the bundles say. Its cost is that of the whole store.
fn derive_anew(
    tx: &Transaction<'_>,
    settings: &Settings,
    mut touched: Touched,
    occasion: &Occasion,
) -> Result<(), StoreError> {
    tx.execute_batch(
        "UPDATE bundle_claim SET links = 0 WHERE links <> 0;
         DELETE FROM seen_with;
         UPDATE bundle SET registered = 0, resolved_first_seen = NULL, resolved_anchor = NULL;
         UPDATE identifier SET hub = 0, contested = 0 WHERE hub <> 0 OR contested <> 0;",
    )?;
    let mut bundles = tx.prepare("SELECT id FROM bundle WHERE n > 0")?;
    let bundles = bundles.query_map([], |row| row.get(0))?;
    let bundles: BTreeSet<i64> = bundles.collect::<Result<_, _>>()?;
    touched.bundles.extend(bundles);
    derived::update(tx, settings, &touched, occasion)?;
    Ok(())
}

fn counts(connection: &Connection) -> Result<(u64, u64), StoreError> {
    let (customers, hubs): (i64, i64) = connection.query_row(
        "SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM identifier WHERE hub = 1)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok((u64::try_from(customers).unwrap_or(0), u64::try_from(hubs).unwrap_or(0)))
}

/// Writes the policy, and counts that there is another one.
pub(crate) fn keep(connection: &Connection, policy: &Policy) -> Result<(), StoreError> {
    let json =
        serde_json::to_vec(policy).map_err(|error| StoreError::malformed("policy", error))?;
    let mut put = connection.prepare("INSERT OR REPLACE INTO meta(k, v) VALUES(?1, ?2)")?;
    put.execute(params!["policy", json])?;
    put.execute(params!["policy_hash", &policy.hash()[..]])?;
    Ok(())
}

/// The policy as it stands in the file.
pub(crate) fn text(connection: &Connection) -> Result<String, StoreError> {
    let json: Option<Vec<u8>> = codec::setting(connection, "policy")?;
    Ok(String::from_utf8_lossy(&json.unwrap_or_default()).into_owned())
}

/// Whether the policy stands in the file as it was written.
pub(crate) fn is_as_written(connection: &Connection) -> Result<bool, StoreError> {
    let get = |name: &str| codec::setting::<Vec<u8>>(connection, name);
    let (policy, hash) = (get("policy")?.unwrap_or_default(), get("policy_hash")?);
    let policy: Result<Policy, _> = serde_json::from_slice(&policy);
    Ok(policy.is_ok_and(|policy| hash.is_none_or(|hash| hash == policy.hash())))
}

/// The policy in force, if it is another one than this.
pub(crate) fn newer(connection: &Connection, known: &Policy) -> Result<Option<Policy>, StoreError> {
    let hash: Option<Vec<u8>> = codec::setting(connection, "policy_hash")?;
    if hash.is_none_or(|hash| hash == known.hash()) {
        return Ok(None);
    }
    let json: Vec<u8> = codec::setting(connection, "policy")?.unwrap_or_default();
    let policy =
        serde_json::from_slice(&json).map_err(|error| StoreError::malformed("policy", error))?;
    Ok(Some(policy))
}
