//! The builder: what the runner does with a Dockerfile and the archives of its context, short of running anything.

use std::io;
use std::time::Duration;

use crate::storage::Storage;

mod archive;
mod assemble;
mod content;
mod doubt;
mod image;
mod interpret;
mod job;
mod path;
pub(crate) mod pattern;
pub(crate) mod real;
mod report;
mod tree;

use assemble::{AssemblyError, assemble};
pub use doubt::{Doubt, Unknown};
pub use image::{BuiltImage, ImageFile, Lookup};
pub(crate) use job::{BuildReport, Images, Job, RunRule};
pub use real::Engine as BuildEngine;
pub(crate) use report::bytes;

/// How the builder behaves.
#[derive(Debug, Clone)]
pub(crate) struct BuildOptions {
    /// What a whole build takes; without it, each step takes [`STEP`].
    pub(crate) time: Option<Duration>,
    /// Whether a hash of 64 hex digits has to be the SHA-256 of its archive.
    pub(crate) verify_digests: bool,
    /// What really builds, if anything does.
    pub(crate) engine: Option<BuildEngine>,
}

/// What a step of a build takes, unless the whole is given.
const STEP: Duration = Duration::from_millis(80);

/// From the hand-over to the failure of a build whose context cannot be fetched.
const FETCH: Duration = Duration::from_millis(150);

/// Works out the course of a build.
pub(crate) fn run(job: &Job, storage: &Storage, options: &BuildOptions) -> BuildReport {
    let context = match assemble(job, storage, options.verify_digests) {
        Ok(context) => context,
        Err(AssemblyError(reason)) => {
            return BuildReport {
                has_log: false,
                lines: Vec::new(),
                duration: FETCH,
                outcome: Err(reason),
                image: None,
                images: Images::new(),
            };
        }
    };
    let course = interpret::course(&context, &job.run);
    let report = report::report(&context, course, job.takes.or(options.time), STEP);
    as_wanted(report, job)
}

fn as_wanted(mut report: BuildReport, job: &Job) -> BuildReport {
    if let Some(lines) = &job.log {
        let count = u32::try_from(lines.len()).unwrap_or(u32::MAX).max(1);
        let each = report.duration / count;
        let times = (0..count).map(|number| each * number);
        report.lines = times.zip(lines.iter().cloned()).collect();
    }
    if let Some(reason) = &job.fails {
        report
            .lines
            .push((report.duration, format!("ERROR: failed to build: {reason}")));
        report.outcome = Err(reason.clone());
        report.image = None;
    }
    report
}

/// A member of a context archive.
#[derive(Debug)]
pub(crate) struct ContextEntry {
    pub(crate) name: String,
    pub(crate) mode: u32,
    pub(crate) size: u64,
}

/// The members of an archive that was uploaded.
pub(crate) fn list_archive(storage: &Storage, organization: &str, hash: &str) -> io::Result<Vec<ContextEntry>> {
    let key = format!("{organization}/{hash}/context.tar");
    let missing = || io::Error::new(io::ErrorKind::NotFound, "the archive is not there");
    let object = storage.open(&key).ok_or_else(missing)?;
    let mut entries = Vec::new();
    archive::members(&mut object.blob.seekable()?, object.size, |member| {
        entries.push(ContextEntry {
            name: String::from_utf8_lossy(&member.name).into_owned(),
            mode: member.mode & 0o7777,
            size: member.size,
        });
        Ok(())
    })?;
    Ok(entries)
}
