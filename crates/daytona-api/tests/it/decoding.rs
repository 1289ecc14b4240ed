//! What answers may look like.

use daytona_api::{
    ErrorBody, GetAllSnapshots, GetPushAccess, GetSnapshot, GetSnapshotBuildLogsUrl, GpuType, Operation,
    PaginatedSnapshots, RegionType, SandboxClass, Snapshot, SnapshotSort, SnapshotState, SortOrder, StorageAccess,
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
fn the_message_of_a_refusal_may_be_a_list() {
    let message = |body: Value| decode::<ErrorBody>(&body).unwrap().message;
    assert_eq!(
        message(json!({"message": ["a", "b"], "unknown": 1})).as_deref(),
        Some("a, b")
    );
    assert_eq!(message(json!({"message": "a"})).as_deref(), Some("a"));
    assert_eq!(message(json!({"message": null})), None);
    assert_eq!(message(json!({})), None);
}
