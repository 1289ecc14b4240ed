//! The emulator as a program. It serves until it is stopped.

use std::fmt;
use std::future::Future;
use std::io::{self, IsTerminal};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use daytona_emulator::{BuildEngine, Emulator, StorageOptions};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::registry::LookupSpan;

/// The Daytona snapshot API, its object storage and a builder in one process. Without --engine, RUN steps are not executed.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Port to listen on; 0 chooses a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Address to listen on. Any other than a loopback address opens the emulator to the network.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,

    /// Directory that keeps snapshots and objects across restarts. It contains the API key. Without it nothing is kept.
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,

    /// How many times faster than usual the emulator's time runs.
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    speed: f64,

    /// Really build Dockerfiles, with docker, podman or buildah.
    #[arg(long, value_name = "PROGRAM")]
    engine: Option<BuildEngine>,

    /// API key to use instead of a new one.
    #[arg(long, env = "DAYTONA_EMULATOR_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<String>,

    /// Key to use for the admin routes instead of a new one.
    #[arg(long, env = "DAYTONA_EMULATOR_ADMIN_KEY", hide_env_values = true, value_name = "KEY")]
    admin_key: Option<String>,

    /// Region of the object storage that the API tells its clients. Without it the API tells none, like server 0.190.0.
    #[arg(long, value_name = "REGION")]
    storage_region: Option<String>,

    /// Accept context hashes of 64 digits without checking that they are the SHA-256 of their archive, as the real
    /// server does.
    #[arg(long)]
    trust_hashes: bool,

    /// The most connections at once; others wait.
    #[arg(long, default_value_t = 1_000, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: u32,

    /// Do not print requests.
    #[arg(long, short)]
    quiet: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What clients do wrong is in the answers that they get; the library for S3 tells it twice more, as errors of its own.
    let filter = if arguments.quiet {
        "warn,s3s=off"
    } else {
        "info,s3s=off"
    };
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_env_filter(EnvFilter::new(filter))
        .with_ansi(io::stderr().is_terminal())
        .event_format(Line)
        .init();
    match serve(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> io::Result<()> {
    let stopped = stop_signal()?;
    let address = SocketAddr::from((arguments.bind, arguments.port));
    if !arguments.bind.is_loopback() {
        tracing::warn!(
            "{address} is not a loopback address: everybody who reaches it and has the key can use the emulator"
        );
    }
    let mut builder = Emulator::builder()
        .address(address)
        .speed(arguments.speed)
        .connections(arguments.connections as usize)
        .verify_digests(!arguments.trust_hashes);
    if let Some(engine) = arguments.engine {
        engine.check().await?;
        builder = builder.engine(engine);
    }
    if let Some(folder) = arguments.data_dir {
        builder = builder.data_dir(folder);
    }
    if let Some(region) = arguments.storage_region {
        builder = builder.storage(StorageOptions::new().told_region(region));
    }
    if let Some(key) = arguments.api_key {
        builder = builder.api_key(key);
    }
    if let Some(key) = arguments.admin_key {
        builder = builder.admin_key(key);
    }
    let emulator = builder.start().await?;
    #[expect(clippy::print_stdout, reason = "what a shell is to read")]
    {
        println!("{}", assignment("DAYTONA_API_URL", &emulator.api_url()));
        println!("{}", assignment("DAYTONA_API_KEY", emulator.api_key()));
        println!("{}", assignment("DAYTONA_EMULATOR_ADMIN_KEY", emulator.admin_key()));
    }
    let page = emulator.api_url().replace("/api", "/");
    let runs = arguments.engine.map_or_else(
        || "RUN steps are not executed".to_owned(),
        |engine| format!("{engine} builds"),
    );
    tracing::info!("serving until Ctrl-C; {runs}; status page: {page}");
    stopped.await?;
    tracing::info!("stopped");
    Ok(())
}

/// A variable's value, as the platform's shell reads it. On Windows that is PowerShell.
fn assignment(name: &str, value: &str) -> String {
    if cfg!(windows) {
        format!("$env:{name}=\"{value}\"")
    } else {
        format!("export {name}={value}")
    }
}

/// Waits for Ctrl-C, or for the signal that stops services. The handlers are installed at once.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = io::Result<()>>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        Ok(())
    })
}

/// Waits for whatever ends a console program: Ctrl-C, Ctrl-Break, a closed window, the end of the session.
#[cfg(windows)]
fn stop_signal() -> io::Result<impl Future<Output = io::Result<()>>> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};

    let (mut interrupted, mut broken, mut closed) = (ctrl_c()?, ctrl_break()?, ctrl_close()?);
    let (mut logged_off, mut shut_down) = (ctrl_logoff()?, ctrl_shutdown()?);
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = broken.recv() => {}
            _ = closed.recv() => {}
            _ = logged_off.recv() => {}
            _ = shut_down.recv() => {}
        }
        Ok(())
    })
}

#[cfg(not(any(unix, windows)))]
fn stop_signal() -> io::Result<impl Future<Output = io::Result<()>>> {
    Ok(tokio::signal::ctrl_c())
}

/// One line for each event: the time, the level if it is a warning or an error, and the text.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        SystemTime.format_time(&mut writer)?;
        match *event.metadata().level() {
            tracing::Level::ERROR => writer.write_str("  error: ")?,
            tracing::Level::WARN => writer.write_str("  warning: ")?,
            _ => writer.write_str("  ")?,
        }
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
