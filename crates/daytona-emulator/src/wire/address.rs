//! Addresses of requests.

use http::header::HOST;
use http::request::Parts;
use percent_encoding::percent_decode_str;

/// Longest address that is remembered and shown, in bytes.
const LONGEST: usize = 2_048;

/// Fields of a query that let whoever knows them act in the client's name.
const SECRET: [&str; 4] = [
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-credential",
    "access_token",
];

/// The path and query of a request, as they are remembered: cut where they are long, and without secrets.
pub(crate) fn remembered(parts: &Parts) -> String {
    let path_and_query = parts.uri.path_and_query();
    let address = path_and_query.map_or_else(|| parts.uri.path().to_owned(), ToString::to_string);
    let mut shown = match address.split_once('?') {
        None => address,
        Some((path, query)) => {
            let pairs = query.split('&').map(|pair| match pair.split_once('=') {
                Some((name, _)) if SECRET.contains(&name.to_ascii_lowercase().as_str()) => format!("{name}=…"),
                _ => pair.to_owned(),
            });
            format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
        }
    };
    if shown.len() > LONGEST {
        let end = shown.floor_char_boundary(LONGEST);
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

/// The address under which the request found the emulator, as the beginning of further ones. On its own socket that is http; who
/// serves it otherwise, behind TLS say, names the scheme in the request's URI.
pub(crate) fn base_url(parts: &Parts) -> String {
    let scheme = parts.uri.scheme_str().unwrap_or("http");
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    format!("{scheme}://{}", host.unwrap_or("daytona.emulator"))
}

/// The segments of a path below a prefix, decoded.
pub(crate) fn segments_below(prefix: &str, path: &str) -> Vec<String> {
    path.strip_prefix(prefix)
        .unwrap_or_default()
        .trim_matches('/')
        .split('/')
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect()
}
