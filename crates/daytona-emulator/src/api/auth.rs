//! Who asks, and how often they may.

use http::header::AUTHORIZATION;
use http::request::Parts;

use super::Answer;
use super::body::decode_pair;
use crate::account::{ApiKey, Bearer, Caller, UserToken};
use crate::engine::Engine;
use crate::limit::{LimitHeaders, Verdict};
use crate::sender::PeerAddress;

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
    let mut given = parts.headers.get_all(daytona_api::ORGANIZATION_HEADER).iter();
    let (wanted, further) = (given.next(), given.next());
    let wanted = wanted.filter(|_| further.is_none());
    let wanted = wanted.and_then(|wanted| wanted.to_str().ok()).unwrap_or_default();
    let mut own = user.organizations.iter();
    own.find(|organization| organization.eq_ignore_ascii_case(wanted))
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

/// Name of the field, of a query or a body, that may hold the token.
pub(super) const TOKEN_FIELD: &str = "access_token";

/// The token in the body of a request.
#[derive(Debug, Clone)]
pub(super) struct TokenInBody(pub(super) String);

/// Whom the request's token belongs to, past the limits. One in two places at once is none.
pub(super) fn bearer(engine: &Engine, parts: &Parts) -> Option<Bearer> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let in_header = header.and_then(|header| {
        let (scheme, token) = header.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim_end().to_owned())
    });
    let pairs = parts.uri.query().unwrap_or_default().split('&').map(decode_pair);
    let in_query = pairs.filter(|(name, _)| name == TOKEN_FIELD).map(|(_, token)| token);
    let in_body = parts.extensions.get::<TokenInBody>().map(|token| token.0.clone());
    let mut tokens = in_header.into_iter().chain(in_query).chain(in_body);
    let token = tokens.next()?;
    if tokens.next().is_some() {
        return None;
    }
    engine.world().accounts.bearer(&token, engine.clock.now())
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
