//! The handle that users hold.

use std::fmt;

use daytona_api::{Health, HealthStatus, ListAvailableRegions, Region};

use crate::api_client::ApiClient;
#[cfg(test)]
use crate::api_client::Settings;
use crate::config::DaytonaBuilder;
use crate::error::Error;
use crate::snapshots::{Boxed, SnapshotService};

/// A client of the Daytona API. Cheap to clone; clones share their connections.
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

    /// The regions that the organization can use. Operation `listAvailableRegions`.
    ///
    /// # Errors
    ///
    /// The server's refusal.
    pub fn regions(&self) -> Boxed<Vec<Region>> {
        let client = self.client.clone();
        Box::pin(async move { client.call(&ListAvailableRegions::new()).await })
    }

    /// Whether the service is up. Sent without credentials. Operation `health`.
    ///
    /// # Errors
    ///
    /// Why it cannot be reached, or is not the API.
    pub fn health(&self) -> Boxed<HealthStatus> {
        let client = self.client.clone();
        Box::pin(async move { client.call(&Health::new()).await })
    }

    #[cfg(test)]
    pub(crate) fn settings(&self) -> &Settings {
        self.client.settings()
    }
}
