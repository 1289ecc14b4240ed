//! The creation of a snapshot.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use daytona_api::{CreateBuildInfo, CreateSnapshot, RemoveSnapshot, Snapshot, SnapshotId};
use daytona_context::Progress;
use daytona_image::{ImagePlan, RegistryImage};

use super::Boxed;
use super::context;
use super::deadline::{self, Deadline};
use super::delivery::{self, Callbacks, Delivery, Events};
use super::event::{Event, LogLine};
use super::params::{CreateSnapshotParams, Source};
use super::wait::Watching;
use crate::client::Daytona;
use crate::error::{Error, ErrorKind, SnapshotInfo};

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
/// Dropping the future stops the upload or the waiting; what the server has accepted goes on.
///
/// # Errors
///
/// Before any request: kind `InvalidImage`, `InvalidRequest`, `Unsupported`. Then `LocalFile` or `ObjectStorage` for the
/// upload, `AlreadyExists` for a name that is taken, `BuildFailed`, `Gone`, and `WaitTimeout` when the deadline over all of
/// it has passed.
#[must_use = "does nothing until it is awaited"]
pub struct Create {
    client: Daytona,
    params: CreateSnapshotParams,
    limit: Option<Duration>,
    callbacks: Callbacks,
}

impl fmt::Debug for Create {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Create")
            .field("params", &self.params)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Create {
    pub(crate) fn new(client: Daytona, params: CreateSnapshotParams) -> Self {
        Self {
            client,
            params,
            limit: deadline::DEFAULT,
            callbacks: Callbacks::default(),
        }
    }

    /// How long all of it may take: planning, upload, building. Default: 130 minutes, as the server ends a build at 120.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Takes as long as it takes.
    pub fn no_timeout(mut self) -> Self {
        self.limit = None;
        self
    }

    /// Hands over each line of the build log. The function is called on a task of its own: a slow one delays the log, and
    /// neither the polls nor the deadline.
    pub fn on_logs(mut self, callback: impl FnMut(&LogLine) + Send + 'static) -> Self {
        self.callbacks.on_logs = Some(Box::new(callback));
        self
    }

    /// Hands over everything that happens, from the first file to the outcome. Called as [`on_logs`](Self::on_logs) is.
    pub fn on_event(mut self, callback: impl FnMut(&Event) + Send + 'static) -> Self {
        self.callbacks.on_event = Some(Box::new(callback));
        self
    }

    /// Returns as soon as the server has accepted the snapshot; the upload is done then.
    ///
    /// # Errors
    ///
    /// As awaiting it, but for those of the build.
    pub async fn start(self) -> Result<Build, Error> {
        let deadline = Deadline::start(&self.client, self.limit);
        let (events, delivery) = delivery::start(self.callbacks);
        let snapshot = deadline.enforce(submit(&self.client, self.params, &events)).await?;
        deadline.note(SnapshotInfo::of(&snapshot));
        events.put(Event::Accepted {
            id: snapshot.id.clone(),
            name: snapshot.name.clone(),
        });
        Ok(Build {
            client: self.client,
            snapshot,
            deadline,
            events,
            delivery,
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
#[derive(Debug)]
pub struct Build {
    client: Daytona,
    snapshot: Snapshot,
    deadline: Deadline,
    events: Events,
    delivery: Delivery,
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

    /// Waits until it is active. The deadline began with the creation.
    ///
    /// # Errors
    ///
    /// Kind `BuildFailed`, `Gone` or `WaitTimeout`.
    pub async fn wait(self) -> Result<Snapshot, Error> {
        let watching = Watching {
            client: self.client,
            deadline: self.deadline,
            events: self.events,
            delivery: self.delivery,
        };
        watching.until_active(self.snapshot).await
    }

    /// Deletes the snapshot, and with it the build. Operation `removeSnapshot`.
    ///
    /// # Errors
    ///
    /// The server's refusal.
    pub async fn cancel(self) -> Result<(), Error> {
        self.client.call(&RemoveSnapshot::new(self.snapshot.id.as_str())).await
    }
}

/// Everything up to the server's acceptance.
async fn submit(client: &Daytona, params: CreateSnapshotParams, events: &Events) -> Result<Snapshot, Error> {
    if params.name.trim().is_empty() {
        return Err(Error::new(ErrorKind::InvalidRequest, "a snapshot needs a name"));
    }
    let mut request = CreateSnapshot::new(params.name);
    match params.source {
        Source::Registry(image) => {
            let image = RegistryImage::parse(&image)
                .map_err(|error| Error::new(ErrorKind::InvalidRequest, error.to_string()))?;
            request.image_name = Some(image.into());
            request.entrypoint = params.entrypoint.filter(|words| !words.is_empty());
        }
        Source::Image(image) => {
            let image = match params.entrypoint {
                Some(words) => image.entrypoint(words),
                None => image,
            };
            // The walk of a large folder takes its time.
            let planned = tokio::task::spawn_blocking(move || image.plan()).await;
            let plan = planned.map_err(|error| Error::new(ErrorKind::InvalidImage, error.to_string()))??;
            request.build_info = Some(upload(client, &plan, events).await?);
        }
        Source::Plan(_) if params.entrypoint.is_some() => {
            let message = "a plan is sent as it was shown: give its image the entrypoint before it is planned";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        Source::Plan(plan) => request.build_info = Some(upload(client, &plan, events).await?),
    }
    let resources = params.resources;
    request.cpu = resources.cpu;
    request.memory = resources.memory;
    request.disk = resources.disk;
    request.gpu = resources.gpu;
    request.gpu_type = resources.gpu_type.map(|kind| vec![kind]);
    request.region_id = params.region.or_else(|| client.settings().target.clone());
    request.sandbox_class = params.sandbox_class;
    client.call(&request).await
}

async fn upload(client: &Daytona, plan: &ImagePlan, events: &Events) -> Result<CreateBuildInfo, Error> {
    events.put(Event::Planned {
        files: plan.members().len(),
        bytes: plan.total_size(),
        warnings: plan.warnings().to_vec(),
    });
    let (progress, retries) = (events.clone(), events.clone());
    let on_progress = move |step| {
        if let Some(event) = event_of(step) {
            progress.put(event);
        }
    };
    let on_retry = move |reason| retries.put(Event::Retry { reason });
    let hashes = context::process(client, plan, on_progress, on_retry).await?.hashes;
    let mut info = CreateBuildInfo::new(plan.dockerfile());
    info.context_hashes = Some(hashes.iter().map(ToString::to_string).collect());
    Ok(info)
}

fn event_of(progress: Progress) -> Option<Event> {
    Some(match progress {
        Progress::Hashed { hash, size } => Event::Hashed { hash, bytes: size },
        Progress::Skipped { hash, size } => Event::Skipped { hash, bytes: size },
        Progress::Sent { hash, bytes, size } => Event::Sent {
            hash,
            bytes,
            total: size,
        },
        Progress::Stored { hash, size } => Event::Stored { hash, bytes: size },
        _ => return None,
    })
}
