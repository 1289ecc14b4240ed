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

/// The API key of a client, as [`Daytona::check`] answers.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CurrentKey {
    /// Its name.
    pub name: Option<String>,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// When it expires; none if it does not.
    pub expires_at: Option<jiff::Timestamp>,
    /// The organization that it belongs to. Servers up to 0.190.0 do not name it here.
    pub organization_id: Option<String>,
}

impl CurrentKey {
    /// Which of these permissions it does not have.
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
    /// The client.
    ///
    /// # Errors
    ///
    /// An [`Error`] of kind `Config` that names the setting: no credentials, a token without an organization, an address
    /// that is none, https without TLS or without CA certificates, a proxy or certificate that is none, settings that exclude
    /// each other.
    pub fn build(self) -> Result<Daytona, Error> {
        let client = ApiClient::new(self.settings()?);
        Ok(Daytona { client })
    }
}

impl Daytona {
    /// A client that is set up by environment variables, `DAYTONA_API_KEY` above all.
    ///
    /// # Errors
    ///
    /// As [`DaytonaBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        DaytonaBuilder::from_env().build()
    }

    /// A client that is set up in code. Nothing is read from the environment; for both see [`DaytonaBuilder::from_env`].
    pub fn builder() -> DaytonaBuilder {
        DaytonaBuilder::default()
    }

    /// Base address of the API.
    pub fn api_url(&self) -> &str {
        self.client.api_url()
    }

    /// The snapshots of the organization.
    pub fn snapshots(&self) -> SnapshotService {
        SnapshotService::new(self.client.clone())
    }

    /// The registries with whose credentials the service pulls private images.
    pub fn registries(&self) -> RegistryService {
        RegistryService::new(self.client.clone())
    }

    /// The regions that the organization can use. Operation `listAvailableRegions`.
    ///
    /// # Errors
    ///
    /// The server's refusal.
    pub fn regions(&self) -> Call<Vec<Region>> {
        Call::new(self.client.clone(), |scope| async move {
            scope
                .client
                .call_with(&ListAvailableRegions::new(), |error| scope.sink.put_retry(error))
                .await
        })
    }

    /// Whether the service is up. Sent without credentials. Operation `health`.
    ///
    /// # Errors
    ///
    /// Why it cannot be reached, or is not the API.
    pub fn health(&self) -> Call<HealthStatus> {
        Call::new(self.client.clone(), |scope| async move {
            scope
                .client
                .call_with(&Health::new(), |error| scope.sink.put_retry(error))
                .await
        })
    }

    /// The API key that the client uses: what it may do, and until when. Operation `getCurrentApiKey`.
    ///
    /// A call that lacks a permission fails only when it comes to it, perhaps after an upload. Ask before:
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
    /// Kind `Unauthorized` for a key that is wrong or has expired; `Unsupported` for a client with a user's token, of which the
    /// server does not tell this.
    pub fn check(&self) -> Call<CurrentKey> {
        Call::new(self.client.clone(), |scope| async move {
            if !matches!(scope.client.settings().credentials, Credentials::ApiKey(_)) {
                let message =
                    "the server tells what an API key may do, and not what a user's token may: check it with a key";
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            let key = scope
                .client
                .call_with(&GetCurrentApiKey::new(), |error| scope.sink.put_retry(error))
                .await?;
            Ok(CurrentKey::from(key))
        })
    }

    #[cfg(test)]
    pub(crate) fn settings(&self) -> &Settings {
        self.client.settings()
    }
}
