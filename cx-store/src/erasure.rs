//! Erasure: a person taken out for good, and kept from coming back.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::actor::{Actor, ActorType};
use cx_core::conversation::bare;
use cx_core::event::{Body, ConversationRef, Direction, Event, Kind};
use cx_core::identifier::{Assurance, Claim, Identifier, Namespace, Role};
use cx_core::identity::{Assertion, Verdict};
use cx_core::ids::{AssertionId, ConversationKey, CustomerId, ObservationId};
use cx_core::spelling::Spelling;
use cx_core::text;
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::blackout::{self, BlackedOut};
use crate::codec;
use crate::corrections;
use crate::derived::{self, Settings};
use crate::encryption::PAGE_SIZE;
use crate::error::StoreError;
use crate::feed::{self, By, Change, Occasion};
use crate::ingest::{self, TakenOut, Writing, first_recorded};
use crate::policy;
use crate::proposals;
use crate::report::Recording;
use crate::schema::{self, Aside};
use crate::search::{self, Words};
use crate::statements::Statements;
use crate::suppression::{Seal, suppress};
use crate::traces::{self, Search, Traces};
use crate::waiting;

/// How a person is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EraseMode {
    /// Texts, names and identifiers go; that something happened, when, where and of what kind
    /// stays, as the history of somebody unknown, so that counts and measures stay right.
    Anonymise,
    /// All of it goes. Of what takes back something of others that stays (the redaction of their
    /// message, the end of a conversation that they are in) that it does so stays, without the person.
    Delete,
}

impl EraseMode {
    /// The name as it stands in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anonymise => "anonymise",
            Self::Delete => "delete",
        }
    }
}

/// What an erasure did. What was erased can be read no more; until [`compacted_at`] is set, traces
/// of it may still stand in free space of the file.
///
/// [`compacted_at`]: Erasure::compacted_at
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasure {
    /// Who was erased. The id is known to be gone, and means nobody any more.
    pub customer: CustomerId,
    /// How.
    pub mode: EraseMode,
    /// When, in UTC.
    pub erased_at: Timestamp,
    /// How many events were taken out, or made anonymous; of a record with several revisions one
    /// counts.
    pub events: u64,
    /// How many identifiers are gone.
    pub identifiers: u64,
    /// How many values of the person stay, since other people have them too.
    pub shared: u64,
    /// How many of other people's events had the person's identifiers blacked out.
    pub blacked_out: u64,
    /// In which fields of what is left some of them still stand, and in how many events: keys,
    /// conversations, claims and the like name things, and stay. `dict` counts names of sources,
    /// channels, kinds and namespaces; `policy` tells that the policy in force names it.
    pub left_in: BTreeMap<String, u64>,
    /// How many things that were said of the person are gone.
    pub assertions: u64,
    /// When the file was rewritten, so that nothing is left in it; `None` until then.
    pub compacted_at: Option<Timestamp>,
}

/// How many rows there are in the tables that hold anything of persons.
fn counts(connection: &Connection) -> Result<BTreeMap<&'static str, u64>, StoreError> {
    const TABLES: [&str; 8] = [
        "assertion",
        "bundle",
        "conversation",
        "customer",
        "event",
        "identifier",
        "past_claim",
        "proposal",
    ];
    let mut rows = BTreeMap::new();
    for table in TABLES {
        // A row of no namespace only holds the place of one that is gone.
        let held = if table == "identifier" { "WHERE ns <> 0" } else { "" };
        let sql = format!("SELECT count(*) FROM {table} {held}");
        let n: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
        rows.insert(table, u64::try_from(n).unwrap_or(0));
    }
    Ok(rows)
}

/// What was erased, and the addresses and numbers by which the person was known.
pub(crate) struct Erased {
    pub(crate) erasure: Erasure,
    pub(crate) traces: Traces,
    /// How many rows fewer there are in each table.
    pub(crate) rows: BTreeMap<String, u64>,
}

/// Who is erased.
#[derive(Clone, Copy)]
pub(crate) enum Whom<'a> {
    /// A customer, by its row.
    Customer(i64),
    /// Whoever carries this, on records that are no customer's.
    Nobody(&'a Identifier),
    /// Whom a record is about that is no customer's, and the id that was given out for it.
    Record(&'a str, CustomerId),
}

/// Takes somebody out.
pub(crate) fn erase(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    whom: Whom<'_>,
    mode: EraseMode,
    at: Timestamp,
) -> Result<Erased, StoreError> {
    let n_before = counts(tx)?;
    let seal = Seal::new(&writer.settings.id_key);
    let (values, keys, spared) = match whom {
        Whom::Customer(customer) => {
            let mut values = values(tx, customer)?;
            values.extend(written_otherwise(tx, customer, &values)?);
            let all = keys(tx, customer, &values)?;
            let spared = spared(tx, writer.settings, customer, &all)?;
            let keys = all.into_iter().filter(|key| !spared.contains_key(key)).collect();
            (values, keys, spared)
        }
        Whom::Nobody(identifier) => {
            let mut values = values_of_nobody(tx, identifier)?;
            let keys = keys(tx, NOBODY, &values)?;
            if keys.is_empty() {
                // Only others wrote it, or sent somebody a copy there.
                let row = feed::row_of(tx, identifier)?.unwrap_or(NOBODY);
                values = BTreeMap::from([(row, (identifier.clone(), true))]);
            }
            (values, keys, BTreeMap::new())
        }
        Whom::Record(key, _) => {
            let values = values_of_record(tx, key)?;
            (values, BTreeSet::from([key.to_owned()]), BTreeMap::new())
        }
    };
    let mut keys: BTreeSet<String> = keys;
    // Those that name others stay theirs, without the words.
    let (edits_of_others, of_nobody): (Vec<Event>, Vec<Event>) =
        edits(tx, &keys)?.into_iter().partition(|edit| !edit.person_claims().is_empty());
    keys.extend(of_nobody.into_iter().map(|edit| edit.key.as_str().to_owned()));
    let keys = keys;
    let spared: BTreeMap<String, i64> =
        spared.into_iter().filter(|(key, _)| !keys.contains(key)).collect();
    let cid = match whom {
        Whom::Customer(customer) => crate::read::customer_id(tx, customer)?,
        Whom::Record(_, id) => id,
        // It was never given out; it is that of a record, as all are.
        Whom::Nobody(identifier) => {
            let first = match keys.first() {
                Some(first) => first.clone(),
                None => seal.token(&identifier.to_string()),
            };
            let named = ObservationId::of(&writer.settings.tenant, &codec::event_key(&first)?);
            CustomerId::issue(&writer.settings.id_key, named)
        }
    };
    let own: BTreeMap<i64, Identifier> = values
        .iter()
        .filter(|(_, (_, is_own))| *is_own)
        .map(|(r, (v, _))| (*r, v.clone()))
        .collect();
    let of_others = OfOthers::of(tx, &keys)?;
    let mut left = left(tx, &seal, cid, mode, &keys, &of_others)?;
    let mut traces = traces(tx, &keys, &own)?;
    let mut rows = rows(tx, &keys)?;
    let mut replaced_by = without_names(tx, &keys, &spared)?;
    for mut edit in edits_of_others {
        let key = edit.key.as_str().to_owned();
        let recorded_at = first_recorded(tx, &key)?;
        match &mut edit.kind {
            // What it edits is an edit of what stays, and has another name now.
            Kind::MessageEdited(it) if of_others.corrected.contains_key(&it.target) => {
                it.target = seal.token(&it.target);
            }
            _ => edit = without_words(edit),
        }
        replaced_by.push((key, recorded_at, edit));
    }
    for (key, recorded_at, event) in replaced_by {
        for row in self::rows(tx, &BTreeSet::from([key.clone()]))? {
            suppress_revision(tx, &seal, row, &key)?;
            rows.insert(row);
        }
        left.entry(recorded_at).or_default().push(event);
    }
    for (row, key) in former(tx, &values, &keys)? {
        rows.insert(row);
        if !keys.contains(&key) {
            // Its record stays, and may be told anew with all that it ever said.
            suppress_revision(tx, &seal, row, &key)?;
        }
        // What a model told of it when it was shown.
        proposals::forget(
            tx,
            ObservationId::of(&writer.settings.tenant, &codec::event_key(&key)?),
        )?;
    }
    for key in &keys {
        suppress(tx, &seal.event(key), Timestamp::MAX)?;
        let (observation, id) = forget_ids(tx, writer.settings, key)?;
        // An answer about the past may have given it out.
        tx.prepare_cached(
            "INSERT OR IGNORE INTO issued(cid, oid, event_key) VALUES(?1, zeroblob(16), '')",
        )?
        .execute([&id.as_bytes()[..]])?;
        forget_observation(tx, observation)?;
    }
    // The ids of the person are gone, also where a record that stays names them.
    for key in spared.keys() {
        forget_ids(tx, writer.settings, key)?;
    }
    if keys.is_empty() {
        tx.prepare_cached(
            "INSERT OR IGNORE INTO issued(cid, oid, event_key) VALUES(?1, zeroblob(16), '')",
        )?
        .execute([&cid.as_bytes()[..]])?;
    }
    for value in own.values() {
        let is_of_nobody_else = match value.namespace() {
            // What nobody else stands on brings nothing of the person either.
            Namespace::Conversation => match value.key().parse() {
                Ok(talk) => !are_others_in(tx, &talk, &keys)?,
                Err(_) => false,
            },
            namespace => namespace.is_bridge() || value.is_linkable(),
        };
        if is_of_nobody_else {
            suppress(tx, &seal.identifier(value), at)?;
        }
    }
    // What others wrote until now is told anew by their sources, and by others.
    for spelling in traces.spellings.iter().filter(|spelling| spelling.is_looked_for()) {
        suppress(tx, &seal.spelling(spelling), at)?;
    }
    for row in &rows {
        search::forget(tx, *row)?;
    }
    let replaced = once_claimed(tx, &rows)?;
    let TakenOut { mut touched, conversations } = ingest::take_out(tx, writer, &rows)?;
    // Whose what stays is now is found anew.
    touched.bundles.extend(spared.values());
    search::step_back(tx)?;
    let occasion = Occasion::new(at, By::Erasure);
    let before = feed::last(tx)?;
    derived::update(tx, writer.settings, &touched, &occasion)?;
    let erased = Change::Erased { customer: cid };
    if !feed::after(tx, before, usize::MAX)?.iter().any(|record| record.change == erased) {
        feed::append(&Statements::new(tx), &occasion, &erased, &[])?;
    }
    let assertions = unsay(tx, writer, &keys, &own, &traces, at)?;
    forget_conversations(tx, &conversations)?;
    let carried: BTreeSet<i64> = own.keys().chain(&replaced).copied().collect();
    forget_identifiers(tx, &carried)?;
    for (recorded_at, events) in left {
        let recording = Recording::new(recorded_at, "erasure");
        ingest::put_back(tx, writer.settings, writer.dictionary, &recording, &events)?;
    }
    traces.know_others(tx)?;
    let BlackedOut { events: blacked_out, mut left_in } =
        blackout::black_out(tx, &traces, &own.values().collect())?;
    if keys.is_empty() && blacked_out == 0 && left_in.is_empty() {
        // Nobody ever wrote it.
        return Err(StoreError::NobodyMeant);
    }
    if Search::new(&traces).is_in(&policy::text(tx)?) {
        left_in.insert("policy".to_owned(), 1);
    }
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    tx.prepare_cached("INSERT INTO erasure(at, mode, cid, events) VALUES(?1, ?2, ?3, ?4)")?
        .execute(params![
            at.as_micros(),
            mode.name(),
            &cid.as_bytes()[..],
            i64::try_from(keys.len()).unwrap_or(i64::MAX)
        ])?;
    // A conversation or an order is no identifier of the person.
    let n_of = |own: bool| {
        let those = values
            .values()
            .filter(|(value, is_own)| *is_own == own && !value.namespace().is_bridge());
        count(those.count())
    };
    let erasure = Erasure {
        customer: cid,
        mode,
        erased_at: at,
        events: count(keys.len()),
        identifiers: n_of(true),
        shared: n_of(false),
        blacked_out,
        left_in,
        assertions,
        compacted_at: None,
    };
    let n_after = counts(tx)?;
    let fewer = n_before.into_iter().filter_map(|(table, n)| {
        let left = n_after.get(table).copied().unwrap_or(0);
        Some((table.to_owned(), n.checked_sub(left).filter(|n| *n > 0)?))
    });
    Ok(Erased { erasure, traces, rows: fewer.collect() })
}

/// Takes back what only a model says of a customer: that it is one person. What a model takes for
/// somebody's is handed out to nobody, and not erased with them.
pub(crate) fn part(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    customer: i64,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let links = links_by_model(tx, writer.settings, customer)?;
    for link in &links {
        let revoked = Assertion {
            verdict: Verdict::Revoke(*link),
            by: "erasure".to_owned(),
            reason: None,
            at,
        };
        corrections::assert(tx, writer, &revoked, at)?;
    }
    Ok(!links.is_empty())
}

/// What a model says in force that joins records of one customer.
pub(crate) fn links_by_model(
    connection: &Connection,
    settings: &Settings,
    customer: i64,
) -> Result<Vec<AssertionId>, StoreError> {
    let mut owner = connection.prepare_cached(
        "SELECT m.customer_id FROM named n JOIN event e ON e.key = n.event_key AND e.standing = 0
           LEFT JOIN attribution a ON a.event_seq = e.seq
           JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id) WHERE n.oid = ?1",
    )?;
    let mut is_its = |side: ObservationId| -> Result<bool, StoreError> {
        let owner: Option<i64> =
            owner.query_row([&side.as_bytes()[..]], |row| row.get(0)).optional()?;
        Ok(owner == Some(customer))
    };
    let mut links = Vec::new();
    for (id, said) in settings.assertions.in_force() {
        if let Verdict::Probable(a, b, _) = &said.verdict
            && is_its(*a)?
            && is_its(*b)?
        {
            links.push(id);
        }
    }
    Ok(links)
}

/// The values on a customer's records, and whether nobody else has them; of the identifiers that
/// only revisions claim that are shown no longer, those that nobody else ever had.
fn values(
    tx: &Transaction<'_>,
    customer: i64,
) -> Result<BTreeMap<i64, (Identifier, bool)>, StoreError> {
    let mut rows = tx.prepare_cached(
        "SELECT DISTINCT i.id, d.name, i.scope, i.key, i.linkable
         FROM (SELECT c.identifier_id AS id FROM member m JOIN bundle_claim c ON c.bundle_id = m.bundle_id
               WHERE m.customer_id = ?1
               UNION SELECT x.identifier_id FROM member m JOIN bundle_bridge x ON x.bundle_id = m.bundle_id
               WHERE m.customer_id = ?1) o
           JOIN identifier i ON i.id = o.id JOIN dict d ON d.id = i.ns",
    )?;
    let mut rows = rows.query([customer])?;
    let mut today: BTreeMap<i64, Identifier> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        today.insert(row.get(0)?, codec::read_identifier(row, 1)?);
    }
    let keys = keys(tx, customer, &BTreeMap::new())?;
    let mut once: BTreeMap<i64, Identifier> = BTreeMap::new();
    for key in &keys {
        let mut rows = tx.prepare_cached(
            "SELECT DISTINCT i.id, d.name, i.scope, i.key, i.linkable
             FROM event e JOIN past_claim p ON p.event_seq = e.seq
               JOIN identifier i ON i.id = p.identifier_id JOIN dict d ON d.id = i.ns
             WHERE e.key = ?1",
        )?;
        let mut rows = rows.query([key])?;
        while let Some(row) = rows.next()? {
            let (id, identifier) = (row.get(0)?, codec::read_identifier(row, 1)?);
            if !identifier.namespace().is_bridge() && !today.contains_key(&id) {
                once.insert(id, identifier);
            }
        }
    }
    let mut values = BTreeMap::new();
    for (id, identifier) in today {
        values.insert(id, (identifier, !others_have(tx, customer, id)?));
    }
    for (id, identifier) in once {
        if !others_have(tx, customer, id)? && !others_had(tx, &keys, id)? {
            values.insert(id, (identifier, true));
        }
    }
    Ok(values)
}

/// The numbers without their country code that link nobody, no other customer has, and are among the
/// customer's as texts write them.
fn written_otherwise(
    tx: &Transaction<'_>,
    customer: i64,
    values: &BTreeMap<i64, (Identifier, bool)>,
) -> Result<BTreeMap<i64, (Identifier, bool)>, StoreError> {
    let own = values.values().filter(|(value, is_own)| *is_own && tells_apart(value));
    let spellings = own.flat_map(|(value, _)| Spelling::all(value));
    let spellings: Vec<Spelling> = spellings.filter(Spelling::is_number).collect();
    let mut found = BTreeMap::new();
    if spellings.is_empty() {
        return Ok(found);
    }
    let mut rows = tx.prepare_cached(
        "SELECT i.id, d.name, i.scope, i.key, i.linkable FROM identifier i
           JOIN dict d ON d.id = i.ns WHERE i.linkable = 0 AND d.name IN ('phone', 'wa_id')",
    )?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let (id, value) = (row.get(0)?, codec::read_identifier(row, 1)?);
        let text = value.key().as_bytes();
        let is_it = |spelling: &Spelling| {
            spelling.at(text, 0).is_some_and(|place| place == (0..text.len()))
        };
        if spellings.iter().any(is_it) && !others_have(tx, customer, id)? {
            found.insert(id, (value, true));
        }
    }
    Ok(found)
}

/// No customer has this row.
const NOBODY: i64 = -1;

/// What bundles carry.
const CARRIED: &str = "(SELECT bundle_id, identifier_id FROM bundle_claim
                        UNION SELECT bundle_id, identifier_id FROM bundle_bridge)";

/// The values on the records of nobody that carry this one, and whether no other record has them.
fn values_of_nobody(
    tx: &Transaction<'_>,
    identifier: &Identifier,
) -> Result<BTreeMap<i64, (Identifier, bool)>, StoreError> {
    let Some(row) = feed::row_of(tx, identifier)? else { return Ok(BTreeMap::new()) };
    let mut rows = tx.prepare_cached(&format!(
        "SELECT i.id, d.name, i.scope, i.key, i.linkable,
           NOT EXISTS(SELECT 1 FROM {CARRIED} x WHERE x.identifier_id = i.id
             AND x.bundle_id NOT IN (SELECT bundle_id FROM {CARRIED} WHERE identifier_id = ?1))
         FROM identifier i JOIN dict d ON d.id = i.ns
         WHERE i.id IN (SELECT o.identifier_id FROM {CARRIED} c JOIN {CARRIED} o
             ON o.bundle_id = c.bundle_id
           WHERE c.identifier_id = ?1
             AND NOT EXISTS(SELECT 1 FROM member m WHERE m.bundle_id = c.bundle_id))"
    ))?;
    let mut rows = rows.query([row])?;
    let mut values = BTreeMap::new();
    while let Some(row) = rows.next()? {
        values.insert(row.get(0)?, (codec::read_identifier(row, 1)?, row.get(5)?));
    }
    Ok(values)
}

/// The values on a record that is no customer's, and whether no other record has them.
fn values_of_record(
    tx: &Transaction<'_>,
    key: &str,
) -> Result<BTreeMap<i64, (Identifier, bool)>, StoreError> {
    let mut rows = tx.prepare_cached(&format!(
        "SELECT i.id, d.name, i.scope, i.key, i.linkable,
           NOT EXISTS(SELECT 1 FROM {CARRIED} x JOIN event o ON o.bundle_id = x.bundle_id
             WHERE x.identifier_id = i.id AND o.standing = 0 AND o.key <> e.key)
         FROM event e JOIN {CARRIED} c ON c.bundle_id = e.bundle_id
           JOIN identifier i ON i.id = c.identifier_id JOIN dict d ON d.id = i.ns
         WHERE e.key = ?1 AND e.standing = 0"
    ))?;
    let mut rows = rows.query([key])?;
    let mut values = BTreeMap::new();
    while let Some(row) = rows.next()? {
        values.insert(row.get(0)?, (codec::read_identifier(row, 1)?, row.get(5)?));
    }
    Ok(values)
}

/// Whether a value is on a record of another customer.
fn others_have(tx: &Transaction<'_>, customer: i64, value: i64) -> Result<bool, StoreError> {
    let mut others = tx.prepare_cached(
        "SELECT EXISTS(
           SELECT 1 FROM (SELECT bundle_id FROM bundle_claim WHERE identifier_id = ?1
                          UNION SELECT bundle_id FROM bundle_bridge WHERE identifier_id = ?1) c
             JOIN member m ON m.bundle_id = c.bundle_id WHERE m.customer_id <> ?2)",
    )?;
    Ok(others.query_row([value, customer], |row| row.get(0))?)
}

/// Whether a revision that is shown no longer has a value, of another record than these.
fn others_had(
    tx: &Transaction<'_>,
    keys: &BTreeSet<String>,
    value: i64,
) -> Result<bool, StoreError> {
    let mut holders = tx.prepare_cached(
        "SELECT e.key FROM past_claim p JOIN event e ON e.seq = p.event_seq
         WHERE p.identifier_id = ?1",
    )?;
    let mut holders = holders.query([value])?;
    while let Some(row) = holders.next()? {
        if !keys.contains(&row.get::<_, String>(0)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The keys of a customer's events, and of events of nobody that carry what the customer alone has.
pub(crate) fn keys(
    tx: &Connection,
    customer: i64,
    values: &BTreeMap<i64, (Identifier, bool)>,
) -> Result<BTreeSet<String>, StoreError> {
    let mut bundles: BTreeSet<i64> = BTreeSet::new();
    {
        let mut rows = tx.prepare_cached("SELECT bundle_id FROM member WHERE customer_id = ?1")?;
        for row in rows.query_map([customer], |row| row.get(0))? {
            bundles.insert(row?);
        }
    }
    for (value, (_, is_own)) in values {
        if !is_own {
            continue;
        }
        let mut rows = tx.prepare_cached(
            "SELECT c.bundle_id FROM (SELECT bundle_id FROM bundle_claim WHERE identifier_id = ?1
                                      UNION SELECT bundle_id FROM bundle_bridge WHERE identifier_id = ?1) c
             WHERE NOT EXISTS(SELECT 1 FROM member m WHERE m.bundle_id = c.bundle_id)",
        )?;
        for row in rows.query_map([value], |row| row.get(0))? {
            bundles.insert(row?);
        }
    }
    let mut keys = BTreeSet::new();
    for bundle in bundles {
        let mut rows = tx.prepare_cached(
            "SELECT key FROM event WHERE bundle_id = ?1 AND standing = 0
               AND NOT EXISTS(SELECT 1 FROM attribution a WHERE a.event_seq = seq)
             UNION ALL SELECT e.key FROM attribution a JOIN event e ON e.seq = a.event_seq
             WHERE a.bundle_id = ?1 AND e.standing = 0",
        )?;
        for row in rows.query_map([bundle], |row| row.get(0))? {
            keys.insert(row?);
        }
    }
    Ok(keys)
}

/// Those of a customer's records that stay, with the bundles that they are at home in: they claim
/// nobody, stand in a conversation or on an order in which another customer has a record, and are of
/// the business, such as that it was resolved. What was taken for the person's goes, and so does what
/// speaks of a record that goes.
fn spared(
    tx: &Transaction<'_>,
    settings: &Settings,
    customer: i64,
    keys: &BTreeSet<String>,
) -> Result<BTreeMap<String, i64>, StoreError> {
    let mut home = tx.prepare_cached(
        "SELECT coalesce(a.home_id, e.bundle_id) AS home
         FROM event e LEFT JOIN attribution a ON a.event_seq = e.seq
         WHERE e.key = ?1 AND e.standing = 0
           AND NOT EXISTS(SELECT 1 FROM bundle_claim c WHERE c.bundle_id = home)
           AND EXISTS(SELECT 1 FROM bundle_bridge x
               JOIN bundle_bridge o ON o.identifier_id = x.identifier_id
               JOIN bundle_claim c ON c.bundle_id = o.bundle_id
               JOIN member m ON m.bundle_id = o.bundle_id
             WHERE x.bundle_id = home AND m.customer_id <> ?2)",
    )?;
    let mut spared = BTreeMap::new();
    for key in keys {
        let home: Option<i64> =
            home.query_row(params![key, customer], |row| row.get(0)).optional()?;
        let observation = ObservationId::of(&settings.tenant, &codec::event_key(key)?);
        // What somebody said of a record is whose it is.
        if let Some(home) = home.filter(|_| !settings.assertions.names(observation)) {
            spared.insert(key.clone(), home);
        }
    }
    if spared.is_empty() {
        return Ok(spared);
    }
    let mut gone: BTreeSet<String> = BTreeSet::new();
    let mut targets: BTreeMap<String, String> = BTreeMap::new();
    for key in keys {
        let Some(event) = codec::shown(tx, key)? else { continue };
        if !is_of_business(&event) || !spared.contains_key(key) {
            spared.remove(key);
            gone.insert(bare(key).to_owned());
            gone.extend(message_id(&event).map(str::to_owned));
        } else if let Some(Value::String(target)) = event.kind.to_json().get("target") {
            targets.insert(key.clone(), bare(target).to_owned());
        }
    }
    // What speaks of what goes; and what speaks of that.
    loop {
        let before = gone.len();
        for (key, target) in &targets {
            if gone.contains(target) {
                gone.insert(bare(key).to_owned());
                spared.remove(key);
            }
        }
        if gone.len() == before {
            return Ok(spared);
        }
    }
}

/// Whether the business did something, by its people or its systems. What is done by somebody unknown
/// is its doing only where it went out, or where customers do not do such a thing.
fn is_of_business(event: &Event) -> bool {
    match &event.kind {
        Kind::FeedbackAnswered(_) | Kind::Reaction(_) => false,
        _ if event.actor.kind.is_business_side() => true,
        kind => {
            let is_known = event.actor.kind != ActorType::Unknown;
            !is_known && (event.direction == Direction::Out || is_step(kind) || is_note(kind))
        }
    }
}

const fn is_note(kind: &Kind) -> bool {
    matches!(kind, Kind::Note(_))
}

/// Whether it is a step of a conversation that says what becomes of it, and nothing of anybody in it.
const fn is_step(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::ConversationStatus(_)
            | Kind::ConversationAssigned(_)
            | Kind::ConversationHandover(_)
            | Kind::ConversationMerged(_)
            | Kind::ConversationSpam(_)
            | Kind::ConversationDeleted(_)
            | Kind::ConversationRestored(_)
            | Kind::SlaApplied(_)
            | Kind::SlaWarned(_)
            | Kind::SlaBreached(_)
            | Kind::SlaMet(_)
            | Kind::CallbackPromised(_)
            | Kind::CallbackDone(_)
    )
}

/// Whether it ends a conversation, or what was promised in it.
const fn is_end(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::ConversationStatus(_)
            | Kind::ConversationMerged(_)
            | Kind::ConversationSpam(_)
            | Kind::ConversationDeleted(_)
            | Kind::ConversationRestored(_)
            | Kind::SlaBreached(_)
            | Kind::SlaMet(_)
            | Kind::CallbackDone(_)
    )
}

/// The id that its channel gave to a message, without its brackets.
fn message_id(event: &Event) -> Option<&str> {
    match &event.kind {
        Kind::Message(message) => message.message_id.as_deref().map(bare),
        _ => None,
    }
}

/// Those of these records that stay that have a name which the person has on a record that goes: by
/// their keys, as they are without it, and when they were recorded.
fn without_names(
    tx: &Transaction<'_>,
    keys: &BTreeSet<String>,
    spared: &BTreeMap<String, i64>,
) -> Result<Vec<(String, Timestamp, Event)>, StoreError> {
    let mut all = Vec::new();
    if spared.is_empty() {
        return Ok(all);
    }
    let mut names: BTreeSet<String> = BTreeSet::new();
    for key in keys {
        let Some(event) = codec::shown(tx, key)? else { continue };
        let of_actor = event.actor.name.as_deref().filter(|_| !is_of_business(&event));
        names.extend(event.name.as_deref().into_iter().chain(of_actor).map(text::folded));
    }
    for key in spared.keys() {
        let Some(event) = codec::shown(tx, key)? else { continue };
        if event.name.as_deref().is_some_and(|name| names.contains(&text::folded(name))) {
            let nameless = Event { name: None, ..event };
            all.push((key.clone(), first_recorded(tx, key)?, nameless));
        }
    }
    Ok(all)
}

/// The rows of all revisions of these records.
fn rows(tx: &Transaction<'_>, keys: &BTreeSet<String>) -> Result<BTreeSet<i64>, StoreError> {
    let mut all = BTreeSet::new();
    for key in keys {
        let mut rows = tx.prepare_cached("SELECT seq FROM event WHERE key = ?1")?;
        for row in rows.query_map([key], |row| row.get(0))? {
            all.insert(row?);
        }
    }
    Ok(all)
}

/// The values that these revisions claimed before they were replaced.
pub(crate) fn once_claimed(
    tx: &Transaction<'_>,
    rows: &BTreeSet<i64>,
) -> Result<BTreeSet<i64>, StoreError> {
    let mut all = BTreeSet::new();
    for row in rows {
        let mut values =
            tx.prepare_cached("SELECT identifier_id FROM past_claim WHERE event_seq = ?1")?;
        for value in values.query_map([row], |row| row.get(0))? {
            all.insert(value?);
        }
    }
    Ok(all)
}

/// Revisions that were about somebody with one of these values, with their keys, of records that may
/// be somebody else's today. One that claims anybody by another value is somebody else's, too, and
/// stays: that it had a value of the person's, or stood on an order or in a conversation of the
/// person's, does not make it the person's.
fn former(
    tx: &Transaction<'_>,
    values: &BTreeMap<i64, (Identifier, bool)>,
    keys: &BTreeSet<String>,
) -> Result<BTreeMap<i64, String>, StoreError> {
    let mut all = BTreeMap::new();
    for (value, (identifier, is_own)) in values {
        if !is_own {
            continue;
        }
        let mut rows = tx.prepare_cached(
            "SELECT e.seq, e.key FROM past_claim p JOIN event e ON e.seq = p.event_seq
             WHERE p.identifier_id = ?1 AND e.standing <> 0",
        )?;
        for row in rows.query_map([value], |row| Ok((row.get(0)?, row.get(1)?)))? {
            let (seq, key): (i64, String) = row?;
            let claimed = claimed_of_persons(tx, seq)?;
            let is_about = if identifier.namespace().is_bridge() {
                claimed.is_empty()
            } else {
                claimed.iter().all(|claimed| values.contains_key(claimed))
            };
            if is_about || keys.contains(&key) {
                all.insert(seq, key);
            }
        }
    }
    Ok(all)
}

/// The values by which a revision that is shown no longer claims a person.
fn claimed_of_persons(tx: &Transaction<'_>, row: i64) -> Result<BTreeSet<i64>, StoreError> {
    let mut values = tx.prepare_cached(
        "SELECT i.id, d.name FROM past_claim p JOIN identifier i ON i.id = p.identifier_id
           JOIN dict d ON d.id = i.ns WHERE p.event_seq = ?1",
    )?;
    let mut values = values.query([row])?;
    let mut claimed = BTreeSet::new();
    while let Some(row) = values.next()? {
        if !Namespace::from_name(&row.get::<_, String>(1)?).is_bridge() {
            claimed.insert(row.get(0)?);
        }
    }
    Ok(claimed)
}

/// Keeps one revision of a record from coming back, as it was told.
fn suppress_revision(
    tx: &Transaction<'_>,
    seal: &Seal,
    row: i64,
    key: &str,
) -> Result<(), StoreError> {
    let (rev, hash): (Option<String>, [u8; 16]) = tx
        .prepare_cached("SELECT rev, hash FROM event WHERE seq = ?1")?
        .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
    suppress(tx, &seal.revision(key, rev.as_deref(), &hash), Timestamp::MAX)
}

/// Whether a value stands for one person wherever it is written. A short code, or a town, stands in
/// what everybody writes.
pub(crate) fn tells_apart(value: &Identifier) -> bool {
    let key = value.key();
    let n_digits = key.chars().filter(char::is_ascii_digit).count();
    let n = key.chars().filter(|c| c.is_alphanumeric()).count();
    match value.namespace() {
        Namespace::Email => key.contains('@'),
        Namespace::Phone | Namespace::WaId => value.is_linkable() || n_digits >= 7,
        Namespace::NationalId => n >= 8,
        Namespace::Address => n_digits > 0 && n >= 8 && key.split_whitespace().nth(1).is_some(),
        _ => false,
    }
}

/// How the person's identifiers are written.
fn traces(
    tx: &Transaction<'_>,
    keys: &BTreeSet<String>,
    own: &BTreeMap<i64, Identifier>,
) -> Result<Traces, StoreError> {
    let own: BTreeSet<&Identifier> = own.values().filter(|value| tells_apart(value)).collect();
    let mut written = BTreeSet::new();
    for key in keys {
        let mut rows = tx.prepare_cached(
            "SELECT iif(packed IS NULL, payload, cx_unpack(packed)) FROM event WHERE key = ?1",
        )?;
        for payload in rows.query_map([key], |row| row.get::<_, String>(0))? {
            let event = codec::event(&payload?)?;
            let claims = event.who.iter().filter(|claim| own.contains(claim.identifier()));
            written.extend(claims.map(|claim| claim.raw().to_owned()));
        }
    }
    Ok(Traces::new(&own, written))
}

/// The edits of what goes, whosever they are taken for: they tell its words, or, where it corrects
/// what stays, go on from there.
fn edits(tx: &Transaction<'_>, keys: &BTreeSet<String>) -> Result<Vec<Event>, StoreError> {
    let (mut names, mut conversations) = (BTreeSet::new(), BTreeSet::new());
    for key in keys {
        let Some(event) = codec::shown(tx, key)? else { continue };
        names.extend(message_id(&event).map(str::to_owned));
        if let Some(talk) = &event.conversation {
            conversations.extend(crate::read::canonical_id(tx, &talk.key)?);
        }
    }
    let mut all = Vec::new();
    {
        let mut rows = tx.prepare_cached(
            "SELECT iif(e.packed IS NULL, e.payload, cx_unpack(e.packed)), c.canonical_id
             FROM event e LEFT JOIN conversation c ON c.id = e.conversation_id
             WHERE e.standing = 0
               AND e.kind = (SELECT id FROM dict WHERE class = 3 AND name = 'message.edited')",
        )?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let conversation: Option<i64> = row.get(1)?;
            // What is spoilt is passed over.
            let Ok(edit) = codec::event(&row.get::<_, String>(0)?) else { continue };
            if !keys.contains(edit.key.as_str()) {
                all.push((conversation, edit));
            }
        }
    }
    if all.is_empty() {
        return Ok(Vec::new());
    }
    // What others have a copy of is theirs.
    for conversation in &conversations {
        for event in waiting::events(tx, *conversation)? {
            if !keys.contains(event.key.as_str())
                && let Some(id) = message_id(&event)
            {
                names.remove(id);
            }
        }
    }
    let mut found = BTreeSet::new();
    loop {
        let before = found.len();
        for (conversation, edit) in &all {
            let target = edit.corrects().unwrap_or_default();
            // An id means something only in its conversation; one with an `@` also outside of any.
            let is_here =
                conversation.map_or_else(|| target.contains('@'), |it| conversations.contains(&it));
            let is_named = keys.contains(target)
                || found.contains(target)
                || is_here && names.contains(bare(target));
            if is_named {
                found.insert(edit.key.as_str().to_owned());
            }
        }
        if found.len() == before {
            let all = all.into_iter().map(|(_, edit)| edit);
            return Ok(all.filter(|edit| found.contains(edit.key.as_str())).collect());
        }
    }
}

/// An edit without what it says.
fn without_words(edit: Event) -> Event {
    let mut left = edit;
    left.body = None;
    left.attachments = Vec::new();
    (left.extra, left.unknown) = (Map::new(), Map::new());
    if let Kind::MessageEdited(edit) = &mut left.kind {
        edit.other = Map::new();
    }
    if let Some(talk) = &mut left.conversation {
        talk.subject = None;
    }
    left
}

/// What is left of the events of somebody who is erased, by when they were recorded: of all where the
/// person becomes anonymous; else of those by which something of others is taken back.
fn left(
    tx: &Transaction<'_>,
    seal: &Seal,
    cid: CustomerId,
    mode: EraseMode,
    keys: &BTreeSet<String>,
    of_others: &OfOthers,
) -> Result<BTreeMap<Timestamp, Vec<Event>>, StoreError> {
    let person = Claim::scoped(
        Namespace::ExternalId,
        "erased",
        &seal.token(&cid.to_string()),
        Role::Subject,
        Assurance::Authenticated,
    )
    .map_err(|error| StoreError::malformed("claim of an erased person", error))?;
    // A message is named with its brackets and without.
    let token = |name: &str| {
        let has_brackets = name.starts_with('<') && name.ends_with('>') && !keys.contains(name);
        seal.token(if has_brackets { bare(name) } else { name })
    };
    let mut left: BTreeMap<Timestamp, Vec<Event>> = BTreeMap::new();
    for key in keys {
        let Some(event) = codec::shown(tx, key)? else { continue };
        let corrected = of_others.corrected.get(key);
        // A conversation that others are in stays one, under the key that it has for them.
        let talk = match &event.conversation {
            Some(talk) if are_others_in(tx, &talk.key, keys)? => Some(talk.key.clone()),
            _ => None,
        };
        let is_needed = corrected.is_some() || talk.is_some() && is_end(&event.kind);
        if mode == EraseMode::Delete && !is_needed {
            continue;
        }
        let Some(mut bare) = event.anonymised(person.clone(), &token) else { continue };
        let mut names_nobody = mode == EraseMode::Delete;
        match (&event.kind, &mut bare.kind) {
            (Kind::ConversationMerged(was), Kind::ConversationMerged(now)) => {
                let into = was.into.as_deref().and_then(|into| into.parse().ok());
                if let Some(into) = into.filter(|_| talk.is_some())
                    && are_others_in(tx, &into, keys)?
                {
                    now.into.clone_from(&was.into);
                }
            }
            (Kind::CallbackDone(was), Kind::CallbackDone(now))
                if was.callback.as_ref().is_some_and(|it| of_others.callbacks.contains(it)) =>
            {
                now.callback.clone_from(&was.callback);
            }
            _ => {}
        }
        if let Some(Corrected { kind, body, conversation }) = corrected {
            bare.kind = kind.clone();
            bare.body.clone_from(body);
            // Where it stands with what it corrects, it is nobody's: what names nobody there goes to
            // whoever was there first.
            if event.conversation.is_none() {
                bare.conversation = conversation.clone().map(ConversationRef::of);
                names_nobody |= bare.conversation.is_some();
            }
            if let Kind::MessageEdited(it) | Kind::MessageRedacted(it) | Kind::MessageDeleted(it) =
                &mut bare.kind
                && keys.contains(&it.target)
            {
                it.target = token(&it.target);
            }
        }
        if let Some(talk) = talk {
            bare.conversation = Some(ConversationRef::of(talk));
        }
        if names_nobody {
            bare.who.clear();
            if !bare.actor.kind.is_business_side() {
                bare.actor = Actor::of(ActorType::System);
            }
        }
        left.entry(first_recorded(tx, key)?).or_default().push(bare);
    }
    Ok(left)
}

/// What records that go say of what others have, and what of it stays.
#[derive(Default)]
struct OfOthers {
    /// The corrections among them of what stays, by their keys.
    corrected: BTreeMap<String, Corrected>,
    /// The ids of calls that were promised, by what stays in their conversations.
    callbacks: BTreeSet<String>,
}

/// What is left of a correction of what others wrote.
struct Corrected {
    /// Of what is gone it is told by its key.
    kind: Kind,
    /// The words that an edit gives to what stays.
    body: Option<Body>,
    /// The conversation of what it corrects.
    conversation: Option<ConversationKey>,
}

impl OfOthers {
    fn of(tx: &Transaction<'_>, keys: &BTreeSet<String>) -> Result<Self, StoreError> {
        let (mut correcting, mut conversations) = (Vec::new(), BTreeSet::new());
        let mut asks = false;
        for key in keys {
            let Some(event) = codec::shown(tx, key)? else { continue };
            if let Some(talk) = &event.conversation {
                conversations.extend(crate::read::canonical_id(tx, &talk.key)?);
            }
            asks |= matches!(event.kind, Kind::CallbackDone(_));
            if event.corrects().is_some() {
                correcting.push(event);
            }
        }
        let mut of_others = Self::default();
        if correcting.is_empty() && !asks {
            return Ok(of_others);
        }
        // What stays, by its ids, with its conversation.
        let mut stays: BTreeMap<String, Option<ConversationKey>> = BTreeMap::new();
        // The last correction that stays of each record, which may never have come.
        let mut last: BTreeMap<String, Event> = BTreeMap::new();
        for conversation in conversations {
            for event in waiting::events(tx, conversation)? {
                if keys.contains(event.key.as_str()) {
                    continue;
                }
                if let Kind::CallbackPromised(promise) = &event.kind {
                    of_others.callbacks.extend(promise.callback.clone());
                }
                if let Some(id) = message_id(&event) {
                    let talk = event.conversation.as_ref().map(|talk| talk.key.clone());
                    stays.insert(id.to_owned(), talk);
                }
                // They come in timeline order.
                if let Some(target) = event.corrects() {
                    last.insert(bare(target).to_owned(), event);
                }
            }
        }
        loop {
            let before = of_others.corrected.len();
            for event in &correcting {
                let key = event.key.as_str();
                let Some(target) = event.corrects() else { continue };
                if of_others.corrected.contains_key(key) {
                    continue;
                }
                let conversation = if let Some(talk) = stays.get(bare(target)) {
                    talk.clone()
                } else if let Some(corrected) = of_others.corrected.get(target) {
                    corrected.conversation.clone()
                } else if !keys.contains(target)
                    && let Some(shown) = codec::shown(tx, target)?
                {
                    shown.conversation.map(|talk| talk.key)
                } else {
                    // The words that it took out, or took the place of, would be back.
                    let is_edit = matches!(event.kind, Kind::MessageEdited(_));
                    let other = last.get(bare(target));
                    let other = other.filter(|last| !is_edit || last.timeline_cmp(event).is_lt());
                    if let Some(other) = other {
                        let talk = other.conversation.as_ref().map(|talk| talk.key.clone());
                        let corrected = Corrected::without_words(event, talk);
                        of_others.corrected.insert(key.to_owned(), corrected);
                    }
                    continue;
                };
                of_others.corrected.insert(key.to_owned(), Corrected::of(tx, event, conversation)?);
            }
            if of_others.corrected.len() == before {
                return Ok(of_others);
            }
        }
    }
}

impl Corrected {
    /// What takes out the words of a record that nobody has.
    fn without_words(event: &Event, conversation: Option<ConversationKey>) -> Self {
        let kind = match event.kind.clone() {
            Kind::MessageEdited(mut it)
            | Kind::MessageRedacted(mut it)
            | Kind::MessageDeleted(mut it) => {
                it.other = Map::new();
                Kind::MessageRedacted(it)
            }
            other => other,
        };
        Self { kind, body: None, conversation }
    }

    fn of(
        tx: &Transaction<'_>,
        event: &Event,
        conversation: Option<ConversationKey>,
    ) -> Result<Self, StoreError> {
        let (mut kind, mut body) = (event.kind.clone(), None);
        if let Kind::MessageEdited(edit) = &mut kind {
            edit.other = Map::new();
            match search::words(tx, std::slice::from_ref(event))?.first() {
                // What was taken out with the edit stays so.
                Some(Words::TakenOut) => kind = Kind::MessageRedacted(edit.clone()),
                // They are the words of what stays.
                Some(Words::AsWritten) if event.actor.kind.is_business_side() => {
                    body = event.body.as_ref().map(|body| Body::text(body.text.clone()));
                }
                _ => {}
            }
        }
        if let Kind::MessageRedacted(it) | Kind::MessageDeleted(it) = &mut kind {
            it.other = Map::new();
        }
        Ok(Self { kind, body, conversation })
    }
}

/// Whether others than these records stand in a conversation.
fn are_others_in(
    tx: &Transaction<'_>,
    talk: &ConversationKey,
    keys: &BTreeSet<String>,
) -> Result<bool, StoreError> {
    let mut others = tx.prepare_cached(
        "SELECT e.key FROM conversation c JOIN event e ON e.conversation_id = c.id
         WHERE c.key = ?1 AND e.standing = 0",
    )?;
    let mut others = others.query([talk.as_str()])?;
    while let Some(row) = others.next()? {
        if !keys.contains(&row.get::<_, String>(0)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes out what was said of these records and values, and what revokes it; and blacks these
/// traces out in why anything else was said, and by whom.
fn unsay(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    keys: &BTreeSet<String>,
    own: &BTreeMap<i64, Identifier>,
    traces: &Traces,
    at: Timestamp,
) -> Result<u64, StoreError> {
    let mut observations = BTreeSet::new();
    for key in keys {
        observations.insert(ObservationId::of(&writer.settings.tenant, &codec::event_key(key)?));
    }
    let own: BTreeSet<&Identifier> = own.values().collect();
    let all = corrections::all(tx)?;
    let mut gone = BTreeSet::new();
    for said in &all {
        let of_them = said.verdict.observations().any(|id| observations.contains(&id))
            || said.verdict.identifiers().iter().any(|value| own.contains(value));
        if of_them {
            gone.insert(said.id());
        }
    }
    add_revocations(&all, &mut gone);
    let left: Vec<&Assertion> = all.iter().filter(|said| !gone.contains(&said.id())).collect();
    let anew = said_anew(&left, traces);
    corrections::forget(tx, writer, &gone, &anew, &observations, at)?;
    Ok(u64::try_from(gone.len()).unwrap_or(u64::MAX))
}

/// Adds what revokes any of these assertions, and what revokes that, in whatever order they stand.
pub(crate) fn add_revocations(all: &[Assertion], these: &mut BTreeSet<AssertionId>) {
    loop {
        let before = these.len();
        for said in all {
            if let Verdict::Revoke(target) = said.verdict
                && these.contains(&target)
            {
                these.insert(said.id());
            }
        }
        if these.len() == before {
            return;
        }
    }
}

/// What becomes of those of these assertions whose reason or author has one of these traces in it,
/// by the names they had. An assertion is named by all that it says: what revokes one of them by its
/// name does so by its new one.
fn said_anew(all: &[&Assertion], traces: &Traces) -> BTreeMap<AssertionId, Assertion> {
    let mut anew: BTreeMap<AssertionId, Assertion> = BTreeMap::new();
    loop {
        let before = anew.clone();
        for said in all {
            let mut left = (*said).clone();
            for text in [&mut left.by].into_iter().chain(&mut left.reason) {
                traces::black(text, traces);
            }
            if let Verdict::Revoke(target) = &mut left.verdict
                && let Some(told) = anew.get(target)
            {
                *target = told.id();
            }
            if left != **said {
                anew.insert(said.id(), left);
            }
        }
        if anew == before {
            return anew;
        }
    }
}

/// Takes out conversations of which nothing is told any more, and folds the others anew.
pub(crate) fn forget_conversations(
    tx: &Transaction<'_>,
    conversations: &BTreeSet<i64>,
) -> Result<(), StoreError> {
    let gone = waiting::forget(tx, conversations)?;
    waiting::refold(tx, &conversations.difference(&gone).copied().collect())
}

/// Forgets that the ids that were given out for a record name it. Gives its observation, and the id
/// that follows from it.
fn forget_ids(
    tx: &Transaction<'_>,
    settings: &Settings,
    key: &str,
) -> Result<(ObservationId, CustomerId), StoreError> {
    let observation = ObservationId::of(&settings.tenant, &codec::event_key(key)?);
    let id = CustomerId::issue(&settings.id_key, observation);
    for id in [id].into_iter().chain(inherited(tx, observation)?) {
        tx.prepare_cached(
            "UPDATE issued SET event_key = '', oid = zeroblob(16)
             WHERE cid = ?1 AND event_key = ?2",
        )?
        .execute(params![&id.as_bytes()[..], key])?;
    }
    Ok((observation, id))
}

/// The ids that name a record although they came from another one, which is gone.
pub(crate) fn inherited(
    tx: &Connection,
    observation: ObservationId,
) -> Result<Vec<CustomerId>, StoreError> {
    let mut ids = tx.prepare_cached("SELECT cid FROM heir WHERE oid = ?1")?;
    let ids = ids.query_map([&observation.as_bytes()[..]], |row| row.get::<_, [u8; 16]>(0))?;
    Ok(ids.map(|id| id.map(CustomerId::from_bytes)).collect::<Result<_, _>>()?)
}

/// Forgets by which key a record is found, and what a model took it for.
pub(crate) fn forget_observation(
    tx: &Transaction<'_>,
    observation: ObservationId,
) -> Result<(), StoreError> {
    for sql in ["DELETE FROM named WHERE oid = ?1", "DELETE FROM heir WHERE oid = ?1"] {
        tx.prepare_cached(sql)?.execute([&observation.as_bytes()[..]])?;
    }
    proposals::forget(tx, observation)
}

/// Takes out those of these values that nothing has any more.
pub(crate) fn forget_identifiers(
    tx: &Transaction<'_>,
    rows: &BTreeSet<i64>,
) -> Result<(), StoreError> {
    let last = |tx: &Transaction<'_>| -> Result<Option<i64>, StoreError> {
        let mut last = tx.prepare_cached("SELECT max(id) FROM identifier")?;
        Ok(last.query_row([], |row| row.get(0))?)
    };
    let before = last(tx)?;
    for row in rows {
        tx.prepare_cached(
            "DELETE FROM identifier WHERE id = ?1
             AND NOT EXISTS(SELECT 1 FROM bundle_claim WHERE identifier_id = ?1)
             AND NOT EXISTS(SELECT 1 FROM bundle_bridge WHERE identifier_id = ?1)
             AND NOT EXISTS(SELECT 1 FROM past_claim WHERE identifier_id = ?1)",
        )?
        .execute([row])?;
    }
    // The feed speaks of values by their numbers: the highest one is not given to another value.
    if let Some(before) = before.filter(|before| last(tx).is_ok_and(|now| now != Some(*before))) {
        tx.prepare_cached(
            "INSERT INTO identifier(id, hash, ns, scope, key, linkable) VALUES(?1, ?2, 0, '', '', 0)",
        )?
        .execute(params![before, &before.to_be_bytes()[..]])?;
    }
    Ok(())
}

/// All erasures, the first one first, as far as they are remembered: whom and how, not what.
pub(crate) fn all(connection: &Connection) -> Result<Vec<ErasureRecord>, StoreError> {
    let mut rows = connection
        .prepare_cached("SELECT cid, mode, at, events, compacted_at FROM erasure ORDER BY id")?;
    let mut rows = rows.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let mode: String = row.get(1)?;
        all.push(ErasureRecord {
            customer: CustomerId::from_bytes(row.get(0)?),
            mode: if mode == "anonymise" { EraseMode::Anonymise } else { EraseMode::Delete },
            erased_at: codec::timestamp(row.get(2)?)?,
            events: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
            compacted_at: row.get::<_, Option<i64>>(4)?.map(codec::timestamp).transpose()?,
        });
    }
    Ok(all)
}

/// What is remembered of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErasureRecord {
    /// Who was erased.
    pub customer: CustomerId,
    /// How.
    pub mode: EraseMode,
    /// When, in UTC.
    pub erased_at: Timestamp,
    /// How many events were taken out or made anonymous.
    pub events: u64,
    /// When the file was rewritten, so that nothing is left in it; `None` until then.
    pub compacted_at: Option<Timestamp>,
}

/// What a compaction did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compaction {
    /// When, in UTC.
    pub compacted_at: Timestamp,
    /// How large the file was, in bytes.
    pub bytes_before: u64,
    /// How large it is.
    pub bytes_after: u64,
    /// The erasures of which nothing is left in the file from now on.
    pub erasures: Vec<ErasureRecord>,
}

/// How much memory the rewriting takes for either of the two files, in KiB, where what it puts
/// aside goes to a file: it reads and writes from the beginning to the end.
const REWRITING: i64 = 32_768;

fn rewrite(connection: &mut Connection) -> Result<(), StoreError> {
    let room: i64 = connection.pragma_query_value(None, "cache_size", |row| row.get(0))?;
    connection.pragma_update(None, "cache_size", -REWRITING)?;
    let done = connection.execute_batch("VACUUM");
    let back = connection.pragma_update(None, "cache_size", room);
    Ok(done.and(back)?)
}

/// Rewrites the file, so that nothing of what was erased is left in free space.
pub(crate) fn compact(
    connection: &mut Connection,
    at: Timestamp,
    aside: Aside,
) -> Result<Compaction, StoreError> {
    let bytes = |connection: &Connection| -> Result<u64, StoreError> {
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let size = i64::from(PAGE_SIZE);
        Ok(u64::try_from(pages.saturating_mul(size)).unwrap_or(0))
    };
    let bytes_before = bytes(connection)?;
    // What others take out from here on may be in free space again.
    let last = |table: &str| -> Result<i64, StoreError> {
        let sql = format!("SELECT coalesce(max(id), 0) FROM {table}");
        Ok(connection.query_row(&sql, [], |row| row.get(0))?)
    };
    let (last_erasure, last_retention) = (last("erasure")?, last("retention")?);
    connection.execute_batch("INSERT INTO event_fts(event_fts) VALUES('optimize')")?;
    schema::put_aside(connection, aside, rewrite)?;
    schema::empty_log(connection)?;
    for (table, last) in [("erasure", last_erasure), ("retention", last_retention)] {
        let sql =
            format!("UPDATE {table} SET compacted_at = ?1 WHERE compacted_at IS NULL AND id <= ?2");
        connection.prepare(&sql)?.execute([at.as_micros(), last])?;
    }
    let bytes_after = bytes(connection)?;
    let erasures = all(connection)?.into_iter().filter(|it| it.compacted_at == Some(at)).collect();
    Ok(Compaction { compacted_at: at, bytes_before, bytes_after, erasures })
}
