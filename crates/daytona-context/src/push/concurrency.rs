//! How many requests at once are worth it.
//!
//! One connection over a long line carries no more than its window in each round trip, however wide the line is: there
//! several are faster. On a narrow line they only share it. Which line it is shows in how long requests take: with `n`
//! at once, each of `bytes / seconds`, the line carries `n · bytes / seconds`. So the limit is doubled while that
//! raises the throughput by a tenth, and halved while it costs less than a tenth. Round trips are part of the seconds,
//! so that small requests count as they should. No address and no clock is asked.

use std::time::Duration;

/// The limit to begin with: enough for most lines, and not too many where they are of no use.
const INITIAL: usize = 8;

/// What another limit has to gain, or may cost.
const GAIN: f64 = 1.1;
const COST: f64 = 0.9;

/// Requests at the limit that was found before another one is tried again: the line may have changed.
const HOLD: u32 = 64;

/// Failures within this time have one cause.
const ONE_FAILURE: Duration = Duration::from_secs(1);

/// A limit that follows the line. Pure: it is told what happened.
#[derive(Debug)]
pub(super) struct Concurrency {
    limit: usize,
    max: usize,
    /// Counts the changes of the limit: what was begun under an earlier one tells nothing of this one.
    generation: u64,
    measured: Measured,
    stage: Stage,
    last_failure: Option<Duration>,
}

/// Requests under the current limit.
#[derive(Debug, Default)]
struct Measured {
    requests: u32,
    bytes: u64,
    busy: Duration,
}

/// What the current limit is for.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// To learn what it is worth, after some requests have passed.
    Measure { after: u32 },
    /// To see whether more are faster than `from`, with which the line carried `throughput`.
    Up { from: usize, throughput: f64 },
    /// To see whether fewer are as fast.
    Down { from: usize, throughput: f64 },
}

impl Concurrency {
    pub(super) fn new(max: usize) -> Self {
        Self {
            limit: INITIAL.min(max),
            max,
            generation: 0,
            measured: Measured::default(),
            stage: Stage::Measure { after: 0 },
            last_failure: None,
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// A request that began under the limit of this generation, with about as many others as it allows, is done.
    pub(super) fn completed(&mut self, bytes: u64, took: Duration, generation: u64) {
        if generation != self.generation {
            return;
        }
        if let Stage::Measure { after } = &mut self.stage
            && *after > 0
        {
            *after -= 1;
            return;
        }
        self.measured.requests += 1;
        self.measured.bytes += bytes;
        self.measured.busy += took;
        if self.measured.requests as usize >= (self.limit / 2).max(3) {
            self.decide();
        }
    }

    /// A request failed at this time: too many at once is one of the possible reasons.
    pub(super) fn failed(&mut self, now: Duration) {
        let is_same = self
            .last_failure
            .is_some_and(|last| now.saturating_sub(last) < ONE_FAILURE);
        if !is_same {
            self.last_failure = Some(now);
            self.change((self.limit / 2).max(1), Stage::Measure { after: HOLD });
        }
    }

    fn decide(&mut self) {
        let seconds = self.measured.busy.as_secs_f64().max(1e-6);
        #[expect(clippy::cast_precision_loss, reason = "a measurement")]
        let throughput = self.limit as f64 * self.measured.bytes as f64 / seconds;
        tracing::debug!(limit = self.limit, throughput, "measured the line");
        match self.stage {
            Stage::Measure { .. } => self.grow_or_shrink(throughput),
            Stage::Up { throughput: before, .. } if throughput >= GAIN * before => {
                if self.limit == self.max {
                    self.hold(self.limit);
                } else {
                    self.grow_or_shrink(throughput);
                }
            }
            // More of them are of no use: perhaps fewer are enough.
            Stage::Up { from, throughput } => self.shrink(from, throughput),
            Stage::Down { throughput: before, .. } if throughput >= COST * before => {
                self.shrink(self.limit, before);
            }
            Stage::Down { from, .. } => self.hold(from),
        }
    }

    fn grow_or_shrink(&mut self, throughput: f64) {
        let from = self.limit;
        if from < self.max {
            self.change((2 * from).min(self.max), Stage::Up { from, throughput });
        } else {
            self.shrink(from, throughput);
        }
    }

    fn shrink(&mut self, from: usize, throughput: f64) {
        if from == 1 {
            self.hold(1);
        } else {
            self.change(from / 2, Stage::Down { from, throughput });
        }
    }

    fn hold(&mut self, limit: usize) {
        self.change(limit, Stage::Measure { after: HOLD });
    }

    fn change(&mut self, limit: usize, stage: Stage) {
        self.limit = limit;
        self.stage = stage;
        self.generation += 1;
        self.measured = Measured::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: f64 = 1e6;

    /// What a line carries: one connection, all together, and how long a round trip takes.
    struct Line {
        each: f64,
        total: f64,
        round_trip: f64,
    }

    impl Line {
        /// How long a request takes when this many run at once.
        fn took(&self, bytes: f64, at_once: f64) -> Duration {
            Duration::from_secs_f64(self.round_trip + bytes / self.each.min(self.total / at_once))
        }

        /// The limits of a push of many requests, in their order.
        fn limits(&self, concurrency: &mut Concurrency, requests: usize, megabytes: u32) -> Vec<usize> {
            let mut limits = vec![concurrency.limit()];
            for _ in 0..requests {
                let limit = concurrency.limit();
                if limits.last() != Some(&limit) {
                    limits.push(limit);
                }
                let at_once = f64::from(u32::try_from(limit).unwrap());
                let took = self.took(f64::from(megabytes) * MB, at_once);
                concurrency.completed(u64::from(megabytes) * 1_000_000, took, concurrency.generation());
            }
            limits
        }
    }

    #[test]
    fn the_limit_follows_the_line() {
        let wide = Line {
            each: 5.0 * MB,
            total: 500.0 * MB,
            round_trip: 0.08,
        };
        assert_eq!(wide.limits(&mut Concurrency::new(16), 40, 6), [8, 16]);
        assert_eq!(
            wide.limits(&mut Concurrency::new(4), 40, 6),
            [4, 2, 4],
            "fewer are worse"
        );
        assert_eq!(wide.limits(&mut Concurrency::new(12), 40, 6), [8, 12]);
        // Eight fill it, four do not.
        let long = Line {
            each: 5.0 * MB,
            total: 25.0 * MB,
            round_trip: 0.08,
        };
        assert_eq!(long.limits(&mut Concurrency::new(16), 40, 6), [8, 16, 4, 8]);
        let narrow = Line {
            each: 5.0 * MB,
            total: 2.5 * MB,
            round_trip: 0.03,
        };
        assert_eq!(narrow.limits(&mut Concurrency::new(16), 40, 6), [8, 16, 4, 2, 1]);
        // Small requests are nothing but round trips, however narrow the line is.
        let round_trips = Line {
            each: 5.0 * MB,
            total: 1000.0 * MB,
            round_trip: 2.0,
        };
        assert_eq!(round_trips.limits(&mut Concurrency::new(16), 40, 1), [8, 16]);
    }

    #[test]
    fn a_line_that_changes_is_measured_again() {
        let mut concurrency = Concurrency::new(16);
        let narrow = Line {
            each: 5.0 * MB,
            total: 2.5 * MB,
            round_trip: 0.03,
        };
        narrow.limits(&mut concurrency, 40, 6);
        assert_eq!(concurrency.limit(), 1);
        let wide = Line {
            each: 5.0 * MB,
            total: 500.0 * MB,
            round_trip: 0.08,
        };
        assert_eq!(wide.limits(&mut concurrency, 120, 6), [1, 2, 4, 8, 16]);
    }

    #[test]
    fn failures_halve_it_once_for_each_cause() {
        let mut concurrency = Concurrency::new(16);
        for millisecond in 0..8 {
            concurrency.failed(Duration::from_millis(millisecond));
        }
        assert_eq!(concurrency.limit(), 4);
        for second in [5, 10, 15, 20] {
            concurrency.failed(Duration::from_secs(second));
        }
        assert_eq!(concurrency.limit(), 1);
        // A store that goes on refusing is one cause after the other.
        let mut throttled = Concurrency::new(16);
        for tenth in 0..35 {
            throttled.failed(Duration::from_millis(100 * tenth));
        }
        assert_eq!(throttled.limit(), 1);
        // What began before tells nothing.
        concurrency.completed(1, Duration::from_secs(1), 0);
        assert_eq!(concurrency.limit(), 1);
    }
}
