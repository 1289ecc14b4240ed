//! The build log of a snapshot, at any time.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use daytona_api::{GetSnapshot, Snapshot};
use futures_core::Stream;
use futures_util::StreamExt;
use tokio::sync::watch;

use super::Boxed;
use super::delivery::{Callbacks, Sink};
use super::event::{Event, LogGap, LogLine};
use super::events::EventStream;
use super::log;
use super::outcome::Outcome;
use super::reference::SnapshotRef;
use super::wait::Interval;
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind};

/// The build log of a snapshot: what there is by now, once it is awaited, or as a [`stream`](Self::stream).
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
/// Kind `NotFound` if there is no such snapshot, if it was not built but made from an image of a registry, or if its build has not
/// begun; without following also a log that breaks off too often.
#[derive(Debug)]
#[must_use = "does nothing until it is awaited"]
pub struct BuildLogs {
    client: ApiClient,
    snapshot: SnapshotRef,
    is_followed: bool,
}

/// What comes from a build log. It is shown as the line itself, or as a remark in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogEvent {
    /// A line.
    Line(LogLine),
    /// A part that is missing, or is of another build.
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
        }
    }

    /// Goes on as long as the snapshot is being made, and ends soon after it is active or has failed. A stream that breaks off
    /// is opened again, and each line comes once.
    pub fn follow(mut self) -> Self {
        self.is_followed = true;
        self
    }

    /// The lines one after the other, in memory that does not grow with the log.
    pub fn stream(self) -> LogStream {
        LogStream(EventStream::new(Callbacks::default(), move |sink| {
            Box::pin(self.read(sink))
        }))
    }

    async fn read(self, sink: Sink) -> Result<Snapshot, Error> {
        let client = self.client;
        let found = client.call(&GetSnapshot::new(self.snapshot.as_str())).await?;
        let found = self.snapshot.check(found)?;
        if found.build_info.is_none() {
            let message = format!(
                "snapshot `{}` has no build log: it was not built, but made from the image `{}`",
                found.name,
                found.image_name.as_deref().unwrap_or_default()
            );
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        if self.is_followed && Outcome::of(&found.state) == Outcome::Progress {
            let (is_over, receiver) = watch::channel(false);
            let until_over = async {
                let mut interval = Interval::new();
                loop {
                    interval.sleep(&client, None).await;
                    match client.call(&GetSnapshot::new(found.id.as_str())).await {
                        Ok(now) if Outcome::of(&now.state) == Outcome::Progress => {}
                        Err(error) if error.kind() != ErrorKind::NotFound => {}
                        Ok(_) | Err(_) => break,
                    }
                }
                is_over.send_replace(true);
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = log::follow(client.clone(), found.clone(), sink, receiver) => {}
                () = until_over => {}
            }
        } else {
            log::read_once(client, found.clone(), sink).await?;
        }
        Ok(found)
    }
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
#[must_use = "does nothing until it is polled"]
pub struct LogStream(EventStream);

impl LogStream {
    /// The next line or gap; none at the end.
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
