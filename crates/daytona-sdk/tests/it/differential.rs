//! Two readers of Dockerfiles beside each other: ours, and the emulator's, which is another program.
//!
//! Each random project is planned here, and what the plan sends is built by the emulator. Then the emulator gets the whole
//! folder with its ignore file and decides by itself. Both have to accept the Dockerfile or refuse it, each `COPY` has to take
//! the same number of files, and both images have to hold the same files.
//!
//! The cases are the same every time. `PROPTEST_CASES=20000` tries more, `PROPTEST_RNG_SEED=7` others.

mod project;
mod words;

use std::collections::BTreeMap;

use daytona_api::{CreateBuildInfo, CreateSnapshot};
use daytona_emulator::{BuiltImage, Emulator};
use daytona_sdk::{CreateSnapshotParams, DockerfileSource, ErrorKind, Image, PlanOptions};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use tokio::runtime::Runtime;

use self::project::{Project, any_project, noisy_project};
use crate::support::{Heard, in_process, post};

/// What both say of a project, where they may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excuse {
    /// A directory without a file does not reach the service: a plan refuses what would copy only that.
    EmptyDirectory,
    /// A link that cannot be sent is refused where it is all that a source takes; the emulator's copy of the folder has no links.
    Link,
    /// A pattern does not go through a link. What is sent has directories in the place of links, and those it goes through.
    PatternAndLink,
    /// The Dockerfile at the root of the context is the server's own, and no rule ignores it.
    RootFiles,
}

/// What comes of a project: its image, or why there is none.
type Outcome = Result<Built, String>;

#[derive(Debug, PartialEq)]
struct Built {
    /// Mode and owner of each file, its content, and whether all of that is certain.
    files: BTreeMap<String, (u32, Option<String>, String, bool)>,
    /// How many files each `COPY` took from the context.
    copied: Vec<usize>,
}

impl Built {
    fn new(image: &BuiltImage, log: &[String]) -> Self {
        let copied = log.iter().filter_map(|line| {
            let number = line.strip_suffix(" files from the context")?.rsplit(' ').next()?;
            number.parse().ok()
        });
        let files = image.files().map(|file| {
            let content = String::from_utf8_lossy(&file.read().unwrap()).into_owned();
            (
                file.path.clone(),
                (file.mode, file.owner.clone(), content, file.doubt.is_none()),
            )
        });
        Self {
            files: files.collect(),
            copied: copied.collect(),
        }
    }
}

async fn built(
    emulator: &Emulator,
    heard: &Heard,
    created: Result<daytona_sdk::Snapshot, daytona_sdk::Error>,
) -> Outcome {
    match created {
        Ok(snapshot) => {
            let image = emulator.image(&snapshot.name).await.unwrap();
            Ok(Built::new(&image, &heard.log()))
        }
        Err(error) if error.kind() == ErrorKind::BuildFailed => Err(error.report()),
        Err(error) => panic!("{}", error.report()),
    }
}

/// Plans the project, and builds what the plan sends.
async fn ours(project: &Project) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    project.write_tree(folder.path());
    let options = PlanOptions::default().base_dir(folder.path()).home(folder.path());
    let source = DockerfileSource::path("Dockerfile");
    let plan = match Image::from_dockerfile(source).plan_with(&options) {
        Ok(plan) => plan,
        Err(error) => return Err(format!("plan: {error}")),
    };
    let (emulator, daytona) = in_process(Emulator::builder());
    let heard = Heard::default();
    let create = daytona.snapshots().create(CreateSnapshotParams::new("x", &plan));
    let created = create.on_event(heard.callback()).await;
    built(&emulator, &heard, created).await
}

/// Builds the project from all of its files.
async fn theirs(project: &Project) -> Outcome {
    let (emulator, daytona) = in_process(Emulator::builder());
    let key = format!("{}/all/context.tar", emulator.organization_id());
    emulator.put_object(&key, &project.archive()).unwrap();
    let mut request = CreateSnapshot::new("x");
    let mut info = CreateBuildInfo::new(&project.dockerfile);
    info.context_hashes = Some(vec!["all".to_owned()]);
    request.build_info = Some(info);
    let created = post(&emulator, &request).await;
    let heard = Heard::default();
    let waited = daytona.snapshots().wait(created.id).on_event(heard.callback()).await;
    built(&emulator, &heard, waited).await
}

/// Why the two may differ here, if they may.
fn excuse(project: &Project, ours: &Outcome, theirs: &Outcome) -> Option<Excuse> {
    match (ours, theirs) {
        (Err(error), Ok(_))
            if error.contains("is a directory without a file") || error.contains("by the ignore rule") =>
        {
            Some(Excuse::EmptyDirectory)
        }
        (Err(error), _) if project.has_links() && error.contains("cannot be sent") => Some(Excuse::Link),
        _ if project.has_links() && project.has_deep_pattern() => Some(Excuse::PatternAndLink),
        (Ok(ours), Ok(theirs)) if project.has_rules() => {
            let without = |built: &Built| {
                let files = built
                    .files
                    .iter()
                    .filter(|(_, (.., content, _))| *content != project.dockerfile);
                files
                    .map(|(path, file)| (path.clone(), file.clone()))
                    .collect::<BTreeMap<_, _>>()
            };
            (without(ours) == without(theirs)).then_some(Excuse::RootFiles)
        }
        _ => None,
    }
}

/// Runs projects, and asserts that enough of them came to an image.
fn check(strategy: impl Strategy<Value = Project>, least_built: f64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let mut config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(2026);
    }
    let (count, mut built) = (f64::from(config.cases), 0.0);
    let tally = std::cell::Cell::new(0_u32);
    TestRunner::new(config)
        .run(&strategy, |project| {
            let is_built = compare(&runtime, &project)?;
            tally.set(tally.get() + u32::from(is_built));
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    built += f64::from(tally.get());
    assert!(built >= count * least_built, "only {built} of {count} were built");
}

/// Whether both have built it, and alike.
fn compare(runtime: &Runtime, project: &Project) -> Result<bool, TestCaseError> {
    let (ours, theirs) = runtime.block_on(async { (ours(project).await, theirs(project).await) });
    let is_same = match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        (Err(_), Err(_)) => true,
        _ => false,
    };
    if is_same || excuse(project, &ours, &theirs).is_some() {
        return Ok(ours.is_ok() && theirs.is_ok());
    }
    Err(TestCaseError::fail(format!(
        "{}\nours: {ours:#?}\nthe emulator's: {theirs:#?}",
        project.dockerfile
    )))
}

#[test]
fn projects_mean_the_same_to_both() {
    check(any_project(), 0.3);
}

#[test]
fn broken_texts_are_refused_by_both() {
    check(noisy_project(), 0.1);
}
