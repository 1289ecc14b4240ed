//! Where a push goes.

use std::sync::Arc;

use crate::digest::Digest;
use crate::storage::ObjectStorage;

/// Where a push goes.
#[derive(Debug, Clone)]
pub struct Target {
    storage: Arc<dyn ObjectStorage>,
    prefix: String,
}

impl Target {
    /// Keys are `<prefix>/<hash>/context.tar`.
    pub fn new(storage: Arc<dyn ObjectStorage>, prefix: impl Into<String>) -> Self {
        Self {
            storage,
            prefix: prefix.into(),
        }
    }
}

/// Where a push goes, borrowed or shared.
pub(super) struct Destination<'a> {
    storage: Storage<'a>,
    prefix: String,
}

impl<'a> Destination<'a> {
    pub(super) fn borrowed(storage: &'a dyn ObjectStorage, prefix: &str) -> Self {
        Self {
            storage: Storage::Borrowed(storage),
            prefix: prefix.to_owned(),
        }
    }

    pub(super) fn storage(&self) -> &dyn ObjectStorage {
        match &self.storage {
            Storage::Borrowed(storage) => *storage,
            Storage::Shared(storage) => storage.as_ref(),
        }
    }

    pub(super) fn key(&self, digest: Digest) -> String {
        format!("{}/{digest}/context.tar", self.prefix)
    }
}

impl From<Target> for Destination<'_> {
    fn from(Target { storage, prefix }: Target) -> Self {
        let storage = Storage::Shared(storage);
        Self { storage, prefix }
    }
}

enum Storage<'a> {
    Borrowed(&'a dyn ObjectStorage),
    Shared(Arc<dyn ObjectStorage>),
}
