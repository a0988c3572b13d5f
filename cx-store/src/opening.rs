//! How a store is opened: with what key, and set up how where it is new.

use std::path::Path;

use crate::encryption::EncryptionKey;
use crate::error::StoreError;
use crate::kept::KeptFile;
use crate::schema::{self, Found};
use crate::store::{Store, StoreOptions};

/// How a store is opened. [`Store::open`] and its like do without it, for a store that is not
/// encrypted.
///
/// ```
/// use cx_store::{EncryptionKey, OpenOptions, StoreError};
///
/// # let path = std::env::temp_dir().join(format!("cx-opening-{}.cx", std::process::id()));
/// let key = EncryptionKey::passphrase("correct horse battery staple")?;
/// match OpenOptions::new().key(key).open(&path) {
///     Ok(store) => assert!(store.is_encrypted()),
///     // cx was built without the feature `encryption`: nothing was written.
///     Err(StoreError::NoEncryption) => assert!(!path.exists()),
///     Err(error) => return Err(error.into()),
/// }
/// # drop(std::fs::remove_file(path));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    key: Option<EncryptionKey>,
    settings: Option<StoreOptions>,
}

impl OpenOptions {
    /// No key, and the settings that a new store has without any.
    pub fn new() -> Self {
        Self::default()
    }

    /// The key under which the store is encrypted; `None` for one that is not.
    #[must_use]
    pub fn key(mut self, key: impl Into<Option<EncryptionKey>>) -> Self {
        self.key = key.into();
        self
    }

    /// How the store is set up where it is made; one that is there keeps what it was set up with.
    #[must_use]
    pub fn settings(mut self, settings: impl Into<Option<StoreOptions>>) -> Self {
        self.settings = settings.into();
        self
    }

    /// Opens the store in a file, and makes it if there is none: encrypted from its first byte,
    /// where there is a key.
    ///
    /// A file that cannot be written is opened for reading.
    ///
    /// # Errors
    /// [`StoreError`] says which: [`StoreError::WrongKey`], [`StoreError::NotEncrypted`],
    /// [`StoreError::Encrypted`], [`StoreError::NoEncryption`]; not ours, newer, damaged, locked,
    /// cannot be opened; [`StoreError::OtherTenant`] where there are settings and the file is
    /// another tenant's. A file that is refused was not written to.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Store, StoreError> {
        let path = path.as_ref();
        let found = schema::look(path, self.key.as_ref())?;
        self.open_found(path, found)
    }

    fn open_found(&self, path: &Path, found: Found) -> Result<Store, StoreError> {
        // Whoever closes the file in this process meanwhile takes no lock of the engine away.
        let held = KeptFile::open(path);
        let opened = Store::open_file(path, found, self.key.clone(), self.settings.clone());
        drop(held);
        opened.map_err(|error| error.at(path))
    }

    /// Opens the store in a file that is there.
    ///
    /// # Errors
    /// As [`OpenOptions::open`], and [`StoreError::NotFound`].
    pub fn open_existing(&self, path: impl AsRef<Path>) -> Result<Store, StoreError> {
        let path = path.as_ref();
        match schema::look(path, self.key.as_ref())? {
            Found::Nothing => Err(nothing(path)),
            Found::Ours => self.open_found(path, Found::Ours),
        }
    }

    /// Whether the file that is there has an earlier schema, or was written under earlier rules of
    /// who is who: opened for writing, it is brought
    /// forward, and earlier versions of cx cannot read it any more.
    ///
    /// # Errors
    /// As [`OpenOptions::open_existing`].
    pub fn is_of_earlier_schema(&self, path: impl AsRef<Path>) -> Result<bool, StoreError> {
        let path = path.as_ref();
        match schema::look(path, self.key.as_ref())? {
            Found::Nothing => Err(nothing(path)),
            // What is wrong with a file is told by whoever opens it.
            Found::Ours => Ok(schema::is_earlier(path, self.key.as_ref()).unwrap_or_default()),
        }
    }

    /// Opens the store in a file that is there, for reading only: the file is left as it is.
    ///
    /// # Errors
    /// As [`OpenOptions::open_existing`].
    pub fn open_read_only(&self, path: impl AsRef<Path>) -> Result<Store, StoreError> {
        let path = path.as_ref();
        match schema::look(path, self.key.as_ref())? {
            Found::Nothing => Err(nothing(path)),
            Found::Ours => Store::open_reader(path, self.key.clone(), self.settings.clone())
                .map_err(|error| error.at(path)),
        }
    }
}

impl Store {
    /// Opens the store in a file, and makes it if there is none.
    ///
    /// A file that cannot be written is opened for reading.
    ///
    /// # Errors
    /// [`StoreError`] says which: not ours, newer, damaged, locked, cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, None)
    }

    /// Opens the store in a file, and makes it with these options if there is none.
    ///
    /// # Errors
    /// As [`Store::open`], and [`StoreError::OtherTenant`] where the file is another tenant's.
    pub fn open_with(
        path: impl AsRef<Path>,
        options: impl Into<Option<StoreOptions>>,
    ) -> Result<Self, StoreError> {
        OpenOptions::new().settings(options).open(path)
    }

    /// Opens the store in a file that is there.
    ///
    /// # Errors
    /// As [`Store::open`], and [`StoreError::NotFound`].
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        OpenOptions::new().open_existing(path)
    }

    /// Opens the store in a file that is there, for reading only: the file is left as it is.
    ///
    /// # Errors
    /// As [`Store::open_existing`], and [`StoreError::OtherTenant`] where the file is another
    /// tenant's.
    pub fn open_read_only(
        path: impl AsRef<Path>,
        options: impl Into<Option<StoreOptions>>,
    ) -> Result<Self, StoreError> {
        OpenOptions::new().settings(options).open_read_only(path)
    }
}

/// What is wrong where a store should be, and there is nothing at all, or an empty file.
fn nothing(path: &Path) -> StoreError {
    if path.exists() {
        let found = "an empty file".to_owned();
        return StoreError::NotOurs { path: path.to_owned(), found };
    }
    StoreError::NotFound { path: path.to_owned() }
}
