//! The kinds and texts of errors that come from answers.

use super::*;

fn asked(secrets: &Secrets) -> Asked<'_> {
    Asked {
        operation: "getSnapshot",
        permissions: &[],
        address: "http://h/api",
        body: 0,
        by_key: true,
        has_answered: false,
        secrets,
    }
}

fn error_of(asked: &Asked<'_>, status: u16, body: &str) -> Error {
    let status = StatusCode::from_u16(status).unwrap();
    from_answer(asked, status, &HeaderMap::new(), body.as_bytes())
}

fn error(status: u16, body: &str) -> Error {
    error_of(&asked(&Secrets::default()), status, body)
}

fn envelope(status: u16, message: &str) -> String {
    serde_json::json!({"statusCode": status, "message": message, "error": "x", "path": "/api"}).to_string()
}

/// After the API has answered once.
fn later(status: u16, body: &str) -> Error {
    let secrets = Secrets::default();
    let asked = Asked {
        has_answered: true,
        ..asked(&secrets)
    };
    error_of(&asked, status, body)
}

const PAGE: &str = "<!DOCTYPE html><title>oops</title>";

#[test]
fn the_servers_words_decide_where_the_status_cannot() {
    let kind = |status, message: &str| error(status, &envelope(status, message)).kind();
    assert_eq!(kind(400, "Snapshot x is already active"), ErrorKind::AlreadyActive);
    assert_eq!(
        kind(400, "Snapshot quota exceeded. Maximum allowed: 30"),
        ErrorKind::QuotaExceeded
    );
    assert_eq!(
        kind(400, "Total CPU limit exceeded. Maximum allowed: 5.\\nTo increase"),
        ErrorKind::QuotaExceeded
    );
    assert_eq!(
        kind(400, "No available runners with GPU type: H100."),
        ErrorKind::NoRunner
    );
    assert_eq!(
        kind(400, "Sandbox failed to start: No available runners"),
        ErrorKind::DoesNotStart
    );
    assert_eq!(kind(409, "Sandbox state change in progress"), ErrorKind::Busy);
    assert_eq!(
        kind(400, "Sandbox must be in started or stopped state to create a snapshot"),
        ErrorKind::Busy
    );
    assert_eq!(
        kind(409, "Sandbox with name x already exists"),
        ErrorKind::AlreadyExists
    );
    assert_eq!(kind(400, "something new"), ErrorKind::Rejected);
    assert_eq!(kind(404, "Snapshot with name x not found"), ErrorKind::NotFound);
    assert_eq!(kind(409, "x"), ErrorKind::AlreadyExists);
    assert_eq!(kind(502, "x"), ErrorKind::Unavailable);
    assert_eq!(kind(507, "x"), ErrorKind::ServerError);
    assert_eq!(error(404, "").kind(), ErrorKind::NotFound);
}

#[test]
fn a_gateways_status_is_unavailable_whatever_its_body() {
    for status in (502..=504).chain(520..=530) {
        for body in [PAGE, "", "error code: 524", "{\"message\":\"x\"}"] {
            assert_eq!(error(status, body).kind(), ErrorKind::Unavailable, "{status} {body}");
            assert_eq!(later(status, body).kind(), ErrorKind::Unavailable, "{status} {body}");
            assert!(!error(status, body).proves_nothing_was_done(), "{status} {body}");
        }
    }
    assert_eq!(error(429, PAGE).kind(), ErrorKind::RateLimited);
    assert_eq!(error(502, PAGE).to_string(), "502 Bad Gateway");
}

#[test]
fn a_page_is_not_the_api_only_as_long_as_the_api_has_never_answered() {
    for status in [301, 302, 400, 401, 403, 404, 500] {
        assert_eq!(error(status, PAGE).kind(), ErrorKind::NotAnApi, "{status}");
        assert_ne!(later(status, PAGE).kind(), ErrorKind::NotAnApi, "{status}");
    }
    // A web page says nothing about a snapshot or a key.
    assert_eq!(later(404, PAGE).kind(), ErrorKind::Unavailable);
    assert_eq!(later(404, "404 page not found").kind(), ErrorKind::Unavailable);
    assert_eq!(later(302, "").kind(), ErrorKind::Unavailable);
    assert_eq!(later(403, PAGE).kind(), ErrorKind::Unavailable);
    assert_eq!(later(500, PAGE).kind(), ErrorKind::ServerError);
    assert!(!later(500, PAGE).to_string().contains("/api"));
    assert!(error(200, "  <html>").to_string().contains("http://h/api"));
}

#[test]
fn only_the_measured_words_of_maintenance_prove_that_nothing_was_done() {
    let words = "Service is currently under maintenance. Please try again later.";
    assert!(error(503, &envelope(503, words)).proves_nothing_was_done());
    for body in [words, PAGE, "", &envelope(503, "no available server")] {
        assert!(!error(503, body).proves_nothing_was_done(), "{body}");
    }
    for (status, proves) in [
        (400, true),
        (404, true),
        (429, true),
        (408, false),
        (500, false),
        (524, false),
    ] {
        assert_eq!(error(status, "").proves_nothing_was_done(), proves, "{status}");
    }
}

#[test]
fn only_a_large_dockerfile_is_to_be_shortened() {
    let secrets = Secrets::default();
    let unknown = envelope(404, "Cannot POST /api/snapshots");
    let mut asked = asked(&secrets);
    assert_eq!(error_of(&asked, 404, &unknown).kind(), ErrorKind::NotAnApi);
    asked.operation = CreateSnapshot::ID;
    asked.body = MAX_REQUEST_BODY;
    let error = error_of(&asked, 404, &unknown);
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("shorten the Dockerfile"), "{error}");
    asked.body = 300;
    asked.has_answered = true;
    let error = error_of(&asked, 404, &unknown);
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(!error.to_string().contains("Dockerfile"), "{error}");
}

#[test]
fn a_missing_permission_is_named_and_a_token_is_no_key() {
    let secrets = Secrets::default();
    let mut asked = asked(&secrets);
    asked.permissions = &[Permission::WriteSnapshots, Permission::WriteSandboxes];
    let denied = envelope(403, "Access denied");
    assert_eq!(
        error_of(&asked, 403, &denied).to_string(),
        "Access denied (the API key lacks the permission `write:snapshots` or `write:sandboxes`)"
    );
    asked.by_key = false;
    for (status, body) in [(403, denied.as_str()), (401, &envelope(401, "Invalid credentials"))] {
        let text = error_of(&asked, status, body).to_string();
        assert!(text.contains("token") && !text.contains("key"), "{text}");
    }
    let general = envelope(403, "You cannot delete a general snapshot");
    assert_eq!(
        error_of(&asked, 403, &general).to_string(),
        "You cannot delete a general snapshot"
    );
}

#[test]
fn the_message_is_one_line_whatever_the_server_says() {
    assert_eq!(error(400, "{\"message\":[\"a\",\"b\"]}").server_message(), Some("a, b"));
    assert_eq!(error(400, "{\"message\":\"a.\\nb\"}").to_string(), "a. b");
    assert_eq!(error(502, "").to_string(), "502 Bad Gateway");
    let hostile = error(400, "{\"message\":\"a\\u001b]0;x\\u0007\\u009b31m\\nb\"}");
    let shown = format!(
        "{hostile} {} {:?}",
        hostile.server_message().unwrap(),
        hostile.0.message
    );
    assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{shown}");
    assert!(!hostile.to_string().contains('\n'), "{hostile}");
}

#[test]
fn a_secret_that_is_repeated_is_cut_out() {
    let secrets = Secrets::default();
    secrets.know("dtn_0123456789");
    for body in ["no: Bearer dtn_0123456789", &envelope(400, "no: Bearer dtn_0123456789")] {
        let error = error_of(&asked(&secrets), 400, body);
        assert_eq!(error.to_string(), "no: Bearer [secret]");
        assert!(!format!("{error:?} {:?}", error.server_message()).contains("dtn_"));
    }
}
