//! Who asks, and how often they may.

use http::header::AUTHORIZATION;
use http::request::Parts;

use super::Answer;
use crate::account::{ApiKey, Bearer, Caller, UserToken};
use crate::engine::Engine;
use crate::limit::{LimitHeaders, Verdict};
use crate::service::PeerAddress;

const TOO_MANY: &str = "ThrottlerException: Too Many Requests";

/// The organization for which a user's route is called.
pub(super) fn caller(engine: &Engine, parts: &Parts, limits: &mut LimitHeaders) -> Result<Caller, Answer> {
    let caller = match login(engine, parts, limits)? {
        Bearer::Key(key) => Caller {
            organization: key.organization,
            permissions: key.permissions,
        },
        Bearer::User(user) => Caller {
            organization: organization(parts, &user)?,
            permissions: user.permissions,
        },
        Bearer::Service => return Err(no_context()),
    };
    count(engine, &caller.organization, limits)?;
    Ok(caller)
}

/// The organization that a user names, one of the user's own.
pub(super) fn organization(parts: &Parts, user: &UserToken) -> Result<String, Answer> {
    let wanted = parts.headers.get(daytona_api::ORGANIZATION_HEADER);
    let wanted = wanted.and_then(|wanted| wanted.to_str().ok()).unwrap_or_default();
    let mut own = user.organizations.iter();
    own.find(|organization| *organization == wanted)
        .cloned()
        .ok_or_else(no_context)
}

/// The user of a route that takes no API key.
pub(super) fn user(engine: &Engine, parts: &Parts, limits: &mut LimitHeaders) -> Result<UserToken, Answer> {
    match login(engine, parts, limits)? {
        Bearer::User(user) => Ok(user),
        Bearer::Key(_) | Bearer::Service => Err(invalid()),
    }
}

/// The API key of a route that takes nothing else.
pub(super) fn key(engine: &Engine, parts: &Parts, limits: &mut LimitHeaders) -> Result<ApiKey, Answer> {
    match login(engine, parts, limits)? {
        Bearer::Key(key) => {
            count(engine, &key.organization, limits)?;
            Ok(key)
        }
        Bearer::User(_) | Bearer::Service => Err(invalid()),
    }
}

/// Whom the request's token belongs to, past the limits.
pub(super) fn bearer(engine: &Engine, parts: &Parts) -> Option<Bearer> {
    let header = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    engine.world().accounts.bearer(token.trim(), engine.clock.now())
}

fn login(engine: &Engine, parts: &Parts, limits: &mut LimitHeaders) -> Result<Bearer, Answer> {
    let address = PeerAddress::of(parts);
    let now = engine.clock.now();
    if let Verdict::Refuse(headers) = engine.limiter.address(&address, now) {
        limits.extend(headers);
        return Err(Answer::refused(429, TOO_MANY));
    }
    if let Some(bearer) = bearer(engine, parts) {
        if let Bearer::Key(key) = &bearer {
            engine.world().accounts.use_key(&key.value, now);
        }
        return Ok(bearer);
    }
    match engine.limiter.failed_login(&address, now) {
        Verdict::Pass(headers) => {
            limits.extend(headers);
            Err(invalid())
        }
        Verdict::Refuse(headers) => {
            limits.extend(headers);
            Err(Answer::refused(429, TOO_MANY))
        }
    }
}

fn count(engine: &Engine, organization: &str, limits: &mut LimitHeaders) -> Result<(), Answer> {
    match engine.limiter.request(organization, engine.clock.now()) {
        Verdict::Pass(headers) => {
            limits.extend(headers);
            Ok(())
        }
        Verdict::Refuse(headers) => {
            limits.extend(headers);
            Err(Answer::refused(429, TOO_MANY))
        }
    }
}

fn invalid() -> Answer {
    Answer::refused(401, "Invalid credentials")
}

pub(super) fn no_context() -> Answer {
    Answer::refused(403, "Invalid authentication context")
}
