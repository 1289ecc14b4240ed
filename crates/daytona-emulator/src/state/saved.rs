//! The file that keeps the state over a restart.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::world::{Saved, World};
use crate::base::data_dir::{is_held, named, replace_file};

/// The world, and how many changes it has seen.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) world: World,
    pub(super) changes: u64,
}

/// The state file, and after how many changes it was written.
#[derive(Debug)]
pub(super) struct StateFile {
    path: Option<PathBuf>,
    written: Mutex<u64>,
    /// Once the emulator has ended, nothing is written any more.
    is_closed: AtomicBool,
}

impl StateFile {
    /// Without a path nothing is kept.
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self {
            path,
            written: Mutex::new(u64::MAX),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Whether everything up to this number of changes is written.
    pub(super) fn is_written(&self, changes: u64) -> bool {
        self.path.is_none() || *self.lock() == changes
    }

    /// Writes the world down, if it is kept and has changed.
    pub(super) fn write(&self, counted: &Mutex<Counted>) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        // Held to the end, so that an older state never replaces a newer one.
        let mut written = self.lock();
        if self.is_closed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (changes, state) = {
            let counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
            if counted.changes == *written {
                return Ok(());
            }
            (counted.changes, counted.world.save())
        };
        let outcome = state
            .map_err(io::Error::other)
            .and_then(|state| replace_file(path, &state));
        if outcome.is_ok() {
            *written = changes;
        }
        outcome
    }

    /// Logs that it could not be written, and why.
    pub(super) fn explain(&self, error: io::Error) -> io::Error {
        let path = self.path.as_deref().unwrap_or(Path::new(""));
        let error = if is_held(&error) {
            let message = format!(
                "{} cannot be replaced: another program has it open, or it is write-protected ({error})",
                path.display()
            );
            io::Error::new(error.kind(), message)
        } else {
            named(path)(error)
        };
        tracing::error!(%error, "the state could not be written");
        error
    }

    /// Writes nothing from now on. Whoever is writing just now is let finish.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        drop(self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state that was saved, if there is one.
///
/// # Errors
///
/// If the file cannot be read, or is not a state.
pub(crate) fn load(file: &Path) -> io::Result<Option<Saved>> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(named(file)(error)),
    };
    let saved = serde_json::from_slice(&text).map_err(|error| {
        let message = format!("{} is not the state of an emulator: {error}", file.display());
        io::Error::new(io::ErrorKind::InvalidData, message)
    })?;
    Ok(Some(saved))
}
