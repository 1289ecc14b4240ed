//! The figures of the service, and what they say.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::figures::median;

/// The most seconds from active to returned: the median with the log and without, and the worst.
const LATE_WITH_LOGS: f64 = 0.7;
const LATE_IN_SILENCE: f64 = 1.1;
const LATE_AT_WORST: f64 = 2.2;

/// The most seconds until a creation is accepted: of a new client, and of one that has its connections.
const ACCEPTED_BY_NEW: f64 = 0.40;
const ACCEPTED_BY_WARM: f64 = 0.32;

/// Creations until the server has accepted them, ours and Python's.
#[derive(Debug, Serialize)]
pub(super) struct Accepted {
    /// `cold` or `warm`.
    pub(super) client: &'static str,
    /// `new` to the store, or `unchanged`.
    pub(super) files: &'static str,
    pub(super) seconds: [Vec<f64>; 2],
    pub(super) requests: [Vec<u64>; 2],
}

impl Accepted {
    pub(super) fn new(client: &'static str, files: &'static str) -> Self {
        Self {
            client,
            files,
            seconds: [const { Vec::new() }; 2],
            requests: [const { Vec::new() }; 2],
        }
    }

    fn is_reached(&self) -> Option<bool> {
        let (ours, python) = (median(&self.seconds[0])?, median(&self.seconds[1])?);
        let most = if self.client == "warm" {
            ACCEPTED_BY_WARM
        } else {
            ACCEPTED_BY_NEW
        };
        Some(ours <= most && ours < python)
    }
}

/// Builds of one client until it returned.
#[derive(Debug, Serialize)]
pub(super) struct Returned {
    /// What a build takes.
    build_seconds: u64,
    /// `ours` or `Python`.
    client: &'static str,
    /// `logs` or `silent`.
    log: &'static str,
    /// Seconds from active to returned.
    pub(super) late: Vec<f64>,
    pub(super) requests: Vec<u64>,
}

impl Returned {
    pub(super) fn new(build_seconds: u64, client: &'static str, log: &'static str) -> Self {
        Self {
            build_seconds,
            client,
            log,
            late: Vec::new(),
            requests: Vec::new(),
        }
    }
}

pub(super) fn report(accepted: &[Accepted], returned: &[Returned], round_trip: Duration) -> String {
    let mut text = String::from(
        "\nuntil accepted, median       ours, s  round trips  requests | Python, s  round trips  requests\n",
    );
    for row in accepted {
        let _ = write!(text, "{} client, {:<12}", row.client, row.files);
        for side in 0..2 {
            let seconds = median(&row.seconds[side]).unwrap_or(f64::NAN);
            let trips = seconds / round_trip.as_secs_f64();
            let requests = row.requests[side].iter().max().copied().unwrap_or_default();
            let end = if side == 0 { " |" } else { "" };
            let _ = write!(text, " {seconds:>11.3} {trips:>12.1} {requests:>9}{end}");
        }
        let _ = writeln!(text, "  {}", verdict(row.is_reached()));
    }
    text += "\nfrom active to returned      builds  median, s  worst, s  requests of one\n";
    for row in returned {
        let worst = row.late.iter().copied().max_by(f64::total_cmp).unwrap_or(f64::NAN);
        let _ = writeln!(
            text,
            "{:<6} {:<7} {:>4} s {:>14} {:>10.2} {worst:>9.2} {:>16}",
            row.client,
            row.log,
            row.build_seconds,
            row.late.len(),
            median(&row.late).unwrap_or(f64::NAN),
            row.requests.iter().max().copied().unwrap_or_default(),
        );
    }
    for (log, most) in [("logs", LATE_WITH_LOGS), ("silent", LATE_IN_SILENCE)] {
        let ours = returned.iter().filter(|row| row.client == "ours" && row.log == log);
        let late: Vec<f64> = ours.flat_map(|row| row.late.iter().copied()).collect();
        let median = median(&late);
        let worst = late.iter().copied().max_by(f64::total_cmp);
        let is_reached = median
            .zip(worst)
            .map(|(median, worst)| median <= most && worst <= LATE_AT_WORST);
        let _ = writeln!(
            text,
            "ours, {log}, all builds: median {:.2} s of {most} s, worst {:.2} s of {LATE_AT_WORST} s  {}",
            median.unwrap_or(f64::NAN),
            worst.unwrap_or(f64::NAN),
            verdict(is_reached),
        );
    }
    text
}

fn verdict(is_reached: Option<bool>) -> &'static str {
    match is_reached {
        None => "",
        Some(true) => "reached",
        Some(false) => "MISSED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_returns_and_slow_creations_are_told() {
        let mut accepted = Accepted::new("warm", "new");
        accepted.seconds = [vec![0.31], vec![0.5]];
        let mut returned = Returned::new(5, "ours", "logs");
        returned.late = vec![0.2, 0.3, 2.0];
        let trip = Duration::from_millis(80);
        let verdicts = |accepted: &Accepted, returned: &Returned| {
            let text = report(std::slice::from_ref(accepted), std::slice::from_ref(returned), trip);
            (text.matches("reached").count(), text.matches("MISSED").count())
        };
        assert_eq!(verdicts(&accepted, &returned), (2, 0));
        returned.late.push(2.3);
        assert_eq!(verdicts(&accepted, &returned), (1, 1), "the worst counts");
        accepted.seconds[1] = vec![0.3];
        assert_eq!(verdicts(&accepted, &returned), (0, 2), "Python is faster");
    }
}
