//! How an error is shown.

use std::error::Error as _;
use std::fmt::{self, Write};

use super::Error;
use crate::text::escaped;

impl Error {
    /// Everything that helps a person, on several lines: the message, its causes, the server's reason, the end of the
    /// build log, and what to do. Nothing appears twice.
    ///
    /// ```no_run
    /// # async fn example(daytona: daytona_sdk::Daytona) {
    /// if let Err(error) = daytona.snapshots().get("my-app").await {
    ///     eprintln!("{}", error.report());
    /// }
    /// # }
    /// ```
    pub fn report(&self) -> String {
        let mut report = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_report(&mut report);
        report
    }

    fn write_report(&self, to: &mut dyn Write) -> fmt::Result {
        let inner = &self.0;
        to.write_str(&inner.message)?;
        self.write_attempts(to)?;
        let mut said = inner.message.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = escaped(&error.to_string());
            if !said.contains(&text) {
                part(to, "caused by", &text)?;
                said.push('\n');
                said.push_str(&text);
            }
            cause = error.source();
        }
        if let Some(reason) = &inner.reason
            && !said.contains(&crate::text::one_line(reason))
        {
            part(to, "reason", reason)?;
        }
        if !inner.log_tail.is_empty() {
            to.write_str("\n  the end of the build log:")?;
            for line in &inner.log_tail {
                write!(to, "\n    | {line}")?;
            }
        }
        if let Some(hint) = &inner.hint
            && !said.contains(hint)
        {
            part(to, "what helps", hint)?;
        }
        if let Some(id) = &inner.request_id {
            part(to, "request id", id)?;
        }
        Ok(())
    }

    fn write_attempts(&self, to: &mut dyn Write) -> fmt::Result {
        match self.0.attempts {
            0 | 1 => Ok(()),
            attempts => write!(to, " (tried {attempts} times)"),
        }
    }
}

/// Adds a part of the report. Further lines are indented below the first.
fn part(to: &mut dyn Write, name: &str, text: &str) -> fmt::Result {
    write!(to, "\n  {name}: ")?;
    for (number, line) in text.trim().lines().enumerate() {
        if number > 0 {
            to.write_str("\n    ")?;
        }
        to.write_str(line)?;
    }
    Ok(())
}

/// The message, how often the call was tried, and what to do about it.
impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)?;
        match &self.0.hint {
            Some(hint) if !self.0.message.contains(hint) => write!(formatter, " ({hint})")?,
            _ => {}
        }
        self.write_attempts(formatter)
    }
}

/// The [report](Error::report), and the kind.
impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_report(formatter)?;
        write!(formatter, "\n  kind: {}", self.0.kind)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use crate::error::{Error, ErrorKind};

    #[test]
    fn a_report_says_everything_once() {
        let cause = io::Error::other("the disk\u{1b} is full");
        let error = Error::new(ErrorKind::BuildFailed, "snapshot `x` failed: exit code 1")
            .with_reason("exit code 1\nsecond line")
            .with_log_tail(vec!["+ make".to_owned(), "\u{1b}[31mboom".to_owned()])
            .with_hint("look at the log")
            .with_attempts(2)
            .with_source(cause);
        assert_eq!(
            error.report(),
            "snapshot `x` failed: exit code 1 (tried 2 times)\
             \n  caused by: the disk\\u{1b} is full\
             \n  reason: exit code 1\
             \n    second line\
             \n  the end of the build log:\
             \n    | + make\
             \n    | \u{1b}[31mboom\
             \n  what helps: look at the log"
        );
        assert_eq!(
            format!("{error:?}"),
            format!("{}\n  kind: build_failed", error.report())
        );
        let again = Error::new(ErrorKind::ServerError, "500 (look at the log): exit code 1")
            .with_reason("exit code 1")
            .with_hint("look at the log")
            .with_source(io::Error::other("exit code 1"));
        assert_eq!(again.report(), "500 (look at the log): exit code 1");
        assert_eq!(again.to_string(), again.report());
    }
}
