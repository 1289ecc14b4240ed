//! The emulator as a program: serves until it is told to stop.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::Parser;
use daytona_emulator::Emulator;

/// The Daytona snapshot API, its object storage and a builder in one process. RUN steps are not executed.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Port to listen on; a free one by default.
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Address to listen on. Anything but the loopback opens the emulator to the network.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::INFO)
        .with_target(false)
        .init();
    if !arguments.bind.is_loopback() {
        tracing::warn!(address = %arguments.bind, "not on the loopback: whoever reaches this address and has the key can use it");
    }
    match serve(SocketAddr::from((arguments.bind, arguments.port))).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "cannot serve on {}:{}", arguments.bind, arguments.port);
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: SocketAddr) -> std::io::Result<()> {
    let emulator = Emulator::builder().address(address).start().await?;
    #[expect(clippy::print_stdout, reason = "what a shell is to read")]
    {
        println!("export DAYTONA_API_URL={}", emulator.api_url());
        println!("export DAYTONA_API_KEY={}", emulator.api_key());
    }
    tracing::info!("serving until Ctrl-C; RUN steps are not executed");
    tokio::signal::ctrl_c().await
}
