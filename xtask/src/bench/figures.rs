//! Medians, and what they say.

use std::fmt::Write as _;

use serde::Serialize;

use super::rows::Aim;

/// The seconds of one kind of push.
#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    pub(super) line: &'static str,
    pub(super) tree: &'static str,
    pub(super) push: &'static str,
    pub(super) ours: Vec<f64>,
    pub(super) python: Vec<f64>,
    pub(super) s5cmd: Vec<f64>,
    pub(super) find: Vec<f64>,
    /// What the line itself needs for what has to be sent at least.
    pub(super) limit: Option<f64>,
    /// Bytes that we sent, of the last push.
    pub(super) sent: u64,
    /// The peak of our memory.
    pub(super) peak_kib: u64,
    /// The goal is at most this many seconds.
    pub(super) aim: Option<f64>,
    /// Whether that was reached.
    pub(super) is_reached: Option<bool>,
}

impl Figures {
    /// Compares our median with what is aimed at.
    pub(super) fn judge(&mut self, aim: &Aim) {
        let times = |seconds: &[f64], factor: Option<f64>| Some(median(seconds)? * factor?);
        let (python, s5cmd) = (median(&self.python), median(&self.s5cmd));
        let better = [python, s5cmd].into_iter().flatten().min_by(f64::total_cmp);
        let bounds = [
            aim.seconds,
            self.limit
                .zip(aim.of_limit)
                .map(|(limit, (times, more))| limit * times + more),
            times(&self.python, aim.python.map(|faster| 1.0 / faster)),
            times(&self.s5cmd, aim.s5cmd),
            better.zip(aim.better).map(|(better, part)| better * part),
            times(&self.find, aim.find),
        ];
        self.aim = bounds.into_iter().flatten().min_by(f64::total_cmp);
        self.is_reached = median(&self.ours).zip(self.aim).map(|(ours, aim)| ours <= aim);
    }
}

pub(super) fn median(list: &[f64]) -> Option<f64> {
    let mut sorted = list.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

pub(super) fn table(figures: &[Figures]) -> String {
    let mut text = String::from(
        "\nmedian seconds\n\
         line      tree                   push      ours  Python   s5cmd   limit |  Python takes  of s5cmd's | aim\n",
    );
    for row in figures {
        let (ours, python, s5cmd) = (median(&row.ours), median(&row.python), median(&row.s5cmd));
        let seconds = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"));
        let ratio = |one: Option<f64>, other: Option<f64>, unit: &str| {
            one.zip(other)
                .map_or_else(|| "–".to_owned(), |(one, other)| format!("{:.2}{unit}", one / other))
        };
        let verdict = match row.is_reached {
            None => "",
            Some(true) => "reached",
            Some(false) => "MISSED",
        };
        let _ = writeln!(
            text,
            "{:<9} {:<22} {:<6} {:>7} {:>7} {:>7} {:>7} | {:>13} {:>11} | {:>5} {verdict}; {} MiB",
            row.line,
            row.tree,
            row.push,
            seconds(ours),
            seconds(python),
            seconds(s5cmd),
            seconds(row.limit),
            ratio(python, ours, "x"),
            ratio(ours, s5cmd, ""),
            seconds(row.aim),
            row.peak_kib / 1024,
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_of_the_aims_counts() {
        let mut figures = Figures {
            ours: vec![3.0, 1.0, 2.0],
            python: vec![8.0],
            s5cmd: vec![4.0],
            limit: Some(2.0),
            ..Figures::default()
        };
        let mut aim = Aim {
            of_limit: Some((1.3, 0.6)),
            better: Some(0.75),
            ..Aim::default()
        };
        figures.judge(&aim);
        assert_eq!((figures.aim, figures.is_reached), (Some(3.0), Some(true)));
        aim.python = Some(8.0);
        figures.judge(&aim);
        assert_eq!((figures.aim, figures.is_reached), (Some(1.0), Some(false)));
        // What was not measured is no judge.
        figures.python.clear();
        figures.judge(&aim);
        assert_eq!((figures.aim, figures.is_reached), (Some(3.0), Some(true)));
    }

    #[test]
    fn without_runs_there_is_no_median() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
    }
}
