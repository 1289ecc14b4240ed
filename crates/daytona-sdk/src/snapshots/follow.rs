//! The build log of a snapshot that is being made.
//!
//! A log is advisory: whatever goes wrong with it never decides what becomes of the snapshot. A stream that is cut is
//! opened again, and since each begins at the beginning, what was delivered is skipped.

use std::time::Duration;

use bytes::Bytes;
use daytona_api::{GetSnapshotBuildLogs, GetSnapshotBuildLogsUrl, Operation, SnapshotId};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::watch;
use url::Url;

use super::delivery::Events;
use super::event::Event;
use super::lines::Lines;
use crate::client::{Credentials, Daytona};
use crate::error::{Error, ErrorKind, from_answer};
use crate::transport::full;

/// Between two attempts to open the log.
const PAUSE: Duration = Duration::from_secs(1);

/// How long lines are still awaited once the snapshot is active or has failed: the stream of a failed build never ends.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// Delivers the log until it ends, or until `is_over` turns true and nothing more comes.
pub(crate) async fn follow(client: Daytona, id: SnapshotId, events: Events, mut is_over: watch::Receiver<bool>) {
    let mut lines = Lines::default();
    loop {
        match stream(&client, &id, &events, &mut lines, true).await {
            Ok(()) => {
                if let Some(line) = lines.finish() {
                    events.put_line(line).await;
                }
                return;
            }
            Err(LogFailure::Later) => {}
            Err(LogFailure::Broken(reason)) => tracing::debug!(%reason, "the build log broke off; reading it again"),
            Err(LogFailure::Never(reason)) => return events.put(Event::LogGap { reason }),
        }
        let was_over = *is_over.borrow();
        lines = lines.resume();
        if was_over {
            return;
        }
        tokio::select! {
            () = client.clock().sleep(PAUSE) => {}
            // One more look after the end: what was written last may not have been read yet.
            _ = is_over.wait_for(|is_over| *is_over) => {}
        }
    }
}

/// The last lines of the log of a build that has ended, as far as they can be had.
pub(crate) async fn tail(client: &Daytona, id: &SnapshotId, events: &Events) {
    let mut lines = Lines::default();
    if stream(client, id, events, &mut lines, false).await.is_ok()
        && let Some(line) = lines.finish()
    {
        events.put_line(line).await;
    }
}

enum LogFailure {
    /// It is not there yet.
    Later,
    /// The connection broke.
    Broken(String),
    /// It cannot be had.
    Never(String),
}

async fn stream(
    client: &Daytona,
    id: &SnapshotId,
    events: &Events,
    lines: &mut Lines,
    is_followed: bool,
) -> Result<(), LogFailure> {
    let response = open(client, id, is_followed)
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::Refused => LogFailure::Later,
            _ if error.is_retryable() => LogFailure::Broken(error.to_string()),
            _ => LogFailure::Never(format!("the build log cannot be read: {error}")),
        })?;
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| LogFailure::Broken(error.to_string()))?;
        let Ok(chunk) = frame.into_data() else { continue };
        for line in lines.push(&chunk) {
            events.put_line(line).await;
        }
    }
    Ok(())
}

type LogResponse = http::Response<crate::transport::ResponseBody>;

/// The log, from its own host or, for those whom it does not let in, through the API.
async fn open(client: &Daytona, id: &SnapshotId, is_followed: bool) -> Result<LogResponse, Error> {
    if matches!(client.settings().credentials, Credentials::Jwt { .. }) {
        return relayed(client, id, is_followed).await;
    }
    let address = client.call(&GetSnapshotBuildLogsUrl::new(id.as_str())).await?.url;
    let mut url = safe_address(client, &address)?;
    if is_followed {
        url.query_pairs_mut().append_pair("follow", "true");
    }
    match request(client, GetSnapshotBuildLogsUrl::ID, url.as_str()).await {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => relayed(client, id, is_followed).await,
        response => response,
    }
}

async fn relayed(client: &Daytona, id: &SnapshotId, is_followed: bool) -> Result<LogResponse, Error> {
    let mut operation = GetSnapshotBuildLogs::new(id.as_str());
    operation.follow = is_followed.then_some(true);
    let query = operation.query().map(|query| format!("?{query}")).unwrap_or_default();
    let url = format!("{}{}{query}", client.api_url(), operation.path());
    request(client, GetSnapshotBuildLogs::ID, &url).await
}

async fn request(client: &Daytona, operation: &'static str, url: &str) -> Result<LogResponse, Error> {
    let request = Request::get(url)
        .body(full(Bytes::new()))
        .map_err(|error| Error::new(ErrorKind::Decode, error.to_string()))?;
    let response = client.send(operation, request).await?;
    if response.status() == StatusCode::OK {
        return Ok(response);
    }
    let response = crate::client::read(operation, response).await?;
    Err(from_answer(
        operation,
        url,
        response.status(),
        response.headers(),
        response.body(),
    ))
}

/// The address, if the key may go there: over https, unless the API itself is not.
fn safe_address(client: &Daytona, address: &str) -> Result<Url, Error> {
    let refuse = |problem: &str| {
        Error::new(
            ErrorKind::Decode,
            format!("the address of the build log, `{address}`, {problem}"),
        )
    };
    let url = Url::parse(address).map_err(|_| refuse("is no address"))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if client.api_url().starts_with("http:") => Ok(url),
        _ => Err(refuse("is less safe than the API's: the key is not sent there")),
    }
}
