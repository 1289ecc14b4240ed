//! The admin routes: what tests in any language do to the emulator, by HTTP and JSON.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::ResponseBody;
use crate::base::clock::time;
use crate::state::core::Core;
use crate::state::fault::Fault;
use crate::state::region::Region;
use crate::state::sandbox_script::SandboxScript;
use crate::state::script::Script;
use crate::state::world::ReadLag;
use crate::wire::address::segments_below;
use crate::wire::body::read_limited;
use crate::wire::error::ServiceError;
use crate::wire::sender::is_from_elsewhere;

mod answer;
mod change;
mod shown;

pub(super) use answer::failed;
use answer::{Refused, refused, response};
use change::{ClockChange, Limits, NewKey, NewSnapshot, NewToken, OrganizationChange, PrivateImages, read};

/// What the paths of all admin routes begin with.
pub(super) const PREFIX: &str = "/_emulator";

/// The description of the routes, for tools that read OpenAPI.
const DESCRIPTION: &str = include_str!("admin/openapi.json");
const DESCRIPTION_PATH: &str = "/_emulator/openapi.json";

/// Largest body.
const LIMIT: usize = 1024 * 1024;

/// Answers a request of a test, but none that a page of another site sends.
pub(super) async fn answer(
    core: &Arc<Core>,
    parts: &Parts,
    body: ResponseBody,
) -> Result<Response<ResponseBody>, ServiceError> {
    let bytes = read_limited(body, LIMIT).await?;
    core.settle().await;
    let done = if is_from_elsewhere(parts) {
        let message = "pages of other sites cannot use the admin routes";
        Err(Refused(StatusCode::FORBIDDEN, message.to_owned()))
    } else if parts.method == Method::GET && parts.uri.path() == DESCRIPTION_PATH {
        Ok(serde_json::from_str(DESCRIPTION).unwrap_or_default())
    } else if !has_key(core, parts) {
        let message = "the admin routes need the admin key as a bearer token";
        Err(Refused(StatusCode::UNAUTHORIZED, message.to_owned()))
    } else if let Some(bytes) = bytes {
        carry_out(core, parts, &bytes).await
    } else {
        Err(Refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body may have at most {LIMIT} bytes"),
        ))
    };
    Ok(response(done))
}

/// Whether a request has the key of the admin routes.
pub(super) fn has_key(core: &Core, parts: &Parts) -> bool {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    header.and_then(|header| header.strip_prefix("Bearer ")) == Some(core.admin_key.as_str())
}

async fn carry_out(core: &Arc<Core>, parts: &Parts, body: &[u8]) -> Result<Value, Refused> {
    let segments = segments_below(PREFIX, parts.uri.path());
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, [""]) => return Ok(shown::state(core)),
        (&Method::POST, ["reset"]) => {
            let core = Arc::clone(core);
            let done = tokio::task::spawn_blocking(move || core.reset()).await;
            done.unwrap_or_else(|error| Err(std::io::Error::other(error)))
                .map_err(|error| Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        }
        (&Method::GET, ["faults"]) => return Ok(json!(core.faults.list())),
        (&Method::POST, ["faults"]) => {
            let fault: Fault = read(body)?;
            fault.check().map_err(refused)?;
            core.inject(fault);
        }
        (&Method::DELETE, ["faults"]) => core.clear_faults(),
        (&Method::GET, ["scripts"]) => return Ok(json!(core.world().scripts.0)),
        (&Method::POST, ["scripts"]) => {
            let script: Script = read(body)?;
            script.check().map_err(refused)?;
            core.script(script);
        }
        (&Method::DELETE, ["scripts"]) => core.clear_scripts(),
        (&Method::GET, ["sandbox-scripts"]) => return Ok(json!(core.world().sandbox_scripts.0)),
        (&Method::POST, ["sandbox-scripts"]) => {
            let script: SandboxScript = read(body)?;
            script.check().map_err(refused)?;
            core.script_sandboxes(script);
        }
        (&Method::DELETE, ["sandbox-scripts"]) => core.clear_sandbox_scripts(),
        (&Method::POST, ["private-images"]) => core.require_credentials(read::<PrivateImages>(body)?.beginning),
        (&Method::POST, ["clock"]) => {
            read::<ClockChange>(body)?.carry_out(core)?;
            return Ok(json!({"now": time(core.clock.now())}));
        }
        (&Method::PUT, ["read-lag"]) => {
            let lag = read::<Option<ReadLag>>(body)?.unwrap_or_default();
            lag.check().map_err(refused)?;
            core.set_read_lag(lag);
        }
        (&Method::PUT, ["maintenance"]) => core.set_maintenance(read(body)?),
        (&Method::PUT, ["runner"]) => core.set_runner(read(body)?),
        (&Method::PUT, ["rate-limits"]) => {
            let limits = read::<Option<Limits>>(body)?;
            core.set_rate_limits(limits.map(|limits| limits.value()).transpose()?);
        }
        (&Method::POST, ["snapshots"]) => {
            let snapshot = read::<NewSnapshot>(body)?.value()?;
            return Ok(json!({"id": core.add_snapshot(snapshot)}));
        }
        (&Method::GET, ["organization"]) => return Ok(shown::organization(core)),
        (&Method::PUT, ["organization"]) => {
            let organization = read::<OrganizationChange>(body)?.apply(core.organization())?;
            core.put_organization(organization);
        }
        (&Method::POST, ["regions"]) => core.put_region(read::<Region>(body)?),
        (&Method::POST, ["api-keys"]) => {
            let key = read::<NewKey>(body)?.value(core)?;
            return Ok(json!({"value": core.add_api_key(key)}));
        }
        (&Method::POST, ["user-tokens"]) => {
            let token = read::<NewToken>(body)?.value(core)?;
            return Ok(json!({"value": core.add_user_token(token)}));
        }
        (&Method::GET, ["requests"]) => return Ok(shown::requests(core)),
        (&Method::GET, ["images", id_or_name]) => {
            let (core, id_or_name) = (Arc::clone(core), (*id_or_name).to_owned());
            // Archives may have to be read for it again.
            let image = tokio::task::spawn_blocking(move || shown::image(&core, &id_or_name)).await;
            return image.unwrap_or_else(|error| Err(Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())));
        }
        _ => {
            let message = format!("there is no admin route {} {}", parts.method, parts.uri.path());
            return Err(Refused(StatusCode::NOT_FOUND, message));
        }
    }
    Ok(json!({}))
}
