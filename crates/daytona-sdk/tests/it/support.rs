//! A client and an emulator for a test.

use std::fs;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daytona_api::{CreateSandbox, CreateSnapshot, Sandbox, Snapshot};
use daytona_emulator::{Emulator, EmulatorBuilder, Operation, UserToken};
use daytona_sdk::transport::ServiceTransport;
use daytona_sdk::{Clock, CreateSnapshotParams, Daytona, DaytonaBuilder, Event, Image, ImagePlan, LogGap, PlanOptions};
use http_body_util::{BodyExt, Full};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tower_service::Service;

/// An emulator without a socket, and a client of it.
pub(crate) fn in_process(options: EmulatorBuilder) -> (Emulator, Daytona) {
    let emulator = options.in_process().unwrap();
    let client = another(&emulator);
    (emulator, client)
}

/// A client of the emulator's organization without a socket, to be set up further.
pub(crate) fn builder_of(emulator: &Emulator) -> DaytonaBuilder {
    Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key())
        .transport(ServiceTransport::new(emulator.service()))
}

/// A further client of the same organization, which knows nothing of what others have made.
pub(crate) fn another(emulator: &Emulator) -> Daytona {
    builder_of(emulator).build().unwrap()
}

/// A client with this key.
pub(crate) fn client_of(emulator: &Emulator, key: &str) -> Daytona {
    builder_of(emulator).api_key(key).build().unwrap()
}

/// A client with the token of a user of this organization.
pub(crate) fn user_of(emulator: &Emulator, organization: &str) -> Daytona {
    let token = emulator.add_user_token(UserToken::new([organization]));
    Daytona::builder()
        .api_url(emulator.api_url())
        .jwt_token(token)
        .organization_id(organization)
        .transport(ServiceTransport::new(emulator.service()))
        .build()
        .unwrap()
}

/// An emulator on a socket, and a client of it.
pub(crate) async fn on_socket(options: EmulatorBuilder) -> (Emulator, Daytona) {
    let emulator = options.start().await.unwrap();
    let client = Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key())
        .build()
        .unwrap();
    (emulator, client)
}

/// Whether a file may be called so on this system.
pub(crate) fn is_a_name_here(name: &str) -> bool {
    cfg!(unix) || !name.contains(['*', '?', '"', '\\']) && !name.ends_with(' ')
}

/// A folder with these files, each with its own name as content.
pub(crate) fn folder(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in files {
        write(folder.path(), name, name.as_bytes());
    }
    folder
}

/// A folder with one file that is too large to be sent without being looked for.
pub(crate) fn large_folder(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), name, &vec![b'x'; 20_000]);
    folder
}

pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

pub(crate) fn plan(image: &Image, base: &Path) -> ImagePlan {
    image
        .plan_with(&PlanOptions::default().base_dir(base).home(base))
        .unwrap()
}

/// A snapshot that is built, without files.
pub(crate) fn image_params(name: &str) -> CreateSnapshotParams {
    CreateSnapshotParams::new(name, Image::base("x:1").run_commands(["make"]))
}

/// The plan of an image with a folder `app` in it.
pub(crate) fn app_plan(base: &Path) -> ImagePlan {
    plan(&Image::base("python:3.12-slim").add_local_dir("app", "/app"), base)
}

/// Carries out the bare operation, past the facade and its checks; the text of a refusal where it is one.
pub(crate) async fn send<O: daytona_api::Operation>(emulator: &Emulator, operation: &O) -> Result<O::Output, String> {
    let mut request = operation.to_request(&emulator.api_url()).unwrap();
    let key = format!("Bearer {}", emulator.api_key()).parse().unwrap();
    request.headers_mut().insert(http::header::AUTHORIZATION, key);
    let response = emulator.service().call(request.map(Full::new)).await.unwrap();
    let is_success = response.status().is_success();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    if !is_success {
        return Err(String::from_utf8_lossy(&body).into_owned());
    }
    Ok(O::decode(&body).unwrap())
}

/// Creates a snapshot by the bare operation, past the facade and its checks.
pub(crate) async fn post(emulator: &Emulator, operation: &CreateSnapshot) -> Snapshot {
    send(emulator, operation).await.unwrap()
}

/// Starts a sandbox of a snapshot.
pub(crate) async fn start_sandbox(emulator: &Emulator, snapshot: &str, name: &str) -> Sandbox {
    let mut request = CreateSandbox::new();
    (request.snapshot, request.name) = (Some(snapshot.to_owned()), Some(name.to_owned()));
    request.auto_stop_interval = Some(0);
    send(emulator, &request).await.unwrap()
}

/// How often the emulator was asked for an operation.
pub(crate) fn count(emulator: &Emulator, operation: Operation) -> usize {
    emulator
        .requests()
        .iter()
        .filter(|request| request.operation == operation)
        .count()
}

/// One time for an emulator and its client, which hurries, and yet waits for them: it goes on by a tick with each turn of the
/// runtime, so that what is under way on it gets its turns before a wait ends, however busy the machine is.
#[derive(Debug)]
pub(crate) struct Hasty {
    ticks: watch::Receiver<u32>,
    ticking: AbortHandle,
}

const TICK: Duration = Duration::from_millis(100);

impl Hasty {
    pub(crate) fn of(emulator: &Emulator) -> Self {
        let time = emulator.clock().clone();
        time.hold();
        let (sender, ticks) = watch::channel(0);
        let ticking = async move {
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                time.advance(TICK);
                sender.send_modify(|ticks| *ticks += 1);
            }
        };
        Self {
            ticks,
            ticking: tokio::spawn(ticking).abort_handle(),
        }
    }
}

impl Drop for Hasty {
    fn drop(&mut self) {
        self.ticking.abort();
    }
}

impl Clock for Hasty {
    fn now(&self) -> Duration {
        TICK * *self.ticks.borrow()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut ticks = self.ticks.clone();
        let end = self.now().saturating_add(duration);
        // Once the clock is gone nobody waits for its time.
        Box::pin(async move { drop(ticks.wait_for(|ticks| TICK * *ticks >= end).await) })
    }

    fn jitter(&self) -> f64 {
        0.5
    }
}

/// A time that leaps over waits for another attempt, and never comes to the end of a limit.
#[derive(Debug, Default)]
pub(crate) struct Leaping(Mutex<Duration>);

const SHORTEST_LIMIT: Duration = Duration::from_secs(20);

impl Clock for Leaping {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        if duration >= SHORTEST_LIMIT {
            return Box::pin(std::future::pending());
        }
        *self.0.lock().unwrap() += duration;
        Box::pin(std::future::ready(()))
    }

    fn jitter(&self) -> f64 {
        0.5
    }
}

/// Creates a snapshot, and tells what was heard of it.
pub(crate) async fn create_and_hear(daytona: &Daytona, params: CreateSnapshotParams) -> (Snapshot, Heard) {
    let heard = Heard::default();
    let create = daytona.snapshots().create(params).on_event(heard.callback());
    (create.await.unwrap(), heard)
}

/// Collects what a callback hears.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<Event>>>);

impl Heard {
    pub(crate) fn callback(&self) -> impl FnMut(&Event) + Send + 'static {
        let heard = Arc::clone(&self.0);
        move |event| heard.lock().unwrap().push(event.clone())
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn states(&self) -> Vec<String> {
        let states = self.events().into_iter().filter_map(|event| match event {
            Event::State { state, .. } => Some(state.to_string()),
            _ => None,
        });
        states.collect()
    }

    pub(crate) fn gaps(&self) -> Vec<LogGap> {
        let gaps = self.events().into_iter().filter_map(|event| match event {
            Event::LogGap(gap) => Some(gap),
            _ => None,
        });
        gaps.collect()
    }

    pub(crate) fn log(&self) -> Vec<String> {
        let lines = self.events().into_iter().filter_map(|event| match event {
            Event::Log(line) => Some(line.to_string()),
            _ => None,
        });
        lines.collect()
    }
}
