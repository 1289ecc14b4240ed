//! Follows the build log of a snapshot.
//!
//! A log is advisory: no problem with it ever decides the outcome of a snapshot. If a stream is cut, it is opened
//! again. Each stream begins at the beginning of the log, so the delivered part is skipped.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use daytona_api::{GetSnapshotBuildLogsUrl, Operation, Snapshot, SnapshotId, SnapshotState};
use http_body_util::BodyExt;
use tokio::sync::{Notify, watch};

use super::lines::Lines;
use super::source::Source;
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind};
use crate::snapshots::events::delivery::Sink;
use crate::snapshots::events::event::LogGapKind;

/// The pause between two attempts to open the log. It grows to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause that a host gets when it asks for one.
const LONGEST_QUIET: Duration = Duration::from_mins(5);

/// The pause between two attempts to open the log when the build has ended.
const LAST_PAUSE: Duration = Duration::from_millis(200);

/// How long to wait for lines when the snapshot is active or has failed. The stream of a failed build never ends.
const GRACE: Duration = Duration::from_secs(2);

/// How long a followed log stays open after that, if it can be read once more. The second reading has all lines, and
/// the stream ends a second later by itself, or never.
const LINGER: Duration = Duration::from_millis(100);

/// How often in a row a log of an ended build may break off.
const MOST_BREAKS: u32 = 4;

/// A build counts as an earlier one if it is older than its snapshot by more than this. The server writes the build's
/// record some milliseconds before that of the first snapshot, or some seconds before if it refused the first requests
/// for it.
const EARLIER: jiff::SignedDuration = jiff::SignedDuration::from_secs(15);

/// Why a reading of the log ended early.
enum Failure {
    /// It is not there yet.
    Later,
    /// The connection broke.
    Broken(Error),
    /// The log cannot be had.
    Never(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::Rejected => Self::Later,
            ErrorKind::Connection
            | ErrorKind::Timeout
            | ErrorKind::RateLimited
            | ErrorKind::Unavailable
            | ErrorKind::ServerError => Self::Broken(error),
            _ => Self::Never(error),
        }
    }
}

/// Whether the log can be requested without a long wait.
pub(crate) fn has_log(snapshot: &Snapshot) -> bool {
    snapshot.build_info.is_some() && !is_before_its_log(snapshot) && !is_without_log(snapshot)
}

/// Whether no runner has the build yet. A request for the log's address would then wait for one.
pub(crate) fn is_before_its_log(snapshot: &Snapshot) -> bool {
    snapshot.state == SnapshotState::Pending
}

/// Whether the snapshot took over the image of an earlier one. Then it never had a runner, and has no log of its own.
/// The server waits half a minute for a runner before it says so.
pub(crate) fn is_without_log(snapshot: &Snapshot) -> bool {
    let runner = snapshot.initial_runner_id.as_deref().unwrap_or_default();
    snapshot.build_info.is_some() && snapshot.state == SnapshotState::Active && runner.is_empty()
}

/// Delivers the log of a snapshot that is being made, until the log has ended and the snapshot is active or has failed.
/// `is_over` says when the latter is so. `reason_to_look` is notified when there may be something to see.
pub(crate) async fn follow(
    client: ApiClient,
    snapshot: Snapshot,
    sink: Sink,
    is_over: watch::Receiver<bool>,
    reason_to_look: Arc<Notify>,
) {
    let mut log = Log::new(client.clone(), snapshot, sink, reason_to_look);
    let mut patience = Patience {
        client,
        is_over,
        left: Some(if log.source.is_relayed() { GRACE } else { LINGER }),
    };
    let failure = match log.read_until_over(&mut patience).await {
        Ok(ending) => log.look_once_more(&mut patience, ending).await,
        Err(refused) => Some(refused),
    };
    match failure {
        None => log.finish().await,
        Some(error) => {
            let reason = format!("the build log could not be read to its end: {error}");
            log.put_gap(LogGapKind::Missing, reason);
        }
    }
}

/// Delivers the log so far.
///
/// # Errors
///
/// The reason why it cannot be read, or not to its end.
pub(crate) async fn read_once(client: ApiClient, snapshot: Snapshot, sink: Sink) -> Result<(), Error> {
    let mut patience = Patience::unlimited(client.clone());
    let is_active = snapshot.state == SnapshotState::Active;
    let mut log = Log::new(client, snapshot, sink, Arc::default());
    let mut breaks = 0;
    loop {
        let error = match log.read(&mut patience, false).await {
            Some(Ok(())) if is_active && log.source.is_relayed() && !log.lines.has_begun() => {
                return Err(not_relayed(&log.id));
            }
            None | Some(Ok(())) => {
                log.finish().await;
                return Ok(());
            }
            Some(Err(Failure::Later)) => return Err(not_there(&log.id)),
            Some(Err(Failure::Never(error) | Failure::Broken(error))) if !error.is_transient() => return Err(error),
            Some(Err(Failure::Never(error) | Failure::Broken(error))) => error,
        };
        breaks = if log.take_progress() { 1 } else { breaks + 1 };
        if breaks >= MOST_BREAKS {
            return Err(error);
        }
        log.lines.restart();
        patience.client.clock().sleep(pause_after(&error, PAUSE)).await;
    }
}

fn not_there(id: &SnapshotId) -> Error {
    let message = format!("snapshot {id} has no build log: it was not built, or its build has not begun");
    Error::new(ErrorKind::NotFound, message).with_operation(GetSnapshotBuildLogsUrl::ID)
}

/// The log of an active snapshot, as the API relays it to users' tokens, is empty.
fn not_relayed(id: &SnapshotId) -> Error {
    let message = format!(
        "the build log of snapshot {id} cannot be read with a user's token once the snapshot is active: use an API key"
    );
    Error::new(ErrorKind::Unsupported, message)
}

/// The pause that the server asks for, within limits, or else this one.
fn pause_after(error: &Error, pause: Duration) -> Duration {
    error.retry_after().map_or(pause, |wished| wished.min(LONGEST_QUIET))
}

/// How long the log is waited for: as long as the snapshot is being made, and a little longer.
struct Patience {
    client: ApiClient,
    is_over: watch::Receiver<bool>,
    /// None for a log that ends by itself.
    left: Option<Duration>,
}

impl Patience {
    fn unlimited(client: ApiClient) -> Self {
        Self {
            client,
            is_over: watch::channel(true).1,
            left: None,
        }
    }

    fn is_over(&self) -> bool {
        *self.is_over.borrow()
    }

    /// The result of the future, unless it takes too long. The time of a slow caller does not count, so it loses no
    /// line.
    async fn bound<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let Some(left) = self.left else {
            return Some(future.await);
        };
        let mut future = std::pin::pin!(future);
        tokio::select! {
            biased;
            value = &mut future => return Some(value),
            () = until_over(&mut self.is_over) => {}
        }
        let clock = self.client.clock();
        let start = clock.now();
        let value = tokio::select! {
            biased;
            value = &mut future => Some(value),
            () = clock.sleep(left) => None,
        };
        self.left = Some(left.saturating_sub(clock.now().saturating_sub(start)));
        value
    }
}

async fn until_over(is_over: &mut watch::Receiver<bool>) {
    // If the other side is gone, it is over too.
    drop(is_over.wait_for(|is_over| *is_over).await);
}

/// How the following of a log ended.
struct Ending {
    /// Why the last reading broke off, if it did.
    broken: Option<Error>,
    /// Whether the log was open when the snapshot became active or failed. Then no line was missed.
    was_open: bool,
    /// Whether the last reading reached the end of the log.
    has_ended: bool,
}

/// A log, and how much of it was delivered.
struct Log {
    id: SnapshotId,
    source: Source,
    sink: Sink,
    reason_to_look: Arc<Notify>,
    lines: Lines,
    /// Whether an earlier build may have written to it, which was not reported yet.
    is_shared: bool,
    has_progress: bool,
    /// Whether the last reading got an answer.
    is_open: bool,
}

impl Log {
    fn new(client: ApiClient, snapshot: Snapshot, sink: Sink, reason_to_look: Arc<Notify>) -> Self {
        // A build has the dates of the first snapshot that shares it.
        let begun = snapshot.build_info.as_ref().and_then(|build| build.created_at);
        let is_shared = begun
            .zip(snapshot.created_at)
            .is_some_and(|(build, snapshot)| snapshot.duration_since(build) > EARLIER);
        Self {
            source: Source::new(client, snapshot.id.clone()),
            id: snapshot.id,
            sink,
            reason_to_look,
            lines: Lines::default(),
            is_shared,
            has_progress: false,
            is_open: false,
        }
    }

    fn put_gap(&self, kind: LogGapKind, reason: impl Into<String>) {
        self.sink.put_gap(kind, reason);
        self.reason_to_look.notify_one();
    }

    /// Follows the log until the snapshot is active or has failed. Fails if the log cannot be had.
    async fn read_until_over(&mut self, patience: &mut Patience) -> Result<Ending, Error> {
        let mut pause = PAUSE;
        let mut broken: Option<Error> = None;
        let mut was_open = false;
        let mut has_ended = false;
        let mut is_over = patience.is_over.clone();
        while !patience.is_over() {
            match self.read(patience, true).await {
                // This happens with every failed build, and with a dead line.
                None => {
                    was_open = self.is_open;
                    break;
                }
                // A stream that is cut can look as if it had ended.
                Some(Ok(())) => {
                    broken = None;
                    has_ended = true;
                }
                Some(Err(Failure::Later)) => {}
                Some(Err(Failure::Broken(error))) => {
                    tracing::debug!(%error, "the build log broke off; reading it again");
                    broken = Some(error);
                }
                Some(Err(Failure::Never(error))) => return Err(error),
            }
            // The build may have ended, and with it the log.
            self.reason_to_look.notify_one();
            self.lines.restart();
            let wait = broken.as_ref().map_or(pause, |error| pause_after(error, pause));
            tokio::select! {
                () = patience.client.clock().sleep(wait) => {}
                () = until_over(&mut is_over) => {}
            }
            pause = if self.take_progress() {
                PAUSE
            } else {
                (pause * 2).min(LONGEST_PAUSE)
            };
        }
        Ok(Ending {
            broken,
            was_open,
            has_ended,
        })
    }

    /// Reads the log when the build has ended. Returns the reason if it is incomplete.
    async fn look_once_more(&mut self, patience: &mut Patience, ending: Ending) -> Option<Error> {
        let Ending {
            mut broken,
            was_open,
            has_ended,
        } = ending;
        patience.left = Some(GRACE);
        for _ in 0..MOST_BREAKS {
            self.lines.restart();
            match self.read(patience, false).await {
                None => break,
                // The API relays nothing for an active snapshot, so what was not read before is lost.
                Some(Ok(())) if self.source.is_relayed() && !self.lines.has_begun() => {
                    return (!was_open).then(|| broken.unwrap_or_else(|| not_relayed(&self.id)));
                }
                Some(Ok(())) if self.lines.is_short() => {
                    let message = "it ended before the part that was already read";
                    return Some(broken.unwrap_or_else(|| Error::new(ErrorKind::Connection, message)));
                }
                Some(Ok(())) => return broken.filter(|_| !self.lines.has_begun()),
                Some(Err(Failure::Later)) => {
                    return (!has_ended).then(|| broken.unwrap_or_else(|| not_there(&self.id)));
                }
                Some(Err(Failure::Broken(error))) => broken = Some(error),
                Some(Err(Failure::Never(error))) => return Some(error),
            }
            let client = patience.client.clone();
            if patience.bound(client.clock().sleep(LAST_PAUSE)).await.is_none() {
                break;
            }
        }
        Some(broken.unwrap_or_else(|| Error::new(ErrorKind::Timeout, "it did not answer in time")))
    }

    /// Reads the log from its beginning to its end. None if that took too long.
    async fn read(&mut self, patience: &mut Patience, is_followed: bool) -> Option<Result<(), Failure>> {
        self.is_open = false;
        let mut body = match patience.bound(Box::pin(self.source.open(is_followed))).await? {
            Ok(body) => body,
            Err(error) => return Some(Err(error.into())),
        };
        self.is_open = true;
        while let Some(frame) = patience.bound(body.frame()).await? {
            let chunk = match frame.map(http_body::Frame::into_data) {
                Ok(Ok(chunk)) => chunk,
                Ok(Err(_trailers)) => continue,
                Err(error) => {
                    let broken = Error::new(ErrorKind::Connection, "the connection broke in the middle of the log");
                    return Some(Err(Failure::Broken(broken.with_source(error))));
                }
            };
            if std::mem::take(&mut self.is_shared) {
                let reason = "the definition was built before: the log begins with the output of that build";
                self.put_gap(LogGapKind::Replayed, reason);
            }
            let lines = self.lines.push(&chunk);
            if self.lines.take_other() {
                let reason = "the log has changed since it broke off: lines may be missing";
                self.put_gap(LogGapKind::Replaced, reason);
            }
            self.has_progress |= !lines.is_empty();
            self.sink.put_lines(lines).await;
        }
        Some(Ok(()))
    }

    /// Whether something was delivered since the last call.
    fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.has_progress)
    }

    /// Delivers a last line without a line feed.
    async fn finish(&mut self) {
        if let Some(line) = self.lines.finish() {
            self.sink.put_lines(vec![line]).await;
        }
    }
}
