//! Proves that a snapshot starts.

use daytona_api::{GetSnapshot, Snapshot};

use crate::error::{Error, ErrorKind, SnapshotInfo};
use crate::snapshots::boot::start;
use crate::snapshots::reference::SnapshotRef;
use crate::snapshots::watch::outcome::{self, Outcome};
use crate::snapshots::watch::scope::Scope;

/// Verifies a snapshot, and returns it.
pub(crate) async fn verify(scope: Scope, snapshot: SnapshotRef) -> Result<Snapshot, Error> {
    start::check_permissions(&scope).await?;
    let request = GetSnapshot::new(snapshot.as_str());
    let found = scope.request(&request).await?;
    let found = snapshot.check(found)?;
    match Outcome::of(&found.state) {
        Outcome::Ready => {}
        Outcome::Failed => return Err(outcome::failed(&found)),
        Outcome::Gone => return Err(outcome::gone(&found, false)),
        Outcome::Progress => {
            let message = format!("snapshot `{}` is {}: wait until it is active", found.name, found.state);
            return Err(Error::new(ErrorKind::Rejected, message).with_snapshot(SnapshotInfo::of(&found)));
        }
    }
    start::prove(&scope, &found, scope.deadline.remaining()).await?;
    Ok(found)
}

/// Verifies a snapshot that was just created or found, before the deadline of its call.
pub(crate) async fn made(scope: &Scope, made: Result<Snapshot, Error>) -> Result<Snapshot, Error> {
    let snapshot = made?;
    // Boxed, because it is a part of every creation. It has a limit of its own, because a build may take hours but a
    // start minutes.
    let limit = scope
        .deadline
        .remaining()
        .map_or(start::LIMIT, |left| left.min(start::LIMIT));
    let proof = scope
        .deadline
        .enforce(Box::pin(start::prove(scope, &snapshot, Some(limit))));
    tokio::select! {
        biased;
        proved = proof => proved.map_err(|error| unfinished(error, &snapshot))?,
        () = scope.client.clock().sleep(start::LIMIT) => {
            let message = format!(
                "snapshot `{}` is active, but its sandbox had not started after {:?}",
                snapshot.name,
                start::LIMIT
            );
            return Err(Error::new(ErrorKind::WaitTimeout, message).with_snapshot(SnapshotInfo::of(&snapshot)));
        }
    }
    Ok(snapshot)
}

/// Says what was not finished, if the deadline of the call has passed.
fn unfinished(error: Error, snapshot: &Snapshot) -> Error {
    let (ErrorKind::WaitTimeout, Some(elapsed)) = (error.kind(), error.elapsed()) else {
        return error;
    };
    let message = format!(
        "snapshot `{}` is active, but was not verified within {elapsed:.0?}: call `verify` with its id",
        snapshot.name
    );
    Error::new(ErrorKind::WaitTimeout, message)
        .with_elapsed(elapsed)
        .with_snapshot(SnapshotInfo::of(snapshot))
        .with_source(error)
}
