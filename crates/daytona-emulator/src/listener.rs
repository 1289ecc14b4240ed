//! The emulator on a socket.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower_service::Service;

use crate::service::{EmulatorService, PeerAddress};

/// A connection that is idle for so long is closed without a word, as on the real server.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Accepts connections until it is dropped, and ends them with it.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Listener {
    pub(crate) async fn bind(address: SocketAddr, service: EmulatorService) -> io::Result<Self> {
        let failed = |error: io::Error| io::Error::new(error.kind(), format!("cannot serve on {address}: {error}"));
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, service));
        Ok(Self { address, task })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, service: EmulatorService) {
    // Dropped with the task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let service = service.clone();
                    connections.spawn(async move {
                        // Without Nagle's algorithm, as servers do; lines of a log come when they are written.
                        drop(stream.set_nodelay(true));
                        let peer = PeerAddress(peer.ip().to_string());
                        let service = service_fn(move |mut request| {
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
                    });
                }
                Err(error) => tracing::warn!(%error, "a connection could not be accepted"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
