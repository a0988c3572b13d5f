//! New files that have their name only once they are whole, and that write over nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::beside::{BESIDE, PART, named};
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
            // A log that was left there would be taken for that of the new one.
            if BESIDE.iter().any(|suffix| named(&beside, suffix).exists()) {
                last = Some(beside);
                continue;
            }
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

    /// Sees to it that all of it is on the disk.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_all().map_err(|error| StoreError::CannotWrite { error })
    }

    /// Gives the file its name: it is whole.
    ///
    /// # Errors
    /// [`StoreError::Exists`] where something stands there by now, and
    /// [`StoreError::CannotWrite`].
    pub fn finish(self) -> Result<(), StoreError> {
        let exists = || StoreError::Exists { path: self.path.clone() };
        let cannot = |error| StoreError::CannotWrite { error };
        self.sync()?;
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
        // Its log would be taken for that of what is made there.
        fs::rename(&left, named(&left, "-wal")).unwrap();
        let file = NewFile::create(&path).unwrap();
        assert_ne!(file.beside(), left);
        drop(file);
        assert!(named(&left, "-wal").exists());
    }
}
