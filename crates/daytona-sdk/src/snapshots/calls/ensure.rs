//! Returns the snapshot of a definition, or creates it.

use std::future::IntoFuture;

use daytona_api::Snapshot;

use super::call::Boxed;
use crate::api_client::ApiClient;
use crate::error::Error;
use crate::snapshots::build::making::MOST_RECREATIONS;
use crate::snapshots::build::params::CreateSnapshotParams;
use crate::snapshots::events::options::{Options, build_option_methods};
use crate::snapshots::events::stream::EventStream;
use crate::snapshots::watch::deadline::Goal;
use crate::snapshots::watch::scope::{self, Scope};
use ensuring::ensure;

mod ensuring;

/// When awaited, makes sure that there is an active snapshot of this definition.
///
/// | what is there under the name | what happens |
/// |---|---|
/// | nothing | it is created |
/// | active, same definition | it is returned: one request |
/// | inactive, same definition | it is activated and waited for |
/// | in progress, same definition | it is waited for |
/// | being removed | `ensure` waits until it is gone, then creates it |
/// | failed | error `BuildFailed`; with [`replace`](Self::replace) it is deleted and created |
/// | failed because the same definition was already being built | its owner has a minute to create it again; after that, as for "failed" |
/// | another definition | error `DefinitionMismatch`, which says what differs; with [`replace`](Self::replace) it is deleted and created, once nobody is making it any more |
///
/// The definition is the Dockerfile's text (or the image), the hashes of the files and the entrypoint, plus resources,
/// class and region where you set them (the client's `target` counts as a region). Several of these calls at once, on
/// any machines, return the same snapshot. If somebody else changes the snapshot, `ensure` looks again, until the
/// deadline.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// use daytona_sdk::{CreateSnapshotParams, Image};
///
/// let image = Image::debian_slim("3.12").add_local_dir("app", "/app");
/// let params = CreateSnapshotParams::new("my-app", image);
/// let snapshot = daytona.snapshots().ensure(params).replace().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The errors of [`Create`](super::create::Create). Kind `DefinitionMismatch` if the definition differs. Kind
/// `Cooldown` if the snapshot is inactive and cannot be activated yet. Kind `NameReserved` if something that cannot be
/// seen has the name for more than five minutes.
#[derive(Debug)]
#[must_use = "does nothing until it is awaited"]
pub struct Ensure {
    client: ApiClient,
    params: CreateSnapshotParams,
    may_replace: bool,
    recreations: u32,
    is_verified: bool,
    options: Options,
}

impl Ensure {
    pub(crate) fn new(client: ApiClient, params: CreateSnapshotParams) -> Self {
        Self {
            options: Options::within(client.settings().operation_timeout),
            client,
            params,
            may_replace: false,
            recreations: MOST_RECREATIONS,
            is_verified: false,
        }
    }

    /// Proves that the snapshot starts before it is returned, even if it existed before. See
    /// [`Create::verified`](crate::Create::verified).
    ///
    /// # Errors
    ///
    /// Also the errors of [`verify`](crate::SnapshotService::verify).
    pub fn verified(mut self) -> Self {
        self.is_verified = true;
        self
    }

    /// If the snapshot of this name has failed or has another definition, deletes it, waits until the name is free, and
    /// creates a new one. The SDK deletes by id, so a newer snapshot of the same name is safe. It never deletes a
    /// snapshot that is being made: it waits until that is done, and then for another minute, so that the call that made
    /// it sees it.
    pub fn replace(mut self) -> Self {
        self.may_replace = true;
        self
    }

    build_option_methods!();

    /// How often a snapshot that this call has created may be deleted and created again. See
    /// [`Create::max_recreations`](crate::Create::max_recreations). Default: 100.
    pub fn max_recreations(mut self, times: u32) -> Self {
        self.recreations = times;
        self
    }

    /// Returns all events as a stream. See [`Create::events`](crate::Create::events).
    pub fn events(mut self) -> EventStream {
        let callbacks = std::mem::take(&mut self.options.callbacks);
        EventStream::new(callbacks, move |sink| {
            let scope = Scope::with_sink(&self.client, Goal::Active, self.options.limit, sink);
            let Self {
                params,
                may_replace,
                recreations,
                is_verified,
                ..
            } = self;
            Box::pin(ensure(scope, params, may_replace, recreations, is_verified))
        })
    }
}

impl IntoFuture for Ensure {
    type Output = Result<Snapshot, Error>;
    type IntoFuture = Boxed<Snapshot>;

    fn into_future(self) -> Self::IntoFuture {
        let Self {
            client,
            params,
            may_replace,
            recreations,
            is_verified,
            options,
        } = self;
        Box::pin(async move {
            scope::run(&client, Goal::Active, options, |scope| {
                ensure(scope, params, may_replace, recreations, is_verified)
            })
            .await
        })
    }
}
