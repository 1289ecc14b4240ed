//! The emulator's parts, and how time moves them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::builder::{self, BuildOptions};
use crate::clock::Clock;
use crate::emulator::RequestRecord;
use crate::fault::Faults;
use crate::storage::Storage;
use crate::world::{Due, World};

#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) clock: Clock,
    pub(crate) storage: Storage,
    pub(crate) faults: Faults,
    pub(crate) build_options: BuildOptions,
    pub(crate) requests: Mutex<Vec<RequestRecord>>,
    world: Mutex<World>,
    /// Told whenever the world may have changed.
    changed: watch::Sender<()>,
}

impl Engine {
    pub(crate) fn new(clock: Clock, storage: Storage, world: World, build_options: BuildOptions) -> Self {
        Self {
            clock,
            storage,
            faults: Faults::default(),
            build_options,
            requests: Mutex::default(),
            world: Mutex::new(world),
            changed: watch::Sender::new(()),
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets everything happen that is due, so that what is seen next is a function of the time alone.
    pub(crate) async fn settle(self: &Arc<Self>) {
        loop {
            let due = self.world().step(self.clock.now());
            match due {
                None => return,
                Some(Due::Happened) => {}
                Some(Due::Build(job)) => {
                    // On a task of its own: a caller that gives up must not take the build with it.
                    let engine = Arc::clone(self);
                    let build = tokio::spawn(async move {
                        let report = builder::run(&job, &engine.storage, &engine.build_options).await;
                        engine.world().run_build(&job, report);
                    });
                    build.await.expect("the builder does not panic, and is not aborted");
                }
            }
            self.changed.send_replace(());
        }
    }

    /// Announces a change that was made from outside.
    pub(crate) fn announce(&self) {
        self.changed.send_replace(());
    }

    pub(crate) fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Waits until something may have changed: by another request, or because its time has come.
    pub(crate) async fn wait_for_change(&self, changes: &mut watch::Receiver<()>) {
        let due = self.world().next_due();
        tokio::select! {
            _ = changes.changed() => {}
            () = async {
                match due {
                    Some(time) => self.clock.sleep_until(time).await,
                    None => std::future::pending().await,
                }
            } => {}
        }
    }
}
