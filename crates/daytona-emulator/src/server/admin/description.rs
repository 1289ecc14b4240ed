//! The description of the admin routes, and what is said where no route fits.

use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::Value;

use super::answer::{Refused, absent};
use crate::wire::address::segments_below;

/// What the paths of all admin routes begin with.
pub(in crate::server) const PREFIX: &str = "/_emulator";

/// The description of the routes, for tools that read OpenAPI.
pub(super) const DESCRIPTION: &str = include_str!("openapi.json");
pub(super) const DESCRIPTION_PATH: &str = "/_emulator/openapi.json";

/// The refusal of a request for which there is no route: it names the methods that its path has.
pub(super) fn no_route(parts: &Parts) -> Refused {
    let (method, path) = (&parts.method, parts.uri.path());
    let methods = methods(path);
    if methods.is_empty() {
        return absent(format!("there is no admin route {method} {path}"));
    }
    let listed = methods.join(", ");
    Refused {
        allowed: Some(listed.clone()),
        ..Refused::new(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("{path} has no {method}, but {listed}"),
        )
    }
}

/// The methods of a path, by the description of the routes.
fn methods(path: &str) -> Vec<String> {
    let description: Value = serde_json::from_str(DESCRIPTION).unwrap_or_default();
    let wanted = segments_below(PREFIX, path);
    let paths = description["paths"].as_object().into_iter().flatten();
    let mut fitting = paths.filter(|(known, _)| fits(&segments_below(PREFIX, known), &wanted));
    let operations = fitting.next().and_then(|(_, operations)| operations.as_object());
    let names = operations.into_iter().flat_map(|operations| operations.keys());
    let names = names.map(|name| name.to_ascii_uppercase());
    names
        .filter(|name| Method::from_bytes(name.as_bytes()).is_ok())
        .collect()
}

/// Whether a path has the segments of a known one. `{path}` stands for all that are left, another name in braces for one.
fn fits(known: &[String], wanted: &[String]) -> bool {
    match (known.split_first(), wanted.split_first()) {
        (Some((known, _)), Some(_)) if known == "{path}" => true,
        (Some((known, knowns)), Some((segment, segments))) => {
            (known == segment || known.starts_with('{')) && fits(knowns, segments)
        }
        (None, None) => true,
        _ => false,
    }
}
