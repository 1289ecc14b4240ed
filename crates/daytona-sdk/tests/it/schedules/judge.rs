//! Whether an outcome is true, by the emulator's own record.

use std::collections::HashSet;

use daytona_emulator::{Emulator, Fault};
use daytona_sdk::{Daytona, Error, ErrorKind, Event, Snapshot, SnapshotState};

use super::schedule::{Act, Rival, Schedule};
use super::{DEADLINE, GRACE, Outcome, honest};

/// What is there under the name, without faults.
async fn there(daytona: &Daytona) -> Option<Snapshot> {
    match daytona.snapshots().get("made").await {
        Ok(found) => Some(found),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// The ids of what the call was told that its own request has created.
fn created(outcome: &Outcome) -> HashSet<String> {
    let mut adopted = HashSet::new();
    let mut created = HashSet::new();
    for event in outcome.heard.events() {
        match event {
            Event::Adopted { id, .. } => drop(adopted.insert(id.to_string())),
            Event::Accepted { id, .. } if !adopted.contains(id.as_str()) => drop(created.insert(id.to_string())),
            _ => {}
        }
    }
    created
}

/// What is wrong with the outcome.
pub(super) async fn problem(emulator: &Emulator, schedule: &Schedule, outcome: &Outcome) -> Option<String> {
    if outcome.took > DEADLINE + GRACE {
        return Some(format!("took {:?}", outcome.took));
    }
    let own = created(outcome);
    if schedule.act != Act::Replace
        && let Some(id) = outcome.deleted.iter().find(|id| !own.contains(*id))
    {
        return Some(format!("deleted {id}, which it has not made; it made {own:?}"));
    }
    let daytona = honest(emulator);
    let there = there(&daytona).await;
    match &outcome.result {
        Ok(snapshot) => {
            let is_there = there
                .as_ref()
                .is_some_and(|there| there.state == SnapshotState::Active && there.id == snapshot.id);
            if snapshot.state != SnapshotState::Active || !is_there && !schedule.rival.is_destructive() {
                return Some(format!("success with {snapshot:?}, there is {there:?}"));
            }
            if schedule.fails && schedule.rival != Rival::Twin && !schedule.rival.creates() {
                return Some("a failure counts as success".into());
            }
        }
        Err(error) => {
            if error.to_string().contains('\n') {
                return Some(format!("more than a line: {error}"));
            }
            if !is_true(schedule, error, there.as_ref()) {
                return Some(format!("{error:?}; there is {there:?}"));
            }
        }
    }
    if !schedule.is_alone() || schedule.is_user || !schedule.callback.is_zero() {
        // The builds of others write to the same log, and a user's is relayed only for a while.
        return None;
    }
    log_problem(&daytona, outcome, there.as_ref()).await
}

/// Whether the error says what is so.
fn is_true(schedule: &Schedule, error: &Error, there: Option<&Snapshot>) -> bool {
    let Schedule { act, rival, .. } = *schedule;
    let text = error.to_string();
    let known = error.snapshot();
    let names_it = known.is_some_and(|known| there.is_some_and(|there| there.id == known.id));
    let says_so = ["the look for it failed", "may have accepted", "not known whether"];
    let is_open = says_so.iter().any(|words| text.contains(words));
    let is_ensured = act != Act::Create;
    // Nothing of the call's own is there, or the error says which, or that it cannot be known.
    let is_told = there.is_none() || known.is_some() || is_open || rival.creates();
    match error.kind() {
        ErrorKind::BuildFailed => {
            let is_its_reason = error.reason() == Some("exit code: 1") && schedule.fails;
            let is_for_want_of_a_turn = error
                .reason()
                .is_some_and(|reason| reason.contains("already in progress"));
            (is_its_reason || is_for_want_of_a_turn) && (names_it || rival.is_destructive() || rival.creates())
        }
        ErrorKind::WaitTimeout => {
            let in_time = error.elapsed().is_some_and(|elapsed| elapsed >= DEADLINE);
            in_time && (is_told || known.is_none())
        }
        ErrorKind::AlreadyExists => !is_ensured && (names_it || is_open || rival != Rival::Nobody),
        ErrorKind::DefinitionMismatch => is_ensured && rival != Rival::Nobody,
        ErrorKind::NameReserved => there.is_some() || schedule.lag.is_some() || rival != Rival::Nobody,
        ErrorKind::Gone | ErrorKind::Cooldown => rival.is_destructive(),
        // A refusal to activate it, whose words were lost on the way.
        ErrorKind::Rejected => rival == Rival::Deactivates && error.server_message().is_none(),
        ErrorKind::Unauthorized => schedule.key_ends.is_some() && is_told,
        ErrorKind::ObjectStorage => {
            let is_faulty = |fault: &Fault| format!("{fault:?}").contains("Object");
            schedule.faults.iter().any(is_faulty) || schedule.key_ends.is_some()
        }
        kind if kind == ErrorKind::ServerError || error.is_retryable() => is_told,
        ErrorKind::Decode | ErrorKind::NotAnApi => is_told,
        _ => false,
    }
}

/// Each line comes once and in order, or a gap says what is missing.
async fn log_problem(daytona: &Daytona, outcome: &Outcome, there: Option<&Snapshot>) -> Option<String> {
    let events = outcome.heard.events();
    let has = |wanted: fn(&Event) -> bool| events.iter().any(wanted);
    if has(|event| matches!(event, Event::Recreated { .. })) || !has(|event| matches!(event, Event::State { .. })) {
        // Two builds, one after the other; or it was active when it was seen first.
        return None;
    }
    let heard = outcome.heard.log();
    let written: Vec<String> = match there {
        Some(there) => match daytona.snapshots().build_logs(there).await {
            Ok(lines) => lines.iter().map(ToString::to_string).collect(),
            Err(_) => Vec::new(),
        },
        None => Vec::new(),
    };
    let mut rest = written.iter();
    if !heard.iter().all(|line| rest.any(|written| written == line)) {
        return Some(format!(
            "lines are repeated, or in another order: {heard:?} of {written:?}"
        ));
    }
    let has_gap = events.iter().any(|event| matches!(event, Event::LogGap(_)));
    let is_done = match &outcome.result {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::BuildFailed,
    };
    if is_done && heard.len() < written.len() && !has_gap {
        return Some(format!("only {} of {} lines, and no gap", heard.len(), written.len()));
    }
    None
}
