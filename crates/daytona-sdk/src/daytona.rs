//! The handle that users hold.

use std::fmt;

use daytona_api::{ApiKey, GetCurrentApiKey, Health, HealthStatus, ListAvailableRegions, Permission, Region};

use crate::api_client::ApiClient;
#[cfg(test)]
use crate::api_client::Settings;
use crate::auth::Credentials;
use crate::config::DaytonaBuilder;
use crate::error::{Error, ErrorKind};
use crate::registries::RegistryService;
use crate::snapshots::{Call, SnapshotService};

/// A client of the Daytona API. Cheap to clone; clones share their connections.
///
/// ```no_run
/// # async fn example() -> Result<(), daytona_sdk::Error> {
/// use daytona_sdk::Daytona;
///
/// let daytona = Daytona::from_env()?;
/// daytona.check().await?; // the key is good
/// for region in daytona.regions().await? {
///     println!("{:?}", region.name);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Daytona {
    client: ApiClient,
}

impl fmt::Debug for Daytona {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Daytona")
            .field("api_url", &self.api_url())
            .finish_non_exhaustive()
    }
}

/// What [`Daytona::check`] returns: the API key that the client uses.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CurrentKey {
    /// Its name.
    pub name: Option<String>,
    /// Its permissions.
    pub permissions: Vec<Permission>,
    /// When it expires, if it does.
    pub expires_at: Option<jiff::Timestamp>,
    /// Its organization. Servers up to 0.190.0 do not send it.
    pub organization_id: Option<String>,
}

impl CurrentKey {
    /// Returns those of these permissions that the key does not have.
    pub fn missing(&self, permissions: impl IntoIterator<Item = Permission>) -> Vec<Permission> {
        let is_missing = |permission: &Permission| !self.permissions.contains(permission);
        permissions.into_iter().filter(is_missing).collect()
    }
}

impl From<ApiKey> for CurrentKey {
    fn from(key: ApiKey) -> Self {
        Self {
            name: key.name,
            permissions: key.permissions.unwrap_or_default(),
            expires_at: key.expires_at,
            organization_id: key.organization_id,
        }
    }
}

impl DaytonaBuilder {
    /// Builds the client.
    ///
    /// # Errors
    ///
    /// Kind `Config`; the message names the setting. Examples are missing credentials, a token without an organization,
    /// an invalid address, https without TLS or CA certificates, an invalid proxy or certificate, and settings that
    /// exclude each other.
    pub fn build(self) -> Result<Daytona, Error> {
        let client = ApiClient::new(self.settings()?);
        Ok(Daytona { client })
    }
}

impl Daytona {
    /// Makes a client from environment variables. `DAYTONA_API_KEY` is usually enough.
    ///
    /// # Errors
    ///
    /// The errors of [`DaytonaBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        DaytonaBuilder::from_env().build()
    }

    /// Starts a client that is set up in code. It reads nothing from the environment. To combine both, see
    /// [`DaytonaBuilder::from_env`].
    pub fn builder() -> DaytonaBuilder {
        DaytonaBuilder::default()
    }

    /// The base address of the API.
    pub fn api_url(&self) -> &str {
        self.client.api_url()
    }

    /// The snapshots of the organization.
    pub fn snapshots(&self) -> SnapshotService {
        SnapshotService::new(self.client.clone())
    }

    /// The registries whose credentials the service uses to pull private images.
    pub fn registries(&self) -> RegistryService {
        RegistryService::new(self.client.clone())
    }

    /// The regions that the organization can use. Operation `listAvailableRegions`.
    ///
    /// # Errors
    ///
    /// Any error of the request; see [`ErrorKind`](crate::ErrorKind).
    pub fn regions(&self) -> Call<Vec<Region>> {
        Call::new(self.client.clone(), |scope| async move {
            scope.request(&ListAvailableRegions::new()).await
        })
    }

    /// Asks whether the service is up, without credentials. Operation `health`.
    ///
    /// # Errors
    ///
    /// Kind `Connection`, `Timeout` or `Unavailable` if the server cannot be reached. Kind `NotAnApi` if something else
    /// answers.
    pub fn health(&self) -> Call<HealthStatus> {
        Call::new(self.client.clone(), |scope| async move {
            scope.request(&Health::new()).await
        })
    }

    /// Asks for the API key that the client uses, its permissions and its expiry. Operation `getCurrentApiKey`.
    ///
    /// If the key lacks a permission, a call fails only when it needs that permission, perhaps after an upload. Check
    /// in advance:
    ///
    /// ```no_run
    /// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
    /// use daytona_sdk::Permission;
    ///
    /// let key = daytona.check().await?;
    /// for permission in key.missing([Permission::WriteSnapshots, Permission::DeleteSnapshots]) {
    ///     eprintln!("the API key lacks {permission}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Kind `Unauthorized` if the key is wrong or has expired. Kind `Unsupported` if the client uses a user's token,
    /// because the server does not describe those.
    pub fn check(&self) -> Call<CurrentKey> {
        Call::new(self.client.clone(), |scope| async move {
            if !matches!(scope.client.settings().credentials, Credentials::ApiKey(_)) {
                let message = "the server tells the permissions of API keys, but not of users' tokens: use a key";
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            let key = scope.request(&GetCurrentApiKey::new()).await?;
            Ok(CurrentKey::from(key))
        })
    }

    #[cfg(test)]
    pub(crate) fn settings(&self) -> &Settings {
        self.client.settings()
    }
}
