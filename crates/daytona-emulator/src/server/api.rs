//! The HTTP API: which handler answers which route.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_REQUEST_HEADERS, CONTENT_TYPE, LOCATION,
};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::ResponseBody;
use crate::state::account::Permission;
use crate::state::core::Core;
use crate::state::limit::LimitHeaders;
use crate::wire::address::base_url;
use crate::wire::body::full;
use crate::wire::error::ServiceError;
use crate::wire::operation::Operation;

mod answer;
pub(super) mod auth;
mod body;
mod create;
mod image_name;
mod keys;
mod list;
mod logs;
mod other;
mod registries;
mod route;
mod sandbox_create;
mod sandbox_list;
mod sandboxes;
mod snapshots;

pub(super) use answer::Answer;
use answer::{Handled, VERSION_HEADER, no_route, response};
pub(super) use logs::{follows, not_open};
pub(super) use route::Route;
use route::has_broken_escape;
pub(crate) use sandboxes::shown as shown_sandbox;
pub(super) use snapshots::Twist;

/// Answers a request to the API.
pub(super) async fn answer(
    core: &Arc<Core>,
    parts: &Parts,
    route: &Route,
    body: ResponseBody,
    twist: Twist,
) -> Result<Response<ResponseBody>, ServiceError> {
    let body = body::read(parts, body).await?;
    core.settle().await;
    let token = body
        .as_ref()
        .ok()
        .and_then(|fields| fields.get(auth::TOKEN_FIELD)?.as_str());
    let with_token = token.map(|token| {
        let mut parts = parts.clone();
        parts.extensions.insert(auth::TokenInBody(token.to_owned()));
        parts
    });
    let parts = with_token.as_ref().unwrap_or(parts);
    let mut limits = LimitHeaders::new();
    // What the body's parser or the path's refuses is answered before there is a version to tell.
    let is_before_routing = body.is_err() || has_broken_escape(parts.uri.path());
    let handled = match route {
        _ if core.world().is_under_maintenance && route.operation() != Operation::Health => Err(Answer::refused(
            503,
            "Service is currently under maintenance. Please try again later.",
        )),
        Route::Operation(operation, id) => handle(core, parts, (*operation, id), body, twist, &mut limits).await,
        Route::Broken => Err(Answer::unexpected()),
        Route::Parent => return Ok(moved(parts)),
        Route::Unknown => Err(no_route(parts)),
    };
    let mut response = handled.unwrap_or_else(|refusal| refusal).into_response(core, parts);
    if is_before_routing {
        response.headers_mut().remove(VERSION_HEADER);
    }
    response.headers_mut().extend(limits);
    Ok(response)
}

async fn handle(
    core: &Arc<Core>,
    parts: &Parts,
    (operation, id): (Operation, &str),
    body: body::Read,
    twist: Twist,
    limits: &mut LimitHeaders,
) -> Handled {
    // The body parser comes before everything, and knows no routes.
    let body = body.map_err(|problem| problem.into_answer(parts))?;
    match operation {
        Operation::Health => return Ok(Answer::json(&json!({"status": "ok"}))),
        Operation::ListSharedRegions => return Ok(other::shared_regions(core)),
        Operation::GetConfig => return Ok(other::config(&base_url(parts))),
        Operation::ListOrganizations => return Ok(other::organizations(core, &auth::user(core, parts, limits)?)),
        Operation::GetOrganizationUsage => return other::usage(core, &auth::user(core, parts, limits)?, id),
        Operation::GetCurrentApiKey => return keys::current(core, parts, limits),
        Operation::ListApiKeys => return keys::list(core, parts, limits),
        Operation::GetApiKey => return keys::get(core, parts, id, limits),
        Operation::CreateApiKey => return keys::create(core, parts, &body, limits),
        Operation::DeleteApiKey => return keys::delete(core, parts, id, limits),
        _ => {}
    }
    let caller = auth::caller(core, parts, limits)?;
    if let Some(permissions) = needed(operation)
        && !permissions.iter().any(|permission| caller.may(*permission))
    {
        return Err(Answer::refused(403, "Access denied"));
    }
    match operation {
        Operation::CreateSnapshot => create::create(core, &caller, &body).await,
        Operation::GetAllSnapshots => list::list(core, &caller, parts.uri.query().unwrap_or_default()),
        Operation::GetSnapshot => snapshots::get(core, &caller, id),
        Operation::RemoveSnapshot => snapshots::remove(core, &caller, id, twist),
        Operation::ActivateSnapshot => snapshots::activate(core, &caller, id, twist),
        Operation::DeactivateSnapshot => snapshots::deactivate(core, &caller, id, twist),
        Operation::GetSnapshotBuildLogsUrl => logs::address(core, parts, &caller, id).await,
        Operation::GetSnapshotBuildLogs => logs::relay(core, parts, &caller, id),
        Operation::GetPushAccess => Ok(Answer::json(
            &core.storage.issue(&caller.organization, &base_url(parts)),
        )),
        Operation::ListAvailableRegions => Ok(other::regions(core, &caller)),
        Operation::GetRegionById => other::region(core, &caller, id),
        Operation::CreateSandbox => sandbox_create::create(core, parts, &caller, &body).await,
        Operation::ListSandboxes => sandbox_list::list(core, parts, &caller),
        Operation::GetSandbox => sandboxes::get(core, parts, &caller, id),
        Operation::DeleteSandbox => sandboxes::delete(core, parts, &caller, id),
        Operation::StartSandbox => sandboxes::start(core, parts, &caller, id).await,
        Operation::StopSandbox => sandboxes::stop(core, parts, &caller, id),
        Operation::CreateSandboxSnapshot => sandboxes::capture(core, parts, &caller, id, &body),
        Operation::CreateRegistry => registries::create(core, &caller, &body),
        Operation::ListRegistries => Ok(registries::list(core, &caller)),
        Operation::GetRegistry => registries::get(core, &caller, id),
        Operation::UpdateRegistry => registries::update(core, &caller, id, &body),
        Operation::DeleteRegistry => registries::delete(core, &caller, id),
        Operation::GetRegistryPushAccess => registries::push_access(core, parts),
        _ => Err(no_route(parts)),
    }
}

/// The permissions one of which an operation needs.
fn needed(operation: Operation) -> Option<&'static [Permission]> {
    match operation {
        Operation::CreateSnapshot | Operation::ActivateSnapshot | Operation::DeactivateSnapshot => {
            Some(&[Permission::WriteSnapshots])
        }
        Operation::RemoveSnapshot => Some(&[Permission::DeleteSnapshots]),
        Operation::GetPushAccess | Operation::GetRegistryPushAccess => {
            Some(&[Permission::WriteSnapshots, Permission::WriteSandboxes])
        }
        Operation::CreateSandbox
        | Operation::StartSandbox
        | Operation::StopSandbox
        | Operation::CreateSandboxSnapshot
        | Operation::OtherSandbox => Some(&[Permission::WriteSandboxes]),
        Operation::DeleteSandbox => Some(&[Permission::DeleteSandboxes]),
        Operation::CreateRegistry | Operation::UpdateRegistry => Some(&[Permission::WriteRegistries]),
        Operation::DeleteRegistry => Some(&[Permission::DeleteRegistries]),
        _ => None,
    }
}

/// What a browser asks before it sends a request to another origin: anything may be sent.
pub(super) fn preflight(parts: &Parts) -> Response<ResponseBody> {
    let mut response = response(StatusCode::NO_CONTENT, full(Bytes::new()), Some(0));
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE"),
    );
    headers.insert(
        "Vary",
        HeaderValue::from_static("Origin, Access-Control-Request-Headers"),
    );
    if let Some(wanted) = parts.headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    response
}

/// What is neither API nor log host nor storage.
pub(super) fn elsewhere(core: &Core, parts: &Parts) -> Response<ResponseBody> {
    if parts.uri.path() != "/" {
        return Answer::unexpected().into_response(core, parts);
    }
    let text = "Found. Redirecting to /dashboard/";
    let mut response = response(StatusCode::FOUND, full(text), Some(text.len()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(LOCATION, HeaderValue::from_static("/dashboard/"));
    response
}

/// `..` is a directory for the server's static files.
fn moved(parts: &Parts) -> Response<ResponseBody> {
    let to = format!("{}/", parts.uri.path());
    let text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Redirecting</title>\n</head>\n<body>\n<pre>Redirecting to {to}</pre>\n</body>\n</html>\n"
    );
    let length = text.len();
    let mut response = response(StatusCode::MOVED_PERMANENTLY, full(text), Some(length));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
    headers.insert(
        "Content-Security-Policy",
        HeaderValue::from_static("default-src 'none'"),
    );
    headers.insert("X-Content-Type-Options", HeaderValue::from_static("nosniff"));
    if let Ok(to) = HeaderValue::try_from(to) {
        headers.insert(LOCATION, to);
    }
    response
}
