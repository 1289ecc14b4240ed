//! One way of a connection: what is under way, and how much more may be. Times are given, so that this knows no clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What travels.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parcel {
    Bytes(Vec<u8>),
    /// The sender has said all.
    End,
    /// The sender is gone.
    Reset,
}

#[derive(Debug)]
pub(super) struct Pipe {
    delay: Duration,
    window: u64,
    /// Sent, with the time of the arrival.
    under_way: VecDeque<(Instant, Parcel)>,
    /// Delivered, with the time at which the sender learns it.
    delivered: VecDeque<(Instant, u64)>,
    /// Bytes of both.
    unacknowledged: u64,
}

/// Whether more may be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// This many bytes.
    Now(u64),
    /// Not before then.
    At(Instant),
    /// Not before something more is delivered.
    Later,
}

impl Pipe {
    pub(super) fn new(delay: Duration, window: u64) -> Self {
        Self {
            delay,
            window,
            under_way: VecDeque::new(),
            delivered: VecDeque::new(),
            unacknowledged: 0,
        }
    }

    pub(super) fn room(&mut self, now: Instant) -> Room {
        while let Some((_, bytes)) = self.delivered.pop_front_if(|(at, _)| *at <= now) {
            self.unacknowledged -= bytes;
        }
        match self.window.saturating_sub(self.unacknowledged) {
            0 => self.delivered.front().map_or(Room::Later, |(at, _)| Room::At(*at)),
            room => Room::Now(room),
        }
    }

    /// Sends what has passed the narrow place by then.
    pub(super) fn send(&mut self, parcel: Parcel, passed: Instant) {
        self.unacknowledged += length(&parcel);
        self.under_way.push_back((passed + self.delay, parcel));
    }

    /// When the next parcel arrives, if one is under way.
    pub(super) fn next_arrival(&self) -> Option<Instant> {
        self.under_way.front().map(|(at, _)| *at)
    }

    /// Takes a parcel that has arrived.
    pub(super) fn take(&mut self, now: Instant) -> Option<Parcel> {
        let (_, parcel) = self.under_way.pop_front_if(|(at, _)| *at <= now)?;
        Some(parcel)
    }

    /// The receiver has accepted this many bytes.
    pub(super) fn deliver(&mut self, bytes: u64, now: Instant) {
        self.delivered.push_back((now + self.delay, bytes));
    }
}

pub(super) fn length(parcel: &Parcel) -> u64 {
    match parcel {
        Parcel::Bytes(bytes) => bytes.len() as u64,
        Parcel::End | Parcel::Reset => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(40);

    #[test]
    fn what_is_sent_arrives_after_the_delay_in_order() {
        let begin = Instant::now();
        let mut pipe = Pipe::new(DELAY, 1000);
        pipe.send(Parcel::Bytes(vec![1]), begin);
        pipe.send(Parcel::End, begin);
        assert_eq!(pipe.take(begin), None);
        let arrival = pipe.next_arrival().unwrap();
        assert_eq!(arrival, begin + DELAY);
        assert_eq!(pipe.take(arrival), Some(Parcel::Bytes(vec![1])));
        assert_eq!(pipe.take(arrival), Some(Parcel::End));
    }

    #[test]
    fn the_window_opens_a_round_trip_after_the_sending() {
        let begin = Instant::now();
        let mut pipe = Pipe::new(DELAY, 1000);
        assert_eq!(pipe.room(begin), Room::Now(1000));
        pipe.send(Parcel::Bytes(vec![0; 1000]), begin);
        assert_eq!(pipe.room(begin + 10 * DELAY), Room::Later, "the receiver takes nothing");
        pipe.take(begin + DELAY).unwrap();
        pipe.deliver(600, begin + DELAY);
        assert_eq!(pipe.room(begin + DELAY), Room::At(begin + 2 * DELAY));
        assert_eq!(pipe.room(begin + 2 * DELAY), Room::Now(600));
    }

    #[test]
    fn a_connection_carries_its_window_each_round_trip() {
        let begin = Instant::now();
        let (mut pipe, mut now, mut sent) = (Pipe::new(DELAY, 1000), begin, 0);
        while now < begin + 100 * DELAY {
            match pipe.room(now) {
                Room::Now(room) => {
                    pipe.send(Parcel::Bytes(vec![0; usize::try_from(room).unwrap()]), now);
                    sent += room;
                }
                Room::At(at) => now = at,
                Room::Later => {
                    now = pipe.next_arrival().unwrap();
                    let parcel = pipe.take(now).unwrap();
                    pipe.deliver(length(&parcel), now);
                }
            }
        }
        assert_eq!(sent, 50 * 1000);
    }
}
