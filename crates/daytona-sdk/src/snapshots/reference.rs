//! How a snapshot is named.

use daytona_api::{GetSnapshot, Operation, Snapshot, SnapshotId};

use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind};

/// A snapshot, by its id or by its name.
///
/// Made from a [`SnapshotId`] or a `&Snapshot`, it is an id; made from a text, the server decides, as with the official
/// SDKs: a text that looks like an id is tried as one first.
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

    /// The snapshot, if it is the one that was asked for.
    pub(crate) fn check(&self, found: Snapshot) -> Result<Snapshot, Error> {
        let is_id = found.id.as_str().eq_ignore_ascii_case(self.as_str());
        let matches = match self {
            Self::Id(_) => is_id,
            Self::Name(name) => is_id || found.name == *name,
        };
        if matches {
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
        // As the service writes them; other spellings of a UUID it knows as names only.
        text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
    }

    /// Carries out an operation that takes an id only, with as few requests as possible: what looks like an id is tried
    /// as one, and only where there is none of that id is it looked up as a name.
    pub(crate) async fn call<O: Operation>(
        &self,
        client: &ApiClient,
        operation: fn(&str) -> O,
    ) -> Result<(SnapshotId, O::Output), Error> {
        let name = match self {
            Self::Id(id) => return Ok((id.clone(), client.call(&operation(id.as_str())).await?)),
            Self::Name(name) => name,
        };
        if Self::looks_like_an_id(name) {
            let id = SnapshotId::from(name.to_ascii_lowercase());
            match client.call(&operation(id.as_str())).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                outcome => return Ok((id, outcome?)),
            }
        }
        let found = self.check(client.call(&GetSnapshot::new(name)).await?)?;
        let output = client.call(&operation(found.id.as_str())).await?;
        Ok((found.id, output))
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
