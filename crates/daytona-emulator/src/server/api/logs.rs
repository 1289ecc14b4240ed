//! The address of a build log, and the deprecated relay.

use std::sync::Arc;
use std::time::Duration;

use daytona_api::SnapshotState;
use http::request::Parts;
use serde_json::json;

use super::answer::{Answer, Handled};
use super::snapshots::{find_owned, not_read};
use crate::base::clock::after;
use crate::state::account::Caller;
use crate::state::core::Core;
use crate::state::log_stream::{End, follow};
use crate::wire::address::base_url;

/// How long the address is waited for until a runner is assigned.
const ASSIGNMENT_WAIT: Duration = Duration::from_secs(30);

pub(super) async fn address(core: &Arc<Core>, parts: &Parts, caller: &Caller, id: &str) -> Handled {
    let deadline = after(core.clock.now(), ASSIGNMENT_WAIT);
    let mut changes = core.watch();
    loop {
        core.settle().await;
        {
            let world = core.world();
            let record = find_owned(&world, caller, id)?;
            let now = core.clock.now();
            if world.is_hidden(record, now) {
                return Err(not_read(&world, id, now));
            }
            if record.id.as_str() != id {
                if record.id.as_str().eq_ignore_ascii_case(id) {
                    return Err(not_read(&world, id, now));
                }
                return Err(Answer::unexpected());
            }
            if record.build.is_none() {
                return Err(Answer::refused(404, format!("Snapshot {id} has no build info")));
            }
            if record.runner.is_some() {
                return Ok(Answer::json(
                    &json!({"url": format!("{}/snapshots/{id}/build-logs", base_url(parts))}),
                ));
            }
        }
        if core.clock.now() >= deadline {
            return Err(Answer::refused(
                404,
                format!("Timeout waiting for build runner assignment for snapshot {id}"),
            ));
        }
        tokio::select! {
            () = core.wait_for_change(&mut changes) => {}
            () = core.clock.sleep_until(deadline) => {}
        }
    }
}

/// The deprecated path through the API.
pub(super) fn relay(core: &Arc<Core>, parts: &Parts, caller: &Caller, id: &str) -> Handled {
    let world = core.world();
    let record = find_owned(&world, caller, id)?;
    if record.id.as_str() != id {
        return Err(Answer::unexpected());
    }
    if record.build.is_none() {
        return Err(Answer::refused(404, format!("Snapshot {id} has no build info")));
    }
    if record.state == SnapshotState::Active {
        return Ok(Answer::Empty);
    }
    let is_open = world.build(record).is_some_and(|build| build.log.is_some());
    if !is_open {
        return Err(Answer::refused(404, not_open(record.reference.as_deref())));
    }
    let end = if follows(parts) { End::Silence } else { End::Now };
    Ok(Answer::Text(follow(core, record.id.clone(), end)))
}

/// Why there is no log yet.
pub(in crate::server) fn not_open(reference: Option<&str>) -> String {
    format!("build logs not found for ref: {}", reference.unwrap_or_default())
}

/// Whether a log is wanted on and on.
pub(in crate::server) fn follows(parts: &Parts) -> bool {
    parts
        .uri
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair == "follow=true"))
}
