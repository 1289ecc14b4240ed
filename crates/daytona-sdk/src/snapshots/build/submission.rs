//! Submits a snapshot to the server: plans, uploads, sends the request.

use std::future::ready;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use daytona_api::{CreateBuildInfo, CreateSnapshot, GetSnapshot, Operation, Snapshot};
use daytona_context::{Context, Digest};
use daytona_image::{Cancellation, Image, ImagePlan, PlanOptions};

use super::definition::{self, Definition};
use super::params::{CreateSnapshotParams, Name};
use super::request::{Origin, request_of};
use super::upload::{self, Access, Upload};
use crate::error::{Error, ErrorKind};
use crate::snapshots::events::event::Event;
use crate::snapshots::watch::scope::Scope;

mod posting;

/// The first step of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Upload the files.
    Upload,
    /// Compare it with the existing snapshot, and perhaps upload nothing.
    Compare,
}

/// A request to create a snapshot, and the files that it needs.
pub(crate) struct Submission {
    scope: Scope,
    request: CreateSnapshot,
    name: Name,
    context: Context,
    /// The index of hashes, if the caller wants one.
    index: Option<PathBuf>,
    /// Whether an archive was not sent because it was stored.
    has_skipped: bool,
    /// Whether the request has the hashes of its files.
    is_hashed: bool,
}

/// A snapshot that the server is making because of a submission.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) snapshot: Snapshot,
    /// Whether the server has said that this very request created it. If not, it may be somebody else's.
    pub(crate) is_own: bool,
    /// When that was.
    pub(crate) at: Duration,
}

impl Submission {
    /// Checks and plans. Creates and stores nothing. If an upload certainly comes next, push access is requested at the
    /// same time, and returned too.
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
        // As many as there will be, so that the size of the request is known before anything is sent.
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

    /// Reads and hashes the files, once, for the definition. The upload hashes them again, except those in the index.
    pub(crate) async fn hash(&mut self) -> Result<Definition, Error> {
        if !self.is_hashed {
            let hashes = upload::digests(&self.context, self.index.as_deref()).await?;
            self.set_hashes(&hashes);
        }
        Ok(Definition::of(&self.request))
    }

    /// Sets the name of the request, if the name depends on the hashes.
    pub(crate) async fn complete_name(&mut self) -> Result<(), Error> {
        if matches!(self.name, Name::AfterContent(_)) {
            self.hash().await?;
        }
        Ok(())
    }

    /// Whether the server uses the same build for the other snapshot.
    pub(crate) fn is_same_build(&self, other: &Snapshot) -> bool {
        definition::is_same_build(&self.request, other)
    }

    /// Whether the failure means that an archive is missing, and uploading it can help.
    pub(crate) fn has_skipped(&self) -> bool {
        self.has_skipped
    }

    /// Uploads the files.
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

    /// Whether an existing snapshot has this very definition.
    pub(crate) async fn is_same_definition(&mut self, found: &Snapshot) -> Result<bool, Error> {
        Ok(self.differences(found).await?.is_empty())
    }

    /// How an existing snapshot differs from this one. The files are read only if nothing else differs.
    pub(crate) async fn differences(&mut self, found: &Snapshot) -> Result<Vec<String>, Error> {
        let differences = definition::text_differences(&self.request, found);
        if !differences.is_empty() {
            return Ok(differences);
        }
        self.hash().await?;
        Ok(definition::differences(&self.request, found))
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

    /// Like [`find`](Self::find), with one request.
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
        let found = self.scope.request(&GetSnapshot::new(self.name())).await;
        self.of_this_name(found)
    }
}

/// Plans an image while push access is requested. A problem of the plan takes precedence, and ends both.
async fn planned_beside(image: Image, mut access: Access) -> Result<(ImagePlan, Access), Error> {
    let mut planning = pin!(planned(image));
    tokio::select! {
        biased;
        plan = &mut planning => Ok((plan?, access)),
        had = &mut access => Ok((planning.await?, Box::pin(ready(had)))),
    }
}

/// Plans an image on a thread of its own, because the walk of a large directory takes time.
///
/// If this future is dropped, the thread stops at its next step, so that it does not keep the program alive.
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
