//! The admin routes: what tests in any language do to the emulator, by HTTP and JSON.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde_json::json;

use crate::ResponseBody;
use crate::base::clock::time;
use crate::state::core::Core;
use crate::state::region::Region;
use crate::state::sandbox_script::SandboxScript;
use crate::state::script::Script;
use crate::state::world::ReadLag;
use crate::wire::address::segments_below;
use crate::wire::body::read_limited;
use crate::wire::error::ServiceError;
use crate::wire::sender::is_from_elsewhere;

mod accounts;
mod answer;
mod change;
mod description;
mod effects;
mod fields;
mod shown;

use accounts::{NewKey, NewToken, OrganizationChange};
pub(super) use answer::failed;
use answer::{Answer, Refused, failure, refused, response};
use change::{ClockChange, Limits, NewSnapshot, PrivateImages};
pub(super) use description::PREFIX;
use description::{DESCRIPTION, DESCRIPTION_PATH, no_route};
use fields::read;

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
        Err(Refused::new(StatusCode::FORBIDDEN, message))
    } else if parts.method == Method::GET && parts.uri.path() == DESCRIPTION_PATH {
        Ok(Answer::Json(serde_json::from_str(DESCRIPTION).unwrap_or_default()))
    } else if !has_key(core, parts) {
        let message = "the admin routes need the admin key as a bearer token";
        Err(Refused::new(StatusCode::UNAUTHORIZED, message))
    } else if let Some(bytes) = bytes {
        carry_out(core, parts, &bytes).await
    } else {
        Err(Refused::new(
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

async fn carry_out(core: &Arc<Core>, parts: &Parts, body: &[u8]) -> Result<Answer, Refused> {
    let segments = segments_below(PREFIX, parts.uri.path());
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, [""]) => return Ok(Answer::Json(shown::state(core))),
        (&Method::POST, ["reset"]) => {
            let core = Arc::clone(core);
            blocking(move || core.reset().map_err(|error| failure(&error))).await?;
        }
        (&Method::GET, ["faults"]) => return Ok(Answer::Json(json!(core.faults.list()))),
        (&Method::POST, ["faults"]) => core.inject(effects::fault(body)?),
        (&Method::DELETE, ["faults"]) => core.clear_faults(),
        (&Method::GET, ["scripts"]) => return Ok(Answer::Json(json!(core.world().scripts.0))),
        (&Method::POST, ["scripts"]) => {
            let script: Script = read(body)?;
            script.check().map_err(refused)?;
            core.script(script);
        }
        (&Method::DELETE, ["scripts"]) => core.clear_scripts(),
        (&Method::GET, ["sandbox-scripts"]) => return Ok(Answer::Json(json!(core.world().sandbox_scripts.0))),
        (&Method::POST, ["sandbox-scripts"]) => {
            let script: SandboxScript = read(body)?;
            script.check().map_err(refused)?;
            core.script_sandboxes(script);
        }
        (&Method::DELETE, ["sandbox-scripts"]) => core.clear_sandbox_scripts(),
        (&Method::POST, ["private-images"]) => core.require_credentials(read::<PrivateImages>(body)?.beginning),
        (&Method::POST, ["clock"]) => {
            read::<ClockChange>(body)?.carry_out(core)?;
            return Ok(Answer::Json(json!({"now": time(core.clock.now())})));
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
            let snapshot = read::<NewSnapshot>(body)?.value(core)?;
            let added = core.add_other_snapshot(snapshot);
            return Ok(Answer::Json(
                json!({"id": added.map_err(|message| Refused::new(StatusCode::CONFLICT, message))?}),
            ));
        }
        (&Method::GET, ["organization"]) => return Ok(Answer::Json(shown::organization(core))),
        (&Method::PUT, ["organization"]) => {
            let organization = read::<OrganizationChange>(body)?.apply(core.organization())?;
            core.put_organization(organization);
        }
        (&Method::POST, ["organizations"]) => {
            let organization = accounts::organization(core, body)?;
            return Ok(Answer::Json(json!({"id": core.put_organization(organization)})));
        }
        (&Method::POST, ["regions"]) => core.put_region(read::<Region>(body)?),
        (&Method::POST, ["api-keys"]) => {
            let key = read::<NewKey>(body)?.value(core)?;
            return Ok(Answer::Json(json!({"value": core.add_api_key(key)})));
        }
        (&Method::POST, ["user-tokens"]) => {
            let token = read::<NewToken>(body)?.value(core)?;
            return Ok(Answer::Json(json!({"value": core.add_user_token(token)})));
        }
        (&Method::GET, ["requests"]) => return Ok(Answer::Json(shown::requests(core))),
        // Archives may have to be read again for an image.
        (&Method::GET, ["images", id_or_name]) => {
            let (core, id_or_name) = (Arc::clone(core), (*id_or_name).to_owned());
            return Ok(Answer::Json(blocking(move || shown::image(&core, &id_or_name)).await?));
        }
        (&Method::GET, ["images", id_or_name, "files", path @ ..]) => {
            let (core, id_or_name, path) = (Arc::clone(core), (*id_or_name).to_owned(), path.join("/"));
            let bytes = blocking(move || shown::file(&core, &id_or_name, &path)).await?;
            return Ok(Answer::Bytes(bytes));
        }
        _ => return Err(no_route(parts)),
    }
    Ok(Answer::Json(json!({})))
}

/// Carries out what may block, on a thread of its own.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refused> + Send + 'static) -> Result<T, Refused> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(failure(&error)))
}
