//! No secret in any output, and the key only where it may go.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use daytona_emulator::{
    Emulator, EmulatorService, Fault, Operation, SandboxScript, Script, SeededSnapshot, StorageOptions,
};
use daytona_sdk::transport::{RequestBody, ResponseBody, ServiceTransport, Transport, TransportError};
use daytona_sdk::{CreateSnapshotParams, Daytona, ErrorKind, PrunePolicy, RegistryParams};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{app_plan, folder, image_params, in_process};
use crate::traces::Traced;

/// Notes every secret that goes through it: keys, signatures, and the storage's credentials.
#[derive(Debug)]
struct Spy {
    inner: ServiceTransport<EmulatorService>,
    secrets: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Transport for Spy {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<ResponseBody>, TransportError> {
        let is_access = request.uri().path().ends_with("/push-access");
        let mut secrets = Vec::new();
        for name in ["authorization", "x-amz-security-token"] {
            let value = request.headers().get(name).map(|value| value.to_str().unwrap());
            secrets.extend(
                value
                    .and_then(|value| value.rsplit(['=', ' ']).next())
                    .map(ToOwned::to_owned),
            );
        }
        self.secrets.lock().unwrap().extend(secrets);
        let response = self.inner.send(request).await?;
        if !is_access {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let access: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let told = ["secret", "sessionToken"].map(|name| access[name].as_str().unwrap().to_owned());
        self.secrets.lock().unwrap().extend(told);
        let body = Full::new(bytes).map_err(|never| match never {});
        Ok(Response::from_parts(parts, body.boxed_unsync()))
    }
}

fn spied(options: StorageOptions, secrets: &Arc<Mutex<Vec<String>>>) -> (Emulator, Daytona) {
    let emulator = Emulator::builder().storage(options).in_process().unwrap();
    let spy = Spy {
        inner: ServiceTransport::new(emulator.service()),
        secrets: Arc::clone(secrets),
    };
    let client = Daytona::builder()
        .api_url(emulator.api_url())
        .api_key(emulator.api_key())
        .transport(spy)
        .build()
        .unwrap();
    (emulator, client)
}

#[tokio::test(start_paused = true)]
async fn a_whole_flow_at_the_finest_level_shows_none() {
    let secrets = Arc::default();
    let (_emulator, daytona) = spied(StorageOptions::new().expire_after_parts(0), &secrets);
    let (working, client) = spied(StorageOptions::new(), &secrets);
    let folder = folder(&["app/x"]);
    let plan = app_plan(folder.path());
    let traced = Traced::begin();
    let mut shown = Vec::new();
    {
        let params = || CreateSnapshotParams::new("x", &plan);
        let error = daytona.snapshots().create(params()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ObjectStorage);
        shown.push(format!("{error} {error:?} {:?}", std::error::Error::source(&error)));
        working.inject(Fault::status(503).on(Operation::GetSnapshot).times(3));
        working.inject(Fault::disconnect().on(Operation::PutObject));
        working.inject(Fault::truncate(20).on(Operation::ReadBuildLog));
        let snapshot = client.snapshots().create(params()).on_logs(|_| {}).await.unwrap();
        working.inject(Fault::status(503).on(Operation::GetAllSnapshots));
        client.snapshots().ensure(params()).await.unwrap();
        let pruned = client.snapshots().prune(PrunePolicy::keep_newest(1)).await.unwrap();
        shown.push(format!("{snapshot:?} {pruned:?} {client:?} {:?}", client.snapshots()));
        let snapshots = client.snapshots();
        shown.extend([
            format!("{:?}", snapshots.create(params())),
            format!("{:?}", snapshots.create(params()).events()),
            format!("{:?}", snapshots.ensure(params())),
            format!("{:?}", snapshots.list()),
            format!("{:?}", snapshots.list().stream()),
            format!("{:?}", snapshots.activate("x")),
            format!("{:?}", snapshots.deactivate("x")),
            format!("{:?}", snapshots.delete("x")),
            format!("{:?}", snapshots.wait("x")),
            format!("{:?}", snapshots.build_logs("x")),
            format!("{:?}", snapshots.build_logs("x").stream()),
            format!(
                "{:?}",
                Daytona::builder().api_url("http://h/api").api_key(working.api_key())
            ),
        ]);
        let other = CreateSnapshotParams::new("y", "a:1");
        shown.push(format!("{:?}", snapshots.create(other).start().await.unwrap()));
    }
    let (text, shown) = (traced.end(), shown.concat());
    assert!(
        text.contains("daytona.http") && text.contains("http.response.status_code=503"),
        "{text}"
    );
    assert!(
        text.contains("/context.tar") && text.contains("http.request.resend_count=1"),
        "the storage is traced too"
    );
    let secrets = secrets.lock().unwrap();
    assert!(secrets.len() > 20, "{}", secrets.len());
    for secret in secrets.iter() {
        assert!(!text.contains(secret), "a secret was traced");
        assert!(!shown.contains(secret), "a secret was shown");
    }
    for part in ["Signature=", "AWS4-HMAC", "Bearer "] {
        assert!(!text.contains(part) && !shown.contains(part), "{part}");
    }
}

/// The log address that the API names may be anywhere: the key goes there only over the same or a safer scheme.
#[tokio::test]
async fn the_key_goes_to_no_host_of_less_safety_and_follows_no_redirect() {
    let thief = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(200))
        .mount(&thief)
        .await;
    let api = MockServer::start().await;
    let snapshot =
        r#"{"id":"i","name":"x","state":"active","initialRunnerId":"r","buildInfo":{"dockerfileContent":"FROM a:1"}}"#;
    Mock::given(path("/api/snapshots/x"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(snapshot, "application/json"))
        .mount(&api)
        .await;
    let client = Daytona::builder()
        .api_url(format!("{}/api", api.uri()))
        .api_key("dtn_key")
        .build()
        .unwrap();
    for address in ["ftp://host/log", "not an address", "file:///etc/passwd", "javascript:0"] {
        let guard = Mock::given(path("/api/snapshots/i/build-logs-url"))
            .respond_with(ResponseTemplate::new(200).set_body_json(serde_json::json!({"url": address})))
            .mount_as_scoped(&api)
            .await;
        let error = client.snapshots().build_logs("x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{address}");
        drop(guard);
    }
    let moved = ResponseTemplate::new(307).insert_header("location", format!("{}/api/snapshots", thief.uri()));
    Mock::given(method("GET"))
        .and(path("/api/snapshots"))
        .respond_with(moved)
        .mount(&api)
        .await;
    let client = Daytona::builder()
        .api_url(format!("{}/api", api.uri()))
        .api_key("dtn_key");
    let error = client.build().unwrap().snapshots().list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotAnApi);
    assert!(thief.received_requests().await.unwrap().is_empty());
}

/// A runner or a build may repeat the password of a registry.
#[tokio::test(start_paused = true)]
async fn the_words_of_a_runner_hold_no_password_of_a_registry() {
    let (emulator, daytona) = in_process(Emulator::builder());
    let registry = RegistryParams::new("r", "https://ci:in-the-url@registry.example", "ci", "s3cret-s3cret");
    assert!(!format!("{registry:?}").contains("in-the-url"), "{registry:?}");
    let registry = RegistryParams::new("r", "registry.example", "ci", "s3cret-s3cret");
    daytona.registries().add(registry).await.unwrap();
    let words = "cannot pull https://ci:s3cret-s3cret@registry.example/x";
    emulator.script(Script::for_name("built").fails(words));
    emulator.add_snapshot(SeededSnapshot::from_image("web:1", "a:1"));
    emulator.script_sandboxes(SandboxScript::for_snapshot("web:1").fails(words));
    let errors = [
        daytona.snapshots().create(image_params("built")).await.unwrap_err(),
        daytona.snapshots().ensure(image_params("built")).await.unwrap_err(),
        daytona.snapshots().verify("web:1").await.unwrap_err(),
    ];
    for error in errors {
        let shown = format!("{error} {error:?} {} {:?}", error.report(), error.reason());
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(error.reason().unwrap().contains("[secret]"), "{shown}");
    }
}
