//! The emulator's parts, and how time moves them.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use crate::builder::real::Progress;
use crate::builder::{self, BuildEngine, BuildOptions, BuiltImage};
use crate::clock::Clock;
use crate::emulator::RequestRecord;
use crate::fault::Faults;
use crate::limit::Limiter;
use crate::storage::Storage;
use crate::world::{BuildJob, Due, Record, World, Writing};

/// Requests that are remembered, and the bytes of their addresses together.
const REMEMBERED_REQUESTS: usize = 100_000;
const REMEMBERED_BYTES: usize = 16 * 1024 * 1024;

/// The last requests.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    requests: VecDeque<RequestRecord>,
    bytes: usize,
}

impl Remembered {
    fn push(&mut self, request: RequestRecord) {
        self.bytes += request.address.len();
        self.requests.push_back(request);
        while self.requests.len() > REMEMBERED_REQUESTS || self.bytes > REMEMBERED_BYTES {
            let Some(oldest) = self.requests.pop_front() else { break };
            self.bytes -= oldest.address.len();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &RequestRecord> {
        self.requests.iter()
    }
}

#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) clock: Clock,
    pub(crate) storage: Storage,
    pub(crate) faults: Faults,
    pub(crate) limiter: Limiter,
    pub(crate) build_options: BuildOptions,
    /// Opens the admin routes.
    pub(crate) admin_key: String,
    pub(crate) requests: Mutex<Remembered>,
    world: Mutex<World>,
    /// Builds that are just being written down.
    pub(crate) writing: Writing,
    /// Told whenever the world may have changed.
    changed: watch::Sender<()>,
    /// The file that keeps the state, and which version of the world is in it.
    state_file: Option<PathBuf>,
    saved: Mutex<u64>,
    pub(crate) storage_requests: AtomicU64,
    /// Once the emulator has ended, nothing is written any more.
    is_closed: AtomicBool,
    /// Builds of a real engine, which end with the emulator.
    real_builds: Mutex<Vec<AbortHandle>>,
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
            writing: Writing::default(),
            changed: watch::Sender::new(()),
            state_file,
            saved: Mutex::new(u64::MAX),
            storage_requests: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            real_builds: Mutex::default(),
        }
    }

    /// Ends what goes on by itself.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        // Whoever is writing just now is let finish.
        drop(self.saved.lock().unwrap_or_else(PoisonError::into_inner));
        for build in self
            .real_builds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            build.abort();
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remember(&self, request: RequestRecord) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.push(request);
    }

    /// Puts everything back to the beginning but organizations, keys and the time.
    ///
    /// # Errors
    ///
    /// If the index of stored objects cannot be changed.
    pub(crate) fn reset(&self) -> io::Result<()> {
        self.faults.clear();
        self.limiter.set(None);
        self.world().reset();
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner) = Remembered::default();
        self.storage.clear()?;
        self.announce();
        Ok(())
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
            let report = builder::run(&job.for_builder(), &engine.storage, &engine.build_options);
            engine.world().run_build(&job, report);
        });
        build.await.expect("the builder does not panic, and is not aborted");
    }

    /// Lets a real engine build, and goes on meanwhile.
    fn build_for_real(self: &Arc<Self>, builder: BuildEngine, job: BuildJob) {
        let engine = Arc::clone(self);
        tokio::spawn(async move {
            let (sender, mut progress) = mpsc::unbounded_channel();
            let (storage, verify_digests) = (engine.storage.clone(), engine.build_options.verify_digests);
            let (id, reference) = (job.snapshot.clone(), job.info.snapshot_ref.clone());
            let build = tokio::spawn(builder::real::build(
                builder,
                job.for_builder(),
                storage,
                verify_digests,
                sender,
            ));
            engine.keep_for_the_end(build.abort_handle());
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
            drop(engine.save().await);
        });
    }

    fn keep_for_the_end(&self, build: AbortHandle) {
        let mut builds = self.real_builds.lock().unwrap_or_else(PoisonError::into_inner);
        builds.retain(|build| !build.is_finished());
        builds.push(build);
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
        let image = builder::run(&job.for_builder(), &self.storage, &self.build_options).image?;
        self.world().keep_image(&job, &image);
        Some(image)
    }

    /// Announces a change that was made from outside.
    pub(crate) fn announce(&self) {
        self.changed.send_replace(());
    }

    /// Writes the state down, if it is kept and has changed, on a thread that may block.
    ///
    /// # Errors
    ///
    /// If it could not be written: what has changed is not kept.
    pub(crate) async fn save(self: &Arc<Self>) -> io::Result<()> {
        if self.state_file.is_none() || self.world().version == *self.lock_saved() {
            return Ok(());
        }
        let engine = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || engine.save_now()).await;
        written.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// Like [`Engine::save`], on this thread.
    pub(crate) fn save_now(&self) -> io::Result<()> {
        let Some(file) = &self.state_file else { return Ok(()) };
        // Held to the end, so that an older state never replaces a newer one.
        let mut saved = self.lock_saved();
        if self.is_closed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let (version, state) = {
            let world = self.world();
            if world.version == *saved {
                return Ok(());
            }
            (world.version, world.save())
        };
        let written = state
            .map_err(io::Error::other)
            .and_then(|state| crate::data_dir::replace_file(file, &state));
        match &written {
            Ok(()) => *saved = version,
            Err(error) => tracing::error!(%error, file = %file.display(), "the state could not be written"),
        }
        written
    }

    fn lock_saved(&self) -> MutexGuard<'_, u64> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
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
