//! From the bytes of a log to its lines.

/// Frames lines across chunks, and decodes them whole, so that a character that is cut between two chunks survives.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    /// Bytes of whole lines at the beginning that were delivered before.
    skip: u64,
    /// Bytes of whole lines that came so far.
    pub(crate) delivered: u64,
}

impl Lines {
    /// The same log from its beginning, without the lines that were delivered.
    pub(crate) fn resume(self) -> Self {
        Self {
            buffer: Vec::new(),
            skip: self.delivered,
            delivered: self.delivered,
        }
    }

    /// The lines that the chunk completes.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Vec<String> {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(chunk.len());
        self.skip -= skipped as u64;
        self.buffer.extend_from_slice(&chunk[skipped..]);
        let mut lines = Vec::new();
        let mut start = 0;
        while let Some(length) = self.buffer[start..].iter().position(|byte| *byte == b'\n') {
            lines.push(decode(&self.buffer[start..start + length]));
            start += length + 1;
        }
        self.buffer.drain(..start);
        self.delivered += start as u64;
        lines
    }

    /// What is left without a line feed at the end of the log.
    pub(crate) fn finish(&mut self) -> Option<String> {
        self.delivered += self.buffer.len() as u64;
        let rest = std::mem::take(&mut self.buffer);
        (!rest.is_empty()).then(|| decode(&rest))
    }
}

fn decode(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8_lossy(line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "#1 ä\n\n#2 \u{1f980} done\r\n日本\n";

    #[test]
    fn every_split_gives_the_same_lines() {
        let bytes = SAMPLE.as_bytes();
        for split in 0..=bytes.len() {
            let mut lines = Lines::default();
            let mut found = lines.push(&bytes[..split]);
            found.extend(lines.push(&bytes[split..]));
            assert_eq!(found, ["#1 ä", "", "#2 \u{1f980} done", "日本"], "split at {split}");
            assert_eq!(lines.finish(), None);
        }
    }

    #[test]
    fn a_log_that_is_read_again_gives_each_line_once() {
        let bytes = SAMPLE.as_bytes();
        for cut in 0..=bytes.len() {
            let mut lines = Lines::default();
            let mut found = lines.push(&bytes[..cut]);
            let mut lines = lines.resume();
            for chunk in bytes.chunks(3) {
                found.extend(lines.push(chunk));
            }
            assert_eq!(found, ["#1 ä", "", "#2 \u{1f980} done", "日本"], "cut at {cut}");
        }
    }

    #[test]
    fn a_last_line_without_a_line_feed_is_not_lost() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"one\ntwo"), ["one"]);
        assert_eq!(lines.finish().as_deref(), Some("two"));
    }
}
