//! The snapshot service: what a user calls.

use daytona_api::{GetSnapshot, Snapshot};
use daytona_context::{Context, Pushed};
use daytona_image::ImagePlan;

use crate::api_client::ApiClient;
use build::submission::{Next, Submission};
use build::upload::{self, Upload};
use calls::prune;

/// Snapshots on their way to the server.
mod build {
    pub(crate) mod definition;
    pub(crate) mod making;
    pub(crate) mod params;
    pub(crate) mod request;
    pub(crate) mod submission;
    pub(crate) mod upload;
}
/// What a user awaits.
pub(crate) mod calls {
    pub(crate) mod build_logs;
    pub(crate) mod call;
    pub(crate) mod create;
    pub(crate) mod ensure;
    pub(crate) mod lifecycle;
    pub(crate) mod list;
    pub(crate) mod prune;
    pub(crate) mod wait;
}
/// What happens meanwhile, and its way to the caller.
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
pub use calls::lifecycle::{Activate, Deactivate, Delete};
pub use calls::list::{ListSnapshots, SnapshotStream};
pub use calls::prune::{PrunePlan, PrunePolicy, PruneReport};
pub use calls::wait::Wait;
pub use events::event::{Event, LogGap, LogGapKind, LogLine};
pub use events::stream::EventStream;
pub use reference::SnapshotRef;

/// The snapshots of an organization. Cheap to clone.
///
/// Calls return values that do nothing until they are awaited; options are set before that.
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

    /// One page of the snapshots of the organization and of the general ones; with [`ListSnapshots::stream`] all of them.
    /// Operation `getAllSnapshots`.
    ///
    /// # Errors
    ///
    /// Once it is awaited, those of [`ListSnapshots`].
    pub fn list(&self) -> ListSnapshots {
        ListSnapshots::new(self.client.clone())
    }

    /// A snapshot, by id or by name. Operation `getSnapshot`.
    ///
    /// # Errors
    ///
    /// Kind `NotFound` if there is none; `Decode` if the server answers with another one than the one asked for.
    pub fn get(&self, snapshot: impl Into<SnapshotRef>) -> Call<Snapshot> {
        let snapshot = snapshot.into();
        Call::new(self.client.clone(), move |scope| async move {
            let request = GetSnapshot::new(snapshot.as_str());
            let found = scope
                .client
                .call_with(&request, |error| scope.sink.put_retry(error))
                .await?;
            snapshot.check(found)
        })
    }

    /// Creates a snapshot and waits until it is active. Operation `createSnapshot`.
    ///
    /// Local files of its image are uploaded first. See [`Create`] for what can be watched and limited.
    ///
    /// # Errors
    ///
    /// Once it is awaited, those of [`Create`].
    pub fn create(&self, params: CreateSnapshotParams) -> Create {
        Create::new(self.client.clone(), params)
    }

    /// Makes sure that a snapshot of this definition is there and active: returns it, waits for it, activates it or creates it.
    /// See [`Ensure`] for what happens in which case.
    ///
    /// # Errors
    ///
    /// Once it is awaited, those of [`Ensure`].
    pub fn ensure(&self, params: CreateSnapshotParams) -> Ensure {
        Ensure::new(self.client.clone(), params)
    }

    /// What a snapshot would be made of, as [`ensure`](Self::ensure) compares it. Plans the image and hashes its files; sends nothing.
    ///
    /// # Errors
    ///
    /// Kind `InvalidImage`, `InvalidRequest`, or `LocalFile` for a file that cannot be read.
    pub fn definition(&self, params: CreateSnapshotParams) -> Call<Definition> {
        Call::new(self.client.clone(), move |scope| async move {
            let (mut submission, _) = Submission::prepare(&scope, params, Next::Compare).await?;
            submission.hash().await
        })
    }

    /// Starts to activate an inactive snapshot; with [`Activate::wait`], until it is active. Operation
    /// `activateSnapshot`.
    ///
    /// # Errors
    ///
    /// Once it is awaited, those of [`Activate`].
    pub fn activate(&self, snapshot: impl Into<SnapshotRef>) -> Activate {
        Activate::new(self.client.clone(), snapshot.into())
    }

    /// Deactivates a snapshot, in whatever state it is; with [`Deactivate::wait`], until it is inactive. Operation
    /// `deactivateSnapshot`.
    ///
    /// # Errors
    ///
    /// Once it is awaited, those of [`Deactivate`].
    pub fn deactivate(&self, snapshot: impl Into<SnapshotRef>) -> Deactivate {
        Deactivate::new(self.client.clone(), snapshot.into())
    }

    /// Deletes a snapshot; with [`Delete::wait`], until its name is free. Operation `removeSnapshot`.
    ///
    /// # Errors
    ///
    /// Once it is awaited, those of [`Delete`].
    pub fn delete(&self, snapshot: impl Into<SnapshotRef>) -> Delete {
        Delete::new(self.client.clone(), snapshot.into())
    }

    /// Waits until a snapshot that is being made is active, such as one whose creation timed out.
    ///
    /// # Errors
    ///
    /// Once it is awaited, those of [`Wait`].
    pub fn wait(&self, snapshot: impl Into<SnapshotRef>) -> Wait {
        Wait::new(self.client.clone(), snapshot.into())
    }

    /// The build log of a snapshot, whenever it was built. Operation `getSnapshotBuildLogsUrl`.
    ///
    /// # Errors
    ///
    /// Once it is awaited, those of [`BuildLogs`].
    pub fn build_logs(&self, snapshot: impl Into<SnapshotRef>) -> BuildLogs {
        BuildLogs::new(self.client.clone(), snapshot.into())
    }

    /// Which snapshots a policy would delete. Nothing is deleted before [`PrunePlan::apply`].
    ///
    /// # Errors
    ///
    /// The server's refusal of the list.
    pub fn prune(&self, policy: PrunePolicy) -> Call<PrunePlan> {
        Call::new(self.client.clone(), move |scope| prune::plan(scope, policy))
    }

    /// Uploads the local files of a plan, but for what is stored already, and returns their hashes in the order in which
    /// they belong into a request. [`create`](Self::create) does it by itself.
    ///
    /// # Errors
    ///
    /// Kind `LocalFile` for a file that cannot be read or changes meanwhile, `ObjectStorage` for the storage's refusal.
    pub fn process_image_context(&self, plan: &ImagePlan) -> Call<Pushed> {
        let context = Context::from_plan(plan);
        Call::new(self.client.clone(), move |scope| async move {
            upload::upload(&scope.client, &scope.sink, &context, Upload::missing(None)).await
        })
    }
}
