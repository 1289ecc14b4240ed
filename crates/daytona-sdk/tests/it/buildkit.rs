//! BuildKit's recorded builds, through plan, archive and the emulator's builder: the images have to be the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use daytona_emulator::{BuiltImage, Emulator, Lookup};
use daytona_sdk::{CreateSnapshotParams, Digest, DockerfileSource, ErrorKind, Image, PlanOptions};
use serde_json::Value;

use crate::support::in_process;
use excuse::{Excuse, MOST};

mod excuse;

struct Case<'a>(&'a Value);

impl Case<'_> {
    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap()
    }

    fn tree(&self) -> &[Value] {
        self.0["tree"].as_array().unwrap()
    }

    fn has(&self, key: &str) -> bool {
        self.tree().iter().any(|entry| entry.get(key).is_some())
    }

    fn write_tree(&self, folder: &Path) {
        let (hard_links, others): (Vec<&Value>, Vec<&Value>) =
            self.tree().iter().partition(|entry| entry.get("hardlink").is_some());
        for entry in others.into_iter().chain(hard_links) {
            let name = entry["path"].as_str().unwrap();
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if name.ends_with('/') {
                fs::create_dir_all(&path).unwrap();
            } else if let Some(target) = entry["link"].as_str() {
                symlink(target, &path).unwrap();
            } else if let Some(target) = entry["hardlink"].as_str() {
                fs::hard_link(folder.join(target), &path).unwrap();
            } else if entry.get("fifo").is_some() {
                assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
            } else {
                fs::write(&path, content(entry)).unwrap();
            }
            if let Some(mode) = entry["mode"].as_str().map(octal)
                && !name.ends_with('/')
            {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
        let path = folder.join(self.text("dockerfile_name"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, self.text("dockerfile")).unwrap();
    }
}

fn content(entry: &Value) -> Vec<u8> {
    let encoded = entry["base64"].as_str();
    let decoded = encoded.map(|text| base64::engine::general_purpose::STANDARD.decode(text).unwrap());
    decoded.unwrap_or_else(|| entry["content"].as_str().unwrap_or_default().into())
}

fn octal(text: &str) -> u32 {
    u32::from_str_radix(text, 8).unwrap()
}

#[derive(Debug)]
struct Difference {
    /// The path, or nothing.
    at: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// What one has and the other has not, or with another content. The digests of what is a file.
    File {
        ours: Option<String>,
        theirs: Option<String>,
    },
    SpecialFile,
    EmptyDirectory,
    Mode {
        ours: u32,
        theirs: u32,
    },
    Owner,
    /// The plan refuses what BuildKit builds.
    Refused {
        error: String,
    },
    /// Our build fails where BuildKit's does not.
    Failed,
    /// BuildKit fails where we build; whether our image depends on what a reader cannot know.
    Built {
        unknown: bool,
    },
}

impl Difference {
    fn new(at: impl Into<String>, kind: Kind) -> Self {
        Self { at: at.into(), kind }
    }
}

/// How many cases and files were compared, and what was found.
#[derive(Debug, Default)]
struct Tally {
    /// Images that both built.
    images: usize,
    /// Files of them whose content, mode and owner were compared.
    files: usize,
    /// Files of them of which nothing is known here.
    unknown_files: usize,
    /// Dockerfiles that both refuse, by the plan or later by the build.
    refused_by_plan: usize,
    refused_by_build: usize,
    excuses: BTreeMap<Excuse, usize>,
    failures: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.images += other.images;
        self.files += other.files;
        self.unknown_files += other.unknown_files;
        self.refused_by_plan += other.refused_by_plan;
        self.refused_by_build += other.refused_by_build;
        for (excuse, count) in other.excuses {
            *self.excuses.entry(excuse).or_insert(0) += count;
        }
        self.failures.extend(other.failures);
    }
}

fn digest_of(entry: &Value) -> Option<String> {
    let digest = entry["sha256"]
        .as_str()
        .map(|text| text.trim_start_matches("sha256:").to_owned());
    digest.or_else(|| Some(Digest::of(entry["content"].as_str()?.as_bytes()).to_string()))
}

/// Where what the emulator built is another image than BuildKit's.
fn differences(image: &BuiltImage, theirs: &[Value], tally: &mut Tally) -> Vec<Difference> {
    let is_file = |entry: &&Value| entry.get("link").is_none() && !entry["path"].as_str().unwrap().ends_with('/');
    let files: Vec<&str> = theirs
        .iter()
        .filter(is_file)
        .map(|entry| entry["path"].as_str().unwrap())
        .collect();
    let is_empty = |path: &str| path.ends_with('/') && !files.iter().any(|file| file.starts_with(path));
    let mut all = Vec::new();
    let mut expected = BTreeSet::new();
    for entry in theirs {
        let path = entry["path"].as_str().unwrap();
        expected.insert(format!("/{}", path.trim_end_matches('/')));
        let theirs = digest_of(entry);
        match image.lookup(path) {
            Lookup::Unknown(_) => tally.unknown_files += usize::from(!path.ends_with('/')),
            Lookup::File(file) if file.doubt.is_some() => tally.unknown_files += 1,
            Lookup::Directory if path.ends_with('/') => {}
            Lookup::Link(target) if entry["link"] == target => tally.files += 1,
            Lookup::File(file) if theirs.is_some() => {
                tally.files += 1;
                let ours = Some(Digest::of(&file.read().unwrap()).to_string());
                let mode = octal(entry["mode"].as_str().unwrap());
                if file.mode != mode {
                    let (ours, theirs) = (file.mode, mode);
                    all.push(Difference::new(path, Kind::Mode { ours, theirs }));
                }
                if file.owner.as_deref().unwrap_or("0:0") != entry["owner"].as_str().unwrap_or("0:0") {
                    all.push(Difference::new(path, Kind::Owner));
                }
                if ours != theirs {
                    all.push(Difference::new(path, Kind::File { ours, theirs }));
                }
            }
            _ if is_empty(path) => all.push(Difference::new(path, Kind::EmptyDirectory)),
            _ if entry.get("fifo").is_some() => all.push(Difference::new(path, Kind::SpecialFile)),
            Lookup::File(file) => {
                let ours = Some(Digest::of(&file.read().unwrap()).to_string());
                all.push(Difference::new(path, Kind::File { ours, theirs }));
            }
            _ => all.push(Difference::new(path, Kind::File { ours: None, theirs })),
        }
    }
    let more = image
        .files()
        .filter(|file| file.doubt.is_none() && !expected.contains(&file.path));
    all.extend(more.map(|file| {
        let ours = Some(Digest::of(&file.read().unwrap()).to_string());
        Difference::new(&file.path, Kind::File { ours, theirs: None })
    }));
    all
}

/// Plans, pushes and builds a case, and compares what was built, if both have built it. Warnings of the plan come along.
async fn compare(case: &Case<'_>, tally: &mut Tally) -> (Vec<Difference>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    case.write_tree(folder.path());
    let source = DockerfileSource::path(case.text("dockerfile_name")).context_dir(".");
    let options = PlanOptions::default().base_dir(folder.path()).home(folder.path());
    let failed = case.0.get("failed");
    let plan = match Image::from_dockerfile(source).plan_with(&options) {
        Ok(plan) => plan,
        Err(_) if failed.is_some() => {
            tally.refused_by_plan += 1;
            return Default::default();
        }
        Err(error) => {
            let error = error.to_string();
            return (vec![Difference::new("", Kind::Refused { error })], Vec::new());
        }
    };
    let (emulator, daytona) = in_process(Emulator::builder());
    let created = daytona.snapshots().create(CreateSnapshotParams::new("x", &plan)).await;
    let differences = match (created, failed) {
        (Err(error), Some(_)) if error.kind() == ErrorKind::BuildFailed => {
            tally.refused_by_build += 1;
            Vec::new()
        }
        (Err(error), _) => vec![Difference::new(error.report(), Kind::Failed)],
        (Ok(_), failed) => {
            let image = emulator.image("x").await.unwrap();
            match failed {
                None => {
                    tally.images += 1;
                    differences(&image, case.0["image"].as_array().unwrap(), tally)
                }
                Some(failed) => {
                    let unknown = !image.unknown().is_empty() || image.unknown_paths().next().is_some();
                    vec![Difference::new(failed.to_string(), Kind::Built { unknown })]
                }
            }
        }
    };
    (differences, plan.warnings().iter().map(ToString::to_string).collect())
}

/// Compares a case, and sorts what differs: what has no excuse is a fault, and so is an excuse that the plan does not warn of.
async fn judge(case: &Case<'_>, tally: &mut Tally) {
    let (differences, warnings) = compare(case, tally).await;
    let (mut excuses, mut faults) = (BTreeSet::new(), Vec::new());
    for difference in differences {
        let is_refused = matches!(difference.kind, Kind::Refused { .. });
        let is_told = |parts: &[&str]| {
            is_refused
                || warnings
                    .iter()
                    .any(|warning| parts.iter().any(|part| warning.contains(part)))
        };
        match case.excuse(&difference, &warnings) {
            Some(excuse) if excuse.warning().is_none_or(is_told) => drop(excuses.insert(excuse)),
            excuse => faults.push(format!(
                "{}: {:?}, {excuse:?} without a warning",
                difference.at, difference.kind
            )),
        }
    }
    for excuse in excuses {
        *tally.excuses.entry(excuse).or_insert(0) += 1;
    }
    if !faults.is_empty() {
        tally.failures.push(format!(
            "{}: {:?} {}\n  {}\n  {warnings:?}",
            case.0["id"],
            case.text("dockerfile"),
            case.0["tree"],
            faults.join("\n  ")
        ));
    }
}

/// The recordings, which lie in the repository, and in no published crate.
fn cases() -> Option<Vec<Value>> {
    let neighbour = Path::new(env!("CARGO_MANIFEST_DIR")).join("../daytona-image");
    if !neighbour.is_dir() {
        return None;
    }
    let compressed = fs::read(neighbour.join("tests/fixtures/buildkit/build.json.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*compressed)
        .read_to_string(&mut text)
        .unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn images_are_those_of_buildkit() {
    let Some(cases) = cases() else {
        println!("skipped: the recordings lie beside daytona-image, which is not here");
        return;
    };
    let next = AtomicUsize::new(0);
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let mut tally = Tally::default();
        while let Some(value) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            runtime.block_on(judge(&Case(value), &mut tally));
        }
        tally
    };
    let mut all = Tally::default();
    std::thread::scope(|scope| {
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            all.add(worker.join().unwrap());
        }
    });
    println!(
        "{} cases: {} images with {} files compared, {} files unknown; refused by the plan {}, by the build {}; excused {:?}",
        cases.len(),
        all.images,
        all.files,
        all.unknown_files,
        all.refused_by_plan,
        all.refused_by_build,
        all.excuses
    );
    assert!(
        all.failures.is_empty(),
        "{} differ:\n{}",
        all.failures.len(),
        all.failures.join("\n")
    );
    assert!(all.images > 1_200 && all.files > 3_700, "{} {}", all.images, all.files);
    // Each excuse stays the exception.
    for (excuse, most) in MOST {
        let count = all.excuses.get(&excuse).copied().unwrap_or_default();
        assert!(count <= most, "{excuse:?} excuses {count} cases, more than {most}");
    }
}
