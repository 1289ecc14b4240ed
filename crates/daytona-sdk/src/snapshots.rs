//! The snapshot service.

use daytona_api::{GetSnapshot, Snapshot};
use daytona_context::{Context, Pushed};
use daytona_image::ImagePlan;

use crate::api_client::ApiClient;
use boot::start;
use build::submission::{Next, Submission};
use build::upload::{self, Upload};
use calls::{capture, in_use, prune, sweep, verify};
use watch::deadline::Goal;

/// From parameters to a request that the server has accepted.
mod build {
    pub(crate) mod definition;
    pub(crate) mod making;
    pub(crate) mod params;
    pub(crate) mod request;
    pub(crate) mod submission;
    pub(crate) mod upload;
}
/// Sandboxes that are started to verify a snapshot.
mod boot {
    pub(crate) mod cleanup;
    pub(crate) mod mark;
    pub(crate) mod permissions;
    pub(crate) mod sandboxes;
    pub(crate) mod start;
}
/// The calls that a user awaits.
pub(crate) mod calls {
    pub(crate) mod build_logs;
    pub(crate) mod call;
    pub(crate) mod capture;
    pub(crate) mod create;
    mod deletions;
    pub(crate) mod ensure;
    pub(crate) mod in_use;
    pub(crate) mod lifecycle;
    pub(crate) mod list;
    pub(crate) mod prune;
    pub(crate) mod prune_policy;
    pub(crate) mod sweep;
    pub(crate) mod verify;
    pub(crate) mod wait;
}
/// Events, and their delivery to the caller.
pub(crate) mod events {
    pub(crate) mod delivery;
    pub(crate) mod event;
    pub(crate) mod options;
    pub(crate) mod stream;
}
/// Build logs.
mod log {
    pub(crate) mod follow;
    pub(crate) mod lines;
    pub(crate) mod source;
}
mod reference;
/// The one way of waiting.
pub(crate) mod watch {
    pub(crate) mod active;
    pub(crate) mod change;
    pub(crate) mod credentials;
    pub(crate) mod deadline;
    pub(crate) mod outcome;
    pub(crate) mod pace;
    pub(crate) mod poll;
    pub(crate) mod scope;
}

pub use build::definition::Definition;
pub use build::params::{CreateSnapshotParams, Resources, Source};
pub use calls::build_logs::{BuildLogs, LogEvent, LogStream};
pub use calls::call::Call;
pub use calls::create::{Build, Create};
pub use calls::ensure::Ensure;
pub use calls::in_use::InUse;
pub use calls::lifecycle::{Activate, Deactivate, Delete};
pub use calls::list::{ListSnapshots, SnapshotStream};
pub use calls::prune::{PrunePlan, PruneReport};
pub use calls::prune_policy::{PrunePolicy, PruneReason};
pub use calls::sweep::SweepReport;
pub use calls::wait::Wait;
pub use events::event::{Event, LogGap, LogGapKind, LogLine};
pub use events::stream::EventStream;
pub use reference::SnapshotRef;

/// Creates, finds and manages the snapshots of an organization. Cheap to clone.
///
/// Each method returns a value that does nothing until it is awaited. Set options on it before that.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// let snapshots = daytona.snapshots();
/// let snapshot = snapshots.get("my-app").await?;
/// snapshots.activate(&snapshot).wait().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SnapshotService {
    client: ApiClient,
}

impl SnapshotService {
    pub(crate) fn new(client: ApiClient) -> Self {
        Self { client }
    }

    /// Lists the snapshots of the organization and the general ones, which every organization can use, one page at a
    /// time. [`ListSnapshots::stream`] returns all of them. Operation `getAllSnapshots`.
    ///
    /// # Errors
    ///
    /// See [`ListSnapshots`].
    pub fn list(&self) -> ListSnapshots {
        ListSnapshots::new(self.client.clone())
    }

    /// Finds a snapshot, by id or by name. Operation `getSnapshot`.
    ///
    /// # Errors
    ///
    /// Kind `NotFound` if there is no such snapshot. Kind `Decode` if the server returns another one.
    pub fn get(&self, snapshot: impl Into<SnapshotRef>) -> Call<Snapshot> {
        let snapshot = snapshot.into();
        Call::new(self.client.clone(), move |scope| async move {
            let request = GetSnapshot::new(snapshot.as_str());
            let found = scope.request(&request).await?;
            snapshot.check(found)
        })
    }

    /// Creates a snapshot and waits until it is active. Operation `createSnapshot`.
    ///
    /// Uploads the local files of its image first. See [`Create`] for its options.
    ///
    /// # Errors
    ///
    /// See [`Create`].
    pub fn create(&self, params: CreateSnapshotParams) -> Create {
        Create::new(self.client.clone(), params)
    }

    /// Makes sure that there is an active snapshot of this definition: returns it, waits for it, activates it, or
    /// creates it. See [`Ensure`] for details.
    ///
    /// # Errors
    ///
    /// See [`Ensure`].
    pub fn ensure(&self, params: CreateSnapshotParams) -> Ensure {
        Ensure::new(self.client.clone(), params)
    }

    /// Computes the definition that a snapshot would have, as [`ensure`](Self::ensure) compares it. Plans the image and
    /// hashes its files, but sends nothing.
    ///
    /// # Errors
    ///
    /// Kinds `InvalidImage` and `InvalidRequest`. Kind `LocalFile` if a file cannot be read.
    pub fn definition(&self, params: CreateSnapshotParams) -> Call<Definition> {
        Call::new(self.client.clone(), move |scope| async move {
            let (mut submission, _) = Submission::prepare(&scope, params, Next::Compare).await?;
            submission.hash().await
        })
    }

    /// Starts to activate an inactive snapshot. [`Activate::wait`] waits until it is active. Operation
    /// `activateSnapshot`.
    ///
    /// # Errors
    ///
    /// See [`Activate`].
    pub fn activate(&self, snapshot: impl Into<SnapshotRef>) -> Activate {
        Activate::new(self.client.clone(), snapshot.into())
    }

    /// Deactivates a snapshot in any state. [`Deactivate::wait`] waits until it is inactive. Operation
    /// `deactivateSnapshot`.
    ///
    /// # Errors
    ///
    /// See [`Deactivate`].
    pub fn deactivate(&self, snapshot: impl Into<SnapshotRef>) -> Deactivate {
        Deactivate::new(self.client.clone(), snapshot.into())
    }

    /// Deletes a snapshot. [`Delete::wait`] waits until its name is free. Operation `removeSnapshot`.
    ///
    /// # Errors
    ///
    /// See [`Delete`].
    pub fn delete(&self, snapshot: impl Into<SnapshotRef>) -> Delete {
        Delete::new(self.client.clone(), snapshot.into())
    }

    /// Waits until a snapshot that is being made is active. Use it to resume a creation that timed out.
    ///
    /// # Errors
    ///
    /// See [`Wait`].
    pub fn wait(&self, snapshot: impl Into<SnapshotRef>) -> Wait {
        Wait::new(self.client.clone(), snapshot.into())
    }

    /// Reads the build log of a snapshot, at any time after its build has begun. Operation `getSnapshotBuildLogsUrl`.
    ///
    /// # Errors
    ///
    /// See [`BuildLogs`].
    pub fn build_logs(&self, snapshot: impl Into<SnapshotRef>) -> BuildLogs {
        BuildLogs::new(self.client.clone(), snapshot.into())
    }

    /// Plans which snapshots a policy would delete. Nothing is deleted before [`PrunePlan::apply`].
    ///
    /// # Errors
    ///
    /// Any error of a request; see [`ErrorKind`](crate::ErrorKind).
    pub fn prune(&self, policy: PrunePolicy) -> Call<PrunePlan> {
        Call::new(self.client.clone(), move |scope| prune::plan(scope, policy))
    }

    /// Proves that a snapshot starts: starts a sandbox of it in one of its regions, waits until it runs, and deletes
    /// it. Returns the snapshot. Operations `createSandbox`, `getSandbox`, `deleteSandbox`.
    ///
    /// The sandbox is deleted whatever the result is, even if you drop this future. If the process ends first, a
    /// started sandbox stops after a minute, and the server then deletes it. One that never starts stays until
    /// [`sweep`](Self::sweep) deletes it.
    ///
    /// An API key needs the permissions `write:sandboxes` and `delete:sandboxes`, which are checked first. Default
    /// timeout: five minutes. [`Create::verified`] and [`Ensure::verified`] do the same with a snapshot that was just
    /// made.
    ///
    /// ```no_run
    /// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
    /// use daytona_sdk::ErrorKind;
    ///
    /// match daytona.snapshots().verify("my-app").await {
    ///     Ok(snapshot) => println!("{} starts", snapshot.name),
    ///     Err(error) if error.kind() == ErrorKind::DoesNotStart => {
    ///         eprintln!("{:?}", error.reason());
    ///     }
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - Kind `DoesNotStart` if the sandbox fails. [`Error::reason`](crate::Error::reason) has the runner's message.
    /// - Kind `Rejected` if the snapshot is not active yet, `Gone` or `BuildFailed` if it will not become active.
    /// - Kind `PermissionDenied`, `NoRunner`, `QuotaExceeded` or `Suspended` if the server creates no sandbox.
    /// - Kind `WaitTimeout` if the sandbox has not started before the timeout.
    pub fn verify(&self, snapshot: impl Into<SnapshotRef>) -> Call<Snapshot> {
        let snapshot = snapshot.into();
        Call::waiting(self.client.clone(), Goal::Answer, start::LIMIT, move |scope| {
            verify::verify(scope, snapshot)
        })
    }

    /// Lists the sandboxes that were created from a snapshot. See [`InUse`] for what the server knows about them.
    /// Operation `listSandboxes`.
    ///
    /// ```no_run
    /// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
    /// let in_use = daytona.snapshots().in_use("my-app").await?;
    /// println!("{} sandboxes came from {}", in_use.sandboxes.len(), in_use.snapshot.name);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Kind `NotFound` if there is no such snapshot. Otherwise any error of a request.
    pub fn in_use(&self, snapshot: impl Into<SnapshotRef>) -> Call<InUse> {
        let snapshot = snapshot.into();
        Call::new(self.client.clone(), move |scope| in_use::in_use(scope, snapshot))
    }

    /// Makes a snapshot of a sandbox, which you name by id or by name, and waits until the snapshot is active. The
    /// sandbox must be started or stopped, and returns to that state afterwards. Operation `createSandboxSnapshot`.
    ///
    /// The snapshot has the resources, the region and the class of the sandbox, and no entrypoint, image or build.
    /// Servers up to 0.190.0 show the snapshot only when it is finished, and never show a failure. So the SDK watches
    /// the sandbox until it is back in its state, and then looks for the name. Choose a name that nobody else uses for
    /// a capture at the same time: a snapshot does not tell which of two equal sandboxes it came from.
    ///
    /// An API key needs the permission `write:sandboxes`, which is checked first. Default timeout: the client's
    /// operation timeout, 130 minutes. If you drop the future, the waiting stops, but the server finishes what it has
    /// accepted.
    ///
    /// ```no_run
    /// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
    /// let snapshot = daytona.snapshots().capture("my-sandbox", "prepared:1").await?;
    /// println!("{} is {}", snapshot.name, snapshot.state);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - Kind `InvalidRequest`, before any request, for a name that no other operation would accept.
    /// - Kind `NotFound` if there is no such sandbox, `Busy` or `Rejected` if its state does not allow a capture, and
    ///   `Unsupported` if its class does not.
    /// - Kind `AlreadyExists` if the name is taken, or if somebody else takes it during the capture.
    /// - Kind `BuildFailed` if the server has made no snapshot. It gives no reason.
    /// - Kind `QuotaExceeded`, `PermissionDenied` or `WaitTimeout`.
    pub fn capture(&self, sandbox: impl Into<String>, name: impl Into<String>) -> Call<Snapshot> {
        let (sandbox, name) = (sandbox.into(), name.into());
        let limit = self.client.settings().operation_timeout;
        Call::waiting(self.client.clone(), Goal::Active, limit, move |scope| {
            capture::capture(scope, sandbox, name)
        })
    }

    /// Deletes the sandboxes that [`verify`](Self::verify) has left behind, also on other machines. It deletes a
    /// sandbox only if it has the name and the labels of `verify`, and if the deadline of its call passed more than ten
    /// minutes ago. Operations `listSandboxes`, `deleteSandbox`.
    ///
    /// # Errors
    ///
    /// Any error of the request that lists the sandboxes. If one cannot be deleted, the report has the error. If the
    /// [`timeout`](Call::timeout) passes after the list, the call still returns the report, with everything that was
    /// not done.
    pub fn sweep(&self) -> Call<SweepReport> {
        Call::keeping_its_deadline(self.client.clone(), sweep::sweep)
    }

    /// Uploads the local files of a plan that are not stored yet. Returns the hashes of the archives, in the order that
    /// a request to create the snapshot needs. [`create`](Self::create) does this by itself.
    ///
    /// # Errors
    ///
    /// Kind `LocalFile` if a file cannot be read, or changes during the upload. Kind `ObjectStorage` if the storage
    /// refuses an archive.
    pub fn process_image_context(&self, plan: &ImagePlan) -> Call<Pushed> {
        let context = Context::from_plan(plan);
        Call::new(self.client.clone(), move |scope| async move {
            upload::upload(&scope.client, &scope.sink, &context, Upload::missing(None)).await
        })
    }
}
