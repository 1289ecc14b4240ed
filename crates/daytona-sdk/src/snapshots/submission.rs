//! A snapshot on its way to the server: planned, uploaded, posted.

use daytona_api::{CreateBuildInfo, CreateSnapshot, GetSnapshot, Operation, Snapshot};
use daytona_context::{Context, Progress};
use daytona_image::{ImagePlan, RegistryImage};

use super::context;
use super::definition;
use super::delivery::Sink;
use super::event::Event;
use super::params::{CreateSnapshotParams, Source};
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind, SnapshotInfo};
use crate::retry::Budget;

/// A request to create a snapshot, and the files that it needs.
#[derive(Debug)]
pub(crate) struct Submission {
    client: ApiClient,
    sink: Sink,
    request: CreateSnapshot,
    context: Context,
    /// Whether an archive was not sent because it was stored.
    has_skipped: bool,
}

impl Submission {
    /// Checks and plans; sends nothing.
    pub(crate) async fn prepare(client: &ApiClient, params: CreateSnapshotParams, sink: &Sink) -> Result<Self, Error> {
        if params.name.trim().is_empty() {
            return Err(Error::new(ErrorKind::InvalidRequest, "a snapshot needs a name"));
        }
        let mut request = CreateSnapshot::new(params.name);
        let plan: Option<ImagePlan> = match params.source {
            Source::Registry(image) => {
                let image = RegistryImage::parse(&image)
                    .map_err(|error| Error::new(ErrorKind::InvalidRequest, error.to_string()))?;
                request.image_name = Some(image.into());
                request.entrypoint = params.entrypoint.filter(|words| !words.is_empty());
                None
            }
            Source::Image(image) => {
                let image = match params.entrypoint {
                    Some(words) => image.entrypoint(words),
                    None => image,
                };
                // The walk of a large folder takes its time.
                let planned = tokio::task::spawn_blocking(move || image.plan()).await;
                Some(planned.map_err(|error| Error::new(ErrorKind::InvalidImage, error.to_string()))??)
            }
            Source::Plan(_) if params.entrypoint.is_some() => {
                let message = "a plan is sent as it was shown: give its image the entrypoint before it is planned";
                return Err(Error::new(ErrorKind::InvalidRequest, message));
            }
            Source::Plan(plan) => Some(plan),
        };
        let resources = params.resources;
        request.cpu = resources.cpu;
        request.memory = resources.memory;
        request.disk = resources.disk;
        request.gpu = resources.gpu;
        request.gpu_type = resources.gpu_type.map(|kind| vec![kind]);
        request.region_id = params.region.or_else(|| client.settings().target.clone());
        request.sandbox_class = params.sandbox_class;
        let context = plan.as_ref().map(Context::from_plan).unwrap_or_default();
        if !context.archives().is_empty() {
            context::check_supported(client)?;
        }
        if let Some(plan) = &plan {
            let mut info = CreateBuildInfo::new(plan.dockerfile());
            // As many as there will be, to know the size of the request before anything is sent.
            info.context_hashes = Some(vec!["0".repeat(64); context.archives().len()]);
            request.build_info = Some(info);
            sink.put(Event::Planned {
                files: plan.members().len(),
                bytes: plan.total_size(),
                warnings: plan.warnings().to_vec(),
            });
        }
        let body = request
            .body()
            .map_err(|error| Error::new(ErrorKind::InvalidRequest, error.to_string()))?;
        client.check_body(body.map_or(0, |body| body.len()))?;
        Ok(Self {
            client: client.clone(),
            sink: sink.clone(),
            request,
            context,
            has_skipped: false,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.request.name
    }

    /// Whether the server makes the other one by the same build as this.
    pub(crate) fn is_same_build(&self, other: &Snapshot) -> bool {
        definition::is_same_build(&self.request, other)
    }

    /// Whether a failure for want of an archive can be helped by sending it.
    pub(crate) fn has_skipped(&self) -> bool {
        self.has_skipped
    }

    /// Uploads what is not stored, or everything.
    pub(crate) async fn upload(&mut self, is_again: bool) -> Result<(), Error> {
        let (progress, retries) = (self.sink.clone(), self.sink.clone());
        let on_progress = move |step| {
            if let Some(event) = event_of(step) {
                progress.put(event);
            }
        };
        let on_retry = move |reason: String| retries.put_retry(reason);
        let pushed = context::process(&self.client, &self.context, is_again, on_progress, on_retry).await?;
        self.has_skipped = pushed.skipped > 0;
        self.set_hashes(&pushed.hashes);
        Ok(())
    }

    fn set_hashes(&mut self, hashes: &[daytona_context::Digest]) {
        if let Some(info) = &mut self.request.build_info {
            info.context_hashes = Some(hashes.iter().map(ToString::to_string).collect());
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
        let hashes = self.context.digests().await?;
        self.set_hashes(&hashes);
        Ok(definition::differences(&self.request, found))
    }

    /// Posts the request; the upload has to be done.
    ///
    /// A request whose answer is lost may have been carried out: then the name is looked for, and a snapshot of this very
    /// definition is taken to be the one.
    pub(crate) async fn post(&self) -> Result<Snapshot, Error> {
        let mut budget = Budget::new();
        let mut may_be_done = false;
        let accepted = loop {
            let on_retry = |error: &Error| self.sink.put_retry(error);
            let error = match self.client.call_with(&self.request, on_retry).await {
                Ok(accepted) => break accepted,
                Err(error) => error,
            };
            let is_taken = error.kind() == ErrorKind::AlreadyExists;
            if !is_taken && !may_have_been_done(&error) {
                return Err(error);
            }
            match self.find().await {
                Ok(Some(found)) => {
                    let differences = definition::differences(&self.request, &found);
                    if differences.is_empty() && (may_be_done || !is_taken) {
                        self.sink
                            .put_retry(format!("{error}; the snapshot is there all the same"));
                        break found;
                    }
                    return Err(taken(&error, &found, &differences));
                }
                Ok(None) if is_taken => return Err(taken_invisibly(&error, self.name())),
                Ok(None) if error.kind() == ErrorKind::ServerError => return Err(error),
                Ok(None) => {
                    may_be_done = true;
                    let Some(wait) = budget.next(&error, self.client.clock()) else {
                        return Err(error.with_attempts(budget.spent() + 1));
                    };
                    self.sink.put_retry(&error);
                    self.client.clock().sleep(wait).await;
                }
                Err(_) if is_taken => return Err(error),
                Err(other) => {
                    let message = format!(
                        "{}; whether snapshot `{}` was created all the same could not be learned: {}",
                        error.without_hint(),
                        self.name(),
                        other.without_hint()
                    );
                    return Err(Error::new(error.kind(), message)
                        .with_hint_of(&error)
                        .with_source(error));
                }
            }
        };
        self.sink.put(Event::Accepted {
            id: accepted.id.clone(),
            name: accepted.name.clone(),
        });
        Ok(accepted)
    }

    /// The snapshot of this name, if there is one.
    pub(crate) async fn find(&self) -> Result<Option<Snapshot>, Error> {
        let on_retry = |error: &Error| self.sink.put_retry(error);
        match self.client.call_with(&GetSnapshot::new(self.name()), on_retry).await {
            // A name can look like the id of another one.
            Ok(found) => Ok((found.name == self.name()).then_some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether the server may have done what it was asked for, although the answer says otherwise or there was none.
fn may_have_been_done(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Connection => !error.is_unsent(),
        ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::ServerError | ErrorKind::Decode => true,
        ErrorKind::NotAnApi => error.status().is_some_and(|status| (200..300).contains(&status)),
        _ => false,
    }
}

fn taken(error: &Error, found: &Snapshot, differences: &[String]) -> Error {
    let how = if differences.is_empty() {
        "is of the same definition: `ensure` takes it".to_owned()
    } else {
        format!(
            "is of another definition, as {}: choose another name, or delete it",
            differences.join("; ")
        )
    };
    let message = format!(
        "the name `{}` is taken: snapshot {} already exists, is {} and {how}",
        found.name, found.id, found.state
    );
    Error::new(ErrorKind::AlreadyExists, message)
        .with_answer_of(error)
        .with_snapshot(SnapshotInfo::of(found))
}

pub(crate) fn taken_invisibly(error: &Error, name: &str) -> Error {
    let message = format!(
        "the name `{name}` is taken, but no snapshot of it can be seen; it may be about to be removed: try again in a while, \
         or choose another name"
    );
    Error::new(ErrorKind::NameReserved, message).with_answer_of(error)
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
