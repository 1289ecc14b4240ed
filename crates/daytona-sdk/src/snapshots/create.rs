//! The creation of a snapshot.

use std::fmt;
use std::future::IntoFuture;

use daytona_api::{GetAllSnapshots, RemoveSnapshot, Snapshot, SnapshotId};

use super::Boxed;
use super::deadline::{Deadline, Purpose};
use super::delivery::{self, Delivery, Sink};
use super::event::Event;
use super::events::EventStream;
use super::list;
use super::options::{Options, option_methods};
use super::outcome::{Outcome, Remedy};
use super::params::CreateSnapshotParams;
use super::submission::Submission;
use super::wait::{self, Watch};
use crate::api_client::ApiClient;
use crate::error::{Error, SnapshotInfo};
use crate::trace;

/// Creates a snapshot, once it is awaited, and waits until it is active.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// use daytona_sdk::{CreateSnapshotParams, Image};
/// use std::time::Duration;
///
/// let image = Image::debian_slim("3.12").add_local_dir("app", "/home/daytona/app");
/// let snapshot = daytona
///     .snapshots()
///     .create(CreateSnapshotParams::new("my-app", image))
///     .on_logs(|line| println!("{line}"))
///     .timeout(Duration::from_secs(900))
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// A request whose answer is lost is settled by looking for the name: it never makes two snapshots, and never fails for one
/// that was made. Of a failure that says nothing about the image (an archive that the storage did not have after all, another
/// build of the same definition under way) it recovers once, by deleting the snapshot that failed and creating it again;
/// [`Event::Recreated`] tells of it.
///
/// Dropping the future stops the upload or the waiting; what the server has accepted goes on.
///
/// # Errors
///
/// Before any request: kind `InvalidImage`, `InvalidRequest`, `Unsupported`. Then `LocalFile` or `ObjectStorage` for the
/// upload, `AlreadyExists` for a name that is taken, with what has it, `BuildFailed`, `Gone`, and `WaitTimeout` when the deadline
/// over all of it has passed.
#[derive(Debug)]
#[must_use = "does nothing until it is awaited"]
pub struct Create {
    client: ApiClient,
    params: CreateSnapshotParams,
    options: Options,
}

impl Create {
    pub(crate) fn new(client: ApiClient, params: CreateSnapshotParams) -> Self {
        Self {
            options: Options::new(&client),
            client,
            params,
        }
    }

    option_methods!();

    /// Everything that happens as a stream, which ends with [`Event::Done`] or with the error. It begins when the stream is
    /// polled first, and goes on whether it is polled or not; dropping the stream stops it as dropping the future does.
    pub fn events(mut self) -> EventStream {
        let callbacks = std::mem::take(&mut self.options.callbacks);
        EventStream::new(callbacks, move |sink| {
            Box::pin(async move { self.start_into(sink, Delivery::default()).await?.wait().await })
        })
    }

    /// Returns as soon as the server has accepted the snapshot; the upload is done then.
    ///
    /// # Errors
    ///
    /// As awaiting it, but for those of the build.
    pub async fn start(mut self) -> Result<Build, Error> {
        let (sink, delivery) = delivery::start(std::mem::take(&mut self.options.callbacks));
        self.start_into(sink, delivery).await
    }

    async fn start_into(self, sink: Sink, delivery: Delivery) -> Result<Build, Error> {
        let deadline = Deadline::start(&self.client, Purpose::Active, self.options.limit);
        let span = trace::whole("create", self.params.name());
        let submitting = async {
            let mut submission = Submission::prepare(&self.client, self.params, &sink).await?;
            submission.upload(false).await?;
            let accepted = submission.post().await?;
            Ok((submission, accepted))
        };
        let (submission, snapshot) = trace::within(&span, deadline.enforce(submitting)).await?;
        deadline.note(SnapshotInfo::of(&snapshot));
        Ok(Build {
            snapshot,
            making: Making {
                watch: Watch::new(self.client, deadline, sink),
                submission,
            },
            delivery,
            span,
        })
    }
}

impl IntoFuture for Create {
    type Output = Result<Snapshot, Error>;
    type IntoFuture = Boxed<Snapshot>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.start().await?.wait().await })
    }
}

/// A snapshot that the server has accepted and is making.
pub struct Build {
    snapshot: Snapshot,
    making: Making,
    delivery: Delivery,
    span: tracing::Span,
}

impl fmt::Debug for Build {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Build")
            .field("snapshot", &self.snapshot)
            .finish_non_exhaustive()
    }
}

impl Build {
    /// Its id.
    pub fn id(&self) -> &SnapshotId {
        &self.snapshot.id
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.snapshot.name
    }

    /// The snapshot as the server answered.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Waits until it is active. The deadline began with the creation. The snapshot that is returned has another id if it had to
    /// be [created once more](Event::Recreated).
    ///
    /// # Errors
    ///
    /// Kind `BuildFailed`, `Gone` or `WaitTimeout`.
    pub async fn wait(self) -> Result<Snapshot, Error> {
        let Self {
            snapshot,
            mut making,
            delivery,
            span,
        } = self;
        let waiting = async move {
            let outcome = making.until_active(snapshot).await;
            let Making { watch, submission } = making;
            // It holds a sink too.
            drop(submission);
            watch.conclude(outcome, delivery).await
        };
        trace::within(&span, waiting).await
    }

    /// Deletes the snapshot, and with it the build. Operation `removeSnapshot`.
    ///
    /// # Errors
    ///
    /// The server's refusal.
    pub async fn cancel(self) -> Result<(), Error> {
        let client = &self.making.watch.client;
        client.call(&RemoveSnapshot::new(self.snapshot.id.as_str())).await
    }
}

/// A snapshot that is being made, with what is needed to make it once more.
pub(crate) struct Making {
    pub(crate) watch: Watch,
    pub(crate) submission: Submission,
}

impl Making {
    /// Waits until the snapshot, which was accepted from the submission, is active; helps once where it can.
    pub(crate) async fn until_active(&mut self, accepted: Snapshot) -> Result<Snapshot, Error> {
        let id = accepted.id.clone();
        let error = match self.watch.until_active(accepted).await {
            Ok(active) => return Ok(active),
            Err(error) => error,
        };
        let remedy = match Remedy::of(&error) {
            Some(Remedy::UploadAgain) if !self.submission.has_skipped() => None,
            remedy => remedy,
        };
        let Some(remedy) = remedy else { return Err(error) };
        let deadline = self.watch.deadline.clone();
        match deadline.enforce(self.recreate(&id, remedy, &error)).await? {
            Some(accepted) => self.watch.until_active(accepted).await,
            None => Err(error),
        }
    }

    /// Deletes the snapshot that failed and creates it again. None if it may not be deleted.
    async fn recreate(&mut self, id: &SnapshotId, remedy: Remedy, error: &Error) -> Result<Option<Snapshot>, Error> {
        let Watch { client, deadline, sink } = &self.watch;
        if client.call(&RemoveSnapshot::new(id.as_str())).await.is_err() {
            return Ok(None);
        }
        sink.put(Event::Recreated {
            reason: error.reason().unwrap_or_default().to_owned(),
        });
        match remedy {
            Remedy::UploadAgain => self.submission.upload(true).await?,
            Remedy::AfterTwin => until_no_twin(client, &self.submission, id).await?,
        }
        wait::until_gone(client, deadline, id).await?;
        let accepted = self.submission.post().await?;
        deadline.note(SnapshotInfo::of(&accepted));
        Ok(Some(accepted))
    }
}

/// Waits until no other snapshot of the same definition is being made, as far as one can see.
async fn until_no_twin(client: &ApiClient, submission: &Submission, id: &SnapshotId) -> Result<(), Error> {
    let mut interval = wait::Interval::new();
    loop {
        let is_twin = |other: &Snapshot| {
            other.id != *id && Outcome::of(&other.state) == Outcome::Progress && submission.is_same_build(other)
        };
        let others = list::all(client, GetAllSnapshots::new()).await;
        match others {
            Ok(others) if !others.iter().any(is_twin) => return Ok(()),
            Err(error) if !error.is_passing() => return Err(error),
            Ok(_) | Err(_) => interval.sleep(client, None).await,
        }
    }
}
