//! The bodies of admin routes for organizations, keys and tokens. What is left out of what exists stays.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::answer::{Refused, refused};
use super::fields::{given, moment, read};
use crate::base::range::fraction;
use crate::state::account::{ApiKey, Organization, Permission, UserToken, can_be_sent};
use crate::state::core::Core;

/// The longest id of an organization.
const LONGEST_ID: usize = 100;

/// A reason; null is an empty one.
fn reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let reason = Option::deserialize(deserializer)?;
    Ok(Some(reason.unwrap_or_default()))
}

/// What is said of when a key expires.
#[derive(Default, Deserialize)]
#[serde(from = "Option<String>")]
enum Expiry {
    /// Nothing.
    #[default]
    Stays,
    Never,
    At(String),
}

impl From<Option<String>> for Expiry {
    fn from(given: Option<String>) -> Self {
        given.map_or(Self::Never, Self::At)
    }
}

impl Expiry {
    /// When something expires that did so at another time before.
    fn apply(&self, before: Option<Timestamp>) -> Result<Option<Timestamp>, Refused> {
        match self {
            Self::Stays => Ok(before),
            Self::Never => Ok(None),
            Self::At(text) => moment("expiresAt", Some(text)),
        }
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
    #[serde(default)]
    expires_at: Expiry,
}

impl NewKey {
    pub(super) fn value(self, core: &Core) -> Result<ApiKey, Refused> {
        if let Some(organization) = &self.organization_id {
            known(core, organization)?;
        }
        if let Some(value) = &self.value {
            can_be_sent("value", value).map_err(refused)?;
        }
        let world = core.world();
        let mut keys = world.accounts.keys().iter();
        let known = keys.find(|key| Some(&key.value) == self.value.as_ref()).cloned();
        let mut key = known.unwrap_or_else(|| ApiKey::new(&core.organization_id));
        if let Some(value) = self.value {
            key.value = value;
        }
        if let Some(name) = self.name {
            key.name = name;
        }
        if let Some(organization) = self.organization_id {
            key.organization = organization;
        }
        if let Some(permissions) = self.permissions {
            key.permissions = permissions;
        }
        key.expires = self.expires_at.apply(key.expires)?;
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
    /// An existing value changes the token that has it.
    value: Option<String>,
    organization_ids: Option<Vec<String>>,
    permissions: Option<Vec<Permission>>,
    #[serde(default)]
    expires_at: Expiry,
}

impl NewToken {
    pub(super) fn value(self, core: &Core) -> Result<UserToken, Refused> {
        for organization in self.organization_ids.iter().flatten() {
            known(core, organization)?;
        }
        if let Some(value) = &self.value {
            can_be_sent("value", value).map_err(refused)?;
        }
        let world = core.world();
        let mut tokens = world.accounts.tokens().iter();
        let known = tokens.find(|token| Some(&token.value) == self.value.as_ref()).cloned();
        let mut token = known.unwrap_or_else(|| UserToken::new([&core.organization_id]));
        if let Some(value) = self.value {
            token.value = value;
        }
        if let Some(organizations) = self.organization_ids {
            token.organizations = organizations;
        }
        if let Some(permissions) = self.permissions {
            token.permissions = permissions;
        }
        token.expires = self.expires_at.apply(token.expires)?;
        Ok(token)
    }
}

/// An error if there is no organization with this id.
pub(super) fn known(core: &Core, organization: &str) -> Result<(), Refused> {
    match core.world().accounts.organization(organization) {
        Some(_) => Ok(()),
        None => Err(refused(format!("there is no organization `{organization}`"))),
    }
}

/// A new organization, or with the id of one, the changed one.
pub(super) fn organization(core: &Core, body: &[u8]) -> Result<Organization, Refused> {
    let mut fields: Map<String, Value> = read(body)?;
    let name = text(&mut fields, "name")?;
    let id = text(&mut fields, "id")?;
    if let Some(id) = &id {
        checked_id(id)?;
    }
    let known = id
        .as_ref()
        .and_then(|id| core.world().accounts.organization(id).cloned());
    let mut organization = match (known, &name) {
        (Some(known), _) => known,
        (None, Some(name)) => Organization::new(name),
        (None, None) => {
            let example = "such as {\"name\": \"worker-1\"}";
            return Err(refused(format!("a new organization needs a name, {example}")));
        }
    };
    if let Some(name) = name {
        organization.name = name;
    }
    if let Some(id) = id {
        organization.id = id;
    }
    let change: OrganizationChange =
        serde_json::from_value(Value::Object(fields)).map_err(|error| refused(error.to_string()))?;
    change.apply(organization)
}

/// Takes a field that is a text, if it is given.
fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Refused> {
    match fields.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(refused(format!("{name} must be a text, but is {other}"))),
    }
}

/// The keys of an organization's objects begin with its id, so that it can be nothing else than a segment of a path.
fn checked_id(id: &str) -> Result<(), Refused> {
    let is_plain = id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_plain && (1..=LONGEST_ID).contains(&id.len()) {
        return Ok(());
    }
    let rule = format!("must be 1 to {LONGEST_ID} letters, digits, `-` and `_`");
    Err(refused(format!("id {rule}, but is {id:?}")))
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
