//! Folders and their plans.

use std::fs;
use std::path::Path;

use daytona_context::{Archive, Context, ContextError, ObjectStorage, Progress, Push, Pushed};
use daytona_image::{Image, ImagePlan, LocalDir, PlanOptions};
use tempfile::TempDir;

/// A folder `d` with these files.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        write(folder.path(), name, bytes);
    }
    folder
}

pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join("d").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

pub(crate) fn plan(folder: &Path) -> ImagePlan {
    let mut folder_of_files = LocalDir::new("d");
    if cfg!(windows) {
        // Files do not tell there whether they may be executed. With a mode the bytes are those of Unix.
        folder_of_files = folder_of_files.chmod(0o644);
    }
    let image = Image::base("x:1").add_local_dir(folder_of_files, "/d");
    image.plan_with(&PlanOptions::default().base_dir(folder)).unwrap()
}

pub(crate) fn archive(folder: &Path) -> Archive {
    Context::from_plan(&plan(folder)).archives()[0].clone()
}

pub(crate) fn bytes(archive: &Archive) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive.write_to(&mut bytes).unwrap();
    bytes
}

/// Pushes the context of a plan.
pub(crate) async fn push(
    plan: &ImagePlan,
    storage: &dyn ObjectStorage,
    prefix: &str,
    on_progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<Pushed, ContextError> {
    let push = Push::new().on_progress(on_progress);
    push.run(&Context::from_plan(plan), storage, prefix).await
}
