//! Sends the request of a submission until the server has accepted it, and finds out whose the snapshot is.

use std::time::Duration;

use daytona_api::{GetSnapshot, Snapshot, SnapshotState};
use jiff::Timestamp;

use super::{Accepted, Submission};
use crate::api_client::LAG;
use crate::error::{Error, ErrorKind, SnapshotInfo};
use crate::retry::Budget;
use crate::snapshots::build::definition;
use crate::snapshots::events::event::Event;
use crate::snapshots::watch::poll::Looks;
use crate::snapshots::watch::scope::Scope;

/// How often and for how long a request is repeated that the server answers with 500. If several requests for one new
/// build arrive, the server answers some of them with 500, and the next try succeeds. But 500 can also be the lasting
/// answer to a request that the server cannot handle.
const SERVER_ERRORS: u32 = 4;
const SERVER_ERRORS_LIMIT: Duration = Duration::from_secs(30);

/// How long the SDK looks for the name if the deadline has passed before the request was answered.
const GRACE: Duration = Duration::from_secs(5);

impl Submission {
    /// Sends the request, after the upload.
    ///
    /// If the answer is lost, the server may have carried out the request. Then the name is looked for. The snapshot
    /// that is found is adopted if it has this very definition, and cannot be older than the request by the server's
    /// own clock.
    pub(crate) async fn post(&self) -> Result<Accepted, Error> {
        let Scope { client, deadline, sink } = &self.scope;
        if client.heard().date().is_none() {
            // This look only tells the server's time.
            drop(client.call_once(&GetSnapshot::new(self.name()), 0).await);
        }
        let mut posting = Posting {
            submission: self,
            since: None,
            unclear_since: None,
            budget: Budget::new(),
            server_errors: 0,
        };
        loop {
            if posting.unclear_since.is_none() {
                posting.since = client.heard().date();
            }
            deadline.note_asked(self.name(), posting.since);
            let error = match client.call_once(&self.request, posting.attempts() - 1).await {
                Ok(snapshot) => return Ok(self.accepted(snapshot, true)),
                Err(error) => error,
            };
            let (error, found) = posting.settle(error).await?;
            if let Some(found) = found {
                return Ok(self.adopted(&error, found));
            }
            if posting.unclear_since.is_none() {
                deadline.note_nothing();
                deadline.note_problem(&error);
            }
            let Some(wait) = posting.pause(&error) else {
                return posting.give_up(error).await;
            };
            sink.put_retry(&error);
            client.clock().sleep(wait).await;
        }
    }

    /// The snapshot that is adopted although the request failed with this error.
    fn adopted(&self, error: &Error, snapshot: Snapshot) -> Accepted {
        self.scope.sink.put(Event::Adopted {
            id: snapshot.id.clone(),
            name: snapshot.name.clone(),
            reason: format!(
                "the request to create it failed ({}), but the snapshot exists",
                error.without_hint()
            ),
        });
        self.accepted(snapshot, false)
    }

    /// The error if the deadline passes before the request is answered. It has the snapshot, if one was created all the
    /// same.
    pub(crate) async fn settle_late(&self, error: Error) -> Error {
        let Scope { client, deadline, .. } = &self.scope;
        let (ErrorKind::WaitTimeout, Some(since)) = (error.kind(), deadline.asked_since()) else {
            return error;
        };
        let find = self.find();
        let found = tokio::select! {
            found = find => found,
            () = client.clock().sleep(GRACE) => return error,
        };
        match found {
            Ok(Some(found))
                if is_younger(&found, Some(since)) && definition::differences(&self.request, &found).is_empty() =>
            {
                deadline.note(&found);
                deadline.passed()
            }
            _ => error,
        }
    }
}

/// The requests for one creation, until the server has accepted it.
struct Posting<'a> {
    submission: &'a Submission,
    /// The server's time before the first request. A snapshot that was created later cannot be older than this call.
    since: Option<Timestamp>,
    /// When the first request may have been carried out.
    unclear_since: Option<Duration>,
    budget: Budget,
    server_errors: u32,
}

impl Posting<'_> {
    /// What a failed request has led to: the snapshot, if it created one. Otherwise it may be sent again.
    async fn settle(&mut self, error: Error) -> Result<(Error, Option<Snapshot>), Error> {
        let is_taken = error.kind() == ErrorKind::AlreadyExists;
        if !is_taken {
            if error.proves_nothing_was_done() {
                // The server may still carry it out, unless it refused it.
                return if error.is_passing() {
                    Ok((error, None))
                } else {
                    Err(error)
                };
            }
            let now = self.submission.scope.client.clock().now();
            self.unclear_since.get_or_insert(now);
        }
        match self.find(is_taken).await {
            // It is a general snapshot, which does not block the organization's name. The one that does cannot be seen.
            Ok(Some(found)) if is_taken && found.general == Some(true) => {
                Err(taken_invisibly(&error, self.submission.name()))
            }
            Ok(Some(found)) => {
                let found = self.judge(&error, found)?;
                Ok((error, Some(found)))
            }
            Ok(None) if is_taken => Err(taken_invisibly(&error, self.submission.name())),
            Ok(None) => Ok((error, None)),
            Err(_) if is_taken => Err(error),
            Err(other) => {
                let message = format!(
                    "{}; snapshot `{}` may have been created anyway, but the look for it failed: {}",
                    error.without_hint(),
                    self.submission.name(),
                    other.without_hint()
                );
                Err(Error::new(error.kind(), message)
                    .with_answer_of(&error)
                    .with_hint_of(&error)
                    .with_source(error))
            }
        }
    }

    /// The snapshot of the name. If the name is taken, perhaps by a request of this call, the SDK looks until reads
    /// must show the snapshot.
    async fn find(&self, is_taken: bool) -> Result<Option<Snapshot>, Error> {
        let submission = self.submission;
        let found = submission.find().await?;
        let (None, true, Some(since)) = (&found, is_taken, self.unclear_since) else {
            return Ok(found);
        };
        let clock = submission.scope.client.clock();
        let mut looks = Looks::after_a_look(&submission.scope, clock.now());
        while clock.now().saturating_sub(since) <= LAG {
            if let Some(found) = looks.next(|| submission.find()).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The snapshot that has the name, if this call may have made it.
    fn judge(&self, error: &Error, found: Snapshot) -> Result<Snapshot, Error> {
        let differences = definition::differences(&self.submission.request, &found);
        let is_unclear = self.unclear_since.is_some();
        if differences.is_empty() && is_unclear && is_younger(&found, self.since) {
            return Ok(found);
        }
        Err(taken(error, &found, &differences, is_unclear))
    }

    /// The outcome when no more requests are sent. If a request may have created a snapshot, the SDK looks for it once
    /// more, for as long as reads may not show it yet.
    async fn give_up(&self, error: Error) -> Result<Accepted, Error> {
        let error = error.with_attempts(self.attempts());
        if self.unclear_since.is_none() {
            return Err(error);
        }
        match self.find(true).await {
            Ok(Some(found)) => {
                let found = self.judge(&error, found)?;
                Ok(self.submission.adopted(&error, found))
            }
            Ok(None) => Err(error),
            Err(_) => Err(error.with_hint(format!(
                "the server may have created snapshot `{}` anyway: look for the name",
                self.submission.name()
            ))),
        }
    }

    /// The pause before the next request, if there is one.
    fn pause(&mut self, error: &Error) -> Option<Duration> {
        let clock = self.submission.scope.client.clock();
        // The server decides when, and the deadline how long.
        if let (ErrorKind::RateLimited, Some(wished)) = (error.kind(), error.retry_after()) {
            return Some(wished);
        }
        if error.kind() != ErrorKind::ServerError {
            return self.budget.next(error, clock);
        }
        let begun = self.unclear_since.unwrap_or_default();
        let has_time = clock.now().saturating_sub(begun) < SERVER_ERRORS_LIMIT;
        (has_time && self.server_errors < SERVER_ERRORS).then(|| {
            self.server_errors += 1;
            Duration::from_secs(1 << self.server_errors).mul_f64(clock.jitter())
        })
    }

    /// How many requests were sent.
    fn attempts(&self) -> u32 {
        1 + self.budget.spent() + self.server_errors
    }
}

/// Whether a snapshot was created after this time of the server, which is in whole seconds.
fn is_younger(snapshot: &Snapshot, than: Option<Timestamp>) -> bool {
    than.zip(snapshot.created_at)
        .is_some_and(|(than, created)| created.as_second() > than.as_second())
}

fn taken(error: &Error, found: &Snapshot, differences: &[String], is_unclear: bool) -> Error {
    let how = match (differences, is_unclear) {
        ([], false) => "has the same definition: `ensure` returns it".to_owned(),
        ([], true) => {
            "has the same definition. It is not known whether this call created it, because its request had no clear answer; `ensure` returns it in both cases"
                .to_owned()
        }
        (differences, _) if found.state == SnapshotState::Removing => format!(
            "has another definition: {}; wait until it is gone, or choose another name",
            differences.join("; ")
        ),
        (differences, _) => format!(
            "has another definition: {}; choose another name, or delete it",
            differences.join("; ")
        ),
    };
    let message = format!(
        "the name `{}` is taken: snapshot {} already exists, is {} and {how}",
        found.name, found.id, found.state
    );
    Error::new(ErrorKind::AlreadyExists, message)
        .with_answer_of(error)
        .with_snapshot(SnapshotInfo::of(found))
}

fn taken_invisibly(error: &Error, name: &str) -> Error {
    let message = format!(
        "the name `{name}` is taken, but its snapshot cannot be seen; it may be about to be removed: try again later, \
         or choose another name"
    );
    Error::new(ErrorKind::NameReserved, message).with_answer_of(error)
}
