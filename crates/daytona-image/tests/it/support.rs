//! What several tests need: folders with files, plans of a Dockerfile's text, and BuildKit's recorded answers.

use std::fs;
use std::io::Read;
use std::path::Path;

use base64::Engine as _;
use daytona_image::{DockerfileSource, Image, ImagePlan, Member, PlanError, PlanOptions};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with these files, each of which holds its own name.
pub(crate) fn folder(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in files {
        write(folder.path(), name, name);
    }
    folder
}

pub(crate) fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub(crate) fn try_plan(folder: &Path, image: &Image) -> Result<ImagePlan, PlanError> {
    image.plan_with(&PlanOptions::default().base_dir(folder).home(folder))
}

pub(crate) fn of_text(text: &str) -> Image {
    Image::from_dockerfile(DockerfileSource::text(text))
}

/// The names that a Dockerfile with this text sends of a folder.
pub(crate) fn names(folder: &TempDir, text: &str) -> Vec<String> {
    match try_plan(folder.path(), &of_text(text)) {
        Ok(plan) => plan.members().iter().map(Member::name).map(ToOwned::to_owned).collect(),
        Err(error) => panic!("{text}\n{error}"),
    }
}

/// Why a Dockerfile with this text cannot be planned.
pub(crate) fn error(folder: &TempDir, text: &str) -> String {
    match try_plan(folder.path(), &of_text(text)) {
        Ok(plan) => panic!("{text}\nplans {:?}", plan.members()),
        Err(error) => error.to_string(),
    }
}

/// What is warned of, as it is shown.
pub(crate) fn warnings(folder: &TempDir, image: &Image) -> Vec<String> {
    let plan = try_plan(folder.path(), image).unwrap();
    plan.warnings().iter().map(ToString::to_string).collect()
}

/// BuildKit's answers of one kind.
pub(crate) fn vectors(compressed: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(compressed)
        .read_to_string(&mut text)
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn base64(text: &str) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}
