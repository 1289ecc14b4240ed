//! Waits for a snapshot that is being made, and creates it again if its failure says nothing about its definition.

use std::time::Duration;

use daytona_api::{GetAllSnapshots, Snapshot, SnapshotId};

use super::submission::{Accepted, Submission};
use super::upload::Upload;
use crate::error::Error;
use crate::snapshots::calls::list;
use crate::snapshots::events::event::Event;
use crate::snapshots::watch::outcome::{Outcome, Remedy};
use crate::snapshots::watch::poll::Looks;
use crate::snapshots::watch::scope::Scope;
use crate::snapshots::watch::{active, change};

/// How often a snapshot is created again by default. With pauses of up to a minute this lasts longer than most builds.
pub(crate) const MOST_RECREATIONS: u32 = 100;

/// The longest pause before a snapshot is created again the first time. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// A snapshot that is being made, with everything that is needed to create it again.
pub(crate) struct Making {
    pub(crate) scope: Scope,
    pub(crate) submission: Submission,
    recreations_left: u32,
    has_uploaded_again: bool,
    pause: Duration,
}

impl Making {
    pub(crate) fn new(scope: Scope, submission: Submission, recreations: u32) -> Self {
        Self {
            scope,
            submission,
            recreations_left: recreations,
            has_uploaded_again: false,
            pause: FIRST_PAUSE,
        }
    }

    /// Waits until the accepted snapshot is active, and creates it again if that helps.
    ///
    /// Deletes only what this call has created. If an adopted snapshot fails, its failure is the outcome.
    pub(crate) async fn until_active(&mut self, mut accepted: Accepted) -> Result<Snapshot, Error> {
        loop {
            let id = accepted.snapshot.id.clone();
            let error = match active::until_active_since(&self.scope, accepted.snapshot, accepted.at).await {
                Ok(active) => return Ok(active),
                Err(error) => error,
            };
            let remedy = Remedy::of(&error).filter(|remedy| accepted.is_own && self.may_help(*remedy));
            let Some(remedy) = remedy else { return Err(error) };
            let deadline = self.scope.deadline.clone();
            accepted = match deadline.enforce(self.recreate(&id, remedy, &error)).await {
                Ok(Some(accepted)) => accepted,
                // This call may not delete it.
                Ok(None) => return Err(error),
                Err(error) => return Err(deadline.with_seen(self.submission.settle_late(error).await)),
            };
        }
    }

    fn may_help(&self, remedy: Remedy) -> bool {
        self.recreations_left > 0
            && match remedy {
                Remedy::UploadAgain => self.submission.has_skipped() && !self.has_uploaded_again,
                Remedy::AfterTwin => true,
            }
    }

    /// Deletes the failed snapshot and creates it again. None if it cannot be deleted.
    async fn recreate(&mut self, id: &SnapshotId, remedy: Remedy, error: &Error) -> Result<Option<Accepted>, Error> {
        let Scope { client, deadline, sink } = &self.scope;
        if Looks::new(&self.scope)
            .next(|| change::remove(client, id))
            .await
            .is_err()
        {
            return Ok(None);
        }
        let reason = error.reason().unwrap_or_default();
        deadline.note_deleted(self.submission.name(), reason);
        sink.put(Event::Recreated {
            reason: reason.to_owned(),
        });
        sink.clear_tail();
        self.recreations_left -= 1;
        match remedy {
            Remedy::UploadAgain => {
                self.has_uploaded_again = true;
                self.submission.upload(Upload::everything()).await?;
            }
            Remedy::AfterTwin => {
                change::until_gone(&self.scope, id).await?;
                deadline.note_deleted(self.submission.name(), reason);
                until_no_twin(&self.scope, &self.submission, id).await?;
                // Builds and pulls that cannot be seen block this one too: those of other organizations and of deleted
                // snapshots.
                let clock = client.clock();
                clock.sleep(self.pause.mul_f64(clock.jitter())).await;
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            }
        }
        change::until_gone(&self.scope, id).await?;
        // The looks at the old snapshot have noted it.
        self.scope.deadline.note_deleted(self.submission.name(), reason);
        let accepted = self.submission.post().await;
        accepted.map(Some).map_err(|error| {
            let name = self.submission.name();
            error.after(&format!(
                "snapshot `{name}` had failed ({reason}) and was deleted; creating it again failed"
            ))
        })
    }
}

/// Waits until no visible snapshot of the same definition is being made.
async fn until_no_twin(scope: &Scope, submission: &Submission, id: &SnapshotId) -> Result<(), Error> {
    let is_twin = |other: &Snapshot| {
        other.id != *id && Outcome::of(&other.state) == Outcome::Progress && submission.is_same_build(other)
    };
    let mut looks = Looks::new(scope);
    loop {
        let others = looks.next(|| list::all(&scope.client, GetAllSnapshots::new())).await?;
        let Some(twin) = others.into_iter().find(is_twin) else {
            return Ok(());
        };
        scope.sink.put_retry(format!(
            "snapshot `{}` of the same definition is {}: waiting until it is made",
            twin.name, twin.state
        ));
        while looks.at(&twin.id).await?.is_some_and(|now| is_twin(&now)) {}
    }
}
