//! How long planning takes: `cargo bench -p daytona-image`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use daytona_image::dockerfile::Dockerfile;
use daytona_image::ignore::IgnoreRules;
use daytona_image::walk::Walk;
use daytona_image::{Image, PlanOptions};
use divan::Bencher;
use tempfile::TempDir;

const FILES: usize = 30_000;
const IGNORED: usize = 50_000;

fn main() {
    println!("walk: {FILES} files in 300 folders, beside {IGNORED} files in an ignored one");
    divan::main();
}

/// Ten folders of thirty of a hundred files, and a large one that is to be ignored.
fn tree() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &Path, count: usize| {
        fs::create_dir_all(path).unwrap();
        (0..count).for_each(|index| fs::write(path.join(format!("file-{index}")), "x").unwrap());
    };
    for index in 0..FILES / 100 {
        write(&folder.path().join(format!("a{}/b{index}", index % 10)), 100);
    }
    for index in 0..IGNORED / 1_000 {
        write(&folder.path().join(format!("node_modules/m{index}")), 1_000);
    }
    folder
}

#[divan::bench]
fn plan_of_1000_steps(bencher: Bencher<'_, '_>) {
    let image = (0..1_000).fold(Image::base("x:1"), |image, step| {
        image.run_commands([format!("echo {step}")])
    });
    let options = PlanOptions::default();
    bencher.bench(|| image.plan_with(&options).unwrap());
}

#[divan::bench]
fn read_a_dockerfile_of_100_kib(bencher: Bencher<'_, '_>) {
    let text = format!(
        "FROM x:1\n{}",
        "RUN echo a && \\\n    echo b\nCOPY --from=x [\"a b\", \"/c\"]\n".repeat(1_900)
    );
    assert!(text.len() > 100 * 1024);
    bencher.bench(|| Dockerfile::parse(&text).unwrap());
}

#[divan::bench(sample_count = 10)]
fn walk(bencher: Bencher<'_, '_>) {
    let folder = tree();
    let rules = IgnoreRules::new(["**/node_modules", "**/*.pyc", "*.md", "!README.md"]).unwrap();
    let walk = Walk::new(folder.path()).rules(rules);
    assert_eq!(walk.run().directories_read, 1 + 10 + FILES / 100);
    bencher.bench(|| assert_eq!(walk.run().files.len(), FILES));
}

#[divan::bench(sample_count = 10)]
fn find_on_the_same_tree(bencher: Bencher<'_, '_>) {
    let folder = tree();
    bencher.bench(|| {
        let mut find = Command::new("find");
        let find = find.arg(folder.path()).args([
            "-name",
            "node_modules",
            "-prune",
            "-o",
            "-type",
            "f",
            "-size",
            "-9",
            "-print",
        ]);
        assert!(find.stdout(Stdio::null()).status().unwrap().success());
    });
}
