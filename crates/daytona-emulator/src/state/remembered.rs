//! The last requests.

use std::collections::VecDeque;

use crate::wire::record::RequestRecord;

/// Requests that are remembered, and the bytes of their addresses together.
const MOST_REQUESTS: usize = 100_000;
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The last requests.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    requests: VecDeque<RequestRecord>,
    bytes: usize,
}

impl Remembered {
    pub(super) fn push(&mut self, request: RequestRecord) {
        self.bytes += request.address.len();
        self.requests.push_back(request);
        while self.requests.len() > MOST_REQUESTS || self.bytes > MOST_BYTES {
            let Some(oldest) = self.requests.pop_front() else { break };
            self.bytes -= oldest.address.len();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &RequestRecord> {
        self.requests.iter()
    }
}
