//! The bodies of admin routes, and the values that they stand for. Every number is checked here.

use std::time::Duration;

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::answer::{Refused, refused};
use crate::base::range::{LONGEST, duration, fraction, within};
use crate::state::account::{ApiKey, Organization, Permission, UserToken, can_be_sent};
use crate::state::core::Core;
use crate::state::limit::RateLimits;
use crate::state::world::SeededSnapshot;

/// A body as JSON.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused(StatusCode::BAD_REQUEST, error.to_string()))
}

/// A field that may be left out, but is not null if it is given.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A reason; null is an empty one.
fn reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let reason = Option::deserialize(deserializer)?;
    Ok(Some(reason.unwrap_or_default()))
}

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
    expecting = "limits, such as {\"requests\": 5, \"failedLogins\": 3, \"window\": 15000}"
)]
pub(super) struct Limits {
    requests: u32,
    failed_logins: u32,
    window: u64,
}

impl Limits {
    pub(super) fn value(&self) -> Result<RateLimits, Refused> {
        let longest = u64::try_from(LONGEST.as_millis()).unwrap_or(u64::MAX);
        within("window", self.window, 1..=longest).map_err(refused)?;
        let window = Duration::from_millis(self.window);
        Ok(RateLimits::new(self.requests, self.failed_logins, window))
    }
}

#[derive(Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a key, such as {\"permissions\": []}"
)]
pub(super) struct NewKey {
    /// An existing value changes the key that has it.
    value: Option<String>,
    name: Option<String>,
    organization_id: Option<String>,
    permissions: Option<Vec<Permission>>,
    expires_at: Option<jiff::Timestamp>,
}

impl NewKey {
    pub(super) fn value(self, core: &Core) -> Result<ApiKey, Refused> {
        let organization = self.organization_id.unwrap_or_else(|| core.organization_id.clone());
        known(core, &organization)?;
        let mut key = ApiKey::new(organization);
        if let Some(value) = self.value {
            can_be_sent("value", &value).map_err(refused)?;
            key = key.value(value);
        }
        if let Some(name) = self.name {
            key = key.name(name);
        }
        if let Some(permissions) = self.permissions {
            key = key.permissions(permissions);
        }
        if let Some(expires) = self.expires_at {
            key = key.expires(expires);
        }
        Ok(key)
    }
}

#[derive(Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a token, such as {\"permissions\": []}"
)]
pub(super) struct NewToken {
    value: Option<String>,
    organization_ids: Option<Vec<String>>,
    permissions: Option<Vec<Permission>>,
    expires_at: Option<jiff::Timestamp>,
}

impl NewToken {
    pub(super) fn value(self, core: &Core) -> Result<UserToken, Refused> {
        let own = || vec![core.organization_id.clone()];
        let organizations = self.organization_ids.unwrap_or_else(own);
        for organization in &organizations {
            known(core, organization)?;
        }
        let mut token = UserToken::new(organizations);
        if let Some(value) = self.value {
            can_be_sent("value", &value).map_err(refused)?;
            token = token.value(value);
        }
        if let Some(permissions) = self.permissions {
            token = token.permissions(permissions);
        }
        if let Some(expires) = self.expires_at {
            token = token.expires(expires);
        }
        Ok(token)
    }
}

/// An error if there is no organization with this id.
fn known(core: &Core, organization: &str) -> Result<(), Refused> {
    match core.world().accounts.organization(organization) {
        Some(_) => Ok(()),
        None => Err(refused(format!("there is no organization `{organization}`"))),
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
    state: Option<String>,
    size: Option<f64>,
    error_reason: Option<String>,
    log: Option<String>,
    region_id: Option<String>,
    #[serde(default)]
    general: bool,
    created_at: Option<jiff::Timestamp>,
    last_used_at: Option<jiff::Timestamp>,
}

impl NewSnapshot {
    pub(super) fn value(self) -> Result<SeededSnapshot, Refused> {
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
            snapshot = snapshot.state(state.as_str());
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
        if let Some(created) = self.created_at {
            snapshot = snapshot.created(created);
        }
        if let Some(used) = self.last_used_at {
            snapshot = snapshot.last_used(used);
        }
        Ok(snapshot)
    }
}

/// What can be changed of the organization; what is not named stays.
#[derive(Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a change, such as {\"snapshotQuota\": 3}"
)]
pub(super) struct OrganizationChange {
    #[serde(default, deserialize_with = "given")]
    snapshot_quota: Option<u32>,
    #[serde(default, deserialize_with = "given")]
    max_cpu_per_sandbox: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    max_memory_per_sandbox: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    max_disk_per_sandbox: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    max_snapshot_size: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    gpu_quota: Option<u32>,
    /// The reason; an empty one ends a suspension.
    #[serde(default, deserialize_with = "reason")]
    suspended: Option<String>,
}

impl OrganizationChange {
    pub(super) fn apply(self, mut organization: Organization) -> Result<Organization, Refused> {
        if let Some(quota) = self.snapshot_quota {
            organization.snapshot_quota = quota as usize;
        }
        if let Some(quota) = self.gpu_quota {
            organization.gpus = quota as usize;
        }
        for (name, value, place) in [
            ("maxCpuPerSandbox", self.max_cpu_per_sandbox, &mut organization.cpu),
            (
                "maxMemoryPerSandbox",
                self.max_memory_per_sandbox,
                &mut organization.memory,
            ),
            ("maxDiskPerSandbox", self.max_disk_per_sandbox, &mut organization.disk),
            (
                "maxSnapshotSize",
                self.max_snapshot_size,
                &mut organization.snapshot_size,
            ),
        ] {
            if let Some(value) = value {
                fraction(name, value, 0.0..=1e6).map_err(refused)?;
                *place = value;
            }
        }
        Ok(match self.suspended {
            None => organization,
            Some(reason) if reason.is_empty() => organization.resumed(),
            Some(reason) => organization.suspended(reason),
        })
    }
}
