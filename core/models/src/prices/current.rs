//! The prices in force, for who looks at them again and again.
//! For: taking newer files up when they are there. Not for: calls; their router takes them up by itself.

use super::{Files, in_force};
use callboard_limits::PriceTable;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// The prices in force, read again once their files have changed.
#[derive(Debug)]
pub struct Current {
    files: Files,
    read: Mutex<Read>,
}

#[derive(Debug)]
struct Read {
    marks: Vec<Option<(SystemTime, u64)>>,
    table: Arc<PriceTable>,
}

impl Read {
    fn now(files: &Files) -> Self {
        Read {
            // First, so that what changes meanwhile is seen the next time.
            marks: files.marks(),
            table: Arc::new(in_force(files).table),
        }
    }
}

impl Current {
    /// Those of these files.
    #[must_use]
    pub fn new(files: Files) -> Self {
        let read = Mutex::new(Read::now(&files));
        Current { files, read }
    }

    /// The prices as they are now.
    pub fn table(&self) -> Arc<PriceTable> {
        // A value that is replaced as a whole is sound whoever panicked while holding it.
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if self.files.marks() != read.marks {
            *read = Read::now(&self.files);
        }
        Arc::clone(&read.table)
    }
}
