//! Starts a sandbox of a snapshot to verify the snapshot, and deletes the sandbox.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use daytona_api::{CreateSandbox, CreateSnapshot, DeleteSandbox, GetSandbox, Sandbox, SandboxState, Snapshot};

use super::cleanup::Cleanup;
use super::{mark, permissions};
use crate::api_client::{ApiClient, LAG};
use crate::error::{Error, ErrorKind, SnapshotInfo};
use crate::snapshots::events::event::Event;
use crate::snapshots::watch::poll::Looks;
use crate::snapshots::watch::scope::Scope;

/// The sandbox stops after a minute without activity, and is deleted when it stops. So it costs little if it is left
/// behind.
const STOPS_AFTER_MINUTES: u32 = 1;

/// The default limit for the start and the deletion.
pub(crate) const LIMIT: Duration = Duration::from_mins(5);

/// How often the server may fail to answer the request for a sandbox.
const MOST_FAILURES: u32 = 3;

/// The permissions to start a sandbox and to delete it.
const NEEDED: [permissions::Needed; 2] = [permissions::of::<CreateSandbox>(), permissions::of::<DeleteSandbox>()];

/// Refuses a key that cannot start a sandbox, or cannot delete it.
pub(crate) async fn check_permissions(scope: &Scope) -> Result<(), Error> {
    permissions::check(scope, &NEEDED).await
}

/// Like [`check_permissions`], for a key that must also create the snapshot.
pub(crate) async fn check_permissions_to_create(scope: &Scope) -> Result<(), Error> {
    let [start, delete] = NEEDED;
    permissions::check(scope, &[permissions::of::<CreateSnapshot>(), start, delete]).await
}

/// Starts a sandbox of an active snapshot, waits until it runs, and deletes it whatever happens. `limit` is how long
/// the caller waits.
pub(crate) async fn prove(scope: &Scope, snapshot: &Snapshot, limit: Option<Duration>) -> Result<(), Error> {
    let name = mark::name();
    let request = request(scope, snapshot, &name, limit);
    scope.sink.put(Event::Starting { sandbox: name.clone() });
    let mut boot = Boot {
        scope,
        snapshot,
        cleanup: Cleanup::of(&scope.client, &name),
        name,
    };
    let outcome = boot.until_started(&request).await;
    let Boot { cleanup, name, .. } = boot;
    if outcome.is_ok() {
        let elapsed = scope.deadline.elapsed();
        scope.sink.put(Event::Started { sandbox: name, elapsed });
    }
    cleanup.now(scope).await;
    outcome
}

/// Whether the refusal of a creation proves that there is no sandbox. A failed start is also a refusal, and one with an
/// unknown message may be such a start.
fn made_nothing(error: &Error) -> bool {
    use ErrorKind::{AlreadyExists, DoesNotStart, Rejected};
    error.proves_nothing_was_done() && !matches!(error.kind(), AlreadyExists | DoesNotStart | Rejected)
}

/// The request for a sandbox that is deleted by itself, in a region that has the snapshot.
fn request(scope: &Scope, snapshot: &Snapshot, name: &str, limit: Option<Duration>) -> CreateSandbox {
    let client = &scope.client;
    let mut request = CreateSandbox::new();
    request.snapshot = Some(snapshot.id.to_string());
    request.name = Some(name.to_owned());
    let regions = snapshot.region_ids.as_deref().unwrap_or_default();
    let wished = client.settings().target.as_ref();
    let region = wished.filter(|target| regions.is_empty() || regions.contains(target));
    let region = region.or(regions.first());
    request.target = region.cloned();
    request.labels = Some(mark::labels(client.timestamp(), limit));
    request.auto_stop_interval = Some(STOPS_AFTER_MINUTES);
    request.auto_delete_interval = Some(0);
    request
}

struct Boot<'a> {
    scope: &'a Scope,
    snapshot: &'a Snapshot,
    name: String,
    cleanup: Cleanup,
}

impl Boot<'_> {
    async fn until_started(&mut self, request: &CreateSandbox) -> Result<(), Error> {
        let mut looks = Looks::new(self.scope);
        self.ask(&mut looks, request).await?;
        self.watch(&mut looks).await
    }

    /// Requests the sandbox. If the answer is lost, the request is sent again: the name shows whether the sandbox
    /// exists.
    async fn ask(&mut self, looks: &mut Looks<'_>, request: &CreateSandbox) -> Result<(), Error> {
        let Self { scope, snapshot, .. } = *self;
        let client = &scope.client;
        // The server's own, over all attempts. An atomic, as the attempts share it.
        let failures = AtomicU32::new(0);
        let create = || async {
            self.cleanup.note_asked();
            scope
                .deadline
                .note_sandbox(&self.name, &SandboxState::Creating, Some(SnapshotInfo::of(snapshot)));
            let answer = client.call_once(request, 0).await;
            if matches!(&answer, Err(error) if made_nothing(error)) {
                self.cleanup.note_refused();
                scope.deadline.note(snapshot);
            }
            match answer {
                // A server that fails at it would fail at it forever.
                Err(error)
                    if error.kind() == ErrorKind::ServerError
                        && failures.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_FAILURES =>
                {
                    Ok(Err(error))
                }
                answer => answer.map(Ok),
            }
        };
        match looks.next(create).await.flatten() {
            Ok(_) => self.cleanup.note_there(),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.cleanup.note_there(),
            Err(error) if error.kind() == ErrorKind::DoesNotStart => {
                self.cleanup.note_there();
                // Its record has the runner's words, without those of the server around them.
                let found = look_at(client, &self.name).await.ok().flatten();
                return Err(does_not_start(snapshot, found.as_ref()).with_answer_of(&error));
            }
            // The words are lost or new: it may be the refusal of a start that has failed, after which the sandbox is
            // there.
            Err(error) if error.kind() == ErrorKind::Rejected => match look_at(client, &self.name).await {
                Ok(Some(_)) => self.cleanup.note_there(),
                looked => {
                    if looked.is_ok() {
                        self.cleanup.note_refused();
                    }
                    return Err(error.with_snapshot(SnapshotInfo::of(snapshot)));
                }
            },
            Err(error) => return Err(error.with_snapshot(SnapshotInfo::of(snapshot))),
        }
        Ok(())
    }

    /// Looks at the sandbox until it runs.
    async fn watch(&self, looks: &mut Looks<'_>) -> Result<(), Error> {
        let Self { scope, snapshot, .. } = *self;
        let client = &scope.client;
        let made_at = client.clock().now();
        loop {
            let Some(found) = looks.next(|| look_at(client, &self.name)).await? else {
                if client.clock().now().saturating_sub(made_at) <= LAG {
                    continue;
                }
                return Err(gone(snapshot, &self.name));
            };
            scope
                .deadline
                .note_sandbox(&self.name, &found.state, Some(SnapshotInfo::of(snapshot)));
            match found.state {
                // One that has stopped by itself had started.
                SandboxState::Started | SandboxState::Stopping | SandboxState::Stopped => return Ok(()),
                SandboxState::Error | SandboxState::BuildFailed => return Err(does_not_start(snapshot, Some(&found))),
                SandboxState::Destroying | SandboxState::Destroyed => return Err(gone(snapshot, &self.name)),
                _ => {}
            }
        }
    }
}

/// The sandbox of this name, or none.
async fn look_at(client: &ApiClient, name: &str) -> Result<Option<Sandbox>, Error> {
    match client.call_once(&GetSandbox::new(name), 0).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The error if a sandbox disappears before it was seen to run. One that runs stops after a minute, and is then
/// deleted.
fn gone(snapshot: &Snapshot, name: &str) -> Error {
    let message = format!(
        "sandbox `{name}` of snapshot `{}` went away before it was seen to run: somebody deleted it, or it ran while the server \
         could not be asked",
        snapshot.name
    );
    // Not `Gone`: that is about the snapshot, of which nothing is known.
    Error::new(ErrorKind::Busy, message).with_snapshot(SnapshotInfo::of(snapshot))
}

fn does_not_start(snapshot: &Snapshot, sandbox: Option<&Sandbox>) -> Error {
    let reason = sandbox.and_then(|sandbox| sandbox.error_reason.as_deref());
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
    let said = reason.unwrap_or("the server gives no reason");
    let message = format!("a sandbox of snapshot `{}` does not start: {said}", snapshot.name);
    let error = Error::new(ErrorKind::DoesNotStart, message)
        .with_snapshot(SnapshotInfo::of(snapshot))
        .with_hint(hint(reason.unwrap_or_default(), snapshot));
    match reason {
        Some(reason) => error.with_reason(reason),
        None => error,
    }
}

/// Parts of the messages of registries and runtimes if an image does not exist. A program that is `not found` is
/// another matter.
const IMAGE_IS_MISSING: [&str; 5] = [
    "manifest unknown",
    "manifest for ",
    "No such image",
    "name unknown",
    "repository does not exist",
];

/// What helps, judged by the runner's message.
fn hint(reason: &str, snapshot: &Snapshot) -> String {
    let entrypoint = match snapshot.entrypoint.as_deref() {
        Some(words) if !words.is_empty() => format!("the snapshot's entrypoint is `{}`", words.join(" ")),
        _ => "the image's own entrypoint decides".to_owned(),
    };
    if reason.contains("exited with code") {
        format!(
            "{entrypoint}, and it exited: give the snapshot an entrypoint that keeps running, such as `sleep infinity`"
        )
    } else if reason.contains("timeout waiting for daemon") {
        format!(
            "the service runs its own program in the sandbox, which needs a shell (`/bin/sh`) in the image; {entrypoint}, which must not interfere with it"
        )
    } else if IMAGE_IS_MISSING.iter().any(|part| reason.contains(part)) {
        "the image is no longer in the service's registry: create the snapshot again".to_owned()
    } else {
        format!("{entrypoint}: check that it keeps running, and that the image has a shell (`/bin/sh`)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_words_choose_the_hint() {
        let mut snapshot = Snapshot::new("1", "x", "active");
        let hint_of = |reason: &str, snapshot: &Snapshot| hint(reason, snapshot);
        let exited = hint_of("sandbox exited with code 1, reason: ", &snapshot);
        assert!(
            exited.contains("sleep infinity") && exited.contains("image's own"),
            "{exited}"
        );
        snapshot.entrypoint = Some(vec!["python".to_owned(), "main.py".to_owned()]);
        let exited = hint_of("sandbox exited with code 1, reason: ", &snapshot);
        assert!(exited.contains("`python main.py`"), "{exited}");
        assert!(hint_of("timeout waiting for daemon to start", &snapshot).contains("/bin/sh"));
        assert!(hint_of("manifest unknown", &snapshot).contains("create the snapshot again"));
        for reason in [
            "something new",
            "exec: \"python\": executable file not found in $PATH",
            "sh: 1: server: not found",
        ] {
            let hint = hint_of(reason, &snapshot);
            assert!(
                hint.contains("/bin/sh") && hint.contains("entrypoint"),
                "{reason}: {hint}"
            );
        }
    }
}
