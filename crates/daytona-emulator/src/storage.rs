//! Object storage: S3 on a folder of its own, with the permissions that the real service gives.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use daytona_api::StorageAccess;
use tempfile::TempDir;
use uuid::Uuid;

use crate::clock::Clock;

mod access;
mod bucket;
mod strict;

pub(crate) use access::service;
pub(crate) use strict::refuse;

/// Name of the bucket.
pub(crate) const BUCKET: &str = "daytona";

/// Life of temporary credentials, as on the real service.
const LIFETIME: std::time::Duration = std::time::Duration::from_hours(1);

/// Peculiarities of real stores that the emulator's storage can be given.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct StorageOptions {
    pub(crate) forbidden_when_missing: bool,
    pub(crate) refuse_checksum_headers: bool,
    pub(crate) refuse_chunked_framing: bool,
    pub(crate) expire_after_parts: Option<u32>,
}

impl StorageOptions {
    /// A store without peculiarities. Bucket-level requests, deletion and abortion are refused by policy in any case.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers `HEAD` and `GET` of a missing key with 403, as AWS does for callers that may not list.
    pub fn forbidden_when_missing(mut self) -> Self {
        self.forbidden_when_missing = true;
        self
    }

    /// Refuses requests with checksum headers or trailers, as several S3-compatible stores do.
    pub fn refuse_checksum_headers(mut self) -> Self {
        self.refuse_checksum_headers = true;
        self
    }

    /// Refuses chunked bodies, of HTTP and of AWS alike.
    pub fn refuse_chunked_framing(mut self) -> Self {
        self.refuse_chunked_framing = true;
        self
    }

    /// Lets credentials expire once this many objects or parts were put with them.
    pub fn expire_after_parts(mut self, parts: u32) -> Self {
        self.expire_after_parts = Some(parts);
        self
    }
}

/// An object that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredObject {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    path: PathBuf,
}

impl StoredObject {
    /// Its bytes.
    ///
    /// # Errors
    ///
    /// If the file that holds them cannot be read.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        std::fs::read(&self.path)
    }
}

/// The store. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: TempDir,
    options: StorageOptions,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Stored>,
    uploads: BTreeMap<String, Upload>,
    credentials: BTreeMap<String, Issued>,
}

/// Where the bytes of an object are.
#[derive(Debug, Clone)]
struct Stored {
    path: PathBuf,
    size: u64,
    etag: String,
}

#[derive(Debug)]
struct Upload {
    key: String,
    parts: BTreeMap<i32, Stored>,
}

/// Temporary credentials that were given out.
#[derive(Debug)]
struct Issued {
    secret: String,
    token: String,
    organization: String,
    expires: jiff::Timestamp,
    parts_left: Option<u32>,
}

/// An object opened for reading.
#[derive(Debug)]
pub(crate) struct OpenObject {
    pub(crate) file: File,
    pub(crate) size: u64,
}

impl Storage {
    pub(crate) fn new(options: StorageOptions, clock: Clock) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("daytona-emulator-").tempdir()?;
        Ok(Self {
            inner: Arc::new(Inner {
                folder,
                options,
                clock,
                state: Mutex::default(),
            }),
        })
    }

    pub(crate) fn options(&self) -> &StorageOptions {
        &self.inner.options
    }

    /// Temporary credentials for the organization's prefix.
    pub(crate) fn issue(&self, organization: &str, storage_url: &str) -> StorageAccess {
        let random = || Uuid::new_v4().simple().to_string();
        let access_key = format!("ASIA{}", random()[..16].to_uppercase());
        let secret = format!("{}{}", random(), &random()[..8]);
        let token = format!("{}{}{}", random(), random(), random());
        let issued = Issued {
            secret: secret.clone(),
            token: token.clone(),
            organization: organization.to_owned(),
            expires: crate::clock::after(self.inner.clock.now(), LIFETIME),
            parts_left: self.inner.options.expire_after_parts,
        };
        self.lock().credentials.insert(access_key.clone(), issued);
        StorageAccess::new(access_key, secret, token, storage_url, organization, BUCKET)
    }

    /// Opens an object for reading.
    pub(crate) fn open(&self, key: &str) -> Option<OpenObject> {
        let stored = self.lock().objects.get(key).cloned()?;
        let file = File::open(&stored.path).ok()?;
        Some(OpenObject {
            file,
            size: stored.size,
        })
    }

    pub(crate) fn objects(&self) -> Vec<StoredObject> {
        let state = self.lock();
        let objects = state.objects.iter().map(|(key, stored)| StoredObject {
            key: key.clone(),
            size: stored.size,
            path: stored.path.clone(),
        });
        objects.collect()
    }

    /// Puts an object from outside of S3.
    pub(crate) fn put_bytes(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.new_path();
        std::fs::write(&path, bytes)?;
        let stored = Stored {
            path,
            size: bytes.len() as u64,
            etag: Uuid::new_v4().simple().to_string(),
        };
        self.lock().objects.insert(key.to_owned(), stored);
        Ok(())
    }

    fn folder(&self) -> &Path {
        self.inner.folder.path()
    }

    /// A place for bytes: its name has nothing of what a request said.
    fn new_path(&self) -> PathBuf {
        self.folder().join(Uuid::new_v4().simple().to_string())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
