//! Everything derived, made anew from the facts in a database of its own, and compared with what
//! a file holds.

use std::collections::HashSet;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, TransactionBehavior};

use crate::derived::Settings;
use crate::error::StoreError;
use crate::facts::{self, Fact};
use crate::ingest::{Dictionary, Writing};
use crate::past::Past;
use crate::{codec, corrections, schema, search};

/// How many facts are taken in at once.
const BATCH: usize = 10_000;

/// A database that is gone when it is closed, with everything derived from the facts of a file
/// under the same settings.
pub(crate) fn rebuild(
    connection: &Connection,
    settings: &Settings,
) -> Result<Connection, StoreError> {
    let mut fresh = schema::open_temporary()?;
    let mut settings = settings.clone();
    // What is in force is what the file says, whatever was known of it before.
    (settings.said, settings.assertions) = corrections::in_force(connection)?;
    let mut dictionary = Dictionary::default();
    let mut batch: Vec<Fact> = Vec::new();
    let mut flush = |batch: Vec<Fact>| -> Result<(), StoreError> {
        let tx = fresh.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut writer = Writing { dictionary: &mut dictionary, settings: &mut settings };
        facts::restore(&tx, &mut writer, batch)?;
        Ok(tx.commit()?)
    };
    for (assertion, recorded_at) in corrections::recorded(connection, Past::today())? {
        batch.push(Fact::Assertion(assertion, recorded_at));
    }
    facts::events(connection, |event| {
        batch.push(Fact::Event(Box::new(event)));
        if batch.len() >= BATCH { flush(std::mem::take(&mut batch)) } else { Ok(()) }
    })?;
    flush(batch)?;
    loop {
        let tx = fresh.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let is_more = search::catch_up(&tx, search::STEP)? == search::STEP;
        tx.commit()?;
        if !is_more {
            return Ok(fresh);
        }
    }
}

/// Rows as they can be told without the numbers that a file gives them.
struct Told {
    what: &'static str,
    sql: &'static str,
}

/// Everything that answers are made of, and the indexes by which it is found.
const TOLD: &[Told] = &[
    Told {
        what: "tables and indexes",
        // The numbers of kinds stand in one index.
        sql: "SELECT type, name, tbl_name, iif(name IN ('event_standing', 'event_correcting'), NULL, sql)
              FROM sqlite_master WHERE name NOT LIKE 'sqlite%'",
    },
    Told {
        what: "columns of events",
        sql: "SELECT e.key, e.rev, e.hash, e.standing, e.ts, e.src_seq, s.name, h.name, k.name,
                e.direction, e.visibility, e.codec, iif(e.standing = 0, u.hash, NULL),
                iif(e.standing = 0, c.key, NULL)
              FROM event e LEFT JOIN dict s ON s.id = e.source AND s.class = 1
                LEFT JOIN dict h ON h.id = e.channel AND h.class = 2
                LEFT JOIN dict k ON k.id = e.kind AND k.class = 3
                LEFT JOIN bundle u ON u.id = e.bundle_id
                LEFT JOIN conversation c ON c.id = e.conversation_id",
    },
    Told {
        what: "bundles",
        sql: "SELECT hash, name_key, name, first_seen, last_seen, n, anchor_recorded, anchor_oid,
                anchor_key, nobody, registered FROM bundle WHERE n > 0",
    },
    Told {
        what: "claims",
        sql: "SELECT u.hash, i.hash, c.assurance, c.caveat, c.links
              FROM bundle u JOIN bundle_claim c ON c.bundle_id = u.id
                LEFT JOIN identifier i ON i.id = c.identifier_id WHERE u.n > 0",
    },
    Told {
        what: "bridges",
        sql: "SELECT u.hash, i.hash, x.first_seen, x.n
              FROM bundle u JOIN bundle_bridge x ON x.bundle_id = u.id
                LEFT JOIN identifier i ON i.id = x.identifier_id WHERE u.n > 0",
    },
    Told {
        what: "identifiers",
        sql: "SELECT i.hash, d.name, i.scope, i.key, i.linkable, i.hub, i.contested
              FROM identifier i LEFT JOIN dict d ON d.id = i.ns AND d.class = 4
              WHERE EXISTS(SELECT 1 FROM bundle_claim c JOIN bundle u ON u.id = c.bundle_id
                           WHERE c.identifier_id = i.id AND u.n > 0)
                OR EXISTS(SELECT 1 FROM bundle_bridge x JOIN bundle u ON u.id = x.bundle_id
                          WHERE x.identifier_id = i.id AND u.n > 0)",
    },
    Told {
        what: "values seen with others",
        sql:
            "SELECT i.hash, rtrim(w.what, '0123456789'), iif(w.what LIKE 'n%', w.what, o.hash), w.n
              FROM seen_with w JOIN identifier i ON i.id = w.identifier_id LEFT JOIN identifier o
                ON o.id = CAST(substr(w.what, length(rtrim(w.what, '0123456789')) + 1) AS INTEGER)",
    },
    Told {
        what: "members of customers",
        sql: "SELECT u.hash, c.cid FROM member m JOIN bundle u ON u.id = m.bundle_id
                LEFT JOIN customer c ON c.id = m.customer_id",
    },
    Told {
        what: "anchors of customers",
        sql: "SELECT cid, anchor_recorded, anchor_oid FROM customer",
    },
    Told {
        what: "attributions",
        sql: "SELECT e.key, u.hash, h.hash, a.by_time
              FROM attribution a LEFT JOIN event e ON e.seq = a.event_seq
                LEFT JOIN bundle u ON u.id = a.bundle_id LEFT JOIN bundle h ON h.id = a.home_id",
    },
    Told {
        what: "conversations",
        sql:
            "SELECT c.key, o.key
              FROM conversation c LEFT JOIN conversation o ON o.id = c.canonical_id
              WHERE EXISTS(SELECT 1 FROM event e WHERE e.conversation_id = c.id AND e.standing = 0)",
    },
    Told {
        what: "other keys of conversations",
        sql: "SELECT a.key, o.key
              FROM conversation_alias x LEFT JOIN conversation a ON a.id = x.alias_id
                LEFT JOIN conversation o ON o.id = x.of_id",
    },
    Told {
        what: "open conversations",
        sql: "SELECT c.key, w.waiting_since, w.due_at, w.theirs, w.at
              FROM open_conversation w LEFT JOIN conversation c ON c.id = w.conversation_id",
    },
    Told {
        what: "counts by channel",
        sql: "SELECT u.hash, d.name, s.n FROM bundle_stat s JOIN bundle u ON u.id = s.bundle_id
                LEFT JOIN dict d ON d.id = s.channel AND d.class = 2 WHERE u.n > 0",
    },
    Told {
        what: "counts by source",
        sql: "SELECT d.name, s.last_event, s.last_import, s.n
              FROM source_stat s LEFT JOIN dict d ON d.id = s.source AND d.class = 1",
    },
    Told {
        what: "claims of the past",
        sql: "SELECT i.hash, e.key, e.rev, e.hash
              FROM past_claim p LEFT JOIN identifier i ON i.id = p.identifier_id
                LEFT JOIN event e ON e.seq = p.event_seq",
    },
];

/// The words of the full text index; its rows are told by the events they are of.
const WORDS: &str = "SELECT e.key, e.hash, v.term, v.col, v.offset
    FROM temp.cx_words v JOIN event e ON e.seq = v.doc";

/// Says what in a file is not what its facts give.
pub(crate) fn differences(
    connection: &Connection,
    settings: &Settings,
) -> Result<Vec<String>, StoreError> {
    let fresh = rebuild(connection, settings)?;
    let mut differences = Vec::new();
    for told in TOLD {
        differences.extend(difference(connection, &fresh, told.what, told.sql, &HashSet::new())?);
    }
    // What is not indexed yet is not looked for.
    let mut later = connection.prepare("SELECT key, hash FROM event WHERE seq > ?1")?;
    let mut later = later.query([search::indexed_until(connection)?])?;
    let mut without = HashSet::new();
    while let Some(row) = later.next()? {
        without.insert((row.get::<_, String>(0)?, row.get::<_, [u8; 16]>(1)?));
    }
    for side in [connection, &fresh] {
        // Only the schema of the connection itself is written to.
        side.pragma_update(None, "query_only", false)?;
        side.execute_batch(
            "CREATE VIRTUAL TABLE temp.cx_words USING fts5vocab(main, event_fts, instance)",
        )?;
    }
    let words = difference(connection, &fresh, "words of the index", WORDS, &without);
    for side in [connection, &fresh] {
        side.execute_batch("DROP TABLE temp.cx_words")?;
    }
    differences.extend(words?);
    Ok(differences)
}

fn difference(
    stored: &Connection,
    fresh: &Connection,
    what: &str,
    sql: &str,
    without: &HashSet<(String, [u8; 16])>,
) -> Result<Option<String>, StoreError> {
    let (mut is, mut should) = (Sum::default(), Sum::default());
    each(stored, sql, without, |hash, _| is.add(hash))?;
    each(fresh, sql, without, |hash, _| should.add(hash))?;
    if is == should {
        return Ok(None);
    }
    let mut right: HashSet<u128> = HashSet::new();
    each(fresh, sql, without, |hash, _| {
        right.insert(hash);
    })?;
    let mut strange = None;
    each(stored, sql, without, |hash, row| {
        if !right.remove(&hash) && strange.is_none() {
            strange = Some(shown(row));
        }
    })?;
    let mut missing = None;
    each(fresh, sql, without, |hash, row| {
        if missing.is_none() && right.contains(&hash) {
            missing = Some(shown(row));
        }
    })?;
    let strange = strange.map_or_else(String::new, |row| format!("; ({row}) should not be there"));
    let missing = missing.map_or_else(String::new, |row| format!("; ({row}) should"));
    let (has, gives) = (is.n, should.n);
    Ok(Some(format!(
        "{what} are not what the facts give: {has} rows, not {gives}{strange}{missing}"
    )))
}

/// How many rows there are, and the sum of their hashes: the same for the same rows in any order.
#[derive(Default, PartialEq, Eq)]
struct Sum {
    n: u64,
    sum: u128,
}

impl Sum {
    fn add(&mut self, hash: u128) {
        self.n += 1;
        self.sum = self.sum.wrapping_add(hash);
    }
}

/// Reads rows, each with a hash of all its columns, but for those of these events.
fn each(
    connection: &Connection,
    sql: &str,
    without: &HashSet<(String, [u8; 16])>,
    mut take: impl FnMut(u128, &Row<'_>),
) -> Result<(), StoreError> {
    let mut statement = connection.prepare(sql)?;
    let n_columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if !without.is_empty() && without.contains(&(row.get(0)?, row.get(1)?)) {
            continue;
        }
        let mut hasher = blake3::Hasher::new();
        for column in 0..n_columns {
            let (kind, bytes): (u8, &[u8]) = match row.get_ref(column)? {
                ValueRef::Null => (0, &[]),
                ValueRef::Integer(number) => {
                    hasher.update(&[1]);
                    hasher.update(&number.to_le_bytes());
                    continue;
                }
                ValueRef::Real(_) => (2, &[]),
                ValueRef::Text(text) => (3, text),
                ValueRef::Blob(bytes) => (4, bytes),
            };
            hasher.update(&[kind]);
            hasher.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(bytes);
        }
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        take(u128::from_le_bytes(hash), row);
    }
    Ok(())
}

/// A row in words.
fn shown(row: &Row<'_>) -> String {
    let mut columns = Vec::new();
    let mut at = 0;
    while let Ok(value) = row.get_ref(at) {
        columns.push(match value {
            ValueRef::Null => "-".to_owned(),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => number.to_string(),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            ValueRef::Blob(bytes) => codec::hex(bytes),
        });
        at += 1;
    }
    columns.join(", ")
}
