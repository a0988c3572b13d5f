//! A store that grows event by event.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::identity::{Assertions, Observation};
use cx_core::ids::ObservationId;
use cx_core::time::Timestamp;
use cx_store::{Recording, Store, StoreOptions, TimelineQuery};
use cx_tests::agreement::float;
use cx_tests::chance::Chance;
use cx_tests::trap_stream::{PersonLabel, TENANT};

use crate::figure::Figure;
use crate::traps::{self, SEPARATIONS};

/// How many events come at once while the store is filled.
const BATCH: usize = 100;

/// The figures of a store in memory: half of the stream in batches, then somebody's word about 200
/// pairs, then the rest one by one; every arrival in another order than it happened.
pub(crate) fn figures(stream: Vec<(Event, PersonLabel)>) -> Vec<Figure> {
    let (facts, labels) = traps::facts(&stream);
    let mut events: Vec<Event> = stream.into_iter().map(|(event, _)| event).collect();
    Chance::seeded(1).shuffle(&mut events);
    let options = StoreOptions { tenant: TENANT.to_owned(), ..StoreOptions::default() };
    let store = Store::open_in_memory_with(options).unwrap();
    let recording = Recording::new(Timestamp::from_seconds(1_800_000_000).unwrap(), "benchmark");
    let (first, rest) = events.split_at(events.len() / 2);
    let start = Instant::now();
    for batch in first.chunks(BATCH) {
        store.ingest(&recording, batch.iter().cloned()).unwrap();
    }
    let in_batches = start.elapsed();
    let pairs = traps::joined(&partition(&store, first), &labels);
    let said: Vec<_> = pairs.iter().map(|(a, b)| traps::different(*a, *b)).collect();
    for said in &said {
        store.assert(said, recording.recorded_at).unwrap();
    }
    let mut steps: Vec<Duration> = Vec::with_capacity(rest.len());
    for event in rest {
        let start = Instant::now();
        store.ingest(&recording, [event.clone()]).unwrap();
        steps.push(start.elapsed());
    }
    steps.sort_unstable();
    let grown = partition(&store, &events);
    let whole = traps::population(&facts, &Assertions::new(said)).partition();
    let micros = |time: Duration, n: usize| time.as_secs_f64() * 1e6 / count(n.max(1));
    let step =
        |of_hundred: usize| micros(steps[(steps.len() * of_hundred / 100).min(steps.len() - 1)], 1);
    vec![
        Figure::new("events", count(events.len())),
        Figure::new("microseconds an event, in batches of 100", micros(in_batches, first.len())),
        Figure::new("microseconds an event, one by one, 50 of 100", step(50)),
        Figure::new("microseconds an event, one by one, 99 of 100", step(99)),
        Figure::new("microseconds an event, one by one, the slowest", step(100)),
        Figure::new(
            "events with other companions than when derived all at once",
            count(traps::moved(&whole, &grown)),
        )
        .at_most(0.0),
        Figure::new(
            "separations that hold while the rest arrives",
            count(traps::n_apart(&grown, &pairs)),
        )
        .at_least(count(SEPARATIONS)),
    ]
}

/// Who is with whom in the store, of these events.
fn partition(store: &Store, events: &[Event]) -> BTreeSet<Vec<ObservationId>> {
    let id = |event: &Event| Observation::of(TENANT, event).id;
    let mut alone: BTreeSet<ObservationId> = events.iter().map(id).collect();
    let mut sets = BTreeSet::new();
    for customer in store.customers(None, usize::MAX).unwrap() {
        let query = TimelineQuery::new().limit(100_000);
        let page = store.timeline(&Who::Customer(customer), &query, None).unwrap();
        let mut members: Vec<ObservationId> = page.events.iter().map(id).collect();
        members.sort_unstable();
        for member in &members {
            alone.remove(member);
        }
        if !members.is_empty() {
            sets.insert(members);
        }
    }
    sets.extend(alone.into_iter().map(|alone| vec![alone]));
    sets
}

fn count(n: usize) -> f64 {
    float(n.try_into().unwrap())
}
