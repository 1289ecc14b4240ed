//! Options of an emulator.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::builder::BuildEngine;
use crate::storage::StorageOptions;

/// Options of an emulator.
///
/// ```no_run
/// use std::time::Duration;
///
/// use daytona_emulator::{Emulator, StorageOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let emulator = Emulator::builder()
///     .address(([127, 0, 0, 1], 3986).into())
///     .api_key("dtn_test")
///     .data_dir("/var/tmp/daytona-emulator")
///     .build_time(Duration::from_secs(30))
///     .storage(StorageOptions::new().region("eu-west-1"))
///     .start()
///     .await?;
/// # Ok(())
/// # }
/// ```
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
    /// The address to listen on. Default: 127.0.0.1, on a free port. Only the API key protects the emulator, so use
    /// another address only in a network that you trust.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Peculiarities of real object storages that the emulator's storage should have. Default: none.
    pub fn storage(mut self, options: StorageOptions) -> Self {
        self.storage = options;
        self
    }

    /// How long a build takes, on the emulator's clock. Default: a fraction of a second for each step.
    pub fn build_time(mut self, duration: Duration) -> Self {
        self.build_time = Some(duration);
        self
    }

    /// Whether a context hash of 64 hex digits must be the SHA-256 of its archive, so that a damaged archive fails its
    /// build. Default: yes. The real server does not check this. Turn it off for clients that use such hashes for
    /// something else.
    pub fn verify_digests(mut self, verify: bool) -> Self {
        self.verify_digests = verify;
        self
    }

    /// Builds with an engine on this machine, in real time. Default: none. Then Dockerfiles are followed, but nothing
    /// is run.
    pub fn engine(mut self, engine: BuildEngine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Keeps everything in this directory. The directory is created if it does not exist; otherwise the emulator
    /// continues with what is in it. It contains the API key, and only one emulator at a time can use it. Default:
    /// nothing is kept.
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    /// How many times faster than usual the emulator's time runs, from 0.001 to 1,000,000. Default: 1.
    pub fn speed(mut self, factor: f64) -> Self {
        self.speed = factor;
        self
    }

    /// How many connections are served at once, from one to a million. Further ones wait until one of them ends.
    /// Default: 1,000.
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most.clamp(1, 1_000_000);
        self
    }

    /// Uses this API key. Default: a new one.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Uses this key for the admin routes. Default: a new one.
    pub fn admin_key(mut self, key: impl Into<String>) -> Self {
        self.admin_key = Some(key.into());
        self
    }
}
