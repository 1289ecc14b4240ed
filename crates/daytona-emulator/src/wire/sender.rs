//! The sender of a request, and the host name under which it reached the emulator.

use std::net::{IpAddr, SocketAddr};

use http::StatusCode;
use http::header::{EXPECT, HOST, ORIGIN};
use http::request::Parts;

/// The address that a request came from, if it came over a socket.
#[derive(Debug, Clone)]
pub(crate) struct PeerAddress(IpAddr);

impl From<SocketAddr> for PeerAddress {
    fn from(peer: SocketAddr) -> Self {
        Self(peer.ip().to_canonical())
    }
}

impl PeerAddress {
    pub(crate) fn of(parts: &Parts) -> String {
        let peer = parts.extensions.get::<Self>();
        peer.map_or_else(|| "in process".to_owned(), |peer| peer.0.to_string())
    }

    /// Whether a request came from this machine.
    pub(crate) fn is_local(parts: &Parts) -> bool {
        parts.extensions.get::<Self>().is_none_or(|peer| peer.0.is_loopback())
    }
}

/// Whether a browser sends the request for a page of another site, or a request from this machine names another host.
pub(crate) fn is_from_elsewhere(parts: &Parts) -> bool {
    let own = parts
        .headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let is_foreign = parts.headers.get(ORIGIN).is_some_and(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        origin.split_once("://").is_none_or(|(_, origin)| origin != own)
    });
    let is_renamed = parts
        .extensions
        .get::<PeerAddress>()
        .is_some_and(|peer| peer.0.is_loopback());
    is_foreign || is_renamed && !names_this_machine(parts)
}

/// The name or address in the `Host` of a request, without the port; `None` if there are several.
pub(crate) fn host_name(parts: &Parts) -> Option<&str> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    if hosts.next().is_some() {
        return None;
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    Some(name.trim_start_matches('[').trim_end_matches(']'))
}

/// Whether a request names this machine itself. Somebody else's page could have made another name point here, and the
/// browser would let that page read the answer.
pub(crate) fn names_this_machine(parts: &Parts) -> bool {
    host_name(parts).is_some_and(|name| {
        let address = name.parse::<IpAddr>();
        matches!(name, "localhost" | "daytona.emulator") || address.is_ok_and(|address| address.is_loopback())
    })
}

/// The largest head of a request that the server accepts, in bytes.
const LARGEST_HEAD: usize = 16 * 1024;

/// The status with which the server's HTTP library refuses a request before any handler sees it.
pub(crate) fn malformed(parts: &Parts) -> Option<StatusCode> {
    if parts.headers.get_all(HOST).iter().count() > 1 {
        return Some(StatusCode::BAD_REQUEST);
    }
    // In process there is no head.
    parts.extensions.get::<PeerAddress>()?;
    if parts.version == http::Version::HTTP_11 && !parts.headers.contains_key(HOST) {
        return Some(StatusCode::BAD_REQUEST);
    }
    let is_api = parts
        .uri
        .path()
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("/api"));
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4);
    let address = parts.uri.path().len() + parts.uri.query().map_or(0, str::len);
    if is_api && headers.sum::<usize>() + address > LARGEST_HEAD {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    let expected = parts
        .headers
        .get(EXPECT)
        .map(|value| value.as_bytes().to_ascii_lowercase());
    (is_api && expected.is_some_and(|expected| expected != b"100-continue")).then_some(StatusCode::EXPECTATION_FAILED)
}
