//! The emulator as a program.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::http::{address, ask};
use crate::image::archive;

/// A running program, which is killed with the test.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    pub(crate) admin_key: String,
    /// What it leaves behind when it is killed.
    _scratch: tempfile::TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Program {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::run(&mut command(arguments))
    }

    pub(crate) fn run(command: &mut Command) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let mut child = command.env("TMPDIR", scratch.path()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut variable = |name: &str| {
            let line = lines.next().unwrap().unwrap();
            let start = if cfg!(windows) {
                format!("$env:{name}=")
            } else {
                format!("export {name}=")
            };
            line.strip_prefix(&start).unwrap().trim_matches('"').to_owned()
        };
        let url = variable("DAYTONA_API_URL");
        Self {
            address: address(&url),
            key: variable("DAYTONA_API_KEY"),
            admin_key: variable("DAYTONA_EMULATOR_ADMIN_KEY"),
            child,
            _scratch: scratch,
        }
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> serde_json::Value {
        let headers = format!(
            "authorization: Bearer {}\r\ncontent-type: application/json\r\n",
            self.key
        );
        let answer = ask(self.address, method, path, &headers, body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// Its log, once it has ended.
    #[cfg(unix)]
    pub(crate) fn log(mut self) -> String {
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        std::io::Read::read_to_string(&mut stderr, &mut log).unwrap();
        log
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daytona-emulator"));
    command
        .args(arguments)
        .env_remove("DAYTONA_EMULATOR_API_KEY")
        .env_remove("DAYTONA_EMULATOR_ADMIN_KEY")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What it says, and how it ends.
fn refused(arguments: &[&str]) -> String {
    let output = command(arguments).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn what_was_kept_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").to_str().unwrap().to_owned();
    let bytes = archive(&[("app.py", 0o644, b"print()")]);
    let (key, first) = {
        let program = Program::start(&["--data-dir", &data, "--trust-hashes"]);
        let bearer = format!("authorization: Bearer {}\r\n", program.admin_key);
        assert_eq!(ask(program.address, "GET", "/_emulator", &bearer, "").await.status, 200);
        put_archive(Path::new(&data), &program.organization().await, "one", &bytes);
        drop(program);
        // The archive lies in the folder now: a new process finds it, and builds from it.
        let program = Program::start(&["--data-dir", &data, "--trust-hashes"]);
        let body = json!({"name": "x", "buildInfo": {"dockerfileContent": "FROM scratch\nCOPY app.py /app.py\n", "contextHashes": ["one"]}});
        let created = program.ask("POST", "/api/snapshots", &body.to_string()).await;
        (program.key.clone(), created["id"].clone())
        // Killed here, in the middle of the build.
    };
    let program = Program::start(&["--data-dir", &data, "--trust-hashes", "--speed", "50"]);
    assert_eq!(program.key, key);
    let mut state = String::new();
    for _ in 0..2_000 {
        let body = program.ask("GET", "/api/snapshots/x", "").await;
        assert_eq!(body["id"], first);
        body["state"].as_str().unwrap().clone_into(&mut state);
        if state == "active" {
            break;
        }
    }
    assert_eq!(state, "active");
    drop(program);
    // What is known of its image is worked out again.
    let program = Program::start(&["--data-dir", &data, "--trust-hashes"]);
    let bearer = format!("authorization: Bearer {}\r\n", program.admin_key);
    let image = ask(program.address, "GET", "/_emulator/images/x", &bearer, "")
        .await
        .json();
    assert_eq!(image["files"][0]["path"], "/app.py");
}

impl Program {
    async fn organization(&self) -> String {
        let created = self
            .ask("POST", "/api/snapshots", "{\"name\":\"o\",\"imageName\":\"a:1\"}")
            .await;
        created["organizationId"].as_str().unwrap().to_owned()
    }
}

/// An object as the emulator keeps it.
fn put_archive(data: &Path, organization: &str, hash: &str, bytes: &[u8]) {
    use sha2::{Digest, Sha256};

    let key = format!("{organization}/{hash}/context.tar");
    let objects = data.join("objects");
    std::fs::write(objects.join(format!("{hash}.data")), bytes).unwrap();
    let entry = json!({"key": key, "size": bytes.len(), "etag": "x", "data": format!("{hash}.data")});
    let name = format!("{}.json", hex::encode(Sha256::digest(&key)));
    std::fs::write(objects.join(name), entry.to_string()).unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_stops_it_cleanly_and_its_log_can_be_read() {
    let mut program = Program::start(&[]);
    program.ask("GET", "/api/snapshots?limit=1", "").await;
    let pid = program.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(program.child.wait().unwrap().success());
    let (key, admin_key) = (program.key.clone(), program.admin_key.clone());
    let log = program.log();
    assert!(
        log.contains("200 ") && log.contains("GET /api/snapshots?limit=1"),
        "{log}"
    );
    assert!(
        log.contains("serving until Ctrl-C; RUN steps are not executed") && log.trim_end().ends_with("stopped"),
        "{log}"
    );
    assert!(!log.contains(&key) && !log.contains(&admin_key), "{log}");
}

#[test]
fn what_cannot_be_done_is_said_with_a_way_out() {
    let none = "--engine=nothing";
    assert!(refused(&[none]).contains("use docker, podman or buildah"));
    assert!(refused(&["--speed", "0"]).contains("the speed must be from 0.001 to 1000000, but is 0"));
    assert!(refused(&["--api-key", ""]).contains("the API key is empty"));
    assert!(refused(&["--admin-key", "a b"]).contains("the admin key may contain only visible ASCII"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = refused(&["--port", &port]);
    assert!(said.contains(&format!("cannot serve on 127.0.0.1:{port}: ")), "{said}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("state.json"), "{").unwrap();
    let said = refused(&["--data-dir", folder.path().to_str().unwrap()]);
    assert!(said.contains("state.json is not the state of an emulator"), "{said}");
    let file = folder.path().join("state.json/below");
    let said = refused(&["--data-dir", file.to_str().unwrap()]);
    assert!(said.contains("state.json/below"), "{said}");
}

#[test]
fn an_engine_that_is_not_there_is_named() {
    // With nothing on its path, no engine is found.
    let output = command(&["--engine", "podman"])
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("podman cannot be started"),
        "{said}"
    );
    assert!(said.contains("leave out --engine"), "{said}");
}

#[test]
fn leaving_the_loopback_is_warned_of() {
    // An address for documentation, which no machine has: nothing is opened to anybody.
    let said = refused(&["--bind", "192.0.2.1"]);
    assert!(
        said.contains("warning: 192.0.2.1:0 is not a loopback address"),
        "{said}"
    );
}

/// A stand-in for podman: it says what the context holds, and fails if it is told to.
#[cfg(unix)]
#[tokio::test]
async fn an_engine_builds_from_the_context_and_its_outcome_counts() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let script = "#!/bin/sh\n[ \"$1\" = info ] && exit 0\nfor last; do :; done\necho 'STEP 1/2: FROM a:1'\nread text < \"$last/run.sh\"\n\
                  echo \"STEP 2/2: RUN it\"\necho \"it says $text\"\n[ -x \"$last/run.sh\" ] && echo 'Error: building at STEP \"RUN it\": exit status 3' >&2 && exit 1\nexit 0\n";
    let podman = folder.path().join("podman");
    std::fs::write(&podman, script).unwrap();
    std::fs::set_permissions(&podman, std::fs::Permissions::from_mode(0o755)).unwrap();
    let data = folder.path().join("data");
    let program = Program::start(&["--data-dir", data.to_str().unwrap()]);
    let organization = program.organization().await;
    drop(program);
    put_archive(&data, &organization, "good", &archive(&[("run.sh", 0o644, b"hello\n")]));
    put_archive(&data, &organization, "bad", &archive(&[("run.sh", 0o755, b"hello\n")]));
    let mut command = command(&["--engine", "podman", "--data-dir", data.to_str().unwrap()]);
    let program = Program::run(command.env("PATH", folder.path()));
    for (name, outcome) in [
        ("good", ""),
        (
            "bad",
            "process \"/bin/sh -c it\" did not complete successfully: exit code: 3",
        ),
    ] {
        let info = json!({"dockerfileContent": format!("FROM a:1\n#{name}\nRUN it\n"), "contextHashes": [name]});
        let created = program
            .ask(
                "POST",
                "/api/snapshots",
                &json!({"name": name, "buildInfo": info}).to_string(),
            )
            .await;
        let mut reason = None;
        for _ in 0..20_000 {
            let body = program.ask("GET", &format!("/api/snapshots/{name}"), "").await;
            if matches!(body["state"].as_str(), Some("active" | "error")) {
                reason = Some(body["errorReason"].as_str().unwrap_or_default().to_owned());
                break;
            }
        }
        assert_eq!(reason.as_deref(), Some(outcome), "{name}");
        let headers = format!("authorization: Bearer {}\r\n", program.key);
        let path = format!("/snapshots/{}/build-logs", created["id"].as_str().unwrap());
        let log = ask(program.address, "GET", &path, &headers, "").await.body;
        assert!(
            log.contains("#1 [1/2] FROM a:1") && log.contains(" it says hello"),
            "{log}"
        );
    }
}

/// What a client does wrong is in its answer, not twice more in the log.
#[cfg(unix)]
#[tokio::test]
async fn a_clients_mistake_is_no_error_of_the_emulator() {
    for arguments in [&[][..], &["--quiet"]] {
        let mut program = Program::start(arguments);
        let signed = "authorization: AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, \
                      Signature=00\r\nx-amz-date: 20260101T000000Z\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n";
        for head in [signed, ""] {
            let refused = ask(program.address, "PUT", "/daytona/org/hash/context.tar", head, "x").await;
            assert!((400..500).contains(&refused.status), "{refused:?}");
        }
        let pid = program.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        program.child.wait().unwrap();
        let log = program.log();
        assert!(!log.contains("error") && !log.contains("warning"), "{log}");
        assert_eq!(
            log.contains("PUT /daytona/org/hash/context.tar"),
            arguments.is_empty(),
            "{log}"
        );
    }
}

/// A stand-in for podman that builds forever: it ends with the emulator.
#[cfg(unix)]
#[tokio::test]
async fn a_build_of_an_engine_ends_with_the_program() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = info ] && exit 0\necho $$ > {0}.new\n/bin/mv {0}.new {0}\nexec /bin/sleep 1000\n",
        pid.display()
    );
    let podman = folder.path().join("podman");
    std::fs::write(&podman, script).unwrap();
    std::fs::set_permissions(&podman, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut program = Program::run(command(&["--engine", "podman"]).env("PATH", folder.path()));
    let info = json!({"dockerfileContent": "FROM a:1\n"});
    let body = json!({"name": "x", "buildInfo": info}).to_string();
    program.ask("POST", "/api/snapshots", &body).await;
    let engine = loop {
        // Asked so that the time goes on.
        program.ask("GET", "/api/snapshots/x", "").await;
        if let Ok(text) = std::fs::read_to_string(&pid) {
            break text.trim().to_owned();
        }
    };
    let is_there = |pid: &str| {
        let asked = Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status();
        asked.unwrap().success()
    };
    assert!(is_there(&engine));
    let own = program.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &own]).status().unwrap().success());
    program.child.wait().unwrap();
    // A process that was killed is there until its parent, by now another, has heard of it.
    let mut is_gone = false;
    for _ in 0..2_000 {
        is_gone = !is_there(&engine);
        if is_gone {
            break;
        }
    }
    assert!(is_gone, "the engine builds on");
}
