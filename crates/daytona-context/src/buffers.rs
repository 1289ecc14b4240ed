//! Buffers that are filled again and again.
//!
//! A chunk is filled on one thread and dropped on another, and the allocator keeps for each thread what was once freed there:
//! without this, a push would hold several times what is in flight.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Buffers that nobody uses right now. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl fmt::Debug for Buffers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Buffers({})", self.lock().len())
    }
}

impl Buffers {
    /// An empty buffer.
    pub(crate) fn take(&self) -> Buffer {
        let bytes = self.lock().pop().unwrap_or_default();
        Buffer {
            bytes,
            home: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes whose memory goes back to where it was taken from.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    home: Buffers,
}

impl Buffer {
    /// An empty one from the same place.
    pub(crate) fn another(&self) -> Self {
        self.home.take()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        self.home.lock().push(bytes);
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Self::Target {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_empty() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take();
        buffer.extend_from_slice(&[7; 1000]);
        let (place, room) = (buffer.as_ptr(), buffer.capacity());
        let other = buffer.another();
        assert_eq!(other.capacity(), 0, "the first is in use");
        drop(bytes::Bytes::from_owner(buffer));
        let again = buffers.take();
        assert_eq!((again.as_ptr(), again.capacity(), again.len()), (place, room, 0));
    }
}
