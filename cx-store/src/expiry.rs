//! Expiry: which rules of retention are in force, and which records are over under them.

use std::collections::HashMap;

use cx_core::event::Event;
use cx_core::retention::{Retention, Rule};
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::codec;
use crate::error::StoreError;

/// The rules that the last retention put in force, and the instant up to which it went.
#[derive(Debug, Clone)]
pub(crate) struct Expiry {
    rules: Retention,
    retained_at: Timestamp,
}

impl Expiry {
    /// What is in force; `None` where there never was a retention.
    pub(crate) fn in_force(connection: &Connection) -> Result<Option<Self>, StoreError> {
        let mut last = connection
            .prepare_cached("SELECT rules, at FROM retention ORDER BY id DESC LIMIT 1")?;
        let last: Option<(String, i64)> =
            last.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((rules, at)) = last else { return Ok(None) };
        Ok(Some(Self { rules: read(&rules)?, retained_at: codec::timestamp(at)? }))
    }

    /// Whether a record is too old to come in when it is recorded, or was too old already when the
    /// rules were last applied.
    pub(crate) fn covers(&self, event: &Event, recorded_at: Timestamp) -> bool {
        let now = recorded_at.max(self.retained_at);
        let (kind, channel) = (event.kind.name(), event.channel.name());
        self.rules.is_over(&kind, &channel, event.occurred_at, now)
    }

    /// What is over for what is recorded at an instant.
    pub(crate) fn limits(
        &self,
        connection: &Connection,
        recorded_at: Timestamp,
    ) -> Result<Limits<'_>, StoreError> {
        Limits::new(connection, &self.rules, recorded_at.max(self.retained_at))
    }

    pub(crate) fn into_rules(self) -> Retention {
        self.rules
    }
}

/// Rules as they stand in the file.
pub(crate) fn read(text: &str) -> Result<Retention, StoreError> {
    Retention::read(text).map_err(|error| StoreError::malformed("rule of retention", error))
}

/// Rules, to be written to the file.
pub(crate) fn written(rules: &Retention) -> Result<String, StoreError> {
    serde_json::to_string(rules).map_err(|error| StoreError::malformed("rule of retention", error))
}

/// For each kind and channel, by their numbers in the file: which rule covers it, and the instant
/// before which a record is over.
pub(crate) struct Limits<'a> {
    rules: &'a Retention,
    now: Timestamp,
    names: HashMap<i64, String>,
    known: HashMap<(i64, i64), Option<(usize, i64)>>,
}

impl<'a> Limits<'a> {
    pub(crate) fn new(
        connection: &Connection,
        rules: &'a Retention,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut names = connection.prepare_cached("SELECT id, name FROM dict")?;
        let names = names.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let names = names.collect::<Result<_, _>>()?;
        Ok(Self { rules, now, names, known: HashMap::new() })
    }

    /// The instant before which anything at all may be over, in microseconds.
    pub(crate) fn latest(&self) -> i64 {
        let limits = self.rules.rules.iter().map(|rule| rule.keep.until(self.now).as_micros());
        limits.max().unwrap_or(Timestamp::MIN.as_micros())
    }

    /// The place of the rule by which a record is over; `None` where it is not.
    pub(crate) fn over(&mut self, kind: i64, channel: i64, ts: i64) -> Option<usize> {
        let (rules, now, names) = (self.rules, self.now, &self.names);
        let limit = self.known.entry((kind, channel)).or_insert_with(|| {
            let name = |number: i64| names.get(&number).map_or("", String::as_str);
            let at = rules.rules.iter().position(|rule| rule.covers(name(kind), name(channel)))?;
            let rule = rules.rules.get(at)?;
            Some((at, rule.keep.until(now).as_micros()))
        });
        limit.filter(|(_, until)| ts < *until).map(|(rule, _)| rule)
    }

    /// Whether records of any of these kinds, or of any at all where there are none, that happened
    /// at an instant stay on any channel.
    pub(crate) fn leave_any(&self, kinds: &[&str], ts: i64) -> bool {
        let leaves = |rule: &Rule| rule.keep.until(self.now).as_micros() <= ts;
        let rules = &self.rules.rules;
        if kinds.is_empty() {
            let is_all = |rule: &Rule| rule.kind.is_none() && rule.channel.is_none();
            return rules.iter().any(leaves) || !rules.iter().any(is_all);
        }
        // A channel that no rule names, and each that one does.
        let named = rules.iter().filter_map(|rule| rule.channel.as_deref());
        let stays = |kind: &str, channel: &str| self.rules.of(kind, channel).is_none_or(leaves);
        std::iter::once("").chain(named).any(|it| kinds.iter().any(|kind| stays(kind, it)))
    }

    pub(crate) fn name(&self, number: i64) -> &str {
        self.names.get(&number).map_or("", String::as_str)
    }
}
