//! The two readings of a Dockerfile, ours and the emulator's, on the same ones.

use daytona_emulator::Emulator;
use daytona_sdk::{CreateSnapshotParams, DockerfileSource, ErrorKind, Image};

use crate::support::{Heard, folder, in_process, plan, post};

const FILES: [&str; 9] = [
    "a.txt",
    "b.txt",
    ".hidden",
    "dir/x",
    "dir/sub/y",
    "dir/z.txt",
    "with blank",
    "a[1].txt",
    "quote'd",
];

/// What is planned is found: of everything that our reader lets pass, the emulator's builder finds each source.
#[tokio::test(start_paused = true)]
async fn what_is_planned_is_found_by_the_builder() {
    let (_emulator, daytona) = in_process(Emulator::builder());
    let folder = folder(&FILES);
    for (index, (lines, copied)) in [
        ("COPY a.txt /x", 1),
        ("COPY ./a.txt dir//sub/ /x/", 2),
        ("COPY dir /x", 3),
        ("COPY /a.txt ../../b.txt /x/", 2),
        ("COPY *.txt /x/", 3),
        ("COPY d*/*.txt /x/", 1),
        ("COPY dir/*/y dir/su[a-b]/y /x/", 2),
        ("COPY [\"with blank\", \"a[[]1].txt\", \"/x/\"]", 2),
        ("COPY [\"quote\\\\'d\", \"/x\"]", 1),
        ("COPY a.txt <<EOF /x/\nCOPY nothing /here\nEOF", 1),
        ("COPY <<-'ONE' <<\"TWO\" /x/\n\tCOPY a b\n\tONE\nTWO\n", 0),
        ("ARG D=dir\nENV S=$D/sub F='a.txt'\nCOPY ${S}/y $F ${D:+b.txt} /x/", 3),
        ("ENV OLD dir/x\nCOPY $OLD /x", 1),
        ("RUN echo \\\n# comment\n\n  COPY nothing /x\nCOPY b.txt \\\n  /x", 1),
        ("COPY --from=a --chown=1:1 nothing /x\nADD https://h/x b.txt /y/", 1),
        (
            "FROM b:1 AS two\ncopy --link a.txt /x\nFROM two\nCOPY --from=two /x /y",
            1,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!("FROM a:1\n{lines}\n");
        let plan = plan(&Image::from_dockerfile(DockerfileSource::text(&text)), folder.path());
        let heard = Heard::default();
        let create = daytona
            .snapshots()
            .create(CreateSnapshotParams::new(format!("d{index}"), plan));
        create
            .on_event(heard.callback())
            .await
            .unwrap_or_else(|error| panic!("{lines}: {error}"));
        let counts = heard
            .log()
            .iter()
            .filter_map(|line| {
                line.strip_suffix(" files from the context")?
                    .rsplit(' ')
                    .next()?
                    .parse::<usize>()
                    .ok()
            })
            .sum::<usize>();
        assert_eq!(counts, copied, "{lines}: {:#?}", heard.log());
    }
}

/// What one refuses, the other refuses too.
#[tokio::test(start_paused = true)]
async fn what_is_refused_here_fails_there() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let folder = folder(&FILES);
    for (index, text) in [
        "FROM a:1\nNONSENSE x\n",
        "FROM a:1\nRUN <<EOF\nopen\n",
        "FROM a:1\nCOPY nothing /x\n",
        "FROM a:1\nCOPY nothing/*.txt /x\n",
        "# nothing\n",
    ]
    .into_iter()
    .enumerate()
    {
        let ours = Image::from_dockerfile(DockerfileSource::text(text));
        let options = daytona_sdk::PlanOptions::default().base_dir(folder.path());
        assert!(ours.plan_with(&options).is_err(), "{text}");
        // Past our reader: the same text as a plan would send it, without files.
        let mut request = daytona_api::CreateSnapshot::new(format!("r{index}"));
        request.build_info = Some(daytona_api::CreateBuildInfo::new(text));
        let created = post(&emulator, &request).await;
        let error = daytona.snapshots().wait(created.id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BuildFailed, "{text}");
    }
}
