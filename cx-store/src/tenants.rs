//! Tenants: a folder of stores, one file each, of which few are open at once.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use cx_core::identity::Policy;

use crate::beside;
use crate::encryption::{self, EncryptionKey};
use crate::error::StoreError;
use crate::memory::Memory;
use crate::opening::OpenOptions;
use crate::placing;
use crate::schema;
use crate::store::{Store, StoreOptions, WeakStore};

/// The stores of many tenants, each in a file of its own in one folder. Nothing is shared between
/// them but the folder: no id, no index, no cache, no key of ids. They are encrypted under one key,
/// or none of them is. Cloning it gives another handle on the
/// same stores. Whoever waits for a file that is locked keeps nobody waiting who asks for another.
///
/// At most so many of them are kept open; the one that was asked for longest ago is closed first.
/// A [`Store`] that somebody still holds stays open until it is dropped, on top of these. Together
/// those that are kept open remember as much of their customers as one store alone would, each the
/// same share; [`Store::remember`] gives one of them more, until it is closed.
///
/// ```
/// use cx_store::Tenants;
///
/// # let folder = std::env::temp_dir().join(format!("cx-tenants-{}", std::process::id()));
/// let tenants = Tenants::open(&folder, 100)?;
/// let acme = tenants.store("Acme B.V.")?;
/// assert_eq!(acme.tenant(), "Acme B.V.");
/// assert_eq!(tenants.names()?, ["Acme B.V."]);
/// # drop(acme);
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), cx_store::StoreError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tenants(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    most_open: usize,
    policy: Policy,
    key: Option<EncryptionKey>,
    stores: Mutex<Stores>,
}

#[derive(Debug, Default)]
struct Stores {
    /// Those that are kept open, with the number of the call that asked for them last.
    open: BTreeMap<String, (u64, Store)>,
    /// Those that somebody may still hold although they are not kept open.
    held: BTreeMap<String, WeakStore>,
    /// By tenant, what whoever opens, closes or removes a file holds meanwhile: nobody else waits
    /// for it.
    gates: BTreeMap<String, Weak<Gate>>,
    calls: u64,
}

/// One at a time opens, closes or removes the file of a tenant. Within is the last call that had been made
/// when the file was found to be locked: whoever has waited as long need not try it again.
type Gate = Mutex<u64>;

/// What stands before and behind a tenant in the name of its file.
const PREFIX: &str = "t-";
const SUFFIX: &str = ".cx";

/// File names are at most 255 bytes long on most systems; a log's name is four longer.
const LONGEST: usize = 200;

impl Tenants {
    /// The stores in a folder, which is made if it is not there. At most `most_open` of them are
    /// kept open, and at least one.
    ///
    /// # Errors
    /// [`StoreError::CannotOpen`] where the folder cannot be made.
    pub fn open(folder: impl Into<PathBuf>, most_open: usize) -> Result<Self, StoreError> {
        Self::open_with(folder, most_open, Policy::default())
    }

    /// As [`Tenants::open`]; new stores are set up with this policy.
    ///
    /// # Errors
    /// As [`Tenants::open`].
    pub fn open_with(
        folder: impl Into<PathBuf>,
        most_open: usize,
        policy: Policy,
    ) -> Result<Self, StoreError> {
        Self::open_under(folder, most_open, policy, None)
    }

    /// As [`Tenants::open_with`]; all stores of the folder are encrypted under this one key.
    ///
    /// # Errors
    /// As [`Tenants::open`], and [`StoreError::NoEncryption`].
    pub fn open_under(
        folder: impl Into<PathBuf>,
        most_open: usize,
        policy: Policy,
        key: impl Into<Option<EncryptionKey>>,
    ) -> Result<Self, StoreError> {
        let (folder, key): (PathBuf, _) = (folder.into(), key.into());
        if key.is_some() {
            encryption::require_engine()?;
        }
        // The same, whatever the current folder becomes.
        let folder = std::path::absolute(&folder).map_err(|error| cannot(&folder, &error))?;
        fs::create_dir_all(&folder).map_err(|error| cannot(&folder, &error))?;
        let stores = Mutex::default();
        let most_open = most_open.max(1);
        Ok(Self(Arc::new(Inner { folder, most_open, policy, key, stores })))
    }

    /// The store of a tenant, made if there is none.
    ///
    /// # Errors
    /// [`StoreError::TenantName`], [`StoreError::OtherTenant`] where the file is another tenant's,
    /// and as [`Store::open`].
    pub fn store(&self, tenant: &str) -> Result<Store, StoreError> {
        let path = self.path(tenant)?;
        let (call, gate) = {
            let mut stores = self.stores();
            stores.calls += 1;
            let call = stores.calls;
            if let Some((asked, store)) = stores.open.get_mut(tenant) {
                *asked = call;
                return Ok(store.clone());
            }
            (call, stores.gate(tenant))
        };
        let mut locked_until = gate.lock().unwrap_or_else(PoisonError::into_inner);
        if call <= *locked_until {
            return Err(StoreError::Locked { path });
        }
        let known = {
            let stores = self.stores();
            let open = stores.open.get(tenant).map(|(_, store)| store.clone());
            open.or_else(|| stores.held.get(tenant).and_then(WeakStore::upgrade))
        };
        let store = match known {
            Some(store) => store,
            None => match self.open_file(tenant, &path) {
                Ok(store) => store,
                Err(error) => {
                    if matches!(error, StoreError::Locked { .. }) {
                        *locked_until = self.stores().calls;
                    }
                    return Err(error);
                }
            },
        };
        let closed = {
            let mut stores = self.stores();
            stores.open.insert(tenant.to_owned(), (call, store.clone()));
            stores.shrink(self.0.most_open)
        };
        drop(locked_until);
        // To close a file can take as long as to open one, and nobody opens it meanwhile.
        for (tenant, store) in closed {
            let gate = self.stores().gate(&tenant);
            let _closing = gate.lock().unwrap_or_else(PoisonError::into_inner);
            drop(store);
        }
        Ok(store)
    }

    fn open_file(&self, tenant: &str, path: &Path) -> Result<Store, StoreError> {
        let policy = self.0.policy.clone();
        let options = StoreOptions { tenant: tenant.to_owned(), id_key: None, policy };
        let store = OpenOptions::new().key(self.0.key.clone()).settings(options).open(path)?;
        store.remember(Memory::MOST / self.0.most_open);
        Ok(store)
    }

    fn stores(&self) -> MutexGuard<'_, Stores> {
        self.0.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store of a tenant who has one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and as [`Tenants::store`].
    pub fn existing(&self, tenant: &str) -> Result<Store, StoreError> {
        let path = self.path(tenant)?;
        placing::settle(&path)?;
        if !path.is_file() {
            return Err(StoreError::NotFound { path });
        }
        self.store(tenant)
    }

    /// The tenants who have a store, in the order of their names. Files of other names are not
    /// looked at.
    ///
    /// # Errors
    /// [`StoreError::CannotOpen`] where the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        let folder = &self.0.folder;
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| cannot(folder, &error))? {
            let entry = entry.map_err(|error| cannot(folder, &error))?;
            names.extend(entry.file_name().to_str().and_then(decoded));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Deletes the file of a tenant, and what is beside it; says whether there was one. What the
    /// disk keeps of deleted files is not overwritten.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where somebody still has the store open, in this process or another;
    /// [`StoreError::CannotOpen`] where the file cannot be deleted.
    pub fn remove(&self, tenant: &str) -> Result<bool, StoreError> {
        let path = self.path(tenant)?;
        let gate = self.stores().gate(tenant);
        let _alone = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let open = self.stores().open.remove(tenant);
        if let Some((asked, store)) = open {
            let weak = store.downgrade();
            drop(store);
            if let Some(store) = weak.upgrade() {
                self.stores().open.insert(tenant.to_owned(), (asked, store));
                return Err(StoreError::Locked { path });
            }
        }
        let held = self.stores().held.remove(tenant);
        if let Some(held) = held.filter(WeakStore::is_held) {
            self.stores().held.insert(tenant.to_owned(), held);
            return Err(StoreError::Locked { path });
        }
        if !path.is_file() {
            // What a removal that was stopped, or a repair, has left.
            return self.remove_beside(&path).map(|n| n > 0);
        }
        let alone = match schema::hold(&path, self.0.key.as_ref()) {
            Ok(alone) => Some(alone),
            Err(StoreError::Locked { .. }) => return Err(StoreError::Locked { path }),
            Err(_) => None,
        };
        // Who opened it before it was damaged may still have it open.
        let spoilt = match alone {
            Some(_) => None,
            None => match placing::alone(&path) {
                Err(StoreError::Locked { .. }) => return Err(StoreError::Locked { path }),
                spoilt => spoilt.ok(),
            },
        };
        // Some systems delete no file that is open.
        if cfg!(windows) {
            drop((alone, spoilt));
        }
        fs::remove_file(&path).map_err(|error| cannot(&path, &error))?;
        self.remove_beside(&path)?;
        Ok(true)
    }

    /// Deletes what is beside the file of a tenant, and says how many files that were.
    fn remove_beside(&self, path: &Path) -> Result<usize, StoreError> {
        let beside = beside::all_beside(path).map_err(|error| cannot(&self.0.folder, &error))?;
        for there in &beside {
            match fs::remove_file(there) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(cannot(there, &error));
                }
                _ => {}
            }
        }
        Ok(beside.len())
    }

    /// How many stores are kept open now.
    pub fn n_open(&self) -> usize {
        self.stores().open.len()
    }

    /// The file of a tenant, whether or not it is there. Every name has a file of its own inside
    /// the folder, also where the system takes capital and small letters for the same.
    ///
    /// # Errors
    /// [`StoreError::TenantName`] where the name is empty, or longer than a file's name can be.
    pub fn path(&self, tenant: &str) -> Result<PathBuf, StoreError> {
        Ok(self.0.folder.join(encoded(tenant)?))
    }
}

impl Stores {
    /// What whoever opens, closes or removes the file of a tenant holds meanwhile.
    fn gate(&mut self, tenant: &str) -> Arc<Gate> {
        if let Some(gate) = self.gates.get(tenant).and_then(Weak::upgrade) {
            return gate;
        }
        self.gates.retain(|_, gate| gate.strong_count() > 0);
        let gate = Arc::new(Gate::default());
        self.gates.insert(tenant.to_owned(), Arc::downgrade(&gate));
        gate
    }

    /// Gives up those that were asked for longest ago, to be closed where nobody is kept waiting.
    fn shrink(&mut self, most: usize) -> Vec<(String, Store)> {
        let mut closed = Vec::new();
        while self.open.len() > most {
            let oldest = self.open.iter().min_by_key(|(_, (asked, _))| *asked);
            let Some(tenant) = oldest.map(|(tenant, _)| tenant.clone()) else { break };
            if let Some((_, store)) = self.open.remove(&tenant) {
                self.held.insert(tenant.clone(), store.downgrade());
                closed.push((tenant, store));
            }
            self.held.retain(|_, store| store.is_held());
        }
        closed
    }
}

fn cannot(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::CannotOpen { path: path.to_owned(), detail: error.to_string() }
}

/// The name of a tenant's file: small letters, digits and `-` stand for themselves, every other
/// byte as `_` and two digits of base 16.
fn encoded(tenant: &str) -> Result<String, StoreError> {
    let wrong = |problem| StoreError::TenantName { tenant: tenant.to_owned(), problem };
    if tenant.is_empty() {
        return Err(wrong("it is empty"));
    }
    let mut name = PREFIX.to_owned();
    for byte in tenant.bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' {
            name.push(char::from(byte));
        } else {
            name.push('_');
            name.push_str(&crate::codec::hex(&[byte]));
        }
    }
    if name.len() > LONGEST {
        return Err(wrong("it is longer than the name of a file can be"));
    }
    name.push_str(SUFFIX);
    Ok(name)
}

/// The tenant of a file by its name; `None` where it is no tenant's.
fn decoded(file: &str) -> Option<String> {
    let name = file.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'_' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = rest.get(2..)?;
        } else {
            bytes.push(*first);
        }
    }
    let tenant = String::from_utf8(bytes).ok()?;
    // Only what this version writes: one file a tenant.
    (encoded(&tenant).ok()? == file).then_some(tenant)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_name_leaves_the_folder_or_meets_another_one() {
        let names = [
            "..",
            ".",
            "/",
            "\\",
            "a/../../b",
            "C:",
            "con",
            "Acme",
            "acme",
            "ACME",
            "ac me",
            "é",
            "e\u{301}",
            "_2e",
            ".cx",
            "a\u{0}b",
            "t-",
            "\u{202e}",
            "-wal",
            "*",
        ];
        let files: BTreeSet<String> =
            names.iter().map(|name| encoded(name).unwrap().to_ascii_lowercase()).collect();
        assert_eq!(files.len(), names.len());
        for file in files {
            assert_eq!(Path::new(&file).components().count(), 1, "{file}");
            assert!(file.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)));
        }
        assert!(matches!(encoded(""), Err(StoreError::TenantName { .. })));
        assert!(matches!(encoded(&"é".repeat(60)), Err(StoreError::TenantName { .. })));
    }

    proptest! {
        #[test]
        fn every_name_is_read_back_from_its_file(name in "\\PC{1,30}") {
            match encoded(&name) {
                Ok(file) => prop_assert_eq!(decoded(&file), Some(name)),
                // Every byte but a small letter, a digit and `-` takes three of a file's name.
                Err(_) => prop_assert!("t-.cx".len() + 3 * name.len() > LONGEST),
            }
        }

        #[test]
        fn a_file_is_a_tenants_only_under_the_name_it_would_have(file in "t-[a-zA-Z0-9_.-]{0,12}\\.cx") {
            if let Some(tenant) = decoded(&file) {
                prop_assert_eq!(encoded(&tenant).unwrap(), file);
            }
        }
    }
}
