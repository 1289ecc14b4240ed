//! Turns the bytes of a log into lines.

use crate::snapshots::events::event::LogLine;

/// A longer line is delivered in parts, so that memory is limited.
const LONGEST_LINE: usize = 1024 * 1024;

/// How many bytes before the position are compared to see whether a log that is read again is still the same.
const WINDOW: usize = 1024;

/// Frames lines across chunks and decodes them whole, so that a character that two chunks share is not broken.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The last line, which is not complete yet.
    buffer: Vec<u8>,
    /// How many bytes were delivered, in all readings.
    delivered: u64,
    /// The last of these bytes.
    window: Vec<u8>,
    /// How many bytes of this reading came so far, up to the number that was delivered before.
    seen: u64,
    /// How many bytes at the beginning of this reading were delivered before.
    known: u64,
    is_other: bool,
    /// Whether anything came in this reading.
    has_begun: bool,
}

impl Lines {
    /// Begins to read the same log again. The delivered part is skipped.
    pub(crate) fn restart(&mut self) {
        self.buffer.clear();
        self.known = self.delivered;
        self.seen = 0;
        self.has_begun = false;
    }

    /// Whether this reading has not come as far as earlier readings.
    pub(crate) fn is_short(&self) -> bool {
        self.seen < self.known
    }

    /// Whether anything came in this reading.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// The lines that the chunk completes.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Vec<LogLine> {
        self.has_begun |= !chunk.is_empty();
        let mut rest = self.pass_over(chunk);
        let mut lines = Vec::new();
        while let Some(length) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(length + 1);
            if self.buffer.is_empty() {
                lines.push(decode(line));
                self.note(line);
            } else {
                self.buffer.extend_from_slice(line);
                lines.push(self.take());
            }
            rest = after;
        }
        self.buffer.extend_from_slice(rest);
        if self.buffer.len() > LONGEST_LINE {
            // Not in the middle of a character.
            let end = self.buffer.len() - incomplete(&self.buffer);
            let left = self.buffer.split_off(end);
            lines.push(self.take());
            self.buffer = left;
        }
        lines
    }

    /// The last line, if the log ends without a line feed.
    pub(crate) fn finish(&mut self) -> Option<LogLine> {
        (!self.buffer.is_empty()).then(|| self.take())
    }

    /// Whether the log is not the one that was read before. Reported once.
    pub(crate) fn take_other(&mut self) -> bool {
        std::mem::take(&mut self.is_other)
    }

    /// The new part of the chunk. The last bytes of the old part are compared.
    fn pass_over<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        let left = usize::try_from(self.known - self.seen).unwrap_or(usize::MAX);
        let (known, rest) = chunk.split_at(left.min(chunk.len()));
        if !known.is_empty() {
            let begin = self.known - self.window.len() as u64;
            let end = self.seen + known.len() as u64;
            let first = self.seen.max(begin);
            if end > first {
                let index = |position: u64, base: u64| usize::try_from(position - base).unwrap_or(usize::MAX);
                let expected = &self.window[index(first, begin)..index(end, begin)];
                self.is_other |= known[index(first, self.seen)..] != *expected;
            }
            self.seen = end;
        }
        rest
    }

    fn take(&mut self) -> LogLine {
        let bytes = std::mem::take(&mut self.buffer);
        self.note(&bytes);
        decode(&bytes)
    }

    /// Notes the delivered bytes.
    fn note(&mut self, bytes: &[u8]) {
        self.delivered += bytes.len() as u64;
        self.known = self.delivered;
        self.seen = self.delivered;
        let kept = WINDOW.saturating_sub(bytes.len()).min(self.window.len());
        self.window.drain(..self.window.len() - kept);
        self.window
            .extend_from_slice(&bytes[bytes.len().saturating_sub(WINDOW)..]);
    }
}

/// A line without its line ending.
fn decode(line: &[u8]) -> LogLine {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    LogLine::new(String::from_utf8_lossy(line).into_owned())
}

/// How many bytes at the end are the beginning of a character.
fn incomplete(bytes: &[u8]) -> usize {
    let last = bytes.len().saturating_sub(4);
    match std::str::from_utf8(&bytes[last..]) {
        Err(error) if error.error_len().is_none() => bytes.len() - last - error.valid_up_to(),
        // The four bytes may begin in the middle of a character.
        Err(_) => (1..4)
            .find(|length| {
                std::str::from_utf8(&bytes[bytes.len() - length..]).is_err_and(|error| error.error_len().is_none())
            })
            .unwrap_or(0),
        Ok(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "#1 ä\n\n#2 \u{1f980} done\r\n日本\n";
    const LINES: [&str; 4] = ["#1 ä", "", "#2 \u{1f980} done", "日本"];

    fn texts(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(LogLine::as_str).collect()
    }

    #[test]
    fn every_split_gives_the_same_lines() {
        let bytes = SAMPLE.as_bytes();
        for split in 0..=bytes.len() {
            let mut lines = Lines::default();
            let mut found = lines.push(&bytes[..split]);
            found.extend(lines.push(&bytes[split..]));
            assert_eq!(texts(&found), LINES, "split at {split}");
            assert_eq!(lines.finish(), None);
        }
    }

    #[test]
    fn a_log_that_is_read_again_gives_each_line_once() {
        let bytes = SAMPLE.as_bytes();
        for cut in 0..=bytes.len() {
            for again in 0..=bytes.len() {
                let mut lines = Lines::default();
                let mut found = lines.push(&bytes[..cut]);
                lines.restart();
                found.extend(lines.push(&bytes[..again]));
                lines.restart();
                for chunk in bytes.chunks(3) {
                    found.extend(lines.push(chunk));
                }
                assert_eq!(texts(&found), LINES, "cut at {cut} and {again}");
                assert!(!lines.take_other());
            }
        }
    }

    #[test]
    fn another_log_is_noticed() {
        let long = "line\n".repeat(1_000);
        for (one, other, is_other) in [
            ("a\nb\n", "a\nb\nc\n", false),
            ("a\nb\n", "x\nb\nc\n", true),
            (long.as_str(), &format!("{long}more\n"), false),
            (long.as_str(), &format!("x{long}more\n"), true),
        ] {
            for size in [1, 7, 4_096] {
                let mut lines = Lines::default();
                lines.push(one.as_bytes());
                lines.restart();
                for chunk in other.as_bytes().chunks(size) {
                    lines.push(chunk);
                }
                assert_eq!(lines.take_other(), is_other, "{size}");
                assert!(!lines.take_other());
            }
        }
    }

    #[test]
    fn a_last_line_without_a_line_feed_is_not_lost() {
        let mut lines = Lines::default();
        assert_eq!(texts(&lines.push(b"one\ntwo")), ["one"]);
        assert_eq!(lines.finish().unwrap().as_str(), "two");
    }

    #[test]
    fn a_line_without_an_end_comes_in_pieces() {
        let mut lines = Lines::default();
        let text = "é\u{1f980}".repeat(1024 * 1024);
        let mut found = Vec::new();
        for chunk in text.as_bytes().chunks(1_001) {
            found.extend(lines.push(chunk));
        }
        assert!(found.len() > 4 && found.iter().all(|piece| piece.as_str().len() <= LONGEST_LINE + 1_001));
        found.extend(lines.finish());
        assert_eq!(texts(&found).concat(), text);
    }
}
