//! The emulator on a socket.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};
use tower_service::Service;

use crate::BoxError;
use crate::server::service::EmulatorService;
use crate::wire::sender::PeerAddress;

/// A connection that is idle for so long is closed without a word, as on the real server; so is one whose head does not come
/// to its end.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A body of which nothing more comes for so long is given up.
const BODY_SILENCE: Duration = Duration::from_mins(1);

/// After a connection could not be accepted: there is no point in trying at once, as what was missing is still missing.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// A further failure is told after so long at the earliest.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(30);

/// How many connections wait in the system's queue, if the system allows as many. Where there is no room, a client tries again
/// after a second: a test with a few thousand connections at once would wait for nothing else.
const WAITING: u32 = 4096;

/// Accepts connections until it is dropped, and ends them with it.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Listener {
    pub(crate) fn bind(address: SocketAddr, service: EmulatorService, connections: usize) -> io::Result<Self> {
        let failed = |error: io::Error| io::Error::new(error.kind(), format!("cannot serve on {address}: {error}"));
        let listener = listen(address).map_err(failed)?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, service, connections));
        Ok(Self { address, task })
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // On Windows this would let others take the address over.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, service: EmulatorService, most: usize) {
    // Dropped with the task, and the connections with it.
    let mut connections = JoinSet::new();
    let places = Arc::new(Semaphore::new(most));
    let mut warned: Option<Instant> = None;
    loop {
        // Those for whom there is no place wait in the queue of the system.
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            Some(_) = connections.join_next() => continue,
        };
        let Ok(place) = place else { return };
        let socket = Socket {
            listener: &listener,
            connections: &mut connections,
        };
        let (stream, peer) = in_time(socket, &mut warned).await;
        connections.spawn(serve(stream, peer, service.clone(), place));
    }
}

/// Where connections come from.
trait Source {
    type Connection;

    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Connection>> + Send;
}

/// The socket, and the connections that it has brought, which are let go when they have ended.
struct Socket<'a> {
    listener: &'a TcpListener,
    connections: &'a mut JoinSet<()>,
}

impl Source for Socket<'_> {
    type Connection = (TcpStream, SocketAddr);

    async fn accept(&mut self) -> io::Result<Self::Connection> {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => return accepted,
                Some(_) = self.connections.join_next() => {}
            }
        }
    }
}

/// The next connection. After a failure there is a pause; a warning is not repeated soon.
async fn in_time<S: Source>(mut source: S, warned: &mut Option<Instant>) -> S::Connection {
    loop {
        match source.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                if warned.is_none_or(|warned| warned.elapsed() >= BETWEEN_WARNINGS) {
                    tracing::warn!(%error, "a connection could not be accepted");
                    *warned = Some(Instant::now());
                }
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, service: EmulatorService, place: OwnedSemaphorePermit) {
    // Without Nagle's algorithm, as servers do; lines of a log come when they are written.
    drop(stream.set_nodelay(true));
    let peer = PeerAddress::from(peer);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let mut request = request.map(Timely::new);
        request.extensions_mut().insert(peer.clone());
        service.clone().call(request)
    });
    let served = http1::Builder::new()
        // The service says what time it is, on the emulator's clock.
        .auto_date_header(false)
        .timer(TokioTimer::new())
        .header_read_timeout(KEEP_ALIVE)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(place);
}

/// A body that breaks when nothing comes for too long.
struct Timely<B> {
    body: B,
    silence: Option<Pin<Box<Sleep>>>,
}

impl<B> Timely<B> {
    fn new(body: B) -> Self {
        Self { body, silence: None }
    }
}

impl<B> Body for Timely<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.silence = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let silence = self
            .silence
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(BODY_SILENCE)));
        match silence.as_mut().poll(context) {
            Poll::Ready(()) => {
                let message = format!("no more of the body arrived for {} s", BODY_SILENCE.as_secs());
                Poll::Ready(Some(Err(BoxError::from(message))))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    /// Fails so often, as it does while all descriptors are taken.
    struct Failing(u32);

    impl Source for Failing {
        type Connection = &'static str;

        async fn accept(&mut self) -> io::Result<Self::Connection> {
            match self.0.checked_sub(1) {
                Some(left) => {
                    self.0 = left;
                    Err(io::Error::other("no descriptors"))
                }
                None => Ok("a connection"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_accept_is_tried_again_after_a_pause() {
        let begin = Instant::now();
        let mut warned = None;
        assert_eq!(in_time(Failing(9), &mut warned).await, "a connection");
        assert_eq!(begin.elapsed(), 9 * AFTER_FAILURE);
        // There was one warning, the first.
        assert_eq!(warned, Some(begin));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_of_which_nothing_comes_is_given_up() {
        let never = stream::pending::<Result<Frame<Bytes>, BoxError>>();
        let begin = Instant::now();
        let given_up = Timely::new(StreamBody::new(never)).frame().await;
        assert!(given_up.is_some_and(|frame| frame.is_err()));
        assert_eq!(begin.elapsed(), BODY_SILENCE);

        // A slow one is none that stands still.
        let slow = stream::iter(0..3).then(|_| async {
            tokio::time::sleep(BODY_SILENCE / 2).await;
            Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"x")))
        });
        let body = Timely::new(StreamBody::new(Box::pin(slow))).collect().await;
        assert!(body.is_ok_and(|body| body.to_bytes() == "xxx"));
    }
}
