//! Who may use the emulator: organizations, API keys and users' tokens, as a test sets them up.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::random::{new_id, random};

/// An organization: its limits, and whether it is suspended. Organizations do not see each other's snapshots.
///
/// ```
/// use daytona_emulator::{Emulator, Organization};
///
/// # fn main() -> std::io::Result<()> {
/// let emulator = Emulator::builder().in_process()?;
/// emulator.put_organization(
///     Organization::new("acme")
///         .snapshot_quota(1)
///         .suspended("unpaid"),
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Organization {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) snapshot_quota: usize,
    pub(crate) cpu: f64,
    pub(crate) memory: f64,
    pub(crate) disk: f64,
    pub(crate) snapshot_size: f64,
    pub(crate) gpus: usize,
    pub(crate) has_default_region: bool,
    pub(crate) suspension: Option<Suspension>,
    /// Cores, GB of memory and GB of disk of all sandboxes together.
    #[serde(default)]
    pub(crate) total: Option<(f64, f64, f64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suspension {
    pub(crate) reason: String,
    pub(crate) until: Option<Timestamp>,
}

impl Organization {
    /// An organization with a new id and the limits of the measured server: 100 snapshots of at most 20 GB, and sandboxes of
    /// at most 4 cores, 8 GB of memory and 10 GB of disk.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            id: new_id(),
            name: name.into(),
            snapshot_quota: 100,
            cpu: 4.0,
            memory: 8.0,
            disk: 10.0,
            snapshot_size: 20.0,
            gpus: 1,
            has_default_region: true,
            suspension: None,
            total: None,
        }
    }

    /// Uses this id instead of a new one.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// How many snapshots it may have. Default: 100.
    pub fn snapshot_quota(mut self, snapshots: usize) -> Self {
        self.snapshot_quota = snapshots;
        self
    }

    /// The largest sandbox: cores, GB of memory, GB of disk. Default: 4, 8, 10.
    pub fn sandbox_limits(mut self, cpu: f64, memory: f64, disk: f64) -> Self {
        (self.cpu, self.memory, self.disk) = (cpu, memory, disk);
        self
    }

    /// The total for all its sandboxes: cores, GB of memory, GB of disk. Default: no limit.
    pub fn total_limits(mut self, cpu: f64, memory: f64, disk: f64) -> Self {
        self.total = Some((cpu, memory, disk));
        self
    }

    /// How many GPUs it may ask for. Default: 1. No runner of the emulator has one.
    pub fn gpu_quota(mut self, gpus: usize) -> Self {
        self.gpus = gpus;
        self
    }

    /// The largest snapshot in GB. Default: 20.
    pub fn snapshot_size(mut self, gigabytes: f64) -> Self {
        self.snapshot_size = gigabytes;
        self
    }

    /// Removes its default region. Without one, nothing can be created.
    pub fn without_default_region(mut self) -> Self {
        self.has_default_region = false;
        self
    }

    /// Suspends it: it can read, but not create or activate.
    pub fn suspended(mut self, reason: impl Into<String>) -> Self {
        self.suspension = Some(Suspension {
            reason: reason.into(),
            until: None,
        });
        self
    }

    /// Suspends it until a given time. The real server 0.190.0 still accepts creations, and so does the emulator.
    pub fn suspended_until(mut self, reason: impl Into<String>, until: Timestamp) -> Self {
        self.suspension = Some(Suspension {
            reason: reason.into(),
            until: Some(until),
        });
        self
    }

    /// Ends its suspension.
    pub fn resumed(mut self) -> Self {
        self.suspension = None;
        self
    }
}

/// A permission of an API key, in addition to reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Permission {
    /// `write:registries`: add and change registries.
    #[serde(rename = "write:registries")]
    WriteRegistries,
    /// `delete:registries`.
    #[serde(rename = "delete:registries")]
    DeleteRegistries,
    /// `write:snapshots`: create, activate, deactivate, push access.
    #[serde(rename = "write:snapshots")]
    WriteSnapshots,
    /// `delete:snapshots`.
    #[serde(rename = "delete:snapshots")]
    DeleteSnapshots,
    /// `write:sandboxes`: create, start, stop and capture sandboxes, push access.
    #[serde(rename = "write:sandboxes")]
    WriteSandboxes,
    /// `delete:sandboxes`.
    #[serde(rename = "delete:sandboxes")]
    DeleteSandboxes,
    /// `read:volumes`: for routes that the emulator does not have.
    #[serde(rename = "read:volumes")]
    ReadVolumes,
    /// `write:volumes`: for routes that the emulator does not have.
    #[serde(rename = "write:volumes")]
    WriteVolumes,
    /// `delete:volumes`: for routes that the emulator does not have.
    #[serde(rename = "delete:volumes")]
    DeleteVolumes,
    /// `write:regions`: for routes that the emulator does not have.
    #[serde(rename = "write:regions")]
    WriteRegions,
    /// `delete:regions`: for routes that the emulator does not have.
    #[serde(rename = "delete:regions")]
    DeleteRegions,
    /// `read:runners`: for routes that the emulator does not have.
    #[serde(rename = "read:runners")]
    ReadRunners,
    /// `write:runners`: for routes that the emulator does not have.
    #[serde(rename = "write:runners")]
    WriteRunners,
    /// `delete:runners`: for routes that the emulator does not have.
    #[serde(rename = "delete:runners")]
    DeleteRunners,
    /// `read:audit_logs`: for routes that the emulator does not have.
    #[serde(rename = "read:audit_logs")]
    ReadAuditLogs,
}

impl Permission {
    /// All permissions, in the server's order.
    pub(crate) const ALL: [Self; 15] = [
        Self::WriteRegistries,
        Self::DeleteRegistries,
        Self::WriteSnapshots,
        Self::DeleteSnapshots,
        Self::WriteSandboxes,
        Self::DeleteSandboxes,
        Self::ReadVolumes,
        Self::WriteVolumes,
        Self::DeleteVolumes,
        Self::WriteRegions,
        Self::DeleteRegions,
        Self::ReadRunners,
        Self::WriteRunners,
        Self::DeleteRunners,
        Self::ReadAuditLogs,
    ];

    /// As the server writes it.
    pub(crate) fn name(self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value.as_str().unwrap_or_default().to_owned()
    }
}

/// An API key, which belongs to one organization.
///
/// ```
/// use daytona_emulator::{ApiKey, Emulator, Permission};
///
/// # fn main() -> std::io::Result<()> {
/// let emulator = Emulator::builder().in_process()?;
/// // This key may create snapshots, but not delete them.
/// let key =
///     ApiKey::new(emulator.organization_id()).permissions([Permission::WriteSnapshots]);
/// let value = emulator.add_api_key(key);
/// assert!(value.starts_with("dtn_"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct ApiKey {
    pub(crate) value: String,
    pub(crate) name: String,
    pub(crate) organization: String,
    pub(crate) permissions: Vec<Permission>,
    pub(crate) expires: Option<Timestamp>,
    /// Id of the user that it belongs to.
    #[serde(default = "own_user")]
    pub(crate) user: String,
    /// When it was created. Default: when the emulator was created.
    #[serde(default)]
    pub(crate) created: Option<Timestamp>,
    #[serde(default)]
    pub(crate) used: Option<Timestamp>,
}

/// The user of keys and tokens that name no other user.
fn own_user() -> String {
    "emulator".to_owned()
}

impl ApiKey {
    /// A new key of the organization with this id. It has all permissions and does not expire.
    pub fn new(organization_id: impl Into<String>) -> Self {
        Self {
            value: format!("dtn_{}", random(64)),
            name: "emulator".to_owned(),
            organization: organization_id.into(),
            permissions: Permission::ALL.to_vec(),
            expires: None,
            user: own_user(),
            created: None,
            used: None,
        }
    }

    /// Sets its name. Default: `emulator`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets its user, by id. Default: `emulator`.
    pub fn user(mut self, id: impl Into<String>) -> Self {
        self.user = id.into();
        self
    }

    /// Uses this value instead of a new one.
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    /// Allows only these permissions. Default: all.
    pub fn permissions(mut self, permissions: impl IntoIterator<Item = Permission>) -> Self {
        self.permissions = permissions.into_iter().collect();
        self
    }

    /// Expires at this time of the emulator's clock. Default: never.
    pub fn expires(mut self, at: Timestamp) -> Self {
        self.expires = Some(at);
        self
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ApiKey")
            .field("name", &self.name)
            .field("organization", &self.organization)
            .field("permissions", &self.permissions)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// An error that names a key, if no client could send it as a bearer token.
pub(crate) fn can_be_sent(name: &str, key: &str) -> Result<(), String> {
    if key.is_empty() {
        return Err(format!("{name} is empty"));
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "{name} may contain only visible ASCII characters, and no space"
        ));
    }
    Ok(())
}

/// A user's token. The user names the organization in each request.
///
/// ```
/// use daytona_emulator::{Emulator, Organization, UserToken};
///
/// # fn main() -> std::io::Result<()> {
/// let emulator = Emulator::builder().in_process()?;
/// let other = emulator.put_organization(Organization::new("other"));
/// // This user belongs to two organizations.
/// let token = emulator.add_user_token(UserToken::new([emulator.organization_id(), &other]));
/// assert_eq!(token.split('.').count(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct UserToken {
    pub(crate) value: String,
    pub(crate) organizations: Vec<String>,
    #[serde(default = "all_permissions")]
    pub(crate) permissions: Vec<Permission>,
    pub(crate) expires: Option<Timestamp>,
    #[serde(default = "own_user")]
    pub(crate) user: String,
}

fn all_permissions() -> Vec<Permission> {
    Permission::ALL.to_vec()
}

impl UserToken {
    /// A new token, in the form of a JWT, of a user who belongs to the organizations with these ids.
    pub fn new<I: Into<String>>(organization_ids: impl IntoIterator<Item = I>) -> Self {
        Self {
            // The header says `{"alg":"HS256","typ":"JWT"}`; what follows is chance, as nobody but the emulator reads it.
            value: format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{}.{}", random(96), random(43)),
            organizations: organization_ids.into_iter().map(Into::into).collect(),
            permissions: all_permissions(),
            expires: None,
            user: own_user(),
        }
    }

    /// Allows only these permissions, as the user's role would. Default: all.
    pub fn permissions(mut self, permissions: impl IntoIterator<Item = Permission>) -> Self {
        self.permissions = permissions.into_iter().collect();
        self
    }

    /// Sets its user, by id. Default: `emulator`.
    pub fn user(mut self, id: impl Into<String>) -> Self {
        self.user = id.into();
        self
    }

    /// Uses this value instead of a new one.
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    /// Expires at this time of the emulator's clock. Default: never.
    pub fn expires(mut self, at: Timestamp) -> Self {
        self.expires = Some(at);
        self
    }
}

impl std::fmt::Debug for UserToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("UserToken")
            .field("organizations", &self.organizations)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Who has sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) organization: String,
    pub(crate) permissions: Vec<Permission>,
}

impl Caller {
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }
}

/// What is known about a bearer token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bearer {
    Key(ApiKey),
    User(UserToken),
    /// A runner or a proxy, which is no user.
    Service,
}

/// Everybody who may use the emulator.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Accounts {
    organizations: Vec<Organization>,
    keys: Vec<ApiKey>,
    tokens: Vec<UserToken>,
    services: Vec<String>,
}

impl Accounts {
    /// Adds an organization, or changes the one with the same id in its place.
    pub(crate) fn put_organization(&mut self, organization: Organization) {
        let mut organizations = self.organizations.iter_mut();
        match organizations.find(|known| known.id == organization.id) {
            Some(known) => *known = organization,
            None => self.organizations.push(organization),
        }
    }

    pub(crate) fn organization(&self, id: &str) -> Option<&Organization> {
        self.organizations.iter().find(|organization| organization.id == id)
    }

    pub(crate) fn organizations(&self) -> &[Organization] {
        &self.organizations
    }

    pub(crate) fn add_key(&mut self, key: ApiKey) {
        self.keys.retain(|other| other.value != key.value);
        self.keys.push(key);
    }

    pub(crate) fn keys(&self) -> &[ApiKey] {
        &self.keys
    }

    /// Removes keys. Returns whether there was one.
    pub(crate) fn remove_key(&mut self, is_it: impl Fn(&ApiKey) -> bool) -> bool {
        let count = self.keys.len();
        self.keys.retain(|key| !is_it(key));
        self.keys.len() < count
    }

    /// Notes that a key was used.
    pub(crate) fn use_key(&mut self, value: &str, now: Timestamp) {
        if let Some(key) = self.keys.iter_mut().find(|key| key.value == value) {
            key.used = Some(now);
        }
    }

    pub(crate) fn first_key(&self) -> Option<&ApiKey> {
        self.keys.first()
    }

    pub(crate) fn add_token(&mut self, token: UserToken) {
        self.tokens.retain(|other| other.value != token.value);
        self.tokens.push(token);
    }

    pub(crate) fn add_service(&mut self, key: String) {
        self.services.push(key);
    }

    /// The owner of the token, if it is still valid.
    pub(crate) fn bearer(&self, token: &str, now: Timestamp) -> Option<Bearer> {
        let lives = |expires: Option<Timestamp>| expires.is_none_or(|expires| now < expires);
        if let Some(key) = self.keys.iter().find(|key| key.value == token) {
            return lives(key.expires).then(|| Bearer::Key(key.clone()));
        }
        if let Some(user) = self.tokens.iter().find(|user| user.value == token) {
            return lives(user.expires).then(|| Bearer::User(user.clone()));
        }
        self.services
            .iter()
            .any(|service| service == token)
            .then_some(Bearer::Service)
    }
}
