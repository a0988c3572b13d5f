//! The repair of a file in its place.
//!
//! What was saved is written over the file in one transaction, by a connection that holds it all
//! the while: nobody writes to it meanwhile, and wherever the process is stopped, the file is as it
//! was or repaired.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use serde::Serialize;

use crate::beside::beside;
use crate::error::StoreError;
use crate::moving::{self, remove};
use crate::new_file;
use crate::pages::Pages;
use crate::salvage::{self, SalvageReport};
use crate::schema;
use crate::store::Store;

/// What the repair of a file did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepairReport {
    /// What was saved, and what was not.
    pub salvage: SalvageReport,
    /// Where the file as it was is kept, where something could not be saved.
    pub kept: Option<PathBuf>,
}

impl Store {
    /// Makes everything derived in a file anew from its facts, and leaves out what cannot be read,
    /// as [`Store::salvage`] does. The file as it was is kept beside it as `FILE.damaged` where
    /// anything was, or may be, lost. Needs twice as much free space again, three times where it is
    /// kept, and nobody else who has the file open. Whoever opens it meanwhile waits, or is told
    /// that it is locked.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where somebody has it open; [`StoreError::Exists`] where another
    /// damaged file is kept, which an earlier repair has left; and as [`Store::salvage`]. The file is as before then.
    pub fn repair(path: impl AsRef<Path>) -> Result<RepairReport, StoreError> {
        let path = path.as_ref();
        let (aside, fresh) = (beside(path, ".damaged"), beside(path, ".repaired"));
        if !path.exists() {
            return Err(StoreError::NotFound { path: path.to_owned() });
        }
        let held = hold(path)?;
        // Where a process closes a file, it gives up what it holds of it: this goes last.
        let mut pages = salvage::pages(path)?;
        // What a repair has kept that was stopped is the file as it still is.
        if aside.exists()
            && !pages
                .are_in(&aside, &beside(&aside, "-wal"))
                .map_err(|error| salvage::unreadable(&aside, &error))?
        {
            return Err(StoreError::Exists { path: aside });
        }
        // What an interrupted repair has left.
        remove(&fresh);
        let (store, salvage) = moving::make(&fresh, || {
            // Who may read the file may read what is saved of it, and nobody else.
            let permissions = fs::metadata(path).map(|file| file.permissions());
            permissions
                .and_then(|permissions| fs::set_permissions(&fresh, permissions))
                .map_err(|error| salvage::unreadable(&fresh, &error))?;
            salvage::salvage(&mut pages, path, &fresh, None)
        })?;
        let is_kept = !salvage.is_complete();
        let done = match held {
            Some(held) => {
                let kept = if is_kept { keep(&mut pages, &aside) } else { Ok(()) };
                let cut = kept.and_then(|()| {
                    pages.cut_log(path).map_err(|error| salvage::unreadable(path, &error))
                });
                cut.and_then(|()| write_over(held, store).map_err(|error| error.at(path)))
            }
            None => keep(&mut pages, &aside).and_then(|()| {
                drop(store);
                new_file::put_in_place(&fresh, &beside(path, ""))
                    .map_err(|error| salvage::unreadable(path, &error))
            }),
        };
        drop(pages);
        remove(&fresh);
        if done.is_err() || !is_kept {
            remove(&aside);
        }
        done.map(|()| RepairReport { salvage, kept: is_kept.then_some(aside) })
    }
}

/// Holds the file, so that nobody else opens it; `None` where nobody can, or where nothing is left
/// but the log, which the engine would take away.
fn hold(path: &Path) -> Result<Option<Connection>, StoreError> {
    if fs::metadata(path).is_ok_and(|file| file.len() == 0) {
        return Ok(None);
    }
    match schema::hold(path, None) {
        Ok(connection) => Ok(Some(connection)),
        Err(error @ (StoreError::Locked { .. } | StoreError::ReadOnly { .. })) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Writes the pages of a store over those of the file that is held, in one transaction.
fn write_over(mut held: Connection, store: Store) -> Result<(), StoreError> {
    // The file stays held.
    held.execute_batch("COMMIT")?;
    store.read(|connection| {
        let backup = Backup::new(connection, &mut held)?;
        Ok(backup.run_to_completion(1_000, Duration::ZERO, None)?)
    })?;
    drop(store);
    // It is written. What cannot be copied out of the log now is copied by whoever comes next.
    drop(held.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false));
    Ok(())
}

/// Keeps a file as it is, with its log. It is there as a whole, or not at all.
fn keep(pages: &mut Pages, aside: &Path) -> Result<(), StoreError> {
    let part = beside(aside, ".part");
    let mut keep = || -> io::Result<()> {
        pages.copy_to(&part, &beside(aside, "-wal"))?;
        fs::rename(&part, aside)?;
        new_file::sync_folder(aside)
    };
    keep().map_err(|error| {
        drop(fs::remove_file(&part));
        salvage::unreadable(aside, &error)
    })
}
