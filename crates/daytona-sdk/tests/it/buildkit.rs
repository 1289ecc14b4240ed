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

/// Why what the service builds may differ from what BuildKit built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Excuse {
    /// A link is sent as its content under its own name, or left out if it leads out, nowhere or back.
    Links,
    /// A source is nothing to BuildKit because of a link, and another part of it, or what it leads to, is sent.
    Unsent,
    /// A FIFO is not sent.
    SpecialFiles,
    /// A directory without a file does not arrive.
    EmptyDirectories,
    /// Files have one of two modes.
    Modes,
    /// The service takes its own Dockerfile for the one at the root, and is sent no ignore file.
    RootFiles,
    /// It follows from a command that was not run, or from an image that was not looked into.
    Unknown,
}

impl Excuse {
    /// What a plan says of it in a warning, where it sends something else than there is.
    fn warning(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Links => Some(&["link", "everything in `.` is left out"]),
            Self::SpecialFiles => Some(&["FIFO"]),
            Self::EmptyDirectories => Some(&["no file to send"]),
            Self::Modes => Some(&["mode"]),
            Self::RootFiles => Some(&["at the root of a build context", "at the root of the context"]),
            Self::Unsent | Self::Unknown => None,
        }
    }
}

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

    /// Why this difference is no fault, if it is none.
    fn excuse(&self, difference: &Difference, warnings: &[String]) -> Option<Excuse> {
        match &difference.kind {
            Kind::File { ours, theirs } if self.is_root_file(&difference.at, [ours, theirs]) => Some(Excuse::RootFiles),
            Kind::File { .. } if self.is_linked(&difference.at) => Some(Excuse::Links),
            // What an ignore rule matches only under the name that a link gives it is left out.
            Kind::File { ours: None, .. } => {
                let name = difference.at.rsplit('/').next().unwrap_or_default();
                let mut left_out = warnings
                    .iter()
                    .filter(|warning| warning.contains("the name that a link gives it"));
                left_out
                    .any(|warning| warning.contains(&format!("/{name}` by ")))
                    .then_some(Excuse::Links)
            }
            Kind::Mode { ours, theirs } => {
                let sent = if theirs & 0o100 == 0 { 0o644 } else { 0o755 };
                (*ours == sent || self.changes_modes()).then_some(Excuse::Modes)
            }
            Kind::EmptyDirectory => Some(Excuse::EmptyDirectories),
            Kind::SpecialFile => Some(Excuse::SpecialFiles),
            Kind::Refused { error } => self.excuse_of_refusal(error),
            Kind::Built { unknown: true } => Some(Excuse::Unknown),
            // BuildKit finds no link that leads nowhere, and nothing through a link with `--parents` and patterns.
            Kind::Built { unknown: false } => {
                let kind = &self.0["failed"]["kind"];
                (self.has("link") && kind == "missing-source").then_some(Excuse::Unsent)
            }
            Kind::File { .. } | Kind::Owner | Kind::Failed => None,
        }
    }

    /// Why a plan may refuse what BuildKit builds.
    fn excuse_of_refusal(&self, error: &str) -> Option<Excuse> {
        let is_unsendable = error.contains("cannot be sent") || error.contains(": the link `");
        if is_unsendable && self.has("link") {
            Some(Excuse::Links)
        } else if is_unsendable && self.has("fifo") {
            Some(Excuse::SpecialFiles)
        } else if error.contains("is a directory without a file") || error.contains("left out of the build context") {
            Some(Excuse::EmptyDirectories)
        } else if error.contains("has a special meaning at the root") {
            Some(Excuse::RootFiles)
        } else {
            None
        }
    }

    /// Whether BuildKit has a link at this path of the image or on the way to it, where the service has what it leads to.
    fn is_linked(&self, path: &str) -> bool {
        let path = path.trim_start_matches('/');
        let links = self.0["image"].as_array().into_iter().flatten();
        links.filter(|entry| entry.get("link").is_some()).any(|entry| {
            let rest = path.strip_prefix(entry["path"].as_str().unwrap());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// `--chmod=u+x` and its like start from the mode that the service has lost.
    fn changes_modes(&self) -> bool {
        let modes = self.tree().iter().filter_map(|entry| entry["mode"].as_str());
        let mut values = self.text("dockerfile").split("--chmod=").skip(1);
        modes.into_iter().any(|mode| !matches!(mode, "0644" | "0755"))
            && values.any(|value| !value.starts_with(|first: char| first.is_ascii_digit()))
    }

    /// Whether a file of the image is one of those at the root of the context that mean something there: it has its name, and
    /// both sides that have it have its content.
    fn is_root_file(&self, path: &str, contents: [&Option<String>; 2]) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_nested = self.text("dockerfile_name").contains('/') && path.ends_with(self.text("dockerfile_name"));
        let at_root = self.tree().iter().filter(|entry| entry["path"] == name).map(content);
        let mut known: Vec<String> = at_root.map(|content| Digest::of(&content).to_string()).collect();
        if name == "Dockerfile" {
            known.push(Digest::of(self.text("dockerfile").as_bytes()).to_string());
            // Line feeds are made of CRLF.
            known.push(Digest::of(self.text("dockerfile").replace("\r\n", "\n").as_bytes()).to_string());
        }
        ROOT_FILES.contains(&name) && !is_nested && contents.into_iter().flatten().all(|digest| known.contains(digest))
    }
}

/// How many cases each excuse may explain.
const MOST: [(Excuse, usize); 7] = [
    (Excuse::Links, 110),
    (Excuse::Unsent, 20),
    (Excuse::SpecialFiles, 2),
    (Excuse::EmptyDirectories, 80),
    (Excuse::Modes, 240),
    (Excuse::RootFiles, 90),
    (Excuse::Unknown, 5),
];

const ROOT_FILES: [&str; 3] = ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"];

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
