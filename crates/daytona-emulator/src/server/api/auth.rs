//! Who asks, and how often they may.

use http::header::AUTHORIZATION;
use http::request::Parts;

use super::answer::Answer;
use super::body::decode_pair;
use crate::state::account::{ApiKey, Bearer, Caller, UserToken};
use crate::state::core::Core;
use crate::state::limit::{LimitHeaders, Verdict};
use crate::state::world::World;
use crate::wire::sender::PeerAddress;

const TOO_MANY: &str = "ThrottlerException: Too Many Requests";

/// The organization for which a user's route is called.
pub(super) fn caller(core: &Core, parts: &Parts, limits: &mut LimitHeaders) -> Result<Caller, Answer> {
    let caller = match login(core, parts, limits)? {
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
    count(core, &caller.organization, limits)?;
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
pub(super) fn user(core: &Core, parts: &Parts, limits: &mut LimitHeaders) -> Result<UserToken, Answer> {
    match login(core, parts, limits)? {
        Bearer::User(user) => Ok(user),
        Bearer::Key(_) | Bearer::Service => Err(invalid()),
    }
}

/// The API key of a route that takes nothing else.
pub(super) fn key(core: &Core, parts: &Parts, limits: &mut LimitHeaders) -> Result<ApiKey, Answer> {
    match login(core, parts, limits)? {
        Bearer::Key(key) => {
            count(core, &key.organization, limits)?;
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
pub(in crate::server) fn bearer(core: &Core, parts: &Parts) -> Option<Bearer> {
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
    core.world().accounts.bearer(&token, core.clock.now())
}

fn login(core: &Core, parts: &Parts, limits: &mut LimitHeaders) -> Result<Bearer, Answer> {
    let address = PeerAddress::of(parts);
    let now = core.clock.now();
    if let Verdict::Refuse(headers) = core.limiter.address(&address, now) {
        limits.extend(headers);
        return Err(Answer::refused(429, TOO_MANY));
    }
    if let Some(bearer) = bearer(core, parts) {
        if let Bearer::Key(key) = &bearer {
            core.use_key(&key.value);
        }
        return Ok(bearer);
    }
    match core.limiter.failed_login(&address, now) {
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

fn count(core: &Core, organization: &str, limits: &mut LimitHeaders) -> Result<(), Answer> {
    match core.limiter.request(organization, core.clock.now()) {
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

/// A suspension with an end does not hold on the measured server.
pub(super) fn check_suspension(world: &World, organization: &str) -> Result<(), Answer> {
    let organization = world.accounts.organization(organization);
    match organization.and_then(|organization| organization.suspension.as_ref()) {
        Some(suspension) if suspension.until.is_none() => Err(Answer::refused(
            403,
            format!("Organization is suspended: {}", suspension.reason),
        )),
        _ => Ok(()),
    }
}
