//! The warnings of a plan while it is made.

use super::warning::PlanWarning;
use crate::image::Step;
use crate::problem::DockerfileLine;

/// The most warnings that are listed. The last one says how many more there are.
const MOST_WARNINGS: usize = 200;

/// A message about a step, and about one of its lines if there is one.
struct Remark {
    /// Its number, counted from 1.
    step: usize,
    line: Option<DockerfileLine>,
    message: String,
}

/// What is to be said of the steps.
#[derive(Default)]
pub(super) struct Warnings(Vec<Remark>);

impl Warnings {
    pub(super) fn push(&mut self, step: usize, line: Option<DockerfileLine>, message: String) {
        self.0.push(Remark { step, line, message });
    }

    /// Adds what is said of steps as a whole.
    pub(super) fn extend(&mut self, messages: impl IntoIterator<Item = (usize, String)>) {
        for (step, message) in messages {
            self.push(step, None, message);
        }
    }

    /// The warnings in the order of the steps.
    pub(super) fn finish(mut self, steps: &[Step]) -> Vec<PlanWarning> {
        self.0.sort_by_key(|remark| remark.step);
        let more = self.0.len().saturating_sub(MOST_WARNINGS);
        let warning = |remark: Remark| {
            let step = &steps[remark.step - 1];
            PlanWarning {
                step: remark.step,
                method: step.method,
                location: step.location,
                line: remark.line,
                message: remark.message,
            }
        };
        let mut warnings: Vec<PlanWarning> = self.0.into_iter().take(MOST_WARNINGS).map(warning).collect();
        if let Some(last) = warnings.last_mut().filter(|_| more > 0) {
            last.message = format!("and {} more warnings", more + 1);
            last.line = None;
        }
        warnings
    }
}
