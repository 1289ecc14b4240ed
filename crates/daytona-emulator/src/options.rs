//! Options of an emulator.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::builder::BuildEngine;
use crate::storage::StorageOptions;

/// Options of an emulator.
#[derive(Debug, Clone)]
#[must_use]
pub struct EmulatorBuilder {
    pub(crate) address: SocketAddr,
    pub(crate) storage: StorageOptions,
    pub(crate) build_time: Option<Duration>,
    pub(crate) verify_digests: bool,
    pub(crate) engine: Option<BuildEngine>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) speed: f64,
    pub(crate) api_key: Option<String>,
    pub(crate) admin_key: Option<String>,
    pub(crate) connections: usize,
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

    /// Builds with an engine of this machine, in real time. Default: none, Dockerfiles are followed without running
    /// anything.
    pub fn engine(mut self, engine: BuildEngine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Keeps everything in this directory, which is made if it is not there, and goes on with what is in it. The
    /// directory holds the API key, and is one emulator's at a time. Default: nothing is kept.
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    /// How many times as fast as usual the emulator's time runs, from 0.001 to 1,000,000. Default: 1.
    pub fn speed(mut self, factor: f64) -> Self {
        self.speed = factor;
        self
    }

    /// How many connections are served at once, at least one and at most a million; further ones wait until one of them
    /// ends. Default: 1,000.
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
}
