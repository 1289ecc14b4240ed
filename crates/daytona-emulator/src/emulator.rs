//! The emulator as its users see it.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http::Method;
use jiff::Timestamp;

use crate::account::{Accounts, ApiKey, Organization, UserToken, random};
use crate::builder::{BuildEngine, BuildOptions, BuiltImage};
use crate::clock::{Clock, SPEEDS};
use crate::data_dir::{DataDir, named};
use crate::engine::Engine;
use crate::fault::Fault;
use crate::limit::RateLimits;
use crate::listener::Listener;
use crate::operation::Operation;
use crate::range::fraction;
use crate::region::Region;
use crate::script::Script;
use crate::service::EmulatorService;
use crate::storage::{Storage, StorageOptions, StoredObject};
use crate::world::{ReadLag, Saved, SeededSnapshot, World};

/// A running emulator. It ends when it is dropped, with its connections and, without a data directory, its stored objects.
#[derive(Debug)]
pub struct Emulator {
    engine: Arc<Engine>,
    service: EmulatorService,
    listener: Option<Listener>,
    api_key: String,
    organization_id: String,
    /// Nobody else's as long as this emulator is there.
    _data_dir: Option<DataDir>,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Connections end a little later, and may not write into a folder that is another's by then.
        self.engine.close();
    }
}

/// A request that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestRecord {
    /// What it asked for.
    pub operation: Operation,
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub address: String,
    /// The status of the answer; `None` if the connection was broken.
    pub status: Option<u16>,
    /// When it was answered, on the emulator's clock.
    pub time: Timestamp,
    /// What the answer took, up to its body.
    pub took: Duration,
}

impl fmt::Display for RequestRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self
            .status
            .map_or_else(|| "---".to_owned(), |status| status.to_string());
        let milliseconds = self.took.as_secs_f64() * 1e3;
        write!(
            formatter,
            "{status} {milliseconds:8.1} ms  {} {}",
            self.method, self.address
        )
    }
}

impl Emulator {
    /// Starts an emulator on 127.0.0.1, on a free port.
    ///
    /// # Errors
    ///
    /// If it cannot listen, or there is no room for temporary files.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// An emulator with options.
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::default()
    }

    /// Base address of the API, for `DAYTONA_API_URL`. Of an emulator without a socket, an address that only
    /// [`service`](Self::service) answers.
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

    /// The key of the admin routes.
    pub fn admin_key(&self) -> &str {
        &self.engine.admin_key
    }

    /// Id of its organization.
    pub fn organization_id(&self) -> &str {
        &self.organization_id
    }

    /// The emulator without a socket: a `tower::Service` for requests to the API and to all addresses that it names.
    pub fn service(&self) -> EmulatorService {
        self.service.clone()
    }

    /// Its time.
    pub fn clock(&self) -> &Clock {
        &self.engine.clock
    }

    /// Lets something go wrong.
    pub fn inject(&self, fault: Fault) {
        self.engine.faults.add(fault);
    }

    /// Takes back all faults.
    pub fn clear_faults(&self) {
        self.engine.faults.clear();
    }

    /// Says what is to become of snapshots that are created from now on. Of several scripts the first that fits counts.
    pub fn script(&self, script: Script) {
        self.engine.world().scripts.0.push(script);
    }

    /// Takes back all scripts.
    pub fn clear_scripts(&self) {
        self.engine.world().scripts.0.clear();
    }

    /// The organization of [`api_key`](Self::api_key), as it is.
    pub fn organization(&self) -> Organization {
        let world = self.engine.world();
        let own = world.accounts.organization(&self.organization_id).cloned();
        own.unwrap_or_else(|| Organization::new("emulator").id(&self.organization_id))
    }

    /// Adds an organization, or changes the one with the same id. Returns the id.
    pub fn put_organization(&self, organization: Organization) -> String {
        let id = organization.id.clone();
        self.change(|world| world.accounts.put_organization(organization));
        id
    }

    /// Adds a region, or changes the one with the same id.
    pub fn put_region(&self, region: Region) {
        self.change(|world| world.put_region(region));
    }

    /// Adds an API key, or changes the one with the same value, and returns its value. So a key that is in use can be made to
    /// expire:
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
    pub fn add_api_key(&self, mut key: ApiKey) -> String {
        key.created.get_or_insert(self.engine.clock.now());
        let value = key.value.clone();
        self.change(|world| world.accounts.add_key(key));
        value
    }

    /// Adds the token of a user, and returns its value.
    pub fn add_user_token(&self, token: UserToken) -> String {
        let value = token.value.clone();
        self.change(|world| world.accounts.add_token(token));
        value
    }

    /// Adds the key of a runner or a proxy, which is good for no route of a user.
    pub fn add_service_key(&self, value: impl Into<String>) {
        self.change(|world| world.accounts.add_service(value.into()));
    }

    /// Adds a snapshot past the API, and returns its id.
    pub fn add_snapshot(&self, snapshot: SeededSnapshot) -> String {
        let (record, log) = snapshot.into_record(&self.organization_id, self.engine.clock.now());
        let id = record.id.as_str().to_owned();
        self.change(|world| world.seed(record, log));
        id
    }

    /// Takes a snapshot out at once, without the time that a deletion over the API takes.
    pub fn remove_snapshot(&self, snapshot_id: &str) {
        let now = self.engine.clock.now();
        self.change(|world| world.take_out(snapshot_id, now));
    }

    /// Moves the time of the last change of a snapshot, from which the cool-down of its activation is counted.
    pub fn set_updated(&self, snapshot_id: &str, to: Timestamp) {
        self.change(|world| world.set_updated(snapshot_id, to));
    }

    /// Lets reads lag behind writes, or ends that.
    pub fn set_read_lag(&self, lag: impl Into<Option<ReadLag>>) {
        let lag = lag.into().unwrap_or_default();
        self.change(|world| world.lag = lag);
    }

    /// Refuses every request to the API with 503, or stops doing so.
    pub fn set_maintenance(&self, is_on: bool) {
        self.change(|world| world.is_under_maintenance = is_on);
    }

    /// Takes the only runner away, or brings it back. Without one, snapshots stay pending.
    pub fn set_runner(&self, is_there: bool) {
        let now = self.engine.clock.now();
        self.change(|world| world.set_runner(is_there, now));
    }

    /// Limits requests, or lifts the limits.
    pub fn set_rate_limits(&self, limits: impl Into<Option<RateLimits>>) {
        self.engine.limiter.set(limits.into());
    }

    /// Takes away all snapshots, builds, stored objects, scripts, faults, limits and remembered requests, so that a further test
    /// begins anew. Organizations, keys and the time stay.
    ///
    /// # Errors
    ///
    /// If what is in the data directory cannot be changed.
    pub fn reset(&self) -> io::Result<()> {
        self.engine.reset()?;
        self.engine.save_now()
    }

    /// The stored objects, sorted by their keys.
    pub fn objects(&self) -> Vec<StoredObject> {
        self.engine.storage.objects()
    }

    /// Puts an object into the store, past S3 and its permissions.
    ///
    /// # Errors
    ///
    /// If there is no room for it.
    pub fn put_object(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        self.engine.storage.put_bytes(key, bytes)
    }

    /// What is known of the image that was built for a snapshot, by its id or name: which files, with which modes and bytes.
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
        self.engine.settle().await;
        let (engine, name) = (Arc::clone(&self.engine), id_or_name.to_owned());
        // Archives may have to be read for it again.
        let image = tokio::task::spawn_blocking(move || engine.image(&name)).await;
        image.unwrap_or_default()
    }

    /// The requests that were answered so far, in the order of their answers; the last 100,000 of them, or fewer
    /// where their addresses are long.
    pub fn requests(&self) -> Vec<RequestRecord> {
        let requests = self.engine.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().cloned().collect()
    }

    fn change(&self, change: impl FnOnce(&mut World)) {
        {
            let mut world = self.engine.world();
            change(&mut world);
            world.version += 1;
        }
        self.engine.announce();
        // What could not be written is in the log, and is written with the next change.
        drop(self.engine.save_now());
    }
}

/// Options of an emulator.
#[derive(Debug, Clone)]
#[must_use]
pub struct EmulatorBuilder {
    address: SocketAddr,
    storage: StorageOptions,
    build_time: Option<Duration>,
    verify_digests: bool,
    engine: Option<BuildEngine>,
    data_dir: Option<PathBuf>,
    speed: f64,
    api_key: Option<String>,
    admin_key: Option<String>,
    connections: usize,
}

impl Default for EmulatorBuilder {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            storage: StorageOptions::new(),
            build_time: None,
            verify_digests: true,
            engine: None,
            data_dir: None,
            speed: 1.0,
            api_key: None,
            admin_key: None,
            connections: 1_000,
        }
    }
}

impl EmulatorBuilder {
    /// The address to listen on. Default: 127.0.0.1, a free port. There is no protection but the API key: leave the
    /// loopback only for a network that you trust.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Peculiarities of the object storage. Default: none.
    pub fn storage(mut self, options: StorageOptions) -> Self {
        self.storage = options;
        self
    }

    /// What a build takes on the emulator's clock. Default: a fraction of a second for each step.
    pub fn build_time(mut self, duration: Duration) -> Self {
        self.build_time = Some(duration);
        self
    }

    /// Whether a context hash of 64 hex digits has to be the SHA-256 of its archive, so that an archive which was damaged
    /// fails its build. Default: yes. The real server does not look; turn it off for clients that give such hashes another
    /// meaning.
    pub fn verify_digests(mut self, verify: bool) -> Self {
        self.verify_digests = verify;
        self
    }

    /// Builds with an engine of this machine, in real time. Default: none, Dockerfiles are followed without running anything.
    pub fn engine(mut self, engine: BuildEngine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Keeps everything in this folder, which is made if it is not there, and goes on with what is in it. The folder holds
    /// the API key, and is one emulator's at a time. Default: nothing is kept.
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    /// How many times as fast as usual the emulator's time runs, from 0.001 to 1,000,000. Default: 1.
    pub fn speed(mut self, factor: f64) -> Self {
        self.speed = factor;
        self
    }

    /// How many connections are served at once, at least one and at most a million; further ones wait until one of them ends.
    /// Default: 1,000.
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most.clamp(1, 1_000_000);
        self
    }

    /// Takes this API key instead of a new one.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Takes this key for the admin routes instead of a new one.
    pub fn admin_key(mut self, key: impl Into<String>) -> Self {
        self.admin_key = Some(key.into());
        self
    }

    /// Starts it on a socket.
    ///
    /// # Errors
    ///
    /// If it cannot listen, there is no room for its files, or the data directory cannot be read or written, or is in
    /// use by another emulator.
    pub async fn start(self) -> io::Result<Emulator> {
        let (address, connections) = (self.address, self.connections);
        let mut emulator = self.in_process()?;
        emulator.listener = Some(Listener::bind(address, emulator.service(), connections).await?);
        Ok(emulator)
    }

    /// Starts it without a socket, for [`Emulator::service`].
    ///
    /// # Errors
    ///
    /// If the speed is out of its range, there is no room for its files, or the data directory cannot be read or written, or is in
    /// use by another emulator.
    pub fn in_process(self) -> io::Result<Emulator> {
        fraction("the speed", self.speed, SPEEDS)
            .map_err(|message| io::Error::new(io::ErrorKind::InvalidInput, message))?;
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
        let admin_key = self.admin_key.unwrap_or_else(|| format!("admin_{}", random(32)));
        let engine = Arc::new(Engine::new(clock, storage, world, build_options, admin_key, state_file));
        engine.save_now()?;
        Ok(Emulator {
            service: EmulatorService::new(Arc::clone(&engine)),
            engine,
            listener: None,
            organization_id: key.organization,
            api_key: key.value,
            _data_dir: data_dir,
        })
    }
}

/// The state that was saved, if there is one.
fn load(file: &Path) -> io::Result<Option<Saved>> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(named(file)(error)),
    };
    let saved = serde_json::from_slice(&text).map_err(|error| {
        let message = format!("{} is not the state of an emulator: {error}", file.display());
        io::Error::new(io::ErrorKind::InvalidData, message)
    })?;
    Ok(Some(saved))
}

/// The key that is given out: the one that is wanted, else the known one, else a new one. A first key comes with the
/// emulator's organization.
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
