//! Calls that block, for programs without an async runtime.
//!
//! The client and its builders are the same. Import [`Block`] and [`BlockStream`]. End a call with
//! [`block`](Block::block) instead of `.await`, and iterate over a stream with
//! [`blocking_iter`](BlockStream::blocking_iter).
//!
//! ```no_run
//! use daytona_sdk::blocking::{Block, BlockStream};
//! use daytona_sdk::{CreateSnapshotParams, Daytona, Image};
//!
//! fn main() -> Result<(), daytona_sdk::Error> {
//!     let daytona = Daytona::from_env()?;
//!     let params = CreateSnapshotParams::new("my-app", Image::debian_slim("3.12"));
//!     let snapshot = daytona
//!         .snapshots()
//!         .create(params)
//!         .on_logs(|line| println!("{line}"))
//!         .block()?;
//!     println!("{}", snapshot.state);
//!     for snapshot in daytona.snapshots().list().stream().blocking_iter() {
//!         println!("{}", snapshot?.name);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! The first call starts two threads, which do the work. Inside an async runtime, a blocking call returns an error of
//! kind `Unsupported` instead of a panic or a deadlock, also on a thread of `spawn_blocking`. Await the call there.

use std::future::IntoFuture;
use std::sync::OnceLock;

use futures_core::Stream;
use futures_util::StreamExt;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tracing::Instrument;

use crate::error::{Error, ErrorKind};

/// Blocks until a call is done, for programs that cannot await it.
///
/// ```no_run
/// use daytona_sdk::Daytona;
/// use daytona_sdk::blocking::Block;
///
/// let snapshot = Daytona::from_env()?.snapshots().get("my-app").block()?;
/// # Ok::<(), daytona_sdk::Error>(())
/// ```
pub trait Block {
    /// The result of the call.
    type Output;

    /// Runs the call and waits until it is done.
    ///
    /// # Errors
    ///
    /// The errors of the call. Kind `Unsupported` inside an async runtime.
    fn block(self) -> Result<Self::Output, Error>;
}

impl<T, C> Block for C
where
    C: IntoFuture<Output = Result<T, Error>>,
    C::IntoFuture: Send + 'static,
    T: Send + 'static,
{
    type Output = T;

    fn block(self) -> Result<T, Error> {
        let call = self.into_future();
        let (sender, mut receiver) = mpsc::channel(1);
        let run = async move { drop(sender.send(call.await).await) };
        runtime()?.spawn(run.in_current_span());
        receiver.blocking_recv().unwrap_or_else(|| Err(stopped()))
    }
}

/// Iterates over a stream, for programs that cannot await its items.
///
/// ```no_run
/// use daytona_sdk::Daytona;
/// use daytona_sdk::blocking::BlockStream;
///
/// for snapshot in Daytona::from_env()?.snapshots().list().stream().blocking_iter() {
///     println!("{}", snapshot?.name);
/// }
/// # Ok::<(), daytona_sdk::Error>(())
/// ```
pub trait BlockStream {
    /// The type of an item.
    type Item;

    /// Returns an iterator; its `next` waits for an item. Inside an async runtime the only item is an error.
    fn blocking_iter(self) -> Iter<Self::Item>;
}

impl<T, S> BlockStream for S
where
    S: Stream<Item = Result<T, Error>> + Send + 'static,
    T: Send + 'static,
{
    type Item = T;

    fn blocking_iter(self) -> Iter<T> {
        // One item in advance.
        let (sender, receiver) = mpsc::channel(1);
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => return Iter(State::Impossible(Some(error))),
        };
        let run = async move {
            let mut stream = std::pin::pin!(self);
            loop {
                tokio::select! {
                    item = stream.next() => {
                        let Some(item) = item else { return };
                        if sender.send(item).await.is_err() {
                            return;
                        }
                    }
                    // The iterator was dropped.
                    () = sender.closed() => return,
                }
            }
        };
        runtime.spawn(run.in_current_span());
        Iter(State::Running(receiver))
    }
}

/// The items of a stream.
#[derive(Debug)]
#[must_use = "iterators do nothing until they are used"]
pub struct Iter<T>(State<T>);

#[derive(Debug)]
enum State<T> {
    /// A task of the runtime sends the items.
    Running(mpsc::Receiver<Result<T, Error>>),
    /// There are no items, only an error that says why.
    Impossible(Option<Error>),
}

impl<T> Iterator for Iter<T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            State::Impossible(error) => error.take().map(Err),
            State::Running(_) if Handle::try_current().is_ok() => {
                self.0 = State::Impossible(None);
                Some(Err(inside_a_runtime()))
            }
            State::Running(receiver) => receiver.blocking_recv(),
        }
    }
}

/// The runtime that all calls share. It lives as long as the process, so that no client has to drop it.
fn runtime() -> Result<&'static Runtime, Error> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    if Handle::try_current().is_ok() {
        return Err(inside_a_runtime());
    }
    let runtime = RUNTIME.get_or_init(|| {
        let built = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("daytona-sdk")
            .enable_all()
            .build();
        built.map_err(|error| error.to_string())
    });
    runtime
        .as_ref()
        .map_err(|error| Error::new(ErrorKind::Unsupported, format!("no threads can be started: {error}")))
}

fn inside_a_runtime() -> Error {
    let message = "a blocking call cannot run inside an async runtime: await it instead of calling `block`";
    Error::new(ErrorKind::Unsupported, message)
}

fn stopped() -> Error {
    Error::new(ErrorKind::Unsupported, "the call was stopped before it was done")
}
