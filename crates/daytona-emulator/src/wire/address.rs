//! Addresses of requests.

use http::header::HOST;
use http::request::Parts;
use percent_encoding::percent_decode_str;

/// The longest address that is recorded and shown, in bytes.
const LONGEST: usize = 2_048;

/// Query fields that let anybody who knows them act as the client.
const SECRET: [&str; 4] = [
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-credential",
    "access_token",
];

/// The path and query of a request, as they are recorded: cut if they are long, and without secrets.
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

/// The address under which the client reached the emulator, as the base of further addresses. The emulator's own socket
/// uses http. If something else serves it, for example behind TLS, the request's URI names the scheme.
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
