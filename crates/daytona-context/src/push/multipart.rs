//! Which archives go in parts, and how large the parts are.

use std::time::Duration;

use crate::archive::Archive;

const MIB: u64 = 1024 * 1024;

/// Parts of an object that S3 takes.
const MAX_PARTS: u64 = 10_000;

/// Below this a second connection saves less than the two requests cost that begin and end an upload in parts.
const THRESHOLD: u64 = 16 * MIB;

/// From a storage as near as this one connection gets what the line has, since a window of a megabyte is enough for 200 MB/s. Parts
/// would only cost more: each is hashed once more here, and put together there.
const NEAR: Duration = Duration::from_millis(5);

/// The most that S3 takes in one request.
const MAX_PUT: u64 = 5 * 1024 * MIB;

/// Bytes of a part: small enough that several share a file of 64 MiB and that one which breaks off costs little, larger for
/// large files, so that there are some dozens of them and not thousands.
const SMALLEST: u64 = 8 * MIB;
const LARGEST: u64 = 64 * MIB;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Multipart {
    /// As the caller said.
    pub(super) threshold: Option<u64>,
    pub(super) part_size: Option<u64>,
}

impl Multipart {
    /// The bytes of each part of an archive but the last, if it may go in parts.
    ///
    /// Archives of several files are small enough for one request, except where the caller wanted all in one.
    pub(super) fn part_size(self, archive: &Archive) -> Option<u64> {
        let size = archive.size();
        let threshold = self.threshold.unwrap_or(THRESHOLD);
        (size > threshold && (archive.len() == 1 || size > LARGEST)).then(|| self.part_size_of(size))
    }

    /// Whether an archive goes in one request all the same, since its storage answers within this time.
    pub(super) fn is_worth_one_request(self, size: u64, round_trip: Option<Duration>) -> bool {
        self.threshold.is_none()
            && self.part_size.is_none()
            && size <= MAX_PUT
            && round_trip.is_some_and(|time| time < NEAR)
    }

    fn part_size_of(self, size: u64) -> u64 {
        let wanted = self
            .part_size
            .unwrap_or_else(|| (size / 64).next_multiple_of(MIB).clamp(SMALLEST, LARGEST));
        let fitting = size.div_ceil(MAX_PARTS).next_multiple_of(MIB);
        if wanted.saturating_mul(MAX_PARTS) >= size {
            wanted
        } else {
            fitting
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_takes_one_request_unless_the_caller_says_otherwise() {
        let near = Some(Duration::from_millis(1));
        let default = Multipart::default();
        assert!(default.is_worth_one_request(MAX_PUT, near));
        assert!(!default.is_worth_one_request(MAX_PUT + 1, near));
        assert!(!default.is_worth_one_request(MIB, Some(NEAR)));
        assert!(!default.is_worth_one_request(MIB, None));
        let threshold = Multipart {
            threshold: Some(THRESHOLD),
            ..default
        };
        let part_size = Multipart {
            part_size: Some(MIB),
            ..default
        };
        assert!(!threshold.is_worth_one_request(MIB, near));
        assert!(!part_size.is_worth_one_request(MIB, near));
    }

    #[test]
    fn parts_grow_with_the_file_and_are_never_too_many() {
        let size_of = |size| Multipart::default().part_size_of(size);
        for (size, part) in [(17, 8), (64, 8), (1024, 16), (2048, 32), (100_000, 64)] {
            assert_eq!(size_of(size * MIB), part * MIB, "{size}");
        }
        for size in [1, 640_000 * MIB, 640_001 * MIB, 5_000_000 * MIB] {
            assert!(size.div_ceil(size_of(size)) <= MAX_PARTS, "{size}");
        }
        let small = Multipart {
            part_size: Some(1),
            ..Multipart::default()
        };
        assert_eq!(small.part_size_of(10_000), 1);
        assert_eq!(small.part_size_of(10_001), MIB);
    }
}
