//! How code that makes snapshots is tested without an account, a network or Docker. Copy what you need.
//!
//! `cargo run --example testing_with_the_emulator` runs the cases below and says how each ends; `cargo test` runs them
//! as the tests that they are.
#![expect(clippy::print_stdout, reason = "a program that shows what it does")]

use std::time::Duration;

use daytona_emulator::{Emulator, Fault, Lookup, Operation, Script};
use daytona_sdk::transport::ServiceTransport;
use daytona_sdk::{CreateSnapshotParams, Daytona, Error, ErrorKind, Image, PlanOptions, Snapshot};

/// The code under test: yours would be elsewhere. It takes the client, so that a test can give it one of its own.
async fn publish(daytona: &Daytona, project: &std::path::Path, timeout: Duration) -> Result<Snapshot, Error> {
    let image = Image::base("python:3.12-slim")
        .add_local_file("requirements.txt", "/app/requirements.txt")
        .run_commands(["pip install -r /app/requirements.txt"])
        .add_local_dir("src", "/app/src")
        .workdir("/app")
        .entrypoint(["python", "-m", "src"]);
    let plan = image.plan_with(&PlanOptions::default().base_dir(project))?;
    daytona
        .snapshots()
        .create(CreateSnapshotParams::new("web", plan))
        .timeout(timeout)
        .await
}

/// A client of an emulator, without a socket between them: with tokio's paused clock hours pass in milliseconds.
fn connect(emulator: &Emulator) -> Result<Daytona, Error> {
    Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key())
        .transport(ServiceTransport::new(emulator.service()))
        .build()
}

/// A project in a folder of its own.
fn project() -> std::io::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("src"))?;
    std::fs::write(folder.path().join("src/__main__.py"), "print('hello')\n")?;
    std::fs::write(folder.path().join("requirements.txt"), "flask==3.0.3\n")?;
    Ok(folder)
}

type Outcome = Result<(), Box<dyn std::error::Error>>;
type Case = fn() -> Outcome;

/// What arrives in the image: the right bytes at the right place.
async fn the_project_is_in_the_image() -> Outcome {
    let emulator = Emulator::builder().in_process()?;
    let project = project()?;
    publish(&connect(&emulator)?, project.path(), Duration::from_mins(10)).await?;

    let image = emulator.image("web").await.ok_or("nothing was built")?;
    let file = image
        .file("/app/src/__main__.py")
        .ok_or("the program is not in the image")?;
    assert_eq!(file.read()?, b"print('hello')\n");
    assert_eq!(image.workdir.as_deref(), Some("/app"));
    // What `pip install` made is not known, and the emulator does not pretend that it is.
    assert!(matches!(
        image.lookup("/usr/local/lib/python3.12/site-packages/flask"),
        Lookup::Unknown(_)
    ));
    Ok(())
}

/// A step that fails: the error has its reason and the last lines of its log.
async fn a_failing_step_is_reported() -> Outcome {
    let emulator = Emulator::builder().in_process()?;
    emulator.script(Script::for_name("web").run_fails(
        "pip install",
        1,
        "ERROR: No matching distribution found for flask==3.0.3",
    ));
    let project = project()?;
    let error = publish(&connect(&emulator)?, project.path(), Duration::from_mins(10)).await;
    let error = error.err().ok_or("the build did not fail")?;
    assert_eq!(error.kind(), ErrorKind::BuildFailed);
    assert!(error.to_string().contains("exit code: 1"), "{error}");
    Ok(())
}

/// A build that takes too long: it is given up on, and goes on without us.
async fn a_slow_build_runs_into_the_timeout() -> Outcome {
    let emulator = Emulator::builder().in_process()?;
    emulator.script(Script::for_name("web").takes(Duration::from_hours(1)));
    let (project, daytona) = (project()?, connect(&emulator)?);
    let error = publish(&daytona, project.path(), Duration::from_mins(5)).await;
    let error = error.err().ok_or("the build was not slow")?;
    assert_eq!(error.kind(), ErrorKind::WaitTimeout);
    let id = error
        .snapshot()
        .ok_or("the error does not name the snapshot")?
        .id
        .clone();
    assert_eq!(daytona.snapshots().wait(id).await?.name, "web");
    Ok(())
}

/// A network that is not what it should be: polls that are refused do not end the wait.
async fn refused_polls_are_borne() -> Outcome {
    let emulator = Emulator::builder().in_process()?;
    emulator.inject(Fault::status(502).on(Operation::GetSnapshot).times(2));
    emulator.inject(
        Fault::status(429)
            .header("Retry-After-authenticated", "7")
            .on(Operation::GetSnapshot)
            .nth(3),
    );
    let project = project()?;
    publish(&connect(&emulator)?, project.path(), Duration::from_mins(10)).await?;
    Ok(())
}

fn main() -> Outcome {
    let cases: [(&str, Case); 4] = [
        ("the project is in the image", || run(the_project_is_in_the_image())),
        ("a failing step is reported", || run(a_failing_step_is_reported())),
        ("a slow build runs into the timeout", || {
            run(a_slow_build_runs_into_the_timeout())
        }),
        ("refused polls are borne", || run(refused_polls_are_borne())),
    ];
    for (name, case) in cases {
        case()?;
        println!("ok  {name}");
    }
    Ok(())
}

/// Runs a case on a paused clock, as `#[tokio::test(start_paused = true)]` does.
fn run(case: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()?;
    runtime.block_on(case)
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[tokio::test(start_paused = true)]
    async fn the_project_is_in_the_image() -> Outcome {
        super::the_project_is_in_the_image().await
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_step_is_reported() -> Outcome {
        super::a_failing_step_is_reported().await
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_build_runs_into_the_timeout() -> Outcome {
        super::a_slow_build_runs_into_the_timeout().await
    }

    #[tokio::test(start_paused = true)]
    async fn refused_polls_are_borne() -> Outcome {
        super::refused_polls_are_borne().await
    }
}
