//! Build logs: their address, the log host, and the deprecated relay.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use daytona_api::{SnapshotId, SnapshotState};
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde::Serialize;
use serde_json::json;

use super::snapshots::{find_owned, not_read};
use super::{Answer, Handled, auth};
use crate::ResponseBody;
use crate::account::{Bearer, Caller};
use crate::clock::after;
use crate::engine::Engine;
use crate::service::{ServiceError, base_url, full};

/// How long the address is waited for until a runner is assigned.
const ASSIGNMENT_WAIT: Duration = Duration::from_secs(30);

/// A log that is followed ends so long after the image came to be.
const LINGER: Duration = Duration::from_secs(1);

/// The relay gives up after so long without a line.
const RELAY_SILENCE: Duration = Duration::from_mins(5);

pub(super) async fn address(engine: &Arc<Engine>, parts: &Parts, caller: &Caller, id: &str) -> Handled {
    let deadline = after(engine.clock.now(), ASSIGNMENT_WAIT);
    let mut changes = engine.watch();
    loop {
        engine.settle().await;
        {
            let world = engine.world();
            let record = find_owned(&world, caller, id)?;
            let now = engine.clock.now();
            if world.is_hidden(record, now) {
                return Err(not_read(&world, id, now));
            }
            if record.id.as_str() != id {
                if record.id.as_str().eq_ignore_ascii_case(id) {
                    return Err(not_read(&world, id, now));
                }
                return Err(Answer::unexpected());
            }
            if record.build.is_none() {
                return Err(Answer::refused(404, format!("Snapshot {id} has no build info")));
            }
            if record.runner.is_some() {
                return Ok(Answer::json(
                    &json!({"url": format!("{}/snapshots/{id}/build-logs", base_url(parts))}),
                ));
            }
        }
        if engine.clock.now() >= deadline {
            return Err(Answer::refused(
                404,
                format!("Timeout waiting for build runner assignment for snapshot {id}"),
            ));
        }
        tokio::select! {
            () = engine.wait_for_change(&mut changes) => {}
            () = engine.clock.sleep_until(deadline) => {}
        }
    }
}

/// The deprecated path through the API.
pub(super) fn relay(engine: &Arc<Engine>, parts: &Parts, caller: &Caller, id: &str) -> Handled {
    let world = engine.world();
    let record = find_owned(&world, caller, id)?;
    if record.id.as_str() != id {
        return Err(Answer::unexpected());
    }
    if record.build.is_none() {
        return Err(Answer::refused(404, format!("Snapshot {id} has no build info")));
    }
    if record.state == SnapshotState::Active {
        return Ok(Answer::Empty);
    }
    let is_open = world.build(record).is_some_and(|build| build.log.is_some());
    if !is_open {
        return Err(Answer::refused(404, not_open(record.reference.as_deref())));
    }
    let end = if follows(parts) { End::Silence } else { End::Now };
    Ok(Answer::Text(log(engine, record.id.clone(), end)))
}

/// The log host: another service than the API, with another envelope.
pub(crate) async fn answer_log_host(
    engine: &Arc<Engine>,
    parts: &Parts,
    id: &str,
) -> Result<Response<ResponseBody>, ServiceError> {
    engine.settle().await;
    let caller = match auth::bearer(engine, parts) {
        Some(Bearer::Key(key)) => Caller {
            organization: key.organization,
            permissions: key.permissions,
        },
        // The organization's header is not passed on, so that a user is in none.
        Some(Bearer::User(_) | Bearer::Service) => {
            let message = "Invalid authentication context";
            return Ok(refuse(engine, parts, StatusCode::FORBIDDEN, "", message));
        }
        None => {
            return Ok(refuse(
                engine,
                parts,
                StatusCode::UNAUTHORIZED,
                "",
                "Invalid credentials",
            ));
        }
    };
    let world = engine.world();
    let Some(record) = world.find(&caller, id) else {
        let message = format!("Snapshot with name {id} not found");
        return Ok(refuse(engine, parts, StatusCode::NOT_FOUND, "", &message));
    };
    let refused = |status, message| Ok(refuse(engine, parts, status, "BAD_REQUEST", message));
    if record.build.is_none() {
        return refused(StatusCode::BAD_REQUEST, "snapshot has no snapshot reference");
    }
    if record.runner.is_none() {
        return refused(StatusCode::BAD_REQUEST, "snapshot has no initial runner");
    }
    if world.build(record).is_none_or(|build| build.log.is_none()) {
        let message = format!("not found: {}", not_open(record.reference.as_deref()));
        return Ok(refuse(engine, parts, StatusCode::NOT_FOUND, "NOT_FOUND", &message));
    }
    let end = if follows(parts) { End::Built } else { End::Now };
    let mut response = Response::new(log(engine, record.id.clone(), end));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    Ok(response)
}

/// The log of a snapshot's build for the status page, from its beginning and on.
pub(crate) fn follow_log(engine: &Arc<Engine>, id: &str) -> Option<ResponseBody> {
    let id = SnapshotId::from(id);
    let world = engine.world();
    let record = world.snapshots.iter().find(|record| record.id == id)?;
    world.build(record)?;
    drop(world);
    Some(log(engine, id, End::Over))
}

fn not_open(reference: Option<&str>) -> String {
    format!("build logs not found for ref: {}", reference.unwrap_or_default())
}

fn follows(parts: &Parts) -> bool {
    parts
        .uri
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair == "follow=true"))
}

/// A refusal of the log host, in its envelope.
pub(crate) fn refuse_log(engine: &Engine, parts: &Parts, status: StatusCode, message: &str) -> Response<ResponseBody> {
    refuse(engine, parts, status, "", message)
}

fn refuse(engine: &Engine, parts: &Parts, status: StatusCode, code: &str, message: &str) -> Response<ResponseBody> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Envelope<'a> {
        status_code: u16,
        message: &'a str,
        code: &'a str,
        timestamp: String,
        path: &'a str,
        method: &'a str,
    }
    let body = Envelope {
        status_code: status.as_u16(),
        message,
        code,
        // Without fractions: it is another service than the API.
        timestamp: engine.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        path: parts.uri.path(),
        method: parts.method.as_str(),
    };
    let text = serde_json::to_string(&body).expect("made of texts and numbers");
    let length = text.len();
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// When a stream of a log ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// After what there is.
    Now,
    /// A while after the image came to be; for a failed build never.
    Built,
    /// After a long silence.
    Silence,
    /// As soon as the build is over, however it ended.
    Over,
}

/// A log from its beginning.
fn log(engine: &Arc<Engine>, id: SnapshotId, end: End) -> ResponseBody {
    let reader = Reader {
        changes: engine.watch(),
        engine: Arc::clone(engine),
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
    engine: Arc<Engine>,
    changes: tokio::sync::watch::Receiver<()>,
    id: SnapshotId,
    position: usize,
    end: End,
}

impl Reader {
    /// What was added since, as soon as there is something.
    async fn next(&mut self) -> Option<Bytes> {
        let silent_since = self.engine.clock.now();
        loop {
            self.engine.settle().await;
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
            if deadline.is_some_and(|deadline| self.engine.clock.now() >= deadline) {
                return None;
            }
            let engine = Arc::clone(&self.engine);
            tokio::select! {
                () = engine.wait_for_change(&mut self.changes) => {}
                () = async {
                    match deadline {
                        Some(deadline) => engine.clock.sleep_until(deadline).await,
                        None => std::future::pending().await,
                    }
                } => {}
            }
        }
    }

    /// What was added since, when the image came to be, and whether nothing more comes.
    fn look(&self) -> (Option<Bytes>, Option<jiff::Timestamp>, bool) {
        let world = self.engine.world();
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
