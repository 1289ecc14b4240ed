//! When bytes may pass, by the rate of a line. Times are given, so that this knows no clock.

use std::time::{Duration, Instant};

/// What may be made good after a pause: a timer is never early, and would cost a little of the rate each time.
pub(super) const SLACK: Duration = Duration::from_millis(10);

/// The same where the pause was not the sender's: there was more to send all the time, but the machine had other things to do.
pub(super) const SLACK_OF_BUSY: Duration = Duration::from_millis(200);

/// The fewest bytes to let pass at once.
const LEAST: usize = 64;

/// One after the other, at a rate.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes a second.
    rate: Option<u64>,
    /// When everything that was let pass has passed.
    free: Instant,
}

impl Pace {
    pub(super) fn new(rate: Option<u64>, now: Instant) -> Self {
        Self { rate, free: now }
    }

    /// Lets bytes pass after all that passed before them; returns when the last of them has.
    pub(super) fn pass(&mut self, bytes: usize, now: Instant, slack: Duration) -> Instant {
        let Some(rate) = self.rate else { return now };
        // At a low rate each wake-up lets few bytes pass, and is as late as any other.
        let slack = slack.max(time(4 * LEAST, rate));
        let begin = now.checked_sub(slack).map_or(self.free, |least| self.free.max(least));
        self.free = begin + time(bytes, rate);
        self.free.max(now)
    }

    /// How many bytes to let pass at once: about 5 ms of them, so that connections take turns.
    pub(super) fn share(rate: Option<u64>) -> usize {
        const MOST: usize = 16 << 10;
        let share = rate.and_then(|rate| usize::try_from(rate / 200).ok());
        share.map_or(MOST, |share| share.clamp(LEAST, MOST))
    }
}

fn time(bytes: usize, rate: u64) -> Duration {
    let nanoseconds = bytes as u128 * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_that_never_waits_gets_the_rate() {
        let begin = Instant::now();
        let mut pace = Pace::new(Some(5_000_000), begin);
        let mut now = begin;
        for _ in 0..1000 {
            now = pace.pass(10_000, now, SLACK);
        }
        assert_eq!(now - begin, Duration::from_secs(2));
    }

    #[test]
    fn late_wake_ups_do_not_cost_the_rate() {
        let begin = Instant::now();
        let mut pace = Pace::new(Some(1_000_000), begin);
        let mut now = begin;
        for _ in 0..1000 {
            now = pace.pass(10_000, now, SLACK) + Duration::from_millis(3);
        }
        // Ten seconds of bytes, and the last wake-up.
        assert_eq!(now - begin, Duration::from_millis(10_003));
    }

    #[test]
    fn what_was_not_used_is_lost_but_for_the_slack() {
        let begin = Instant::now();
        let mut pace = Pace::new(Some(1000), begin);
        let later = begin + Duration::from_mins(1);
        assert_eq!(pace.pass(1000, later, SLACK), later + Duration::from_millis(744));
    }

    #[test]
    fn senders_share_one_rate() {
        let begin = Instant::now();
        let mut pace = Pace::new(Some(1000), begin);
        let passed: Vec<_> = (0..4).map(|_| pace.pass(500, begin, SLACK) - begin).collect();
        assert_eq!(passed[3], Duration::from_secs(2));
        assert!(passed.is_sorted());
    }

    #[test]
    fn without_a_rate_everything_passes_at_once() {
        let begin = Instant::now();
        assert_eq!(Pace::new(None, begin).pass(usize::MAX, begin, SLACK), begin);
        assert_eq!(
            [Pace::share(None), Pace::share(Some(1)), Pace::share(Some(1_000_000))],
            [16 << 10, 64, 5000]
        );
    }
}
