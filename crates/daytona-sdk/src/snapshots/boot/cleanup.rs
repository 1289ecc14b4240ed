//! Deletes the sandbox of a verification, whatever happens to the call.

use std::sync::{Mutex, MutexGuard, PoisonError};
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

/// How long after the request a sandbox may still appear: the server may not have begun to create it.
const LATEST: Duration = Duration::from_secs(40);

/// How long a call waits for a deletion.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a deletion is tried after its call has ended.
pub(super) const LIMIT: Duration = Duration::from_mins(10);

/// A sandbox that has to be deleted. If this value is dropped, a task of its own deletes the sandbox, so a dropped
/// future leaves nothing behind as long as the runtime lives. A sandbox that is left behind anyway stops and is deleted
/// by the server, or a sweep finds it.
#[derive(Debug)]
pub(crate) struct Cleanup {
    client: ApiClient,
    name: String,
    asked: Mutex<Asked>,
    /// Whether the sandbox certainly existed. Then it is gone if it cannot be found.
    was_there: bool,
    runtime: Option<Handle>,
}

/// When the requests were sent that may have created the sandbox.
#[derive(Debug, Default, Clone, Copy)]
struct Asked {
    last: Option<Duration>,
    /// Before the last request.
    before: Option<Duration>,
}

impl Cleanup {
    /// The cleanup of the sandbox of this name, which nobody has requested yet. No other sandbox has this name.
    pub(crate) fn of(client: &ApiClient, name: &str) -> Self {
        Self {
            client: client.clone(),
            name: name.to_owned(),
            asked: Mutex::default(),
            was_there: false,
            runtime: Handle::try_current().ok(),
        }
    }

    /// Notes that the sandbox is being requested.
    pub(crate) fn note_asked(&self) {
        let mut asked = self.asked();
        asked.before = asked.last;
        asked.last = Some(self.client.clock().now());
    }

    /// Notes that the last request will create nothing. An earlier one, whose answer was lost, may still create a
    /// sandbox.
    pub(crate) fn note_refused(&self) {
        let mut asked = self.asked();
        asked.last = asked.before;
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the sandbox is there.
    pub(crate) fn note_there(&mut self) {
        self.was_there = true;
    }

    /// Deletes the sandbox now. A deletion that does not succeed soon continues in the background, because the caller
    /// does not wait for it.
    pub(crate) async fn now(mut self, scope: &Scope) {
        let last = self.asked().last;
        let Some(asked) = last else { return };
        let patience = scope
            .deadline
            .remaining()
            .map_or(PATIENCE, |left| PATIENCE.min(left / 2));
        let deletion = delete(scope, &self.name, asked, self.was_there);
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
        let last = self.asked().last;
        let (Some(runtime), Some(asked)) = (self.runtime.take(), last) else {
            return;
        };
        let (client, name) = (self.client.clone(), std::mem::take(&mut self.name));
        let was_there = self.was_there;
        let deletion = async move {
            let (scope, _delivery) = Scope::begin(&client, Goal::Answer, Options::within(LIMIT));
            let outcome = scope.deadline.enforce(delete(&scope, &name, asked, was_there)).await;
            if let Err(error) = outcome {
                tracing::warn!(%name, %error, "the sandbox of a verification could not be deleted: `sweep` deletes it later");
            }
        };
        runtime.spawn(deletion.in_current_span());
    }
}

/// Deletes a sandbox. Repeats the request while the sandbox is starting, and while it may still appear.
async fn delete(scope: &Scope, name: &str, asked: Duration, was_there: bool) -> Result<(), Error> {
    let clock = scope.client.clock();
    let request = DeleteSandbox::new(name);
    let mut looks = Looks::new(scope);
    loop {
        match looks.next(|| scope.client.call_once(&request, 0)).await {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Err(_) if was_there || clock.now().saturating_sub(asked) >= LATEST => return Ok(()),
            Err(_) => {}
        }
    }
}
