//! The real BuildKit's answers: what it takes from a context that has links, and what it refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use daytona_image::{DockerfileSource, Image, ImagePlan, PlanError};
use serde_json::Value;

use crate::support::{base64, try_plan, vectors};

/// What the service loses, or what no reader without the images and the commands can know.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Loss {
    /// Links are sent as their content, under their own names; those that lead out or nowhere are left out.
    Links,
    /// FIFOs are not sent, hard links are files of their own.
    SpecialFiles,
    /// A folder without a file does not arrive.
    EmptyFolders,
    /// `.dockerignore` and its like are not sent.
    RootFiles,
    /// Depends on what the image or a command makes: found by the build.
    Build,
    /// BuildKit's transfer of `**` in a plain source, and of a mount without a source, is more than is used.
    Transfer,
}

struct Case<'a> {
    value: &'a Value,
    text: &'a str,
}

impl Case<'_> {
    fn tree(&self) -> &[Value] {
        self.value["tree"].as_array().unwrap()
    }

    fn has(&self, key: &str) -> bool {
        self.tree().iter().any(|entry| entry.get(key).is_some())
    }

    fn lay_out(&self, folder: &Path) {
        let name = self.value["dockerfile_name"].as_str().unwrap();
        let (links, files): (Vec<&Value>, Vec<&Value>) =
            self.tree().iter().partition(|entry| entry.get("hardlink").is_some());
        for entry in files.into_iter().chain(links) {
            let path = folder.join(entry["path"].as_str().unwrap());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if entry["path"].as_str().unwrap().ends_with('/') {
                fs::create_dir_all(&path).unwrap();
            } else if let Some(target) = entry["link"].as_str() {
                std::os::unix::fs::symlink(target, &path).unwrap();
            } else if let Some(target) = entry["hardlink"].as_str() {
                fs::hard_link(folder.join(target), &path).unwrap();
            } else if entry.get("fifo").is_none() {
                let content = entry["base64"].as_str().map(base64);
                let text = entry["content"].as_str().unwrap_or_default();
                fs::write(&path, content.unwrap_or_else(|| text.into())).unwrap();
            }
        }
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, self.text).unwrap();
    }

    /// Compares a plan with what BuildKit did: the difference, in words, and the loss that explains it.
    fn difference(&self, plan: &Result<ImagePlan, PlanError>) -> Option<(String, Option<Loss>)> {
        let failed = self.value.get("failed");
        match (plan, failed) {
            (Ok(plan), None) => self.other_files(plan),
            (Err(_), Some(_)) => None,
            (Err(error), None) => Some((format!("refused: {error}"), self.loss_of_refusal(&error.to_string()))),
            (Ok(_), Some(failed)) => {
                let kind = failed["kind"].as_str().unwrap();
                let loss = match kind {
                    "not-a-directory" | "run" | "owner" | "image" => Some(Loss::Build),
                    "missing-source" if self.text.contains("--from") => Some(Loss::Build),
                    "missing-source" if self.has("link") => Some(Loss::Links),
                    _ => None,
                };
                Some((format!("fails in BuildKit: {failed}"), loss))
            }
        }
    }

    fn loss_of_refusal(&self, error: &str) -> Option<Loss> {
        if self.has("link") {
            Some(Loss::Links)
        } else if self.has("fifo") {
            Some(Loss::SpecialFiles)
        } else if error.contains("is a directory without a file") || error.contains("left out of the build context") {
            Some(Loss::EmptyFolders)
        } else if error.contains("has a special meaning at the root") {
            Some(Loss::RootFiles)
        } else {
            None
        }
    }

    fn other_files(&self, plan: &ImagePlan) -> Option<(String, Option<Loss>)> {
        let is_root_file = |name: &str| matches!(name, "Dockerfile" | ".dockerignore" | "Dockerfile.dockerignore");
        let sent = self.value["sent"].as_array()?.iter().map(|name| name.as_str().unwrap());
        let theirs: BTreeSet<&str> = sent.filter(|name| !is_root_file(name)).collect();
        let ours: BTreeSet<&str> = plan.members().iter().map(daytona_image::Member::name).collect();
        if ours == theirs {
            return None;
        }
        let more: Vec<&&str> = ours.difference(&theirs).collect();
        let less: Vec<&&str> = theirs.difference(&ours).collect();
        let has_double_star = self.text.contains("**") || self.text.contains("type=tmpfs");
        let loss = if self.has("link") {
            Some(Loss::Links)
        } else if self.has("fifo") || self.has("hardlink") {
            Some(Loss::SpecialFiles)
        } else if has_double_star && more.is_empty() {
            Some(Loss::Transfer)
        } else {
            None
        };
        Some((format!("more {more:?}, less {less:?}"), loss))
    }
}

#[test]
fn what_is_taken_and_refused_is_what_buildkit_takes_and_refuses() {
    let cases = vectors(include_bytes!("../fixtures/buildkit/build.json.gz"));
    let (mut losses, mut failures) = (BTreeMap::new(), Vec::new());
    for value in &cases {
        let text = value["dockerfile"].as_str().unwrap();
        let case = Case { value, text };
        let folder = tempfile::tempdir().unwrap();
        case.lay_out(folder.path());
        let source = DockerfileSource::path(value["dockerfile_name"].as_str().unwrap()).context_dir(".");
        let plan = try_plan(folder.path(), &Image::from_dockerfile(source));
        match case.difference(&plan) {
            None => {}
            Some((_, Some(loss))) => *losses.entry(loss).or_insert(0) += 1,
            Some((difference, None)) => failures.push(format!("{}: {text:?} {difference}", value["id"])),
        }
    }
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
    // Most cases are the same, not lost.
    let lost: usize = losses.values().sum();
    assert!(lost * 6 < cases.len(), "{losses:?} of {}", cases.len());
}
