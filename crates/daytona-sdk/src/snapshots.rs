//! The snapshot service: what a user calls.

use std::future::Future;
use std::pin::Pin;

use daytona_api::{GetSnapshot, Snapshot, SnapshotId};
use daytona_context::{Progress, Pushed};
use daytona_image::ImagePlan;

use crate::client::Daytona;
use crate::error::Error;

mod change;
mod context;
mod create;
mod deadline;
mod delivery;
mod event;
mod follow;
mod lines;
mod list;
mod outcome;
mod params;
mod reference;
mod wait;

pub use change::{Activate, Deactivate, Delete};
pub use create::{Build, Create};
pub use event::{Event, LogLine};
pub use list::ListSnapshots;
pub use params::{CreateSnapshotParams, Resources, Source};
pub use reference::SnapshotRef;
pub use wait::Wait;

/// A call under way, independent of what it was made from.
type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// The snapshots of an organization. Cheap to clone.
///
/// Calls return values that do nothing until they are awaited; options are set before that.
#[derive(Debug, Clone)]
pub struct SnapshotService {
    client: Daytona,
}

impl SnapshotService {
    pub(crate) fn new(client: Daytona) -> Self {
        Self { client }
    }

    /// One page of the snapshots of the organization and of the general ones. Operation `getAllSnapshots`.
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
    pub fn create(&self, params: CreateSnapshotParams) -> Create {
        Create::new(self.client.clone(), params)
    }

    /// Starts to activate an inactive snapshot; with [`Activate::wait`], until it is active. Operation
    /// `activateSnapshot`.
    pub fn activate(&self, snapshot: impl Into<SnapshotRef>) -> Activate {
        Activate::new(self.client.clone(), snapshot.into())
    }

    /// Deactivates a snapshot, in whatever state it is. Operation `deactivateSnapshot`.
    pub fn deactivate(&self, snapshot: impl Into<SnapshotRef>) -> Deactivate {
        Deactivate::new(self.client.clone(), snapshot.into())
    }

    /// Deletes a snapshot; with [`Delete::wait`], until its name is free. Operation `removeSnapshot`.
    pub fn delete(&self, snapshot: impl Into<SnapshotRef>) -> Delete {
        Delete::new(self.client.clone(), snapshot.into())
    }

    /// Waits until a snapshot that is being made is active, such as one whose creation timed out.
    pub fn wait(&self, id: SnapshotId) -> Wait {
        Wait::new(self.client.clone(), id)
    }

    /// Uploads the local files of a plan, but for what is stored already, and returns their hashes in the order in which
    /// they belong into a request. [`create`](Self::create) does it by itself.
    ///
    /// # Errors
    ///
    /// Kind `LocalFile` for a file that cannot be read or changes meanwhile, `ObjectStorage` for the storage's refusal.
    pub fn process_image_context(&self, plan: &ImagePlan) -> Boxed<Pushed> {
        let (client, plan) = (self.client.clone(), plan.clone());
        Box::pin(async move { context::process(&client, &plan, |_: Progress| {}, |_| {}).await })
    }
}
