//! The creation of a snapshot.

use std::fmt;
use std::future::IntoFuture;

use daytona_api::{Snapshot, SnapshotId};

use super::call::{Boxed, Call};
use super::wait::done;
use super::{lifecycle, verify};
use crate::api_client::ApiClient;
use crate::error::Error;
use crate::snapshots::boot::start;
use crate::snapshots::build::making::{MOST_RECREATIONS, Making};
use crate::snapshots::build::params::CreateSnapshotParams;
use crate::snapshots::build::submission::{Accepted, Next, Submission};
use crate::snapshots::build::upload::Upload;
use crate::snapshots::events::delivery::Delivery;
use crate::snapshots::events::options::{Options, build_option_methods};
use crate::snapshots::events::stream::EventStream;
use crate::snapshots::watch::deadline::Goal;
use crate::snapshots::watch::scope::Scope;
use crate::trace;

/// When awaited, creates a snapshot and waits until it is active.
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
/// If the answer to a request is lost, the SDK looks for the name, so it never makes two snapshots. It uses the
/// snapshot that it finds if that has the same definition and was created after the request was sent. The server's own
/// clock decides this, in whole seconds. [`Event::Adopted`](crate::Event::Adopted) reports it. If the SDK cannot tell
/// whether the snapshot is yours, it returns the error `AlreadyExists` with its id.
///
/// `create` recovers from two failures that say nothing about the image. Either an archive was missing from the
/// storage, or the server was already building or pulling the same definition (it does one at a time). `create` deletes
/// the failed snapshot and creates it again, until the deadline; in the second case after growing random pauses.
/// [`Event::Recreated`](crate::Event::Recreated) reports each time. It deletes nothing that this call has not created.
///
/// Dropping the future stops the upload or the waiting. What the server has accepted goes on.
///
/// # Errors
///
/// - Before any file is stored: kinds `InvalidImage`, `InvalidRequest` and `Unsupported`.
/// - During the upload: `LocalFile` and `ObjectStorage`.
/// - If the server does not create the snapshot: `AlreadyExists`, with the snapshot that has the name, `QuotaExceeded`,
///   `PermissionDenied`, and others.
/// - While the snapshot is being made: `BuildFailed`, `Gone`, and `WaitTimeout` when the deadline has passed.
#[derive(Debug)]
#[must_use = "does nothing until it is awaited"]
pub struct Create {
    client: ApiClient,
    params: CreateSnapshotParams,
    recreations: u32,
    is_verified: bool,
    options: Options,
}

impl Create {
    pub(crate) fn new(client: ApiClient, params: CreateSnapshotParams) -> Self {
        Self {
            options: Options::within(client.settings().operation_timeout),
            client,
            params,
            recreations: MOST_RECREATIONS,
            is_verified: false,
        }
    }

    build_option_methods!();

    /// Proves that the snapshot starts before it is returned, as [`verify`](crate::SnapshotService::verify) does,
    /// within five minutes of the build's end. Before anything is uploaded, the SDK checks that the key can start and
    /// delete a sandbox. A snapshot that does not start is not deleted.
    ///
    /// # Errors
    ///
    /// Also the errors of [`verify`](crate::SnapshotService::verify).
    pub fn verified(mut self) -> Self {
        self.is_verified = true;
        self
    }

    /// How often the snapshot may be deleted and created again after a failure that says nothing about the image. With
    /// 0, such a failure is the outcome. Default: 100.
    pub fn max_recreations(mut self, times: u32) -> Self {
        self.recreations = times;
        self
    }

    /// Returns all events as a stream, which ends with [`Event::Done`](crate::Event::Done) or with the error. The call
    /// begins when the stream is first polled, and then continues by itself. Dropping the stream stops it, just as
    /// dropping the future does.
    pub fn events(mut self) -> EventStream {
        let callbacks = std::mem::take(&mut self.options.callbacks);
        EventStream::new(callbacks, move |sink| {
            Box::pin(async move {
                let scope = Scope::with_sink(&self.client, Goal::Active, self.options.limit, sink);
                let span = trace::whole("create", self.params.name());
                let Self {
                    params,
                    recreations,
                    is_verified,
                    ..
                } = self;
                let (making, accepted) = submit(scope, params, recreations, is_verified, &span).await?;
                make(making, accepted, is_verified, &span).await
            })
        })
    }

    /// Returns as soon as the server has accepted the snapshot. The upload is done by then.
    ///
    /// # Errors
    ///
    /// The same as without `start`, except the errors of the build.
    pub async fn start(self) -> Result<Build, Error> {
        let (scope, mut delivery) = Scope::begin(&self.client, Goal::Active, self.options);
        let deadline = scope.deadline.clone();
        let span = trace::whole("create", self.params.name());
        let submitted = delivery
            .watch(submit(scope, self.params, self.recreations, self.is_verified, &span))
            .await;
        match submitted {
            Ok((making, accepted)) => Ok(Build {
                snapshot: accepted.snapshot.clone(),
                accepted,
                making,
                is_verified: self.is_verified,
                delivery,
                span,
            }),
            Err(error) => {
                deadline.bound(delivery.finish()).await;
                Err(error)
            }
        }
    }
}

impl IntoFuture for Create {
    type Output = Result<Snapshot, Error>;
    type IntoFuture = Boxed<Snapshot>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.start().await?.wait().await })
    }
}

/// Everything up to the server's acceptance.
async fn submit(
    scope: Scope,
    params: CreateSnapshotParams,
    recreations: u32,
    is_verified: bool,
    span: &tracing::Span,
) -> Result<(Making, Accepted), Error> {
    let submitting = async {
        let deadline = scope.deadline.clone();
        if is_verified {
            deadline.enforce(start::check_permissions_to_create(&scope)).await?;
        }
        let (mut submission, access) = deadline
            .enforce(Submission::prepare(&scope, params, Next::Upload))
            .await?;
        deadline.enforce(submission.upload(Upload::missing(access))).await?;
        let accepted = match deadline.enforce(submission.post()).await {
            Ok(accepted) => accepted,
            Err(error) => return Err(submission.settle_late(error).await),
        };
        Ok((Making::new(scope, submission, recreations), accepted))
    };
    trace::within(span, Box::pin(submitting)).await
}

/// Everything after the server's acceptance.
async fn make(
    mut making: Making,
    accepted: Accepted,
    is_verified: bool,
    span: &tracing::Span,
) -> Result<Snapshot, Error> {
    let scope = making.scope.clone();
    let making = async move {
        let mut made = making.until_active(accepted).await;
        if is_verified {
            made = verify::made(&scope, made).await;
        }
        done(&scope, made)
    };
    trace::within(span, Box::pin(making)).await
}

/// A snapshot that the server has accepted and is making.
///
/// ```no_run
/// # async fn example(
/// #     daytona: daytona_sdk::Daytona,
/// #     params: daytona_sdk::CreateSnapshotParams,
/// # ) -> Result<(), daytona_sdk::Error> {
/// let build = daytona.snapshots().create(params).start().await?;
/// println!("{} is {} now", build.name(), build.id());
/// let snapshot = build.wait().await?;
/// # Ok(())
/// # }
/// ```
pub struct Build {
    snapshot: Snapshot,
    accepted: Accepted,
    making: Making,
    is_verified: bool,
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
    /// The id of the snapshot.
    pub fn id(&self) -> &SnapshotId {
        &self.snapshot.id
    }

    /// The name of the snapshot.
    pub fn name(&self) -> &str {
        &self.snapshot.name
    }

    /// The snapshot, as the server returned it.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Waits until the snapshot is active. The time limit counts from the beginning of the creation. If the snapshot
    /// had to be [created again](crate::Event::Recreated), the returned one has another id.
    ///
    /// # Errors
    ///
    /// Kinds `BuildFailed`, `Gone`, `WaitTimeout`.
    pub async fn wait(self) -> Result<Snapshot, Error> {
        let Self {
            accepted,
            making,
            is_verified,
            mut delivery,
            span,
            ..
        } = self;
        let deadline = making.scope.deadline.clone();
        let outcome = delivery.watch(make(making, accepted, is_verified, &span)).await;
        deadline.bound(delivery.finish()).await;
        outcome
    }

    /// Deletes the snapshot, and returns when it is being removed or is gone. Operation `removeSnapshot`.
    ///
    /// The server may acknowledge a deletion during a build and then ignore it. In that case the SDK asks again. A
    /// build that has started keeps running on the server, and until it ends the same definition cannot be built again.
    ///
    /// # Errors
    ///
    /// Any error of a request. Kind `WaitTimeout` if the snapshot is not being removed after five minutes. Kind
    /// `Rejected`, before any request, if the snapshot was [adopted](Self::is_adopted), because it may belong to
    /// somebody else.
    pub fn cancel(self) -> Call<()> {
        let client = self.making.scope.client.clone();
        lifecycle::cancel(client, self.snapshot, self.accepted.is_own, self.delivery)
    }

    /// Whether the snapshot was [adopted](crate::Event::Adopted): it is not certain that this call has created it.
    pub fn is_adopted(&self) -> bool {
        !self.accepted.is_own
    }
}
