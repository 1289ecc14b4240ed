//! The log of a build, from its beginning and on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use daytona_api::{SnapshotId, SnapshotState};
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use super::core::Core;
use crate::ResponseBody;
use crate::base::clock::after;

/// A log that is followed ends so long after the image came to be.
const LINGER: Duration = Duration::from_secs(1);

/// The relay gives up after so long without a line.
const RELAY_SILENCE: Duration = Duration::from_mins(5);

/// When a stream of a log ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// After what there is.
    Now,
    /// A while after the image came to be; for a failed build never.
    Built,
    /// After a long silence.
    Silence,
    /// As soon as the build is over, however it ended.
    Over,
}

/// The log of a snapshot's build from its beginning.
pub(crate) fn follow(core: &Arc<Core>, id: SnapshotId, end: End) -> ResponseBody {
    let reader = Reader {
        changes: core.watch(),
        core: Arc::clone(core),
        id,
        position: 0,
        end,
    };
    let chunks = stream::unfold(reader, |mut reader| async move {
        reader.next().await.map(|chunk| (chunk, reader))
    });
    StreamBody::new(chunks.map(|chunk| Ok(Frame::data(chunk)))).boxed_unsync()
}

fn is_under_way(state: &SnapshotState) -> bool {
    matches!(
        state,
        SnapshotState::Pending | SnapshotState::Pulling | SnapshotState::Building
    )
}

struct Reader {
    core: Arc<Core>,
    changes: tokio::sync::watch::Receiver<()>,
    id: SnapshotId,
    position: usize,
    end: End,
}

impl Reader {
    /// What was added since, as soon as there is something.
    async fn next(&mut self) -> Option<Bytes> {
        let mut silent_since = self.core.clock.now();
        loop {
            // The time may have been put back.
            silent_since = silent_since.min(self.core.clock.now());
            self.core.settle().await;
            let (chunk, built, is_over) = self.look();
            if let Some(chunk) = chunk {
                self.position += chunk.len();
                return Some(chunk);
            }
            let deadline = match self.end {
                End::Now => return None,
                End::Over if is_over => return None,
                End::Over => None,
                End::Built => built.map(|built| after(built.max(silent_since), LINGER)),
                End::Silence => Some(after(silent_since, RELAY_SILENCE)),
            };
            if deadline.is_some_and(|deadline| self.core.clock.now() >= deadline) {
                return None;
            }
            let core = Arc::clone(&self.core);
            tokio::select! {
                () = core.wait_for_change(&mut self.changes) => {}
                () = async {
                    match deadline {
                        Some(deadline) => core.clock.sleep_until(deadline).await,
                        None => std::future::pending().await,
                    }
                } => {}
            }
        }
    }

    /// What was added since, when the image came to be, and whether nothing more comes.
    fn look(&self) -> (Option<Bytes>, Option<jiff::Timestamp>, bool) {
        let world = self.core.world();
        let record = world.snapshots.iter().find(|record| record.id == self.id);
        let Some(build) = record.and_then(|record| world.build(record)) else {
            return (None, None, true);
        };
        let added = build
            .log
            .as_deref()
            .unwrap_or_default()
            .get(self.position..)
            .unwrap_or_default();
        (
            (!added.is_empty()).then(|| Bytes::copy_from_slice(added)),
            build.built,
            !build.is_running && record.is_none_or(|record| !is_under_way(&record.state)),
        )
    }
}
