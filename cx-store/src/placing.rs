//! How a whole file takes the place of another one, with whose log it has nothing to do.
//!
//! The other one is put aside together with its log, as `FILE.put-aside` and `FILE.put-aside-wal`,
//! until the new one has the name. Wherever that is stopped, what stands there tells how far it came:
//! whoever comes next gives back what was put aside, or takes away what is left of it.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::beside::{ASIDE, beside, named};
use crate::error::StoreError;
use crate::kept::{self, KeptFile};
use crate::new_file::sync_folder;

/// What has parts of a file that are not in the file yet, or not any more. The engine makes anything
/// else anew.
const LOGS: &[&str] = &["-wal", "-journal"];

/// One at a time in this process: the locks of the system do not tell its threads apart.
static PLACING: Mutex<()> = Mutex::new(());

/// How long it is waited for another process that puts a file in place.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far a file came that was to take the place of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// It was not begun, or all of it is done.
    Nothing,
    /// The file is the old one, or is put aside.
    Old,
    /// The file is the new one.
    New,
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Whether anything is put aside of a file.
pub(crate) fn is_begun(path: &Path) -> bool {
    let aside = named(path, ASIDE);
    is_there(&aside) || LOGS.iter().any(|log| is_there(&named(&aside, log)))
}

/// How far it came. What was opened for that is kept: where a file is closed, so are the locks on it.
fn left(path: &Path, kept: &mut Vec<KeptFile>) -> io::Result<Left> {
    let aside = named(path, ASIDE);
    if !is_begun(path) {
        Ok(Left::Nothing)
    } else if !is_there(path) || is_there(&aside) && is_same(path, &aside, kept)? {
        Ok(Left::Old)
    } else {
        Ok(Left::New)
    }
}

/// Whether two files are one, or the same: who copies a folder may make two of one.
fn is_same(one: &Path, other: &Path, kept: &mut Vec<KeptFile>) -> io::Result<bool> {
    if kept::are_one(one, other) {
        return Ok(true);
    }
    if fs::metadata(one)?.len() != fs::metadata(other)?.len() {
        return Ok(false);
    }
    let from = kept.len();
    kept.extend([KeptFile::open(one)?, KeptFile::open(other)?]);
    let Some([one, other]) = kept.get_mut(from..) else { return Ok(false) };
    let (mut here, mut there) = (Vec::new(), Vec::new());
    loop {
        here.clear();
        there.clear();
        one.by_ref().take(1 << 16).read_to_end(&mut here)?;
        other.by_ref().take(1 << 16).read_to_end(&mut there)?;
        if here != there || here.is_empty() {
            return Ok(here == there);
        }
    }
}

/// Puts a whole file in the place of another one, which nobody else has open as long as the caller
/// holds it; where there is none, only where there still is none. Where that fails, the other one is
/// as before, its log too.
pub(crate) fn put_in_place(fresh: &Path, path: &Path) -> io::Result<()> {
    let _placing = PLACING.lock().unwrap_or_else(PoisonError::into_inner);
    if is_begun(path) {
        // What is put aside is never written over.
        return Err(ErrorKind::AlreadyExists.into());
    }
    if let Err(error) = place(fresh, path) {
        finish(path)?;
        return Err(error);
    }
    sync_folder(path)?;
    take_away(path)
}

/// Takes away what was put aside: the file is the new one.
fn take_away(path: &Path) -> io::Result<()> {
    let aside = named(path, ASIDE);
    LOGS.iter().try_for_each(|log| gone(&named(&aside, log)))?;
    gone(&aside)?;
    sync_folder(path)
}

fn place(fresh: &Path, path: &Path) -> io::Result<()> {
    let aside = named(path, ASIDE);
    let is_another = is_there(path);
    if is_another {
        // With a second name it keeps its own until the new one has it; not every file system can
        // give a file two.
        if fs::hard_link(path, &aside).is_err() {
            fs::rename(path, &aside)?;
        }
        sync_folder(path)?;
    }
    for log in LOGS {
        let own = named(path, log);
        if is_there(&own) {
            fs::rename(&own, named(&aside, log))?;
        }
    }
    gone(&named(path, "-shm"))?;
    sync_folder(path)?;
    if is_another {
        return fs::rename(fresh, path);
    }
    match fs::hard_link(fresh, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        Err(_) if is_there(path) => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(fresh, path),
        Ok(()) => Ok(()),
    }
}

/// Gives back what was put aside, or takes away what is left of it.
fn finish(path: &Path) -> io::Result<()> {
    let aside = named(path, ASIDE);
    let mut kept = Vec::new();
    match left(path, &mut kept)? {
        Left::Nothing => return Ok(()),
        Left::Old => {
            for log in LOGS {
                let (there, own) = (named(&aside, log), named(path, log));
                if !is_there(&there) {
                    continue;
                }
                if fs::metadata(&own).is_ok_and(|own| own.len() > 0) {
                    let (there, own) = (there.display(), own.display());
                    return Err(io::Error::other(format!("{own} and {there} are both there")));
                }
                fs::rename(&there, &own)?;
            }
            sync_folder(path)?;
            if !is_there(path) && is_there(&aside) {
                fs::rename(&aside, path)?;
            }
        }
        Left::New => return take_away(path),
    }
    gone(&aside)?;
    sync_folder(path)
}

fn gone(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Ends what was begun, and stopped, to put another file in the place of this one, so that the file
/// is either of them with its own log; waits for whoever is at it.
///
/// # Errors
/// [`StoreError::Locked`] where another process is at it; [`StoreError::Corrupt`] where the file is
/// not all there and what was put aside cannot be given back.
pub(crate) fn settle(path: &Path) -> Result<(), StoreError> {
    let path = &beside(path, "");
    let began = Instant::now();
    while is_begun(path) {
        let placing = PLACING.lock().unwrap_or_else(PoisonError::into_inner);
        let aside = named(path, ASIDE);
        // Whoever is at it holds what it puts aside.
        let log = || LOGS.iter().map(|log| named(&aside, log)).find(|log| is_there(log));
        let first = if is_there(&aside) { Some(aside.clone()) } else { log() };
        let Some(first) = first else { break };
        match alone(&first) {
            Ok(held) => {
                let done = finish(path);
                drop(held);
                return done.or_else(|error| told(path, &error));
            }
            Err(StoreError::Locked { .. }) if began.elapsed() < PATIENCE => {}
            Err(StoreError::Locked { .. }) => {
                return Err(StoreError::Locked { path: path.to_owned() });
            }
            Err(error) => return told(path, &error),
        }
        drop(placing);
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// What it means that something was put aside that cannot be dealt with.
fn told(path: &Path, error: &dyn fmt::Display) -> Result<(), StoreError> {
    let aside = named(path, ASIDE);
    let has_log = LOGS.iter().any(|log| is_there(&named(&aside, log)));
    let is_whole = match left(path, &mut Vec::new()) {
        Ok(Left::Nothing | Left::New) => true,
        Ok(Left::Old) => is_there(path) && !has_log,
        Err(_) => false,
    };
    if is_whole {
        return Ok(());
    }
    let detail = format!(
        "another file was to take its place, and that was stopped; what was put aside as {}, with \
         its log, could not be given back: {error}",
        aside.display()
    );
    Err(StoreError::Corrupt { path: path.to_owned(), detail })
}

/// A file that the engine cannot hold, held by the engine's own locks.
#[derive(Debug)]
pub(crate) struct Alone {
    _file: Option<File>,
}

/// Holds a file that the engine cannot read: a process that opened it before may still write to it.
/// Nobody may close a file of that name in this process as long as it is held.
///
/// # Errors
/// [`StoreError::Locked`] where somebody has it open; [`StoreError::ReadOnly`] where it may not be
/// written.
#[cfg(unix)]
pub(crate) fn alone(path: &Path) -> Result<Alone, StoreError> {
    use rustix::fs::{FlockOperation, fcntl_lock};
    use rustix::io::Errno;

    let path = path.to_owned();
    if kept::is_open_here(&path) {
        return Err(StoreError::Locked { path });
    }
    let file = match File::options().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Alone { _file: None }),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            return Err(StoreError::ReadOnly { path });
        }
        Err(error) => return Err(StoreError::CannotOpen { path, detail: error.to_string() }),
    };
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::AGAIN | Errno::ACCESS) => Err(StoreError::Locked { path }),
        // Where there are no locks, the engine has none either.
        Ok(()) | Err(_) => Ok(Alone { _file: Some(file) }),
    }
}

/// Some systems replace no file that is open.
#[cfg(not(unix))]
pub(crate) fn alone(_: &Path) -> Result<Alone, StoreError> {
    Ok(Alone { _file: None })
}

/// Gives a new file to the owner of the one whose place it takes, where the system allows it.
pub(crate) fn give_to_owner(fresh: &Path, path: &Path) {
    #[cfg(unix)]
    if let (Ok(other), Ok(own)) = (fs::metadata(path), fs::metadata(fresh)) {
        use std::os::unix::fs::{MetadataExt as _, chown};
        if (other.uid(), other.gid()) != (own.uid(), own.gid()) {
            drop(chown(fresh, Some(other.uid()), Some(other.gid())));
        }
    }
    #[cfg(not(unix))]
    let _ = (fresh, path);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(path: &Path, what: &[(&str, &str)]) {
        for (suffix, text) in what {
            fs::write(named(path, suffix), text).unwrap();
        }
    }

    fn found(folder: &Path) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, fs::read_to_string(path).unwrap())
            })
            .collect();
        found.sort();
        found
    }

    fn of(what: &[(&str, &str)]) -> Vec<(String, String)> {
        what.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn where_a_file_cannot_take_anothers_place_that_is_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cx");
        fill(&path, &[("", "old"), ("-wal", "its log")]);
        assert!(put_in_place(&folder.path().join("nothing"), &path).is_err());
        assert_eq!(found(folder.path()), of(&[("a.cx", "old"), ("a.cx-wal", "its log")]));
        let fresh = folder.path().join("fresh");
        fs::write(&fresh, "new").unwrap();
        put_in_place(&fresh, &path).unwrap();
        assert_eq!(found(folder.path()), of(&[("a.cx", "new")]));
        // The same bytes, without what the log had.
        fill(&path, &[("-wal", "its log")]);
        fs::write(&fresh, "new").unwrap();
        put_in_place(&fresh, &path).unwrap();
        assert_eq!(found(folder.path()), of(&[("a.cx", "new")]));
    }

    #[test]
    fn what_was_put_aside_is_written_over_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cx");
        fill(&path, &[("", "old"), ("-wal", "x"), (".put-aside-wal", "its log")]);
        let before = found(folder.path());
        let fresh = folder.path().join("fresh");
        fs::write(&fresh, "new").unwrap();
        assert!(put_in_place(&fresh, &path).is_err());
        fs::remove_file(&fresh).unwrap();
        assert_eq!(found(folder.path()), before);
    }

    #[test]
    fn where_nothing_stood_nothing_is_replaced_that_was_made_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cx");
        fill(&path, &[("-wal", "all that is left")]);
        let fresh = folder.path().join("fresh");
        fs::write(&fresh, "new").unwrap();
        put_in_place(&fresh, &path).unwrap();
        drop(fs::remove_file(&fresh));
        assert_eq!(found(folder.path()), of(&[("a.cx", "new")]));
    }

    /// Ends of names, and what stands in the files.
    type Files<'a> = &'a [(&'a str, &'a str)];

    /// Each step of putting a file in place, as a process leaves it that is killed there.
    #[test]
    fn wherever_it_is_stopped_the_file_is_either_of_them_with_its_own_log() {
        let old = [("a.cx", "old"), ("a.cx-wal", "its log")];
        let new = [("a.cx", "new")];
        // What stands there; whether the file put aside is the same one; what is to come of it.
        let states: &[(Files<'_>, bool, Files<'_>)] = &[
            (&[("", "old"), ("-wal", "its log")], true, &old),
            (&[("", "old"), (".put-aside-wal", "its log")], true, &old),
            (&[("", "old"), ("-wal", ""), (".put-aside-wal", "its log")], true, &old),
            (&[("", "new"), (".put-aside", "old"), (".put-aside-wal", "its log")], false, &new),
            (&[("", "new"), (".put-aside", "old")], false, &new),
            (&[("", "new"), (".put-aside-wal", "its log")], false, &new),
            // Where no file has two names.
            (&[("-wal", "its log"), (".put-aside", "old")], false, &old),
            (&[(".put-aside-wal", "its log"), (".put-aside", "old")], false, &old),
            // Where somebody has copied the folder.
            (&[("", "old"), (".put-aside-wal", "its log"), (".put-aside", "old")], false, &old),
            (&[(".put-aside-wal", "its log")], false, &[("a.cx-wal", "its log")]),
        ];
        for (number, (state, is_one, becomes)) in states.iter().enumerate() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.cx");
            fill(&path, state);
            if *is_one {
                fs::hard_link(&path, named(&path, ".put-aside")).unwrap();
            }
            settle(&path).unwrap();
            assert_eq!(found(folder.path()), of(becomes), "{number}");
            settle(&path).unwrap();
            assert_eq!(found(folder.path()), of(becomes), "{number}");
        }
    }
}
