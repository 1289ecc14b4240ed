//! The time that requests are signed with: the store's, once it is known that this machine's is wrong.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::TimeSource;

/// S3 refuses what was signed more than 15 minutes from its own time.
const TOLERATED: u64 = 15 * 60;

/// Answers take a while, and dates have whole seconds: a difference within this is none.
const SAME: u64 = 60;

/// How often the store's time is taken over. A store whose machines have different clocks is not followed any further.
const MOST_CORRECTIONS: u32 = 3;

/// What is known of the difference between the store's clock and this machine's. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Skew(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Seconds that the store's clock is ahead.
    ahead: i64,
    /// Signing by the store's date did not help: its dates are of another clock than the one it checks with.
    is_misled: bool,
    corrections: u32,
}

/// What a refused request teaches.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lesson {
    /// Nothing.
    Nothing,
    /// Requests are signed with another time by now.
    Known,
    /// How many seconds the store's clock is ahead.
    Ahead(i64),
}

impl Skew {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds that are added to this machine's time.
    pub(super) fn ahead(&self) -> i64 {
        self.state().ahead
    }

    /// Takes the store's time over, if what was signed with `ahead` was refused for it, or may have been.
    pub(super) fn learn(&self, date: SystemTime, ahead: i64, is_refused: bool) -> Lesson {
        let mut state = self.state();
        if state.ahead != ahead {
            return Lesson::Known;
        }
        let difference = seconds(date).saturating_sub(seconds(SystemTime::now()));
        let off = difference.abs_diff(ahead);
        if off <= if is_refused { SAME } else { TOLERATED } {
            if is_refused && ahead != 0 {
                state.ahead = 0;
                state.is_misled = true;
                return Lesson::Known;
            }
            return Lesson::Nothing;
        }
        if state.is_misled || state.corrections == MOST_CORRECTIONS {
            return Lesson::Nothing;
        }
        state.corrections += 1;
        state.ahead = difference;
        Lesson::Ahead(difference)
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
        let ahead = self.ahead();
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
        let (soon, past) = (SystemTime::now() + minutes(14), SystemTime::now() - minutes(40));
        assert_eq!(skew.learn(soon, 0, false), Lesson::Nothing, "tolerated");
        let Lesson::Ahead(behind) = skew.learn(past, 0, false) else {
            panic!("nothing was learnt")
        };
        assert!((-2402..=-2398).contains(&behind), "{behind}");
        assert_eq!(skew.learn(past, 0, true), Lesson::Known, "signed before it was known");
        assert!(skew.now() < SystemTime::now() - minutes(39));
        let insists = Skew::default().learn(soon, 0, true);
        assert!(matches!(insists, Lesson::Ahead(_)), "{insists:?}");
        // It does not help: then it was not the time, or not this one.
        assert_eq!(skew.learn(past, behind, true), Lesson::Known);
        assert_eq!(skew.ahead(), 0);
        assert_eq!(skew.learn(past, 0, true), Lesson::Nothing);
        assert_eq!(in_words(behind), "40 min ahead of");
        assert_eq!(in_words(7200), "2 h behind");
    }

    #[test]
    fn no_date_overflows() {
        for date in [UNIX_EPOCH, UNIX_EPOCH + Duration::from_secs(400_000_000_000)] {
            let skew = Skew::default();
            assert!(matches!(skew.learn(date, 0, true), Lesson::Ahead(_)));
            skew.now();
        }
    }
}
