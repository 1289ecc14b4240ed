//! Settings that are not set in code: environment variables, and files with such variables on request.
//!
//! No other module reads environment variables.

use std::fs;
use std::path::Path;

use crate::error::{Error, ErrorKind};

/// Variable with the API key.
pub const ENV_API_KEY: &str = "DAYTONA_API_KEY";
/// Variable with a JWT, for callers without an API key.
pub const ENV_JWT_TOKEN: &str = "DAYTONA_JWT_TOKEN";
/// Variable with the id of the organization that a JWT is used for.
pub const ENV_ORGANIZATION_ID: &str = "DAYTONA_ORGANIZATION_ID";
/// Variable with the base address of the API.
pub const ENV_API_URL: &str = "DAYTONA_API_URL";
/// The old name of [`ENV_API_URL`], which the official SDKs still read. It counts if the new one is not set.
pub const ENV_SERVER_URL: &str = "DAYTONA_SERVER_URL";
/// Variable with the region for snapshots that name none.
pub const ENV_TARGET: &str = "DAYTONA_TARGET";
/// Variable with the proxy for http addresses. Read in lower case only: a web server sets the upper-case variable from
/// a header of its caller.
pub const ENV_HTTP_PROXY: &str = "http_proxy";
/// Variables with the proxy for https addresses. The first that is set counts.
pub const ENV_HTTPS_PROXY: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
/// Variables with the proxy for addresses that the other proxies do not cover. The first that is set counts.
pub const ENV_ALL_PROXY: [&str; 2] = ["all_proxy", "ALL_PROXY"];
/// Variables with the hosts that are reached without a proxy, separated by commas. The first that is set counts.
pub const ENV_NO_PROXY: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The value of a variable of this process.
pub(super) fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this module is where the environment is read")]
    std::env::var(name).ok()
}

/// The variables of a file of lines `NAME=value`. Values may be quoted. `export` and comments work as in a shell.
pub(super) fn read(path: &Path) -> Result<Vec<(String, String)>, Error> {
    let unreadable =
        |error: std::io::Error| config(format!("`{}` cannot be read: {error}", path.display())).with_source(error);
    let bytes = fs::read(path).map_err(unreadable)?;
    let text = text(&bytes).ok_or_else(|| {
        config(format!(
            "`{}` is not UTF-8 text, or contains NUL characters: save it as UTF-8",
            path.display()
        ))
    })?;
    let mut variables = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let variable = line.split_once('=').and_then(|(name, value)| {
            let name = name.trim();
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            Some((name.to_owned(), value_of(value)?)).filter(|_| is_name)
        });
        // The text is left out, because it may be a secret.
        let wrong = || {
            config(format!(
                "line {number} of `{}` is not of the form `NAME=value`",
                path.display()
            ))
        };
        variables.push(variable.ok_or_else(wrong)?);
    }
    Ok(variables)
}

/// The text of a file without its byte order mark. `None` if it is not UTF-8.
fn text(bytes: &[u8]) -> Option<&str> {
    let text = str::from_utf8(bytes).ok()?;
    // UTF-16 text of plain ASCII letters without a mark is valid UTF-8 too.
    (!text.contains('\0')).then(|| text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The value after the `=`: up to the closing quote, or else up to a comment.
fn value_of(text: &str) -> Option<String> {
    let text = text.trim();
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let (value, rest) = text[1..].split_once(quote)?;
            let rest = rest.trim();
            (rest.is_empty() || rest.starts_with('#')).then(|| value.to_owned())
        }
        _ => Some(text.split(" #").next().unwrap_or_default().trim_end().to_owned()),
    }
}

/// An error about a setting.
pub(super) fn config(message: impl AsRef<str>) -> Error {
    Error::new(ErrorKind::Config, message)
}
