//! Where the examples run: on the real service if `DAYTONA_API_KEY` is set, else on an emulator of their own.
#![expect(clippy::print_stdout, reason = "programs that show what they do")]

use daytona_emulator::{Emulator, EmulatorBuilder};
use daytona_sdk::{BoxError, Daytona, DaytonaBuilder, Error};

/// A client of the real service, if there is a key for it. Says what the example does there.
///
/// # Errors
///
/// Settings that are wrong, such as an API URL that is none.
pub fn real_service(what_it_does: &str) -> Result<Option<Daytona>, Error> {
    let settings = DaytonaBuilder::from_env();
    if !settings.has_credentials() {
        return Ok(None);
    }
    let daytona = settings.build()?;
    println!("Daytona at {}: {what_it_does}.", daytona.api_url());
    Ok(Some(daytona))
}

/// A client of the real service, if there is a key for it, else of an emulator that is started with these settings.
///
/// # Errors
///
/// Those of [`real_service`], and an emulator that cannot be started.
pub async fn connect(what_it_does: &str, emulator: EmulatorBuilder) -> Result<(Daytona, Option<Emulator>), BoxError> {
    if let Some(daytona) = real_service(what_it_does)? {
        return Ok((daytona, None));
    }
    let (daytona, emulator) = start(emulator).await?;
    println!(
        "The embedded emulator at {}; set DAYTONA_API_KEY for the real service.",
        emulator.api_url()
    );
    Ok((daytona, Some(emulator)))
}

/// A client of an emulator, for what only an emulator can be told to do. Says why it is not the real service.
///
/// # Errors
///
/// An emulator that cannot be started.
pub async fn emulator_only(why: &str) -> Result<(Daytona, Emulator), BoxError> {
    println!("The embedded emulator, with or without DAYTONA_API_KEY: {why}.\n");
    start(Emulator::builder()).await
}

async fn start(emulator: EmulatorBuilder) -> Result<(Daytona, Emulator), BoxError> {
    let emulator = emulator.start().await?;
    let daytona = Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key())
        .build()?;
    Ok((daytona, emulator))
}

/// A name that no snapshot has yet.
pub fn fresh_name(prefix: &str) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{prefix}-{}", &random[..8])
}
