//! The builder: what the runner does with a Dockerfile and the archives of its context, short of running anything.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::storage::Storage;

mod archive;
mod assemble;
mod content;
mod image;
mod interpret;
mod path;
pub(crate) mod pattern;
pub(crate) mod real;
mod report;
mod tree;

use assemble::{AssemblyError, assemble};
pub use image::{BuiltImage, Doubt, ImageFile, Lookup, Unknown};
pub use real::Engine as BuildEngine;
pub(crate) use report::bytes;

/// What has to be built, and what a test wants to come of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Job {
    pub(crate) organization: String,
    pub(crate) dockerfile: String,
    /// The hashes of its archives, in their order.
    pub(crate) hashes: Vec<String>,
    /// The image's name with its tag.
    pub(crate) reference: String,
    /// What the build takes.
    pub(crate) takes: Option<Duration>,
    /// Why it fails, whatever the Dockerfile says.
    pub(crate) fails: Option<String>,
    /// The lines of its log, in place of its own.
    pub(crate) log: Option<Vec<String>>,
    pub(crate) run: Vec<RunRule>,
}

/// What a `RUN` step prints, and how it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RunRule {
    /// Text that the step has in it.
    pub(crate) containing: String,
    #[serde(default)]
    pub(crate) exit: i32,
    #[serde(default)]
    pub(crate) prints: String,
}

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
    /// What is known of the image.
    pub(crate) image: Option<Arc<BuiltImage>>,
}

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
