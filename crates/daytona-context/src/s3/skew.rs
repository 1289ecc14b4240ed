//! The time that requests are signed with: the store's, once it is known that this machine's is wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::TimeSource;

/// S3 refuses what was signed more than 15 minutes from its own time.
const TOLERATED: u64 = 15 * 60;

/// Answers take a while, and dates have whole seconds: a difference within this is none.
const SAME: u64 = 60;

/// Seconds that the store's clock is ahead of this machine's. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Skew(Arc<AtomicI64>);

impl Skew {
    /// Takes the store's time over, if what was signed now would be refused for it. The difference, if it is new.
    pub(super) fn correct(&self, date: SystemTime, is_refused: bool) -> Option<i64> {
        let now = seconds(SystemTime::now());
        let ahead = seconds(date) - now;
        let off = (ahead - self.0.load(Ordering::Relaxed)).unsigned_abs();
        // The store has said so, or has not said why.
        if off <= if is_refused { SAME } else { TOLERATED } {
            return None;
        }
        self.0.store(ahead, Ordering::Relaxed);
        Some(ahead)
    }
}

fn seconds(time: SystemTime) -> i64 {
    let since = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => since(after),
        Err(before) => -since(before.duration()),
    }
}

impl TimeSource for Skew {
    fn now(&self) -> SystemTime {
        let ahead = self.0.load(Ordering::Relaxed);
        let difference = Duration::from_secs(ahead.unsigned_abs());
        let now = SystemTime::now();
        let corrected = if ahead < 0 {
            now.checked_sub(difference)
        } else {
            now.checked_add(difference)
        };
        corrected.unwrap_or(now)
    }
}

/// A difference in words: `40 min behind`.
pub(super) fn in_words(ahead: i64) -> String {
    let (minutes, side) = (
        ahead.unsigned_abs().div_ceil(60),
        if ahead < 0 { "ahead of" } else { "behind" },
    );
    if minutes < 120 {
        format!("{minutes} min {side}")
    } else {
        format!("{} h {side}", minutes / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_taken_over_once() {
        let skew = Skew::default();
        let minutes = |count: u64| Duration::from_secs(60 * count);
        assert_eq!(skew.correct(SystemTime::now() + minutes(14), false), None, "tolerated");
        assert!(
            skew.correct(SystemTime::now() + minutes(14), true).is_some(),
            "but not here"
        );
        let behind = skew.correct(SystemTime::now() - minutes(40), false).unwrap();
        assert!((-2402..=-2398).contains(&behind), "{behind}");
        assert_eq!(
            skew.correct(SystemTime::now() - minutes(40), true),
            None,
            "known by now"
        );
        assert!(skew.now() < SystemTime::now() - minutes(39));
        assert_eq!(in_words(behind), "40 min ahead of");
        assert_eq!(in_words(7200), "2 h behind");
    }

    #[test]
    fn no_date_overflows() {
        for date in [UNIX_EPOCH, UNIX_EPOCH + Duration::from_secs(400_000_000_000)] {
            let skew = Skew::default();
            assert!(skew.correct(date, true).is_some());
            skew.now();
        }
    }
}
