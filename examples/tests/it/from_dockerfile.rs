//! `from_dockerfile`, on projects in the manner of common public ones.

use std::path::Path;

use crate::support::{example, run, text};

/// What is printed for a project; it has to succeed.
async fn output(project: &str, arguments: &[&str]) -> String {
    let mut command = example("from_dockerfile");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("projects").join(project))
        .args(arguments);
    let output = run(command).await;
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{project}: {shown}{}", text(&output.stderr));
    shown
}

/// The names that are sent.
fn sent(shown: &str) -> Vec<&str> {
    let files = shown.lines().skip_while(|line| !line.ends_with("are sent:")).skip(1);
    let rows = files.take_while(|line| !line.contains("left out"));
    rows.map(|row| row.trim_start().splitn(2, "  ").last().unwrap_or_default())
        .map(|name| name.trim_start_matches(|character: char| character.is_ascii_digit() || character == ' '))
        .collect()
}

#[tokio::test]
async fn common_projects_are_planned_and_built() {
    for (project, arguments, expected) in [
        (
            "python-web",
            vec![],
            vec![
                "gunicorn.conf.py",
                "requirements-dev.txt",
                "requirements.txt",
                "src/app.py",
            ],
        ),
        (
            "node",
            vec![],
            vec!["package-lock.json", "package.json", "src/index.js"],
        ),
        ("rust", vec![], vec!["Cargo.lock", "Cargo.toml", "src/main.rs"]),
        (
            "go",
            vec![],
            vec!["cmd/server/main.go", "go.mod", "go.sum", "internal/store/store.go"],
        ),
        (
            "java",
            vec![],
            vec![
                ".mvn/wrapper/maven-wrapper.properties",
                "mvnw",
                "pom.xml",
                "src/main/java/App.java",
            ],
        ),
        (
            "static-site",
            vec![],
            vec!["nginx.conf", "site/errors/not found.html", "site/index.html"],
        ),
        ("data-science", vec![], vec!["data/sample.csv", "notebooks/one.ipynb"]),
        (
            "monorepo",
            vec!["--file", "docker/prod.Dockerfile"],
            vec!["package.json", "packages/api/index.js", "packages/shared/index.js"],
        ),
        (
            "pnpm-workspace",
            vec![],
            vec![
                "apps/docs/package.json",
                "apps/web/package.json",
                "apps/web/src/server.ts",
                "package.json",
                "packages/config/eslint/package.json",
                "packages/ui/index.ts",
                "packages/ui/package.json",
                "pnpm-lock.yaml",
                "pnpm-workspace.yaml",
            ],
        ),
        (
            "uv-workspace",
            vec![],
            vec![
                "packages/api/pyproject.toml",
                "packages/api/src/acme_api/__init__.py",
                "packages/core/pyproject.toml",
                "packages/core/src/acme_core/__init__.py",
                "pyproject.toml",
                "uv.lock",
            ],
        ),
        (
            "go-targets",
            vec!["--target", "api", "--build-arg", "VERSION=1.2"],
            vec!["cmd/api/main.go", "cmd/worker/main.go", "deploy/api.yaml", "go.mod"],
        ),
        (
            "rust-chef",
            vec![],
            vec![
                "Cargo.toml",
                "crates/app/Cargo.toml",
                "crates/app/src/main.rs",
                "crates/core/Cargo.toml",
                "crates/core/src/lib.rs",
            ],
        ),
    ] {
        let mut all = arguments.clone();
        all.push("--create");
        let shown = output(project, &all).await;
        let sent: Vec<&str> = sent(&shown)
            .into_iter()
            .filter(|name| *name != ".dockerignore")
            .collect();
        assert_eq!(sent, expected, "{project}: {shown}");
        assert!(shown.contains("\nfrom-dockerfile-"), "{project}: {shown}");
        assert!(shown.ends_with(" is active\n"), "{project}: {shown}");
    }
}

#[tokio::test]
async fn a_path_is_explained() {
    let shown = output("python-web", &["--explain", "tests/test_app.py"]).await;
    assert_eq!(shown, "tests/test_app.py is not taken by any step\n");
    let shown = output("node", &["--explain", "src"]).await;
    assert_eq!(shown, "src is sent:\n  src/index.js\n");
    let shown = output(
        "monorepo",
        &[
            "--file",
            "docker/prod.Dockerfile",
            "--explain",
            "packages/api/package.json",
        ],
    )
    .await;
    assert!(
        shown.ends_with("is left out by the rule ** (docker/prod.Dockerfile.dockerignore:1)\n"),
        "{shown}"
    );
}

#[tokio::test]
async fn the_target_decides_what_is_started() {
    let arguments = ["--target", "api", "--build-arg", "VERSION=1.2"];
    let shown = output("go-targets", &arguments).await;
    assert!(shown.contains("sandboxes start [\"/api\"]"), "{shown}");
    // The last stage is one for CI, whose files are not there.
    let mut command = example("from_dockerfile");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("projects/go-targets"));
    let failed = text(&run(command).await.stderr);
    assert!(
        failed.contains("Dockerfile:28: the source `reports` is not in"),
        "{failed}"
    );
}

#[tokio::test]
async fn a_folder_without_a_dockerfile_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = example("from_dockerfile");
    command.arg(folder.path());
    let output = run(command).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("`Dockerfile` does not exist"),
        "{}",
        text(&output.stderr)
    );
}
