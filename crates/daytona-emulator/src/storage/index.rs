//! The index of a directory of objects: a small file for each object, which names the file with its bytes.
//!
//! An object is there when its index file is. That file is renamed into its place once the bytes are whole, so that a
//! process that is killed at any time leaves either the old object or the new one.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::blob::{Blob, ObjectFile};
use super::stored::Stored;
use crate::base::data_dir::named;

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    key: String,
    size: u64,
    etag: String,
    #[serde(default)]
    modified: Option<Timestamp>,
    /// Name of the file in the same directory.
    data: String,
}

/// Reads the directory, and takes away what no index file names.
pub(super) fn load(folder: &Path) -> io::Result<BTreeMap<String, Stored>> {
    let mut objects = BTreeMap::new();
    let mut data = Vec::new();
    let mut known = HashSet::new();
    for file in std::fs::read_dir(folder).map_err(named(folder))? {
        let path = file.map_err(named(folder))?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("data") => data.push(path),
            Some("json") => {
                let text = std::fs::read(&path).map_err(named(&path))?;
                let entry: Entry = serde_json::from_slice(&text).map_err(|error| named(&path)(error.into()))?;
                // The name came from a file that anybody may have written: it must not lead out of the directory.
                let is_plain = Path::new(&entry.data).file_name() == Some(entry.data.as_ref());
                let bytes = folder.join(&entry.data);
                let is_whole = is_plain && std::fs::metadata(&bytes).is_ok_and(|found| found.len() == entry.size);
                if !is_whole {
                    tracing::warn!(key = entry.key, "the bytes of an object are missing, so it is left out");
                    continue;
                }
                known.insert(bytes.clone());
                let stored = Stored {
                    blob: Blob::File(ObjectFile::new(bytes, None)),
                    size: entry.size,
                    etag: entry.etag,
                    modified: entry.modified.unwrap_or(Timestamp::UNIX_EPOCH),
                };
                objects.insert(entry.key, stored);
            }
            _ => {}
        }
    }
    for path in data {
        if !known.contains(&path) {
            std::fs::remove_file(&path).map_err(named(&path))?;
        }
    }
    Ok(objects)
}

/// Names an object that is whole.
pub(super) fn write(folder: &Path, key: &str, stored: &Stored) -> io::Result<()> {
    let Blob::File(file) = &stored.blob else { return Ok(()) };
    let name = file.path().file_name().unwrap_or_default();
    let entry = Entry {
        key: key.to_owned(),
        size: stored.size,
        etag: stored.etag.clone(),
        modified: Some(stored.modified),
        data: name.to_string_lossy().into_owned(),
    };
    crate::base::data_dir::replace_file(&path_of(folder, key), &serde_json::to_vec(&entry)?)
}

/// Takes an object out of the index.
pub(super) fn remove(folder: &Path, key: &str) -> io::Result<()> {
    let path = path_of(folder, key);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(named(&path)(error)),
        _ => Ok(()),
    }
}

fn path_of(folder: &Path, key: &str) -> std::path::PathBuf {
    folder.join(format!("{}.json", hex::encode(Sha256::digest(key))))
}
