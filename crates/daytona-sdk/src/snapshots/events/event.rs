//! What happens while a snapshot is made.

use std::fmt;
use std::time::Duration;

use daytona_api::{Snapshot, SnapshotId, SnapshotState};
use daytona_context::Digest;
use daytona_image::PlanWarning;

/// One line of a build log, without its line feed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogLine(String);

impl LogLine {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl AsRef<str> for LogLine {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A place in a build log where lines are missing or do not belong to this build.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LogGap {
    /// What is wrong.
    pub kind: LogGapKind,
    /// The cause, for people.
    pub reason: String,
}

/// Kinds of [`LogGap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogGapKind {
    /// Lines are or may be missing: the log could not be read to its end.
    Missing,
    /// After a reconnection the log is a different one. Lines of both logs may be missing.
    Replaced,
    /// Nothing is missing, but the next lines are the output of an earlier build of the same definition.
    Replayed,
}

impl fmt::Display for LogGap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reason)
    }
}

/// A step of the creation of a snapshot. Events come in the order in which they happen.
///
/// ```no_run
/// # async fn example(
/// #     daytona: daytona_sdk::Daytona,
/// #     params: daytona_sdk::CreateSnapshotParams,
/// # ) -> Result<(), daytona_sdk::Error> {
/// use daytona_sdk::Event;
///
/// let creation = daytona.snapshots().create(params).on_event(|event| match event {
///     Event::Planned { files, bytes, .. } => println!("{files} files, {bytes} bytes"),
///     Event::Sent { bytes, total, .. } => println!("{bytes} of {total} bytes are sent"),
///     Event::Retry { reason, .. } => println!("again, because {reason}"),
///     _ => {}
/// });
/// creation.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The local files are known.
    Planned {
        /// The number of files.
        files: usize,
        /// Their size in bytes.
        bytes: u64,
        /// Warnings of the plan.
        warnings: Vec<PlanWarning>,
    },
    /// A context archive was read and hashed.
    Hashed {
        /// The SHA-256 of the archive.
        hash: Digest,
        /// The size of the archive in bytes.
        bytes: u64,
    },
    /// A context archive is stored already. Archives of at most 12 KiB are always sent, because a check would take as
    /// long.
    Skipped {
        /// The SHA-256 of the archive.
        hash: Digest,
        /// The size of the archive in bytes.
        bytes: u64,
    },
    /// A part of a context archive was handed to the connection.
    Sent {
        /// The SHA-256 of the archive.
        hash: Digest,
        /// The size of this part in bytes.
        bytes: u64,
        /// The size of the archive in bytes.
        total: u64,
    },
    /// A part of a context archive that was reported as sent must be sent again, because the connection broke or the
    /// storage failed.
    Unsent {
        /// The SHA-256 of the archive.
        hash: Digest,
        /// The number of bytes to subtract from those that were sent.
        bytes: u64,
        /// The size of the archive in bytes.
        total: u64,
    },
    /// The storage has acknowledged a context archive.
    Stored {
        /// The SHA-256 of the archive.
        hash: Digest,
        /// The size of the archive in bytes.
        bytes: u64,
    },
    /// The server has accepted the snapshot.
    Accepted {
        /// The id of the snapshot.
        id: SnapshotId,
        /// The name of the snapshot.
        name: String,
    },
    /// An existing snapshot is used as the result, but it is not certain that this call has created it. Either another
    /// call has created it, or the answer to this call's request was lost. This call never deletes it. If it fails, the
    /// call fails.
    Adopted {
        /// The id of the snapshot.
        id: SnapshotId,
        /// The name of the snapshot.
        name: String,
        /// The reason.
        reason: String,
    },
    /// The state of the snapshot has changed.
    State {
        /// The state of the snapshot.
        state: SnapshotState,
        /// The time since the operation began.
        elapsed: Duration,
    },
    /// A line of the build log.
    Log(LogLine),
    /// A part of the build log is missing, or belongs to another build.
    LogGap(LogGap),
    /// The SDK has looked at the snapshot. Its state may be the same.
    Polled {
        /// The state of the snapshot.
        state: SnapshotState,
        /// The time since the operation began.
        elapsed: Duration,
    },
    /// The snapshot has failed for a temporary reason, or is replaced. It is deleted and created again under another
    /// id.
    Recreated {
        /// Why.
        reason: String,
    },
    /// A request to the API or the storage failed, and is sent again.
    Retry {
        /// Why.
        reason: String,
        /// The SHA-256 of the context archive that the request was for. None for a request to the API.
        archive: Option<Digest>,
    },
    /// A sandbox of the snapshot is being started to verify it.
    Starting {
        /// The name of the sandbox.
        sandbox: String,
    },
    /// The sandbox has started. Its deletion may still be running.
    Started {
        /// The name of the sandbox.
        sandbox: String,
        /// The time since the operation began.
        elapsed: Duration,
    },
    /// The snapshot is active, and verified if you asked for that.
    Done {
        /// The snapshot.
        snapshot: Box<Snapshot>,
    },
}
