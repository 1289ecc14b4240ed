//! Names a snapshot by id or by name.

use std::future::Future;

use daytona_api::{GetSnapshot, Snapshot, SnapshotId};

use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind};

/// A snapshot, by its id or by its name.
///
/// A [`SnapshotId`] or a `&Snapshot` is an id. A string is an id or a name. The server decides, as it does for the
/// official SDKs: if the string looks like an id, it first looks for that id.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// let snapshot = daytona.snapshots().get("my-app").await?;
/// daytona.snapshots().deactivate(&snapshot).await?; // this very snapshot
/// daytona.snapshots().delete("my-app").await?; // whatever has the name now
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotRef {
    /// An id.
    Id(SnapshotId),
    /// A name, or the text of an id.
    Name(String),
}

impl SnapshotRef {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Id(id) => id.as_str(),
            Self::Name(name) => name,
        }
    }

    /// Whether this snapshot is meant.
    pub(crate) fn names(&self, snapshot: &Snapshot) -> bool {
        let is_id = snapshot.id.as_str().eq_ignore_ascii_case(self.as_str());
        match self {
            Self::Id(_) => is_id,
            Self::Name(name) => is_id || snapshot.name == *name,
        }
    }

    /// The snapshot, if it is the requested one.
    pub(crate) fn check(&self, found: Snapshot) -> Result<Snapshot, Error> {
        if self.names(&found) {
            return Ok(found);
        }
        let message = format!(
            "asked for snapshot `{}`, the server answered with `{}` ({})",
            self.as_str(),
            found.name,
            found.id
        );
        Err(Error::new(ErrorKind::Decode, message))
    }

    /// Whether the text may be an id.
    fn looks_like_an_id(text: &str) -> bool {
        // As the service writes them. It treats other spellings of a UUID only as names.
        text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
    }

    /// Runs an operation that needs an id, with as few requests as possible. A string that looks like an id is tried as
    /// one. Only if there is no such id, it is looked up as a name.
    pub(crate) async fn resolve<T, F>(
        &self,
        client: &ApiClient,
        operation: impl Fn(ApiClient, SnapshotId) -> F,
    ) -> Result<(SnapshotId, T), Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let carry_out = async |id: SnapshotId| {
            let output = operation(client.clone(), id.clone()).await?;
            Ok((id, output))
        };
        let name = match self {
            Self::Id(id) => return carry_out(id.clone()).await,
            Self::Name(name) => name,
        };
        if Self::looks_like_an_id(name) {
            match carry_out(SnapshotId::from(name.to_ascii_lowercase())).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                outcome => return outcome,
            }
        }
        let found = self.check(client.call(&GetSnapshot::new(name)).await?)?;
        carry_out(found.id).await
    }
}

impl From<SnapshotId> for SnapshotRef {
    fn from(id: SnapshotId) -> Self {
        Self::Id(id)
    }
}

impl From<&SnapshotId> for SnapshotRef {
    fn from(id: &SnapshotId) -> Self {
        Self::Id(id.clone())
    }
}

impl From<&Snapshot> for SnapshotRef {
    fn from(snapshot: &Snapshot) -> Self {
        Self::Id(snapshot.id.clone())
    }
}

impl From<&str> for SnapshotRef {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for SnapshotRef {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<&String> for SnapshotRef {
    fn from(name: &String) -> Self {
        Self::Name(name.clone())
    }
}
