//! How long planning takes: `cargo bench -p daytona-image`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use daytona_image::dockerfile::Dockerfile;
use daytona_image::ignore::IgnoreRules;
use daytona_image::walk::Walk;
use daytona_image::{DockerfileSource, Image, PlanOptions};
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

/// A Dockerfile of at least 100 KiB.
fn large(line: impl Fn(usize) -> String) -> String {
    let lines = (0..).map(line).scan(0, |size, line| {
        *size += line.len();
        (*size - line.len() < 100 * 1024).then_some(line)
    });
    format!("FROM x:1\n{}", lines.collect::<String>())
}

/// What a large Dockerfile consists of.
#[derive(Debug, Clone, Copy)]
enum Lines {
    Commands,
    Variables,
    ShortVariables,
    /// Each variable has the value of the one before.
    References,
}

const LINES: [Lines; 4] = [
    Lines::Commands,
    Lines::Variables,
    Lines::ShortVariables,
    Lines::References,
];

impl Lines {
    fn text(self) -> String {
        large(|index| match self {
            Self::Commands => "RUN echo a && \\\n    echo b\nCOPY --from=x [\"a b\", \"/c\"]\n".to_owned(),
            Self::Variables => format!("ENV NAME_{index}=value-{index}\n"),
            Self::ShortVariables => format!("ENV A{index}=b\n"),
            Self::References => format!("ENV N{index}=\"${{N{}:-x}}\"\n", index.saturating_sub(1)),
        })
    }
}

#[divan::bench(args = LINES)]
fn read_100_kib(bencher: Bencher<'_, '_>, lines: Lines) {
    let text = lines.text();
    bencher.bench(|| Dockerfile::parse(&text).unwrap());
}

#[divan::bench(args = LINES)]
fn plan_100_kib(bencher: Bencher<'_, '_>, lines: Lines) {
    let image = Image::from_dockerfile(DockerfileSource::text(lines.text()));
    let options = PlanOptions::default();
    bencher.bench(|| image.plan_with(&options).unwrap());
}

/// A folder of files, by a path and by a pattern.
#[divan::bench(args = ["COPY data /x", "COPY data/*.json /x/"], sample_count = 20)]
fn copy_20_000_files(bencher: Bencher<'_, '_>, line: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    (0..20_000).for_each(|index| fs::write(folder.path().join(format!("data/{index}.json")), "x").unwrap());
    plans(bencher, &folder, line, 20_000);
}

#[divan::bench(args = [1, 100], sample_count = 20)]
fn copy_all_of_7_500_files(bencher: Bencher<'_, '_>, times: usize) {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..7_500 {
        let parent = folder.path().join(format!("d{}", index / 100));
        fs::create_dir_all(&parent).unwrap();
        fs::write(parent.join(index.to_string()), "x").unwrap();
    }
    let lines: Vec<String> = (0..times).map(|index| format!("COPY . /x{index}\n")).collect();
    plans(bencher, &folder, &lines.concat(), 7_500);
}

/// Each pattern could match any file of the folder.
#[divan::bench(sample_count = 10)]
fn copy_by_300_patterns_of_7_500_files(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    (0..7_500).for_each(|index| fs::write(folder.path().join(format!("data/{}-{index}", index % 300)), "x").unwrap());
    let lines: Vec<String> = (0..300)
        .map(|index| format!("COPY data/{index}-* /x{index}/\n"))
        .collect();
    plans(bencher, &folder, &lines.concat(), 7_500);
}

/// Each stage begins with the one before, and uses a variable of the first.
#[divan::bench(sample_count = 10)]
fn plan_of_3_000_stages(bencher: Bencher<'_, '_>) {
    let stages = (1..3_000).map(|index| format!("FROM s{} AS s{index}\nENV V{index}=$FIRST\n", index - 1));
    let text = format!("FROM scratch AS s0\nENV FIRST=1\n{}", stages.collect::<String>());
    let image = Image::from_dockerfile(DockerfileSource::text(text));
    let options = PlanOptions::default();
    bencher.bench(|| image.plan_with(&options).unwrap());
}

/// What 10,000 rules have in common.
#[divan::bench(args = ["none-{}", "**/none-{}", "none-{}*", "*.{}", "*none{}*", "dir/*/none-{}", "*a*b*{}*"], sample_count = 3)]
fn walk_past_10_000_rules(bencher: Bencher<'_, '_>, rule: &str) {
    let folder = tempfile::tempdir().unwrap();
    (0..3_000).for_each(|index| fs::write(folder.path().join(format!("file-{index}")), "x").unwrap());
    // The last kind has no three characters in a row.
    let number = |index: usize| match rule {
        "*a*b*{}*" => index.to_string().replace(|_: char| true, "?*") + &"c*".repeat(index % 50),
        _ => index.to_string(),
    };
    let rules = IgnoreRules::new((0..10_000).map(|index| rule.replace("{}", &number(index)))).unwrap();
    let walk = Walk::new(folder.path()).rules(rules);
    bencher.bench(|| assert_eq!(walk.run().files.len(), 3_000));
}

/// Each rule is looked at for each name, and none is copied.
#[divan::bench(sample_count = 10)]
fn copy_by_a_pattern_past_3_000_rules(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().unwrap();
    (0..3_000).for_each(|index| fs::write(folder.path().join(index.to_string()), "x").unwrap());
    let rules: Vec<String> = (0..3_000).map(|index| format!("none-{index}\n")).collect();
    fs::write(folder.path().join(".dockerignore"), rules.concat()).unwrap();
    plans(bencher, &folder, "COPY * /x/\n", 3_000);
}

fn plans(bencher: Bencher<'_, '_>, folder: &TempDir, lines: &str, files: usize) {
    let image = Image::from_dockerfile(DockerfileSource::text(format!("FROM x:1\n{lines}")));
    let options = PlanOptions::default().base_dir(folder.path());
    bencher.bench(|| assert_eq!(image.plan_with(&options).unwrap().members().len(), files));
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
