//! A snapshot on its way to the server: planned, uploaded, posted.

use std::future::ready;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use daytona_api::{CreateBuildInfo, CreateSnapshot, GetSnapshot, Operation, Snapshot};
use daytona_context::{Context, Digest};
use daytona_image::{Cancellation, Image, ImagePlan, PlanOptions};
use jiff::Timestamp;

use super::definition::{self, Definition};
use super::params::{CreateSnapshotParams, Name};
use super::request::{Origin, request_of};
use super::upload::{self, Access, Upload};
use crate::api_client::LAG;
use crate::error::{Error, ErrorKind, SnapshotInfo};
use crate::retry::Budget;
use crate::snapshots::events::event::Event;
use crate::snapshots::watch::poll::Looks;
use crate::snapshots::watch::scope::Scope;

/// How often a request that ends in a 500 is repeated, and for how long: of several requests for one new build the server answers some
/// so, and the next succeed. But it can be the lasting answer to a request that the server cannot take.
const SERVER_ERRORS: u32 = 4;
const SERVER_ERRORS_LIMIT: Duration = Duration::from_secs(30);

/// How long the name is looked for when the deadline has passed before the request was answered.
const GRACE: Duration = Duration::from_secs(5);

/// What is done with a submission first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is uploaded.
    Upload,
    /// It is compared with what is there, and perhaps not uploaded at all.
    Compare,
}

/// A request to create a snapshot, and the files that it needs.
pub(crate) struct Submission {
    scope: Scope,
    request: CreateSnapshot,
    name: Name,
    context: Context,
    /// Where it is noted what was hashed, if the caller wants that.
    index: Option<PathBuf>,
    /// Whether an archive was not sent because it was stored.
    has_skipped: bool,
    /// Whether the request has the hashes of its files.
    is_hashed: bool,
}

/// A snapshot that the server is making for a submission.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) snapshot: Snapshot,
    /// Whether the server has said that this very request created it. If not, it may be somebody else's.
    pub(crate) is_own: bool,
    /// When that was.
    pub(crate) at: Duration,
}

impl Submission {
    /// Checks and plans; creates and stores nothing. Where it is certain that the upload comes next, push access is had beside the
    /// planning, and comes along.
    pub(crate) async fn prepare(
        scope: &Scope,
        params: CreateSnapshotParams,
        next: Next,
    ) -> Result<(Self, Option<Access>), Error> {
        let Scope { client, sink, .. } = scope;
        let index = params.index.clone();
        let (request, name, origin) = request_of(client, params)?;
        let (plan, access) = match origin {
            Origin::Registry => (None, None),
            Origin::Plan(plan) => (Some(plan), None),
            Origin::Image(image)
                if next == Next::Upload && image.takes_files() && upload::check_supported(client).is_ok() =>
            {
                let (plan, access) = planned_beside(image, upload::push_access(client, sink)).await?;
                (Some(plan), Some(access))
            }
            Origin::Image(image) => (Some(planned(image).await?), None),
        };
        let mut submission = Self {
            scope: scope.clone(),
            request,
            name,
            context: plan.as_ref().map(Context::from_plan).unwrap_or_default(),
            index,
            has_skipped: false,
            is_hashed: false,
        };
        if let Some(plan) = &plan {
            submission.set_plan(plan);
        }
        if !submission.context.archives().is_empty() {
            upload::check_supported(client)?;
        }
        submission.check_size()?;
        Ok((submission, access))
    }

    fn set_plan(&mut self, plan: &ImagePlan) {
        let mut info = CreateBuildInfo::new(plan.dockerfile());
        // As many as there will be, to know the size of the request before anything is sent.
        info.context_hashes = Some(vec!["0".repeat(64); self.context.archives().len()]);
        self.request.build_info = Some(info);
        self.scope.sink.put(Event::Planned {
            files: plan.members().len(),
            bytes: plan.total_size(),
            warnings: plan.warnings().to_vec(),
        });
    }

    fn check_size(&self) -> Result<(), Error> {
        let body = self
            .request
            .body()
            .map_err(|error| Error::new(ErrorKind::InvalidRequest, error.to_string()).with_source(error))?;
        self.scope.client.check_body(body.map_or(0, |body| body.len()))
    }

    pub(crate) fn name(&self) -> &str {
        &self.request.name
    }

    /// Reads and hashes the files, so that the definition is known. Once: the upload hashes them again, except what an index knows.
    pub(crate) async fn hash(&mut self) -> Result<Definition, Error> {
        if !self.is_hashed {
            let hashes = upload::digests(&self.context, self.index.as_deref()).await?;
            self.set_hashes(&hashes);
        }
        Ok(Definition::of(&self.request))
    }

    /// Gives the request the name that it is to have, where that needs the hashes.
    pub(crate) async fn complete_name(&mut self) -> Result<(), Error> {
        if matches!(self.name, Name::AfterContent(_)) {
            self.hash().await?;
        }
        Ok(())
    }

    /// Whether the server makes the other one by the same build as this.
    pub(crate) fn is_same_build(&self, other: &Snapshot) -> bool {
        definition::is_same_build(&self.request, other)
    }

    /// Whether a failure for want of an archive can be helped by sending it.
    pub(crate) fn has_skipped(&self) -> bool {
        self.has_skipped
    }

    /// Uploads what is to be uploaded.
    pub(crate) async fn upload(&mut self, upload: Upload) -> Result<(), Error> {
        let Scope { client, sink, .. } = &self.scope;
        let pushed = upload::upload(client, sink, &self.context, upload.index(self.index.as_deref())).await?;
        self.has_skipped = pushed.skipped > 0;
        self.set_hashes(&pushed.hashes);
        Ok(())
    }

    fn set_hashes(&mut self, hashes: &[Digest]) {
        self.is_hashed = true;
        if let Some(info) = &mut self.request.build_info {
            info.context_hashes = Some(hashes.iter().map(ToString::to_string).collect());
        }
        if let Name::AfterContent(prefix) = &self.name {
            self.request.name = definition::name_after_content(prefix, &self.request);
        }
    }

    /// Whether a snapshot that is there is of this very definition.
    pub(crate) async fn is_same_definition(&mut self, found: &Snapshot) -> Result<bool, Error> {
        Ok(self.differences(found).await?.is_empty())
    }

    /// How a snapshot that is there differs from this one. The files are read only if nothing else differs.
    pub(crate) async fn differences(&mut self, found: &Snapshot) -> Result<Vec<String>, Error> {
        let differences = definition::text_differences(&self.request, found);
        if !differences.is_empty() {
            return Ok(differences);
        }
        self.hash().await?;
        Ok(definition::differences(&self.request, found))
    }

    /// Posts the request; the upload has to be done.
    ///
    /// A request whose answer is lost may have been carried out: then the name is looked for. What is found is taken for the one if
    /// it is of this very definition, and cannot be older than the request by the server's own clock.
    pub(crate) async fn post(&self) -> Result<Accepted, Error> {
        let Scope { client, deadline, sink } = &self.scope;
        if client.heard().date().is_none() {
            // For the server's time; what is there does not matter.
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

    /// A snapshot that is taken for the one of a request that failed with this error.
    fn adopted(&self, error: &Error, snapshot: Snapshot) -> Accepted {
        self.scope.sink.put(Event::Adopted {
            id: snapshot.id.clone(),
            name: snapshot.name.clone(),
            reason: format!(
                "the request to create it failed ({}), and the snapshot is there all the same",
                error.without_hint()
            ),
        });
        self.accepted(snapshot, false)
    }

    fn accepted(&self, snapshot: Snapshot, is_own: bool) -> Accepted {
        self.scope.deadline.note(&snapshot);
        if is_own {
            self.scope.client.remember_made(&snapshot.id);
        }
        self.scope.sink.put(Event::Accepted {
            id: snapshot.id.clone(),
            name: snapshot.name.clone(),
        });
        Accepted {
            snapshot,
            is_own,
            at: self.scope.client.clock().now(),
        }
    }

    /// The error of a deadline that passed while the request was not answered, with the snapshot if it was created all the same.
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

    /// [`find`](Self::find), by one request.
    pub(crate) async fn find_once(&self) -> Result<Option<Snapshot>, Error> {
        let found = self.scope.client.call_once(&GetSnapshot::new(self.name()), 0).await;
        self.of_this_name(found)
    }

    fn of_this_name(&self, found: Result<Snapshot, Error>) -> Result<Option<Snapshot>, Error> {
        match found {
            // A name can look like the id of another one.
            Ok(found) => Ok((found.name == self.name()).then_some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The snapshot of this name, if there is one.
    pub(crate) async fn find(&self) -> Result<Option<Snapshot>, Error> {
        let Scope { client, sink, .. } = &self.scope;
        let request = GetSnapshot::new(self.name());
        let found = client.call_with(&request, |error| sink.put_retry(error)).await;
        self.of_this_name(found)
    }
}

/// The requests for one creation, until the server has accepted it.
struct Posting<'a> {
    submission: &'a Submission,
    /// The server's time before the first request. What was created later cannot be older than this call.
    since: Option<Timestamp>,
    /// When a request may have been carried out first.
    unclear_since: Option<Duration>,
    budget: Budget,
    server_errors: u32,
}

impl Posting<'_> {
    /// What became of a request that failed: the snapshot that it made, if it did. Else it may be sent again.
    async fn settle(&mut self, error: Error) -> Result<(Error, Option<Snapshot>), Error> {
        let is_taken = error.kind() == ErrorKind::AlreadyExists;
        if !is_taken {
            if error.proves_nothing_was_done() {
                // It may be done later, if it was not refused for good.
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
            // One of everybody's, which does not take the organization's name; what does cannot be seen.
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
                    "{}; whether snapshot `{}` was created all the same could not be learned: {}",
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

    /// The snapshot of the name. Where the name is taken, perhaps by a request of this call, it is looked for until what is read has
    /// to show it.
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

    /// What comes of it when no more requests are sent. What may have been created is looked for once more, for as long as it may be
    /// unknown to where snapshots are read from.
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
                "the server may have created snapshot `{}` all the same: look for the name",
                self.submission.name()
            ))),
        }
    }

    /// The pause before the next request, if there is to be one.
    fn pause(&mut self, error: &Error) -> Option<Duration> {
        let clock = self.submission.scope.client.clock();
        // The server says when, and the deadline how long.
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

    /// Requests that were sent.
    fn attempts(&self) -> u32 {
        1 + self.budget.spent() + self.server_errors
    }
}

/// Whether a snapshot was created after this time of the server's, which is told in whole seconds.
fn is_younger(snapshot: &Snapshot, than: Option<Timestamp>) -> bool {
    than.zip(snapshot.created_at)
        .is_some_and(|(than, created)| created.as_second() > than.as_second())
}

fn taken(error: &Error, found: &Snapshot, differences: &[String], is_unclear: bool) -> Error {
    let how = match (differences, is_unclear) {
        ([], false) => "is of the same definition: `ensure` takes it".to_owned(),
        ([], true) => {
            "is of the same definition. Whether this call created it cannot be told, as the answer to its request was \
                       lost; `ensure` takes it either way"
                .to_owned()
        }
        (differences, _) => format!(
            "is of another definition, as {}: choose another name, or delete it",
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
        "the name `{name}` is taken, but no snapshot of it can be seen; it may be about to be removed: try again in a while, \
         or choose another name"
    );
    Error::new(ErrorKind::NameReserved, message).with_answer_of(error)
}

/// Plans an image while push access is being had. A problem of the plan comes first, and ends both.
async fn planned_beside(image: Image, mut access: Access) -> Result<(ImagePlan, Access), Error> {
    let mut planning = pin!(planned(image));
    tokio::select! {
        biased;
        plan = &mut planning => Ok((plan?, access)),
        had = &mut access => Ok((planning.await?, Box::pin(ready(had)))),
    }
}

/// Plans an image on a thread of its own: the walk of a large folder takes its time.
///
/// Dropped in the middle, the thread stops at its next step, so that it does not keep the program from ending.
async fn planned(image: Image) -> Result<ImagePlan, Error> {
    struct CancelOnDrop(Cancellation);

    impl Drop for CancelOnDrop {
        fn drop(&mut self) {
            self.0.cancel();
        }
    }

    let guard = CancelOnDrop(Cancellation::new());
    let options = PlanOptions::default().cancellation(&guard.0);
    match tokio::task::spawn_blocking(move || image.plan_with(&options)).await {
        Ok(plan) => Ok(plan?),
        Err(error) => Err(Error::new(ErrorKind::InvalidImage, error.to_string()).with_source(error)),
    }
}
