//! The deletion of a sandbox that was started for a smoke boot, whatever happens to the call.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use daytona_api::DeleteSandbox;
use tokio::runtime::Handle;
use tracing::Instrument;

use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind};
use crate::snapshots::events::options::Options;
use crate::snapshots::watch::deadline::Goal;
use crate::snapshots::watch::poll::Looks;
use crate::snapshots::watch::scope::Scope;

/// How long after the request a sandbox may come to be that cannot be seen yet: the server may not have begun with it.
const LATEST: Duration = Duration::from_secs(40);

/// How long a call waits for a deletion.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a deletion is tried when its call has ended.
const LIMIT: Duration = Duration::from_mins(10);

/// A sandbox that has to be deleted. Dropped, it is deleted by a task of its own, so that a future that is dropped in the middle
/// leaves nothing behind as long as the runtime lives. What is left behind all the same stops and goes by itself, and a sweep finds
/// it.
#[derive(Debug)]
pub(crate) struct Cleanup {
    client: ApiClient,
    name: String,
    /// When the sandbox was asked for last.
    asked: Mutex<Duration>,
    known: Presence,
    runtime: Option<Handle>,
}

/// What is known of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// It may come to be as long as the server has not begun with it.
    Possible,
    /// There was one, so that one which is not there is gone.
    Certain,
    /// There is none, and there will be none.
    Excluded,
}

impl Cleanup {
    /// For the sandbox of this name, which is asked for now. Nobody else's has this name.
    pub(crate) fn of(client: &ApiClient, name: &str) -> Self {
        Self {
            client: client.clone(),
            name: name.to_owned(),
            asked: Mutex::new(client.clock().now()),
            known: Presence::Possible,
            runtime: Handle::try_current().ok(),
        }
    }

    /// Notes that the sandbox is being asked for once more.
    pub(crate) fn note_asked(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = self.client.clock().now();
    }

    fn asked(&self) -> Duration {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the sandbox is there.
    pub(crate) fn note_there(&mut self) {
        self.known = Presence::Certain;
    }

    /// Notes that there is no sandbox, and that there will be none.
    pub(crate) fn note_none(&mut self) {
        self.known = Presence::Excluded;
    }

    /// Deletes it now. What does not succeed soon goes on in the background: the caller has waited for something else.
    pub(crate) async fn now(mut self, scope: &Scope) {
        if self.known == Presence::Excluded {
            return;
        }
        let patience = scope
            .deadline
            .remaining()
            .map_or(PATIENCE, |left| PATIENCE.min(left / 2));
        let deletion = delete(scope, &self.name, self.asked(), self.known);
        let outcome = tokio::select! {
            biased;
            outcome = deletion => Some(outcome),
            () = self.client.clock().sleep(patience) => None,
        };
        match outcome {
            Some(Ok(())) => self.runtime = None,
            Some(Err(error)) => scope
                .sink
                .put_retry(format!("sandbox `{}` is not deleted yet: {error}", self.name)),
            None => {}
        }
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take().filter(|_| self.known != Presence::Excluded) else {
            return;
        };
        let (client, name) = (self.client.clone(), std::mem::take(&mut self.name));
        let (asked, known) = (self.asked(), self.known);
        let deletion = async move {
            let (scope, _delivery) = Scope::begin(&client, Goal::Answer, Options::within(LIMIT));
            let outcome = scope.deadline.enforce(delete(&scope, &name, asked, known)).await;
            if let Err(error) = outcome {
                tracing::warn!(%name, %error, "a sandbox of a smoke boot could not be deleted: `sweep` finds it later");
            }
        };
        runtime.spawn(deletion.in_current_span());
    }
}

/// Deletes a sandbox: again and again while it is being started, and until it can be seen if it may still come.
async fn delete(scope: &Scope, name: &str, asked: Duration, known: Presence) -> Result<(), Error> {
    let clock = scope.client.clock();
    let request = DeleteSandbox::new(name);
    let mut looks = Looks::new(scope);
    loop {
        match looks.next(|| scope.client.call_once(&request, 0)).await {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Err(_) if known == Presence::Certain || clock.now().saturating_sub(asked) >= LATEST => return Ok(()),
            Err(_) => {}
        }
    }
}
