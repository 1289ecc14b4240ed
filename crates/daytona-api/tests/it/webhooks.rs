//! What the service posts when a snapshot changes.

use daytona_api::{SnapshotState, Webhook};
use serde_json::{Value, json};

/// The bodies, as they were recorded.
fn created() -> Value {
    json!({
        "event": "snapshot.created", "timestamp": "2026-11-26T00:21:27.785Z",
        "id": "d0452a8d-b810-47ae-accf-35d39bee6121", "name": "web:1",
        "organizationId": "09e9eadb-5d05-46a9-b236-0e20cf929657", "state": "pending", "createdAt": "2026-11-26T00:21:27.749Z",
    })
}

fn updated() -> Value {
    json!({
        "event": "snapshot.state.updated", "timestamp": "2026-11-26T00:24:08.374Z",
        "id": "3869582a-3c24-4b29-a0ce-aa5a7cb2749d", "name": "bf-d:1",
        "organizationId": "09e9eadb-5d05-46a9-b236-0e20cf929657", "oldState": "building", "newState": "build_failed",
        "updatedAt": "2026-11-26T00:24:08.370Z",
    })
}

fn removed() -> Value {
    json!({
        "event": "snapshot.removed", "timestamp": "2026-11-26T00:24:08.374Z",
        "id": "3869582a-3c24-4b29-a0ce-aa5a7cb2749d", "name": "bf-d:1",
        "organizationId": "09e9eadb-5d05-46a9-b236-0e20cf929657", "removedAt": "2026-11-26T00:24:08.370Z",
    })
}

/// Both ways of reading, which must agree.
fn read(body: &Value) -> Option<Webhook> {
    let decoded = Webhook::decode(body.to_string().as_bytes()).ok();
    let deserialized = serde_json::from_value(body.clone()).ok();
    assert_eq!(decoded, deserialized, "{body}");
    decoded
}

fn missing(body: &Value) -> Option<String> {
    let error = Webhook::decode(body.to_string().as_bytes()).unwrap_err();
    error.field().map(ToOwned::to_owned)
}

#[test]
fn the_event_decides_what_is_read() {
    let Some(Webhook::SnapshotCreated(event)) = read(&created()) else {
        panic!("not read as created");
    };
    assert_eq!((event.name.as_str(), &event.state), ("web:1", &SnapshotState::Pending));
    assert_eq!(event.id.as_str(), "d0452a8d-b810-47ae-accf-35d39bee6121");
    assert!(event.created_at < event.timestamp);
    let Some(Webhook::SnapshotStateUpdated(event)) = read(&updated()) else {
        panic!("not read as updated");
    };
    assert_eq!(
        (event.old_state, event.new_state),
        (Some(SnapshotState::Building), SnapshotState::BuildFailed)
    );
    let Some(Webhook::SnapshotRemoved(event)) = read(&removed()) else {
        panic!("not read as removed");
    };
    assert_eq!(event.removed_at.unwrap().to_string(), "2026-11-26T00:24:08.37Z");
}

#[test]
fn every_known_event_goes_back_unchanged() {
    let bodies = [created(), removed(), updated()];
    for body in &bodies {
        let webhook = read(body).unwrap();
        assert_eq!(Some(webhook.event()), body["event"].as_str());
        let mut again = serde_json::to_value(&webhook).unwrap();
        // A date loses the zeros at its end, not its value.
        for (field, value) in again.as_object_mut().unwrap() {
            if field.ends_with("At") || field == "timestamp" {
                *value = body[field].clone();
            }
        }
        assert_eq!(&again, body);
    }
    assert_eq!(
        Webhook::KNOWN,
        bodies.map(|body| body["event"].as_str().unwrap().to_owned())
    );
}

#[test]
fn an_unknown_event_is_kept_whole() {
    for body in [
        json!({"event": "sandbox.created", "id": 5, "name": null, "deep": {"er": [1, 2]}}),
        json!({"event": "", "x": 1}),
        json!({"event": "Snapshot.Created"}),
    ] {
        let webhook = read(&body).unwrap();
        assert!(matches!(&webhook, Webhook::Unknown(_)), "{webhook:?}");
        assert_eq!(Some(webhook.event()), body["event"].as_str());
        assert_eq!(serde_json::to_value(&webhook).unwrap(), body);
    }
}

#[test]
fn states_and_fields_of_tomorrow_are_read() {
    let mut body = updated();
    body["newState"] = json!("resting");
    body["oldState"] = Value::Null;
    body["errorReason"] = json!("new");
    body["updatedAt"] = json!("soon");
    let Some(Webhook::SnapshotStateUpdated(event)) = read(&body) else {
        panic!("not read as updated");
    };
    assert_eq!((event.old_state, event.updated_at), (None, None));
    assert_eq!(event.new_state, SnapshotState::Unknown("resting".to_owned()));
}

#[test]
fn what_is_missing_is_named() {
    for (body, required) in [
        (created(), ["id", "name", "state"].as_slice()),
        (updated(), ["id", "name", "newState"].as_slice()),
        (removed(), ["id", "name"].as_slice()),
    ] {
        for field in body.as_object().unwrap().keys() {
            let mut without = body.clone();
            without.as_object_mut().unwrap().remove(field);
            let is_required = field == "event" || required.contains(&field.as_str());
            assert_eq!(read(&without).is_none(), is_required, "{field}");
            if is_required {
                assert_eq!(missing(&without).as_deref(), Some(field.as_str()));
            }
        }
    }
    assert_eq!(missing(&json!({"event": 5})).as_deref(), Some("event"));
    for body in [
        json!(["snapshot.removed", "t", "i", "n"]),
        json!("snapshot.removed"),
        json!(null),
    ] {
        assert!(read(&body).is_none(), "{body}");
    }
}
