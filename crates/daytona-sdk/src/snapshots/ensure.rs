//! Get or create.

use std::future::IntoFuture;
use std::time::Duration;

use daytona_api::{ActivateSnapshot, RemoveSnapshot, Snapshot, SnapshotState};

use super::Boxed;
use super::create::Making;
use super::deadline::{Deadline, Purpose};
use super::delivery::{self, Delivery, Sink};
use super::event::Event;
use super::events::EventStream;
use super::options::{Options, option_methods};
use super::outcome::{self, Outcome, Remedy};
use super::params::CreateSnapshotParams;
use super::submission::Submission;
use super::wait::{self, Interval, Watch};
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind, SnapshotInfo};
use crate::trace;

/// How long a name that is taken by something that cannot be seen is waited for; a removal takes about ten seconds.
const INVISIBLE_LIMIT: Duration = Duration::from_mins(1);

/// How long another build of the same definition is waited for that cannot be seen: that of a deleted snapshot goes on. The
/// server ends every build after 120 minutes.
const TWIN_LIMIT: Duration = Duration::from_mins(125);

/// How often somebody else may change what is there before an ensuring gives up.
const MOST_TURNS: u32 = 10;

/// Makes sure that a snapshot of this definition is there and active, once it is awaited.
///
/// | what is there under the name | what happens |
/// |---|---|
/// | nothing | it is created |
/// | active, same definition | it is returned: one request |
/// | inactive, same definition | it is activated and waited for |
/// | in progress, same definition | it is waited for |
/// | being removed | its end is waited for, then it is created |
/// | failed | error `BuildFailed`; with [`replace`](Self::replace) it is deleted and created |
/// | another definition | error `DefinitionMismatch`, which says what differs; with [`replace`](Self::replace) it is deleted and created, unless it is in progress |
///
/// The definition is the Dockerfile's text or the image, the hashes of the files, the entrypoint, and the resources that are
/// given. Several of these calls at once, on whatever machines, come to the same snapshot.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// use daytona_sdk::{CreateSnapshotParams, Image};
///
/// let image = Image::debian_slim("3.12").add_local_dir("app", "/app");
/// let snapshot = daytona.snapshots().ensure(CreateSnapshotParams::new("my-app", image)).replace().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As those of [`Create`](super::Create); then kind `DefinitionMismatch`, `Cooldown` for an inactive snapshot that cannot be activated
/// yet, and `NameReserved`.
#[derive(Debug)]
#[must_use = "does nothing until it is awaited"]
pub struct Ensure {
    client: ApiClient,
    params: CreateSnapshotParams,
    may_replace: bool,
    options: Options,
}

impl Ensure {
    pub(crate) fn new(client: ApiClient, params: CreateSnapshotParams) -> Self {
        Self {
            options: Options::new(&client),
            client,
            params,
            may_replace: false,
        }
    }

    /// Deletes a snapshot of the name that has failed or is of another definition, waits until the name is free, and creates it
    /// anew. It is deleted by the id of what was looked at, and never while it is being made.
    pub fn replace(mut self) -> Self {
        self.may_replace = true;
        self
    }

    option_methods!();

    /// Everything that happens as a stream, as [`Create::events`](super::Create::events).
    pub fn events(mut self) -> EventStream {
        let callbacks = std::mem::take(&mut self.options.callbacks);
        EventStream::new(callbacks, move |sink| Box::pin(self.run(sink, Delivery::default())))
    }

    async fn run(self, sink: Sink, delivery: Delivery) -> Result<Snapshot, Error> {
        let span = trace::whole("ensure", self.params.name());
        let running = async {
            let deadline = Deadline::start(&self.client, Purpose::Active, self.options.limit);
            let preparing = Submission::prepare(&self.client, self.params, &sink);
            let submission = deadline.enforce(preparing).await?;
            let watch = Watch::new(self.client, deadline, sink);
            let mut ensuring = Ensuring {
                making: Making { watch, submission },
                may_replace: self.may_replace,
            };
            let outcome = ensuring.run().await;
            let Making { watch, submission } = ensuring.making;
            // It holds a sink too.
            drop(submission);
            watch.conclude(outcome, delivery).await
        };
        trace::within(&span, running).await
    }
}

impl IntoFuture for Ensure {
    type Output = Result<Snapshot, Error>;
    type IntoFuture = Boxed<Snapshot>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            let (sink, delivery) = delivery::start(std::mem::take(&mut self.options.callbacks));
            self.run(sink, delivery).await
        })
    }
}

struct Ensuring {
    making: Making,
    may_replace: bool,
}

/// What a turn came to.
enum Turn {
    /// The snapshot is active.
    Done(Snapshot),
    /// It is being made; this was the last that was seen.
    InProgress(Snapshot),
    /// It was accepted from this very call.
    Accepted(Snapshot),
    /// What was there is there no more, or has changed.
    Again,
    /// The name is taken by something that cannot be seen.
    Invisible(Error),
}

impl Ensuring {
    async fn run(&mut self) -> Result<Snapshot, Error> {
        let client = self.making.watch.client.clone();
        let deadline = self.making.watch.deadline.clone();
        let mut interval = Interval::new();
        let mut invisible_since = None;
        let mut twin_since = None;
        let mut failure: Option<Error> = None;
        let mut turns = 0;
        while turns < MOST_TURNS {
            let turn = deadline
                .enforce(self.turn())
                .await
                .map_err(|error| match failure.take() {
                    // The same failure, with the last lines of its log.
                    Some(seen) if error.kind() == ErrorKind::BuildFailed && seen.snapshot() == error.snapshot() => seen,
                    _ => error,
                });
            let wished = match turn? {
                Turn::Done(snapshot) => return Ok(snapshot),
                Turn::Accepted(accepted) => match self.making.until_active(accepted).await {
                    Err(error) if Remedy::of(&error) == Some(Remedy::AfterTwin) => {
                        if has_passed(&mut twin_since, TWIN_LIMIT, &client) {
                            return Err(error);
                        }
                        None
                    }
                    outcome => return outcome,
                },
                Turn::InProgress(found) => match self.making.watch.until_active(found).await {
                    // What somebody else's call came to is looked at again, by the rules for what is there.
                    Err(error) if matches!(error.kind(), ErrorKind::BuildFailed | ErrorKind::Gone) => {
                        failure = Some(error);
                        turns += 1;
                        continue;
                    }
                    outcome => return outcome,
                },
                Turn::Again => {
                    turns += 1;
                    continue;
                }
                Turn::Invisible(error) if has_passed(&mut invisible_since, INVISIBLE_LIMIT, &client) => {
                    return Err(error);
                }
                Turn::Invisible(error) => error.retry_after(),
            };
            let pause = async {
                interval.sleep(&client, wished).await;
                Ok(())
            };
            deadline.enforce(pause).await?;
        }
        let message = format!(
            "snapshot `{}` changed {MOST_TURNS} times while it was ensured: somebody else creates and deletes it",
            self.making.submission.name()
        );
        Err(Error::new(ErrorKind::Gone, message))
    }

    /// Looks at what is there, and does what there is to do.
    async fn turn(&mut self) -> Result<Turn, Error> {
        let Some(found) = self.making.submission.find().await? else {
            return self.create().await;
        };
        self.making.watch.deadline.note(SnapshotInfo::of(&found));
        let client = self.making.watch.client.clone();
        let outcome = Outcome::of(&found.state);
        if found.state == SnapshotState::Removing {
            self.until_gone(&found).await?;
            return Ok(Turn::Again);
        }
        if outcome == Outcome::Failed {
            let error = outcome::failed(&found);
            // What failed because of another build says nothing about the definition.
            let is_twin = Remedy::of(&error).is_some() && self.making.submission.is_same_definition(&found).await?;
            if !self.may_replace && !is_twin {
                return Err(error);
            }
            return self.replace(&found).await;
        }
        let differences = self.making.submission.differences(&found).await?;
        if !differences.is_empty() {
            // A general snapshot of the same name does not keep the organization from having its own.
            if found.general == Some(true) {
                return self.create().await;
            }
            if self.may_replace && outcome != Outcome::Progress {
                return self.replace(&found).await;
            }
            return Err(different(&found, &differences, outcome));
        }
        match outcome {
            Outcome::Ready => Ok(Turn::Done(found)),
            Outcome::Progress => Ok(Turn::InProgress(found)),
            _ => match client.call(&ActivateSnapshot::new(found.id.as_str())).await {
                Ok(activated) => Ok(Turn::InProgress(activated)),
                // Somebody else was faster.
                Err(error) if matches!(error.kind(), ErrorKind::AlreadyActive | ErrorKind::NotFound) => Ok(Turn::Again),
                Err(error) if error.kind() == ErrorKind::Rejected && is_state_refusal(&error) => Ok(Turn::Again),
                Err(error) => Err(error.with_snapshot(SnapshotInfo::of(&found))),
            },
        }
    }

    async fn create(&mut self) -> Result<Turn, Error> {
        let submission = &mut self.making.submission;
        submission.upload(false).await?;
        match submission.post().await {
            Ok(accepted) => {
                self.making.watch.deadline.note(SnapshotInfo::of(&accepted));
                Ok(Turn::Accepted(accepted))
            }
            // Somebody else was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Turn::Again),
            Err(error) if error.kind() == ErrorKind::NameReserved => Ok(Turn::Invisible(error)),
            Err(error) => Err(error),
        }
    }

    async fn replace(&mut self, found: &Snapshot) -> Result<Turn, Error> {
        let client = self.making.watch.client.clone();
        match client.call(&RemoveSnapshot::new(found.id.as_str())).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed.map_err(|error| error.with_snapshot(SnapshotInfo::of(found)))?,
        }
        self.making.watch.sink.put(Event::Recreated {
            reason: format!("snapshot {} is replaced", found.id),
        });
        self.until_gone(found).await?;
        self.create().await
    }

    async fn until_gone(&self, found: &Snapshot) -> Result<(), Error> {
        let Watch { client, deadline, .. } = &self.making.watch;
        wait::until_gone(client, deadline, &found.id).await
    }
}

/// Whether something has lasted longer than the limit; it begins when this is asked first.
fn has_passed(since: &mut Option<Duration>, limit: Duration, client: &ApiClient) -> bool {
    let now = client.clock().now();
    now.saturating_sub(*since.get_or_insert(now)) > limit
}

/// Whether an activation was refused because of the state, which somebody else has changed meanwhile.
fn is_state_refusal(error: &Error) -> bool {
    error
        .server_message()
        .is_some_and(|text| text.contains("cannot be activated"))
}

fn different(found: &Snapshot, differences: &[String], outcome: Outcome) -> Error {
    let way_out = if outcome == Outcome::Progress {
        "it is being made: wait until that has ended"
    } else {
        "choose another name, or let `ensure` replace it"
    };
    let message = format!(
        "snapshot `{}` is there and is not what was asked for: {}; {way_out}",
        found.name,
        differences.join("; ")
    );
    Error::new(ErrorKind::DefinitionMismatch, message).with_snapshot(SnapshotInfo::of(found))
}
