//! The snapshot service: what a user calls.

use std::future::Future;
use std::pin::Pin;

use daytona_api::{GetSnapshot, Snapshot};
use daytona_context::{Context, Progress, Pushed};
use daytona_image::ImagePlan;

use crate::api_client::ApiClient;
use crate::error::Error;

mod build_logs;
mod change;
mod context;
mod create;
mod deadline;
mod definition;
mod delivery;
mod ensure;
mod event;
mod events;
mod lines;
mod list;
mod log;
mod options;
mod outcome;
mod params;
mod prune;
mod reference;
mod submission;
mod wait;

pub use build_logs::{BuildLogs, LogEvent, LogStream};
pub use change::{Activate, Deactivate, Delete};
pub use create::{Build, Create};
pub use ensure::Ensure;
pub use event::{Event, LogGap, LogLine};
pub use events::EventStream;
pub use list::{ListSnapshots, SnapshotStream};
pub use params::{CreateSnapshotParams, Resources, Source};
pub use prune::{PrunePlan, PrunePolicy, PruneReport};
pub use reference::SnapshotRef;
pub use wait::Wait;

/// A call under way, independent of what it was made from.
pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// The snapshots of an organization. Cheap to clone.
///
/// Calls return values that do nothing until they are awaited; options are set before that.
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
    pub fn get(&self, snapshot: impl Into<SnapshotRef>) -> Boxed<Snapshot> {
        let (client, snapshot) = (self.client.clone(), snapshot.into());
        Box::pin(async move {
            let found = client.call(&GetSnapshot::new(snapshot.as_str())).await?;
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

    /// Starts to activate an inactive snapshot; with [`Activate::wait`], until it is active. Operation
    /// `activateSnapshot`.
    ///
    /// # Errors
    ///
    /// Once it is awaited, those of [`Activate`].
    pub fn activate(&self, snapshot: impl Into<SnapshotRef>) -> Activate {
        Activate::new(self.client.clone(), snapshot.into())
    }

    /// Deactivates a snapshot, in whatever state it is. Operation `deactivateSnapshot`.
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
    pub fn prune(&self, policy: PrunePolicy) -> Boxed<PrunePlan> {
        Box::pin(prune::plan(self.client.clone(), policy))
    }

    /// Uploads the local files of a plan, but for what is stored already, and returns their hashes in the order in which
    /// they belong into a request. [`create`](Self::create) does it by itself.
    ///
    /// # Errors
    ///
    /// Kind `LocalFile` for a file that cannot be read or changes meanwhile, `ObjectStorage` for the storage's refusal.
    pub fn process_image_context(&self, plan: &ImagePlan) -> Boxed<Pushed> {
        let (client, context) = (self.client.clone(), Context::from_plan(plan));
        Box::pin(async move { context::process(&client, &context, false, |_: Progress| {}, |_| {}).await })
    }
}
