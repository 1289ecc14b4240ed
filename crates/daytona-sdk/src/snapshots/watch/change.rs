//! Changes that the server acknowledges and carries out later. They are requested until they are seen.
//!
//! If the server is working on the snapshot, it may undo or ignore an acknowledged deletion or deactivation. So the
//! snapshot is looked at until the change is there, and the change is requested again as long as it is not.

use std::time::Duration;

use daytona_api::{DeactivateSnapshot, GetSnapshot, RemoveSnapshot, Snapshot, SnapshotId, SnapshotState};

use super::poll::Looks;
use super::scope::Scope;
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind};

/// The first pause before a change is requested again. It doubles with each repetition.
const FIRST_REPETITION: Duration = Duration::from_secs(2);
const LONGEST_REPETITION: Duration = Duration::from_mins(1);

/// How long a deactivation of a snapshot that is being made may still be undone. The server's periodic task runs every
/// ten seconds, and may write an older state.
const UNDOING: Duration = Duration::from_secs(12);

/// The result of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// The server says that the snapshot is marked for removal.
    Marked,
    /// The snapshot is gone.
    Gone,
}

/// Marks a known snapshot for removal. If it is gone, that is fine too.
pub(crate) async fn remove(client: &ApiClient, id: &SnapshotId) -> Result<Removal, Error> {
    match delete(client, id).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Removal::Gone),
        outcome => outcome,
    }
}

/// Marks a snapshot for removal. If the answer is lost, a look settles it.
///
/// # Errors
///
/// Kind `NotFound` if there was no such snapshot, unless an earlier request of this call has removed it and its answer
/// was lost.
pub(crate) async fn delete(client: &ApiClient, id: &SnapshotId) -> Result<Removal, Error> {
    let error = match client.call(&RemoveSnapshot::new(id.as_str())).await {
        Ok(()) => return Ok(Removal::Marked),
        Err(error) if error.kind() == ErrorKind::NotFound && error.attempts() > 1 => return Ok(Removal::Gone),
        Err(error) => error,
    };
    if !may_have_been_done(&error) {
        return Err(error);
    }
    match current(client, id).await {
        Ok(None) => Ok(Removal::Gone),
        Ok(Some(found)) if found.state == SnapshotState::Removing => Ok(Removal::Marked),
        // The lost answer says more than the failed look.
        Ok(Some(_)) | Err(_) => Err(error),
    }
}

/// Whether the server may have carried out the request, although the answer says otherwise or was lost.
pub(crate) fn may_have_been_done(error: &Error) -> bool {
    // A conflict means that somebody else changed or removed the snapshot at the same moment.
    !error.proves_nothing_was_done() || error.kind() == ErrorKind::AlreadyExists
}

/// The current snapshot, or none.
pub(crate) async fn current(client: &ApiClient, id: &SnapshotId) -> Result<Option<Snapshot>, Error> {
    match client.call(&GetSnapshot::new(id.as_str())).await {
        // A name can look like an id.
        Ok(found) => Ok((found.id == *id).then_some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Waits until no snapshot has this id any more. It was marked for removal.
pub(crate) async fn until_gone(scope: &Scope, id: &SnapshotId) -> Result<(), Error> {
    let mut looks = Looks::after_a_look(scope, scope.client.clock().now());
    let mut repetition = Repetition::new(&scope.client);
    let mut was_seen = false;
    loop {
        let Some(found) = looks.at_own(id).await? else {
            if is_certainly_gone(scope, id, was_seen).await? {
                break;
            }
            continue;
        };
        was_seen = true;
        if found.state != SnapshotState::Removing && repetition.is_due() {
            let reason = format!(
                "snapshot {id} is {} although it was deleted: deleting it again",
                found.state
            );
            scope.sink.put_retry(reason);
            if repeated(remove(&scope.client, id).await)? == Some(Removal::Gone) {
                break;
            }
        }
    }
    Ok(())
}

/// Whether an invisible snapshot is gone, and not only not visible yet. A deletion request tells, because writes do not
/// lag behind.
async fn is_certainly_gone(scope: &Scope, id: &SnapshotId, was_seen: bool) -> Result<bool, Error> {
    if was_seen || !scope.client.has_just_made(id) {
        return Ok(true);
    }
    Ok(repeated(remove(&scope.client, id).await)? == Some(Removal::Gone))
}

/// Waits while somebody else's snapshot is being removed. It may come back.
pub(crate) async fn while_removing(scope: &Scope, id: &SnapshotId) -> Result<(), Error> {
    let mut looks = Looks::after_a_look(scope, scope.client.clock().now());
    while looks
        .at_own(id)
        .await?
        .is_some_and(|found| found.state == SnapshotState::Removing)
    {}
    Ok(())
}

/// Waits until the deleted snapshot is being removed or is gone.
pub(crate) async fn until_going(scope: &Scope, id: &SnapshotId) -> Result<(), Error> {
    let mut looks = Looks::new(scope);
    let mut repetition = Repetition::new(&scope.client);
    let mut was_seen = false;
    loop {
        let Some(found) = looks.at_own(id).await? else {
            if is_certainly_gone(scope, id, was_seen).await? {
                break;
            }
            continue;
        };
        was_seen = true;
        if found.state == SnapshotState::Removing {
            break;
        }
        if repetition.is_due() {
            let reason = format!(
                "snapshot {id} is {} although it was deleted: deleting it again",
                found.state
            );
            scope.sink.put_retry(reason);
            repeated(remove(&scope.client, id).await)?;
        }
    }
    Ok(())
}

/// Waits until the deactivated snapshot is inactive. If it was being made before (`was_under_way`), it must stay
/// inactive for a while before that counts.
pub(crate) async fn until_inactive(scope: &Scope, id: &SnapshotId, was_under_way: bool) -> Result<Snapshot, Error> {
    let mut looks = Looks::new(scope);
    let mut repetition = Repetition::new(&scope.client);
    let mut inactive_since = None;
    loop {
        let Some(found) = looks.at_own(id).await? else {
            let message = format!("snapshot {id} was deleted while it was deactivated");
            return Err(Error::new(ErrorKind::Gone, message));
        };
        match found.state {
            SnapshotState::Inactive => {
                let now = scope.client.clock().now();
                let since = *inactive_since.get_or_insert(now);
                if !was_under_way || now.saturating_sub(since) >= UNDOING {
                    return Ok(found);
                }
                continue;
            }
            // Somebody else is deleting it. A deactivation would bring it back.
            SnapshotState::Removing => {
                let message = format!("snapshot {id} is being removed: it was not deactivated");
                return Err(Error::new(ErrorKind::Gone, message));
            }
            _ if repetition.is_due() => {
                let reason = format!(
                    "snapshot {id} is {} although it was deactivated: deactivating it again",
                    found.state
                );
                scope.sink.put_retry(reason);
                repeated(scope.client.call(&DeactivateSnapshot::new(id.as_str())).await)?;
            }
            _ => {}
        }
        inactive_since = None;
    }
}

/// The result of a repeated request, or none if the next look will tell.
fn repeated<T>(outcome: Result<T, Error>) -> Result<Option<T>, Error> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_passing() || may_have_been_done(&error) || error.kind() == ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The growing pause between requests for the same change.
struct Repetition<'a> {
    client: &'a ApiClient,
    interval: Duration,
    due: Duration,
}

impl<'a> Repetition<'a> {
    fn new(client: &'a ApiClient) -> Self {
        Self {
            client,
            interval: FIRST_REPETITION,
            due: client.clock().now() + FIRST_REPETITION,
        }
    }

    /// Whether it is time to request again. If so, counts it as requested.
    fn is_due(&mut self) -> bool {
        let now = self.client.clock().now();
        let is_due = now >= self.due;
        if is_due {
            self.interval = (self.interval * 2).min(LONGEST_REPETITION);
            self.due = now + self.interval;
        }
        is_due
    }
}
