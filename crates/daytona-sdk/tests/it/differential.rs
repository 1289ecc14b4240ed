//! Random Dockerfiles, read by us and by the emulator: what our reader takes of the context is all that the build needs.

use std::collections::BTreeMap;

use daytona_api::{CreateBuildInfo, CreateSnapshot};
use daytona_emulator::{BuiltImage, Emulator};
use daytona_sdk::{CreateSnapshotParams, Daytona, DockerfileSource, ErrorKind, Image, PlanOptions};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;

use crate::support::{folder, in_process, plan, post};

const FILES: [&str; 8] = [
    "a.txt",
    "b.md",
    "c d",
    "src/a.txt",
    "src/lib/b.md",
    "src/lib/deep/c.rs",
    "test/.hidden",
    "x[1].txt",
];

/// A source, with what makes readers differ: patterns, quotes, escapes, variables that are set and that are not.
fn source() -> impl Strategy<Value = String> {
    let names = [
        "a.txt",
        "./b.md",
        "src",
        "src/",
        "/src/lib",
        "../a.txt",
        "*",
        "*.txt",
        "s*",
        "src/*/b.md",
        "**/b.md",
        "?.md",
        "[ab].*",
        "src/lib/deep",
        "$A",
        "${A}",
        "${A:-b.md}",
        "${NOPE:+src}src",
        "${B%.txt}.txt",
        "${B#*/}",
        "'a.txt'",
        "\"a.txt\"",
        "a\\.txt",
        "x[[]1].txt",
        "none.txt",
        "none*",
        "test",
        "${C}",
        ".",
        "src/.",
        "b.m\\d",
        "${A/src/test}",
    ];
    select(names.as_slice()).prop_map(ToOwned::to_owned)
}

fn line() -> impl Strategy<Value = String> {
    let flags = [
        "",
        "",
        "",
        "--parents ",
        "--exclude=*.md ",
        "--exclude=\"a b\" ",
        "--link ",
        "--chmod=755 ",
        "-- ",
    ];
    let targets = ["/x/", "/y/z/", "w/", "./", "/${A}/"];
    let copied = (
        select(flags.as_slice()),
        prop::collection::vec(source(), 1..3),
        select(targets.as_slice()),
    )
        .prop_map(|(flags, sources, target)| format!("COPY {flags}{} {target}", sources.join(" ")));
    let listed = (prop::collection::vec(source(), 1..3), select(targets.as_slice())).prop_map(|(mut words, target)| {
        words.push(target.to_owned());
        let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
        format!("ADD [{}]", words.join(", "))
    });
    let others = [
        "ARG A=src",
        "ARG A",
        "ENV A=test B=src/a.txt",
        "ENV A a.txt",
        "ENV B=\"$A/lib\" C='b.md'",
        "ENV C=${A:-a.txt}",
        "WORKDIR /w",
        "FROM scratch",
        "FROM scratch AS one",
        "FROM one",
        "COPY --from=one /x /from/",
        "COPY <<EOF /x/doc\nCOPY none /x\n$A\nEOF",
        "COPY <<'E F' a.txt /x/\ntext\nE F",
        "COPY a.txt \\\n# a comment\n\n  /x/",
        "ONBUILD COPY src /onbuild/",
        "LABEL a=b",
        "# escape=`",
        "COPY a.txt",
        "NONSENSE x",
    ];
    prop_oneof![5 => copied, 2 => listed, 4 => select(others.as_slice()).prop_map(ToOwned::to_owned)]
}

fn dockerfile() -> impl Strategy<Value = String> {
    let head = select(
        [
            "FROM scratch\n",
            "ARG A=src\nFROM scratch AS one\n",
            "FROM scratch AS one\nARG A=src\n",
        ]
        .as_slice(),
    );
    (head, prop::collection::vec(line(), 1..6)).prop_map(|(head, lines)| format!("{head}{}\n", lines.join("\n")))
}

/// A client, an emulator, and a context that was sent whole.
struct Bench {
    emulator: Emulator,
    daytona: Daytona,
    folder: TempDir,
    hashes: Vec<String>,
    count: u32,
}

type Files = BTreeMap<String, (u32, Vec<u8>)>;

fn files(image: &BuiltImage) -> Files {
    let read = image
        .files()
        .map(|file| (file.path.clone(), (file.mode, file.read().unwrap())));
    read.collect()
}

impl Bench {
    async fn new() -> Self {
        let (emulator, daytona) = in_process(Emulator::builder());
        let folder = folder(&FILES);
        let whole = plan(&Image::base("scratch").add_local_dir(".", "/"), folder.path());
        let created = daytona
            .snapshots()
            .create(CreateSnapshotParams::new("whole", whole))
            .await
            .unwrap();
        let hashes = created.build_info.unwrap().context_hashes.unwrap();
        Self {
            emulator,
            daytona,
            folder,
            hashes,
            count: 0,
        }
    }

    /// What a text makes of the whole context, by the emulator's reader alone; `None` if the build fails.
    async fn theirs(&mut self, text: &str) -> Option<Files> {
        self.count += 1;
        let name = format!("theirs-{}", self.count);
        let mut request = CreateSnapshot::new(&name);
        let mut build = CreateBuildInfo::new(text);
        build.context_hashes = Some(self.hashes.clone());
        request.build_info = Some(build);
        let created = post(&self.emulator, &request).await;
        let outcome = self.daytona.snapshots().wait(created.id).await;
        self.outcome(&name, outcome.map(drop)).await
    }

    /// What it makes of the files that our reader takes; `None` if there is no plan, or the build fails.
    async fn ours(&mut self, text: &str) -> (bool, Option<Files>) {
        self.count += 1;
        let name = format!("ours-{}", self.count);
        let options = PlanOptions::default()
            .base_dir(self.folder.path())
            .home(self.folder.path());
        let Ok(plan) = Image::from_dockerfile(DockerfileSource::text(text)).plan_with(&options) else {
            return (false, None);
        };
        let outcome = self
            .daytona
            .snapshots()
            .create(CreateSnapshotParams::new(&name, plan))
            .await;
        (true, self.outcome(&name, outcome.map(drop)).await)
    }

    async fn outcome(&self, name: &str, outcome: Result<(), daytona_sdk::Error>) -> Option<Files> {
        let files = match outcome {
            Ok(()) => Some(files(&*self.emulator.image(name).await.unwrap())),
            Err(error) if error.kind() == ErrorKind::BuildFailed => None,
            Err(error) => panic!("{error}"),
        };
        // No more than a few snapshots are there at once.
        self.daytona.snapshots().delete(name).wait().await.unwrap();
        files
    }
}

#[test]
fn what_our_reader_takes_is_what_the_builder_needs() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    let bench = std::cell::RefCell::new(runtime.block_on(Bench::new()));
    let config = ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let result = TestRunner::new_with_rng(
        config.clone(),
        proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm),
    )
    .run(&dockerfile(), |text| {
        let mut bench = bench.borrow_mut();
        let theirs = runtime.block_on(bench.theirs(&text));
        let (is_planned, ours) = runtime.block_on(bench.ours(&text));
        prop_assert_eq!(&ours, &theirs, "{}", text);
        // What fails for certain is refused before anything is sent.
        prop_assert!(!is_planned || ours.is_some(), "found too late: {}", text);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
