//! What is known of an object, or of a part of one.

use jiff::Timestamp;

use super::blob::Blob;

/// An object, or a part of one.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) blob: Blob,
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) modified: Timestamp,
}

/// The tag of an object. One of 32 digits alone would be taken for an MD5 by several clients; this one has the form of an
/// object that was put together.
#[derive(Default)]
pub(super) struct Tag(sha2::Sha256);

impl Tag {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        sha2::Digest::update(&mut self.0, bytes);
    }

    pub(super) fn of_parts(self, count: usize) -> String {
        let digest = sha2::Digest::finalize(self.0);
        format!("{}-{count}", hex::encode(&digest[..16]))
    }
}
