//! New files that have their name only once they are whole, and that write over nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

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
        // What another process writes there at the same time has another name.
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}.part", std::process::id()));
        let beside = PathBuf::from(beside);
        match create(&beside) {
            Ok(file) => Ok(Self { path, beside, file }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(StoreError::Exists { path: beside })
            }
            Err(error) => Err(StoreError::CannotOpen { path, detail: error.to_string() }),
        }
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

    /// Gives the file its name, in the place of what may stand there: it is whole.
    pub(crate) fn replace(self) -> Result<(), StoreError> {
        let cannot = |error| StoreError::CannotWrite { error };
        self.file.sync_all().map_err(cannot)?;
        fs::rename(&self.beside, &self.path).map_err(cannot)
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
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(exists()),
            // Not every file system can give a file a second name.
            Err(_) if self.path.symlink_metadata().is_ok() => Err(exists()),
            Err(_) => fs::rename(&self.beside, &self.path).map_err(cannot),
        }
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

/// Removes a store that could not be finished, and what is beside it.
pub(crate) fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        drop(fs::remove_file(name));
    }
}
