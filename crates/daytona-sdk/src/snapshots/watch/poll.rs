//! The only loop that waits: look, judge, wait, until the judgement is final or the deadline has passed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use daytona_api::{GetSnapshot, Snapshot, SnapshotId};
use tokio::sync::Notify;

use super::pace::Pace;
use super::scope::Scope;
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind};

/// A wait gives up after this many answers in a row that are not the API's.
const MOST_ODD_ANSWERS: u32 = 10;

/// Looks at something again and again.
///
/// A look that fails temporarily (no connection, 429, 5xx, a page of a gateway) says nothing about what is looked at.
/// It is reported as an event, and followed by another look. A look that fails permanently, for example because the key
/// has expired, ends the wait.
#[derive(Debug)]
pub(crate) struct Looks<'a> {
    scope: &'a Scope,
    pace: Pace,
    reason: Option<Arc<Notify>>,
    odd_answers: u32,
}

impl<'a> Looks<'a> {
    /// The first look happens at once.
    pub(crate) fn new(scope: &'a Scope) -> Self {
        Self::with_pace(scope, Pace::new(&scope.client))
    }

    /// The first look is an interval after this time, when its result was last seen.
    pub(crate) fn after_a_look(scope: &'a Scope, at: Duration) -> Self {
        Self::with_pace(scope, Pace::after_a_look(&scope.client, at))
    }

    fn with_pace(scope: &'a Scope, pace: Pace) -> Self {
        Self {
            scope,
            pace,
            reason: None,
            odd_answers: 0,
        }
    }

    /// Looks sooner when this is notified.
    pub(crate) fn sooner_on(mut self, reason: Arc<Notify>) -> Self {
        self.reason = Some(reason);
        self
    }

    /// The result of the next look that succeeds.
    ///
    /// # Errors
    ///
    /// If a look fails permanently.
    pub(crate) async fn next<T, F>(&mut self, look: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        loop {
            self.pace.due(self.reason.as_deref(), &self.scope.deadline).await;
            let error = match self.scope.deadline.before_last_look(look()).await {
                Some(Ok(seen)) => {
                    self.odd_answers = 0;
                    self.scope.deadline.clear_problem();
                    return Ok(seen);
                }
                Some(Err(error)) => error,
                // The look hangs, and there is just enough time for one more.
                None => continue,
            };
            match error.kind() {
                _ if error.is_passing() => {}
                ErrorKind::Decode | ErrorKind::NotAnApi if self.odd_answers < MOST_ODD_ANSWERS => self.odd_answers += 1,
                _ => return Err(error),
            }
            self.pace.heed(error.retry_after());
            self.scope.deadline.note_problem(&error);
            self.scope.sink.put_retry(&error);
        }
    }

    /// The snapshot of this id at the next look, or none if it does not exist.
    pub(crate) async fn at(&mut self, id: &SnapshotId) -> Result<Option<Snapshot>, Error> {
        let client = self.scope.client.clone();
        self.next(|| look_at(&client, id)).await
    }

    /// Like [`at`](Self::at), for the snapshot of this call. If the deadline passes, its error has the last known
    /// state.
    pub(crate) async fn at_own(&mut self, id: &SnapshotId) -> Result<Option<Snapshot>, Error> {
        let found = self.at(id).await?;
        if let Some(found) = &found {
            self.scope.deadline.note(found);
        }
        Ok(found)
    }
}

/// The snapshot of this id, with one request.
async fn look_at(client: &ApiClient, id: &SnapshotId) -> Result<Option<Snapshot>, Error> {
    match client.call_once(&GetSnapshot::new(id.as_str()), 0).await {
        Ok(found) if found.id == *id => Ok(Some(found)),
        // A name can look like an id.
        Ok(found) if found.name == id.as_str() => Ok(None),
        Ok(found) => {
            let message = format!("asked for snapshot {id}, the server answered with {}", found.id);
            Err(Error::new(ErrorKind::Decode, message).with_operation("getSnapshot"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
