//! What can go wrong with a command.

use std::io;
use std::path::PathBuf;

use cx_core::ids::EventKey;
use cx_store::{KeyError, StoreError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    #[error("{who}: nobody is known by it, or several customers share it")]
    Nobody { who: String },
    #[error("{key}: this event is not in the store")]
    NoEvent { key: EventKey },
    #[error("{}: no rules are in force yet; name them with --rules", file.display())]
    NoRules { file: PathBuf },
    #[error("{}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Key(#[from] KeyError),
    #[error("{}: {problem}", path.display())]
    Definition { path: PathBuf, problem: String },
    #[error("the clock gives no usable time: {0}")]
    Clock(String),
}

impl CliError {
    /// Whether whoever read the output has gone, as `head` does.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(
            self,
            Self::Write(error) | Self::Store(StoreError::CannotWrite { error })
                if error.kind() == io::ErrorKind::BrokenPipe
        )
    }

    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            _ => 1,
        }
    }
}
