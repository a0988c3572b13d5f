//! Facts as lines of JSON: the format in which a store moves to another version or another engine.
//!
//! The first line names the store; then come what was said, what happened, and the rest; the last
//! line counts them. All of it is told in docs/operations.md.

use std::str::FromStr;

use cx_core::event::Event;
use cx_core::identity::{Assertion, Policy};
use cx_core::ids::IdKey;
use cx_core::retention::Retention;
use cx_core::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::codec;
use crate::corrections;
use crate::error::StoreError;
use crate::facts::{Fact, FactCounts, RecordedEvent, StoredChange, StoredRetention};
use crate::proposals::LastRun;
use crate::report::Recording;

/// The version of this format. Since version 2 the last line counts the others.
pub(crate) const VERSION: u64 = 2;

/// Whether lines of this version have a last one that counts the others.
pub(crate) const fn has_end(version: u64) -> bool {
    version >= 2
}

/// A line behind the first one.
#[derive(Debug)]
pub(crate) enum Line {
    Fact(Fact),
    /// The last one: how many facts of each kind there are.
    End(FactCounts),
}

/// What the first line says: whose facts these are, and how customers are derived from them.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) tenant: String,
    pub(crate) id_key: IdKey,
    pub(crate) policy: Policy,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadLine {
    fact: String,
    v: u64,
    cx: String,
    tenant: String,
    id_key: String,
    policy: Policy,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AssertionLine {
    fact: String,
    kind: String,
    a: String,
    b: String,
    by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    at: Timestamp,
    recorded_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventLine {
    fact: String,
    recorded_at: Timestamp,
    adapter: String,
    adapter_version: String,
    /// The hash of the whole event, where some of it was blacked out since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whole: Option<String>,
    event: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeLine {
    fact: String,
    seq: i64,
    at: Timestamp,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    b: Option<String>,
    n: i64,
    cause: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assertion: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuedLine {
    fact: String,
    customer: String,
    observation: String,
    key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProposalLine {
    fact: String,
    a: String,
    b: String,
    relation: String,
    weight: i64,
    told: String,
    /// By which model it was found, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SuppressedLine {
    fact: String,
    hash: String,
    until: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ErasureLine {
    fact: String,
    at: Timestamp,
    mode: String,
    customer: String,
    events: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compacted_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetentionLine {
    fact: String,
    at: Timestamp,
    rules: Retention,
    events: i64,
    revisions: i64,
    customers: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compacted_at: Option<Timestamp>,
}

/// By counts, and not by a hash: the same facts lie in another order in another file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    fact: String,
    counts: FactCounts,
}

/// The last line.
pub(crate) fn end(counts: &FactCounts) -> Result<String, StoreError> {
    written(&EndLine { fact: "end".to_owned(), counts: counts.clone() })
}

/// The first line.
pub(crate) fn head(head: &Head) -> Result<String, StoreError> {
    written(&HeadLine {
        fact: "store".to_owned(),
        v: VERSION,
        cx: env!("CARGO_PKG_VERSION").to_owned(),
        tenant: head.tenant.clone(),
        id_key: codec::hex(head.id_key.as_bytes()),
        policy: head.policy.clone(),
    })
}

/// Reads the first line, and in which version it is written; an error says what is wrong with it.
pub(crate) fn read_head(line: &str) -> Result<(Head, u64), String> {
    let object = object(line)?;
    if object.get("fact").and_then(Value::as_str) != Some("store") {
        return Err("the first line of facts names the store: {\"fact\": \"store\", …}".to_owned());
    }
    let version = object.get("v").and_then(Value::as_u64);
    if version.is_none_or(|version| version > VERSION) {
        let found = object.get("v").cloned().unwrap_or_default();
        return Err(format!("written in version {found}; this cx reads up to {VERSION}"));
    }
    let line: HeadLine = read(object)?;
    let id_key = IdKey::new(bytes("id_key", &line.id_key)?);
    let version = line.v;
    Ok((Head { tenant: line.tenant, id_key, policy: line.policy }, version))
}

/// A fact as a line.
pub(crate) fn line(fact: &Fact) -> Result<String, StoreError> {
    let named = |name: &str| name.to_owned();
    match fact {
        Fact::Assertion(assertion, recorded_at) => {
            let (a, b) = corrections::columns(&assertion.verdict);
            written(&AssertionLine {
                fact: named("assertion"),
                kind: assertion.verdict.name().to_owned(),
                a,
                b,
                by: assertion.by.clone(),
                reason: assertion.reason.clone(),
                at: assertion.at,
                recorded_at: *recorded_at,
            })
        }
        Fact::Event(recorded) => written(&EventLine {
            fact: named("event"),
            recorded_at: recorded.recording.recorded_at,
            adapter: recorded.recording.adapter.clone(),
            adapter_version: recorded.recording.adapter_version.clone(),
            whole: recorded.whole.map(|hash| codec::hex(&hash)),
            event: recorded.event.to_json(),
        }),
        Fact::Change(change) => written(&ChangeLine {
            fact: named("change"),
            seq: change.seq,
            at: change.at,
            kind: change.kind.clone(),
            a: change.a.map(|id| id.to_string()),
            b: change.b.map(|id| id.to_string()),
            n: change.n,
            cause: change.cause.clone(),
            assertion: change.assertion.map(|id| id.to_string()),
            values: change.values.clone(),
        }),
        Fact::Issued { customer, observation, key } => written(&IssuedLine {
            fact: named("issued"),
            customer: customer.to_string(),
            observation: observation.to_string(),
            key: key.clone(),
        }),
        Fact::Proposal { a, b, relation, weight, told, run } => written(&ProposalLine {
            fact: named("proposal"),
            a: a.to_string(),
            b: b.to_string(),
            relation: relation.clone(),
            weight: *weight,
            told: told.clone(),
            model: run.as_ref().map(|run| run.model.clone()),
            at: run.as_ref().map(|run| run.at),
        }),
        Fact::Suppressed { hash, until } => written(&SuppressedLine {
            fact: named("suppressed"),
            hash: codec::hex(hash),
            until: *until,
        }),
        Fact::Erasure { at, mode, customer, events, compacted_at } => written(&ErasureLine {
            fact: named("erasure"),
            at: *at,
            mode: mode.clone(),
            customer: customer.to_string(),
            events: *events,
            compacted_at: *compacted_at,
        }),
        Fact::Retention(run) => written(&RetentionLine {
            fact: named("retention"),
            at: run.at,
            rules: run.rules.clone(),
            events: run.events,
            revisions: run.revisions,
            customers: run.customers,
            compacted_at: run.compacted_at,
        }),
    }
}

/// Reads a line behind the first one; an error says what is wrong with it.
pub(crate) fn read_line(line: &str) -> Result<Line, String> {
    let object = object(line)?;
    if object.get("fact").and_then(Value::as_str) == Some("end") {
        return read::<EndLine>(object).map(|line| Line::End(line.counts));
    }
    let fact = read_fact(object)?;
    fact.sound().map_err(|error| error.to_string())?;
    Ok(Line::Fact(fact))
}

fn read_fact(object: Map<String, Value>) -> Result<Fact, String> {
    let fact = object.get("fact").and_then(Value::as_str).unwrap_or_default().to_owned();
    match fact.as_str() {
        "assertion" => {
            let line: AssertionLine = read(object)?;
            let verdict = corrections::verdict(&line.kind, &line.a, &line.b)
                .map_err(|error| error.to_string())?;
            let assertion = Assertion { verdict, by: line.by, reason: line.reason, at: line.at };
            Ok(Fact::Assertion(assertion, line.recorded_at))
        }
        "event" => {
            let line: EventLine = read(object)?;
            let event = Event::from_json(line.event).map_err(|error| error.to_string())?;
            let recording = Recording {
                recorded_at: line.recorded_at,
                adapter: line.adapter,
                adapter_version: line.adapter_version,
            };
            let whole = line.whole.map(|hash| bytes("whole", &hash)).transpose()?;
            Ok(Fact::Event(Box::new(RecordedEvent { recording, event, whole })))
        }
        "change" => {
            let line: ChangeLine = read(object)?;
            for value in &line.values {
                codec::identifier(value).map_err(|_| format!("values: {value:?} is none"))?;
            }
            Ok(Fact::Change(StoredChange {
                seq: line.seq,
                at: line.at,
                kind: line.kind,
                a: line.a.map(|id| id_of("a", &id)).transpose()?,
                b: line.b.map(|id| id_of("b", &id)).transpose()?,
                n: line.n,
                cause: line.cause,
                assertion: line.assertion.map(|id| id_of("assertion", &id)).transpose()?,
                values: line.values,
            }))
        }
        "issued" => {
            let line: IssuedLine = read(object)?;
            Ok(Fact::Issued {
                customer: id_of("customer", &line.customer)?,
                observation: id_of("observation", &line.observation)?,
                key: line.key,
            })
        }
        "proposal" => {
            let line: ProposalLine = read(object)?;
            let (a, b) = (id_of("a", &line.a)?, id_of("b", &line.b)?);
            let (relation, weight, told) = (line.relation, line.weight, line.told);
            let run = line.model.zip(line.at).map(|(model, at)| LastRun { model, at });
            Ok(Fact::Proposal { a, b, relation, weight, told, run })
        }
        "suppressed" => {
            let line: SuppressedLine = read(object)?;
            Ok(Fact::Suppressed { hash: bytes("hash", &line.hash)?, until: line.until })
        }
        "erasure" => {
            let line: ErasureLine = read(object)?;
            Ok(Fact::Erasure {
                at: line.at,
                mode: line.mode,
                customer: id_of("customer", &line.customer)?,
                events: line.events,
                compacted_at: line.compacted_at,
            })
        }
        "retention" => {
            let line: RetentionLine = read(object)?;
            Ok(Fact::Retention(StoredRetention {
                at: line.at,
                rules: line.rules,
                events: line.events,
                revisions: line.revisions,
                customers: line.customers,
                compacted_at: line.compacted_at,
            }))
        }
        "store" => Err("the store is named on the first line only".to_owned()),
        other => Err(format!("fact: {other:?} is none that this cx knows")),
    }
}

fn written(line: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(line).map_err(|error| StoreError::malformed("fact", error))
}

fn object(line: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(line).map_err(|error| format!("not a JSON object: {error}"))
}

fn read<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(object)).map_err(|error| error.to_string())
}

fn id_of<T: FromStr<Err: std::fmt::Display>>(field: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{field}: {error}"))
}

fn bytes<const N: usize>(field: &str, text: &str) -> Result<[u8; N], String> {
    let wrong = || format!("{field}: {text:?} is not {} digits of base 16", 2 * N);
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        let digits = text.get(2 * at..2 * at + 2).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_no_digit() {
        assert_eq!(bytes::<2>("hash", "0aFf"), Ok([0x0a, 0xff]));
        for text in ["+a+f", "0a", "0a0g", "0aé"] {
            let error = bytes::<2>("hash", text).unwrap_err();
            assert_eq!(error, format!("hash: {text:?} is not 4 digits of base 16"));
        }
    }
}
