//! BuildKit's recorded builds, through plan, archive and the emulator's builder: the images have to be the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use daytona_emulator::{BuiltImage, Emulator, Lookup};
use daytona_sdk::{CreateSnapshotParams, Digest, DockerfileSource, ErrorKind, Image, PlanOptions};
use serde_json::Value;

use crate::support::in_process;

/// What the service loses, or what follows from neither the Dockerfile nor the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Loss {
    /// Links are sent as their content, under their own names.
    Links,
    /// FIFOs are not sent, hard links are files of their own.
    SpecialFiles,
    /// A directory without a file does not arrive.
    EmptyDirectories,
    /// Files have one of two modes.
    Modes,
    /// The service takes its own Dockerfile for the one at the root, and knows no ignore rules.
    RootFiles,
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

    fn lay_out(&self, folder: &Path) {
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
            } else {
                let content = entry["content"].as_str().unwrap_or_default();
                let encoded = entry["base64"].as_str();
                let decoded = encoded.map(|text| base64::engine::general_purpose::STANDARD.decode(text).unwrap());
                fs::write(&path, decoded.unwrap_or_else(|| content.into())).unwrap();
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
    fn loss(&self, difference: &Difference) -> Option<Loss> {
        if self.has("link") {
            return Some(Loss::Links);
        }
        if self.has("hardlink") {
            return Some(Loss::SpecialFiles);
        }
        match difference.what {
            What::Mode { ours, theirs } => {
                let sent = if theirs & 0o100 == 0 { 0o644 } else { 0o755 };
                (ours == sent || self.changes_modes()).then_some(Loss::Modes)
            }
            What::File if self.is_root_file(&difference.at) => Some(Loss::RootFiles),
            What::EmptyDirectory => Some(Loss::EmptyDirectories),
            _ => None,
        }
    }

    /// `--chmod=u+x` and its like start from the mode that the service has lost.
    fn changes_modes(&self) -> bool {
        let modes = self.tree().iter().filter_map(|entry| entry["mode"].as_str());
        let mut values = self.text("dockerfile").split("--chmod=").skip(1);
        modes.into_iter().any(|mode| !matches!(mode, "0644" | "0755"))
            && values.any(|value| !value.starts_with(|first: char| first.is_ascii_digit()))
    }

    fn is_root_file(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        name == self.text("dockerfile_name") || name.ends_with(".dockerignore") || name == "Dockerfile"
    }
}

fn octal(text: &str) -> u32 {
    u32::from_str_radix(text, 8).unwrap()
}

struct Difference {
    /// The path, or how both ended.
    at: String,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    /// What one has and the other has not, or with another content.
    File,
    EmptyDirectory,
    Mode {
        ours: u32,
        theirs: u32,
    },
    Owner,
    /// One builds, the other fails.
    Outcome,
}

impl Difference {
    fn new(at: impl Into<String>, what: What) -> Self {
        Self { at: at.into(), what }
    }
}

/// Where what the emulator built is another image than BuildKit's.
fn differences(image: &BuiltImage, theirs: &[Value]) -> Vec<Difference> {
    let paths = || theirs.iter().map(|entry| entry["path"].as_str().unwrap());
    let is_empty =
        |path: &str| path.ends_with('/') && !paths().any(|other| other.starts_with(path) && !other.ends_with('/'));
    let mut all = Vec::new();
    let mut expected = BTreeSet::new();
    for entry in theirs {
        let path = entry["path"].as_str().unwrap();
        expected.insert(format!("/{}", path.trim_end_matches('/')));
        match image.lookup(path) {
            Lookup::Unknown(_) => {}
            Lookup::Directory if path.ends_with('/') => {}
            Lookup::Link(target) if entry["link"] == target => {}
            Lookup::File(file) if file.doubt.is_some() => {}
            Lookup::File(file) if !path.ends_with('/') && entry.get("link").is_none() => {
                let content = file.read().unwrap();
                let digest = entry["sha256"]
                    .as_str()
                    .map(|text| text.trim_start_matches("sha256:").to_owned());
                let theirs =
                    digest.unwrap_or_else(|| Digest::of(entry["content"].as_str().unwrap().as_bytes()).to_string());
                if Digest::of(&content).to_string() != theirs {
                    all.push(Difference::new(path, What::File));
                }
                let mode = octal(entry["mode"].as_str().unwrap());
                if file.mode != mode {
                    let (ours, theirs) = (file.mode, mode);
                    all.push(Difference::new(path, What::Mode { ours, theirs }));
                }
                if file.owner.as_deref().unwrap_or("0:0") != entry["owner"].as_str().unwrap_or("0:0") {
                    all.push(Difference::new(path, What::Owner));
                }
            }
            _ if is_empty(path) => all.push(Difference::new(path, What::EmptyDirectory)),
            _ => all.push(Difference::new(path, What::File)),
        }
    }
    let more = image
        .files()
        .filter(|file| file.doubt.is_none() && !expected.contains(&file.path));
    all.extend(more.map(|file| Difference::new(&file.path, What::File)));
    all
}

/// Plans, pushes and builds a case, and compares what was built, if both have built it.
async fn compare(case: &Case<'_>, compared: &AtomicUsize) -> Vec<Difference> {
    let folder = tempfile::tempdir().unwrap();
    case.lay_out(folder.path());
    let source = DockerfileSource::path(case.text("dockerfile_name")).context_dir(".");
    let options = PlanOptions::default().base_dir(folder.path()).home(folder.path());
    let failed = case.0.get("failed");
    // What is refused and why is the business of daytona-image's own tests.
    let Ok(plan) = Image::from_dockerfile(source).plan_with(&options) else {
        return Vec::new();
    };
    let (emulator, daytona) = in_process(Emulator::builder());
    let created = daytona.snapshots().create(CreateSnapshotParams::new("x", &plan)).await;
    match (created, failed) {
        (Err(error), Some(_)) if error.kind() == ErrorKind::BuildFailed => Vec::new(),
        (Err(error), _) => vec![Difference::new(error.report(), What::Outcome)],
        (Ok(_), failed) => {
            let image = emulator.image("x").await.unwrap();
            match failed {
                None => {
                    compared.fetch_add(1, Ordering::Relaxed);
                    differences(&image, case.0["image"].as_array().unwrap())
                }
                // A reader cannot know what a command or an image would have said.
                Some(_) if !image.unknown().is_empty() || image.unknown_paths().next().is_some() => Vec::new(),
                Some(failed) => vec![Difference::new(format!("fails in BuildKit: {failed}"), What::Outcome)],
            }
        }
    }
}

#[test]
fn images_are_those_of_buildkit() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../daytona-image/tests/fixtures/buildkit/build.json.gz");
    let Ok(compressed) = fs::read(&fixture) else {
        println!("skipped: the recordings lie beside daytona-image, which is not here");
        return;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*compressed)
        .read_to_string(&mut text)
        .unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let (next, compared) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (failures, losses) = (Mutex::new(Vec::new()), Mutex::new(BTreeMap::new()));
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        while let Some(value) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let case = Case(value);
            if case.has("fifo") {
                *losses.lock().unwrap().entry(Loss::SpecialFiles).or_insert(0) += 1;
                continue;
            }
            let differences = runtime.block_on(compare(&case, &compared));
            let (lost, faults): (Vec<_>, Vec<_>) = differences
                .into_iter()
                .map(|difference| (case.loss(&difference), difference))
                .partition(|(loss, _)| loss.is_some());
            let lost: BTreeSet<Loss> = lost.into_iter().filter_map(|(loss, _)| loss).collect();
            for loss in lost {
                *losses.lock().unwrap().entry(loss).or_insert(0) += 1;
            }
            if !faults.is_empty() {
                let faults = faults
                    .into_iter()
                    .map(|(_, fault)| format!("{}: {:?}", fault.at, fault.what));
                let faults: Vec<String> = faults.collect();
                failures.lock().unwrap().push(format!(
                    "{}: {:?} {} {faults:?}",
                    value["id"],
                    case.text("dockerfile"),
                    value["tree"]
                ));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(work);
        }
    });
    let (failures, losses) = (failures.into_inner().unwrap(), losses.into_inner().unwrap());
    let compared = compared.into_inner();
    println!("{compared} of {} images compared, {losses:?}", cases.len());
    assert!(compared > 1_000, "{compared}");
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
