//! The handle of an emulator.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;

use crate::base::clock::{Clock, SPEEDS};
use crate::base::data_dir::DataDir;
use crate::base::random::random;
use crate::base::range::fraction;
use crate::builder::{BuildOptions, BuiltImage};
use crate::options::EmulatorBuilder;
use crate::server::listener::Listener;
use crate::server::service::EmulatorService;
use crate::state::account::{Accounts, ApiKey, Organization, UserToken, can_be_sent};
use crate::state::core::{Core, Identity};
use crate::state::fault::Fault;
use crate::state::limit::RateLimits;
use crate::state::region::Region;
use crate::state::saved::load;
use crate::state::script::Script;
use crate::state::world::{ReadLag, SeededSnapshot, World};
use crate::storage::{Storage, StoredObject};
use crate::wire::record::RequestRecord;

mod sandboxes;

/// A running emulator. When it is dropped, its connections close, and without a data directory its stored objects are
/// deleted.
///
/// ```
/// use daytona_emulator::{Emulator, Fault, Operation};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let emulator = Emulator::start().await?;
/// // Give these two to the client under test.
/// println!("{} {}", emulator.api_url(), emulator.api_key());
/// // The next two requests for a snapshot fail.
/// emulator.inject(Fault::status(503).on(Operation::GetSnapshot).times(2));
/// // After the test, see what the client has asked for.
/// assert!(emulator.requests().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Emulator {
    core: Arc<Core>,
    service: EmulatorService,
    listener: Option<Listener>,
    api_key: String,
    /// Locks the data directory for as long as this emulator exists.
    _data_dir: Option<DataDir>,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Connections end a little later, and may not write into a directory that is another's by then.
        self.core.close();
    }
}

impl Emulator {
    /// Starts an emulator on 127.0.0.1, on a free port.
    ///
    /// # Errors
    ///
    /// Fails if it cannot listen, or cannot create temporary files.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Sets up an emulator with options.
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::default()
    }

    /// Base address of the API, for `DAYTONA_API_URL`. Without a socket, only [`service`](Self::service) answers at
    /// this address.
    pub fn api_url(&self) -> String {
        match &self.listener {
            Some(listener) => format!("http://{}/api", listener.address),
            None => "http://daytona.emulator/api".to_owned(),
        }
    }

    /// An API key of its organization, for `DAYTONA_API_KEY`.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// The key for the admin routes.
    pub fn admin_key(&self) -> &str {
        &self.core.admin_key
    }

    /// The id of its organization.
    pub fn organization_id(&self) -> &str {
        &self.core.organization_id
    }

    /// The emulator without a socket: a `tower::Service` for requests to the API and to all addresses that the API
    /// names.
    pub fn service(&self) -> EmulatorService {
        self.service.clone()
    }

    /// The emulator's clock.
    pub fn clock(&self) -> &Clock {
        &self.core.clock
    }

    /// Adds a fault.
    pub fn inject(&self, fault: Fault) {
        self.core.inject(fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.core.clear_faults();
    }

    /// Adds a script for snapshots that are created from now on. If several scripts match, the first one applies.
    pub fn script(&self, script: Script) {
        self.keep(|core| core.script(script));
    }

    /// Removes all scripts, for snapshots and for sandboxes.
    pub fn clear_scripts(&self) {
        self.keep(Core::clear_scripts);
    }

    /// The organization of [`api_key`](Self::api_key).
    pub fn organization(&self) -> Organization {
        self.core.organization()
    }

    /// Adds an organization, or changes the one with the same id. Returns the id.
    pub fn put_organization(&self, organization: Organization) -> String {
        self.keep(|core| core.put_organization(organization))
    }

    /// Adds a region, or changes the one with the same id.
    pub fn put_region(&self, region: Region) {
        self.keep(|core| core.put_region(region));
    }

    /// Adds an API key, or changes the one with the same value, and returns its value. For example, it can make a key
    /// expire that is in use:
    ///
    /// ```
    /// use daytona_emulator::{ApiKey, Emulator};
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let emulator = Emulator::builder().in_process()?;
    /// let in_a_minute = emulator.clock().now().checked_add(Duration::from_secs(60))?;
    /// let key = ApiKey::new(emulator.organization_id()).value(emulator.api_key());
    /// emulator.add_api_key(key.expires(in_a_minute));
    /// # Ok(())
    /// # }
    /// ```
    pub fn add_api_key(&self, key: ApiKey) -> String {
        self.keep(|core| core.add_api_key(key))
    }

    /// Adds the token of a user, and returns its value.
    pub fn add_user_token(&self, token: UserToken) -> String {
        self.keep(|core| core.add_user_token(token))
    }

    /// Adds the key of a runner or a proxy. It works for no route of a user.
    pub fn add_service_key(&self, value: impl Into<String>) {
        self.keep(|core| core.add_service_key(value.into()));
    }

    /// Adds a snapshot without a creation over the API, and returns its id.
    pub fn add_snapshot(&self, snapshot: SeededSnapshot) -> String {
        self.keep(|core| core.add_snapshot(snapshot))
    }

    /// Removes a snapshot at once, without the time that a deletion over the API takes.
    pub fn remove_snapshot(&self, snapshot_id: &str) {
        self.keep(|core| core.remove_snapshot(snapshot_id));
    }

    /// Changes the time of the last change of a snapshot, from which the cool-down of its activation counts.
    pub fn set_updated(&self, snapshot_id: &str, to: Timestamp) {
        self.keep(|core| core.set_updated(snapshot_id, to));
    }

    /// Lets reads lag behind writes, or stops that.
    pub fn set_read_lag(&self, lag: impl Into<Option<ReadLag>>) {
        self.keep(|core| core.set_read_lag(lag.into().unwrap_or_default()));
    }

    /// Refuses every request to the API with 503, or stops doing so.
    pub fn set_maintenance(&self, is_on: bool) {
        self.keep(|core| core.set_maintenance(is_on));
    }

    /// Removes the only runner, or brings it back. Without a runner, snapshots stay pending.
    pub fn set_runner(&self, is_there: bool) {
        self.keep(|core| core.set_runner(is_there));
    }

    /// Limits requests, or removes the limits.
    pub fn set_rate_limits(&self, limits: impl Into<Option<RateLimits>>) {
        self.core.set_rate_limits(limits.into());
    }

    /// Puts everything back to what it was when the emulator started, so that the next test starts from the beginning.
    ///
    /// It removes all snapshots, sandboxes, registries, stored objects, scripts, faults, rate limits and recorded
    /// requests. Organizations, keys and regions are again as they were at the start: keys that were added are gone,
    /// and changed limits, suspensions and expiries are undone. The clock runs again, from the present, however it was
    /// held or moved.
    ///
    /// # Errors
    ///
    /// Fails if the files in the data directory cannot be changed.
    pub fn reset(&self) -> io::Result<()> {
        self.core.reset()?;
        self.core.save_now()
    }

    /// The stored objects, sorted by their keys.
    pub fn objects(&self) -> Vec<StoredObject> {
        self.core.storage.objects()
    }

    /// Puts an object into the store directly, without S3 and its permissions.
    ///
    /// # Errors
    ///
    /// Fails if there is no room for the object.
    pub fn put_object(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        self.core.storage.put_bytes(key, bytes)
    }

    /// What is known about the image that was built for a snapshot, by its id or name: its files, with modes and bytes.
    /// `None` if nothing was built for it.
    ///
    /// ```
    /// # async fn example(emulator: &daytona_emulator::Emulator) -> std::io::Result<()> {
    /// let image = emulator.image("my-app").await.expect("it was built");
    /// let file = image.file("/app/main.py").expect("it was copied");
    /// assert_eq!(file.mode, 0o644);
    /// println!("{}", String::from_utf8_lossy(&file.read()?));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn image(&self, id_or_name: &str) -> Option<Arc<BuiltImage>> {
        self.core.settle().await;
        let (core, name) = (Arc::clone(&self.core), id_or_name.to_owned());
        // Archives may have to be read for it again.
        let image = tokio::task::spawn_blocking(move || core.image(&name)).await;
        image.unwrap_or_default()
    }

    /// The answered requests, in the order of their answers: the last 100,000, or fewer if their addresses are long.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.core.remembered().iter().cloned().collect()
    }

    /// Changes something, and saves it.
    fn keep<T>(&self, change: impl FnOnce(&Core) -> T) -> T {
        let done = change(&self.core);
        // A change that could not be written is logged, and is written with the next change.
        drop(self.core.save_now());
        done
    }
}

impl EmulatorBuilder {
    /// Starts the emulator on a socket.
    ///
    /// # Errors
    ///
    /// Fails if it cannot listen, cannot create its files, or cannot use the data directory, for example because
    /// another emulator uses it.
    #[expect(clippy::unused_async, reason = "a future has the runtime that its socket needs")]
    pub async fn start(self) -> io::Result<Emulator> {
        let (address, connections) = (self.address, self.connections);
        let mut emulator = self.in_process()?;
        emulator.listener = Some(Listener::bind(address, emulator.service(), connections)?);
        Ok(emulator)
    }

    /// Starts the emulator without a socket, for [`Emulator::service`].
    ///
    /// # Errors
    ///
    /// Fails if the speed is out of range, if a key cannot be sent in a header, if it cannot create its files, or if it
    /// cannot use the data directory, for example because another emulator uses it.
    pub fn in_process(self) -> io::Result<Emulator> {
        fraction("the speed", self.speed, SPEEDS)
            .map_err(|message| io::Error::new(io::ErrorKind::InvalidInput, message))?;
        for (name, key) in [("the API key", &self.api_key), ("the admin key", &self.admin_key)] {
            let checked = key.as_deref().map_or(Ok(()), |key| can_be_sent(name, key));
            checked.map_err(|message| io::Error::new(io::ErrorKind::InvalidInput, message))?;
        }
        let clock = Clock::new(self.speed);
        let data_dir = self.data_dir.as_deref().map(DataDir::take).transpose()?;
        let objects = self.data_dir.as_ref().map(|folder| folder.join("objects"));
        let storage = Storage::new(self.storage, clock.clone(), objects.as_deref())?;
        let state_file = self.data_dir.as_ref().map(|folder| folder.join("state.json"));
        let saved = match &state_file {
            Some(file) => load(file)?,
            None => None,
        };
        let mut world = match saved {
            Some(saved) => World::restore(saved, clock.now()),
            None => World::new(clock.now()),
        };
        let key = own_key(&mut world.accounts, self.api_key);
        let build_options = BuildOptions {
            time: self.build_time,
            verify_digests: self.verify_digests,
            engine: self.engine,
        };
        let identity = Identity {
            admin_key: self.admin_key.unwrap_or_else(|| format!("admin_{}", random(32))),
            organization_id: key.organization,
        };
        let core = Core::new(clock, storage, world, build_options, identity, state_file);
        core.save_now()?;
        let core = Arc::new(core);
        Ok(Emulator {
            service: EmulatorService::new(Arc::clone(&core)),
            core,
            listener: None,
            api_key: key.value,
            _data_dir: data_dir,
        })
    }
}

/// The key to use: the requested one, or else the known one, or else a new one. The first key is created together with
/// the emulator's organization.
fn own_key(accounts: &mut Accounts, wanted: Option<String>) -> ApiKey {
    let known = accounts.first_key().cloned();
    let organization = match (known, &wanted) {
        (Some(known), None) => return known,
        (Some(known), Some(_)) => known.organization,
        (None, _) => {
            let organization = Organization::new("emulator");
            let id = organization.id.clone();
            accounts.put_organization(organization);
            id
        }
    };
    let mut key = ApiKey::new(organization);
    if let Some(wanted) = wanted {
        key = key.value(wanted);
    }
    accounts.add_key(key.clone());
    key
}

#[tokio::test]
async fn a_real_build_ends_with_its_emulator() -> io::Result<()> {
    let emulator = Emulator::builder().in_process()?;
    let build = tokio::spawn(std::future::pending::<()>());
    emulator.core.keep_for_the_end(build.abort_handle());
    // Others may still hold its service.
    let service = emulator.service();
    drop(emulator);
    assert!(build.await.is_err_and(|error| error.is_cancelled()));
    drop(service);
    Ok(())
}
