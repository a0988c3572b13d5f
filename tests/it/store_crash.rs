//! A writing process is killed at random moments: what it had acknowledged is there, nothing is
//! there by half, and everything derived equals a rebuild.
//!
//! The test starts itself again as the writing process. `CX_CRASH_CYCLES` says how often it is
//! killed (`cargo xtask crash` does so 1,000 times), `CX_CRASH_SEED` at which moments.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::identity::{Assertion, Subject, Verdict};
use cx_core::time::Micros;
use cx_store::{EraseMode, Recording, Store};
use cx_tests::chance::Chance;
use cx_tests::story;

const FILE: &str = "CX_CRASH_FILE";
const FROM: &str = "CX_CRASH_FROM";
const LIES: &str = "CX_CRASH_LIES";

/// How often one file is killed before the next one is begun; a check reads all of a file.
const KILLS_OF_A_FILE: u64 = 25;
/// The longest that a writer lives, in microseconds; opening the file takes the first part of it.
const LONGEST_LIFE: u64 = 250_000;

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

fn gone(batch: u64) -> String {
    format!("gone{batch}@example.nl")
}

fn batch(batch: u64) -> Vec<Event> {
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

/// The writing process: it tells every step on standard output once the store has acknowledged it.
#[test]
#[ignore = "the writing process; started, and killed, by the test of crashes"]
fn writes_until_it_is_killed() {
    let Ok(path) = env::var(FILE) else { return };
    let from: u64 = env::var(FROM).unwrap().parse().unwrap();
    let lies = env::var_os(LIES).is_some();
    let store = Store::open(&path).unwrap();
    let tell = |step: &str, number: u64| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{step} {number}").unwrap();
        out.flush().unwrap();
    };
    let anchor = |mail: &str| {
        store.anchor(&Who::parse(mail, None).unwrap()).unwrap().map(Subject::Observation)
    };
    for number in from.. {
        let at = story::monday() + Micros::MINUTE.times(i64::try_from(number).unwrap());
        if lies {
            tell("kept", number);
        }
        store.ingest(&Recording::new(at, "test"), batch(number)).unwrap();
        if !lies {
            tell("kept", number);
        }
        if has_assertion(number) {
            let one = anchor(&format!("p{}@example.nl", number % 17));
            let other = anchor(&format!("p{}@example.nl", number * 3 % 17));
            if let (Some(one), Some(other)) = (one, other)
                && one != other
            {
                let verdict = if number.is_multiple_of(2) {
                    Verdict::Same(one, other)
                } else {
                    Verdict::Different(one, other)
                };
                let reason = Some(format!("said {number}"));
                store
                    .assert(&Assertion { verdict, by: "agent:7".to_owned(), reason, at }, at)
                    .unwrap();
                tell("said", number);
            }
        }
        if has_erasure(number) {
            let who = Who::parse(&gone(number), None).unwrap();
            store.erase(&who, EraseMode::Delete, at).unwrap();
            tell("erased", number);
        }
    }
}

/// What the killed process had told, by step.
#[derive(Debug, Default)]
struct Told {
    kept: Vec<u64>,
    said: Vec<u64>,
    erased: Vec<u64>,
}

impl Told {
    fn take(&mut self, line: &str) {
        let Some((step, number)) = line.split_once(' ') else { return };
        let Ok(number) = number.parse() else { return };
        match step {
            "kept" => self.kept.push(number),
            "said" => self.said.push(number),
            "erased" => self.erased.push(number),
            _ => {}
        }
    }
}

/// Writes to this file from this batch on, and is killed after that long.
fn life(path: &Path, from: u64, microseconds: u64, lies: bool, told: &mut Told) {
    let mut writer = Command::new(env::current_exe().unwrap());
    writer
        .args(["--exact", "store_crash::writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(FILE, path)
        .env(FROM, from.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if lies {
        writer.env(LIES, "1");
    }
    let mut writer = writer.spawn().unwrap();
    let out = BufReader::new(writer.stdout.take().unwrap());
    let lines = thread::spawn(move || out.lines().map_while(Result::ok).collect::<Vec<_>>());
    thread::sleep(Duration::from_micros(microseconds));
    writer.kill().unwrap();
    let ended = writer.wait_with_output().unwrap();
    assert!(
        ended.status.code().is_none(),
        "the writer failed before it was killed: {}",
        String::from_utf8_lossy(&ended.stderr)
    );
    for line in lines.join().unwrap() {
        told.take(&line);
    }
}

/// What is wrong with a file after its writer was killed.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    Lost { batch: u64 },
    Half { batch: u64, found: u64 },
    Unsaid { batch: u64 },
    NotErased { batch: u64 },
    NotClean { problems: Vec<String> },
}

#[derive(Debug, Default)]
struct Tally {
    kills: u64,
    kept: u64,
    said: u64,
    erased: u64,
    /// Kills that found a batch in the file that had not been acknowledged yet.
    between: u64,
    /// Kills before the writer had acknowledged anything.
    early: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, kept, said, erased, between, early } = self;
        write!(
            f,
            "{kills} kills: {kept} batches, {said} assertions and {erased} erasures acknowledged; \
             {between} kills between commit and acknowledgement, {early} before the first one"
        )
    }
}

/// The oracle: looks for everything that was told, in a file whose writer is dead. Gives the batch
/// to go on with.
fn look(path: &Path, told: &Told) -> (u64, Vec<Wrong>) {
    let store = Store::open(path).unwrap();
    let mut found: BTreeMap<u64, u64> = BTreeMap::new();
    let mut gone: Vec<u64> = Vec::new();
    for event in store.events() {
        let key = event.unwrap().key.to_string();
        if let Some(batch) = key.strip_prefix("gone-") {
            gone.push(batch.parse().unwrap());
        } else {
            let batch = key.strip_prefix('b').unwrap().split('-').next().unwrap();
            *found.entry(batch.parse().unwrap()).or_default() += 1;
        }
    }
    let reasons: Vec<String> =
        store.assertions().unwrap().into_iter().filter_map(|said| said.reason).collect();
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
    let report = store.check().unwrap();
    if !report.is_clean() {
        wrong.push(Wrong::NotClean { problems: report.problems });
    }
    let next = found.last_key_value().map_or(0, |(batch, _)| batch + 1);
    (next, wrong)
}

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|words| words.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn a_killed_writer_loses_nothing_that_it_acknowledged() {
    let cycles = number("CX_CRASH_CYCLES", 15);
    let mut chance = Chance::seeded(number("CX_CRASH_SEED", 1));
    let mut tally = Tally::default();
    while tally.kills < cycles {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("killed.cx");
        let (mut from, mut told) = (0, Told::default());
        for _ in 0..KILLS_OF_A_FILE.min(cycles - tally.kills) {
            let before = told.kept.len();
            life(&path, from, chance.below(LONGEST_LIFE), false, &mut told);
            tally.kills += 1;
            tally.early += u64::from(told.kept.len() == before);
            let (next, wrong) = look(&path, &told);
            assert_eq!(wrong, [], "after kill {}", tally.kills);
            tally.between += told.kept.last().map_or(next, |last| next - last - 1);
            from = next;
        }
        tally.kept += u64::try_from(told.kept.len()).unwrap();
        tally.said += u64::try_from(told.said.len()).unwrap();
        tally.erased += u64::try_from(told.erased.len()).unwrap();
    }
    println!("{tally}");
    assert!(tally.kept > 0, "no writer lived long enough to keep anything: {tally}");
}

/// The control: the oracle finds out a writer that acknowledges what it has not kept yet.
#[test]
fn a_writer_that_acknowledges_too_early_is_found_out() {
    let mut chance = Chance::seeded(2);
    for _ in 0..200 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lies.cx");
        let mut told = Told::default();
        life(&path, 0, chance.below(LONGEST_LIFE), true, &mut told);
        let (_, wrong) = look(&path, &told);
        if wrong.iter().any(|wrong| matches!(wrong, Wrong::Lost { .. })) {
            return;
        }
    }
    panic!("200 kills of a writer that lies, and nothing was missed");
}
