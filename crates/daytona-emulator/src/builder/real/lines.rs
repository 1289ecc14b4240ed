//! The lines that a program prints, whatever bytes they have.

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// A longer line is divided.
const LONGEST: usize = 64 * 1024;

/// Reads lines. Bytes that are no UTF-8 are replaced.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    /// A line whose end has not come yet. Nothing is lost if a call of `next` is given up.
    begun: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            reader: BufReader::new(inner),
            begun: Vec::new(),
        }
    }

    /// The next line, without its end.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            let available = self.reader.fill_buf().await.unwrap_or_default();
            if available.is_empty() {
                return (!self.begun.is_empty()).then(|| self.take());
            }
            let room = LONGEST - self.begun.len();
            let end = available.iter().take(room).position(|byte| *byte == b'\n');
            let length = end.unwrap_or(available.len().min(room));
            self.begun.extend_from_slice(&available[..length]);
            self.reader.consume(length + usize::from(end.is_some()));
            if end.is_some() || self.begun.len() == LONGEST {
                return Some(self.take());
            }
        }
    }

    fn take(&mut self) -> String {
        let bytes = std::mem::take(&mut self.begun);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(&bytes);
        String::from_utf8_lossy(bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_may_hold_any_bytes_and_may_be_long() {
        let long = "x".repeat(LONGEST + 1);
        let text = [b"one\r\nt\xffo\n\n", long.as_bytes(), b"\nlast"].concat();
        let mut lines = Lines::new(text.as_slice());
        let mut read = Vec::new();
        while let Some(line) = lines.next().await {
            read.push(line);
        }
        assert_eq!(read, ["one", "t\u{fffd}o", "", &long[1..], "x", "last"]);
    }
}
