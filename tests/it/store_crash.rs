//! A writing process is killed at random moments: what it had acknowledged is there, nothing is
//! there by half, and everything derived equals a rebuild.
//!
//! The test starts itself again as the writing process. `CX_CRASH_CYCLES` says how often it is
//! killed (`cargo xtask crash` does so 1,000 times), `CX_CRASH_SEED` at which moments.

use std::env;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use cx_tests::chance::Chance;
use cx_tests::opening;
use cx_tests::promises::{self, Told, Wrong, look};

const FILE: &str = "CX_CRASH_FILE";
const FROM: &str = "CX_CRASH_FROM";
const LIES: &str = "CX_CRASH_LIES";
/// What a writer says when it has opened the file.
const OPENED: &str = "opened";

/// How often one file is killed before the next one is begun; a check reads all of a file.
const KILLS_OF_A_FILE: u64 = 25;
/// How many batches the longest life is long, at the pace of the machine.
const LONGEST_LIFE: u64 = 8;

/// The writing process: it tells every step on standard output once the store has acknowledged it.
#[test]
#[ignore = "the writing process; started, and killed, by the test of crashes"]
fn writes_until_it_is_killed() {
    let Ok(path) = env::var(FILE) else { return };
    let from: u64 = env::var(FROM).unwrap().parse().unwrap();
    let lies = env::var_os(LIES).is_some();
    let store = opening::open(&path).unwrap();
    println!("\n{OPENED}");
    let tell = |step: &str, number: u64| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{step} {number}").unwrap();
        out.flush().unwrap();
    };
    for number in from.. {
        if lies {
            tell("kept", number);
        }
        let tell = |step: &str, number| {
            if !lies {
                tell(step, number);
            }
        };
        promises::write(&store, number, tell).unwrap();
    }
}

/// Reads a line of what the killed process had told.
fn take(told: &mut Told, line: &str) {
    if let Some((step, number)) = line.split_once(' ')
        && let Ok(number) = number.parse()
    {
        told.take(step, number);
    }
}

/// Since when a writer lives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Since {
    /// Its process was started: it may be killed while it opens the file.
    Start,
    /// It has opened the file.
    Opening,
}

/// A process that writes to this file from this batch on.
fn writer(path: &Path, from: u64, lies: bool) -> Child {
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
    writer.spawn().unwrap()
}

/// How long the longest life is on this machine now, in microseconds: so many batches are
/// acknowledged in it.
fn longest_life() -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer(&folder.path().join("paced.cx"), 0, false);
    let out = BufReader::new(writer.stdout.take().unwrap());
    let (mut opened, mut told) = (Instant::now(), Told::default());
    for line in out.lines().map_while(Result::ok) {
        if line == OPENED {
            opened = Instant::now();
        }
        take(&mut told, &line);
        if told.kept.len() >= usize::try_from(LONGEST_LIFE).unwrap() {
            break;
        }
    }
    let long = opened.elapsed();
    writer.kill().unwrap();
    writer.wait().unwrap();
    u64::try_from(long.as_micros()).unwrap()
}

/// Writes to this file from this batch on, and is killed after that long.
fn life(path: &Path, from: u64, since: Since, microseconds: u64, lies: bool, told: &mut Told) {
    let mut writer = writer(path, from, lies);
    let out = BufReader::new(writer.stdout.take().unwrap());
    let (opened, is_opened) = mpsc::channel();
    let lines = thread::spawn(move || {
        let lines = out.lines().map_while(Result::ok);
        let seen = |line: &String| {
            if line == OPENED {
                // Nobody may wait for it.
                let _gone = opened.send(());
            }
        };
        lines.inspect(seen).collect::<Vec<_>>()
    });
    if since == Since::Opening {
        // A writer that ends before it has opened anything is looked at below.
        let _ended = is_opened.recv();
    }
    thread::sleep(Duration::from_micros(microseconds));
    writer.kill().unwrap();
    let ended = writer.wait_with_output().unwrap();
    assert!(
        ended.status.code().is_none(),
        "the writer failed before it was killed: {}",
        String::from_utf8_lossy(&ended.stderr)
    );
    for line in lines.join().unwrap() {
        take(told, &line);
    }
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

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|words| words.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn a_killed_writer_loses_nothing_that_it_acknowledged() {
    let cycles = number("CX_CRASH_CYCLES", 15);
    let mut chance = Chance::seeded(number("CX_CRASH_SEED", 1));
    let longest = longest_life();
    let mut tally = Tally::default();
    while tally.kills < cycles {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("killed.cx");
        let (mut from, mut told) = (0, Told::default());
        for _ in 0..KILLS_OF_A_FILE.min(cycles - tally.kills) {
            let before = told.kept.len();
            let since = if chance.below(4) == 0 { Since::Start } else { Since::Opening };
            life(&path, from, since, chance.below(longest), false, &mut told);
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
    let longest = longest_life();
    for _ in 0..200 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lies.cx");
        let mut told = Told::default();
        life(&path, 0, Since::Opening, chance.below(longest), true, &mut told);
        let (_, wrong) = look(&path, &told);
        if wrong.iter().any(|wrong| matches!(wrong, Wrong::Lost { .. })) {
            return;
        }
    }
    panic!("200 kills of a writer that lies, and nothing was missed");
}
