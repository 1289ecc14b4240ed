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

/// A place in a build log where the lines that were delivered are not all there is to it.
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
    /// Lines are missing, or may be: the log could not be read to its end.
    Missing,
    /// The log is another one than before the connection broke: lines of either may be missing.
    Replaced,
    /// Nothing is missing, but what follows begins with the output of an earlier build of the same definition.
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
        /// How many there are.
        files: usize,
        /// Their bytes.
        bytes: u64,
        /// Warnings of the plan.
        warnings: Vec<PlanWarning>,
    },
    /// A context archive was read and hashed.
    Hashed {
        /// Its SHA-256.
        hash: Digest,
        /// Its size in bytes.
        bytes: u64,
    },
    /// A context archive is stored already. Archives of at most 12 KiB are always sent: to look for one takes as long.
    Skipped {
        /// Its SHA-256.
        hash: Digest,
        /// Its size in bytes.
        bytes: u64,
    },
    /// A part of a context archive was handed to the connection.
    Sent {
        /// Its SHA-256.
        hash: Digest,
        /// Bytes of this part.
        bytes: u64,
        /// Its size in bytes.
        total: u64,
    },
    /// A part of a context archive that was reported as sent has to be sent again, as the connection broke or the storage failed.
    Unsent {
        /// Its SHA-256.
        hash: Digest,
        /// Bytes to subtract.
        bytes: u64,
        /// Its size in bytes.
        total: u64,
    },
    /// A context archive is stored, acknowledged by the storage.
    Stored {
        /// Its SHA-256.
        hash: Digest,
        /// Its size in bytes.
        bytes: u64,
    },
    /// The server has accepted the snapshot.
    Accepted {
        /// Its id.
        id: SnapshotId,
        /// Its name.
        name: String,
    },
    /// A snapshot that is there is taken for the result, although this call cannot prove that it created it: another call has made it,
    /// or the answer to this one's request was lost. It is never deleted by this call, and its failure ends the call.
    Adopted {
        /// Its id.
        id: SnapshotId,
        /// Its name.
        name: String,
        /// Why it is taken.
        reason: String,
    },
    /// The snapshot is in another state than before.
    State {
        /// The state.
        state: SnapshotState,
        /// Since the operation began.
        elapsed: Duration,
    },
    /// A line of the build log.
    Log(LogLine),
    /// A part of the build log is missing, or is not of this build.
    LogGap(LogGap),
    /// The snapshot was looked at; it is in the same state or in another.
    Polled {
        /// The state.
        state: SnapshotState,
        /// Since the operation began.
        elapsed: Duration,
    },
    /// The snapshot failed for a reason that goes away, or is replaced: it is deleted and will be created anew, under another id.
    Recreated {
        /// Why.
        reason: String,
    },
    /// A request failed, to the API or to the storage; it is sent again.
    Retry {
        /// Why.
        reason: String,
        /// The SHA-256 of the context archive, or of the one with the part, that the request was about; none for a request to the API.
        archive: Option<Digest>,
    },
    /// A sandbox of the snapshot is started to verify it.
    Starting {
        /// Its name.
        sandbox: String,
    },
    /// That sandbox has started. Its deletion may still go on.
    Started {
        /// Its name.
        sandbox: String,
        /// Since the operation began.
        elapsed: Duration,
    },
    /// The snapshot is active, and verified where that was asked for.
    Done {
        /// The snapshot.
        snapshot: Box<Snapshot>,
    },
}
