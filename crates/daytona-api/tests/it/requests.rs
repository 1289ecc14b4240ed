//! How operations become requests.

use daytona_api::{
    ActivateSnapshot, CreateBuildInfo, CreateRegistry, CreateSandbox, CreateSandboxSnapshot, CreateSnapshot,
    DeactivateSnapshot, DeleteRegistry, DeleteSandbox, GetAllSnapshots, GetCurrentApiKey, GetPushAccess, GetRegionById,
    GetRegistry, GetRegistryPushAccess, GetSandbox, GetSnapshot, GetSnapshotBuildLogs, GetSnapshotBuildLogsUrl,
    GpuType, Health, ListAvailableRegions, ListRegistries, ListSandboxes, ListSharedRegions, Operation, RegistryUpdate,
    RemoveSnapshot, RequestError, SandboxCapture, SandboxSort, SnapshotSort, SortOrder, UpdateRegistry,
};
use http::Method;

const BASE: &str = "https://h/api";

fn uri(operation: &impl Operation) -> String {
    operation.to_request(BASE).unwrap().uri().to_string()
}

#[test]
fn a_name_is_one_segment_whatever_is_in_it() {
    for (name, path) in [
        ("org/x:1.0", "/snapshots/org%2Fx%3A1.0"),
        ("with blank", "/snapshots/with%20blank"),
        ("a+b?c#d%e", "/snapshots/a%2Bb%3Fc%23d%25e"),
        ("é", "/snapshots/%C3%A9"),
        ("plain-1.0_x~", "/snapshots/plain-1.0_x~"),
    ] {
        assert_eq!(GetSnapshot::new(name).path(), path);
        assert_eq!(uri(&GetSnapshot::new(name)), format!("{BASE}{path}"));
        assert_eq!(ActivateSnapshot::new(name).path(), format!("{path}/activate"));
    }
}

#[test]
fn what_would_address_something_else_is_refused() {
    for name in ["", ".", ".."] {
        let error = RemoveSnapshot::new(name).to_request(BASE).unwrap_err();
        assert!(
            matches!(
                error,
                RequestError::Segment {
                    operation: "removeSnapshot",
                    ..
                }
            ),
            "{error}"
        );
    }
    let error = GetSnapshot::new("x").to_request("no address").unwrap_err();
    assert!(error.to_string().contains("`no address`"), "{error}");
}

#[test]
fn slashes_at_the_end_of_the_base_do_not_matter() {
    let request = GetSnapshot::new("x").to_request("https://h/api//").unwrap();
    assert_eq!(request.uri(), "https://h/api/snapshots/x");
}

#[test]
fn a_query_holds_what_is_set() {
    let mut list = GetAllSnapshots::new();
    assert_eq!((list.query(), uri(&list)), (None, format!("{BASE}/snapshots")));
    list.page = Some(2);
    list.name = Some("a b&c=ü".to_owned());
    list.sort = Some(SnapshotSort::LastUsedAt);
    list.order = Some(SortOrder::from("sideways"));
    assert_eq!(
        list.query().unwrap(),
        "page=2&name=a%20b%26c%3D%C3%BC&sort=lastUsedAt&order=sideways"
    );
    let mut log = GetSnapshotBuildLogs::new("id");
    log.follow = Some(true);
    assert_eq!(uri(&log), format!("{BASE}/snapshots/id/build-logs?follow=true"));
}

#[test]
fn a_body_leaves_out_what_is_not_set() {
    let request = CreateSnapshot::new("x").to_request(BASE).unwrap();
    assert_eq!(
        (request.method(), request.body().as_ref()),
        (&Method::POST, br#"{"name":"x"}"#.as_slice())
    );
    assert_eq!(request.headers()["content-type"], "application/json");
    let mut create = CreateSnapshot::new("x");
    let mut info = CreateBuildInfo::new("FROM a:1\n");
    info.context_hashes = Some(Vec::new());
    create.build_info = Some(info);
    create.gpu_type = Some(vec![GpuType::Rtx4090]);
    create.cpu = Some(2);
    let body: serde_json::Value = serde_json::from_slice(&create.body().unwrap().unwrap()).unwrap();
    let expected = serde_json::json!({
        "name": "x", "cpu": 2, "gpuType": ["RTX-4090"],
        "buildInfo": {"dockerfileContent": "FROM a:1\n", "contextHashes": []},
    });
    assert_eq!(body, expected);
    let request = GetSnapshot::new("x").to_request(BASE).unwrap();
    assert!(request.body().is_empty() && !request.headers().contains_key("content-type"));
}

#[test]
fn operations_know_what_they_are() {
    assert_eq!(
        (GetSnapshot::ID, GetSnapshot::TEMPLATE),
        ("getSnapshot", "/snapshots/{id}")
    );
    assert_eq!(RemoveSnapshot::METHOD, Method::DELETE);
    const { assert!(Health::PUBLIC && ListSharedRegions::PUBLIC && !GetSnapshot::PUBLIC) };
}

/// What is known of an operation, for tables.
type Facts = (&'static str, bool, Option<u64>, Vec<String>);

fn facts<O: Operation>() -> Facts {
    let permissions = O::PERMISSIONS.iter().map(ToString::to_string);
    (
        O::ID,
        O::IDEMPOTENT,
        O::ANSWERS_WITHIN.map(|time| time.as_secs()),
        permissions.collect(),
    )
}

#[test]
fn a_client_learns_the_facts_of_an_operation_from_its_type() {
    let write = || vec!["write:snapshots".to_owned()];
    for (found, expected) in [
        (facts::<GetAllSnapshots>(), ("getAllSnapshots", true, None, vec![])),
        (facts::<GetSnapshot>(), ("getSnapshot", true, None, vec![])),
        (facts::<CreateSnapshot>(), ("createSnapshot", false, None, write())),
        (
            facts::<RemoveSnapshot>(),
            ("removeSnapshot", true, None, vec!["delete:snapshots".to_owned()]),
        ),
        // The second of two activations is refused.
        (facts::<ActivateSnapshot>(), ("activateSnapshot", false, None, write())),
        // A POST that may be repeated.
        (
            facts::<DeactivateSnapshot>(),
            ("deactivateSnapshot", true, None, write()),
        ),
        (
            facts::<GetSnapshotBuildLogsUrl>(),
            ("getSnapshotBuildLogsUrl", true, Some(30), vec![]),
        ),
        (
            facts::<GetSnapshotBuildLogs>(),
            ("getSnapshotBuildLogs", true, None, vec![]),
        ),
        (
            facts::<GetPushAccess>(),
            (
                "getPushAccess",
                true,
                None,
                vec!["write:snapshots".to_owned(), "write:sandboxes".to_owned()],
            ),
        ),
        (
            facts::<ListAvailableRegions>(),
            ("listAvailableRegions", true, None, vec![]),
        ),
        (facts::<GetRegionById>(), ("getRegionById", true, None, vec![])),
        (facts::<ListSharedRegions>(), ("listSharedRegions", true, None, vec![])),
        (facts::<GetCurrentApiKey>(), ("getCurrentApiKey", true, None, vec![])),
        (facts::<Health>(), ("health", true, None, vec![])),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn the_neighbours_of_snapshots_have_their_own_permissions() {
    let only = |permission: &str| vec![permission.to_owned()];
    let sandboxes = "write:sandboxes";
    for (found, expected) in [
        (
            facts::<CreateSandbox>(),
            ("createSandbox", false, Some(30), only(sandboxes)),
        ),
        (facts::<GetSandbox>(), ("getSandbox", true, None, vec![])),
        (facts::<ListSandboxes>(), ("listSandboxes", true, None, vec![])),
        (
            facts::<DeleteSandbox>(),
            ("deleteSandbox", true, None, only("delete:sandboxes")),
        ),
        (
            facts::<CreateSandboxSnapshot>(),
            ("createSandboxSnapshot", false, None, only(sandboxes)),
        ),
        (facts::<ListRegistries>(), ("listRegistries", true, None, vec![])),
        (facts::<GetRegistry>(), ("getRegistry", true, None, vec![])),
        (
            facts::<CreateRegistry>(),
            ("createRegistry", false, None, only("write:registries")),
        ),
        // A PATCH that replaces everything.
        (
            facts::<UpdateRegistry>(),
            ("updateRegistry", true, None, only("write:registries")),
        ),
        (
            facts::<DeleteRegistry>(),
            ("deleteRegistry", true, None, only("delete:registries")),
        ),
        (
            facts::<GetRegistryPushAccess>(),
            (
                "getRegistryPushAccess",
                true,
                None,
                vec!["write:snapshots".to_owned(), sandboxes.to_owned()],
            ),
        ),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn each_item_of_a_list_is_a_parameter_of_its_own() {
    let mut list = ListSandboxes::new();
    list.snapshots = Some(vec!["a:1".to_owned(), "b&c".to_owned()]);
    list.labels = Some(r#"{"app":"x"}"#.to_owned());
    list.sort = Some(SandboxSort::CreatedAt);
    list.include_errored_deleted = Some(true);
    assert_eq!(
        list.query().unwrap(),
        "snapshots=a%3A1&snapshots=b%26c&labels=%7B%22app%22%3A%22x%22%7D&sort=createdAt&includeErroredDeleted=true"
    );
    list.snapshots = Some(Vec::new());
    assert!(!list.query().unwrap().contains("snapshots"));
}

#[test]
fn a_sandbox_and_its_snapshot_are_asked_for_by_one_segment() {
    let mut create = CreateSandbox::new();
    create.snapshot = Some("web:1".to_owned());
    create.auto_delete_interval = Some(0);
    create.labels = Some([("app".to_owned(), "x".to_owned())].into());
    let request = create.to_request(BASE).unwrap();
    assert_eq!(request.uri(), "https://h/api/sandbox");
    assert_eq!(
        request.body().as_ref(),
        br#"{"snapshot":"web:1","labels":{"app":"x"},"autoDeleteInterval":0}"#
    );
    let capture = CreateSandboxSnapshot::new("box 1", SandboxCapture::new("saved:1"));
    let request = capture.to_request(BASE).unwrap();
    assert_eq!(request.uri(), "https://h/api/sandbox/box%201/snapshot");
    assert_eq!(request.body().as_ref(), br#"{"name":"saved:1"}"#);
}

#[test]
fn the_password_of_a_registry_is_sent_and_not_shown() {
    let update = UpdateRegistry::new("id", RegistryUpdate::new("ours", "https://r.example", "u", "s3cret"));
    assert!(!format!("{update:?}").contains("s3cret"), "{update:?}");
    let request = update.to_request(BASE).unwrap();
    assert_eq!(request.uri(), "https://h/api/docker-registry/id");
    assert_eq!(request.method(), Method::PATCH);
    let body = String::from_utf8(request.body().to_vec()).unwrap();
    assert!(body.contains(r#""password":"s3cret""#), "{body}");
    assert!(!body.contains("project"), "{body}");
}

#[test]
fn the_current_key_has_a_path_of_its_own() {
    assert_eq!(uri(&GetCurrentApiKey::new()), format!("{BASE}/api-keys/current"));
}
