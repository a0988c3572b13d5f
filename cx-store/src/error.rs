//! What can go wrong with a store.

use std::path::{Path, PathBuf};

use cx_core::ids::{AssertionId, CustomerId, ObservationId};

/// An error of the database engine, as it reports it.
#[derive(Debug)]
pub struct EngineError(rusqlite::Error);

impl std::fmt::Display for EngineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for EngineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// Why a store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such file.
    #[error("{}: no such file", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The engine takes it for something else than the name of a file.
    #[error("{:?}: no name of a file; one that begins with `:` or `file:` is given with `./` before it", path.display().to_string())]
    NoFileName {
        /// What was given.
        path: PathBuf,
    },
    /// The customers are too few, or too little is known of them, to fit a model to them.
    #[error("the model cannot be fitted to the customers: {error}")]
    NothingToLearn {
        /// Why not.
        error: cx_core::linkage::TrainError,
    },
    /// The file was written by something else. It was not touched.
    #[error("{}: not a cx file: {found}", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// The file was written by a later version of cx. It was not touched.
    #[error("{}: written by a newer cx (schema {found}; this one knows up to {known})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's schema version.
        found: u32,
        /// The latest schema version that this version knows.
        known: u32,
    },
    /// The file cannot be read with this key. It was not touched.
    #[error("{}: cannot be read with this key: it is the key of another file, or the file is damaged at its beginning or no store", path.display())]
    WrongKey {
        /// The file.
        path: PathBuf,
    },
    /// A key was given for a store that is not encrypted. It was not touched.
    #[error("{}: not encrypted, and a key was given for it", path.display())]
    NotEncrypted {
        /// The file.
        path: PathBuf,
    },
    /// No key was given for a file that looks as an encrypted store does. It was not touched.
    #[error("{}: it is encrypted, and no key was given for it, or it is no store", path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// A key was given, and this build of cx cannot encrypt: it was built without the feature
    /// `encryption`. Nothing was written.
    #[error("this build of cx cannot encrypt: it was built without the feature `encryption`")]
    NoEncryption,
    /// Nothing can be read of the pages of an encrypted file without the engine, which reads whole
    /// files only.
    #[error("{}: nothing can be saved of it: it is encrypted, or no store; take a backup of it", path.display())]
    Unsalvageable {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error("{}: damaged: {detail}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Some events are not in the full text yet, and the file cannot be written: a search would
    /// miss them. [`Store::catch_up`](crate::Store::catch_up) where it can be.
    #[error("{}: {behind} events are not in the full text yet, and it is read-only: nothing is searched", path.display())]
    NotIndexed {
        /// The file.
        path: PathBuf,
        /// How many rows of events at most.
        behind: u64,
    },
    /// The file can be read and not written.
    #[error("{}: read-only, so nothing can be written", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be opened or made.
    #[error("{}: cannot be opened: {detail}", path.display())]
    CannotOpen {
        /// The file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// Somebody else, in another process or in this one, held the file for longer than the time-out.
    #[error("{}: locked by another process, or by this one", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full. Nothing of the batch was kept.
    #[error("{}: the disk is full", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// The disk could not read or write. Nothing of the batch was kept; it can be tried again.
    #[error("{}: the disk failed: {detail}", path.display())]
    DiskFailed {
        /// The file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The file of the store was renamed, replaced or removed while it was open. What was written since
    /// may not be kept.
    #[error("{}: was renamed, replaced or removed while it was open: what was written since may not be kept; open the store again", path.display())]
    FileGone {
        /// The file.
        path: PathBuf,
    },
    /// The log of the store was taken away while it was open: by another SQLite library in this
    /// process, or by another program after a descriptor of the file was closed in this process.
    /// What was written since is not kept.
    #[error("{}: its log was taken away while it was open, by another SQLite library in this process or after something else in it closed the file: what was written since is not kept; open the store again", path.display())]
    LogGone {
        /// The file.
        path: PathBuf,
    },
    /// The store belongs to another tenant.
    #[error("{}: belongs to tenant {found:?}, not {asked:?}", path.display())]
    OtherTenant {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Who asked.
        asked: String,
    },
    /// A tenant's name that no file can have.
    #[error("tenant {tenant:?}: {problem}")]
    TenantName {
        /// The name.
        tenant: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The process that opened the store was copied since (`fork`), and this is the copy.
    #[error("{}: opened by another process, of which this one is a copy: open it anew", path.display())]
    OtherProcess {
        /// The file.
        path: PathBuf,
    },
    /// A file stands where one was to be written.
    #[error("{}: exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// What was to be taken in are no facts of a store. Nothing was taken in.
    #[error("not the facts of a store: {detail}")]
    NotFacts {
        /// What is wrong with the first line.
        detail: String,
    },
    /// What was asked for could not be written to where it was to go.
    #[error("cannot write: {error}")]
    CannotWrite {
        /// What the system said.
        #[source]
        error: std::io::Error,
    },
    /// One customer must be meant, and nobody is, or several are.
    #[error("nobody is known by it, or several customers share it")]
    NobodyMeant,
    /// The customer who had an id is known to be gone.
    #[error("{customer} is gone: erased, or too old to be kept")]
    Gone {
        /// The id.
        customer: CustomerId,
    },
    /// A cursor that this store did not give out.
    #[error("{text:?} is no cursor of this store")]
    MalformedCursor {
        /// What was read.
        text: String,
    },
    /// An assertion about an observation that is not in the store.
    #[error("{observation} is not in the store")]
    UnknownObservation {
        /// The observation.
        observation: ObservationId,
    },
    /// A revocation of an assertion that is not in the store.
    #[error("{assertion} is not in the store")]
    UnknownAssertion {
        /// The assertion.
        assertion: AssertionId,
    },
    /// A row that no version of cx writes.
    #[error("a stored {what} cannot be read: {detail}")]
    MalformedRow {
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// Anything else the database engine reports.
    #[error("the database engine failed")]
    Engine(#[source] EngineError),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(EngineError(error))
    }
}

impl StoreError {
    pub(crate) fn malformed(what: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::MalformedRow { what, detail: detail.to_string() }
    }

    /// Whether the disk did not do what it was asked.
    pub(crate) fn is_failed_disk(&self) -> bool {
        match self {
            Self::DiskFailed { .. } => true,
            Self::Engine(EngineError(error)) => {
                error.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure)
            }
            _ => false,
        }
    }

    /// Whether what was written may never have reached the disk: a sync has failed.
    pub(crate) fn is_failed_sync(&self) -> bool {
        let Self::Engine(EngineError(error)) = self else { return false };
        error.sqlite_error().is_some_and(|error| {
            use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC};
            [SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC].contains(&error.extended_code)
        })
    }

    /// The same error as what it means for this file.
    pub(crate) fn at(self, path: &Path) -> Self {
        use rusqlite::ErrorCode;
        let Self::Engine(EngineError(error)) = self else { return self };
        let path = path.to_owned();
        let detail = error.to_string();
        if is_spoilt_value(&error) {
            return Self::Corrupt { path, detail: format!("a value is spoilt: {detail}") };
        }
        match error.sqlite_error_code() {
            // What is none of ours was refused before it was opened.
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Corrupt { path, detail }
            }
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::SystemIoFailure) => Self::DiskFailed { path, detail },
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                let detail = why_not_opened(&path).unwrap_or(detail);
                Self::CannotOpen { path, detail }
            }
            _ => Self::Engine(EngineError(error)),
        }
    }
}

/// Whether a value in a row is none that cx writes there.
fn is_spoilt_value(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..)
    )
}

/// What the system says of a file that the engine cannot open, which says no more than that.
fn why_not_opened(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Some(format!("there is no folder {}", folder.display()));
    }
    let opened = std::fs::OpenOptions::new().read(true).append(true).open(path);
    match opened {
        Ok(_) => None,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Some("no file can be made in its folder".to_owned())
        }
        Err(error) => Some(error.to_string()),
    }
}
