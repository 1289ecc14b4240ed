//! Dockerfiles in the manner of public ones: each plans, and sends what its instructions take.

use daytona_image::{DockerfileSource, Image, Member};

use crate::support::{error, folder, names, of_text, try_plan, warnings, write};

const FILES: [&str; 20] = [
    "package.json",
    "package-lock.json",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "apps/web/package.json",
    "apps/web/src/index.ts",
    "packages/ui/package.json",
    "packages/ui/src/button.tsx",
    "Cargo.toml",
    "Cargo.lock",
    "src/main.rs",
    "go.mod",
    "go.sum",
    "cmd/api/main.go",
    "requirements.txt",
    "docker/nginx.conf",
    "docker/entrypoint.sh",
    "scripts/run me.sh",
    "LICENSE",
    "docs/index.md",
];

#[test]
fn usual_dockerfiles_send_what_they_copy() {
    let folder = folder(&FILES);
    for (text, expected) in [
        // Node, with a cache and optional lock files.
        (
            "# syntax=docker/dockerfile:1.7-labs\nARG NODE_VERSION=20.11.1\n\nFROM node:${NODE_VERSION}-alpine AS base\nENV PNPM_HOME=\"/pnpm\"\n\
             ENV PATH=\"$PNPM_HOME:$PATH\"\nRUN corepack enable\nWORKDIR /usr/src/app\n\nFROM base AS deps\nCOPY package.json yarn.lock* package-lock.json* \
             pnpm-lock.yaml* ./\nRUN --mount=type=cache,id=pnpm,target=/pnpm/store \\\n  if [ -f yarn.lock ]; then yarn --frozen-lockfile; \\\n  # npm\n  \
             elif [ -f package-lock.json ]; then npm ci; \\\n  fi\n\nFROM base AS runner\nCOPY --from=deps /usr/src/app/node_modules ./node_modules\n\
             COPY apps/web/src ./src\nUSER node\nEXPOSE 3000\nCMD [\"node\", \"src/index.js\"]\n",
            vec![
                "apps/web/src/index.ts",
                "package-lock.json",
                "package.json",
                "pnpm-lock.yaml",
            ],
        ),
        // A monorepo's manifests.
        (
            "FROM node:20-slim\nWORKDIR /w\nCOPY --parents pnpm-*.yaml **/package.json ./\nRUN pnpm i\nCOPY --exclude=**/*.md --exclude=docs --link packages packages\n",
            vec![
                "apps/web/package.json",
                "package.json",
                "packages/ui/package.json",
                "packages/ui/src/button.tsx",
                "pnpm-lock.yaml",
                "pnpm-workspace.yaml",
            ],
        ),
        (
            "FROM x:1\nCOPY --parents ./apps/./*/package.json packages/./ui/package.json /out/\n",
            vec!["apps/web/package.json", "packages/ui/package.json"],
        ),
        // Go, cross-compiled.
        (
            "FROM --platform=$BUILDPLATFORM golang:1.22 AS build\nARG TARGETOS TARGETARCH\nWORKDIR /src\n\
             RUN --mount=type=bind,source=go.mod,target=go.mod --mount=type=bind,source=go.sum,target=go.sum \\\n    --mount=type=cache,target=/go/pkg/mod \\\n    \
             go mod download -x\nRUN --mount=type=bind,target=. --mount=type=tmpfs,target=/tmp GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /bin/api ./cmd/api\n\
             FROM scratch\nCOPY --from=build --chmod=0555 /bin/api /api\nENTRYPOINT [\"/api\"]\n",
            FILES.to_vec(),
        ),
        // Rust, with cargo-chef.
        (
            "FROM rust:1.79 AS chef\nRUN cargo install cargo-chef\nWORKDIR app\nFROM chef AS planner\nCOPY Cargo.toml Cargo.lock ./\nCOPY src src\n\
             RUN cargo chef prepare --recipe-path recipe.json\nFROM chef AS builder\nCOPY --from=planner /app/recipe.json recipe.json\n\
             RUN cargo chef cook --release --recipe-path recipe.json\nFROM debian:bookworm-slim AS runtime\nCOPY --from=builder /app/target/release/app /usr/local/bin\n\
             ENTRYPOINT [\"/usr/local/bin/app\"]\n",
            vec!["Cargo.lock", "Cargo.toml", "src/main.rs"],
        ),
        // Python, with uv from its image.
        (
            "FROM python:3.12-slim AS builder\nCOPY --from=ghcr.io/astral-sh/uv:0.5.9 /uv /uvx /bin/\nENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy\n\
             RUN --mount=type=cache,target=/root/.cache/uv,sharing=locked \\\n    --mount=type=bind,source=requirements.txt,target=/requirements.txt,ro \\\n    \
             uv pip install --system -r /requirements.txt\n",
            vec!["requirements.txt"],
        ),
        // Heredocs: scripts, files, interpreters.
        (
            "FROM x:1\nRUN <<EOF\nset -e\nCOPY not-one /x\nEOF\nRUN <<-\"END\" python3 && echo done\n\tprint(\"<<EOF\")\n\tEND\n\
             COPY <<'CONF' <<\"ENV\" /etc/app/\nkey=$value\nCONF\nA=1\nENV\nCOPY --chmod=755 <<EOF /usr/bin/run\n#!/bin/sh\nexec $0 \"$@\"\nEOF\nCOPY LICENSE /\n",
            vec!["LICENSE"],
        ),
        (
            "FROM x:1\nRUN cat <<A >/a && cat <<-B >/b\none\nA\n\ttwo\n\tB\nCOPY LICENSE /\n",
            vec!["LICENSE"],
        ),
        // A text that only looks like a heredoc.
        (
            "FROM x:1\nRUN echo $((1<<3)) \"<<EOF\" 'a <<EOF'\nCOPY LICENSE /\n",
            vec!["LICENSE"],
        ),
        ("FROM x:1\nRUN cat <<<word\nCOPY LICENSE /\n", vec!["LICENSE"]),
        // Addresses, checksums and repositories.
        (
            "FROM x:1\nADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://example.com/a.tgz /tmp/\n\
             ADD --keep-git-dir=true https://github.com/a/b.git#v1.2:sub /src\nADD git@github.com:a/b.git /b\nADD ssh://git@h/a.git /c\nADD --unpack=true docs /d\n",
            vec!["docs/index.md"],
        ),
        (
            "FROM x:1\nADD --checksum=be1f38e https://github.com/a/b.git#v1 /b\nCOPY LICENSE /\n\
             ADD --checksum=be1f38efe73c6a93cc429a0488ad6e1db663398c git@github.com:a/b.git /c\n",
            vec!["LICENSE"],
        ),
        (
            "FROM x:1\nARG SUM=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d\n\
             ADD --checksum=$SUM https://example.com/a.tgz /tmp/\nADD --checksum=${SUM} https://example.com/b.tgz /tmp/\nCOPY LICENSE /\n",
            vec!["LICENSE"],
        ),
        // Variables that the official images set. Nothing of the context depends on them.
        (
            "FROM rust:1.80 AS rust\nRUN --mount=type=cache,target=$CARGO_HOME/registry,id=$TARGETARCH cargo build\n\
             RUN --mount=type=tmpfs,target=${HOME}/x --mount=type=secret,id=x,target=${HOME}/.netrc make\n\
             FROM golang:1.22 AS go\nRUN --mount=type=Cache,sharing=Locked,target=$GOPATH/pkg/mod --mount=type=bind,source=go.mod,target=$GOPATH/go.mod go build\n\
             FROM golang:1.22\nCOPY --from=go $GOPATH/bin/x $GOPATH/bin/\n\
             COPY --from=rust /usr/local/lib/python${PYTHON_VERSION%.*}/site-packages ${CARGO_HOME}/bin/y /x/\n\
             ADD https://nodejs.org/dist/v${NODE_VERSION}/node.tar.gz /x/\nCOPY LICENSE /\n",
            vec!["LICENSE", "go.mod"],
        ),
        // What is put off comes with a stage that starts from it.
        (
            "FROM x:1 AS base\nONBUILD COPY package.json ./\nONBUILD RUN npm i\nONBUILD ADD docs /docs/\nFROM base\nCMD [\"x\"]\n",
            vec!["docs/index.md", "package.json"],
        ),
        // Old and odd forms.
        (
            "from x:1\nmaintainer Me <me@example.com>\nlabel a b\nenv A b c\nvolume [\"/data\", \"/log\"]\nvolume /a /b\nworkdir /w\nadd LICENSE .\n\
             healthcheck --interval=5m --timeout=3s CMD curl -f http://localhost/ || exit 1\nHEALTHCHECK NONE\nSTOPSIGNAL SIGRTMIN+3\n\
             SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nexpose 80 443/tcp 8000-8010/udp\ncmd echo hi\nentrypoint [ \"a\" , \"b\" ]\nuser 1000:1000\n",
            vec!["LICENSE"],
        ),
        // Tabs, blanks, comments and blank lines between continued ones.
        (
            "\n\n   # first\nFROM\tx:1\n\tCOPY\tLICENSE \t\\\n\n# why\n\t# indented\n\tgo.mod\\\n  \t/x/\nRUN a \\  \n  b\n",
            vec!["LICENSE", "go.mod"],
        ),
        ("\u{feff}FROM x:1\r\nCOPY LICENSE \\\r\n  /x\r\n# end", vec!["LICENSE"]),
        (
            "# escape=`\nFROM mcr.microsoft.com/windows/nanoserver:ltsc2022\nWORKDIR C:\\app\nCOPY LICENSE `\n  C:\\app\\\nRUN dir C:\\ `\n  # no\n  && echo\n",
            vec!["LICENSE"],
        ),
        (
            "# syntax = docker/dockerfile:1\n# escape = \\\n# check=skip=all\nFROM x:1\nCOPY LICENSE /\n",
            vec!["LICENSE"],
        ),
        (
            "#!/usr/bin/env docker build\nFROM x:1\n# escape=`\nCOPY LICENSE \\\n /\n",
            vec!["LICENSE"],
        ),
        // JSON, quotes and blanks.
        (
            "FROM x:1\nCOPY [\"scripts/run me.sh\", \"/bin/run\"]\n",
            vec!["scripts/run me.sh"],
        ),
        ("FROM x:1\nCOPY 'LICENSE' \"/a\"\n", vec!["LICENSE"]),
        (
            "FROM x:1\nCOPY scripts/run*me.sh docker/ngin?.conf /x/\n",
            vec!["docker/nginx.conf", "scripts/run me.sh"],
        ),
        (
            "FROM x:1\nCOPY docker/[^e]*.conf docker/entry*.s? /x/\n",
            vec!["docker/entrypoint.sh", "docker/nginx.conf"],
        ),
        // Variables.
        (
            "ARG BASE=x:1\nARG DIR=docs\nFROM ${BASE:-y:1} AS a\nARG DIR\nARG EXT=${DIR:+md}\nCOPY ${DIR}/index.${EXT} ./${DIR}/\nCOPY ${DIR/oc/oc}/ /d\nCOPY ${EXT#m}ocs /e\n",
            vec!["docs/index.md"],
        ),
        // Stages by number, in other letters, and images beside them.
        (
            "FROM x:1\nCOPY LICENSE /\nFROM x:1 AS Two\nCOPY --from=0 /LICENSE /\nFROM two\nCOPY --from=TWO /LICENSE /\nCOPY --from=busybox:1.36 /bin/sh /sh\n\
             RUN --mount=from=two,target=/t --mount=type=bind,from=alpine:3.20,source=/etc,target=/e ls\n",
            vec!["LICENSE"],
        ),
        (
            "FROM x:1 AS lint\nCOPY . .\nRUN lint\nFROM x:1 AS test\nCOPY missing .\nFROM x:1\nCOPY LICENSE .\n",
            vec!["LICENSE"],
        ),
        // Flags.
        (
            "FROM x:1\nCOPY --chown=node:node --chmod=u=rwX,go=rX --link=false docs/ /d/\nCOPY --chown=1000 --parents=true --link docker/nginx.conf /\n\
             RUN --network=none --security=sandbox make\n",
            vec!["docker/nginx.conf", "docs/index.md"],
        ),
    ] {
        let mut expected: Vec<&str> = expected;
        expected.sort_unstable();
        assert_eq!(names(&folder, text), expected, "{text}");
    }
    // A blank ends a word, escaped or not; and what is not declared may be set by the image.
    assert!(
        error(&folder, "FROM x:1\nCOPY scripts/run\\ me.sh /bin/run\n").contains("line 2: the source `scripts/run")
    );
    assert!(
        error(&folder, "ARG IMG\nFROM ${IMG:-x:1}\nCOPY ${UNDECLARED-LICENSE} /\n").contains(
            "line 3: the source `${UNDECLARED-LICENSE}`: the value of the variable `UNDECLARED` is not known here"
        )
    );
}

#[test]
fn usual_mistakes_are_refused_with_their_line() {
    let folder = folder(&FILES);
    for (text, part) in [
        ("FROM x:1\nCOPPY a b\n", "line 2: unknown instruction `COPPY`"),
        (
            "FROM x:1\nRUN apt-get update && \\\n    apt-get install\napt-get clean\n",
            "line 4: unknown instruction `APT-GET`",
        ),
        ("RUN a\nFROM x:1\n", "line 1: RUN comes before the first FROM"),
        (
            "FROM x:1\nRUN <<EOF\necho\nEOF2\n",
            "line 2: the heredoc `EOF` is not closed",
        ),
        (
            "FROM x:1\nHEALTHCHECK curl\n",
            "line 2: HEALTHCHECK is followed by CMD or NONE",
        ),
        (
            "FROM x:1\nHEALTHCHECK NONE now\n",
            "line 2: HEALTHCHECK NONE takes no arguments",
        ),
        ("FROM x:1\nSHELL /bin/bash\n", "line 2: SHELL must be a JSON list"),
        ("FROM x:1\nSTOPSIGNAL SIGNOPE\n", "line 2: `SIGNOPE` is not a signal"),
        ("FROM x:1\nEXPOSE 80/http\n", "line 2: `80/http` is not a port"),
        (
            "FROM x:1\nADD --checksum=md5:1 https://h/x /\n",
            "line 2: `--checksum=md5:1` is not a digest",
        ),
        (
            "FROM x:1\nADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d LICENSE /\n",
            "line 2: a checksum is for an address, and `LICENSE` is a path",
        ),
        (
            "FROM x:1\nADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://h/a https://h/b /x/\n",
            "line 2: a checksum is for one address",
        ),
        (
            "FROM x:1\nADD --checksum=main https://github.com/a/b.git /\n",
            "line 2: `--checksum=main` is no commit, which a git repository is checked by",
        ),
        ("FROM x:1\nCOPY LICENSE\n", "line 2: COPY needs a source and a target"),
        (
            "FROM golang\nRUN --mount=type=bind,source=$GOPATH/x,target=/x make\n",
            "line 2: the mount `type=bind,source=$GOPATH/x,target=/x`: the value of the variable `GOPATH` is not known here",
        ),
        (
            "FROM golang\nRUN --mount=type=secret,mode=$GOPATH make\n",
            "line 2: `--mount=type=secret,mode=$GOPATH`: a secret needs an `id`, a source or a target",
        ),
        ("FROM x:1 AS 1st\n", "line 1: `1st` cannot be the name of a stage"),
        (
            "FROM --platform=linux/x/y/z x:1\n",
            "line 1: `linux/x/y/z` is not a platform",
        ),
        (
            "FROM --platfrom=linux x:1\n",
            "line 1: FROM has no flag `--platfrom=linux`",
        ),
        ("FROM x:1\nLABEL a=b c\n", "line 2: `c` has no `=`"),
        (
            "FROM x:1\nONBUILD MAINTAINER me\n",
            "line 2: ONBUILD cannot contain MAINTAINER",
        ),
        (
            "FROM scratch\nRUN --mount=type=bind,source=LICENSE x\n",
            "line 2: `--mount=type=bind,source=LICENSE` needs a target",
        ),
        (
            "FROM x:1\nRUN --network=bridge x\n",
            "line 2: `--network=bridge` is unknown",
        ),
        (
            "FROM x:1\nCOPY \"LICENSE /x\n",
            "line 2: the source `\\\"LICENSE`: a double quote is not closed",
        ),
        ("FROM x:1\nVOLUME\n", "line 2: VOLUME needs an argument"),
    ] {
        let message = error(&folder, text);
        assert!(message.contains(part), "{text}\n{message}");
    }
}

#[test]
fn an_ignore_file_of_a_usual_project_is_followed() {
    let folder = folder(&FILES);
    for name in [
        ".git/HEAD",
        "node_modules/a/i.js",
        "apps/web/node_modules/b/i.js",
        "apps/web/.env",
        ".env.example",
        "a.log",
        "docs/b.log",
        "dist/x",
    ] {
        write(folder.path(), name, name);
    }
    write(
        folder.path(),
        ".dockerignore",
        "# comment\n.git\n**/node_modules\n*.log\n**/.env\n!.env.example\n/dist/\nDockerfile*\n.dockerignore\n\ndocs/*\n!docs/index.md\n",
    );
    write(folder.path(), "Dockerfile", "FROM x:1\nCOPY . .\n");
    let plan = try_plan(
        folder.path(),
        &Image::from_dockerfile(DockerfileSource::path("Dockerfile")),
    )
    .unwrap();
    let mut expected = FILES.to_vec();
    expected.push(".env.example");
    expected.sort_unstable();
    assert_eq!(plan.members().iter().map(Member::name).collect::<Vec<_>>(), expected);
}

#[test]
fn usual_dockerfiles_are_not_warned_of() {
    let folder = folder(&FILES);
    for text in [
        "FROM python:3.12-slim\nWORKDIR /app\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY docs docs\nENTRYPOINT [\"python\", \"-m\", \"app\"]\n",
        "ARG VERSION=1\nFROM x:${VERSION}\nARG VERSION\nRUN echo $VERSION ${HOME} $$\nCOPY package.json yarn.lock* ./\n",
        "FROM x:1\nRUN --mount=type=cache,target=/c make\nRUN <<EOF\necho $A\nEOF\n",
    ] {
        assert_eq!(warnings(&folder, &of_text(text)), Vec::<String>::new(), "{text}");
    }
}
