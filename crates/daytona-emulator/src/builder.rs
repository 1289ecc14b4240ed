//! The builder: what the runner does with a Dockerfile and the archives of its context, short of running anything.

use std::time::Duration;

use crate::storage::Storage;
use crate::world::BuildJob;

mod assemble;
mod check;
mod dockerfile;
mod log;
mod pattern;
mod word;

use assemble::{AssemblyError, assemble};

/// How the builder behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuildOptions {
    /// What a whole build takes; without it, each step takes [`STEP`].
    pub(crate) time: Option<Duration>,
    /// Whether a hash of 64 hex digits has to be the SHA-256 of its archive.
    pub(crate) verify_digests: bool,
}

/// What a step of a build takes, unless the whole is given.
const STEP: Duration = Duration::from_millis(80);

/// From the hand-over to the failure of a build whose context cannot be fetched.
const FETCH: Duration = Duration::from_millis(150);

/// The course of a build.
#[derive(Debug)]
pub(crate) struct BuildReport {
    /// Whether it came so far that its log was opened.
    pub(crate) has_log: bool,
    /// The lines of the log, and when they appear after the begin.
    pub(crate) lines: Vec<(Duration, String)>,
    pub(crate) duration: Duration,
    /// The reason if it fails.
    pub(crate) outcome: Result<(), String>,
}

/// Works out the course of a build.
pub(crate) async fn run(job: &BuildJob, storage: &Storage, options: &BuildOptions) -> BuildReport {
    let (job, storage, options) = (job.clone(), storage.clone(), *options);
    // Archives are read and hashed as files.
    let work = tokio::task::spawn_blocking(move || work(&job, &storage, &options));
    work.await.expect("the builder does not panic, and is not aborted")
}

fn work(job: &BuildJob, storage: &Storage, options: &BuildOptions) -> BuildReport {
    let hashes = job.info.hashes.as_deref().unwrap_or_default();
    let context = match assemble(
        &job.organization,
        hashes,
        &job.info.dockerfile,
        storage,
        options.verify_digests,
    ) {
        Ok(context) => context,
        Err(AssemblyError(reason)) => {
            return BuildReport {
                has_log: false,
                lines: Vec::new(),
                duration: FETCH,
                outcome: Err(reason),
            };
        }
    };
    let course = check::course(&context);
    log::report(&context, course, options.time, STEP)
}
