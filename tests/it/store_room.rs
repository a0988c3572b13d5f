//! No more memory than there has to be: what is long is not in memory as a whole.

use std::env;
use std::fs;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use cx_core::event::{Body, Event};
use cx_store::{Recording, Store};
use cx_tests::story;

const FILE: &str = "CX_STORE_ROOM_FILE";

const MEBIBYTE: usize = 1 << 20;

/// Mails of a mebibyte each.
fn mails(from: i64, to: i64) -> Vec<Event> {
    let mail = |number: i64| {
        let claims = [format!("email p{number}@example.nl")];
        let mut event = story::message(&format!("m{number}"), number, "email", "", &[&claims[0]]);
        let mut body = Body::text("a mail");
        body.whole = Some("lorem ipsum dolor ".repeat(MEBIBYTE / 18));
        event.body = Some(body);
        event
    };
    (from..to).map(mail).collect()
}

fn recording() -> Recording {
    Recording::new(story::monday(), "test")
}

/// The process that rewrites the file, and tells how much memory it took at most, in KiB.
#[test]
#[ignore = "the process that rewrites a file; started by the test of its memory"]
fn compacts_and_tells_its_memory() {
    let Ok(path) = env::var(FILE) else { return };
    let store = Store::open_existing(path).unwrap();
    store.compact(story::monday()).unwrap();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("most {}", most.trim().trim_end_matches(" kB"));
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "no system but Linux tells it so")]
fn a_file_is_rewritten_in_less_memory_than_it_is_long() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.cx");
    let store = Store::open(&path).unwrap();
    for from in (0..200).step_by(20) {
        store.ingest(&recording(), mails(from, from + 20)).unwrap();
    }
    drop(store);
    let said = Command::new(env::current_exe().unwrap())
        .args(["--exact", "store_room::compacts_and_tells_its_memory", "--ignored", "--nocapture"])
        .env(FILE, &path)
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let most = said.lines().find_map(|line| line.split_once("most ")).map(|(_, most)| most);
    let most: u64 = most.unwrap_or_else(|| panic!("{said}")).parse().unwrap();
    let length = fs::metadata(&path).unwrap().len() / 1024;
    assert!(length > 200_000, "{length} KiB long");
    assert!(most < length * 3 / 4, "{most} KiB of memory for {length} KiB");
}

/// Lines that tell how much of them had been written to the disk when they were read to the end.
struct Watched<'a> {
    lines: &'a [u8],
    folder: PathBuf,
    to: PathBuf,
    written_at_the_end: u64,
}

impl Read for Watched<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        assert!(!self.to.exists(), "half of it is there under its name");
        let read = self.lines.read(room)?;
        if read == 0 && self.written_at_the_end == 0 {
            let files = fs::read_dir(&self.folder)?;
            self.written_at_the_end =
                files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        }
        Ok(read)
    }
}

fn written_at_the_end(lines: &[u8], folder: &Path) -> u64 {
    let to = folder.join("moved.cx");
    let watched = Watched { lines, folder: folder.to_owned(), to, written_at_the_end: 0 };
    let mut reader = BufReader::new(watched);
    let (store, report) = Store::import_facts(reader.by_ref(), folder.join("moved.cx")).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(store.counts().unwrap().1, report.taken.events);
    reader.get_ref().written_at_the_end
}

#[test]
fn facts_are_taken_in_by_their_length_and_stand_under_their_name_once_they_are_whole() {
    let store = Store::open_in_memory().unwrap();
    store.ingest(&recording(), mails(0, 80)).unwrap();
    let mut lines = Vec::new();
    store.export_facts(&mut lines).unwrap();
    drop(store);
    let folder = tempfile::tempdir().unwrap();
    let written = written_at_the_end(&lines, folder.path());
    // Of 80 MiB two batches of 32 are on the disk before the last line is read.
    assert!(written > 60 * (1 << 20), "{written}");
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1);
}
