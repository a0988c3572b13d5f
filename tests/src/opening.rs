//! Stores as the tests of crashes, failing disks and long lives open them.
//!
//! Built with the feature `encryption` (`cargo xtask encryption`), their files are encrypted, so
//! that what is promised of a store is tested of those as well.

use std::io::BufRead;
use std::path::Path;

use cx_store::{EncryptionKey, MoveReport, OpenOptions, Store, StoreError};

/// How a new store is opened.
pub fn as_built() -> OpenOptions {
    OpenOptions::new().key(key_as_built())
}

/// The store in a file, made if there is none.
///
/// # Errors
/// As [`OpenOptions::open`].
pub fn open(path: impl AsRef<Path>) -> Result<Store, StoreError> {
    as_built().open(path)
}

/// The store that these lines of facts make, in a new file.
///
/// # Errors
/// As [`Store::import_facts`].
pub fn import_facts(
    lines: impl BufRead,
    to: impl AsRef<Path>,
) -> Result<(Store, MoveReport), StoreError> {
    Store::import_facts_under(lines, to, key_as_built().as_ref())
}

/// How the file of this store, or a copy of it, is opened again.
pub fn like(store: &Store) -> OpenOptions {
    OpenOptions::new().key(store.is_encrypted().then(key))
}

fn key_as_built() -> Option<EncryptionKey> {
    cfg!(feature = "encryption").then(key)
}

fn key() -> EncryptionKey {
    EncryptionKey::raw([7; 32])
}
