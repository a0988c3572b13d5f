//! What a store promises to whoever writes to it, and the oracle that looks whether it was kept
//! after the writer, or the machine, has failed.

use std::collections::BTreeMap;
use std::path::Path;

use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::identity::{Assertion, Subject, Verdict};
use cx_core::time::{Micros, Timestamp};
use cx_store::{EraseMode, Recording, Store, StoreError};

use crate::{opening, story};

/// How many events a batch has, beside the one of whoever is erased.
fn size(batch: u64) -> u64 {
    1 + batch * 7 % 40
}

fn has_assertion(batch: u64) -> bool {
    batch.is_multiple_of(5)
}

fn has_erasure(batch: u64) -> bool {
    batch.is_multiple_of(7)
}

/// Whoever is erased after this batch.
fn gone(batch: u64) -> String {
    format!("gone{batch}@example.nl")
}

/// When a batch is recorded.
///
/// # Panics
/// Where the batch is none of this era.
pub fn at(batch: u64) -> Timestamp {
    story::monday() + Micros::MINUTE.times(i64::try_from(batch).unwrap())
}

/// The events of a batch.
///
/// # Panics
/// As [`at`].
pub fn batch(batch: u64) -> Vec<Event> {
    let minutes = i64::try_from(batch).unwrap();
    let mut events: Vec<Event> = (0..size(batch))
        .map(|number| {
            let person = (batch + number) % 17;
            let claims =
                [format!("email p{person}@example.nl"), format!("phone 06 123400{person:02}")];
            let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
            let key = format!("b{batch}-{number}");
            let event = story::message(&key, minutes, "chat", "Jan de Vries", &claims);
            story::in_conversation(event, &format!("c{}", number % 9))
        })
        .collect();
    if has_erasure(batch) {
        let claim = format!("email {}", gone(batch));
        events.push(story::message(&format!("gone-{batch}"), minutes, "email", "", &[&claim]));
    }
    events
}

/// Writes one step of a store's life: a batch, in some steps what somebody says, in some an
/// erasure; in some all events are compressed, or no longer. `tell` is called with what the store
/// has acknowledged; a step that failed in the middle may be written again.
///
/// # Errors
/// What the store says.
///
/// # Panics
/// As [`at`].
pub fn write(
    store: &Store,
    number: u64,
    mut tell: impl FnMut(&str, u64),
) -> Result<(), StoreError> {
    let at = at(number);
    store.ingest(&Recording::new(at, "test"), batch(number))?;
    tell("kept", number);
    if has_assertion(number) {
        let anchor = |person: u64| -> Result<Option<Subject>, StoreError> {
            let who = Who::parse(&format!("p{}@example.nl", person % 17), None).unwrap();
            Ok(store.anchor(&who)?.map(Subject::Observation))
        };
        if let (Some(one), Some(other)) = (anchor(number)?, anchor(number * 3)?)
            && one != other
        {
            let verdict = if number.is_multiple_of(2) {
                Verdict::Same(one, other)
            } else {
                Verdict::Different(one, other)
            };
            let reason = Some(format!("said {number}"));
            store.assert(&Assertion { verdict, by: "agent:7".to_owned(), reason, at }, at)?;
            tell("said", number);
        }
    }
    if has_erasure(number) {
        let who = Who::parse(&gone(number), None).unwrap();
        match store.erase(&who, EraseMode::Delete, at) {
            // Nobody is left where the step is written a second time.
            Ok(_) | Err(StoreError::NobodyMeant) => tell("erased", number),
            Err(error) => return Err(error),
        }
    }
    // Which changes nothing that was promised.
    match number % 9 {
        3 => drop(store.compress()?),
        8 => drop(store.decompress()?),
        _ => {}
    }
    Ok(())
}

/// What the store has acknowledged, by step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Batches.
    pub kept: Vec<u64>,
    /// Steps with an assertion.
    pub said: Vec<u64>,
    /// Steps with an erasure.
    pub erased: Vec<u64>,
}

impl Told {
    /// Notes an acknowledgement.
    pub fn take(&mut self, step: &str, number: u64) {
        match step {
            "kept" => self.kept.push(number),
            "said" => self.said.push(number),
            "erased" => self.erased.push(number),
            _ => {}
        }
    }
}

/// What is wrong with a file whose writer has failed.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It cannot be opened, or read.
    Unreadable {
        /// What the store said.
        error: String,
    },
    /// An acknowledged batch is not there.
    Lost {
        /// Which.
        batch: u64,
    },
    /// A batch is there in part, or more than once.
    Half {
        /// Which.
        batch: u64,
        /// How many of its events are there.
        found: u64,
    },
    /// An acknowledged assertion is not there.
    Unsaid {
        /// Its step.
        batch: u64,
    },
    /// Somebody whose erasure was acknowledged is there.
    NotErased {
        /// The step.
        batch: u64,
    },
    /// `check` has something to say.
    NotClean {
        /// What.
        problems: Vec<String>,
    },
}

impl Wrong {
    /// Whether it is a loss of something that was acknowledged.
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Unsaid { .. } | Self::NotErased { .. })
    }
}

/// The oracle: looks for everything that was told, in a file whose writer is dead. Gives the batch
/// to go on with, and what is wrong.
pub fn look(path: &Path, told: &Told) -> (u64, Vec<Wrong>) {
    match found(path, told) {
        Ok(found) => found,
        Err(error) => (0, vec![Wrong::Unreadable { error: error.to_string() }]),
    }
}

fn found(path: &Path, told: &Told) -> Result<(u64, Vec<Wrong>), StoreError> {
    let store = opening::open(path)?;
    let mut found: BTreeMap<u64, u64> = BTreeMap::new();
    let mut gone: Vec<u64> = Vec::new();
    for event in store.events() {
        let key = event?.key.to_string();
        if let Some(batch) = key.strip_prefix("gone-") {
            gone.push(batch.parse().unwrap());
        } else {
            let batch = key.strip_prefix('b').unwrap().split('-').next().unwrap();
            *found.entry(batch.parse().unwrap()).or_default() += 1;
        }
    }
    let reasons: Vec<String> =
        store.assertions()?.into_iter().filter_map(|said| said.reason).collect();
    let mut wrong = Vec::new();
    for &batch in told.kept.iter().filter(|batch| !found.contains_key(batch)) {
        wrong.push(Wrong::Lost { batch });
    }
    for (&batch, &found) in found.iter().filter(|&(&batch, &found)| found != size(batch)) {
        wrong.push(Wrong::Half { batch, found });
    }
    for &batch in told.said.iter().filter(|batch| !reasons.contains(&format!("said {batch}"))) {
        wrong.push(Wrong::Unsaid { batch });
    }
    for &batch in told.erased.iter().filter(|batch| gone.contains(batch)) {
        wrong.push(Wrong::NotErased { batch });
    }
    let report = store.check()?;
    if !report.is_clean() {
        wrong.push(Wrong::NotClean { problems: report.problems });
    }
    Ok((found.last_key_value().map_or(0, |(batch, _)| batch + 1), wrong))
}
