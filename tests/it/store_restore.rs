//! Copies put in the place of a file, and who may read what was copied.

use std::fs;
use std::path::{Path, PathBuf};

use cx_store::{NewFile, Recording, Store, StoreError};
use cx_tests::asking::facts;
use cx_tests::story;

fn write(store: &Store, from: i64, to: i64) {
    let events = (from..to).map(|number| {
        let claim = format!("email p{}@example.nl", number % 7);
        story::message(&format!("k{number}"), number, "chat", "", &[&claim])
    });
    store.ingest(&Recording::new("2026-03-04T10:00:00Z".parse().unwrap(), "test"), events).unwrap();
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What stands in a folder, but for these.
fn others(folder: &Path, known: &[&str]) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names.filter(|name| !known.contains(&name.as_str())).collect()
}

#[test]
fn the_log_of_a_lost_file_is_not_taken_for_one_of_the_copy() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("shop.cx"), folder.path().join("copy.cx"));
    let store = Store::open(&path).unwrap();
    write(&store, 0, 300);
    store.backup(&copy).unwrap();
    let before = facts(&store);
    let bytes = fs::read(&copy).unwrap();
    write(&store, 300, 600);
    // As a process leaves it that was killed.
    let lost = folder.path().join("lost");
    fs::create_dir(&lost).unwrap();
    let killed = lost.join("shop.cx");
    fs::copy(&path, &killed).unwrap();
    fs::copy(beside(&path, "-wal"), beside(&killed, "-wal")).unwrap();
    assert!(fs::metadata(beside(&killed, "-wal")).unwrap().len() > 0);
    Store::restore(&copy, &killed).unwrap();
    assert_eq!(others(&lost, &["shop.cx"]), [""; 0]);
    let restored = Store::open_existing(&killed).unwrap();
    assert_eq!(facts(&restored), before);
    assert!(restored.check().unwrap().is_clean());
    assert_eq!(fs::read(&copy).unwrap(), bytes, "the copy stays");
    assert!(!beside(&copy, "-wal").exists());
}

#[test]
fn a_copy_that_somebody_has_open_is_restored_with_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("shop.cx"), folder.path().join("copy.cx"));
    let open = Store::open(&copy).unwrap();
    write(&open, 0, 50);
    Store::restore(&copy, &path).unwrap();
    assert_eq!(facts(&Store::open_existing(&path).unwrap()), facts(&open));
    write(&open, 50, 60);
    assert!(open.check().unwrap().is_clean());
}

#[test]
fn nothing_is_put_in_the_place_of_what_is_open_or_foreign() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("shop.cx"), folder.path().join("copy.cx"));
    let store = Store::open(&path).unwrap();
    write(&store, 0, 50);
    store.backup(&copy).unwrap();
    write(&store, 50, 60);
    let refused = Store::restore(&copy, &path).unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    assert_eq!(store.counts().unwrap(), (7, 60));
    drop(store);
    let (notes, none) = (folder.path().join("notes.txt"), folder.path().join("none.cx"));
    fs::write(&notes, "somebody's notes").unwrap();
    let refused = Store::restore(&copy, &notes).unwrap_err();
    assert!(matches!(refused, StoreError::NotOurs { .. }), "{refused}");
    let refused = Store::restore(&notes, &path).unwrap_err();
    assert!(matches!(refused, StoreError::NotOurs { .. }), "{refused}");
    let refused = Store::restore(&none, &path).unwrap_err();
    assert!(matches!(refused, StoreError::NotFound { .. }), "{refused}");
    assert_eq!(fs::read_to_string(&notes).unwrap(), "somebody's notes");
    assert_eq!(others(folder.path(), &["shop.cx", "copy.cx", "notes.txt"]), [""; 0]);
    assert_eq!(Store::open_existing(&path).unwrap().counts().unwrap(), (7, 60));
    Store::restore(&copy, &none).unwrap();
    assert_eq!(Store::open_existing(&none).unwrap().counts().unwrap(), (7, 50));
}

#[test]
fn a_file_that_nobody_can_open_gives_way_to_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("shop.cx"), folder.path().join("copy.cx"));
    let store = Store::open(&path).unwrap();
    write(&store, 0, 50);
    store.backup(&copy).unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    let mut spoilt = whole.clone();
    spoilt[100..8_000].fill(7);
    let mut foreign = whole.clone();
    foreign[18..20].fill(7);
    for bytes in [&whole[..20_000], &spoilt[..], &foreign[..]] {
        fs::write(&path, bytes).unwrap();
        Store::restore(&copy, &path).unwrap();
        assert_eq!(Store::open_existing(&path).unwrap().counts().unwrap(), (7, 50));
    }
}

#[cfg(unix)]
#[test]
fn what_is_written_can_be_read_by_its_owner_and_a_copy_by_who_may_read_the_store() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = folder.path().join("shop.cx");
    let store = Store::open(&path).unwrap();
    write(&store, 0, 10);
    for (number, (may, copied)) in
        [(0o600, 0o600), (0o640, 0o640), (0o644, 0o644), (0o400, 0o600)].into_iter().enumerate()
    {
        fs::set_permissions(&path, fs::Permissions::from_mode(may)).unwrap();
        let copy = folder.path().join(format!("copy{number}.cx"));
        store.backup(&copy).unwrap();
        assert_eq!(mode(&copy), copied, "of {may:o}");
    }
    let out = folder.path().join("facts.jsonl");
    let mut file = NewFile::create(&out).unwrap();
    store.export_facts(&mut file).unwrap();
    file.finish().unwrap();
    assert_eq!(mode(&out), 0o600);
    let moved = folder.path().join("moved.cx");
    let lines = fs::read(&out).unwrap();
    drop(Store::import_facts(lines.as_slice(), &moved).unwrap());
    assert_eq!(mode(&moved), 0o600);
    drop(store);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    Store::restore(folder.path().join("copy0.cx"), &path).unwrap();
    assert_eq!(mode(&path), 0o640, "as the file was in the place of which it came");
}

#[test]
fn a_damaged_copy_takes_no_files_place() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("shop.cx"), folder.path().join("copy.cx"));
    let store = Store::open(&path).unwrap();
    write(&store, 0, 300);
    store.backup(&copy).unwrap();
    drop(store);
    let before = fs::read(&path).unwrap();
    let mut bytes = fs::read(&copy).unwrap();
    let (from, to) = (bytes.len() / 2, bytes.len() / 2 + 4 * 8192);
    bytes[from..to].fill(0);
    fs::write(&copy, bytes).unwrap();
    match Store::restore(&copy, &path) {
        Err(StoreError::Corrupt { path: told, .. }) => assert_eq!(told, copy),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(others(folder.path(), &["shop.cx", "shop.cx-wal", "copy.cx"]), [""; 0]);
    assert_eq!(Store::open_existing(&path).unwrap().events().count(), 300);
}

#[cfg(unix)]
#[test]
fn a_file_that_a_link_means_is_made_where_it_is_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("link.cx"), folder.path().join("copy.cx"));
    write(&Store::open(&copy).unwrap(), 0, 5);
    std::os::unix::fs::symlink("meant.cx", &path).unwrap();
    Store::restore(&copy, &path).unwrap();
    assert!(path.is_symlink() && folder.path().join("meant.cx").is_file());
    assert_eq!(Store::open_existing(&path).unwrap().events().count(), 5);
}

/// The file of a store as a process leaves it that was killed: with its log, of 10 events and 10 more.
fn killed(folder: &Path, name: &str) -> PathBuf {
    let live = folder.join("live.cx");
    let store = Store::open(&live).unwrap();
    write(&store, 0, 10);
    let path = folder.join(name);
    // What is in the file is in no log.
    store.backup(&path).unwrap();
    drop(store);
    fs::copy(&path, &live).unwrap();
    let store = Store::open(&live).unwrap();
    write(&store, 10, 20);
    for suffix in ["", "-wal"] {
        fs::copy(beside(&live, suffix), beside(&path, suffix)).unwrap();
    }
    drop(store);
    fs::remove_file(live).unwrap();
    path
}

#[test]
fn what_a_restoring_process_has_left_that_was_killed_is_settled_by_whoever_opens_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.cx");
    write(&Store::open(&copy).unwrap(), 0, 5);
    for at in 0..6 {
        let path = killed(folder.path(), &format!("lost{at}.cx"));
        let aside = beside(&path, ".put-aside");
        fs::hard_link(&path, &aside).unwrap();
        let is_new = at > 1;
        if at > 0 {
            fs::rename(beside(&path, "-wal"), beside(&aside, "-wal")).unwrap();
        }
        if is_new {
            fs::remove_file(&path).unwrap();
            fs::copy(&copy, &path).unwrap();
        }
        if at == 3 {
            fs::remove_file(beside(&aside, "-wal")).unwrap();
        }
        let n = if is_new { 5 } else { 20 };
        match at {
            // A reader settles it, too; so does a salvage; and one that is restored anew.
            4 => {
                let reader = Store::open_read_only(&path, None).unwrap();
                assert_eq!(reader.events().count(), n, "{at}");
            }
            5 => Store::restore(&copy, &path).unwrap(),
            _ => {}
        }
        if at == 1 {
            let to = folder.path().join("saved.cx");
            let (saved, report) = Store::salvage(&path, &to).unwrap();
            assert!(report.is_complete() && saved.events().count() == n, "{:?}", report.lost);
        }
        assert_eq!(Store::open(&path).unwrap().events().count(), n, "{at}");
        let name = path.file_name().unwrap().to_str().unwrap();
        let left = others(folder.path(), &[name, "copy.cx", "saved.cx", "saved.cx-wal"]);
        assert!(left.iter().all(|left| !left.contains("put-aside")), "{at}: {left:?}");
    }
}

#[test]
fn nothing_is_made_where_something_was_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.cx");
    let store = Store::open(folder.path().join("live.cx")).unwrap();
    write(&store, 0, 5);
    fs::write(beside(&path, ".put-aside"), "x").unwrap();
    assert!(matches!(store.backup(&path), Err(StoreError::Exists { .. })));
    assert!(!path.exists());
}

type Opener = fn(&Path) -> Result<Store, StoreError>;

/// Whoever waits for a file has it open already when another one takes its name.
#[cfg(unix)]
#[test]
fn whoever_waited_for_a_file_opens_the_one_that_took_its_place() {
    use std::sync::mpsc;
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("shop.cx"), folder.path().join("copy.cx"));
    let openers: [Opener; 3] = [
        |path| Store::open(path),
        |path| Store::open_existing(path),
        |path| Store::open_read_only(path, None),
    ];
    for open in openers {
        for suffix in ["", "-wal", "-shm"] {
            drop(fs::remove_file(beside(&path, suffix)));
            drop(fs::remove_file(beside(&copy, suffix)));
        }
        write(&Store::open(&path).unwrap(), 0, 300);
        write(&Store::open(&copy).unwrap(), 0, 60);
        let held = rusqlite::Connection::open(&path).unwrap();
        held.pragma_update(None, "locking_mode", "exclusive").unwrap();
        held.execute_batch("BEGIN EXCLUSIVE").unwrap();
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let waited_for = path.clone();
            let opened = scope.spawn(move || {
                sender.send(()).unwrap();
                let store = open(&waited_for).unwrap();
                let n = store.events().count();
                let late = story::message("late", 1, "chat", "", &["email late@example.nl"]);
                let now = "2026-03-04T10:00:00Z".parse().unwrap();
                let done = store.ingest(&Recording::new(now, "test"), [late]);
                (n, done.is_ok())
            });
            receiver.recv().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(300));
            fs::rename(&copy, &path).unwrap();
            held.execute_batch("COMMIT").unwrap();
            drop(held);
            let (n, is_in) = opened.join().unwrap();
            assert_eq!(n, 60);
            let store = Store::open_existing(&path).unwrap();
            assert_eq!(store.events().count(), 60 + usize::from(is_in));
            assert!(store.check().unwrap().is_clean());
        });
    }
}

#[test]
fn the_log_of_an_emptied_file_is_not_taken_away_by_a_copy_that_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (bad, copy) = (folder.path().join("bad.cx"), folder.path().join("copy.cx"));
    write(&Store::open(&copy).unwrap(), 0, 300);
    let mut bytes = fs::read(&copy).unwrap();
    let (from, to) = (bytes.len() / 2, bytes.len() / 2 + 4 * 8192);
    bytes[from..to].fill(0);
    fs::write(&bad, bytes).unwrap();
    for is_there in [true, false] {
        let path = killed(folder.path(), "shop.cx");
        let log = fs::read(beside(&path, "-wal")).unwrap();
        fs::remove_file(&path).unwrap();
        if is_there {
            fs::write(&path, "").unwrap();
        }
        assert!(Store::restore(&bad, &path).is_err());
        assert!(fs::read(beside(&path, "-wal")).unwrap() == log, "{is_there}");
        assert_eq!(path.exists(), is_there);
        // It gives way to one that is whole.
        Store::restore(&copy, &path).unwrap();
        assert_eq!(Store::open_existing(&path).unwrap().events().count(), 300);
        fs::remove_file(&path).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_file_stays_its_owners() {
    use std::os::unix::fs::{MetadataExt, chown};
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("shop.cx"), folder.path().join("copy.cx"));
    write(&Store::open(&copy).unwrap(), 0, 30);
    let owner = |path: &Path| fs::metadata(path).map(|it| (it.uid(), it.gid())).unwrap();
    for is_spoilt in [false, true] {
        let store = Store::open(&path).unwrap();
        write(&store, 0, 50);
        drop(store);
        if is_spoilt {
            let mut bytes = fs::read(&path).unwrap();
            bytes[0..8_000].fill(7);
            fs::write(&path, bytes).unwrap();
        }
        // Not everybody may give files away.
        if chown(&path, Some(1_000), Some(1_000)).is_err() {
            return;
        }
        if is_spoilt {
            Store::repair(&path).unwrap();
        } else {
            Store::restore(&copy, &path).unwrap();
        }
        assert_eq!(owner(&path), (1_000, 1_000), "{is_spoilt}");
    }
}
