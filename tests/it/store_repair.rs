//! The repair of a file in its place: nothing that others were told is lost, and wherever it is
//! stopped, the file is there as it was or repaired.
//!
//! The test starts itself again as the process that repairs.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cx_core::identifier::Who;
use cx_core::time::Timestamp;
use cx_store::{EraseMode, Recording, Store, StoreError};
use cx_tests::asking::{facts, keys};
use cx_tests::chance::Chance;
use cx_tests::story;

const FILE: &str = "CX_REPAIR_FILE";

fn now() -> Timestamp {
    "2029-01-01T00:00:00Z".parse().unwrap()
}

/// A file of so many events, one of which is not what was written.
fn spoilt(path: &Path, n: i64) {
    let store = Store::open(path).unwrap();
    let message = |number: i64| {
        let claim = format!("email p{}@example.nl", number % 50);
        story::message(&format!("k{number}"), number, "chat", "Jan de Vries", &[&claim])
    };
    store.ingest(&Recording::new(now(), "test"), (0..n).map(message)).unwrap();
    drop(store);
    let connection = rusqlite::Connection::open(path).unwrap();
    connection
        .execute("UPDATE event SET payload = replace(payload, 'Vries', 'Vrees') WHERE seq = 8", [])
        .unwrap();
}

/// The repairing process.
#[test]
#[ignore = "the repairing process; started, and killed, by the tests of repairs"]
fn repairs_until_it_is_killed() {
    let Ok(path) = env::var(FILE) else { return };
    Store::repair(path).unwrap();
}

fn repairing(path: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "store_repair::repairs_until_it_is_killed", "--ignored"])
        .env(FILE, path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_repair_that_is_killed_leaves_the_file_as_it_was_or_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("spoilt.cx");
    spoilt(&original, 600);
    let as_it_was = facts(&Store::open(&original).unwrap());
    let whole = folder.path().join("whole.cx");
    fs::copy(&original, &whole).unwrap();
    let began = Instant::now();
    assert!(repairing(&whole).wait().unwrap().success());
    let longest = u64::try_from(began.elapsed().as_micros()).unwrap();
    let repaired = facts(&Store::open(&whole).unwrap());
    assert_eq!(as_it_was.len(), repaired.len() + 1);
    let mut chance = Chance::seeded(3);
    let mut outcomes = BTreeSet::new();
    for cycle in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("killed.cx");
        fs::copy(&original, &path).unwrap();
        let mut repair = repairing(&path);
        // Most of the time goes to deriving; what matters is the end.
        thread::sleep(Duration::from_micros(longest / 2 + chance.below(longest / 2)));
        repair.kill().unwrap();
        repair.wait().unwrap();
        let is = facts(&Store::open_existing(&path).unwrap());
        assert!(is == as_it_was || is == repaired, "{cycle}");
        outcomes.insert(is == repaired);
        let kept = folder.path().join("killed.cx.damaged");
        if is == repaired || kept.exists() {
            assert_eq!(facts(&Store::open(&kept).unwrap()), as_it_was, "{cycle}");
            continue;
        }
        Store::repair(&path).unwrap();
        assert_eq!(facts(&Store::open(&path).unwrap()), repaired, "{cycle}");
    }
    println!("{outcomes:?}");
}

#[test]
fn whoever_opens_the_file_meanwhile_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spoilt.cx");
    spoilt(&path, 600);
    let mut repair = repairing(&path);
    while !folder.path().join("spoilt.cx.repaired").exists() {
        assert!(repair.try_wait().unwrap().is_none(), "it was too fast to be met");
        thread::sleep(Duration::from_millis(1));
    }
    let mut told = BTreeSet::new();
    for number in 0.. {
        let key = format!("late:{number}");
        let event = story::message(&key, 1, "chat", "", &["email late@example.nl"]);
        match Store::open(&path)
            .and_then(|store| store.ingest(&Recording::new(now(), "t"), [event]))
        {
            Ok(_) => _ = told.insert(key),
            Err(StoreError::Locked { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
        if let Some(ended) = repair.try_wait().unwrap() {
            assert!(ended.success());
            break;
        }
    }
    let store = Store::open_existing(&path).unwrap();
    let keys = keys(&store);
    assert!(keys.len() >= 599, "{} events are left", keys.len());
    let lost: Vec<&String> = told.difference(&keys).collect();
    assert_eq!(lost, [""; 0], "of {} that were acknowledged", told.len());
    assert!(store.check().unwrap().is_clean());
}

#[cfg(unix)]
#[test]
fn a_file_behind_a_link_is_read_with_its_log_and_repaired_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real"), folder.path().join("link.cx"));
    fs::create_dir(&real).unwrap();
    let path = real.join("store.cx");
    spoilt(&folder.path().join("live.cx"), 50);
    let live = Store::open(folder.path().join("live.cx")).unwrap();
    let late = story::message("late", 1, "chat", "", &["email late@example.nl"]);
    live.ingest(&Recording::new(now(), "test"), [late]).unwrap();
    for suffix in ["", "-wal"] {
        let from = folder.path().join(format!("live.cx{suffix}"));
        fs::copy(from, real.join(format!("store.cx{suffix}"))).unwrap();
    }
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let (saved, _) = Store::salvage(&link, folder.path().join("saved.cx")).unwrap();
    assert!(keys(&saved).contains("late"));
    let kept = Store::repair(&link).unwrap().kept.unwrap();
    assert_eq!(kept, real.canonicalize().unwrap().join("store.cx.damaged"));
    assert!(link.is_symlink());
    let repaired = Store::open(&path).unwrap();
    assert_eq!(keys(&repaired), keys(&saved));
    drop(repaired);
    assert_eq!(keys(&Store::open(&kept).unwrap()), keys(&live));
}

#[test]
fn what_a_repair_kept_that_was_stopped_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let (path, kept) = (folder.path().join("stopped.cx"), folder.path().join("stopped.cx.damaged"));
    spoilt(&path, 40);
    fs::copy(&path, &kept).unwrap();
    let done = Store::repair(&path).unwrap();
    assert_eq!(done.kept.as_deref(), Some(kept.as_path()));
    assert!(Store::open_existing(&path).unwrap().check().unwrap().is_clean());
    // One of another damage stays, and stops the next.
    let other = fs::read(&kept).unwrap();
    fs::remove_file(&path).unwrap();
    spoilt(&path, 41);
    assert!(matches!(Store::repair(&path), Err(StoreError::Exists { .. })));
    assert!(fs::read(&kept).unwrap() == other);
}

#[test]
fn a_certificate_looks_into_what_a_repair_has_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.cx");
    spoilt(&path, 40);
    Store::repair(&path).unwrap();
    let store = Store::open_existing(&path).unwrap();
    let who = Who::parse("p3@example.nl", None).unwrap();
    let certificate = store.erase_for_good(&who, EraseMode::Delete, now()).unwrap();
    assert!(certificate.search.files.contains_key("kept.cx.damaged"), "{certificate}");
    assert!(!certificate.is_clean(), "{certificate}");
}

/// The process that has the file open.
#[test]
#[ignore = "a process that has a file open; started by the test of repairs beside it"]
fn holds_until_its_input_ends() {
    let Ok(path) = env::var(FILE) else { return };
    let store = Store::open(path).unwrap();
    fs::write(store.path().with_extension("open"), "").unwrap();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let late = story::message("late", 1, "chat", "", &["email late@example.nl"]);
    store.ingest(&Recording::new(now(), "test"), [late]).unwrap();
}

/// Whoever has opened a file before its header was spoilt goes on writing to it.
#[cfg(unix)]
#[test]
fn a_file_that_somebody_has_open_is_not_replaced_however_spoilt_it_is() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("open.cx"), folder.path().join("copy.cx"));
    spoilt(&path, 40);
    Store::open(&path).unwrap().backup(&copy).unwrap();
    let mut other = Command::new(env::current_exe().unwrap())
        .args(["--exact", "store_repair::holds_until_its_input_ends", "--ignored"])
        .env(FILE, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !folder.path().join("open.open").exists() {
        assert!(other.try_wait().unwrap().is_none());
        thread::sleep(Duration::from_millis(5));
    }
    let mut bytes = fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::io::Seek::seek(&mut bytes, std::io::SeekFrom::Start(18)).unwrap();
    bytes.write_all(&[7, 7]).unwrap();
    drop(bytes);
    for refused in [Store::repair(&path).err(), Store::restore(&copy, &path).err()] {
        assert!(matches!(refused, Some(StoreError::Locked { .. })), "{refused:?}");
    }
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success());
    Store::repair(&path).unwrap();
    assert!(keys(&Store::open_existing(&path).unwrap()).contains("late"));
}

/// As above, in this process, which the locks of the system do not keep out.
#[test]
fn a_file_that_this_process_has_open_is_not_replaced_however_spoilt_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("open.cx");
    spoilt(&path, 40);
    let store = Store::open(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[18..20].fill(7);
    // The same file, and not another one of that name.
    std::io::Write::write_all(&mut fs::File::create(&path).unwrap(), &bytes).unwrap();
    assert!(matches!(Store::repair(&path), Err(StoreError::Locked { .. })));
    drop(store);
}
