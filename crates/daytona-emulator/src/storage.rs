//! Object storage: S3 of its own, with the permissions that the real service gives.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use daytona_api::StorageAccess;
use jiff::Timestamp;
use tempfile::TempDir;
use uuid::Uuid;

use crate::base::clock::Clock;
use crate::base::data_dir::{create_private_file, make_private_folder, sweep};
use crate::base::random::random;

mod access;
mod blob;
mod bucket;
mod incoming;
mod index;
mod listing;
mod options;
mod stored;
mod strict;

pub(crate) use access::service;
pub(crate) use blob::{Blob, ReadSeek};
pub use options::StorageOptions;
pub(crate) use stored::Stored;
use stored::Tag;
pub(crate) use strict::{Refusal, refuse};

/// Name of the bucket.
pub(crate) const BUCKET: &str = "daytona";

/// Life of temporary credentials, as on the real service.
const LIFETIME: std::time::Duration = std::time::Duration::from_hours(1);

/// An upload in parts that does not end is given up after so long, on the emulator's clock.
const UPLOAD_LIFETIME: std::time::Duration = std::time::Duration::from_hours(24);

/// Uploads in parts that are under way at once.
const MOST_UPLOADS: usize = 1_000;

/// Credentials that are remembered. The oldest are forgotten first, so that a client cannot fill the memory with them.
const REMEMBERED_CREDENTIALS: usize = 10_000;

/// An object in the emulator's storage.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let emulator = daytona_emulator::Emulator::builder().in_process()?;
/// emulator.put_object("org/hash/context.tar", b"bytes")?;
/// let objects = emulator.objects();
/// assert_eq!(objects[0].key, "org/hash/context.tar");
/// assert_eq!(objects[0].read()?, b"bytes");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoredObject {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    blob: Blob,
}

impl StoredObject {
    /// Reads its bytes.
    ///
    /// # Errors
    ///
    /// Fails if the file that contains them cannot be read.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.blob.reader(0)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The store. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    place: Place,
    options: StorageOptions,
    clock: Clock,
    state: Mutex<State>,
    /// Held while an index file and what is known of its object change, so that they change in one order.
    replacing: Mutex<()>,
}

/// Where objects are kept.
#[derive(Debug)]
enum Place {
    Memory,
    /// Until the emulator ends, and nobody holds an image or an object of it.
    Scratch(Arc<TempDir>),
    /// A directory of the user's, with an index of what is in it.
    Folder(PathBuf),
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Stored>,
    uploads: BTreeMap<String, Upload>,
    credentials: BTreeMap<String, Issued>,
    issued: std::collections::VecDeque<String>,
    /// Bytes of all objects and parts, those that are just coming in included.
    used: u64,
}

impl State {
    /// Forgets an upload in parts, with what there is of it.
    fn end_upload(&mut self, id: &str) {
        for part in self
            .uploads
            .remove(id)
            .into_iter()
            .flat_map(|upload| upload.parts.into_values())
        {
            self.used = self.used.saturating_sub(part.size);
            part.blob.make_obsolete();
        }
    }
}

#[derive(Debug)]
struct Upload {
    key: String,
    begun: Timestamp,
    parts: BTreeMap<i32, Stored>,
}

/// Temporary credentials that were given out.
#[derive(Debug)]
struct Issued {
    secret: String,
    token: String,
    organization: String,
    expires: Timestamp,
    parts_left: Option<u32>,
}

impl Storage {
    pub(crate) fn new(options: StorageOptions, clock: Clock, folder: Option<&Path>) -> io::Result<Self> {
        let (place, objects) = match folder {
            Some(folder) => {
                make_private_folder(folder)?;
                sweep(folder)?;
                (Place::Folder(folder.to_owned()), index::load(folder)?)
            }
            None if options.in_memory => (Place::Memory, BTreeMap::new()),
            None => {
                let scratch = tempfile::Builder::new().prefix("daytona-emulator-").tempdir()?;
                (Place::Scratch(Arc::new(scratch)), BTreeMap::new())
            }
        };
        let used = objects.values().map(|stored: &Stored| stored.size).sum();
        Ok(Self {
            inner: Arc::new(Inner {
                place,
                options,
                clock,
                state: Mutex::new(State {
                    objects,
                    used,
                    ..State::default()
                }),
                replacing: Mutex::default(),
            }),
        })
    }

    pub(crate) fn options(&self) -> &StorageOptions {
        &self.inner.options
    }

    /// Temporary credentials for the organization's prefix.
    pub(crate) fn issue(&self, organization: &str, storage_url: &str) -> StorageAccess {
        let access_key = format!("ASIA{}", random(16).to_uppercase());
        let (secret, token) = (random(40), random(352));
        let issued = Issued {
            secret: secret.clone(),
            token: token.clone(),
            organization: organization.to_owned(),
            expires: crate::base::clock::after(self.inner.clock.now(), LIFETIME),
            parts_left: self.inner.options.expire_after_parts,
        };
        let mut state = self.lock();
        state.credentials.insert(access_key.clone(), issued);
        state.issued.push_back(access_key.clone());
        if state.issued.len() > REMEMBERED_CREDENTIALS
            && let Some(oldest) = state.issued.pop_front()
        {
            state.credentials.remove(&oldest);
        }
        let mut access = StorageAccess::new(access_key, secret, token, storage_url, organization, BUCKET);
        access.region.clone_from(&self.inner.options.told_region);
        access
    }

    /// An object, if it is there.
    pub(crate) fn open(&self, key: &str) -> Option<Stored> {
        self.lock().objects.get(key).cloned()
    }

    pub(crate) fn objects(&self) -> Vec<StoredObject> {
        let state = self.lock();
        let objects = state.objects.iter().map(|(key, stored)| StoredObject {
            key: key.clone(),
            size: stored.size,
            blob: stored.blob.clone(),
        });
        objects.collect()
    }

    /// Puts an object from outside S3.
    pub(crate) fn put_bytes(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let size = bytes.len() as u64;
        let blob = match self.new_path() {
            None => Blob::Memory(Bytes::copy_from_slice(bytes)),
            Some(path) => {
                let written = create_private_file(&path).and_then(|mut file| file.write_all(bytes));
                if let Err(error) = written {
                    drop(std::fs::remove_file(&path));
                    return Err(error);
                }
                self.file(path)
            }
        };
        self.lock().used += size;
        let mut tag = Tag::default();
        tag.update(bytes);
        let stored = Stored {
            blob,
            size,
            etag: tag.of_parts(1),
            modified: self.inner.clock.now(),
        };
        self.replace(key.to_owned(), stored)
    }

    /// Makes an object visible, in place of what was there. What cannot be kept is not counted any more.
    fn replace(&self, key: String, stored: Stored) -> io::Result<()> {
        let _in_order = self.inner.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Place::Folder(folder) = &self.inner.place
            && let Err(error) = index::write(folder, &key, &stored)
        {
            self.release(stored.size);
            stored.blob.make_obsolete();
            return Err(error);
        }
        let mut state = self.lock();
        if let Some(old) = state.objects.insert(key, stored) {
            state.used = state.used.saturating_sub(old.size);
            drop(state);
            old.blob.make_obsolete();
        }
        Ok(())
    }

    /// Begins an upload in parts. One that was begun long ago and has not ended is given up, and so is the oldest of
    /// too many.
    fn begin_upload(&self, key: &str) -> String {
        let now = self.inner.clock.now();
        let id = Uuid::new_v4().simple().to_string();
        let mut state = self.lock();
        let is_old = |upload: &Upload| crate::base::clock::after(upload.begun, UPLOAD_LIFETIME) <= now;
        let mut ended: Vec<String> = state
            .uploads
            .iter()
            .filter(|(_, upload)| is_old(upload))
            .map(|(id, _)| id.clone())
            .collect();
        if ended.is_empty() && state.uploads.len() >= MOST_UPLOADS {
            let oldest = state.uploads.iter().min_by_key(|(_, upload)| upload.begun);
            ended.extend(oldest.map(|(id, _)| id.clone()));
        }
        for upload in ended {
            state.end_upload(&upload);
        }
        let upload = Upload {
            key: key.to_owned(),
            begun: now,
            parts: BTreeMap::new(),
        };
        state.uploads.insert(id.clone(), upload);
        id
    }

    /// Takes everything out. Credentials stay good.
    pub(crate) fn clear(&self) -> io::Result<()> {
        let _in_order = self.inner.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.lock();
        let keys: Vec<String> = state.objects.keys().cloned().collect();
        for key in keys {
            if let Place::Folder(folder) = &self.inner.place {
                index::remove(folder, &key)?;
            }
            if let Some(stored) = state.objects.remove(&key) {
                state.used = state.used.saturating_sub(stored.size);
                stored.blob.make_obsolete();
            }
        }
        let uploads: Vec<String> = state.uploads.keys().cloned().collect();
        for upload in uploads {
            state.end_upload(&upload);
        }
        Ok(())
    }

    /// Makes room for bytes that come in, if there is any.
    fn reserve(&self, bytes: u64) -> bool {
        let mut state = self.lock();
        let fits = state.used.saturating_add(bytes) <= self.inner.options.largest_total;
        if fits {
            state.used += bytes;
        }
        fits
    }

    fn release(&self, bytes: u64) {
        let mut state = self.lock();
        state.used = state.used.saturating_sub(bytes);
    }

    /// The bytes that were written to a file of this store.
    fn file(&self, path: PathBuf) -> Blob {
        let scratch = match &self.inner.place {
            Place::Scratch(scratch) => Some(Arc::clone(scratch)),
            Place::Memory | Place::Folder(_) => None,
        };
        Blob::File(blob::ObjectFile::new(path, scratch))
    }

    /// A file for bytes, unless they are kept in memory: its name has nothing of what a request said.
    fn new_path(&self) -> Option<PathBuf> {
        let folder = match &self.inner.place {
            Place::Memory => return None,
            Place::Scratch(scratch) => scratch.path(),
            Place::Folder(folder) => folder,
        };
        Some(folder.join(format!("{}.data", Uuid::new_v4().simple())))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
