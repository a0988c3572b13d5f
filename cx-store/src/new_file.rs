//! New files that have their name only once they are whole, and that write over nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::beside::{BEFORE, BESIDE, PART, named};
use crate::error::StoreError;

/// A file that is written under another name beside its own, until it is whole. Half a file is
/// never found under the name, and what stands there already stays. Only its owner can read it.
///
/// ```
/// use std::io::Write as _;
/// use cx_store::{NewFile, StoreError};
///
/// # let folder = std::env::temp_dir().join(format!("cx-new-file-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("facts.jsonl");
/// let mut file = NewFile::create(&path)?;
/// file.write_all(b"{}\n")?;
/// assert!(!path.exists());
/// file.finish()?;
/// assert!(path.exists());
/// assert!(matches!(NewFile::create(&path), Err(StoreError::Exists { .. })));
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    beside: PathBuf,
    file: File,
}

impl NewFile {
    /// Begins a file where nothing stands yet.
    ///
    /// # Errors
    /// [`StoreError::Exists`] where something does, and [`StoreError::CannotOpen`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        if path.symlink_metadata().is_ok() {
            return Err(StoreError::Exists { path });
        }
        Self::replacing(path)
    }

    /// Begins a file that may stand in the place of another one.
    pub(crate) fn replacing(path: PathBuf) -> Result<Self, StoreError> {
        // What is written there at the same time has another name, and so has what a process has
        // left that was killed: in a container each one has the same number.
        let process = std::process::id();
        let names = std::iter::once(process.to_string());
        let names = names.chain((1..1_000).map(|n| format!("{process}-{n}")));
        let mut last = None;
        for name in names {
            let mut beside = path.as_os_str().to_owned();
            beside.push(format!(".{name}{PART}"));
            let beside = PathBuf::from(beside);
            match create(&beside) {
                Ok(file) => return Ok(Self { path, beside, file }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => last = Some(beside),
                Err(error) => {
                    return Err(StoreError::CannotOpen { path, detail: error.to_string() });
                }
            }
        }
        Err(StoreError::Exists { path: last.unwrap_or(path) })
    }

    /// Where it is written for now.
    pub(crate) fn beside(&self) -> &Path {
        &self.beside
    }

    /// Lets those read it who may read another file. Not every file system knows who may; then it
    /// stays as it was made.
    pub(crate) fn share_as(&self, other: &Path) {
        #[cfg(unix)]
        if let Ok(other) = fs::metadata(other) {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = other.permissions().mode() & 0o777 | OWNER;
            drop(self.file.set_permissions(fs::Permissions::from_mode(mode)));
        }
        #[cfg(not(unix))]
        let _ = other;
    }

    /// Gives the file its name, in the place of a store that may stand there, and of what is beside
    /// that: it is whole.
    pub(crate) fn replace(self) -> Result<(), StoreError> {
        let cannot = |error| StoreError::CannotWrite { error };
        self.file.sync_all().map_err(cannot)?;
        put_in_place(&self.beside, &self.path).map_err(cannot)
    }

    /// Gives the file its name: it is whole.
    ///
    /// # Errors
    /// [`StoreError::Exists`] where something stands there by now, and
    /// [`StoreError::CannotWrite`].
    pub fn finish(self) -> Result<(), StoreError> {
        let exists = || StoreError::Exists { path: self.path.clone() };
        let cannot = |error| StoreError::CannotWrite { error };
        self.file.sync_all().map_err(cannot)?;
        match fs::hard_link(&self.beside, &self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(exists()),
            // Not every file system can give a file a second name.
            Err(_) if self.path.symlink_metadata().is_ok() => return Err(exists()),
            Err(_) => fs::rename(&self.beside, &self.path).map_err(cannot)?,
        }
        sync_folder(&self.path).map_err(cannot)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        remove(&self.beside);
    }
}

/// What the owner of a file may do: read and write it.
#[cfg(unix)]
const OWNER: u32 = 0o600;

/// Makes a file where nothing stands yet, which only its owner can read: what is written there may
/// be of anybody.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, OWNER);
    options.open(path)
}

/// Puts a whole file in the place of another one, with whose log it has nothing to do. Where that
/// fails, the other one is as before, its log too. Where the process is stopped between the two,
/// the log of the other one stands beside it under a name of its own, and is told of.
pub(crate) fn put_in_place(fresh: &Path, path: &Path) -> io::Result<()> {
    let mut put_aside: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut put = || {
        for suffix in BESIDE {
            let there = named(path, suffix);
            if there.exists() {
                let aside = named(&there, BEFORE);
                fs::rename(&there, &aside)?;
                put_aside.push((there, aside));
            }
        }
        fs::rename(fresh, path)
    };
    if let Err(error) = put() {
        for (there, aside) in put_aside.iter().rev() {
            fs::rename(aside, there)?;
        }
        return Err(error);
    }
    // What is left of one that was stopped goes too.
    for suffix in BESIDE {
        match fs::remove_file(named(&named(path, suffix), BEFORE)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_folder(path)
}

/// Sees to it that names in the folder of a file are on the disk. Not every system opens folders.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new("."))).map_or(Ok(()), |folder| folder.sync_all())
}

/// Removes a store that could not be finished, and what is beside it.
pub(crate) fn remove(path: &Path) {
    for suffix in std::iter::once("").chain(BESIDE.iter().copied()) {
        drop(fs::remove_file(named(path, suffix)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_file_cannot_take_anothers_place_that_is_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cx");
        for suffix in ["", "-wal", "-shm"] {
            fs::write(named(&path, suffix), suffix).unwrap();
        }
        assert!(put_in_place(&folder.path().join("nothing"), &path).is_err());
        for suffix in ["", "-wal", "-shm"] {
            assert_eq!(fs::read_to_string(named(&path, suffix)).unwrap(), suffix);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        fs::write(folder.path().join("fresh"), "fresh").unwrap();
        fs::write(named(&path, "-wal.before"), "of one that was stopped").unwrap();
        put_in_place(&folder.path().join("fresh"), &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "fresh");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_process_of_the_same_number_has_left_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cx");
        let left = named(&path, &format!(".{}.part", std::process::id()));
        fs::write(&left, "half").unwrap();
        for _ in 0..2 {
            NewFile::create(&path).unwrap().finish().unwrap();
            fs::remove_file(&path).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
