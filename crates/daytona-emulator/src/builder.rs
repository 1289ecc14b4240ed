//! The builder: what the runner does with a Dockerfile and the archives of its context, short of running anything.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::script::Script;
use crate::storage::Storage;
use crate::world::BuildJob;

mod archive;
mod assemble;
mod copy;
mod dockerfile;
pub(crate) mod engine;
mod flags;
mod image;
mod interpret;
mod log;
mod origin;
pub(crate) mod pattern;
mod stage;
mod unpack;
mod word;

use assemble::{AssemblyError, BuildContext, assemble};
pub use engine::Engine as BuildEngine;
pub use image::{BuiltImage, Doubt, ImageFile, Lookup, Unknown};
pub(crate) use log::bytes;

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
pub(crate) fn run(job: &BuildJob, storage: &Storage, options: &BuildOptions) -> BuildReport {
    let script = job.script.clone().unwrap_or_default();
    let context = match context(job, storage, options) {
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
    let course = interpret::course(&context, &script.run);
    let report = log::report(&context, course, script.takes.or(options.time), STEP);
    as_scripted(report, script)
}

/// What the image builder would get.
fn context(job: &BuildJob, storage: &Storage, options: &BuildOptions) -> Result<BuildContext, AssemblyError> {
    let hashes = job.info.hashes.as_deref().unwrap_or_default();
    let dockerfile = &job.info.dockerfile;
    assemble(&job.organization, hashes, dockerfile, storage, options.verify_digests)
}

fn as_scripted(mut report: BuildReport, script: Script) -> BuildReport {
    if let Some(lines) = script.log {
        let count = u32::try_from(lines.len()).unwrap_or(u32::MAX).max(1);
        let each = report.duration / count;
        let times = (0..count).map(|number| each * number);
        report.lines = times.zip(lines).collect();
    }
    if let Some(reason) = script.fails {
        report
            .lines
            .push((report.duration, format!("ERROR: failed to build: {reason}")));
        report.outcome = Err(reason);
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
