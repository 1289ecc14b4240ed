//! The log of a build, in the manner of the image builder's plain progress.

use std::sync::Arc;
use std::time::Duration;

use super::assemble::BuildContext;
use super::interpret::{Course, Failure, Step};
use super::job::BuildReport;

/// Writes the log of a course. The whole takes `total`, or each step takes `step`.
pub(super) fn report(context: &BuildContext, course: Course, total: Option<Duration>, step: Duration) -> BuildReport {
    let mut log = Log::default();
    log.begin("[internal] load build definition from Dockerfile");
    log.say(&format!(
        "transferring dockerfile: {} done",
        bytes(context.dockerfile.len() as u64)
    ));
    log.done(Duration::ZERO);
    for image in course.images.keys() {
        log.begin(&format!("[internal] load metadata for {image}"));
        log.done(Duration::ZERO);
    }
    log.begin("[internal] load build context");
    for complaint in &context.complaints {
        log.say(&format!("WARN: {complaint}"));
    }
    log.say(&format!(
        "transferring context: {} in {} files done",
        bytes(context.size),
        context.count
    ));
    log.done(Duration::ZERO);

    let count = course.steps.iter().filter(|step| step.takes_time).count();
    let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
    let each = total.map_or(step, |total| total / count);
    let last = course.steps.len().checked_sub(1);
    for (index, step) in course.steps.iter().enumerate() {
        log.begin(&format!("{} {}", step.label, step.text));
        for line in &step.output {
            log.say(line);
        }
        if course.failure.is_some() && Some(index) == last {
            break;
        }
        let time = if step.takes_time { each } else { Duration::ZERO };
        log.at += time;
        log.done(time);
    }
    let outcome = match course.failure {
        None => {
            log.begin("exporting to image");
            log.say("exporting layers done");
            log.done(Duration::ZERO);
            Ok(())
        }
        Some(failure) => {
            log.at += each;
            log.failure(&context.dockerfile, course.steps.last(), &failure);
            Err(failure.reason)
        }
    };
    // A build that was given a time takes it, whatever its steps are.
    let duration = total.unwrap_or(log.at).max(log.at);
    BuildReport {
        has_log: true,
        lines: log.lines,
        duration,
        outcome,
        image: course.image.map(Arc::new),
        images: course.images,
    }
}

#[derive(Default)]
struct Log {
    lines: Vec<(Duration, String)>,
    at: Duration,
    vertex: usize,
}

impl Log {
    fn begin(&mut self, title: &str) {
        if self.vertex > 0 {
            self.plain("");
        }
        self.vertex += 1;
        self.say(title);
    }

    fn say(&mut self, text: &str) {
        self.lines.push((self.at, format!("#{} {text}", self.vertex)));
    }

    fn plain(&mut self, text: impl Into<String>) {
        self.lines.push((self.at, text.into()));
    }

    fn done(&mut self, after: Duration) {
        self.say(&format!("DONE {:.1}s", after.as_secs_f64()));
    }

    /// The end of a failed build: the step's last lines again, and its place in the Dockerfile.
    fn failure(&mut self, dockerfile: &str, step: Option<&Step>, failure: &Failure) {
        self.say(&format!("ERROR: {}", failure.reason));
        self.plain("------");
        if let (Some(step), Some(_)) = (step, failure.line) {
            self.plain(format!(" > {} {}:", step.label, step.text));
            for line in step.output.iter().rev().take(10).rev() {
                self.plain(line);
            }
            self.plain("------");
        }
        if let Some(line) = failure.line {
            self.plain(format!("Dockerfile:{line}"));
            self.plain("--------------------");
            for (number, text) in (1..).zip(dockerfile.lines()) {
                if number + 2 >= line && number <= line + 2 {
                    let mark = if number == line { ">>>" } else { "   " };
                    self.plain(format!("{number:4} | {mark} {text}"));
                }
            }
            self.plain("--------------------");
        }
        self.plain(format!("ERROR: failed to build: {}", failure.reason));
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with two digits after the point")]
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count}B"),
        1_000..1_000_000 => format!("{:.2}kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2}MB", count as f64 / 1e6),
        _ => format!("{:.2}GB", count as f64 / 1e9),
    }
}
