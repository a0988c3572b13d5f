//! Files of stores that are read without the engine.
//!
//! Where a process closes a file, Unix ends all the locks it has on it, also those of the engine by
//! which others know that somebody has it open: another process that leaves the file would take the
//! log away, and what is written to that afterwards would be lost
//! (<https://www.sqlite.org/howtocorrupt.html>, 2.2). So a file is opened once, and closed only when
//! nobody in the process reads it and no store is open in it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A file that is open for reading, with a place of its own in it. A store has one of its file as
/// long as it is open.
#[derive(Debug)]
pub(crate) struct KeptFile {
    file: Shared,
    at: u64,
}

impl KeptFile {
    /// Opens a file, or shares what is open of it already.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: Shared::open(path)?, at: 0 })
    }

    pub(crate) fn file(&self) -> &File {
        self.file.get()
    }
}

impl Read for KeptFile {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = read_at(self.file.get(), room, self.at)?;
        self.at = self.at.saturating_add(u64::try_from(read).unwrap_or(0));
        Ok(read)
    }
}

impl Seek for KeptFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.get().metadata()?.len().checked_add_signed(by),
        };
        self.at = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// The file of a store that is open, or its log, and which file that is.
///
/// Whoever renames the file of a store takes it away from its log, which stands beside the name: what
/// is written afterwards nobody would find. An engine of its own in this process (Python's `sqlite3`, DuckDB) does not see the locks that
/// this one has. As it closes the file it takes itself for the last one, and takes the log away;
/// what is written to it afterwards nobody would ever read.
#[derive(Debug)]
pub(crate) struct FileWatch {
    path: PathBuf,
    known: OnceLock<Id>,
}

impl FileWatch {
    /// The file of this name, as it is now.
    pub(crate) fn at(path: PathBuf) -> Self {
        let file = Self { path, known: OnceLock::new() };
        file.is_there();
        file
    }

    /// Whether the file is the one that it was. Where none was seen so far, this one is it.
    pub(crate) fn is_there(&self) -> bool {
        let now = id_of(&self.path);
        match (self.known.get(), now) {
            (Some(known), now) => now.as_ref() == Some(known),
            (None, Some(now)) => *self.known.get_or_init(|| now) == now,
            (None, None) => true,
        }
    }
}

/// Whether two names are of one file, as far as the system tells.
pub(crate) fn are_one(one: &Path, other: &Path) -> bool {
    id_of(one).is_some_and(|id| id_of(other) == Some(id))
}

#[cfg(unix)]
use shared::{Id, Shared, id_of, read_at};

/// Whether a store of this process, or somebody who opens one, has the file open.
#[cfg(unix)]
pub(crate) use shared::is_open_here;

/// Whether a file can be written to at all, as far as opening it tells.
#[cfg(unix)]
pub(crate) use shared::is_writable;

#[cfg(unix)]
mod shared {
    use std::collections::BTreeMap;
    use std::fs::{self, File, Metadata, OpenOptions};
    use std::io;
    use std::os::unix::fs::{FileExt, MetadataExt};
    use std::path::Path;
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

    /// Which file it is, whatever its name.
    pub(super) type Id = (u64, u64);

    pub(super) fn id_of(path: &Path) -> Option<Id> {
        fs::metadata(path).ok().map(|file| id(&file))
    }

    /// All that is open of a file.
    #[derive(Debug)]
    struct Open {
        file: Arc<File>,
        /// Opened to see whether it can be.
        others: Vec<File>,
    }

    static OPEN: Mutex<BTreeMap<Id, Open>> = Mutex::new(BTreeMap::new());

    fn open() -> MutexGuard<'static, BTreeMap<Id, Open>> {
        OPEN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id(file: &Metadata) -> Id {
        (file.dev(), file.ino())
    }

    #[derive(Debug)]
    pub(super) struct Shared {
        file: Arc<File>,
        /// Behind the file: it closes what the list alone has.
        _closing: Closing,
    }

    impl Shared {
        pub(super) fn open(path: &Path) -> io::Result<Self> {
            let mut open = open();
            let named = id(&fs::metadata(path)?);
            if let Some(known) = open.get(&named) {
                let file = Arc::clone(&known.file);
                return Ok(Self { file, _closing: Closing(named) });
            }
            let file = Arc::new(File::open(path)?);
            // Another file may have taken the name meanwhile, one that is open already.
            let id = id(&file.metadata()?);
            let known = open
                .entry(id)
                .or_insert_with(|| Open { file: Arc::clone(&file), others: Vec::new() });
            if !Arc::ptr_eq(&known.file, &file) {
                known.others.extend(Arc::into_inner(file));
            }
            Ok(Self { file: Arc::clone(&known.file), _closing: Closing(id) })
        }

        pub(super) fn get(&self) -> &File {
            &self.file
        }
    }

    #[derive(Debug)]
    struct Closing(Id);

    impl Drop for Closing {
        fn drop(&mut self) {
            // While nobody else can open it.
            let mut open = open();
            if open.get(&self.0).is_some_and(|known| Arc::strong_count(&known.file) == 1) {
                open.remove(&self.0);
            }
        }
    }

    pub(crate) fn is_open_here(path: &Path) -> bool {
        id_of(path).is_some_and(|id| open().contains_key(&id))
    }

    pub(super) fn read_at(file: &File, room: &mut [u8], at: u64) -> io::Result<usize> {
        file.read_at(room, at)
    }

    pub(crate) fn is_writable(path: &Path) -> bool {
        let mut open = open();
        let Ok(file) = OpenOptions::new().append(true).open(path) else { return false };
        let known = file.metadata().ok().and_then(|file| open.get_mut(&id(&file)));
        if let Some(known) = known {
            known.others.push(file);
        }
        true
    }
}

/// Where a file that is open cannot be taken away, it need not be known again.
#[cfg(not(unix))]
type Id = ();

#[cfg(not(unix))]
fn id_of(_: &Path) -> Option<Id> {
    None
}

#[cfg(not(unix))]
#[derive(Debug)]
struct Shared(File);

#[cfg(not(unix))]
impl Shared {
    fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }

    fn get(&self) -> &File {
        &self.0
    }
}

#[cfg(not(unix))]
fn read_at(mut file: &File, room: &mut [u8], at: u64) -> io::Result<usize> {
    file.seek(SeekFrom::Start(at))?;
    file.read(room)
}

/// Whether a file can be written to at all, as far as opening it tells.
#[cfg(not(unix))]
pub(crate) fn is_writable(path: &Path) -> bool {
    std::fs::OpenOptions::new().append(true).open(path).is_ok()
}
