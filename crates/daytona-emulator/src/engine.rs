//! The emulator's parts, and how time moves them.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};

use crate::builder::engine::Progress;
use crate::builder::{self, BuildEngine, BuildOptions, BuiltImage};
use crate::clock::Clock;
use crate::emulator::RequestRecord;
use crate::fault::Faults;
use crate::limit::Limiter;
use crate::storage::Storage;
use crate::world::{BuildJob, Due, Record, World};

/// Requests that are remembered.
const REMEMBERED_REQUESTS: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) clock: Clock,
    pub(crate) storage: Storage,
    pub(crate) faults: Faults,
    pub(crate) limiter: Limiter,
    pub(crate) build_options: BuildOptions,
    /// Opens the admin routes.
    pub(crate) admin_key: String,
    pub(crate) requests: Mutex<VecDeque<RequestRecord>>,
    world: Mutex<World>,
    /// Told whenever the world may have changed.
    changed: watch::Sender<()>,
    /// The file that keeps the state, and which version of the world is in it.
    state_file: Option<PathBuf>,
    saved: Mutex<u64>,
    pub(crate) storage_requests: AtomicU64,
}

impl Engine {
    pub(crate) fn new(
        clock: Clock,
        storage: Storage,
        world: World,
        build_options: BuildOptions,
        admin_key: String,
        state_file: Option<PathBuf>,
    ) -> Self {
        Self {
            clock,
            storage,
            faults: Faults::default(),
            limiter: Limiter::default(),
            build_options,
            admin_key,
            requests: Mutex::default(),
            world: Mutex::new(world),
            changed: watch::Sender::new(()),
            state_file,
            saved: Mutex::new(u64::MAX),
            storage_requests: AtomicU64::new(0),
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remember(&self, request: RequestRecord) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() == REMEMBERED_REQUESTS {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    /// Lets everything happen that is due, so that what is seen next is a function of the time alone.
    pub(crate) async fn settle(self: &Arc<Self>) {
        loop {
            let due = self.world().step(self.clock.now());
            match due {
                None => return,
                Some(Due::Happened) => {}
                Some(Due::Build(job)) => match self.build_options.engine {
                    None => self.work_out(*job).await,
                    Some(engine) => self.build_for_real(engine, *job),
                },
            }
            self.changed.send_replace(());
        }
    }

    async fn work_out(self: &Arc<Self>, job: BuildJob) {
        // On a thread of its own, as archives are read and hashed there; and a caller that gives up must not take the build
        // with it.
        let engine = Arc::clone(self);
        let build = tokio::task::spawn_blocking(move || {
            let report = builder::run(&job, &engine.storage, &engine.build_options);
            engine.world().run_build(&job, report);
        });
        build.await.expect("the builder does not panic, and is not aborted");
    }

    /// Lets a real engine build, and goes on meanwhile.
    fn build_for_real(self: &Arc<Self>, builder: BuildEngine, job: BuildJob) {
        let engine = Arc::clone(self);
        tokio::spawn(async move {
            let (sender, mut progress) = mpsc::unbounded_channel();
            let (storage, options) = (engine.storage.clone(), engine.build_options.clone());
            let (id, reference) = (job.snapshot.clone(), job.info.snapshot_ref.clone());
            let build = tokio::spawn(builder::engine::build(builder, job, storage, options, sender));
            while let Some(step) = progress.recv().await {
                match step {
                    Progress::Opened => engine.world().open_log(&reference),
                    Progress::Line(line) => engine.world().log_line(&reference, &line),
                }
                engine.announce();
            }
            let outcome = build.await.unwrap_or_else(|error| Err(error.to_string()));
            let (outcome, image) = match outcome {
                Ok(image) => (Ok(()), image.map(Arc::new)),
                Err(reason) => (Err(reason), None),
            };
            engine
                .world()
                .built(&id, &reference, outcome, image, engine.clock.now());
            engine.announce();
            engine.save();
        });
    }

    /// What is known of the image of a snapshot, by its id or name. After a restart it is worked out again.
    pub(crate) fn image(&self, id_or_name: &str) -> Option<Arc<BuiltImage>> {
        let job = {
            let world = self.world();
            let is_it = |record: &&Record| record.id.as_str() == id_or_name || record.name == id_or_name;
            let record = world.snapshots.iter().find(is_it)?;
            let build = world.build(record)?;
            if let Some(image) = &build.image {
                return Some(Arc::clone(image));
            }
            build.built?;
            BuildJob::of(record)?
        };
        let image = builder::run(&job, &self.storage, &self.build_options).image?;
        self.world().keep_image(&job, &image);
        Some(image)
    }

    /// Announces a change that was made from outside.
    pub(crate) fn announce(&self) {
        self.changed.send_replace(());
    }

    /// Writes the state down, if it is kept and has changed.
    pub(crate) fn save(&self) {
        let Some(file) = &self.state_file else { return };
        // Held to the end, so that an older state never replaces a newer one.
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let (version, state) = {
            let world = self.world();
            if world.version == *saved {
                return;
            }
            (world.version, world.save())
        };
        let written = state
            .map_err(std::io::Error::other)
            .and_then(|state| crate::data_dir::replace_file(file, &state));
        match written {
            Ok(()) => *saved = version,
            Err(error) => tracing::error!(%error, file = %file.display(), "the state could not be written"),
        }
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
