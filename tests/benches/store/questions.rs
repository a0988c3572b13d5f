//! Questions: contexts of small and large customers, search, who is waiting, a scan of everything.

use std::collections::BTreeMap;
use std::path::Path;

use cx_core::context::ContextOptions;
use cx_core::event::Event;
use cx_core::identifier::{Assurance, Claim, Identifier, Namespace, Role, Who};
use cx_core::time::{Micros, Timestamp};
use cx_store::{Recording, SearchQuery, Store};

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
    let nothing = Store::open_read_only(&path, None).unwrap();
    nothing.remember(0);
    let name = "context, random customer, nothing remembered";
    all.extend(contexts(&nothing, &random, &asking, name, None, None));
    let compressed = Store::open_read_only(options.folder.join("compressed.cx"), None).unwrap();
    compressed.remember(0);
    let name = "context, random customer, compressed, nothing remembered";
    all.extend(contexts(&compressed, &random, &asking, name, None, None));
    drop(compressed);
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
            let name = format!("{name}, nothing remembered");
            all.extend(contexts(&nothing, &asked, &asking, &name, None, None));
        }
    }
    all.extend(beside_writes(&path, &random, &asking));

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
    let mut laps = Laps::default();
    for _ in 0..10 {
        laps.time(|| store.first_waiting(now, 50).unwrap());
    }
    all.push(Figure::new("who is waiting, the first 50, µs, 50 of 100", laps.micros(50)));
    let (mut clock, mut scanned) = (Clock::default(), 0);
    clock.time(|| scanned = store.events().map(Result::unwrap).count());
    all.push(Figure::new("scan of all events, CPU µs an event", clock.cpu * 1e6 / count(scanned)));
    all
}

/// The same customers while somebody writes: an event comes in before each question.
fn beside_writes(path: &Path, asked: &[&Identifier], asking: &ContextOptions) -> Vec<Figure> {
    // What is written is gone afterwards.
    let copy = path.with_extension("copy.cx");
    std::fs::copy(path, &copy).unwrap();
    let (store, writer) = (Store::open(&copy).unwrap(), Store::open(&copy).unwrap());
    let recording = Recording::new(asking.as_of, "bench");
    let mut news = cx_core::synthetic::Company::of_events(99, 10_000);
    let mut laps = Laps::default();
    for is_measured in [false, true] {
        for person in asked.iter().take(100) {
            let who = Who::Identifier((*person).clone());
            if let Some(event) = news.next().filter(|_| is_measured) {
                let event = Event { occurred_at: asking.as_of, ..event };
                writer.ingest(&recording, [event]).unwrap();
                laps.time(|| store.context(&who, asking).unwrap());
            } else {
                store.context(&who, asking).unwrap();
            }
        }
    }
    drop((store, writer));
    std::fs::remove_file(&copy).unwrap();
    laps.figures("context, random customer, an event before each question")
}

/// One customer with nearly all events, up to a million of them, many in one conversation.
pub(crate) fn one_customer(options: &Options) -> Vec<Figure> {
    let path = options.folder.join("one.cx");
    let store = fresh_store(&path);
    let n = options.events.min(1_000_000);
    let jan = Claim::new(Namespace::Email, "jan@example.nl", Role::From, Assurance::ChannelProved);
    let mut last = Timestamp::MIN;
    let mut events = chunks(options, 100_000).flatten().take(n).peekable();
    while events.peek().is_some() {
        let batch: Vec<Event> = events
            .by_ref()
            .take(100_000)
            .map(|mut event| {
                event.who = jan.iter().cloned().collect();
                event.name = None;
                last = last.max(event.occurred_at);
                event
            })
            .collect();
        store.ingest(&Recording::new(last, "bench"), batch).unwrap();
    }
    let who = Who::parse("jan@example.nl", None).unwrap();
    let before = resident_megabytes();
    let (mut first, mut again) = (Laps::default(), Laps::default());
    for at in 0..5 {
        let asking = ContextOptions::at(last + Micros::SECOND.times(at));
        store.remember(64 << 20);
        first.time(|| store.context(&who, &asking).unwrap());
        again.time(|| store.context(&who, &asking).unwrap());
    }
    let name = format!("context of one customer with {n} events");
    let mut all = vec![
        Figure::new(format!("{name}, first, µs, 50 of 100"), first.micros(50)),
        Figure::new(format!("{name}, again, µs, 50 of 100"), again.micros(50)),
    ];
    if let (Some(before), Some(after)) = (before, resident_megabytes()) {
        all.push(Figure::new(format!("{name}, memory it takes, in megabytes"), after - before));
    }
    all
}

fn fresh_store(path: &Path) -> Store {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        drop(std::fs::remove_file(file));
    }
    Store::open(path).unwrap()
}

fn resident_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(count(kilobytes) / 1024.0)
}

/// Twice each: the first time warms, the second is asked a minute later.
fn contexts(
    store: &Store,
    asked: &[&Identifier],
    asking: &ContextOptions,
    name: &str,
    median: Option<f64>,
    tail: Option<f64>,
) -> Vec<Figure> {
    let mut laps = Laps::default();
    let later = ContextOptions { as_of: asking.as_of + Micros::MINUTE, ..asking.clone() };
    for is_measured in [false, true] {
        for person in asked {
            let who = Who::Identifier((*person).clone());
            if is_measured {
                laps.time(|| store.context(&who, &later).unwrap());
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
