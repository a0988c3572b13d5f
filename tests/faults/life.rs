//! The life of a store that is disturbed: a file that is made, written to, erased from, compressed,
//! compacted, closed and opened again.

use std::path::Path;
use std::sync::Arc;

use cx_store::StoreError;
use cx_tests::opening;
use cx_tests::promises::{self, Told};

use crate::disk::{Disk, Fault, Lie};
use crate::vfs;

/// How many steps are written; the first, the fifth and the seventh say and erase something.
const STEPS: u64 = 8;
/// After this one the file is rewritten, and opened again.
const COMPACTED: u64 = 4;

/// The name of the store's file.
pub(crate) const FILE: &str = "store.cx";

/// How often a step that failed is tried again.
const TRIES: u64 = 4;

/// Lives through all of it in a folder on this disk. Gives what was acknowledged and what failed.
pub(crate) fn live(folder: &Path, disk: &Disk) -> (Told, Vec<StoreError>) {
    let (mut told, mut failed) = (Told::default(), Vec::new());
    let path = folder.join(FILE);
    let Some(mut store) = again(disk, &mut failed, || opening::open(&path)) else {
        return (told, failed);
    };
    for number in 0..STEPS {
        let written = again(disk, &mut failed, || {
            promises::write(&store, number, |step, number| told.take(step, number))
        });
        if written.is_none() {
            return (told, failed);
        }
        if number == COMPACTED {
            if again(disk, &mut failed, || store.compact(promises::at(number))).is_none() {
                return (told, failed);
            }
            drop(store);
            let Some(opened) = again(disk, &mut failed, || opening::open(&path)) else {
                return (told, failed);
            };
            store = opened;
        }
    }
    (told, failed)
}

/// Tries until it succeeds, or the power is off.
fn again<T>(
    disk: &Disk,
    failed: &mut Vec<StoreError>,
    mut work: impl FnMut() -> Result<T, StoreError>,
) -> Option<T> {
    for tried in 1..=TRIES {
        match work() {
            Ok(done) => return Some(done),
            Err(error) => {
                failed.push(error);
                if disk.is_off() {
                    return None;
                }
                if tried > 1 {
                    disk.heal();
                }
            }
        }
    }
    panic!("it fails even after the disk was healed: {failed:?}");
}

/// A folder whose files are on a failing disk, for as long as it lives.
pub(crate) struct Watched {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) disk: Arc<Disk>,
}

impl Watched {
    pub(crate) fn new(fault: Fault, at: u64, lie: Lie) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::new(fault, at, lie));
        vfs::watch(folder.path(), &disk);
        Self { folder, disk }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        vfs::forget(self.folder.path());
    }
}

/// How many operations there are in a life that is not disturbed.
pub(crate) fn operations(fault: Fault) -> u64 {
    let watched = Watched::new(fault, u64::MAX, Lie::None);
    let (told, failed) = live(watched.folder.path(), &watched.disk);
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(told.kept, (0..STEPS).collect::<Vec<_>>());
    watched.disk.seen()
}

/// The points that are tried: all of them, or so many spread over all.
pub(crate) fn points(all: u64, wanted: u64) -> Vec<u64> {
    if all <= wanted {
        return (0..all).collect();
    }
    (0..wanted).map(|n| n * all / wanted).collect()
}

pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|words| words.parse().ok()).unwrap_or(otherwise)
}
