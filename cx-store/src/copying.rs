//! Copies of a store: under the same key, under another one, or under none.

use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, params};
use zeroize::Zeroizing;

use crate::beside::{self, ASIDE, BESIDE};
use crate::encryption::{self, EncryptionKey, PAGE_SIZE};
use crate::error::StoreError;
use crate::kept::KeptFile;
use crate::new_file::NewFile;
use crate::placing::{self, Alone};
use crate::schema::{self, Found};
use crate::store::Store;

impl Store {
    /// Writes a consistent copy of the store to a new file, while others read and write. It is
    /// encrypted under the same key, or as little as the store is, and can be read by those who can
    /// read the store.
    ///
    /// # Errors
    /// [`StoreError::Exists`] where something stands there already, or where it cannot be written;
    /// nothing is left there then. Until it is whole the copy stands beside that name.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<(), StoreError> {
        self.backup_under(to, self.key())
    }

    /// Writes a consistent copy of the store to a new file, encrypted under this key, or not at
    /// all: so a store is encrypted, decrypted, or given another key.
    ///
    /// ```
    /// use cx_store::{EncryptionKey, OpenOptions, Store, StoreError};
    ///
    /// # let folder = std::env::temp_dir().join(format!("cx-copying-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// # let (plain, encrypted) = (folder.join("plain.cx"), folder.join("encrypted.cx"));
    /// let key = EncryptionKey::passphrase("correct horse battery staple")?;
    /// let store = Store::open(&plain)?;
    /// match store.backup_under(&encrypted, Some(&key)) {
    ///     Ok(()) => assert!(OpenOptions::new().key(key).open_existing(&encrypted).is_ok()),
    ///     // cx was built without the feature `encryption`: nothing was written.
    ///     Err(StoreError::NoEncryption) => assert!(!encrypted.exists()),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # drop(store);
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::backup`], and [`StoreError::NoEncryption`].
    pub fn backup_under(
        &self,
        to: impl AsRef<Path>,
        key: Option<&EncryptionKey>,
    ) -> Result<(), StoreError> {
        let to = to.as_ref();
        schema::file_name(to)?;
        if key.is_some() {
            encryption::require_engine()?;
        }
        beside::expect_nothing(to, &["", "-wal", "-journal"])?;
        let copy = NewFile::create(to)?;
        if self.is_encrypted() == key.is_some() {
            self.read(|connection| pages(connection, copy.beside(), key))?;
        } else {
            self.rows(copy.beside(), key)?;
        }
        copy.share_as(self.file());
        copy.finish()
    }

    /// Puts a copy of a store in the place of a file, whatever state that is in. The copy stays where
    /// it is.
    ///
    /// It is written over the file in one transaction, and whoever opens the file meanwhile waits.
    /// Where the engine cannot read the file, or its log is damaged, and where either of the two is
    /// encrypted, the copy takes the name of the file instead, and file and log are put aside
    /// meanwhile. Wherever that is stopped, the file is as it was, or the copy.
    ///
    /// ```
    /// use cx_store::Store;
    ///
    /// # let folder = std::env::temp_dir().join(format!("cx-restoring-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// # let (path, copy) = (folder.join("shop.cx"), folder.join("copy.cx"));
    /// let store = Store::open(&path)?;
    /// store.backup(&copy)?;
    /// assert!(Store::restore(&copy, &path).is_err(), "somebody has it open");
    /// drop(store);
    /// Store::restore(&copy, &path)?;
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StoreError::Locked`] where somebody has the file open; [`StoreError::NotOurs`] where
    /// something stands there that is no store; [`StoreError::Exists`] where somebody has made a file
    /// meanwhile where there was none; as [`OpenOptions::open_existing`] where the copy is none. The
    /// file is as before then.
    ///
    /// [`OpenOptions::open_existing`]: crate::OpenOptions::open_existing
    pub fn restore(copy: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), StoreError> {
        Self::restore_under(copy, to, None)
    }

    /// Whether something stands at a path that [`Store::restore`] would take the place of: a file
    /// that is not empty, the log that is left of one, or what was put aside of it.
    ///
    /// ```
    /// let folder = tempfile::tempdir()?;
    /// assert!(!cx_store::Store::has_something_at(folder.path().join("none.cx")));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn has_something_at(path: impl AsRef<Path>) -> bool {
        ["", ASIDE].iter().any(|suffix| {
            let file = beside::beside(path.as_ref(), suffix);
            let log = beside::beside(&file, "-wal");
            [file, log].iter().any(|it| it.metadata().is_ok_and(|it| it.len() > 0))
        })
    }

    /// As [`Store::restore`], of a copy that is encrypted under this key. The file may be encrypted
    /// under the same key, or not at all.
    ///
    /// # Errors
    /// As [`Store::restore`].
    pub fn restore_under(
        copy: impl AsRef<Path>,
        to: impl AsRef<Path>,
        key: Option<&EncryptionKey>,
    ) -> Result<(), StoreError> {
        let (copy, to) = (copy.as_ref(), to.as_ref());
        schema::file_name(to)?;
        if schema::look(copy, key)? == Found::Nothing {
            return Err(StoreError::NotFound { path: copy.to_owned() });
        }
        // Where it is a link, the file that it means.
        let to = beside::beside(to, "");
        let target = Target::hold(&to, key)?;
        let mut file = NewFile::replacing(to.clone())?;
        if beside::beside(copy, "-wal").exists() {
            let source = schema::open_source(copy, key).map_err(|error| error.at(copy))?;
            let copied = pages(&source, file.beside(), key);
            encryption::sound(&source, key, copy, copied)
                .map_err(|error| error.at(file.beside()))?;
        } else {
            // Nothing is left beside a copy that nobody has open.
            let mut source = KeptFile::open(copy).map_err(|error| StoreError::CannotOpen {
                path: copy.to_owned(),
                detail: error.to_string(),
            })?;
            io::copy(&mut source, &mut file).map_err(|error| StoreError::CannotWrite { error })?;
        }
        // That the key is not that of the copy, or that it is damaged, is known before the file is
        // gone.
        sound(file.beside(), key).map_err(|error| told_of(error, file.beside(), copy))?;
        file.share_as(if to.exists() { &to } else { copy });
        file.sync()?;
        target.take(file, &to)
    }

    fn rows(&self, to: &Path, key: Option<&EncryptionKey>) -> Result<(), StoreError> {
        let rows = |source: &Connection| {
            let sound = |done| {
                let done = encryption::sound(source, self.key(), self.path(), done);
                // What a source that is of no use does not give is no fault of the copy.
                let is_of_use = encryption::is_of_use(source, self.key());
                done.map_err(|error| if is_of_use { error } else { error.at(self.path()) })
            };
            rows(source, to, key, sound)
        };
        let copied = self
            .in_memory(rows)
            .unwrap_or_else(|| rows(&schema::open_source(self.file(), self.key())?));
        copied.map_err(|error| match error.at(to) {
            // Nothing was read back of the copy.
            StoreError::Corrupt { detail, .. } => {
                StoreError::Corrupt { path: self.path().to_owned(), detail }
            }
            error => error,
        })
    }
}

/// Sees to it that a file can be opened, and that the engine finds nothing wrong with its pages.
fn sound(path: &Path, key: Option<&EncryptionKey>) -> Result<(), StoreError> {
    let copy = schema::open_source(path, key)?;
    let found: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    let corrupt = || StoreError::Corrupt { path: path.to_owned(), detail: found.clone() };
    if found == "ok" { Ok(()) } else { Err(corrupt()) }
}

/// An error of a file that was made of a copy, told of the copy.
fn told_of(error: StoreError, made: &Path, copy: &Path) -> StoreError {
    match error {
        StoreError::Corrupt { path, detail } if path == made => {
            StoreError::Corrupt { path: copy.to_owned(), detail }
        }
        StoreError::WrongKey { path } if path == made => {
            StoreError::WrongKey { path: copy.to_owned() }
        }
        other => other.at(copy),
    }
}

/// The file in the place of which another one comes, held so that nobody else opens it.
enum Target {
    /// There is none, and no log either.
    Nothing,
    /// It can be written over, whatever stands in it.
    Whole(Connection),
    /// The engine can hold it, and it is damaged, or one of the two is encrypted.
    Held { _held: Connection },
    /// The engine cannot open it, or would take away the log that is left of it.
    Alone { _alone: [Alone; 2] },
}

impl Target {
    fn hold(path: &Path, key: Option<&EncryptionKey>) -> Result<Self, StoreError> {
        let alone = || -> Result<Self, StoreError> {
            // All that is left may be the log.
            let log = placing::alone(&beside::beside(path, "-wal"))?;
            Ok(Self::Alone { _alone: [placing::alone(path)?, log] })
        };
        let (key, is_whole) = match schema::look(path, key) {
            Ok(Found::Nothing) if path.exists() => (None, key.is_none()),
            Ok(Found::Nothing) if beside::expect_nothing(path, BESIDE).is_ok() => {
                return Ok(Self::Nothing);
            }
            // What is left there would be taken for that of the copy.
            Ok(Found::Nothing) => return alone(),
            Ok(Found::Ours) | Err(StoreError::Newer { .. }) => (key, key.is_none()),
            Err(StoreError::Corrupt { .. }) => (key, false),
            // A copy that is encrypted takes the place of a file that was not.
            Err(StoreError::NotEncrypted { .. }) => (None, false),
            Err(error) => return Err(error),
        };
        let is_empty = path.metadata().map_or(true, |file| file.len() == 0);
        // The engine takes away the log of an empty file.
        if is_empty && beside::has_journal(path) {
            return alone();
        }
        match schema::hold(path, key) {
            Ok(held) if is_whole => Ok(Self::Whole(held)),
            Ok(held) => Ok(Self::Held { _held: held }),
            Err(StoreError::Corrupt { .. } | StoreError::NotOurs { .. }) => alone(),
            Err(error) => Err(error),
        }
    }

    /// Puts a file in its place that is whole.
    fn take(self, file: NewFile, path: &Path) -> Result<(), StoreError> {
        match self {
            Self::Nothing => return file.finish(),
            Self::Whole(mut held) => {
                let written = schema::open_source(file.beside(), None)
                    .and_then(|source| write_over(&mut held, &source));
                match written {
                    Ok(()) => return Ok(()),
                    // It is more damaged than it seemed.
                    Err(
                        StoreError::Corrupt { .. }
                        | StoreError::NotOurs { .. }
                        | StoreError::ReadOnly { .. },
                    ) => return Self::Held { _held: held }.take(file, path),
                    Err(error) => return Err(error.at(path)),
                }
            }
            Self::Held { .. } | Self::Alone { .. } => {}
        }
        placing::give_to_owner(file.beside(), path);
        // Some systems replace no file that is open.
        let _held = (!cfg!(windows)).then_some(self);
        placing::put_in_place(file.beside(), path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => StoreError::Exists { path: path.to_owned() },
            _ => StoreError::CannotWrite { error },
        })
    }
}

/// Writes the pages of a store over those of a file that is held, in one transaction.
pub(crate) fn write_over(held: &mut Connection, source: &Connection) -> Result<(), StoreError> {
    // The file stays held.
    held.execute_batch("COMMIT")?;
    Backup::new(source, held)?.run_to_completion(1_000, Duration::ZERO, None)?;
    // It is written. What cannot be copied out of the log now is copied by whoever comes next.
    drop(held.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false));
    Ok(())
}

/// Copies page by page: between two files that are encrypted, under whatever keys, or between two
/// that are not.
fn pages(source: &Connection, to: &Path, key: Option<&EncryptionKey>) -> Result<(), StoreError> {
    let mut copy = Connection::open(to).map_err(|error| StoreError::from(error).at(to))?;
    encryption::unlock(&copy, key)?;
    let backup = Backup::new(source, &mut copy)?;
    Ok(backup.run_to_completion(1_000, Duration::ZERO, None)?)
}

/// Copies row by row, in one snapshot: the pages of a file that is encrypted have less room than
/// those of one that is not.
fn rows(
    source: &Connection,
    to: &Path,
    key: Option<&EncryptionKey>,
    sound: impl FnOnce(Result<(), StoreError>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let cannot = |detail: String| StoreError::CannotOpen { path: to.to_owned(), detail };
    // A name that begins with a slash, or a drive, is never taken for a URI.
    let name = std::path::absolute(to).map_err(|error| cannot(error.to_string()))?;
    let name = name.to_str().ok_or_else(|| cannot("its name is not UTF-8".to_owned()))?;
    // An empty key means none.
    let text = key.map_or_else(Zeroizing::default, EncryptionKey::as_engine_text);
    source.execute("ATTACH DATABASE ?1 AS copy KEY ?2", params![name, text.as_str()])?;
    let copied = export(source, key.is_some());
    let copied = sound(copied).and_then(|()| Ok(source.execute_batch("COMMIT")?));
    if !source.is_autocommit() {
        source.execute_batch("ROLLBACK")?;
    }
    source.execute_batch("DETACH DATABASE copy")?;
    copied
}

fn export(source: &Connection, is_encrypted: bool) -> Result<(), StoreError> {
    if is_encrypted {
        encryption::form(source, "copy")?;
    } else {
        source.pragma_update(Some("copy"), "page_size", PAGE_SIZE)?;
    }
    source.execute_batch("BEGIN")?;
    for mark in ["application_id", "user_version"] {
        let value: u32 = source.pragma_query_value(Some("main"), mark, |row| row.get(0))?;
        source.pragma_update(Some("copy"), mark, value)?;
    }
    Ok(source.query_row("SELECT sqlcipher_export('copy')", [], |_| Ok(())).map_err(meant)?)
}

/// A function of SQL can fail in one way only: what it met is in its words.
fn meant(error: rusqlite::Error) -> rusqlite::Error {
    use rusqlite::ffi;
    let rusqlite::Error::SqliteFailure(_, Some(words)) = &error else { return error };
    let code = match words.as_str() {
        "database disk image is malformed" | "file is not a database" => ffi::SQLITE_CORRUPT,
        "database or disk is full" => ffi::SQLITE_FULL,
        "disk I/O error" => ffi::SQLITE_IOERR,
        _ => return error,
    };
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(words.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_made_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.cx");
        let target = Target::hold(&path, None).unwrap();
        let file = NewFile::create(&path).unwrap();
        drop(Store::open(&path).unwrap());
        let made = std::fs::read(&path).unwrap();
        let refused = target.take(file, &path).unwrap_err();
        assert!(matches!(refused, StoreError::Exists { .. }), "{refused}");
        assert!(std::fs::read(&path).unwrap() == made);
    }
}
