//! Questions: contexts of small and large customers, search, who is waiting, a scan of everything.

use std::collections::BTreeMap;
use std::path::Path;

use cx_core::context::ContextOptions;
use cx_core::identifier::{Identifier, Namespace, Who};
use cx_core::time::Timestamp;
use cx_store::{SearchQuery, Store};

use crate::Options;
use crate::clock::{Clock, Laps};
use crate::figure::Figure;
use crate::load::{chunks, count};

/// How many customers of each size are asked for.
const ASKED: usize = 400;

/// The figures of the file that the section before has left.
pub(crate) fn figures(options: &Options) -> Vec<Figure> {
    let path = options.folder.join("bulk.cx");
    let (people, now) = people(options);
    let everybody: Vec<&Identifier> = people.keys().collect();
    let mut all = Vec::new();
    let asking = ContextOptions::at(now);

    // Cold: a new connection, and the file out of the page cache where that can be asked for.
    let mut cold = Laps::default();
    for person in spread(&everybody, 20) {
        drop_cache(&path);
        let store = Store::open_read_only(&path, None).unwrap();
        let who = Who::Identifier(person.clone());
        cold.time(|| store.context(&who, &asking).unwrap());
    }
    all.push(Figure::new("context, cold, opening aside, µs, 50 of 100", cold.micros(50)));

    let store = Store::open_read_only(&path, None).unwrap();
    let random = spread(&everybody, ASKED);
    all.extend(contexts(&store, &random, &asking, "context, random customer", Some(150.0), None));
    for size in [20_u32, 200, 2000] {
        let of_size: Vec<&Identifier> = people
            .iter()
            .filter(|(_, n)| (size * 7 / 10..=size * 13 / 10).contains(n))
            .map(|(person, _)| person)
            .collect();
        if !of_size.is_empty() {
            let asked = spread(&of_size, ASKED);
            let name = format!("context, about {size} events");
            let target = (size == 200).then_some(1000.0);
            all.extend(contexts(&store, &asked, &asking, &name, None, target));
        }
    }

    for words in ["factura jacket", "Rechnung", "reissverschluss defekt", "#1234*"] {
        let mut laps = Laps::default();
        for _ in 0..10 {
            laps.time(|| store.search(&SearchQuery::new(words)).unwrap());
        }
        all.push(Figure::new(format!("search {words:?}, µs, 50 of 100"), laps.micros(50)));
    }
    let mut laps = Laps::default();
    let mut n = 0;
    for _ in 0..3 {
        n = laps.time(|| store.who_is_waiting(now).unwrap()).len();
    }
    all.push(Figure::new(format!("who is waiting, {n} matters, µs, 50 of 100"), laps.micros(50)));
    let (mut clock, mut scanned) = (Clock::default(), 0);
    clock.time(|| scanned = store.events().map(Result::unwrap).count());
    all.push(Figure::new("scan of all events, CPU µs an event", clock.cpu * 1e6 / count(scanned)));
    all
}

/// Twice each: the first time warms.
fn contexts(
    store: &Store,
    asked: &[&Identifier],
    asking: &ContextOptions,
    name: &str,
    median: Option<f64>,
    tail: Option<f64>,
) -> Vec<Figure> {
    let mut laps = Laps::default();
    for is_measured in [false, true] {
        for person in asked {
            let who = Who::Identifier((*person).clone());
            if is_measured {
                laps.time(|| store.context(&who, asking).unwrap());
            } else {
                store.context(&who, asking).unwrap();
            }
        }
    }
    let mut figures = laps.figures(name);
    if let Some(target) = median {
        figures[0] = figures[0].clone().at_most(target);
    }
    if let Some(target) = tail {
        figures[2] = figures[2].clone().at_most(target);
    }
    figures
}

/// Every mail address with the number of events that name it, and when the last one was.
fn people(options: &Options) -> (BTreeMap<Identifier, u32>, Timestamp) {
    let mut people = BTreeMap::new();
    let mut now = Timestamp::MIN;
    for event in chunks(options, 10_000).flatten() {
        now = now.max(event.occurred_at);
        for claim in &event.who {
            let identifier = claim.identifier();
            if *identifier.namespace() == Namespace::Email {
                *people.entry(identifier.clone()).or_insert(0) += 1;
            }
        }
    }
    (people, now)
}

/// So many of a list, evenly.
fn spread<'a>(list: &[&'a Identifier], n: usize) -> Vec<&'a Identifier> {
    let step = (list.len() / n).max(1);
    list.iter().step_by(step).take(n).copied().collect()
}

/// Asks the system to forget what it holds of a file; what it keeps is warm all the same.
fn drop_cache(path: &Path) {
    let of = format!("if={}", path.display());
    let done = std::process::Command::new("dd")
        .args([&of, "iflag=nocache", "count=0", "status=none"])
        .status();
    assert!(done.is_ok_and(|status| status.success()), "dd of GNU coreutils is needed");
}
