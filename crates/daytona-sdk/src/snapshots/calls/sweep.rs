//! Deletes sandboxes that verifications have left behind.

use daytona_api::{DeleteSandbox, ListSandboxes, Sandbox};

use super::deletions;
use crate::error::{Error, ErrorKind};
use crate::snapshots::boot::{mark, sandboxes};
use crate::snapshots::watch::scope::Scope;

/// What [`sweep`](crate::SnapshotService::sweep) has done with the sandboxes that earlier calls left behind.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// let report = daytona.snapshots().sweep().await?;
/// for (sandbox, error) in &report.failed {
///     eprintln!("{} was not deleted: {error}", sandbox.name);
/// }
/// report.into_result()?; // an error if anything failed or was not tried
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use = "sandboxes that could not be deleted are listed here"]
#[non_exhaustive]
pub struct SweepReport {
    /// The sandboxes that were deleted.
    pub deleted: Vec<Sandbox>,
    /// The sandboxes that could not be deleted, and why. Kind `Busy` if the sandbox's runner does not answer. If the
    /// timeout passed during a deletion, that sandbox is here with kind `WaitTimeout`, and may be gone.
    pub failed: Vec<(Sandbox, Error)>,
    /// The sandboxes that were not tried before the timeout passed.
    pub not_tried: Vec<Sandbox>,
}

impl SweepReport {
    /// Returns the report if every sandbox was deleted.
    ///
    /// # Errors
    ///
    /// The kind is that of the first sandbox that could not be deleted, and the message says how many there are. Kind
    /// `WaitTimeout` if no deletion failed, but the timeout passed before all were tried.
    pub fn into_result(mut self) -> Result<Self, Error> {
        let failed = std::mem::take(&mut self.failed).into_iter();
        let failed = failed.map(|(sandbox, error)| (sandbox.name, error)).collect();
        deletions::check("sandboxes", failed, self.not_tried.len())?;
        Ok(self)
    }
}

/// Deletes the sandboxes whose time has passed.
pub(crate) async fn sweep(scope: Scope) -> Result<SweepReport, Error> {
    let (client, deadline) = (&scope.client, &scope.deadline);
    let mut request = ListSandboxes::new();
    request.labels = Some(mark::filter());
    let found = deadline.enforce(sandboxes::all(client, request)).await?;
    // The labels hold the server's time, because the machines that made them may have other clocks.
    let now = client.timestamp();
    let mut report = SweepReport::default();
    for sandbox in found.into_iter().filter(|sandbox| mark::is_left_behind(sandbox, now)) {
        if deadline.has_passed() {
            report.not_tried.push(sandbox);
            continue;
        }
        let request = DeleteSandbox::new(sandbox.id.as_str());
        match deadline.enforce(client.call(&request)).await {
            Ok(_) => report.deleted.push(sandbox),
            Err(error) if error.kind() == ErrorKind::NotFound => report.deleted.push(sandbox),
            Err(error) => report.failed.push((sandbox, error)),
        }
    }
    Ok(report)
}
