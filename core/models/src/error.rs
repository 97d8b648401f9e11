//! Why the models can't be opened.

use callboard_limits::{LimitError, PriceFileError};
use callboard_scheduling::SchedulingError;
use callboard_store::StoreError;
use callboard_telemetry::CallLogError;
use std::path::PathBuf;

/// Why something about models could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// A limit makes no sense, or the board does not answer.
    #[error("the board's limits: {0}")]
    Limit(#[from] LimitError),
    /// The board does not answer.
    #[error("the board: {0}")]
    Store(#[from] StoreError),
    /// Who holds the duty is not known.
    #[error("the duty: {0}")]
    Duty(#[from] SchedulingError),
    /// The rows of calls can't be written or read.
    #[error(transparent)]
    Log(#[from] CallLogError),
    /// A price file is not one.
    #[error("{}: {wrong}", file.display())]
    Prices {
        /// The file.
        file: PathBuf,
        /// What is wrong, with its line. It stands in the message, so it is not told again as its source.
        wrong: PriceFileError,
    },
    /// A file could not be read or written.
    #[error("{}: {why}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl ModelsError {
    pub(crate) fn file(file: &std::path::Path, why: impl ToString) -> Self {
        ModelsError::File {
            file: file.to_owned(),
            why: why.to_string(),
        }
    }
}
