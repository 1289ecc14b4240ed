//! Registries with private images.

use std::fmt;

use daytona_api::{
    CreateRegistry, DeleteRegistry, GetRegistryPushAccess, ListRegistries, Registry, RegistryPushAccess,
    RegistryUpdate, UpdateRegistry,
};
use secrecy::{ExposeSecret, SecretString};

use crate::address;
use crate::api_client::ApiClient;
use crate::snapshots::Call;

/// The registries of an organization. The service uses their credentials to pull private images. Cheap to clone.
///
/// For each image, the service uses the credentials of the registry whose address the image's name begins with. For a
/// private image on Docker Hub, write `docker.io/team/app:1`. Without the host, the service looks up the image with the
/// credentials, but pulls it without them.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// use daytona_sdk::{CreateSnapshotParams, RegistryParams};
///
/// let password = std::fs::read_to_string("/run/secrets/registry").unwrap_or_default();
/// let registry = daytona
///     .registries()
///     .add(RegistryParams::new("ours", "registry.example", "ci", password.trim()))
///     .await?;
/// let params = CreateSnapshotParams::new("app", "registry.example/team/app:1");
/// daytona.snapshots().create(params).await?;
/// daytona.registries().remove(&registry.id).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RegistryService {
    client: ApiClient,
}

/// A registry and the credentials for it.
#[derive(Clone)]
#[must_use]
pub struct RegistryParams {
    name: String,
    url: String,
    username: String,
    password: SecretString,
    project: Option<String>,
}

impl fmt::Debug for RegistryParams {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RegistryParams")
            .field("name", &self.name)
            .field("url", &address::shown(&self.url))
            .field("username", &self.username)
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}

impl RegistryParams {
    /// Describes a registry: a name for people, its address (with or without `https://` and path), the user, and the
    /// password or token.
    pub fn new(
        name: impl Into<String>,
        url: impl Into<String>,
        username: impl Into<String>,
        password: impl Into<SecretString>,
    ) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            username: username.into(),
            password: password.into(),
            project: None,
        }
    }

    /// The project in the registry. Default: none.
    pub fn project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }
}

impl RegistryService {
    pub(crate) fn new(client: ApiClient) -> Self {
        Self { client }
    }

    /// All registries, without their passwords. Operation `listRegistries`.
    ///
    /// # Errors
    ///
    /// Any error of the request; see [`ErrorKind`](crate::ErrorKind).
    pub fn list(&self) -> Call<Vec<Registry>> {
        Call::new(self.client.clone(), |scope| async move {
            scope.request(&ListRegistries::new()).await
        })
    }

    /// Adds a registry. Operation `createRegistry`.
    ///
    /// # Errors
    ///
    /// Kind `PermissionDenied` if the key lacks the permission. Kind `Rejected` for an invalid address, such as one
    /// without a dot in its host.
    pub fn add(&self, registry: RegistryParams) -> Call<Registry> {
        Call::new(self.client.clone(), move |scope| async move {
            scope.client.secrets().know(registry.password.expose_secret());
            let mut request = CreateRegistry::new(registry.name, registry.url, registry.username, registry.password);
            request.project = registry.project;
            scope.request(&request).await
        })
    }

    /// Replaces all fields of a registry, by its id. An empty password keeps the stored one. Operation
    /// `updateRegistry`.
    ///
    /// # Errors
    ///
    /// The errors of [`add`](Self::add). Kind `NotFound` if there is no such registry.
    pub fn replace(&self, id: impl Into<String>, registry: RegistryParams) -> Call<Registry> {
        let id: String = id.into();
        Call::new(self.client.clone(), move |scope| async move {
            scope.client.secrets().know(registry.password.expose_secret());
            let mut body = RegistryUpdate::new(registry.name, registry.url, registry.username, registry.password);
            body.project = registry.project;
            let request = UpdateRegistry::new(id, body);
            scope.request(&request).await
        })
    }

    /// Removes a registry, by its id. Operation `deleteRegistry`.
    ///
    /// # Errors
    ///
    /// Kind `NotFound` if there is no such registry. Kind `PermissionDenied` if the key lacks the permission.
    pub fn remove(&self, id: impl Into<String>) -> Call<()> {
        let id: String = id.into();
        let request = DeleteRegistry::new(id);
        Call::new(self.client.clone(), move |scope| async move {
            scope.request(&request).await
        })
    }

    /// Gets credentials to push an image to the service's own registry. They are valid for an hour. Push it as
    /// `<registry_url>/<project>/<name>:<tag>`, and create a snapshot from that name. Operation
    /// `getRegistryPushAccess`.
    ///
    /// # Errors
    ///
    /// Kind `PermissionDenied` if the key lacks the permission. Kind `ServerError` if the installation has no such
    /// registry.
    pub fn push_access(&self) -> Call<RegistryPushAccess> {
        Call::new(self.client.clone(), |scope| async move {
            let mut request = GetRegistryPushAccess::new();
            request.region_id.clone_from(&scope.client.settings().target);
            let access = scope.request(&request).await?;
            scope.client.secrets().know(access.secret.expose_secret());
            Ok(access)
        })
    }
}
