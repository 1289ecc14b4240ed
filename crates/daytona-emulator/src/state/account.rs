//! Who may use the emulator: organizations, API keys and users' tokens, as a test sets them up.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::random::random;

mod organization;
mod permission;

pub use organization::Organization;
pub use permission::Permission;

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

    /// Adds a key, or changes the one with the same value in its place: the first one stays the first.
    pub(crate) fn add_key(&mut self, key: ApiKey) {
        match self.keys.iter_mut().find(|known| known.value == key.value) {
            Some(known) => *known = key,
            None => self.keys.push(key),
        }
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

    /// Adds a token, or changes the one with the same value in its place.
    pub(crate) fn add_token(&mut self, token: UserToken) {
        match self.tokens.iter_mut().find(|known| known.value == token.value) {
            Some(known) => *known = token,
            None => self.tokens.push(token),
        }
    }

    pub(crate) fn tokens(&self) -> &[UserToken] {
        &self.tokens
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
