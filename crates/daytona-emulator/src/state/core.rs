//! What all parts of the emulator share, and the one place where the world changes.

use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::fault::Faults;
use super::limit::Limiter;
use super::remembered::Remembered;
use super::saved::{Counted, StateFile};
use super::world::{Beginning, World, Writing};
use crate::base::clock::Clock;
use crate::base::data_dir::is_held;
use crate::builder::BuildOptions;
use crate::storage::Storage;
use crate::wire::record::RequestRecord;

/// How often the state is tried to be written while another program has its file open, and how long it takes between.
const PATIENCE: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// The state of an emulator.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) clock: Clock,
    pub(crate) storage: Storage,
    pub(crate) faults: Faults,
    pub(crate) limiter: Limiter,
    pub(crate) build_options: BuildOptions,
    /// Opens the admin routes.
    pub(crate) admin_key: String,
    /// The organization of the key that is given out.
    pub(crate) organization_id: String,
    /// Builds that are just being written down.
    pub(crate) writing: Writing,
    pub(crate) storage_requests: AtomicU64,
    pub(super) beginning: Beginning,
    remembered: Mutex<Remembered>,
    counted: Mutex<Counted>,
    /// Told whenever the world may have changed.
    changed: watch::Sender<()>,
    state_file: StateFile,
    /// Builds of a real engine, which end with the emulator.
    real_builds: Mutex<Vec<AbortHandle>>,
}

/// The world, to be looked at.
pub(crate) struct Look<'a>(MutexGuard<'a, Counted>);

impl Deref for Look<'_> {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0.world
    }
}

/// Who an emulator is for: the key of its admin routes, and its organization.
pub(crate) struct Identity {
    pub(crate) admin_key: String,
    pub(crate) organization_id: String,
}

impl Core {
    pub(crate) fn new(
        clock: Clock,
        storage: Storage,
        world: World,
        build_options: BuildOptions,
        identity: Identity,
        state_file: Option<PathBuf>,
    ) -> Self {
        Self {
            clock,
            storage,
            faults: Faults::default(),
            limiter: Limiter::default(),
            build_options,
            admin_key: identity.admin_key,
            organization_id: identity.organization_id,
            writing: Writing::default(),
            storage_requests: AtomicU64::new(0),
            beginning: world.beginning(),
            remembered: Mutex::default(),
            counted: Mutex::new(Counted { world, changes: 0 }),
            changed: watch::Sender::new(()),
            state_file: StateFile::new(state_file),
            real_builds: Mutex::default(),
        }
    }

    /// The world as it is.
    pub(crate) fn world(&self) -> Look<'_> {
        Look(self.lock())
    }

    /// Changes the world, or refuses to: then nothing of it may have changed. Whoever waits for a change is told. What has
    /// changed is kept once [`save`](Self::save) has returned, before anybody hears of it.
    pub(crate) fn request<T, E>(&self, change: impl FnOnce(&mut World, Timestamp) -> Result<T, E>) -> Result<T, E> {
        let answer = {
            let mut counted = self.lock();
            let answer = change(&mut counted.world, self.clock.now())?;
            counted.changes += 1;
            answer
        };
        self.changed.send_replace(());
        Ok(answer)
    }

    /// Like [`request`](Self::request), for what cannot be refused.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        let changed = self.request(|world, now| Ok::<T, std::convert::Infallible>(change(world, now)));
        match changed {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }

    /// Takes note of the use of a key, which is no change that has to be kept.
    pub(crate) fn use_key(&self, value: &str) {
        let now = self.clock.now();
        self.lock().world.accounts.use_key(value, now);
    }

    /// Remembers what can be worked out again, which is none either.
    pub(super) fn keep_in_memory(&self, keep: impl FnOnce(&mut World)) {
        keep(&mut self.lock().world);
    }

    /// Writes the state down, if it is kept and has changed, on a thread that may block. Another program may have the file
    /// open on Windows: it is given a moment to close it.
    ///
    /// # Errors
    ///
    /// If it could not be written: what has changed is not kept.
    pub(crate) async fn save(self: &Arc<Self>) -> io::Result<()> {
        let changes = self.lock().changes;
        if self.state_file.is_written(changes) {
            return Ok(());
        }
        let mut tries = PATIENCE;
        loop {
            let core = Arc::clone(self);
            let written = tokio::task::spawn_blocking(move || core.state_file.write(&core.counted)).await;
            match written.unwrap_or_else(|error| Err(io::Error::other(error))) {
                Err(error) if is_held(&error) && tries > 0 => {
                    tries -= 1;
                    tokio::time::sleep(PAUSE).await;
                }
                outcome => return outcome.map_err(|error| self.state_file.explain(error)),
            }
        }
    }

    /// Like [`save`](Self::save), on this thread. A file that another program has open is not waited for.
    pub(crate) fn save_now(&self) -> io::Result<()> {
        let written = self.state_file.write(&self.counted);
        written.map_err(|error| self.state_file.explain(error))
    }

    /// Told of every change.
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

    /// The last requests.
    pub(crate) fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remember(&self, request: RequestRecord) {
        self.remembered().push(request);
    }

    pub(super) fn forget_requests(&self) {
        *self.remembered() = Remembered::default();
    }

    /// Lets a build of a real engine end with the emulator.
    pub(crate) fn keep_for_the_end(&self, build: AbortHandle) {
        let mut builds = self.real_builds.lock().unwrap_or_else(PoisonError::into_inner);
        builds.retain(|build| !build.is_finished());
        builds.push(build);
    }

    /// Ends what goes on by itself.
    pub(crate) fn close(&self) {
        self.state_file.close();
        let mut builds = self.real_builds.lock().unwrap_or_else(PoisonError::into_inner);
        for build in builds.drain(..) {
            build.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
