//! The small examples: each runs offline, ends well, and shows what it promises to show.

use std::time::Duration;

use daytona_emulator::{Emulator, SeededSnapshot};
use daytona_sdk::{Daytona, SnapshotState};

use crate::support::{example, run, text};

/// What an example prints; it has to succeed.
async fn output(name: &str) -> String {
    let output = run(example(name)).await;
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{name}: {shown}{}", text(&output.stderr));
    shown
}

/// Checks that the parts come, in this order.
fn check(shown: &str, parts: &[&str]) {
    let mut rest = shown;
    for part in parts {
        let place = rest
            .find(part)
            .unwrap_or_else(|| panic!("no `{part}` in its place in:\n{shown}"));
        rest = &rest[place + part.len()..];
    }
}

#[tokio::test]
async fn build_logs() {
    let shown = output("build_logs").await;
    check(
        &shown,
        &[
            "following logs-",
            "| #1 [internal]",
            "1 failed: test_login",
            "failed (error)",
            "the last of 20 lines",
            "read again: 44 lines",
        ],
    );
}

#[tokio::test]
async fn capture() {
    let shown = output("capture").await;
    check(
        &shown,
        &[
            "refused: `prepared/` is not a name",
            "prepared:1 is active",
            "used by first-user, which is started",
        ],
    );
}

#[tokio::test]
async fn verify() {
    let shown = output("verify").await;
    check(
        &shown,
        &[
            "started daytona-sdk-verify-",
            "worker is active and starts",
            "a sandbox of snapshot `job` does not start: sandbox exited with code 0",
            "what helps: the snapshot's entrypoint is `python -c print('done')`, and it exited",
            "sandboxes: 0",
            "swept: 0",
        ],
    );
}

#[tokio::test]
async fn ensure() {
    let shown = output("ensure").await;
    check(
        &shown,
        &[
            "both have worker-",
            ": true",
            "with 1 request",
            "refused:",
            "ends before line 7",
            "another id, true",
            "deleted worker-",
        ],
    );
}

#[tokio::test]
async fn error_handling() {
    let shown = output("error_handling").await;
    let kinds = [
        "invalid_image:",
        "unauthorized:",
        "already_exists:",
        "build_failed:",
        "wait_timeout:",
    ];
    check(&shown, &kinds);
    check(
        &shown,
        &[
            "no/such/folder",
            "the command is empty",
            "it is Some(Active)",
            "exit code: 1",
            "resumed: active",
            "after two 503: active",
        ],
    );
    assert!(!shown.contains("dtn_wrong"), "{shown}");
}

#[tokio::test]
async fn blocking() {
    check(
        &output("blocking").await,
        &[
            "| #1 [internal]",
            "plain-",
            " is active",
            "listed: plain-",
            "its name is free",
        ],
    );
}

#[tokio::test]
async fn prune() {
    let shown = output("prune").await;
    check(
        &shown,
        &[
            "would delete ci-1 (error)",
            "would delete ci-4",
            "would keep 5",
            "deleted 4, changed meanwhile 0",
        ],
    );
    assert!(shown.contains("would keep ci-6 (active)"), "{shown}");
    assert!(shown.contains("would keep production (active)"), "{shown}");
}

#[tokio::test]
async fn private_image() {
    let shown = output("private_image").await;
    check(
        &shown,
        &[
            "no credentials for registry.example",
            "registry team at",
            "app is active",
        ],
    );
    assert!(!shown.contains("a-token"), "{shown}");
}

#[tokio::test]
async fn list() {
    check(
        &output("list").await,
        &["page 1 of 2: app-000, app-001", "250 snapshots, each of them once"],
    );
}

#[tokio::test]
async fn tracing() {
    let shown = output("tracing").await;
    check(
        &shown,
        &[
            "createSnapshot",
            "http.request.method",
            "503",
            "http.request.resend_count",
            "traced-",
            " is active",
        ],
    );
    assert!(!shown.to_lowercase().contains("authorization"), "{shown}");
}

/// The emulator plays the real service here: they go to it, say so, and leave it as it was.
#[tokio::test]
async fn examples_run_where_the_key_points() {
    let emulator = Emulator::builder().start().await.unwrap();
    for name in ["ci-0", "ci-1", "ci-2", "ci-3", "production"] {
        let month = Duration::from_hours(24 * 30);
        let created = emulator.clock().now() - month;
        emulator.add_snapshot(SeededSnapshot::from_image(name, "a:1").created(created));
    }
    let daytona = Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key())
        .build()
        .unwrap();
    let count = async || daytona.snapshots().list().await.unwrap().items.len();
    assert_eq!(count().await, 5);
    for name in ["blocking", "build_logs", "ensure", "list", "prune", "tracing"] {
        let mut command = example(name);
        command
            .env("DAYTONA_API_KEY", emulator.api_key())
            .env("DAYTONA_API_URL", emulator.api_url());
        let output = run(command).await;
        let shown = text(&output.stdout);
        assert!(output.status.success(), "{name}: {shown}{}", text(&output.stderr));
        assert!(
            shown.contains(&format!("Daytona at {}: ", emulator.api_url())),
            "{name}: {shown}"
        );
        assert_eq!(count().await, 5, "{name}: {shown}");
    }
    let mut command = example("prune");
    command
        .arg("--apply")
        .env("DAYTONA_API_KEY", emulator.api_key())
        .env("DAYTONA_API_URL", emulator.api_url());
    check(&text(&run(command).await.stdout), &["would delete ci-", "deleted 1"]);
    let left = daytona.snapshots().list().await.unwrap().items;
    let left = left.iter().filter(|snapshot| snapshot.state != SnapshotState::Removing);
    assert_eq!(left.count(), 4);
}
