//! The bodies of admin routes, and the values that they stand for. Every number is checked here.

use std::time::Duration;

use daytona_api::SnapshotState;
use serde::Deserialize;

use super::accounts::known;
use super::answer::{Refused, refused};
use super::fields::{given, moment};
use crate::base::range::{LONGEST, duration, fraction, within};
use crate::state::core::Core;
use crate::state::limit::RateLimits;
use crate::state::script::known_state;
use crate::state::world::SeededSnapshot;

/// Moves or holds the time.
#[derive(Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a change, such as {\"hold\": true}"
)]
pub(super) struct ClockChange {
    #[serde(default, deserialize_with = "given")]
    advance: Option<u64>,
    #[serde(default, deserialize_with = "given")]
    hold: Option<bool>,
}

impl ClockChange {
    pub(super) fn carry_out(&self, core: &Core) -> Result<(), Refused> {
        let advance = Duration::from_millis(self.advance.unwrap_or(0));
        duration("advance", advance).map_err(refused)?;
        match self.hold {
            Some(true) => core.clock.hold(),
            Some(false) => core.clock.release(),
            None => {}
        }
        core.clock.advance(advance);
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "limits, such as {\"requests\": 5, \"window\": 15000}"
)]
pub(super) struct Limits {
    requests: u32,
    #[serde(default, deserialize_with = "given")]
    failed_logins: Option<u32>,
    window: u64,
}

impl Limits {
    pub(super) fn value(&self) -> Result<RateLimits, Refused> {
        let longest = u64::try_from(LONGEST.as_millis()).unwrap_or(u64::MAX);
        within("window", self.window, 1..=longest).map_err(refused)?;
        let window = Duration::from_millis(self.window);
        Ok(match self.failed_logins {
            Some(failed_logins) => RateLimits::new(self.requests, failed_logins, window),
            None => RateLimits::of_requests(self.requests, window),
        })
    }
}

/// Images that only credentials open.
#[derive(Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "images, such as {\"beginning\": \"registry.example/team\"}"
)]
pub(super) struct PrivateImages {
    pub(super) beginning: String,
}

/// A snapshot that is there past the API.
#[derive(Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a snapshot, such as {\"name\": \"base\"}"
)]
pub(super) struct NewSnapshot {
    name: String,
    image_name: Option<String>,
    dockerfile: Option<String>,
    id: Option<String>,
    organization_id: Option<String>,
    state: Option<String>,
    size: Option<f64>,
    error_reason: Option<String>,
    log: Option<String>,
    region_id: Option<String>,
    #[serde(default)]
    general: bool,
    created_at: Option<String>,
    last_used_at: Option<String>,
}

impl NewSnapshot {
    pub(super) fn value(self, core: &Core) -> Result<SeededSnapshot, Refused> {
        let mut snapshot = match (self.image_name, self.dockerfile) {
            (Some(image), None) => SeededSnapshot::from_image(self.name, image),
            (None, Some(dockerfile)) => SeededSnapshot::from_dockerfile(self.name, dockerfile),
            _ => return Err(refused("set either imageName or dockerfile".to_owned())),
        };
        if let Some(size) = self.size {
            fraction("size", size, 0.0..=1e6).map_err(refused)?;
            snapshot = snapshot.size(Some(size));
        }
        if let Some(id) = self.id {
            snapshot = snapshot.id(id);
        }
        if let Some(state) = self.state {
            let state = SnapshotState::from(state.as_str());
            known_state("state", &state).map_err(refused)?;
            snapshot = snapshot.state(state);
        }
        if let Some(organization) = self.organization_id {
            known(core, &organization)?;
            snapshot = snapshot.organization(organization);
        }
        if let Some(reason) = self.error_reason {
            snapshot = snapshot.error_reason(reason);
        }
        if let Some(log) = self.log {
            snapshot = snapshot.log(log);
        }
        if let Some(region) = self.region_id {
            snapshot = snapshot.region(region);
        }
        if self.general {
            snapshot = snapshot.general();
        }
        if let Some(created) = moment("createdAt", self.created_at.as_deref())? {
            snapshot = snapshot.created(created);
        }
        if let Some(used) = moment("lastUsedAt", self.last_used_at.as_deref())? {
            snapshot = snapshot.last_used(used);
        }
        Ok(snapshot)
    }
}
