//! What answers may look like.

use daytona_api::{
    ApiKey, ErrorBody, GetAllSnapshots, GetCurrentApiKey, GetPushAccess, GetSnapshot, GetSnapshotBuildLogsUrl, GpuType,
    ListRegistries, ListSandboxes, Operation, PaginatedSnapshots, Permission, RegionType, SandboxClass, SandboxState,
    Snapshot, SnapshotSort, SnapshotState, SortOrder, StorageAccess,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A snapshot with every field set.
fn snapshot() -> Value {
    json!({
        "id": "dc1247e2-b375-46fa-9048-c808c9a482e8", "organizationId": "o", "general": false, "name": "n", "imageName": "i:1",
        "state": "active", "size": 0.5, "entrypoint": ["a"], "cpu": 1.0, "gpu": 0.0, "gpuType": "H100", "mem": 2.0, "disk": 3.0,
        "errorReason": "e", "createdAt": "2026-11-23T17:55:21.722Z", "updatedAt": "2026-11-23T17:55:21.722Z",
        "lastUsedAt": "2026-11-23T17:55:21.722Z",
        "buildInfo": {
            "dockerfileContent": "FROM a", "contextHashes": ["h"], "createdAt": "2026-11-23T17:55:21.722Z",
            "updatedAt": "2026-11-23T17:55:21.722Z", "snapshotRef": "r",
        },
        "regionIds": ["us"], "initialRunnerId": "r", "ref": "r", "sandboxClass": "container", "sourceSandboxId": "s",
    })
}

fn decode<T: DeserializeOwned>(value: &Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(value.clone())
}

#[test]
fn a_whole_snapshot_goes_back_unchanged() {
    let decoded: Snapshot = decode(&snapshot()).unwrap();
    assert_eq!(serde_json::to_value(decoded).unwrap(), snapshot());
}

#[test]
fn every_field_but_three_may_be_missing_or_null() {
    for field in snapshot().as_object().unwrap().keys() {
        let is_required = ["id", "name", "state"].contains(&field.as_str());
        let mut without = snapshot();
        without.as_object_mut().unwrap().remove(field);
        let mut null = snapshot();
        null[field] = Value::Null;
        for body in [without, null] {
            let outcome = GetSnapshot::decode(body.to_string().as_bytes());
            assert_eq!(outcome.is_err(), is_required, "{field}");
            if let Err(error) = outcome {
                assert_eq!(error.field(), Some(field.as_str()), "{error}");
            }
        }
    }
}

#[test]
fn numbers_may_be_whole_or_not() {
    let mut body = snapshot();
    for field in ["cpu", "gpu", "mem", "disk", "size"] {
        body[field] = json!(2);
        assert!(decode::<Snapshot>(&body).is_ok(), "{field}");
        body[field] = json!("2");
        assert!(decode::<Snapshot>(&body).is_err(), "{field}");
        body[field] = json!(2.5);
    }
    let page: PaginatedSnapshots = decode(&json!({"items": [], "total": 18.0, "page": 1, "totalPages": null})).unwrap();
    assert_eq!((page.total, page.page, page.total_pages), (Some(18), Some(1), None));
    for broken in [json!(1.5), json!(-1), json!("1")] {
        assert!(decode::<PaginatedSnapshots>(&json!({"items": [], "total": broken})).is_err());
    }
}

#[test]
fn a_date_that_cannot_be_read_is_none() {
    for date in [json!("yesterday"), json!(17), json!({}), json!("")] {
        let mut body = snapshot();
        body["createdAt"] = date;
        assert_eq!(decode::<Snapshot>(&body).unwrap().created_at, None);
    }
}

#[test]
fn every_enum_keeps_what_it_does_not_know() {
    fn check<T: DeserializeOwned + Serialize + std::fmt::Debug>(known: &[T]) {
        let value: T = serde_json::from_str("\"zzz\"").unwrap();
        assert!(format!("{value:?}").contains("Unknown"), "{value:?}");
        assert_eq!(serde_json::to_string(&value).unwrap(), "\"zzz\"");
        for value in known {
            let text = serde_json::to_string(value).unwrap();
            let again: T = serde_json::from_str(&text).unwrap();
            assert_eq!(format!("{again:?}"), format!("{value:?}"));
        }
        assert!(serde_json::from_str::<T>("5").is_err());
    }
    check(SnapshotState::KNOWN);
    check(SandboxClass::KNOWN);
    check(GpuType::KNOWN);
    check(RegionType::KNOWN);
    check(SnapshotSort::KNOWN);
    check(SortOrder::KNOWN);
    check(Permission::KNOWN);
    assert_eq!(SnapshotState::from("build_failed"), SnapshotState::BuildFailed);
    assert_eq!(SandboxClass::LinuxVm.to_string(), "linux-vm");
}

#[test]
fn the_field_that_is_missing_is_named_with_its_path() {
    let body = json!({"items": [snapshot(), {"id": "1", "name": "x"}]});
    let error = GetAllSnapshots::decode(body.to_string().as_bytes()).unwrap_err();
    assert_eq!(error.field(), Some("items[1].state"));
    let field = |error: daytona_api::DecodeError| error.field().map(ToOwned::to_owned);
    assert_eq!(
        field(GetSnapshotBuildLogsUrl::decode(b"{}").unwrap_err()).as_deref(),
        Some("url")
    );
    assert_eq!(field(GetSnapshot::decode(b"<html>").unwrap_err()), None);
    assert_eq!(field(GetSnapshot::decode(b"").unwrap_err()), None);
    let cut = snapshot().to_string();
    assert_eq!(field(GetSnapshot::decode(&cut.as_bytes()[..50]).unwrap_err()), None);
    assert!(GetSnapshot::decode(format!("{} x", snapshot()).as_bytes()).is_err());
}

#[test]
fn storage_access_needs_all_but_the_region_and_shows_no_secret() {
    let body = json!({
        "accessKey": "AKIASECRET", "secret": "s3cret", "sessionToken": "t0ken", "storageUrl": "http://s", "organizationId": "o",
        "bucket": "b", "region": "auto",
    });
    let access = GetPushAccess::decode(body.to_string().as_bytes()).unwrap();
    let shown = format!("{access:?}");
    assert!(
        !["AKIASECRET", "s3cret", "t0ken"]
            .iter()
            .any(|secret| shown.contains(secret)),
        "{shown}"
    );
    // Written out only because its fields ask for it by name.
    assert_eq!(serde_json::to_value(&access).unwrap(), body);
    for field in body.as_object().unwrap().keys() {
        let mut without = body.clone();
        without.as_object_mut().unwrap().remove(field);
        assert_eq!(decode::<StorageAccess>(&without).is_ok(), field == "region", "{field}");
    }
}

#[test]
fn a_refusal_keeps_its_message_whatever_is_around_it() {
    for (message, text) in [
        (json!("a"), Some("a")),
        (json!(["a", "b"]), Some("a, b")),
        (json!(["a", null, {"message": "b"}, 3]), Some("a, b, 3")),
        (json!({"message": "a", "hint": "b"}), Some("a")),
        (json!({"message": ["a", "b"]}), Some("a, b")),
        (json!({"error": "a"}), Some("a")),
        (json!({"reason": "a"}), Some(r#"{"reason":"a"}"#)),
        (json!(17), Some("17")),
        (json!(null), None),
        (json!([]), None),
        (json!({}), None),
    ] {
        let body =
            json!({"message": message, "statusCode": "400", "error": {"code": 1}, "timestamp": 5, "unknown": [1]});
        let refusal: ErrorBody = decode(&body).unwrap();
        assert_eq!(refusal.message.as_deref(), text, "{message}");
        assert_eq!(refusal.status_code, Some(400));
        assert_eq!(refusal.error.as_deref(), Some(r#"{"code":1}"#));
        assert_eq!(refusal.timestamp.as_deref(), Some("5"));
    }
}

#[test]
fn a_status_that_is_not_a_number_is_none() {
    for (status, count) in [
        (json!(400), Some(400)),
        (json!(400.0), Some(400)),
        (json!(" 400 "), Some(400)),
        (json!("Bad Request"), None),
        (json!(-1), None),
        (json!(4.5), None),
        (json!([400]), None),
        (json!(null), None),
    ] {
        let refusal: ErrorBody = decode(&json!({"statusCode": status, "message": "a"})).unwrap();
        assert_eq!(
            (refusal.status_code, refusal.message.as_deref()),
            (count, Some("a")),
            "{status}"
        );
    }
}

#[test]
fn only_an_object_is_a_refusal() {
    for body in [json!(["400", "a", "b"]), json!("a"), json!(4), json!(null)] {
        assert!(decode::<ErrorBody>(&body).is_err(), "{body}");
    }
    let refusal: ErrorBody = serde_json::from_str(r#"{"message": "a", "message": "b"}"#).unwrap();
    assert_eq!(refusal.message.as_deref(), Some("b"));
    assert_eq!(decode::<ErrorBody>(&json!({})).unwrap(), ErrorBody::new());
}

#[test]
fn a_refusal_goes_back_as_it_came() {
    let body = json!({"statusCode": 404, "error": "Not Found", "message": "m", "path": "/x", "timestamp": "t"});
    assert_eq!(serde_json::to_value(decode::<ErrorBody>(&body).unwrap()).unwrap(), body);
}

#[test]
fn a_key_is_read_without_its_text() {
    let mut body = json!({
        "name": "ci", "value": "dtn****730", "createdAt": "2026-11-26T00:19:41.131Z", "lastUsedAt": null,
        "permissions": ["write:snapshots", "read:minds"], "expiresAt": "2027-01-01T00:00:00.000Z", "userId": "u",
    });
    let key = GetCurrentApiKey::decode(body.to_string().as_bytes()).unwrap();
    assert_eq!(
        key.permissions.as_deref(),
        Some([Permission::WriteSnapshots, Permission::Unknown("read:minds".into())].as_slice())
    );
    assert_eq!(key.expires_at.unwrap().to_string(), "2027-01-01T00:00:00Z");
    assert_eq!((key.organization_id.as_deref(), key.last_used_at), (None, None));
    assert!(!format!("{key:?}").contains("dtn"));
    body["organizationId"] = json!("o");
    let key = GetCurrentApiKey::decode(body.to_string().as_bytes()).unwrap();
    assert_eq!(key.organization_id.as_deref(), Some("o"));
    assert_eq!(decode::<ApiKey>(&json!({})).unwrap(), ApiKey::new());
}

#[test]
fn a_page_of_sandboxes_is_read_whatever_the_labels_of_others_are() {
    let page = ListSandboxes::decode(
        br#"{"items": [
            {"id": "1", "name": "a", "state": "started", "labels": {"app": "x", "run": 1, "list": ["y"], "none": null}},
            {"id": "2", "name": "b", "state": "dreaming", "snapshot": null, "memory": 1}
        ], "nextCursor": "c"}"#,
    )
    .unwrap();
    let labels = page.items[0].labels.as_ref().unwrap();
    let labels: Vec<(&str, &str)> = labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(labels, [("app", "x"), ("list", r#"["y"]"#), ("run", "1")]);
    assert_eq!(page.items[0].state, SandboxState::Started);
    assert_eq!(page.items[1].state, SandboxState::Unknown("dreaming".to_owned()));
    assert_eq!(
        (page.items[1].snapshot.as_deref(), page.items[1].memory),
        (None, Some(1.0))
    );
    assert_eq!(page.next_cursor.as_deref(), Some("c"));
    let last = ListSandboxes::decode(br#"{"items": [], "nextCursor": null}"#).unwrap();
    assert_eq!(last.next_cursor, None);
}

#[test]
fn a_registry_without_a_project_is_one() {
    let registries =
        ListRegistries::decode(br#"[{"id": "1", "name": "a", "url": "docker.io", "username": ""}]"#).unwrap();
    assert_eq!(
        (registries[0].url.as_str(), registries[0].project.as_deref()),
        ("docker.io", None)
    );
}
