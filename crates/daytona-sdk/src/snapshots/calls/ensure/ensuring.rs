//! The turns of an `ensure`: looks at what is there under the name, and does what is needed.

use std::time::Duration;

use daytona_api::{Snapshot, SnapshotId, SnapshotState};

use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind, SnapshotInfo};
use crate::snapshots::boot::start;
use crate::snapshots::build::making::Making;
use crate::snapshots::build::params::CreateSnapshotParams;
use crate::snapshots::build::submission::{Accepted, Next, Submission};
use crate::snapshots::build::upload::Upload;
use crate::snapshots::calls::lifecycle::activate;
use crate::snapshots::calls::verify;
use crate::snapshots::calls::wait::done;
use crate::snapshots::events::event::Event;
use crate::snapshots::watch::outcome::{self, Outcome, Remedy};
use crate::snapshots::watch::poll::Looks;
use crate::snapshots::watch::scope::Scope;
use crate::snapshots::watch::{active, change};
use crate::trace;

/// How long `ensure` waits for a name that something invisible has taken. A removal takes about ten seconds, and reads
/// may be half a minute late.
const INVISIBLE_LIMIT: Duration = Duration::from_mins(5);

/// How long `ensure` leaves alone somebody else's snapshot that failed because another build of the definition was
/// running. Its owner deletes it within seconds, to create it again.
const ABANDONED_LIMIT: Duration = Duration::from_mins(1);

/// How long `ensure` leaves alone what somebody else has just made. Their call looks every two seconds, or later if the
/// server asks for that, and may want to start a sandbox of it.
const HANDOVER: Duration = Duration::from_mins(1);

/// Carries it out.
pub(super) async fn ensure(
    scope: Scope,
    params: CreateSnapshotParams,
    may_replace: bool,
    recreations: u32,
    is_verified: bool,
) -> Result<Snapshot, Error> {
    let span = trace::whole("ensure", params.name());
    let ensuring = async {
        if is_verified {
            scope
                .deadline
                .enforce(start::check_permissions_to_create(&scope))
                .await?;
        }
        let preparing = async {
            let (mut submission, _) = Submission::prepare(&scope, params, Next::Compare).await?;
            submission.complete_name().await?;
            Ok(submission)
        };
        let submission = scope.deadline.enforce(preparing).await?;
        let mut ensuring = Ensuring {
            making: Making::new(scope.clone(), submission, recreations),
            may_replace,
            failure: None,
            invisible_since: None,
            abandoned: None,
            awaited: None,
            failed_before: None,
        };
        let mut made = Box::pin(ensuring.run()).await;
        if is_verified {
            made = verify::made(&scope, made).await;
        }
        done(&scope, made)
    };
    trace::within(&span, Box::pin(ensuring)).await
}

struct Ensuring {
    making: Making,
    may_replace: bool,
    /// How somebody else's snapshot ended that this call waited for, with the last lines of its log.
    failure: Option<Error>,
    /// Since when something invisible has had the name.
    invisible_since: Option<Duration>,
    /// Somebody else's snapshot that failed because another build was running, and since when.
    abandoned: Option<(SnapshotId, Duration)>,
    /// A snapshot of another definition that is replaced once it is made.
    awaited: Option<Awaited>,
    /// A snapshot that had failed before this call.
    failed_before: Option<Snapshot>,
}

/// A snapshot that somebody else is making.
struct Awaited {
    id: SnapshotId,
    made_since: Option<Duration>,
}

/// The result of one turn.
enum Turn {
    /// The snapshot is active.
    Done(Snapshot),
    /// Somebody else is making it. This is its last known state.
    InProgress(Snapshot),
    /// The server has accepted it from this call.
    Accepted(Accepted),
    /// The snapshot has gone or changed, or is about to.
    Again,
}

impl Ensuring {
    /// Takes turn after turn, until the snapshot is active or it is certain that it will not be. Every answer that
    /// shows a change by somebody else leads to another turn.
    async fn run(&mut self) -> Result<Snapshot, Error> {
        let scope = self.making.scope.clone();
        let mut looks: Option<Looks<'_>> = None;
        loop {
            let turn = async {
                let submission = &self.making.submission;
                let found = match &mut looks {
                    // Nothing is under way yet. So a server that cannot be reached is an error soon, as for any request.
                    None => submission.find().await?,
                    Some(looks) => looks.next(|| submission.find_once()).await?,
                };
                looks.get_or_insert_with(|| Looks::after_a_look(&scope, scope.client.clock().now()));
                self.turn(found).await
            };
            let turn = match scope.deadline.enforce(Box::pin(turn)).await {
                Ok(turn) => turn,
                Err(error) => return Err(self.last_word(error).await),
            };
            let outcome = match turn {
                Turn::Done(snapshot) => return Ok(snapshot),
                Turn::Accepted(accepted) => self.making.until_active(accepted).await,
                Turn::InProgress(found) => match active::until_active(&scope, found).await {
                    // The rules for an existing snapshot apply to it.
                    Err(error) if error.kind() == ErrorKind::BuildFailed => {
                        self.failure = Some(error);
                        scope.sink.clear_tail();
                        continue;
                    }
                    outcome => outcome,
                },
                Turn::Again => continue,
            };
            match outcome {
                Err(error) if has_moved(&error) => self.note_moved(error)?,
                outcome => return outcome,
            }
        }
    }

    /// The error of the last turn, with as many details as possible.
    async fn last_word(&mut self, error: Error) -> Error {
        match self.failure.take() {
            // It is the same failure, now with the last lines of its log.
            Some(seen) if error.kind() == ErrorKind::BuildFailed && seen.snapshot() == error.snapshot() => seen,
            _ => {
                let scope = self.making.scope.clone();
                let error = match self.failed_before.take() {
                    Some(found) if error.kind() == ErrorKind::BuildFailed => {
                        active::with_earlier_log(&scope, error, found).await
                    }
                    _ => error,
                };
                let error = self.making.submission.settle_late(error).await;
                scope.deadline.with_seen(error)
            }
        }
    }

    /// Notes that somebody else was faster. There is no limit on how often this may happen, but there is one on how
    /// long an invisible snapshot may have the name.
    fn note_moved(&mut self, error: Error) -> Result<(), Error> {
        let scope = &self.making.scope;
        if error.kind() != ErrorKind::NameReserved {
            self.invisible_since = None;
        } else if has_passed(&mut self.invisible_since, INVISIBLE_LIMIT, &scope.client) {
            return Err(error);
        }
        if let Some(snapshot) = error.snapshot() {
            scope.deadline.note_known(snapshot.clone());
        }
        scope.sink.put_retry(&error);
        Ok(())
    }

    /// Looks at the existing snapshot, and does what is needed.
    async fn turn(&mut self, found: Option<Snapshot>) -> Result<Turn, Error> {
        let Some(found) = found else {
            self.making.scope.deadline.note_nothing();
            return self.create().await;
        };
        let state = Outcome::of(&found.state);
        // A general snapshot does not keep the organization from having its own of that name.
        if found.general == Some(true)
            && !(state == Outcome::Ready && self.making.submission.is_same_definition(&found).await?)
        {
            return self.create().await;
        }
        self.making.scope.deadline.note(&found);
        if found.state == SnapshotState::Removing {
            change::while_removing(&self.making.scope, &found.id).await?;
            return Ok(Turn::Again);
        }
        if state != Outcome::Progress && self.is_just_made(&found) {
            return Ok(Turn::Again);
        }
        if state == Outcome::Failed {
            return self.failed(found).await;
        }
        let differences = self.making.submission.differences(&found).await?;
        if !differences.is_empty() {
            if !self.may_replace {
                return Err(mismatch(&found, &differences));
            }
            if state == Outcome::Progress {
                // Nobody knows whether an unknown state ends.
                if matches!(found.state, SnapshotState::Unknown(_)) {
                    return Err(mismatch(&found, &differences));
                }
                self.making.scope.deadline.note_foreign(&found);
                self.note_waiting(&found);
                return Ok(Turn::Again);
            }
            return self.replace(&found).await;
        }
        let client = self.making.scope.client.clone();
        match state {
            Outcome::Ready => Ok(Turn::Done(found)),
            Outcome::Progress => {
                self.adopt(&found);
                Ok(Turn::InProgress(found))
            }
            _ => match activate(client, found.id.clone()).await {
                Ok(activated) => Ok(Turn::InProgress(activated)),
                // Somebody else was faster.
                Err(error) if matches!(error.kind(), ErrorKind::AlreadyActive | ErrorKind::NotFound) => Ok(Turn::Again),
                Err(error) if error.kind() == ErrorKind::Rejected && is_state_refusal(&error) => Ok(Turn::Again),
                Err(error) => Err(error.with_snapshot(SnapshotInfo::of(&found))),
            },
        }
    }

    /// Reports that this call waits for a snapshot that somebody else is making.
    fn adopt(&self, found: &Snapshot) {
        self.making.scope.sink.put(Event::Adopted {
            id: found.id.clone(),
            name: found.name.clone(),
            reason: format!("it has the same definition, but {}", found.state),
        });
    }

    /// Reports that this call waits until a snapshot of another definition is made, to replace it then. To delete it now
    /// would fail a call of somebody else.
    fn note_waiting(&mut self, found: &Snapshot) {
        if self.awaited.as_ref().is_some_and(|awaited| awaited.id == found.id) {
            return;
        }
        self.awaited = Some(Awaited {
            id: found.id.clone(),
            made_since: None,
        });
        let Snapshot { name, state, .. } = found;
        let reason = format!("snapshot `{name}` is {state} with another definition: it is replaced once it is made");
        self.making.scope.sink.put_retry(reason);
    }

    /// Whether those who made the awaited snapshot may not have seen yet that it is made.
    fn is_just_made(&mut self, found: &Snapshot) -> bool {
        let awaited = self.awaited.as_mut().filter(|awaited| awaited.id == found.id);
        awaited.is_some_and(|awaited| !has_passed(&mut awaited.made_since, HANDOVER, &self.making.scope.client))
    }

    /// What to do about a failed snapshot.
    async fn failed(&mut self, found: Snapshot) -> Result<Turn, Error> {
        if self.may_replace {
            return self.replace(&found).await;
        }
        let error = outcome::failed(&found);
        // Its build only ran at a bad time, which says nothing about the definition. Its owner will create it again.
        let is_twin =
            Remedy::of(&error) == Some(Remedy::AfterTwin) && self.making.submission.is_same_definition(&found).await?;
        if !is_twin {
            let was_awaited = self
                .failure
                .as_ref()
                .and_then(Error::snapshot)
                .is_some_and(|seen| seen.id == found.id);
            if was_awaited {
                return Err(error);
            }
            self.failed_before = Some(found);
            return Err(error.with_hint("it failed before this call: with `.replace()`, `ensure` builds it again"));
        }
        let now = self.making.scope.client.clock().now();
        let since = match &self.abandoned {
            Some((id, since)) if *id == found.id => *since,
            _ => now,
        };
        self.abandoned = Some((found.id, since));
        if now.saturating_sub(since) <= ABANDONED_LIMIT {
            return Ok(Turn::Again);
        }
        Err(error.with_hint(
            "the server was already building or pulling the same definition, and this snapshot's owner has not created it again: let `ensure` replace it",
        ))
    }

    async fn create(&mut self) -> Result<Turn, Error> {
        let submission = &mut self.making.submission;
        let created = match submission.upload(Upload::missing(None)).await {
            Ok(()) => submission.post().await,
            Err(error) => return Err(error),
        };
        match created {
            Ok(accepted) => Ok(Turn::Accepted(accepted)),
            Err(error) if has_moved(&error) => {
                self.note_moved(error)?;
                Ok(Turn::Again)
            }
            Err(error) => Err(error),
        }
    }

    async fn replace(&mut self, found: &Snapshot) -> Result<Turn, Error> {
        let scope = &self.making.scope;
        change::remove(&scope.client, &found.id)
            .await
            .map_err(|error| error.with_snapshot(SnapshotInfo::of(found)))?;
        scope.sink.put(Event::Recreated {
            reason: format!("snapshot {} is replaced", found.id),
        });
        scope.sink.clear_tail();
        change::until_gone(scope, &found.id).await?;
        scope.deadline.note_deleted(&found.name, "it was due to be replaced");
        self.create().await
    }
}

/// Whether the error only says that somebody else has changed the snapshot.
fn has_moved(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Gone | ErrorKind::AlreadyExists | ErrorKind::NameReserved
    )
}

/// Whether something has lasted longer than the limit. It begins with the first call.
fn has_passed(since: &mut Option<Duration>, limit: Duration, client: &ApiClient) -> bool {
    let now = client.clock().now();
    now.saturating_sub(*since.get_or_insert(now)) > limit
}

/// Whether an activation was refused because somebody else has changed the state meanwhile.
fn is_state_refusal(error: &Error) -> bool {
    error
        .server_message()
        .is_some_and(|text| text.contains("cannot be activated"))
}

fn mismatch(found: &Snapshot, differences: &[String]) -> Error {
    let message = format!(
        "snapshot `{}` exists, but differs from the request: {}; choose another name, or let `ensure` replace it",
        found.name,
        differences.join("; ")
    );
    Error::new(ErrorKind::DefinitionMismatch, message).with_snapshot(SnapshotInfo::of(found))
}
