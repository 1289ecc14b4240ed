//! The log of a build, in the manner of the image builder's plain progress.

use std::time::Duration;

use super::BuildReport;
use super::assemble::BuildContext;
use super::check::Course;

/// Writes the log of a course. The whole takes `total`, or each step takes `step`.
pub(super) fn report(context: &BuildContext, course: Course, total: Option<Duration>, step: Duration) -> BuildReport {
    let mut log = Log::default();
    log.begin("[internal] load build definition from Dockerfile");
    log.say(&format!(
        "transferring dockerfile: {} done",
        bytes(context.dockerfile.len() as u64)
    ));
    log.done(Duration::ZERO);
    for image in &course.base_images {
        log.begin(&format!("[internal] load metadata for {image}"));
        log.done(Duration::ZERO);
    }
    log.begin("[internal] load build context");
    for complaint in &context.complaints {
        log.say(&format!("WARN: {complaint}"));
    }
    let size = context.files.values().map(|file| file.size).sum();
    log.say(&format!(
        "transferring context: {} in {} files done",
        bytes(size),
        context.files.len()
    ));
    log.done(Duration::ZERO);

    let count = u32::try_from(course.steps.len()).unwrap_or(u32::MAX).max(1);
    let each = total.map_or(step, |total| total / count);
    let last = course.steps.len().checked_sub(1);
    for (index, step) in course.steps.iter().enumerate() {
        log.begin(&format!("{} {}", step.label, step.text));
        if course.failure.is_some() && Some(index) == last {
            break;
        }
        if step.is_run {
            log.say("0.001 (the emulator does not execute RUN steps)");
        }
        if let Some(files) = step.files {
            log.say(&format!("0.001 {files} files from the context"));
        }
        log.at += each;
        log.done(each);
    }
    let outcome = match course.failure {
        None => {
            log.begin("exporting to image");
            log.done(Duration::ZERO);
            Ok(())
        }
        Some(failure) => {
            log.at += each;
            log.say(&format!("ERROR: {}", failure.reason));
            log.lines.push((log.at, "------".to_owned()));
            let place = failure
                .line
                .map(|line| format!("Dockerfile:{line}: "))
                .unwrap_or_default();
            log.lines
                .push((log.at, format!("ERROR: failed to build: {place}{}", failure.reason)));
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
            self.lines.push((self.at, String::new()));
        }
        self.vertex += 1;
        self.say(title);
    }

    fn say(&mut self, text: &str) {
        self.lines.push((self.at, format!("#{} {text}", self.vertex)));
    }

    fn done(&mut self, after: Duration) {
        self.say(&format!("DONE {:.1}s", after.as_secs_f64()));
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with two digits after the point")]
fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count}B"),
        1_000..1_000_000 => format!("{:.2}kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2}MB", count as f64 / 1e6),
        _ => format!("{:.2}GB", count as f64 / 1e9),
    }
}
