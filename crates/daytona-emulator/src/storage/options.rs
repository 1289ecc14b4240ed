//! Peculiarities of real stores, and limits.

/// Gives the emulator's storage peculiarities of real stores, and sets where and how much it may store.
///
/// ```
/// use daytona_emulator::{Emulator, StorageOptions};
///
/// # fn main() -> std::io::Result<()> {
/// // As strict as the strictest stores, and busy.
/// let storage = StorageOptions::new()
///     .forbidden_when_missing()
///     .refuse_checksum_headers()
///     .refuse_chunked_framing()
///     .slow_down_every(5);
/// let emulator = Emulator::builder().storage(storage).in_process()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a peculiarity that a store has or not"
)]
pub struct StorageOptions {
    pub(crate) in_memory: bool,
    pub(crate) forbidden_when_missing: bool,
    pub(crate) refuse_checksum_headers: bool,
    pub(crate) refuse_chunked_framing: bool,
    pub(crate) expire_after_parts: Option<u32>,
    pub(crate) region: Option<String>,
    pub(crate) told_region: Option<String>,
    pub(crate) slow_down: Option<u64>,
    pub(crate) bytes_per_second: Option<u64>,
    pub(crate) largest_object: u64,
    pub(crate) largest_total: u64,
}

impl Default for StorageOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl StorageOptions {
    /// A store without peculiarities, in temporary files. The policy of its credentials only allows reading, writing
    /// and listing below the prefix of the organization. An object may have up to 16 GiB, and all objects together up
    /// to 32 GiB.
    pub fn new() -> Self {
        Self {
            in_memory: false,
            forbidden_when_missing: false,
            refuse_checksum_headers: false,
            refuse_chunked_framing: false,
            expire_after_parts: None,
            region: None,
            told_region: None,
            slow_down: None,
            bytes_per_second: None,
            largest_object: 16 << 30,
            largest_total: 32 << 30,
        }
    }

    /// Keeps objects in memory instead of temporary files. With a data directory, they are still in files.
    pub fn in_memory(mut self) -> Self {
        self.in_memory = true;
        self
    }

    /// The largest object and the largest sum of all objects, in bytes. An upload that does not fit is refused with
    /// `EntityTooLarge`. Default: 16 GiB and 32 GiB.
    pub fn limits(mut self, object: u64, total: u64) -> Self {
        (self.largest_object, self.largest_total) = (object, total);
        self
    }

    /// Answers `HEAD` and `GET` of a missing key with 403, as AWS does for callers that may not list objects.
    pub fn forbidden_when_missing(mut self) -> Self {
        self.forbidden_when_missing = true;
        self
    }

    /// Refuses requests with checksum headers or trailers, as several S3-compatible stores do.
    pub fn refuse_checksum_headers(mut self) -> Self {
        self.refuse_checksum_headers = true;
        self
    }

    /// Refuses chunked bodies, both of HTTP and of AWS.
    pub fn refuse_chunked_framing(mut self) -> Self {
        self.refuse_chunked_framing = true;
        self
    }

    /// Lets credentials expire after this many uploads of objects or parts.
    pub fn expire_after_parts(mut self, parts: u32) -> Self {
        self.expire_after_parts = Some(parts);
        self
    }

    /// Accepts only requests that are signed for this region, and names it in the error for others. Default: any
    /// region.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// The region that push access names. Default: none, as on server 0.190.0.
    pub fn told_region(mut self, region: impl Into<String>) -> Self {
        self.told_region = Some(region.into());
        self
    }

    /// Answers every n-th request with 503 `SlowDown`.
    pub fn slow_down_every(mut self, requests: u64) -> Self {
        self.slow_down = Some(requests.max(1));
        self
    }

    /// Reads bodies at most at this speed, by the emulator's clock.
    pub fn bytes_per_second(mut self, bytes: u64) -> Self {
        self.bytes_per_second = Some(bytes.max(1));
        self
    }
}
