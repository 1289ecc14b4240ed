//! A snapshot of a sandbox.

use daytona_api::{
    CreateSandboxSnapshot, GetSandbox, GetSnapshot, Sandbox, SandboxCapture, SandboxClass, SandboxState, Snapshot,
};
use jiff::Timestamp;

use crate::api_client::{ApiClient, LAG};
use crate::error::{Error, ErrorKind, SnapshotInfo};
use crate::snapshots::boot::permissions;
use crate::snapshots::calls::wait::done;
use crate::snapshots::watch::active;
use crate::snapshots::watch::poll::Looks;
use crate::snapshots::watch::scope::Scope;

/// Makes a snapshot of a sandbox, and waits until it is active.
pub(crate) async fn capture(scope: Scope, sandbox: String, name: String) -> Result<Snapshot, Error> {
    check_name(&name)?;
    permissions::check(&scope, &[permissions::of::<CreateSandboxSnapshot>()]).await?;
    let client = &scope.client;
    let found = client
        .call_with(&GetSandbox::new(&sandbox), |error| scope.sink.put_retry(error))
        .await?;
    check_sandbox(&found)?;
    if let Some(taken) = Looks::new(&scope)
        .next(|| named(client, &name, found.organization_id.as_deref()))
        .await?
    {
        let message = format!("the name `{name}` is taken: the server would make no snapshot, and report no error");
        return Err(Error::new(ErrorKind::AlreadyExists, message)
            .with_snapshot(SnapshotInfo::of(&taken))
            .with_hint("choose another name, or delete the existing one"));
    }
    let capture = Capture {
        scope: &scope,
        // The server tells whole seconds.
        since: client.heard().date(),
        sandbox: found,
        name,
    };
    let made = capture.make().await?;
    done(&scope, active::until_active(&scope, made).await)
}

/// Refuses names that the server takes here and nowhere else, so that nobody could use or replace the snapshot.
fn check_name(name: &str) -> Result<(), Error> {
    let is_part = |part: &str| {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
        !part.is_empty() && part.bytes().all(valid) && !matches!(part, "." | "..")
    };
    let (parts, digest) = name
        .split_once("@sha256:")
        .map_or((name, None), |(parts, digest)| (parts, Some(digest)));
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if parts.split('/').all(is_part) && digest.is_none_or(is_digest) {
        return Ok(());
    }
    let message = format!(
        "`{name}` is not a name for a snapshot: use letters, digits, `_`, `.`, `:` and `-`, with single slashes between its \
         parts; it may end with a digest, `@sha256:…`"
    );
    Err(Error::new(ErrorKind::InvalidRequest, message))
}

/// Refuses a sandbox that cannot be captured now.
fn check_sandbox(sandbox: &Sandbox) -> Result<(), Error> {
    let Sandbox { name, state, .. } = sandbox;
    match &sandbox.sandbox_class {
        None | Some(SandboxClass::Container) => {}
        Some(class) => {
            let message =
                format!("sandbox `{name}` is of the class `{class}`, whose captures this version cannot follow");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
    }
    match state {
        SandboxState::Started | SandboxState::Stopped => Ok(()),
        SandboxState::Creating | SandboxState::Starting | SandboxState::Stopping | SandboxState::Snapshotting => {
            let message = format!("sandbox `{name}` is {state}: wait until it is started or stopped");
            Err(Error::new(ErrorKind::Busy, message))
        }
        _ => {
            let message = format!("sandbox `{name}` is {state}: it must be started or stopped");
            Err(Error::new(ErrorKind::Rejected, message))
        }
    }
}

/// The snapshot of this name; none if there is none.
async fn named(client: &ApiClient, name: &str, organization: Option<&str>) -> Result<Option<Snapshot>, Error> {
    match client.call_once(&GetSnapshot::new(name), 0).await {
        // One of everybody's does not keep the organization from having its own of that name.
        Ok(found) => {
            let is_elsewhere = found.general == Some(true) && found.organization_id.as_deref() != organization;
            Ok((found.name == name && !is_elsewhere).then_some(found))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

struct Capture<'a> {
    scope: &'a Scope,
    sandbox: Sandbox,
    name: String,
    /// The server's time before the request.
    since: Option<Timestamp>,
}

impl Capture<'_> {
    /// Requests the snapshot, and waits until it is there. The server shows the end of a capture only in the sandbox,
    /// which returns to its state whether there is a snapshot or not.
    async fn make(&self) -> Result<Snapshot, Error> {
        self.note(&SandboxState::Snapshotting);
        let body = SandboxCapture::new(&self.name);
        let request = CreateSandboxSnapshot::new(&self.sandbox.id, body);
        let lost = match self.scope.request(&request).await {
            Ok(_) => None,
            Err(error) if error.proves_nothing_was_done() => return Err(error),
            // It may be under way: the sandbox tells.
            Err(error) => Some(error),
        };
        self.until_back().await?;
        self.look_for_it(lost).await
    }

    fn note(&self, state: &SandboxState) {
        self.scope.deadline.note_sandbox(&self.sandbox.name, state, None);
    }

    /// Waits until the sandbox is no longer being captured. Returns whether a capture was seen.
    async fn until_back(&self) -> Result<bool, Error> {
        let client = &self.scope.client;
        let request = GetSandbox::new(&self.sandbox.id);
        let mut looks = Looks::new(self.scope);
        let mut was_seen = false;
        loop {
            match looks.next(|| client.call_once(&request, 0)).await {
                Ok(found) if found.state == SandboxState::Snapshotting => {
                    was_seen = true;
                    self.note(&found.state);
                }
                Ok(found) => {
                    self.note(&found.state);
                    return Ok(was_seen);
                }
                // Its snapshot may be there all the same.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(was_seen),
                Err(error) => return Err(error),
            }
        }
    }

    /// The snapshot that this capture has made. Reads may show it a little later than the sandbox's state.
    async fn look_for_it(&self, lost: Option<Error>) -> Result<Snapshot, Error> {
        let client = &self.scope.client;
        let clock = client.clock();
        let mut since = clock.now();
        let mut looks = Looks::new(self.scope);
        loop {
            match looks
                .next(|| named(client, &self.name, self.sandbox.organization_id.as_deref()))
                .await?
            {
                Some(found) if self.is_ours(&found) => return Ok(found),
                Some(other) => {
                    let message = format!(
                        "somebody else has made a snapshot `{}` meanwhile: the snapshot of sandbox `{}` is lost",
                        self.name, self.sandbox.name
                    );
                    return Err(Error::new(ErrorKind::AlreadyExists, message).with_snapshot(SnapshotInfo::of(&other)));
                }
                None if clock.now().saturating_sub(since) < LAG => {}
                // It may have begun after the first look, which then saw an older state.
                None if self.until_back().await? => since = clock.now(),
                None => break,
            }
        }
        Err(lost.unwrap_or_else(|| self.failed()))
    }

    /// Whether this capture has made the snapshot of that name: it has no image and no build, it is not older than the
    /// request, and it has what it inherits from the sandbox. If two equal sandboxes are captured at once, nothing
    /// tells which of them it came from.
    fn is_ours(&self, found: &Snapshot) -> bool {
        if let Some(source) = &found.source_sandbox_id {
            return *source == self.sandbox.id;
        }
        let is_captured = found.image_name.as_deref().unwrap_or_default().is_empty() && found.build_info.is_none();
        let is_old = match (found.created_at, self.since) {
            (Some(created), Some(since)) => created.as_second() < since.as_second(),
            _ => false,
        };
        is_captured && !is_old && self.may_have_left(found)
    }

    /// Whether the snapshot has the resources and the region of the sandbox, as far as both are known.
    fn may_have_left(&self, found: &Snapshot) -> bool {
        fn differ<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
            one.zip(other).is_some_and(|(one, other)| one != other)
        }
        let sandbox = &self.sandbox;
        let is_elsewhere = match (&found.region_ids, &sandbox.target) {
            (Some(regions), Some(target)) => !regions.is_empty() && !regions.contains(target),
            _ => false,
        };
        !(is_elsewhere
            || differ(found.cpu, sandbox.cpu)
            || differ(found.gpu, sandbox.gpu)
            || differ(found.mem, sandbox.memory)
            || differ(found.disk, sandbox.disk))
    }

    fn failed(&self) -> Error {
        let message = format!(
            "no snapshot `{}` was made of sandbox `{}`, which is no longer being captured: the server gives no reason",
            self.name, self.sandbox.name
        );
        Error::new(ErrorKind::BuildFailed, message)
            .with_hint("check the quota of snapshots and the disk of the sandbox's runner, then try again")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_means_are_refused() {
        let pinned = format!("web@sha256:{}", "0a".repeat(32));
        for name in ["a", "web:1", "team/app:1.0", "a_b-c.d", &pinned] {
            check_name(name).unwrap();
        }
        for name in [
            "",
            " ",
            ".",
            "a/..",
            "my snap",
            "a/",
            "/a",
            "a//b",
            "a\n",
            "ä",
            "<b>",
            "https://x",
            "a@b",
            "a@sha256:0a",
        ] {
            assert_eq!(
                check_name(name).unwrap_err().kind(),
                ErrorKind::InvalidRequest,
                "{name}"
            );
        }
    }
}
