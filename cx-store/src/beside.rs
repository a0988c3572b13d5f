//! What stands beside a file: its log, and what a repair or a copy has left.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// What the engine keeps beside a file.
pub(crate) const BESIDE: &[&str] = &["-wal", "-shm", "-journal"];

/// How the name ends of a file that is put aside while another one takes its place. Its log stands
/// beside that.
pub(crate) const ASIDE: &str = ".put-aside";

/// How the name ends of a file that is not whole yet.
pub(crate) const PART: &str = ".part";

/// Whether there is a log beside the file, with something in it.
pub(crate) fn has_journal(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|journal| journal.len() > 0)
}

/// Whether there is a journal beside the file by which a change of it is taken back: a file has one
/// only until it is first opened whole.
pub(crate) fn has_hot_journal(path: &Path) -> bool {
    let mut magic = [0; 8];
    let read = fs::File::open(beside(path, "-journal")).and_then(|mut f| f.read_exact(&mut magic));
    read.is_ok() && magic == [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]
}

/// Refuses a place at which one of these stands beside a file that is to be made, or what was put
/// aside of one: a log that is left there would be taken for that file's.
pub(crate) fn expect_nothing(path: &Path, suffixes: &[&str]) -> Result<(), StoreError> {
    let aside = ["", "-wal", "-journal"].map(|suffix| beside(path, &format!("{ASIDE}{suffix}")));
    let mut beside = suffixes.iter().map(|suffix| beside(path, suffix)).chain(aside);
    match beside.find(|there| there.exists()) {
        Some(there) => Err(StoreError::Exists { path: there }),
        None => Ok(()),
    }
}

/// What stands beside a file: the engine has its log beside the file itself, and not beside a link
/// to it.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let file =
        if path.is_symlink() { path.canonicalize().ok().or_else(|| meant(path)) } else { None };
    named(file.as_deref().unwrap_or(path), suffix)
}

/// The file that a link means which is not there yet.
fn meant(link: &Path) -> Option<PathBuf> {
    let to = fs::read_link(link).ok()?;
    Some(link.parent().map_or_else(|| to.clone(), |folder| folder.join(&to)))
}

/// What may stand beside a file that has something of it: its log, what a repair has kept or left,
/// what was put aside, and copies that were not finished, each with its log.
pub(crate) fn all_beside(path: &Path) -> io::Result<Vec<PathBuf>> {
    let own = path.file_name().unwrap_or_default().as_encoded_bytes();
    let is_one = |name: &[u8]| {
        let Some(rest) = name.strip_prefix(own).and_then(|rest| std::str::from_utf8(rest).ok())
        else {
            return false;
        };
        // The engine's own stand beside what was not finished, too.
        let engines = BESIDE.iter().find_map(|suffix| rest.strip_suffix(suffix));
        let rest = engines.unwrap_or(rest);
        let part = rest.strip_prefix('.').and_then(|rest| rest.strip_suffix(PART));
        let is_unfinished = part.is_some_and(|part| {
            part == "damaged"
                || !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit() || it == b'-')
        });
        is_unfinished
            || rest.is_empty() && engines.is_some()
            || [".damaged", ".repaired", ASIDE].contains(&rest)
            || rest == "-probe" && engines.is_none()
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
        let entry = entry?;
        if is_one(entry.file_name().as_encoded_bytes()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// A path with something behind its name.
pub(crate) fn named(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
