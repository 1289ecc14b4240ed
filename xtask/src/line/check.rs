//! Does the simulator keep its figures? Measured on this machine, before anything is measured with it.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::{Line, Relay};

/// The factor by which a measured figure may be off.
const OFF: f64 = 1.15;
/// What a round trip may take longer, on a machine that does other things too.
const LATE: Duration = Duration::from_millis(4);
/// How often it is tried: something else may have taken the processor away.
const TRIES: usize = 3;

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) round_trip: Duration,
    /// Bytes a second, of one connection and of many.
    pub(crate) one: f64,
    pub(crate) many: f64,
}

/// Measures a line. An error says what is off, and by how much.
pub(crate) fn check(line: &Line) -> io::Result<Figures> {
    let mut outcome = Err(String::new());
    for _ in 0..TRIES {
        let figures = measure(line)?;
        outcome = judge(line, &figures).map(|()| figures);
        if outcome.is_ok() {
            break;
        }
    }
    outcome.map_err(|what| io::Error::other(format!("the line does not keep its figures: {what}")))
}

fn judge(line: &Line, figures: &Figures) -> Result<(), String> {
    let wanted = line.round_trip();
    if figures.round_trip < wanted || figures.round_trip > wanted.mul_f64(OFF) + LATE {
        return Err(format!("a round trip takes {:?}, not {wanted:?}", figures.round_trip));
    }
    let one = [line.of_connection, line.in_all].into_iter().flatten().min();
    for (what, wanted, measured) in [("one connection", one, figures.one), ("all", line.in_all, figures.many)] {
        let Some(wanted) = wanted else { continue };
        #[expect(clippy::cast_precision_loss, reason = "a rate of bytes")]
        let factor = measured / wanted as f64;
        if !(1.0 / OFF..=OFF).contains(&factor) {
            return Err(format!(
                "{what}: {measured:.0} bytes a second, {factor:.2} times what it should be"
            ));
        }
    }
    Ok(())
}

fn measure(line: &Line) -> io::Result<Figures> {
    let relay = Relay::start(line.clone(), &[taker()?])?;
    let address = relay.address(0);
    let mut stream = open(address)?;
    let mut trips = Vec::new();
    for _ in 0..5 {
        trips.push(say(&mut stream, 1)?);
    }
    trips.sort();
    let bytes = |rate: Option<u64>| rate.map(|rate| rate + rate / 2);
    let of_one = [line.of_connection, line.in_all].into_iter().flatten().min();
    let one = match bytes(of_one) {
        Some(bytes) => rate(bytes, say(&mut stream, bytes)?, line),
        None => f64::NAN,
    };
    let many = match (bytes(line.in_all), line.in_all, of_one) {
        // More connections than fill the line.
        (Some(bytes), Some(all), Some(each)) => rate_of_many(line, bytes, all.div_ceil(each) + 3)?,
        _ => f64::NAN,
    };
    Ok(Figures {
        round_trip: trips[trips.len() / 2],
        one,
        many,
    })
}

/// The rate of this many bytes over several connections, each of which has more to say than its share: none ends before.
fn rate_of_many(line: &Line, bytes: u64, connections: u64) -> io::Result<f64> {
    let relay = Relay::start(line.clone(), &[taker()?])?;
    let streams: io::Result<Vec<_>> = (0..connections).map(|_| open(relay.address(0))).collect();
    let before = relay.traffic(0).up;
    let begun = Instant::now();
    for mut stream in streams? {
        thread::spawn(move || say(&mut stream, bytes));
    }
    loop {
        let (passed, took) = (relay.traffic(0).up - before, begun.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "a rate of bytes")]
        if passed >= bytes {
            return Ok(passed as f64 / took.as_secs_f64());
        }
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// The answer takes a round trip that is not the rate's.
fn rate(bytes: u64, took: Duration, line: &Line) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate of bytes")]
    let bytes = bytes as f64;
    bytes / took.saturating_sub(line.round_trip()).as_secs_f64()
}

/// A connection that is open at both ends.
fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    say(&mut stream, 1)?;
    Ok(stream)
}

/// Sends this many bytes, and waits for the answer.
fn say(stream: &mut TcpStream, bytes: u64) -> io::Result<Duration> {
    let begun = Instant::now();
    stream.write_all(&bytes.to_be_bytes())?;
    let chunk = [0; 16 << 10];
    let mut left = bytes;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        stream.write_all(&chunk[..most])?;
        left -= most as u64;
    }
    stream.read_exact(&mut [0])?;
    Ok(begun.elapsed())
}

/// A server that takes messages, and answers each with one byte.
fn taker() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || take(stream));
        }
    });
    Ok(address)
}

fn take(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let mut length = [0; 8];
        stream.read_exact(&mut length)?;
        let mut message = (&stream).take(u64::from_be_bytes(length));
        io::copy(&mut message, &mut io::sink())?;
        stream.write_all(&[0])?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_that_are_off_are_told() {
        let right = Figures {
            round_trip: Duration::from_millis(81),
            one: 5.1e6,
            many: 24.5e6,
        };
        assert_eq!(judge(&Line::long(), &right), Ok(()));
        for (wrong, told) in [
            (
                Figures {
                    round_trip: Duration::from_millis(79),
                    ..right
                },
                "a round trip",
            ),
            (
                Figures {
                    round_trip: Duration::from_millis(99),
                    ..right
                },
                "a round trip",
            ),
            (Figures { one: 4e6, ..right }, "one connection"),
            (Figures { many: 29e6, ..right }, "all"),
            (
                Figures {
                    many: f64::NAN,
                    ..right
                },
                "all",
            ),
        ] {
            let judged = judge(&Line::long(), &wrong);
            assert!(judged.as_ref().is_err_and(|what| what.starts_with(told)), "{judged:?}");
        }
    }
}
