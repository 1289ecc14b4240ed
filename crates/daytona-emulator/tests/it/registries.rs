//! Private images, where they are more than the recordings show.

use std::time::Duration;

use daytona_emulator::Script;
use serde_json::json;

use crate::support::Asked;

/// A Dockerfile, the hosts of the registries that there are, and the image that is refused.
const BUILDS: [(&str, &[&str], Option<&str>); 11] = [
    ("FROM registry.example/team/app:1", &["registry.example"], None),
    (
        "FROM registry.example/team/app:1",
        &["other.example"],
        Some("registry.example/team/app:1"),
    ),
    (
        "FROM a:1 AS a\nFROM registry.example/team/app:1\nCOPY --from=a /a /a",
        &[],
        Some("registry.example/team/app:1"),
    ),
    (
        "ARG HOST=registry.example\nFROM ${HOST}/team/app:1",
        &[],
        Some("registry.example/team/app:1"),
    ),
    // A stage that nothing needs is not built.
    ("FROM registry.example/team/app:1 AS a\nFROM a:1", &[], None),
    // Files are taken from images, too. Their names do not decide whether credentials are given.
    (
        "FROM registry.example/public:1\nCOPY --from=registry.example/team/app:1 /a /a",
        &["registry.example"],
        None,
    ),
    (
        "FROM a:1\nCOPY --from=registry.example/team/app:1 /a /a",
        &["registry.example"],
        Some("registry.example/team/app:1"),
    ),
    (
        "FROM a:1\nRUN --mount=from=registry.example/team/app:1,target=/b make",
        &[],
        Some("registry.example/team/app:1"),
    ),
    // Without a host no credentials are given at all; with one, all of them.
    ("FROM acme/app:1", &["docker.io"], Some("acme/app:1")),
    ("FROM docker.io/acme/app:1", &["docker.io"], None),
    (
        "FROM registry.example/public:1 AS a\nFROM acme/app:1\nCOPY --from=a /a /a",
        &["docker.io"],
        None,
    ),
];

#[tokio::test(start_paused = true)]
async fn a_build_does_not_begin_with_an_image_that_it_has_no_credentials_for() {
    for (dockerfile, hosts, refused) in BUILDS {
        let asked = Asked::new();
        asked.emulator.require_credentials("registry.example/team");
        asked.emulator.require_credentials("docker.io/acme");
        for host in hosts {
            let registry = json!({"name": host, "url": host, "username": "u", "password": "p"});
            let (status, made) = asked.ask("POST", "/docker-registry", Some(registry)).await;
            assert_eq!(status, 201, "{made}");
        }
        let info = json!({"dockerfileContent": format!("{dockerfile}\nENV LATER=1\n")});
        // A refusal does not take as long as the build would.
        asked
            .emulator
            .script(Script::for_name("built").takes(Duration::from_mins(10)));
        let (_, made) = asked.create(json!({"name": "built", "buildInfo": info})).await;
        let time = if refused.is_some() { 1 } else { 15 };
        tokio::time::sleep(Duration::from_mins(time)).await;
        let (_, now) = asked.get(&format!("/snapshots/{}", made["id"].as_str().unwrap())).await;
        let Some(image) = refused else {
            assert_eq!(now["state"], "active", "{dockerfile}: {now}");
            continue;
        };
        assert_eq!(now["state"], "error", "{dockerfile}: {now}");
        let reason = now["errorReason"].as_str().unwrap();
        assert!(
            reason.starts_with(&format!("{image}: ")) && reason.contains("unauthorized"),
            "{reason}"
        );
        assert!(asked.emulator.image("built").await.is_none(), "{dockerfile}");
    }
}
