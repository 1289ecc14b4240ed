//! A line between a client and servers, in user space: a relay on the loopback address that delays what passes, and
//! lets only so much of it pass.
//!
//! Both ways of the line have the same figures. A connection is open one round trip after it was made, as over a real
//! line; what a client sends before that waits. The line knows neither losses nor a slow start, and its own buffers are
//! small, so that a sender soon feels it; the buffers of the sender's kernel are the sender's affair.

use std::time::Duration;

pub(crate) mod check;
mod pace;
mod pipe;
mod relay;

pub(crate) use relay::Relay;

/// The figures of a line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// From one end to the other: half of a round trip.
    pub(crate) delay: Duration,
    /// Bytes a second of each connection, if it has a limit of its own.
    pub(crate) of_connection: Option<u64>,
    /// Bytes a second of all connections together.
    pub(crate) in_all: Option<u64>,
    /// Bytes of a connection that are under way or not yet acknowledged.
    pub(crate) window: u64,
    /// The size that is asked for as the relay's socket buffers. The kernel takes about twice as much.
    pub(crate) buffers: usize,
    /// When the line stands still.
    pub(crate) hold: Option<Hold>,
}

/// The line stands still: nothing is taken from senders, and nothing arrives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hold {
    /// After this many bytes from clients to servers.
    pub(crate) after: u64,
    /// For so long; forever, if nothing is said.
    pub(crate) pause: Option<Duration>,
}

impl Line {
    /// To another continent: 80 ms there and back, 5 MB/s a connection, 25 MB/s in all.
    pub(crate) fn long() -> Self {
        Self {
            delay: Duration::from_millis(40),
            of_connection: Some(5_000_000),
            in_all: Some(25_000_000),
            // Twice what fills the connection's share: the rate is the limit, not the window.
            window: 800_000,
            buffers: 64 << 10,
            hold: None,
        }
    }

    /// From a home: 30 ms there and back, 2.5 MB/s in all.
    pub(crate) fn home() -> Self {
        Self {
            delay: Duration::from_millis(15),
            of_connection: None,
            in_all: Some(2_500_000),
            window: 150_000,
            buffers: 64 << 10,
            hold: None,
        }
    }

    /// Far away, and wide: 80 ms there and back, and no limit that a small request could feel.
    pub(crate) fn far() -> Self {
        Self {
            of_connection: None,
            in_all: None,
            window: 8 << 20,
            ..Self::long()
        }
    }

    /// A slow one, with this many bytes a second in total.
    pub(crate) fn slow(rate: u64) -> Self {
        Self {
            delay: Duration::from_millis(25),
            of_connection: None,
            in_all: Some(rate),
            window: 4 << 10,
            buffers: 4 << 10,
            hold: None,
        }
    }

    /// There and back.
    pub(crate) fn round_trip(&self) -> Duration {
        self.delay * 2
    }

    /// The shortest time for this many bytes, over any number of connections.
    pub(crate) fn limit(&self, bytes: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        self.in_all.map_or(0.0, |rate| bytes as f64 / rate as f64)
    }
}
