//! `quickstart`: its exit code and its one line for each thing that can be wrong.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;

use daytona_emulator::{Emulator, Operation, Script};
use daytona_sdk::{CreateSnapshotParams, Daytona, SnapshotState};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{self, run, text};

#[cfg(unix)]
fn program() -> std::path::PathBuf {
    support::program("quickstart")
}

fn quickstart() -> Command {
    support::example("quickstart")
}

/// Exit code 1, and a report that holds all of these parts: one line, and what belongs to it indented below.
async fn assert_fails(command: Command, parts: &[&str]) {
    let output = run(command).await;
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let mut lines = error.trim_end().lines();
    assert!(lines.next().is_some_and(|line| line.starts_with("error: ")), "{error}");
    assert!(lines.all(|line| line.starts_with("  ")), "one report: {error}");
    for part in parts {
        assert!(error.contains(part), "{part}: {error}");
    }
}

async fn assert_folder_fails(path: &Path, parts: &[&str]) {
    let mut command = quickstart();
    command.arg(path);
    assert_fails(command, parts).await;
}

/// As against the real service: the address and the key come from the environment.
fn against(url: &str, key: &str) -> Command {
    let mut command = quickstart();
    command.env("DAYTONA_API_URL", url).env("DAYTONA_API_KEY", key);
    command
}

fn client(emulator: &Emulator) -> Daytona {
    let client = Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key());
    client.build().unwrap()
}

#[tokio::test]
async fn the_sample_ends_active_and_deleted() {
    let output = run(quickstart()).await;
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    for part in [
        "The embedded emulator",
        "COPY [\"sample\", \"/home/daytona/app\"]",
        "sha256 ",
        "uploaded ",
        "building after",
        "| #1 [internal] load build definition from Dockerfile",
        "active after",
        "Delete quickstart-",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[tokio::test]
async fn the_sample_is_verified_where_that_is_asked_for() {
    let mut command = quickstart();
    command.arg("--verify");
    let output = run(command).await;
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    let place = |part: &str| shown.find(part).unwrap_or_else(|| panic!("{part}: {shown}"));
    assert!(
        place("active after") < place("starting sandbox daytona-sdk-verify-"),
        "{shown}"
    );
    assert!(place("it starts, ") < place("Delete quickstart-"), "{shown}");
}

/// Whatever AWS's own programs would read is not looked at: neither variables nor profiles, and nothing of them is sent.
#[tokio::test]
async fn nothing_of_aws_is_read() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    let profile = "[default]\naws_access_key_id = wrong\naws_secret_access_key = wrong\nregion = nowhere\nendpoint_url = http://127.0.0.1:9\n";
    for file in ["config", "credentials"] {
        fs::write(home.path().join(".aws").join(file), profile).unwrap();
    }
    let mut command = quickstart();
    command.env("HOME", home.path());
    for (name, value) in [
        ("ACCESS_KEY_ID", "wrong"),
        ("SECRET_ACCESS_KEY", "wrong"),
        ("SESSION_TOKEN", "wrong"),
        ("REGION", "nowhere"),
        ("DEFAULT_REGION", "nowhere"),
        ("PROFILE", "none"),
        ("ENDPOINT_URL", "http://127.0.0.1:9"),
        ("ENDPOINT_URL_S3", "http://127.0.0.1:9"),
        ("CONFIG_FILE", "/nonexistent/config"),
        ("SHARED_CREDENTIALS_FILE", "/nonexistent/credentials"),
        ("CA_BUNDLE", "/nonexistent/ca.pem"),
        ("USE_FIPS_ENDPOINT", "true"),
        ("USE_DUALSTACK_ENDPOINT", "true"),
        ("REQUEST_CHECKSUM_CALCULATION", "when_supported"),
        ("MAX_ATTEMPTS", "1"),
        ("WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token"),
        ("CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9"),
        ("EXECUTION_ENV", "leaked"),
        ("LAMBDA_FUNCTION_NAME", "leaked"),
    ] {
        command.env(format!("AWS_{name}"), value);
    }
    let output = run(command).await;
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("uploaded ") && shown.contains("active after"), "{shown}");
}

#[tokio::test]
async fn any_folder_will_do() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..300 {
        let sub = folder.path().join(format!("folder {}", index % 7));
        fs::create_dir_all(&sub).unwrap();
        fs::write(sub.join(format!("é{index}")), index.to_string()).unwrap();
    }
    let mut command = quickstart();
    command.arg(folder.path());
    let output = run(command).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("  300 files, "),
        "{}",
        text(&output.stdout)
    );
}

#[tokio::test]
async fn the_service_named_by_the_environment_is_announced_and_left_clean() {
    let emulator = Emulator::start().await.unwrap();
    let output = run(against(&emulator.api_url(), emulator.api_key())).await;
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    let announcement = shown
        .find(&format!(
            "Daytona at {}: a snapshot will be created",
            emulator.api_url()
        ))
        .unwrap();
    assert!(announcement < shown.find("Create quickstart-").unwrap());
    let deleted = emulator
        .requests()
        .into_iter()
        .filter(|request| request.operation == Operation::RemoveSnapshot)
        .count();
    assert_eq!(deleted, 1);
    assert!(!shown.contains(emulator.api_key()));
}

/// What had to be made again has another id: that one is deleted at the end.
#[tokio::test]
async fn what_was_made_again_is_deleted_too() {
    let emulator = Emulator::start().await.unwrap();
    let twin = "An operation is already in progress for this resource";
    emulator.script(Script::for_name("quickstart-*").times(1).fails(twin));
    let output = run(against(&emulator.api_url(), emulator.api_key())).await;
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("made again, under another id: "), "{shown}");
    let left = client(&emulator).snapshots().list().await.unwrap().items;
    assert!(
        left.iter().all(|snapshot| snapshot.state == SnapshotState::Removing),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nope");
    assert_folder_fails(
        &path,
        &[&path.display().to_string(), "does not exist: check the spelling"],
    )
    .await;
}

#[tokio::test]
async fn an_empty_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    assert_folder_fails(
        folder.path(),
        &[&folder.path().display().to_string(), "contains no file", "mkdir -p"],
    )
    .await;
}

#[tokio::test]
#[cfg(unix)]
async fn an_unreadable_file_is_named() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;

    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "x").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = quickstart();
    command.arg(folder.path());
    // The superuser may read everything: be somebody else then, from a copy of the program that everybody can reach.
    let is_superuser = fs::metadata(folder.path()).unwrap().uid() == 0;
    if is_superuser {
        let copy = folder.path().join("quickstart");
        fs::copy(program(), &copy).unwrap();
        let arguments = folder.path().to_owned();
        command = Command::new(copy);
        command
            .env_clear()
            .arg(arguments)
            .uid(65_534)
            .gid(65_534)
            .current_dir("/");
    }
    assert_fails(
        command,
        &[&secret.display().to_string(), "cannot be read: check its permissions"],
    )
    .await;
}

#[tokio::test]
async fn a_wrong_key_is_named_but_not_shown() {
    let emulator = Emulator::start().await.unwrap();
    let command = against(&emulator.api_url(), "dtn_wrong_key");
    let output = run(against(&emulator.api_url(), "dtn_wrong_key")).await;
    assert!(!text(&output.stderr).contains("dtn_wrong_key"));
    assert_fails(
        command,
        &["Invalid credentials", &emulator.api_url(), "check the API key"],
    )
    .await;
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_named() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/api", listener.local_addr().unwrap());
    drop(listener);
    assert_fails(against(&url, "dtn_key"), &[&url, "no connection could be made"]).await;
}

#[tokio::test]
async fn an_address_that_answers_with_a_web_page_is_named() {
    let server = MockServer::start().await;
    let page = ResponseTemplate::new(200).set_body_raw("<!DOCTYPE html><html></html>", "text/html");
    Mock::given(any()).respond_with(page).mount(&server).await;
    assert_fails(
        against(&server.uri(), "dtn_key"),
        &[&server.uri(), "is not the Daytona API", "check the API URL"],
    )
    .await;
}

#[tokio::test]
async fn an_address_that_is_none_is_named() {
    assert_fails(
        against("daytona.example/api", "dtn_key"),
        &["`daytona.example/api`", "https://app.daytona.io/api"],
    )
    .await;
}

#[tokio::test]
async fn a_name_that_is_taken_is_named_and_left_alone() {
    let emulator = Emulator::start().await.unwrap();
    let daytona = client(&emulator);
    let taken = daytona
        .snapshots()
        .create(CreateSnapshotParams::new("taken", "a:1"))
        .start()
        .await
        .unwrap();
    let mut command = against(&emulator.api_url(), emulator.api_key());
    command.args(["--name", "taken"]);
    assert_fails(command, &["`taken` is taken", "already exists", "choose another name"]).await;
    assert_eq!(daytona.snapshots().get("taken").await.unwrap().id, *taken.id());
}

#[tokio::test]
async fn an_image_without_a_tag_is_named() {
    let mut command = quickstart();
    command.args(["--image", "ubuntu"]);
    assert_fails(command, &["`ubuntu`", "needs a tag such as `:22.04`"]).await;
}

#[tokio::test]
#[cfg(unix)]
async fn an_interrupt_deletes_what_was_created() {
    let emulator = Emulator::builder()
        .build_time(std::time::Duration::from_hours(1))
        .start()
        .await
        .unwrap();
    let mut command = against(&emulator.api_url(), emulator.api_key());
    let mut child = command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // Its first poll shows that it waits for the build.
    while !emulator
        .requests()
        .iter()
        .any(|request| request.operation == Operation::GetSnapshot)
    {
        tokio::task::yield_now().await;
    }
    Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap())
        .await
        .unwrap();
    assert_eq!(status.code(), Some(130));
    assert!(
        emulator
            .requests()
            .iter()
            .any(|request| request.operation == Operation::RemoveSnapshot)
    );
}
