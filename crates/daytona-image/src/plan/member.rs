//! One file of the context.

use std::path::{Path, PathBuf};

use crate::walk::{Fingerprint, Found};

/// One file of the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    name: String,
    source: PathBuf,
    executable: bool,
    fingerprint: Fingerprint,
}

impl Member {
    /// A file that was found, with its name in the context.
    pub(super) fn new(name: &str, found: &Found) -> Self {
        Self {
            name: name.to_owned(),
            source: found.source.clone(),
            executable: found.is_executable,
            fingerprint: found.fingerprint.clone(),
        }
    }

    /// Its name in the context, `/`-separated.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The local file that it is read from.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.fingerprint.size()
    }

    /// Its mode in the context: 0755 if its owner may execute it, else 0644. Windows has no such bit, so there it is
    /// 0755 unless the image sets it with `chmod`.
    pub fn mode(&self) -> u32 {
        if self.executable { 0o755 } else { 0o644 }
    }

    /// The state of the file when it was planned.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}
