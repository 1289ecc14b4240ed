//! Files that name packages, and each other.

use std::fs;
use std::path::Path;

use daytona_image::{Image, ImagePlan, Member, PlanError, PlanOptions, Pyproject, Requirements};
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn plan_in(folder: &Path, image: &Image) -> Result<ImagePlan, PlanError> {
    image.plan_with(&PlanOptions::default().base_dir(folder).home(folder))
}

fn lines(plan: &ImagePlan) -> Vec<&str> {
    plan.dockerfile().lines().skip(1).collect()
}

fn names(plan: &ImagePlan) -> Vec<&str> {
    plan.members().iter().map(Member::name).collect()
}

fn requirements(path: impl Into<Requirements>) -> Image {
    Image::base("x:1").pip_install_from_requirements(path)
}

#[test]
fn files_that_a_requirements_file_names_are_sent_along() {
    let folder = folder(&[
        ("r/requirements.txt", "-r base/all.txt\nrequests\n-c constraints.txt\n"),
        ("r/base/all.txt", "--requirement=../more.txt\n-c sub/c.txt\n"),
        ("r/base/sub/c.txt", "numpy<2\n"),
        ("r/more.txt", "-c constraints.txt\nx"),
        ("r/constraints.txt", "y<1"),
        ("r/other.txt", "z"),
    ]);
    let plan = plan_in(folder.path(), &requirements("r/requirements.txt")).unwrap();
    assert_eq!(
        lines(&plan),
        [
            "COPY r/requirements.txt /.requirements/requirements.txt",
            "COPY r/base/all.txt /.requirements/base/all.txt",
            "COPY r/more.txt /.requirements/more.txt",
            "COPY r/constraints.txt /.requirements/constraints.txt",
            "COPY r/base/sub/c.txt /.requirements/base/sub/c.txt",
            "RUN python -m pip install -r /.requirements/requirements.txt",
        ]
    );
    assert_eq!(names(&plan).len(), 5);
    // From elsewhere they keep their relation in the neutral folder.
    let plan = plan_in(folder.path(), &requirements(folder.path().join("r/requirements.txt"))).unwrap();
    assert_eq!(lines(&plan)[1], "COPY .ctx/2/base/all.txt /.requirements/base/all.txt");
    assert!(names(&plan).contains(&".ctx/2/base/sub/c.txt"), "{:?}", names(&plan));
    // Alone it is what it always was.
    let plan = plan_in(folder.path(), &requirements("r/other.txt")).unwrap();
    assert_eq!(
        lines(&plan),
        [
            "COPY r/other.txt /.requirements.txt",
            "RUN python -m pip install -r /.requirements.txt"
        ]
    );
}

#[test]
fn lines_that_cannot_work_are_named() {
    let folder = folder(&[
        ("top.txt", "x"),
        (
            "r/requirements.txt",
            "-r a.txt\n-e .\nrequests # fine\n./wheels/x.whl\n-r ../top.txt\n-r /etc/passwd\n-r none.txt\n-r \\\n  folder\n--find-links wheels\n",
        ),
        ("r/a.txt", "-r b.txt\n"),
        ("r/b.txt", "\n-r a.txt\n-r b.txt\nx @ file:///x\n"),
        ("r/folder/x", ""),
    ]);
    let error = plan_in(folder.path(), &requirements("r/requirements.txt")).unwrap_err();
    let shown = error.to_string();
    for (place, part) in [
        ("r/b.txt:2", "includes this file again"),
        ("r/b.txt:3", "includes this file again"),
        ("r/b.txt:4", "is a path on this machine"),
        ("r/requirements.txt:2", "installs a project on this machine"),
        ("r/requirements.txt:4", "is a path on this machine"),
        ("r/requirements.txt:5", "`../top.txt` is outside"),
        ("r/requirements.txt:6", "`/etc/passwd` is outside"),
        ("r/requirements.txt:7", "`none.txt` does not exist"),
        ("r/requirements.txt:8", "`folder` is a directory"),
        ("r/requirements.txt:10", "names a directory on this machine"),
    ] {
        let place = place.replace('/', std::path::MAIN_SEPARATOR_STR);
        let line = shown.lines().find(|line| line.contains(&format!("`{place}`")));
        assert!(line.is_some_and(|line| line.contains(part)), "{place} {part}: {shown}");
    }
    assert_eq!(error.problems().len(), 10, "{shown}");
}

#[test]
fn many_files_in_a_row_are_a_problem() {
    let files: Vec<(String, String)> = (0..60)
        .map(|file| (format!("{file}.txt"), format!("-r {}.txt", file + 1)))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let folder = folder(&files);
    let error = plan_in(folder.path(), &requirements("0.txt")).unwrap_err().to_string();
    assert!(error.contains("deeper than 32 files"), "{error}");
    fs::write(folder.path().join("20.txt"), "x").unwrap();
    assert_eq!(
        plan_in(folder.path(), &requirements("0.txt")).unwrap().members().len(),
        21
    );
}

#[cfg(unix)]
#[test]
fn a_link_in_the_folder_of_requirements_stays_inside() {
    use std::os::unix::fs::symlink;

    let folder = folder(&[
        ("r/requirements.txt", "-r out.txt\n-r in.txt\n"),
        ("secret", "s3cret"),
        ("r/real", "x"),
    ]);
    symlink("../secret", folder.path().join("r/out.txt")).unwrap();
    symlink("real", folder.path().join("r/in.txt")).unwrap();
    let error = plan_in(folder.path(), &requirements("r/requirements.txt")).unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    assert!(
        error
            .to_string()
            .contains("`r/requirements.txt:1`: `out.txt` is a link"),
        "{error}"
    );
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

fn pyproject(text: &str, groups: &[&str]) -> Result<String, String> {
    let folder = folder(&[("pyproject.toml", text)]);
    let image =
        Image::base("x:1").pip_install_from_pyproject(Pyproject::new("pyproject.toml").optional(groups.to_vec()));
    let plan = plan_in(folder.path(), &image).map_err(|error| error.to_string())?;
    let line = lines(&plan).first().copied().unwrap_or_default();
    Ok(line.replace("RUN python -m pip install ", ""))
}

#[test]
fn a_projects_own_extras_are_what_they_hold() {
    let text = "[project]\nname = \"Acme_Internal\"\ndependencies = [\"requests\"]\n[project.optional-dependencies]\n\
                gpu = [\"torch\"]\nall = [\"acme-internal[gpu]\", \"numpy\"]\nLoop_a = [\"acme.internal[loop-b]\", \"a\"]\n\
                loop-b = [\"ACME-Internal [ LOOP.A ]\", \"b\"]\nold = [\"acme-internal[gpu]; python_version < '3.9'\"]\n\
                bad = [\"acme-internal[none]\"]\nself = [\"acme-internal\"]\nlike = [\"acme-internal-tools[gpu]\"]\n\
                two = [\"acme_internal[gpu,loop-b]>=1\"]\n";
    assert_eq!(pyproject(text, &["all"]).unwrap(), "numpy requests torch");
    assert_eq!(pyproject(text, &["gpu", "ALL"]).unwrap(), "numpy requests torch");
    assert_eq!(pyproject(text, &["loop.a"]).unwrap(), "a b requests");
    assert_eq!(
        pyproject(text, &["old"]).unwrap(),
        "requests 'torch ; python_version < '\"'\"'3.9'\"'\"''"
    );
    assert_eq!(pyproject(text, &["self"]).unwrap(), "requests");
    assert_eq!(
        pyproject(text, &["like"]).unwrap(),
        "'acme-internal-tools[gpu]' requests"
    );
    assert_eq!(pyproject(text, &["two"]).unwrap(), "a b requests torch");
    let error = pyproject(text, &["bad"]).unwrap_err();
    assert!(
        error.contains("`acme-internal[none]` names an extra that it does not have"),
        "{error}"
    );
}

#[test]
fn groups_and_dependencies_that_are_not_there_are_told_apart() {
    let text = "[project]\nname = \"a\"\ndependencies = [\"x @ https://example.com/x.whl\"]\n[project.optional-dependencies]\n\
                gpu = []\nDocs_Full = [\"b\"]\n[dependency-groups]\ntest = [\"pytest\", {include-group = \"gpu\"}]\n";
    assert_eq!(
        pyproject(text, &["docs-full"]).unwrap(),
        "b 'x @ https://example.com/x.whl'"
    );
    let error = pyproject(text, &["gpus", "Test"]).unwrap_err();
    assert!(
        error.contains("no group `gpus` of optional dependencies: there are `Docs_Full`, `gpu`"),
        "{error}"
    );
    assert!(
        error.contains("`Test` is in its section `[dependency-groups]`"),
        "{error}"
    );
    let error = pyproject("[project]\nname = \"a\"\ndynamic = [\"dependencies\"]\n", &[]).unwrap_err();
    assert!(error.contains("its dependencies are dynamic"), "{error}");
    let text = "[project]\ndependencies = [\"b\"]\ndynamic = [\"optional-dependencies\"]\n";
    let error = pyproject(text, &["gpu"]).unwrap_err();
    assert!(error.contains("its optional dependencies are dynamic"), "{error}");
    let error = pyproject("[project]\ndependencies = [\"b @ file:///b\", \"c\"]\n", &[]).unwrap_err();
    assert!(
        error.contains("its dependency `b @ file:///b` is a path on this machine"),
        "{error}"
    );
    let error = pyproject("[project]\ndependencies = [\"b\"]\n", &["gpu"]).unwrap_err();
    assert!(
        error.contains("no group `gpu` of optional dependencies: there is none"),
        "{error}"
    );
}
