//! The build log of a snapshot.
//!
//! A log is advisory: whatever goes wrong with it never decides what becomes of the snapshot. A stream that is cut is
//! opened again, and since each begins at the beginning, what was delivered is passed over.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use daytona_api::{GetSnapshotBuildLogs, GetSnapshotBuildLogsUrl, Operation, Snapshot, SnapshotId};
use http::Request;
use http_body_util::BodyExt;
use tokio::sync::watch;
use url::Url;

use super::delivery::Sink;
use super::lines::Lines;
use crate::address::shown;
use crate::api_client::ApiClient;
use crate::auth::Credentials;
use crate::error::{Error, ErrorKind};
use crate::transport::{ResponseBody, full};

/// Between two attempts to open the log; it grows to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Between two attempts to open it when the build has ended.
const LAST_PAUSE: Duration = Duration::from_millis(200);

/// How long lines are still awaited once the snapshot is active or has failed: the stream of a failed build never ends.
const GRACE: Duration = Duration::from_secs(2);

/// How often in a row a log that has ended may break off.
const MOST_BREAKS: u32 = 4;

/// Why a reading of the log ended early.
enum Failure {
    /// It is not there yet.
    Later,
    /// The connection broke.
    Broken(Error),
    /// It cannot be had.
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

/// Delivers the log of a snapshot that is being made, until it has ended and the snapshot is active or has failed.
/// `is_over` tells of the latter.
pub(crate) async fn follow(client: ApiClient, snapshot: Snapshot, sink: Sink, is_over: watch::Receiver<bool>) {
    let mut patience = Patience {
        client: client.clone(),
        is_over,
        left: Some(GRACE),
    };
    let mut log = Log::new(client, snapshot, sink);
    let failure = match log.read_until_over(&mut patience).await {
        Ok(broken) => log.look_once_more(&mut patience, broken).await,
        Err(refused) => Some(refused),
    };
    match failure {
        None => log.finish().await,
        Some(error) => {
            let reason = format!("the build log could not be read to its end: {error}");
            log.sink.put_gap(reason, false);
        }
    }
}

/// Delivers what there is of a log by now.
///
/// # Errors
///
/// Why it cannot be read, or not to its end.
pub(crate) async fn read_once(client: ApiClient, snapshot: Snapshot, sink: Sink) -> Result<(), Error> {
    let mut patience = Patience::unlimited(client.clone());
    let mut log = Log::new(client, snapshot, sink);
    let mut breaks = 0;
    loop {
        let error = match log.read(&mut patience, false).await {
            None | Some(Ok(())) => {
                log.finish().await;
                return Ok(());
            }
            Some(Err(Failure::Later)) => return Err(not_there(&log.id)),
            Some(Err(Failure::Never(error) | Failure::Broken(error))) if !error.is_retryable() => return Err(error),
            Some(Err(Failure::Never(error) | Failure::Broken(error))) => error,
        };
        breaks = if log.take_progress() { 1 } else { breaks + 1 };
        if breaks >= MOST_BREAKS {
            return Err(error);
        }
        log.lines.restart();
        patience
            .client
            .clock()
            .sleep(error.retry_after().unwrap_or(PAUSE))
            .await;
    }
}

fn not_there(id: &SnapshotId) -> Error {
    let message = format!("snapshot {id} has no build log: it was not built, or its build has not begun");
    Error::new(ErrorKind::NotFound, message).with_operation(GetSnapshotBuildLogsUrl::ID)
}

/// How long a log is waited for: as long as the snapshot is being made, and a little longer.
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

    async fn until_over(&mut self) {
        // Where nobody is left to tell, it is over too.
        drop(self.is_over.wait_for(|is_over| *is_over).await);
    }

    /// What comes of the future, unless it takes too long. Only such waiting counts: a slow caller loses no line.
    async fn bound<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let Some(left) = self.left else {
            return Some(future.await);
        };
        let mut future = std::pin::pin!(future);
        tokio::select! {
            biased;
            value = &mut future => return Some(value),
            () = self.until_over() => {}
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

/// A build that is older than its snapshot by more than this was made for another one.
const WRITTEN_BEFORE: jiff::SignedDuration = jiff::SignedDuration::from_secs(15);

/// A log, and how much of it was delivered.
struct Log {
    client: ApiClient,
    id: SnapshotId,
    sink: Sink,
    lines: Lines,
    /// Where it lies, once that was told.
    address: Option<Url>,
    /// Whether an earlier build may have written to it, and nobody was told yet.
    is_shared: bool,
    has_progress: bool,
}

impl Log {
    fn new(client: ApiClient, snapshot: Snapshot, sink: Sink) -> Self {
        // The dates of a build are those of the first snapshot that shares it; and the server writes every build down before its
        // snapshot, by up to 12.8 s.
        let begun = snapshot.build_info.as_ref().and_then(|build| build.created_at);
        let is_shared = begun
            .zip(snapshot.created_at)
            .is_some_and(|(build, snapshot)| snapshot.duration_since(build) > WRITTEN_BEFORE);
        Self {
            client,
            id: snapshot.id,
            sink,
            lines: Lines::default(),
            address: None,
            is_shared,
            has_progress: false,
        }
    }

    /// Follows the log until the snapshot is active or has failed. Returns how the last reading broke off, if it did; fails if the
    /// log cannot be had.
    async fn read_until_over(&mut self, patience: &mut Patience) -> Result<Option<Error>, Error> {
        let mut pause = PAUSE;
        let mut broken: Option<Error> = None;
        while !patience.is_over() {
            match self.read(patience, true).await {
                // So it is with every failed build, and with a line that is dead.
                None => break,
                // A stream that is cut can look as if it had ended.
                Some(Ok(())) => broken = None,
                Some(Err(Failure::Later)) => {}
                Some(Err(Failure::Broken(error))) => {
                    tracing::debug!(%error, "the build log broke off; reading it again");
                    broken = Some(error);
                }
                Some(Err(Failure::Never(error))) => return Err(error),
            }
            self.lines.restart();
            let wished = broken.as_ref().and_then(Error::retry_after);
            let client = self.client.clone();
            tokio::select! {
                () = client.clock().sleep(wished.unwrap_or(pause)) => {}
                () = patience.until_over() => {}
            }
            pause = if self.take_progress() {
                PAUSE
            } else {
                (pause * 2).min(LONGEST_PAUSE)
            };
        }
        Ok(broken)
    }

    /// Reads what there is when the build has ended. Returns why that is not all, if it is not.
    async fn look_once_more(&mut self, patience: &mut Patience, mut broken: Option<Error>) -> Option<Error> {
        patience.left = Some(GRACE);
        for _ in 0..MOST_BREAKS {
            self.lines.restart();
            match self.read(patience, false).await {
                None => break,
                Some(Ok(())) => return broken.filter(|_| self.lines.is_short()),
                // There never was one.
                Some(Err(Failure::Later)) => return broken,
                Some(Err(Failure::Broken(error))) => broken = Some(error),
                Some(Err(Failure::Never(error))) => return Some(error),
            }
            let client = self.client.clone();
            if patience.bound(client.clock().sleep(LAST_PAUSE)).await.is_none() {
                break;
            }
        }
        Some(broken.unwrap_or_else(|| Error::new(ErrorKind::Timeout, "it did not answer in time")))
    }

    /// Reads the log from its beginning to its end. None if that took too long.
    async fn read(&mut self, patience: &mut Patience, is_followed: bool) -> Option<Result<(), Failure>> {
        let mut body = match patience.bound(Box::pin(self.open(is_followed))).await? {
            Ok(body) => body,
            Err(error) => return Some(Err(error.into())),
        };
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
                let reason = "the definition was built before: the log begins with what that build wrote";
                self.sink.put_gap(reason, true);
            }
            let lines = self.lines.push(&chunk);
            if self.lines.take_other() {
                let reason = "the log is another one than before it broke off: lines may be missing";
                self.sink.put_gap(reason, false);
            }
            self.has_progress |= !lines.is_empty();
            self.sink.put_lines(lines).await;
        }
        Some(Ok(()))
    }

    /// Whether something was delivered since this was asked last.
    fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.has_progress)
    }

    /// Delivers what has no line feed.
    async fn finish(&mut self) {
        if let Some(line) = self.lines.finish() {
            self.sink.put_lines(vec![line]).await;
        }
    }

    /// The log, from its own host or, for those whom it does not let in, through the API.
    async fn open(&mut self, is_followed: bool) -> Result<ResponseBody, Error> {
        // The log host asks only for the token, and knows no organization of a user.
        if !matches!(self.client.settings().credentials, Credentials::ApiKey(_)) {
            return self.relayed(is_followed).await;
        }
        let mut url = match &self.address {
            Some(address) => address.clone(),
            None => {
                let address = self
                    .client
                    .call(&GetSnapshotBuildLogsUrl::new(self.id.as_str()))
                    .await?
                    .url;
                self.address.insert(safe_address(&self.client, &address)?).clone()
            }
        };
        if is_followed {
            url.query_pairs_mut().append_pair("follow", "true");
        }
        match request(&self.client, GetSnapshotBuildLogsUrl::ID, url.as_str()).await {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => self.relayed(is_followed).await,
            Err(error) => {
                // It may lie somewhere else by now.
                self.address = None;
                Err(error)
            }
            Ok(body) => Ok(body),
        }
    }

    async fn relayed(&self, is_followed: bool) -> Result<ResponseBody, Error> {
        let mut operation = GetSnapshotBuildLogs::new(self.id.as_str());
        operation.follow = is_followed.then_some(true);
        let query = operation.query().map(|query| format!("?{query}")).unwrap_or_default();
        let url = format!("{}{}{query}", self.client.api_url(), operation.path());
        request(&self.client, GetSnapshotBuildLogs::ID, &url).await
    }
}

async fn request(client: &ApiClient, operation: &'static str, url: &str) -> Result<ResponseBody, Error> {
    let request = Request::get(url)
        .body(full(Bytes::new()))
        .map_err(|error| Error::new(ErrorKind::Decode, error.to_string()))?;
    Ok(client.send(operation, request).await?.into_body())
}

/// The address, if the key may go there: over https, unless the API itself is not.
fn safe_address(client: &ApiClient, address: &str) -> Result<Url, Error> {
    let refuse = |problem: &str| {
        Error::new(
            ErrorKind::Decode,
            format!("the address of the build log, `{}`, {problem}", shown(address)),
        )
    };
    let url = Url::parse(address).map_err(|_| refuse("is no address"))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if client.api_url().starts_with("http:") => Ok(url),
        _ => Err(refuse("is less safe than the API's: the key is not sent there")),
    }
}
