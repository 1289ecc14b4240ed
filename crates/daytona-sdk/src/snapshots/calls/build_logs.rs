//! The build log of a snapshot, at any time.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use daytona_api::{GetSnapshot, Snapshot};
use futures_core::Stream;
use futures_util::StreamExt;
use tokio::sync::{Notify, watch};

use super::call::Boxed;
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind};
use crate::snapshots::events::delivery::Callbacks;
use crate::snapshots::events::event::{Event, LogGap, LogLine};
use crate::snapshots::events::stream::EventStream;
use crate::snapshots::log::follow;
use crate::snapshots::reference::SnapshotRef;
use crate::snapshots::watch::deadline::Goal;
use crate::snapshots::watch::outcome::Outcome;
use crate::snapshots::watch::poll::Looks;
use crate::snapshots::watch::scope::Scope;

/// The build log of a snapshot. When awaited, it returns the log so far; [`stream`](Self::stream) returns it line by
/// line.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// for line in daytona.snapshots().build_logs("my-app").await? {
///     println!("{line}");
/// }
/// let mut log = daytona.snapshots().build_logs("my-app").follow().stream();
/// while let Some(event) = log.next().await {
///     println!("{}", event?); // a line, or where some are missing
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// - Kind `NotFound` if there is no such snapshot, or if it has no build log: it was made from an image of a registry,
///   its build has not begun, or it uses the image that an earlier snapshot of the same definition had built.
/// - Kind `Unsupported` for a user's token if the snapshot is active, because the server then gives the log only to API
///   keys.
/// - Without [`follow`](Self::follow), also if the log breaks off too often.
/// - With it, also the errors of the requests for the snapshot, such as `Unauthorized` for a key that has expired.
#[derive(Debug)]
#[must_use = "does nothing until it is awaited"]
pub struct BuildLogs {
    client: ApiClient,
    snapshot: SnapshotRef,
    is_followed: bool,
    limit: Option<Duration>,
}

/// An item of a build log. `Display` shows a line unchanged, and a gap as a remark in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogEvent {
    /// A line of the log.
    Line(LogLine),
    /// A part of the log that is missing or belongs to another build.
    Gap(LogGap),
}

impl fmt::Display for LogEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => line.fmt(formatter),
            Self::Gap(gap) => write!(formatter, "({gap})"),
        }
    }
}

impl BuildLogs {
    pub(crate) fn new(client: ApiClient, snapshot: SnapshotRef) -> Self {
        Self {
            client,
            snapshot,
            is_followed: false,
            limit: None,
        }
    }

    /// Follows the log while the snapshot is being made, and ends soon after it is active or has failed. If the
    /// connection breaks, the SDK opens the log again. Each line is delivered once.
    pub fn follow(mut self) -> Self {
        self.is_followed = true;
        self
    }

    /// The time limit for the whole call. Default: none.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Returns the lines one by one. The memory does not grow with the log.
    pub fn stream(self) -> LogStream {
        LogStream(EventStream::new(Callbacks::default(), move |sink| {
            let scope = Scope::with_sink(&self.client, Goal::Answer, self.limit, sink);
            let deadline = scope.deadline.clone();
            Box::pin(async move { deadline.enforce(self.read(scope)).await })
        }))
    }

    async fn read(self, scope: Scope) -> Result<Snapshot, Error> {
        let Scope { client, sink, .. } = &scope;
        let found = client.call(&GetSnapshot::new(self.snapshot.as_str())).await?;
        let found = self.snapshot.check(found)?;
        if let Some(reason) = without_log(&found, self.is_followed) {
            return Err(Error::new(ErrorKind::NotFound, reason));
        }
        if !self.is_followed || Outcome::of(&found.state) != Outcome::Progress {
            follow::read_once(client.clone(), found.clone(), sink.clone()).await?;
            return Ok(found);
        }
        let (is_over, receiver) = watch::channel(false);
        let reason_to_look = Arc::new(Notify::new());
        let until_over = async {
            let mut looks = Looks::after_a_look(&scope, client.clock().now()).sooner_on(Arc::clone(&reason_to_look));
            while looks
                .at_own(&found.id)
                .await?
                .is_some_and(|now| Outcome::of(&now.state) == Outcome::Progress)
            {}
            is_over.send_replace(true);
            // The log is read to its end.
            std::future::pending::<Result<(), Error>>().await
        };
        let following = follow::follow(
            client.clone(),
            found.clone(),
            sink.clone(),
            receiver,
            Arc::clone(&reason_to_look),
        );
        tokio::select! {
            () = following => Ok(found),
            looked = until_over => looked.map(|()| found.clone()),
        }
    }
}

/// The reason why the snapshot has no log, if it has none.
fn without_log(snapshot: &Snapshot, is_followed: bool) -> Option<String> {
    let name = &snapshot.name;
    if snapshot.build_info.is_none() {
        let image = snapshot.image_name.as_deref().unwrap_or_default();
        return Some(match image {
            "" => format!("snapshot `{name}` has no build log: it was not built"),
            image => format!("snapshot `{name}` has no build log: it was not built, but made from the image `{image}`"),
        });
    }
    if follow::is_without_log(snapshot) {
        return Some(format!(
            "snapshot `{name}` has no build log of its own: it uses the image that an earlier snapshot of the same definition had built"
        ));
    }
    if follow::is_before_its_log(snapshot) && !is_followed {
        return Some(format!(
            "snapshot `{name}` has no build log yet: its build has not begun"
        ));
    }
    None
}

impl IntoFuture for BuildLogs {
    type Output = Result<Vec<LogLine>, Error>;
    type IntoFuture = Boxed<Vec<LogLine>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut stream = self.stream();
            let mut lines = Vec::new();
            while let Some(event) = stream.next().await {
                if let LogEvent::Line(line) = event? {
                    lines.push(line);
                }
            }
            Ok(lines)
        })
    }
}

/// A build log, line by line.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// let mut log = daytona.snapshots().build_logs("my-app").follow().stream();
/// while let Some(event) = log.next().await {
///     println!("{}", event?);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "does nothing until it is polled"]
pub struct LogStream(EventStream);

impl LogStream {
    /// The next line or gap, or none at the end.
    pub async fn next(&mut self) -> Option<Result<LogEvent, Error>> {
        StreamExt::next(self).await
    }
}

impl fmt::Debug for LogStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LogStream").finish_non_exhaustive()
    }
}

impl Stream for LogStream {
    type Item = Result<LogEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            return Poll::Ready(match ready!(Pin::new(&mut self.0).poll_next(context)) {
                Some(Ok(Event::Log(line))) => Some(Ok(LogEvent::Line(line))),
                Some(Ok(Event::LogGap(gap))) => Some(Ok(LogEvent::Gap(gap))),
                Some(Ok(_)) => continue,
                Some(Err(error)) => Some(Err(error)),
                None => None,
            });
        }
    }
}
