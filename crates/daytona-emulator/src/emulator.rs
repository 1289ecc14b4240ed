//! The emulator as its users see it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http::Method;
use uuid::Uuid;

use crate::builder::BuildOptions;
use crate::clock::Clock;
use crate::engine::Engine;
use crate::fault::Fault;
use crate::listener::Listener;
use crate::operation::Operation;
use crate::service::EmulatorService;
use crate::storage::{Storage, StorageOptions, StoredObject};
use crate::world::{World, new_id};

/// A running emulator. It ends when it is dropped, with its connections and its stored objects.
#[derive(Debug)]
pub struct Emulator {
    engine: Arc<Engine>,
    service: EmulatorService,
    listener: Option<Listener>,
    api_key: String,
    organization_id: String,
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

    /// The requests that were answered so far, in the order of their answers.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.engine
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
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
}

impl Default for EmulatorBuilder {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            storage: StorageOptions::new(),
            build_time: None,
            verify_digests: true,
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

    /// Starts it on a socket.
    ///
    /// # Errors
    ///
    /// If it cannot listen, or there is no room for temporary files.
    pub async fn start(self) -> io::Result<Emulator> {
        let address = self.address;
        let mut emulator = self.in_process()?;
        emulator.listener = Some(Listener::bind(address, emulator.service()).await?);
        Ok(emulator)
    }

    /// Starts it without a socket, for [`Emulator::service`].
    ///
    /// # Errors
    ///
    /// If there is no room for temporary files.
    pub fn in_process(self) -> io::Result<Emulator> {
        let clock = Clock::new();
        let storage = Storage::new(self.storage, clock.clone())?;
        let mut world = World::new(clock.now());
        let organization_id = new_id();
        let api_key = format!("dtn_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        world.add_key(api_key.clone(), organization_id.clone());
        let build_options = BuildOptions {
            time: self.build_time,
            verify_digests: self.verify_digests,
        };
        let engine = Arc::new(Engine::new(clock, storage, world, build_options));
        Ok(Emulator {
            service: EmulatorService::new(Arc::clone(&engine)),
            engine,
            listener: None,
            api_key,
            organization_id,
        })
    }
}
