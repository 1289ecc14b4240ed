//! What every object storage has to do, to be run on one's own.
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

/// A storage that does not do what it has to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Nonconforming {
    /// A request failed that should not.
    #[error("{what}")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// How it failed.
        #[source]
        source: StorageError,
    },
    /// It did something else than it has to.
    #[error("{what}: {seen}")]
    Differs {
        /// What it has to do.
        what: &'static str,
        /// What it did.
        seen: String,
    },
}

/// Runs the checks with keys below a prefix, which should be empty. What they put stays there.
///
/// Payloads of several sizes are stored under their keys and found there with their sizes; a key that nothing was put under is
/// not stored; what is put again replaces what is there; a payload whose bytes are not the ones of its digest is refused, and
/// leaves nothing behind, or what was there; and a put that is dropped leaves nothing behind.
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
    for size in [0, 1, 511, 512, 513, 256 * 1024, 256 * 1024 + 1, 3_000_000] {
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

    let wrong = key("wrong");
    let payload = Payload::from_bytes(vec![1; 400_000], Digest::of(b"something else"));
    expect(
        "other bytes than the digest's are refused",
        storage.put(&wrong, payload).await,
        Result::is_err,
    )?;
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
