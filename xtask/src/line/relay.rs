//! The relay: sockets and threads around the line's figures.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::Line;
use super::pace::{Pace, SLACK, SLACK_OF_BUSY};
use super::pipe::{Parcel, Pipe, Room, length};

#[cfg(test)]
mod tests;

/// A line to some servers. It is cut when this value goes.
#[derive(Debug)]
pub(crate) struct Relay {
    world: Arc<World>,
    doors: Vec<(SocketAddr, Arc<Counts>)>,
}

/// What has passed to and from one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) connections: u64,
    /// How often a client spoke after the server had: the requests of HTTP/1.1.
    pub(crate) exchanges: u64,
    /// Bytes from clients, as they entered the line.
    pub(crate) up: u64,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    exchanges: AtomicU64,
    up: AtomicU64,
}

/// What all connections of a relay share.
#[derive(Debug)]
struct World {
    line: Line,
    /// From clients to servers, and back.
    in_all: [Mutex<Pace>; 2],
    up: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_closed: bool,
    /// The line stands still since then.
    held: Option<Instant>,
    /// To be shut when the line is cut.
    streams: Vec<TcpStream>,
}

impl Relay {
    /// One address for each server, in their order.
    pub(crate) fn start(line: Line, servers: &[SocketAddr]) -> io::Result<Self> {
        let now = Instant::now();
        let world = Arc::new(World {
            in_all: [(); 2].map(|()| Mutex::new(Pace::new(line.in_all, now))),
            line,
            up: AtomicU64::new(0),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let mut relay = Self {
            world,
            doors: Vec::new(),
        };
        for server in servers.iter().copied() {
            let listener = listen(relay.world.line.buffers)?;
            let counts = Arc::new(Counts::default());
            relay.doors.push((listener.local_addr()?, counts.clone()));
            let world = relay.world.clone();
            thread::spawn(move || accept(&world, &listener, server, &counts));
        }
        Ok(relay)
    }

    /// Where a server is reached over the line.
    pub(crate) fn address(&self, server: usize) -> SocketAddr {
        self.doors[server].0
    }

    pub(crate) fn traffic(&self, server: usize) -> Traffic {
        let counts = &self.doors[server].1;
        Traffic {
            connections: counts.connections.load(Ordering::Relaxed),
            exchanges: counts.exchanges.load(Ordering::Relaxed),
            up: counts.up.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let mut state = self.world.state();
        state.is_closed = true;
        for stream in state.streams.drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
        drop(state);
        self.world.changed.notify_all();
        for (address, _) in &self.doors {
            // The listener wakes up, and sees it.
            drop(TcpStream::connect(address));
        }
    }
}

fn listen(buffers: usize) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // Accepted connections take these sizes on.
    socket.set_recv_buffer_size(buffers)?;
    socket.set_send_buffer_size(buffers)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(128)?;
    Ok(socket.into())
}

fn connect(server: SocketAddr, buffers: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    socket.set_recv_buffer_size(buffers)?;
    socket.set_send_buffer_size(buffers)?;
    socket.connect(&server.into())?;
    Ok(socket.into())
}

fn accept(world: &Arc<World>, listener: &TcpListener, server: SocketAddr, counts: &Arc<Counts>) {
    loop {
        let accepted = listener.accept();
        if world.state().is_closed {
            return;
        }
        let Ok((client, _)) = accepted else { continue };
        // A server that is not there is a connection that ends.
        let Ok(stream) = connect(server, world.line.buffers) else {
            continue;
        };
        counts.connections.fetch_add(1, Ordering::Relaxed);
        drop(world.join(client, stream, counts));
    }
}

/// One way of one connection.
#[derive(Debug)]
struct Lane {
    world: Arc<World>,
    /// 0 from the client to the server, 1 back.
    way: usize,
    counts: Arc<Counts>,
    /// The server has spoken since the client has; both ways of a connection share it.
    is_answered: Arc<AtomicBool>,
    pipe: Mutex<Pipe>,
    changed: Condvar,
    is_over: AtomicBool,
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Carries what both say.
    fn join(self: &Arc<Self>, client: TcpStream, server: TcpStream, counts: &Arc<Counts>) -> io::Result<()> {
        let opened = Instant::now() + self.line.round_trip();
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let is_answered = Arc::new(AtomicBool::new(true));
        let ways = [
            (client.try_clone()?, server.try_clone()?),
            (server.try_clone()?, client.try_clone()?),
        ];
        self.state().streams.extend([client, server]);
        for (way, (from, to)) in ways.into_iter().enumerate() {
            let lane = Arc::new(Lane {
                world: self.clone(),
                way,
                counts: counts.clone(),
                is_answered: is_answered.clone(),
                pipe: Mutex::new(Pipe::new(self.line.delay, self.line.window)),
                changed: Condvar::new(),
                is_over: AtomicBool::new(false),
            });
            let (sender, receiver) = (lane.clone(), lane);
            let back = from.try_clone()?;
            thread::spawn(move || sender.send(from, opened));
            thread::spawn(move || receiver.receive(&to, &back));
        }
        Ok(())
    }

    /// Waits; false if the line is cut meanwhile.
    fn wait_until(&self, time: Instant) -> bool {
        let mut state = self.state();
        while !state.is_closed {
            let left = time.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            (state, _) = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        false
    }

    /// Waits while the line stands still; false if it is cut meanwhile.
    fn wait_for_the_line(&self) -> bool {
        let mut state = self.state();
        loop {
            if state.is_closed {
                return false;
            }
            let Some((since, hold)) = state.held.zip(self.line.hold) else {
                return true;
            };
            let Some(pause) = hold.pause else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = (since + pause).saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            (state, _) = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Counts what clients send, by which the line comes to stand still.
    fn count_up(&self, bytes: u64) {
        let up = self.up.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if self.line.hold.is_some_and(|hold| up > hold.after) {
            self.state().held.get_or_insert_with(Instant::now);
        }
    }
}

impl Lane {
    /// Takes what the sender says, at the line's rate, while the window is open.
    fn send(&self, mut from: TcpStream, opened: Instant) {
        let world = &self.world;
        let line = &world.line;
        let mut own = Pace::new(line.of_connection, opened);
        let narrowest = [line.of_connection, line.in_all].into_iter().flatten().min();
        let mut buffer = vec![0; Pace::share(narrowest)];
        if !world.wait_until(opened) {
            return;
        }
        loop {
            let begun = Instant::now();
            let Some(room) = self.room() else { break };
            let most = buffer.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            let read = from.read(&mut buffer[..most]);
            let is_busy = begun.elapsed() < Duration::from_millis(1);
            if !world.wait_for_the_line() {
                break;
            }
            let parcel = match read {
                Ok(0) => Parcel::End,
                Ok(read) => Parcel::Bytes(buffer[..read].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => Parcel::Reset,
            };
            let bytes = length(&parcel);
            self.count(bytes);
            let passed = own.pass(
                bytes_of(bytes),
                Instant::now(),
                if is_busy { SLACK_OF_BUSY } else { SLACK },
            );
            if !world.wait_until(passed) {
                break;
            }
            let passed = locked(&world.in_all[self.way]).pass(bytes_of(bytes), Instant::now(), SLACK);
            if !world.wait_until(passed) {
                break;
            }
            locked(&self.pipe).send(parcel, passed);
            self.changed.notify_all();
            if bytes == 0 {
                return;
            }
        }
        self.is_over.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Hands over what has arrived. `back` is the sender's end.
    fn receive(&self, mut to: &TcpStream, back: &TcpStream) {
        while let Some(parcel) = self.next() {
            if !self.world.wait_for_the_line() {
                break;
            }
            match &parcel {
                Parcel::Bytes(bytes) => {
                    if to.write_all(bytes).is_err() {
                        drop(back.shutdown(Shutdown::Both));
                        break;
                    }
                    locked(&self.pipe).deliver(length(&parcel), Instant::now());
                    self.changed.notify_all();
                }
                Parcel::End => {
                    drop(to.shutdown(Shutdown::Write));
                    return;
                }
                Parcel::Reset => {
                    drop(to.shutdown(Shutdown::Both));
                    return;
                }
            }
        }
        self.is_over.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Waits until the window is open; nothing if the receiver is gone.
    fn room(&self) -> Option<u64> {
        self.wait(|pipe, now| match pipe.room(now) {
            Room::Now(room) => Ok(room),
            Room::At(time) => Err(Some(time)),
            Room::Later => Err(None),
        })
    }

    /// Waits for the next parcel; nothing if the sender is gone.
    fn next(&self) -> Option<Parcel> {
        self.wait(|pipe, now| pipe.take(now).ok_or_else(|| pipe.next_arrival()))
    }

    /// Waits until there is something, which may be at a known time.
    fn wait<T>(&self, mut look: impl FnMut(&mut Pipe, Instant) -> Result<T, Option<Instant>>) -> Option<T> {
        /// How soon the end of the relay is seen.
        const AT_MOST: Duration = Duration::from_millis(200);
        let mut pipe = locked(&self.pipe);
        loop {
            let now = Instant::now();
            let until = match look(&mut pipe, now) {
                Ok(found) => return Some(found),
                Err(_) if self.is_over.load(Ordering::Relaxed) || self.world.state().is_closed => return None,
                Err(until) => until,
            };
            let left = until.map_or(AT_MOST, |until| until.saturating_duration_since(now).min(AT_MOST));
            (pipe, _) = self
                .changed
                .wait_timeout(pipe, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn count(&self, bytes: u64) {
        if self.way == 1 {
            self.is_answered.store(true, Ordering::Relaxed);
            return;
        }
        if bytes > 0 && self.is_answered.swap(false, Ordering::Relaxed) {
            self.counts.exchanges.fetch_add(1, Ordering::Relaxed);
        }
        self.counts.up.fetch_add(bytes, Ordering::Relaxed);
        self.world.count_up(bytes);
    }
}

fn bytes_of(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// No thread panics while it holds one of these.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
