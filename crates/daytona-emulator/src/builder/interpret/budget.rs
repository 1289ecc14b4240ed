//! What a build may cost, so that no Dockerfile keeps the builder busy forever or fills the memory.

use std::cell::Cell;

/// Files that a build copies, all stages together.
const FILES: usize = 1_500_000;

/// Bytes that heredocs and compressed archives may make.
const BYTES: usize = 256 * 1024 * 1024;

/// Bytes that names and values may take: of variables, arguments, labels, ports, paths, in all stages together.
const TEXTS: usize = 16 * 1024 * 1024;

/// Steps of going through files and of matching patterns.
const WORK: usize = 200_000_000;

/// Stages.
const STAGES: usize = 10_000;

/// What is left to spend on a build: one budget for all of its stages.
#[derive(Debug)]
pub(super) struct Budget {
    files: usize,
    bytes: usize,
    texts: usize,
    pub(super) work: Cell<usize>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            files: FILES,
            bytes: BYTES,
            texts: TEXTS,
            work: Cell::new(WORK),
        }
    }
}

fn spend(left: &mut usize, cost: usize, reason: impl FnOnce() -> String) -> Result<(), String> {
    *left = left.checked_sub(cost).ok_or_else(reason)?;
    Ok(())
}

impl Budget {
    /// For files that are placed.
    pub(super) fn files(&mut self, count: usize) -> Result<(), String> {
        spend(&mut self.files, count, || {
            format!("the emulator gives up: its builds may copy at most {FILES} files")
        })
    }

    /// For files that are only looked at, by the cost of matching them.
    pub(super) fn look(&self, cost: usize) -> Result<(), String> {
        let left = self.work.get().checked_sub(cost);
        self.work
            .set(left.ok_or("the emulator gives up: its builds may not match so many files with so many patterns")?);
        Ok(())
    }

    /// For bytes that are kept in memory, as they are in no archive that was uploaded.
    pub(super) fn bytes(&mut self, count: usize) -> Result<(), String> {
        spend(&mut self.bytes, count, || {
            format!("the emulator gives up: its builds may write or unpack at most {BYTES} bytes")
        })
    }

    /// For names and values.
    pub(super) fn texts(&mut self, count: usize) -> Result<(), String> {
        spend(&mut self.texts, count, || {
            format!("the emulator gives up: the names and values of a build may take at most {TEXTS} bytes")
        })
    }
}

/// Whether a Dockerfile has no more stages than the emulator takes.
pub(super) fn check_stages(count: usize) -> Result<(), String> {
    if count > STAGES {
        return Err(format!(
            "the emulator gives up: its builds may have at most {STAGES} stages"
        ));
    }
    Ok(())
}
