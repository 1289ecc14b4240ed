//! Checks of what every object storage must do. Run them on your own.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), daytona_context::conformance::Nonconforming> {
//! let storage = daytona_context::MemoryStorage::new();
//! daytona_context::conformance::check(&storage, "some/prefix").await
//! # }
//! ```

use bytes::Bytes;

use super::error::StorageError;
use super::{Head, ObjectStorage};
use crate::digest::Digest;
use crate::payload::Payload;

/// A requirement that a storage does not meet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Nonconforming {
    /// A request failed that should succeed.
    #[error("{what}")]
    Failed {
        /// The request.
        what: &'static str,
        /// The error.
        #[source]
        source: StorageError,
    },
    /// The storage did something else.
    #[error("{what}: {seen}")]
    Differs {
        /// The requirement.
        what: &'static str,
        /// What it did.
        seen: String,
    },
}

/// Runs the checks with keys below a prefix, which should be empty. The stored objects are not removed.
///
/// - Payloads of several sizes are found under their keys, with their sizes. A key that was never stored is not found.
/// - A second payload under the same key replaces the first.
/// - A payload whose bytes do not match its digest is refused, and changes nothing.
/// - A `put` that is dropped stores nothing.
/// - Parts may come in any order, and are visible only when all of them are stored. A part whose bytes do not match its
///   digest is refused.
///
/// # Errors
///
/// [`Nonconforming`] with the first check that fails.
pub async fn check(storage: &dyn ObjectStorage, prefix: &str) -> Result<(), Nonconforming> {
    let key = |name: &str| format!("{prefix}/{name}/context.tar");
    let failed = |what| move |source| Nonconforming::Failed { what, source };

    let head = storage
        .head(&key("never"))
        .await
        .map_err(failed("looking for a key that is not there"))?;
    expect("nothing is stored before it is put", head, |head| {
        !matches!(head, Head::Stored { .. })
    })?;

    // Around a block of tar, and around a chunk.
    let around = |size: usize| [size - 1, size, size + 1];
    let sizes = [1, 512, 64 * 1024, 256 * 1024, 512 * 1024, 3_000_000].map(around);
    for size in sizes.into_iter().flatten() {
        let bytes = Bytes::from(vec![7; size]);
        let digest = Digest::of(&bytes);
        let key = key(&digest.to_string());
        let put = storage.put(&key, Payload::from_bytes(bytes, digest)).await;
        put.map_err(failed("storing a payload"))?;
        let head = storage
            .head(&key)
            .await
            .map_err(failed("looking for what was stored"))?;
        let stored = Head::Stored { size: size as u64 };
        expect("what was stored is found with its size", head, |head| {
            *head == stored || *head == Head::Unknown
        })?;
    }

    let replaced = key("replaced");
    for text in ["one", "another"] {
        let payload = Payload::from_bytes(text, Digest::of(text.as_bytes()));
        storage
            .put(&replaced, payload)
            .await
            .map_err(failed("storing a payload again"))?;
    }
    let head = storage
        .head(&replaced)
        .await
        .map_err(failed("looking for what was replaced"))?;
    expect("what is put again replaces what was there", head, |head| {
        matches!(head, Head::Stored { size: 7 } | Head::Unknown)
    })?;

    let below = format!("{replaced}/below");
    let head = storage
        .head(&below)
        .await
        .map_err(failed("looking for a key below an object"))?;
    expect("nothing is stored below an object", head, |head| {
        !matches!(head, Head::Stored { .. })
    })?;

    let wrong = key("wrong");
    for bytes in [vec![1; 400_000], vec![1], Vec::new()] {
        let payload = Payload::from_bytes(bytes, Digest::of(b"something else"));
        expect(
            "other bytes than the digest's are refused",
            storage.put(&wrong, payload).await,
            Result::is_err,
        )?;
    }
    let head = storage
        .head(&wrong)
        .await
        .map_err(failed("looking for what was refused"))?;
    expect("what was refused is not there", head, |head| {
        !matches!(head, Head::Stored { .. })
    })?;

    let dropped = key("dropped");
    let payload = Payload::from_bytes(vec![2; 4_000_000], Digest::of(&vec![2; 4_000_000]));
    // The first step of a put does not store four megabytes.
    let put = storage.put(&dropped, payload);
    drop(futures_util::future::select(put, std::future::ready(())).await);
    let head = storage
        .head(&dropped)
        .await
        .map_err(failed("looking for what was dropped"))?;
    expect("a put that is dropped leaves nothing behind", head, |head| {
        !matches!(head, Head::Stored { .. })
    })?;
    check_parts(storage, &key("parts")).await
}

async fn check_parts(storage: &dyn ObjectStorage, key: &str) -> Result<(), Nonconforming> {
    let failed = |what| move |source| Nonconforming::Failed { what, source };
    // The smallest part that S3 takes, and a short one at the end.
    let parts = [vec![3; 5 * 1024 * 1024], vec![4; 1000]];
    let size = parts.iter().map(|part| part.len() as u64).sum();
    let begun = storage.start_multipart(key, size).await;
    let Some(upload) = begun.map_err(failed("beginning an upload in parts"))? else {
        return Ok(());
    };
    let wrong = Payload::from_bytes(vec![9; 1000], Digest::of(&parts[1]));
    expect(
        "a part with other bytes than its digest's is refused",
        upload.put_part(1, wrong).await,
        Result::is_err,
    )?;
    for (number, part) in parts.into_iter().enumerate().rev() {
        let digest = Digest::of(&part);
        let put = upload.put_part(number, Payload::from_bytes(part, digest)).await;
        put.map_err(failed("storing a part"))?;
    }
    let head = storage
        .head(key)
        .await
        .map_err(failed("looking for an upload that is not complete"))?;
    expect("parts are not visible before they are all there", head, |head| {
        !matches!(head, Head::Stored { .. })
    })?;
    upload
        .complete()
        .await
        .map_err(failed("completing an upload in parts"))?;
    let head = storage
        .head(key)
        .await
        .map_err(failed("looking for what came in parts"))?;
    expect("what came in parts is found with its size", head, |head| {
        *head == Head::Stored { size } || *head == Head::Unknown
    })?;
    let other = format!("{key}.given-up");
    let begun = storage.start_multipart(&other, size).await;
    if let Some(upload) = begun.map_err(failed("beginning an upload in parts"))? {
        upload.abort().await;
    }
    let head = storage
        .head(&other)
        .await
        .map_err(failed("looking for what was given up"))?;
    expect("what was given up is not there", head, |head| {
        !matches!(head, Head::Stored { .. })
    })
}

fn expect<T: std::fmt::Debug>(
    what: &'static str,
    seen: T,
    is_so: impl FnOnce(&T) -> bool,
) -> Result<(), Nonconforming> {
    if is_so(&seen) {
        return Ok(());
    }
    Err(Nonconforming::Differs {
        what,
        seen: format!("{seen:?}"),
    })
}
