//! The repair of a file in its place.
//!
//! What was saved is written over the file in one transaction, by a connection that holds it all
//! the while: nobody writes to it meanwhile. Where something in the log is damaged, of which the
//! engine would throw away what stands behind that, or the engine cannot read the file, what was
//! saved takes the name of the file, which is put aside with its log. Wherever the process is
//! stopped, the file is as it was or repaired.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde::Serialize;

use crate::beside::beside;
use crate::copying;
use crate::error::StoreError;
use crate::moving::{self, remove};
use crate::new_file;
use crate::pages::Pages;
use crate::placing::{self, Alone};
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
        placing::settle(path)?;
        if !path.exists() {
            return Err(StoreError::NotFound { path: path.to_owned() });
        }
        let mut target = Target::hold(path)?;
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
        let whole = beside(path, "");
        let done = if let (Target::Held(held), true) = (&mut target, pages.logged.is_whole()) {
            let kept = if is_kept { keep(&mut pages, &aside) } else { Ok(()) };
            kept.and_then(|()| {
                let written = store.read(|source| copying::write_over(held, source));
                drop(store);
                written.map_err(|error| error.at(path))
            })
        } else {
            keep(&mut pages, &aside).and_then(|()| {
                // All of it is in the file, and nothing in its log.
                store.expect_to_compact()?;
                drop(store);
                placing::give_to_owner(&fresh, &whole);
                placing::put_in_place(&fresh, &whole)
                    .map_err(|error| salvage::unreadable(path, &error))
            })
        };
        // Where a process closes a file, it gives up what it holds of it.
        drop(target);
        drop(pages);
        remove(&fresh);
        // What could not be given back is kept.
        if (done.is_err() && !placing::is_begun(&whole)) || (done.is_ok() && !is_kept) {
            remove(&aside);
        }
        done.map(|()| RepairReport { salvage, kept: is_kept.then_some(aside) })
    }
}

/// The file, held so that nobody else opens it.
enum Target {
    /// By the engine.
    Held(Connection),
    /// The engine cannot read it, or nothing is left but the log, which it would take away.
    Alone { _alone: Alone },
}

impl Target {
    fn hold(path: &Path) -> Result<Self, StoreError> {
        let alone = || {
            let alone = placing::alone(&beside(path, ""))?;
            Ok(Self::Alone { _alone: alone })
        };
        if fs::metadata(path).is_ok_and(|file| file.len() == 0) {
            return alone();
        }
        match schema::hold(path, None) {
            Ok(connection) => Ok(Self::Held(connection)),
            Err(error @ (StoreError::Locked { .. } | StoreError::ReadOnly { .. })) => Err(error),
            Err(_) => alone(),
        }
    }
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
