//! The machine is not as it should be: the disk is full, may only be read, another process writes
//! or holds the file, the clock goes backwards.
//!
//! A full disk and one that may only be read are real ones: the test starts itself again in a
//! mount namespace of its own. Where the system does not allow that, it says so.

use std::env;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use cx_core::context::ContextOptions;
use cx_core::identifier::Who;
use cx_core::time::{Micros, Timestamp};
use cx_store::{EraseMode, Recording, Store, StoreError};
use cx_tests::opening;
use cx_tests::promises::{self, Told, look};
use cx_tests::story;

const FOLDER: &str = "CX_MACHINE_FOLDER";
const FROM: &str = "CX_MACHINE_FROM";

/// Runs an ignored test of this binary, behind these words of a shell.
fn start(test: &str, folder: &Path, before: &str) -> Output {
    let own = env::current_exe().unwrap();
    let test = format!("store_machine::{test}");
    let script = format!("{before}exec \"$0\" --exact {test} --ignored --nocapture");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-e", "-c", &script]);
    command.arg(own).env(FOLDER, folder).output().unwrap()
}

/// Whether this system lets a process mount something for itself.
fn can_mount() -> bool {
    let mount = ["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"];
    let can = Command::new("unshare").args(mount).output().is_ok_and(|out| out.status.success());
    if !can {
        println!("skipped: no process may mount anything here, so no disk can be filled");
    }
    can
}

fn succeeded(output: &Output) {
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

#[test]
fn a_full_disk_is_told_and_what_was_acknowledged_stays() {
    if can_mount() {
        let folder = tempfile::tempdir().unwrap();
        let mount = format!("mount -t tmpfs -o size=3m none \"${FOLDER}\"; ");
        succeeded(&start("fills_its_disk", folder.path(), &mount));
    }
}

#[test]
#[ignore = "started by the test of a full disk, on a disk of 3 MB"]
fn fills_its_disk() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    let path = folder.join("full.cx");
    let reserve = folder.join("reserve");
    std::fs::write(&reserve, vec![1; 600_000]).unwrap();
    let store = opening::open(&path).unwrap();
    let mut told = Told::default();
    let mut failed = None;
    for number in 0..10_000 {
        match promises::write(&store, number, |step, number| told.take(step, number)) {
            Ok(()) => {}
            Err(error) => {
                failed = Some((number, error));
                break;
            }
        }
    }
    let (number, error) = failed.unwrap();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    assert!(told.kept.len() > 5, "{told:?}");
    // Questions are answered, and copies fail without leaving half of one.
    let now = promises::at(number);
    let who = Who::parse("p1@example.nl", None).unwrap();
    assert!(store.context(&who, &ContextOptions::at(now)).unwrap().customer.is_some());
    let copy = folder.join("copy.cx");
    let copied = store.backup(&copy);
    assert!(matches!(copied, Err(StoreError::DiskFull { .. })), "{copied:?}");
    assert!(!copy.exists());
    let compacted = store.compact(now);
    assert!(matches!(compacted, Err(StoreError::DiskFull { .. })), "{compacted:?}");
    assert!(store.check().unwrap().is_clean());
    drop(store);
    assert_eq!(look(&path, &told).1, []);
    // With room again it goes on where it stopped.
    std::fs::remove_file(&reserve).unwrap();
    let store = opening::open(&path).unwrap();
    promises::write(&store, number, |step, number| told.take(step, number)).unwrap();
    store.erase(&who, EraseMode::Delete, now).unwrap();
    assert!(store.find(&who).unwrap().customers.is_empty());
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_process_that_may_write_no_larger_files_is_told_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let own = env::current_exe().unwrap();
    let script = "trap '' XFSZ; ulimit -f 4000; exec \"$0\" --exact \
                  store_machine::reaches_its_limit --ignored --nocapture";
    let mut command = Command::new("sh");
    command.args(["-e", "-c", script]).arg(own).env(FOLDER, folder.path());
    succeeded(&command.output().unwrap());
}

#[test]
#[ignore = "started with a limit to the size of files"]
fn reaches_its_limit() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let path = Path::new(&folder).join("limited.cx");
    let store = opening::open(&path).unwrap();
    let mut told = Told::default();
    let failed = (0..10_000).find_map(|number| {
        promises::write(&store, number, |step, number| told.take(step, number)).err()
    });
    let is_told =
        matches!(failed, Some(StoreError::DiskFull { .. } | StoreError::DiskFailed { .. }));
    assert!(is_told, "{failed:?}");
    assert!(told.kept.len() > 5, "{told:?}");
    drop(store);
    assert_eq!(look(&path, &told).1, []);
}

#[test]
fn a_disk_that_may_only_be_read_is_read() {
    if can_mount() {
        let folder = tempfile::tempdir().unwrap();
        let mount = format!("mount -t tmpfs -o size=30m none \"${FOLDER}\"; ");
        succeeded(&start("makes_its_disk_read_only", folder.path(), &mount));
    }
}

#[test]
#[ignore = "started by the test of a disk that may only be read"]
fn makes_its_disk_read_only() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let path = Path::new(&folder).join("read.cx");
    let store = opening::open(&path).unwrap();
    promises::write(&store, 1, |_, _| {}).unwrap();
    let counts = store.counts().unwrap();
    // As a process leaves it that was killed.
    let killed = Path::new(&folder).join("killed.cx");
    for suffix in ["", "-wal"] {
        let name = |of: &str| Path::new(&folder).join(format!("{of}.cx{suffix}"));
        std::fs::copy(name("read"), name("killed")).unwrap();
    }
    drop(store);
    let remounted = Command::new("mount").args(["-o", "remount,ro", &folder]).status().unwrap();
    assert!(remounted.success());
    let store = opening::open(&path).unwrap();
    assert_eq!(store.counts().unwrap(), counts);
    let refused = promises::write(&store, 2, |_, _| {});
    assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
    let refused = opening::open(Path::new(&folder).join("new.cx"));
    assert!(matches!(refused, Err(StoreError::CannotOpen { .. })), "{refused:?}");
    if cfg!(feature = "encryption") {
        // That of an encrypted file has to be decrypted first.
        assert!(opening::open(&killed).is_err());
    } else {
        let killed = Store::open_read_only(&killed, None).unwrap();
        assert_eq!(killed.counts().unwrap(), counts);
        assert!(killed.check().unwrap().is_clean());
    }
    // It is read without locks; what another one writes is seen all the same.
    let remounted = Command::new("mount").args(["-o", "remount,rw", &folder]).status().unwrap();
    assert!(remounted.success());
    let other = opening::open(&path).unwrap();
    promises::write(&other, 2, |_, _| {}).unwrap();
    let counts = other.counts().unwrap();
    drop(other);
    assert_eq!(store.counts().unwrap(), counts);
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_file_that_another_holds_is_locked_and_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("held.cx");
    // Not encrypted: the other one has no key.
    let store = Store::open(&path).unwrap();
    promises::write(&store, 1, |_, _| {}).unwrap();
    let counts = store.counts().unwrap();
    let holder = rusqlite::Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let refused = promises::write(&store, 2, |_, _| {});
    assert!(matches!(refused, Err(StoreError::Locked { .. })), "{refused:?}");
    assert!(began.elapsed().as_secs() < 60, "it does not wait for ever");
    assert_eq!(store.counts().unwrap(), counts, "whoever reads does not wait");
    holder.execute_batch("COMMIT").unwrap();
    promises::write(&store, 2, |_, _| {}).unwrap();
    assert!(store.check().unwrap().is_clean());
}

#[test]
#[ignore = "started, twice, by the test of two processes"]
fn writes_every_other_step() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let from: u64 = env::var(FROM).unwrap().parse().unwrap();
    let store = opening::open(Path::new(&folder).join("shared.cx")).unwrap();
    for number in (from..40).step_by(2) {
        // On a busy machine the other one may write for longer than a writer waits. That is told,
        // and the step is taken again.
        let mut tries = std::iter::repeat_with(|| promises::write(&store, number, |_, _| {}));
        let is_locked =
            |tried: &Result<(), StoreError>| matches!(tried, Err(StoreError::Locked { .. }));
        tries.by_ref().take(100).find(|tried| !is_locked(tried)).unwrap().unwrap();
    }
}

#[test]
fn two_processes_write_and_a_third_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.cx");
    let store = opening::open(&path).unwrap();
    let mut writers = Vec::new();
    for from in ["0", "1"] {
        let mut writer = Command::new(env::current_exe().unwrap());
        writer
            .args(["--exact", "store_machine::writes_every_other_step", "--ignored"])
            .env(FOLDER, folder.path())
            .env(FROM, from)
            .stdout(std::process::Stdio::piped());
        writers.push(writer.spawn().unwrap());
    }
    let mut looks = 0;
    while writers.iter_mut().any(|writer| writer.try_wait().unwrap().is_none()) {
        // One that has been open all the time knows what others have said since.
        let report = store.check().unwrap();
        assert!(report.is_clean(), "{:?}", report.problems);
        looks += 1;
    }
    for writer in writers {
        succeeded(&writer.wait_with_output().unwrap());
    }
    assert!(looks > 0);
    let said = store.assertions().unwrap();
    assert!(!said.is_empty());
    let all = Told { kept: (0..40).collect(), ..Told::default() };
    promises::write(&store, 41, |_, _| {}).unwrap();
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{:?}", report.problems);
    drop(store);
    assert_eq!(look(&path, &all).1, []);
}

#[test]
#[ignore = "another process that reads and leaves; started by the test below"]
fn reads_and_leaves() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let store = opening::open(Path::new(&folder).join("held.cx")).unwrap();
    store.counts().unwrap();
}

/// Whoever leaves a file last takes its log away: nobody does that as long as a store is open in
/// it, whatever else its process has opened of the file, and closed.
#[test]
fn another_process_that_leaves_a_file_does_not_take_its_log_from_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("held.cx");
    let store = opening::open(&path).unwrap();
    promises::write(&store, 0, |_, _| {}).unwrap();
    let log = || Path::new(&format!("{}-wal", path.display())).exists();
    let who = |address: &str| Who::parse(address, None).unwrap();
    let leaves = || {
        drop(opening::open(&path).unwrap());
        let mut other = Command::new(env::current_exe().unwrap());
        other.args(["--exact", "store_machine::reads_and_leaves", "--ignored", "--nocapture"]);
        succeeded(&other.env(FOLDER, folder.path()).output().unwrap());
        assert!(log(), "what is written from here on would be lost");
    };
    leaves();
    promises::write(&store, 1, |_, _| {}).unwrap();
    store.erase_for_good(&who("p3@example.nl"), EraseMode::Delete, promises::at(2)).unwrap();
    leaves();
    let salvaged = Store::salvage(&path, folder.path().join("saved.cx"));
    drop(salvaged);
    leaves();
    let events = store.counts().unwrap().1;
    drop(store);
    assert_eq!(opening::open(&path).unwrap().counts().unwrap().1, events);
}

#[test]
fn a_clock_that_goes_backwards_changes_no_customer_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("back.cx"), folder.path().join("forth.cx"));
    let back = opening::open(&path).unwrap();
    let forth = opening::open(&other).unwrap();
    let steps = 12_u64;
    for number in 0..steps {
        // Each batch is recorded an hour before the one that came in before it.
        let hours = i64::try_from(steps - number).unwrap();
        let recorded = Recording::new(story::monday() + Micros::HOUR.times(hours), "test");
        back.ingest(&recorded, promises::batch(number)).unwrap();
    }
    for number in (0..steps).rev() {
        let hours = i64::try_from(steps - number).unwrap();
        let recorded = Recording::new(story::monday() + Micros::HOUR.times(hours), "test");
        forth.ingest(&recorded, promises::batch(number)).unwrap();
    }
    assert!(back.check().unwrap().is_clean());
    let later = story::monday() + Micros::DAY;
    let context = |store: &Store, person: u64, known_at: Option<Timestamp>| {
        let who = Who::parse(&format!("p{person}@example.nl"), None).unwrap();
        let options = ContextOptions { known_at, ..ContextOptions::at(later) };
        serde_json::to_value(store.context(&who, &options).unwrap()).unwrap()
    };
    let half = story::monday() + Micros::HOUR.times(6);
    for person in 0..17 {
        assert_eq!(context(&back, person, None), context(&forth, person, None));
        assert_eq!(context(&back, person, Some(half)), context(&forth, person, Some(half)));
    }
    let seqs: Vec<u64> = back.changes(0, 10_000).unwrap().iter().map(|it| it.seq).collect();
    assert!(seqs.is_sorted() && !seqs.is_empty(), "the feed keeps its own order");
}
