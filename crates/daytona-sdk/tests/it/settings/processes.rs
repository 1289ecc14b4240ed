//! What a process of its own makes of its environment.

use std::process::Command;

use daytona_emulator::Emulator;
use daytona_sdk::Daytona;

use super::{builder, server};
use crate::support::on_socket;

/// What is stored elsewhere, or logged elsewhere, may need a proxy that the API does not.
#[tokio::test]
async fn a_proxy_that_cannot_be_used_is_named_when_it_would_be() {
    let server = server().await;
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "settings::processes::child_that_asks", "--nocapture"])
        .env_clear()
        .env("all_proxy", "socks5://user:secret@p:1")
        .env("no_proxy", "127.0.0.1")
        .env("DAYTONA_API_KEY", "dtn_key")
        .env("DAYTONA_API_URL", format!("{}/api", server.uri()))
        .output();
    let text = String::from_utf8_lossy(&child.unwrap().stdout).into_owned();
    assert!(text.contains("list: Ok"), "{text}");
    assert!(
        text.contains("log: Err((Config") && text.contains("`all_proxy` is a `socks5` address"),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
}

/// Run by the test above. The log lies on a host for which there is no proxy that can be used.
#[tokio::test]
async fn child_that_asks() {
    let Ok(client) = Daytona::from_env() else { return };
    let listed = client
        .snapshots()
        .list()
        .await
        .map(|_| ())
        .map_err(|error| error.to_string());
    println!("list: {listed:?}");
    let read = client.snapshots().build_logs("x").await;
    println!("log: {:?}", read.map_err(|error| (error.kind(), error.to_string())));
}

/// Run by the test after it, in a process without certificates; in one with certificates it tests nothing but http.
#[tokio::test]
async fn child_without_certificates() {
    let (emulator, _) = on_socket(Emulator::builder()).await;
    let http = builder(&emulator.api_url())
        .api_key(emulator.api_key())
        .build()
        .unwrap();
    http.snapshots().list().await.unwrap();
    let https = builder("https://127.0.0.1:1/api").build();
    println!(
        "https: {:?}",
        https.err().map(|error| (error.kind(), error.to_string()))
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_machine_without_certificates_can_use_http() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "settings::processes::child_without_certificates",
            "--nocapture",
        ])
        .env("SSL_CERT_FILE", "/nowhere/certificates.pem")
        .env("SSL_CERT_DIR", "/nowhere")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success(), "{text}");
    assert!(
        text.contains("https: Some((Config") && text.contains("ca-certificates"),
        "{text}"
    );
}

/// The environment of a process of its own: what is set counts, and a hostile file beside it does not.
#[test]
fn the_environment_sets_up_a_client() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join(".env"),
        "DAYTONA_API_KEY=stolen\nDAYTONA_API_URL=http://thief/api\n",
    )
    .unwrap();
    let child = |variables: &[(&str, &str)]| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            "settings::processes::child_with_an_environment",
            "--nocapture",
        ]);
        command
            .env_clear()
            .envs(variables.iter().copied())
            .current_dir(folder.path());
        String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
    };
    let text = child(&[("DAYTONA_API_KEY", "dtn_secret"), ("DAYTONA_API_URL", "http://h/api/")]);
    assert!(
        text.contains("client: Ok(\"http://h/api\")") && !text.contains("dtn_secret"),
        "{text}"
    );
    let text = child(&[]);
    assert!(text.contains("no credentials") && !text.contains("stolen"), "{text}");
    let text = child(&[
        ("DAYTONA_API_KEY", "k"),
        ("https_proxy", "ftp://p"),
        ("DAYTONA_API_URL", "https://h/api"),
    ]);
    assert!(text.contains("the proxy of `https_proxy` is a `ftp` address"), "{text}");
    // One that is never used is no error.
    let text = child(&[
        ("DAYTONA_API_KEY", "k"),
        ("all_proxy", "socks5://p:1"),
        ("http_proxy", "http://p:1"),
        ("DAYTONA_API_URL", "http://h/api"),
    ]);
    assert!(text.contains("client: Ok"), "{text}");
}

/// Run by the test above.
#[test]
fn child_with_an_environment() {
    let client = Daytona::from_env();
    println!(
        "client: {:?}",
        client
            .map(|client| client.api_url().to_owned())
            .map_err(|error| error.to_string())
    );
}
