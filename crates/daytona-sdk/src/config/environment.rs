//! What a client's settings are where code does not say: environment variables, and files of them for those who ask.
//!
//! This is the only place that reads environment variables.

use std::fs;
use std::path::Path;

use secrecy::SecretString;

use super::{DaytonaBuilder, config};
use crate::config::proxy::EnvironmentProxies;
use crate::error::Error;

/// Variable with the API key.
pub const ENV_API_KEY: &str = "DAYTONA_API_KEY";
/// Variable with a JWT, for callers without an API key.
pub const ENV_JWT_TOKEN: &str = "DAYTONA_JWT_TOKEN";
/// Variable with the id of the organization that a JWT is used for.
pub const ENV_ORGANIZATION_ID: &str = "DAYTONA_ORGANIZATION_ID";
/// Variable with the base address of the API.
pub const ENV_API_URL: &str = "DAYTONA_API_URL";
/// Variable with the region that snapshots are created in.
pub const ENV_TARGET: &str = "DAYTONA_TARGET";
/// Variable with the proxy for http addresses. In lower case only: a web server sets the one in upper case from a header of
/// its caller.
pub const ENV_HTTP_PROXY: &str = "http_proxy";
/// Variables with the proxy for https addresses; the first that is set counts.
pub const ENV_HTTPS_PROXY: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
/// Variables with the proxy for addresses that the others do not cover; the first that is set counts.
pub const ENV_ALL_PROXY: [&str; 2] = ["all_proxy", "ALL_PROXY"];
/// Variables with the hosts that are asked without a proxy, separated by commas; the first that is set counts.
pub const ENV_NO_PROXY: [&str; 2] = ["no_proxy", "NO_PROXY"];

impl DaytonaBuilder {
    /// Settings from the environment: the variables whose names are the `ENV_…` constants. What is set in code afterwards
    /// takes precedence. An empty variable counts as not set.
    pub fn from_env() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this module is where the environment is read")]
        Self::from_variables(|name| std::env::var(name).ok())
    }

    pub(super) fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| {
            variable(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let first = |names: &[&str]| names.iter().find_map(|name| set(name));
        let mut builder = Self {
            api_url: set(ENV_API_URL),
            environment_proxies: EnvironmentProxies {
                http: set(ENV_HTTP_PROXY).map(SecretString::from),
                https: first(&ENV_HTTPS_PROXY).map(SecretString::from),
                all: first(&ENV_ALL_PROXY).map(SecretString::from),
                except: first(&ENV_NO_PROXY),
            },
            ..Self::default()
        };
        builder.fill(set);
        builder
    }

    /// Sets what is not set yet. Neither the address of the API nor a proxy: these decide where the key goes.
    fn fill(&mut self, set: impl Fn(&str) -> Option<String>) {
        if !self.has_credentials() {
            self.api_key = set(ENV_API_KEY).map(SecretString::from);
            // As in the official SDKs, a key makes a token irrelevant.
            self.jwt_token = set(ENV_JWT_TOKEN)
                .filter(|_| self.api_key.is_none())
                .map(SecretString::from);
        }
        self.organization_id = self.organization_id.take().or_else(|| set(ENV_ORGANIZATION_ID));
        self.target = self.target.take().or_else(|| set(ENV_TARGET));
    }

    /// Sets what is not set yet from the files that were named.
    pub(super) fn fill_from_files(&mut self) -> Result<(), Error> {
        for path in std::mem::take(&mut self.env_files) {
            let variables = read(&path)?;
            let set = |name: &str| {
                let found = variables.iter().rfind(|(other, _)| other == name)?;
                Some(found.1.trim().to_owned()).filter(|value| !value.is_empty())
            };
            if set(ENV_API_URL).is_some() {
                tracing::warn!(path = %path.display(), "{ENV_API_URL} is not taken from a file: set it in code or in the environment");
            }
            self.fill(set);
        }
        Ok(())
    }
}

/// The variables of a file of lines `NAME=value`. Values may stand in quotes; `export` and comments are as in a shell.
fn read(path: &Path) -> Result<Vec<(String, String)>, Error> {
    let unreadable =
        |error: std::io::Error| config(format!("`{}` cannot be read: {error}", path.display())).with_source(error);
    let text = fs::read_to_string(path).map_err(unreadable)?;
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
        // Without its text, which may be a secret.
        let wrong = || config(format!("line {number} of `{}` is no `NAME=value`", path.display()));
        variables.push(variable.ok_or_else(wrong)?);
    }
    Ok(variables)
}

/// What stands after the `=`: in quotes up to the closing one, else up to a comment.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Credentials;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn a_file_fills_what_is_not_set_and_never_the_address() {
        let near = file("# local\nexport DAYTONA_API_KEY='near' # mine\nDAYTONA_API_URL=http://hostile/api\n");
        let far = file("DAYTONA_API_KEY=far\nDAYTONA_TARGET = \"eu\"\nhttps_proxy=http://hostile\nEMPTY=\n");
        let files = |builder: DaytonaBuilder| builder.env_file(near.path()).env_file(far.path());
        let client = files(DaytonaBuilder::default()).build().unwrap();
        assert_eq!(client.api_url(), daytona_api::DEFAULT_API_URL);
        assert_eq!(client.settings().target.as_deref(), Some("eu"));
        let Credentials::ApiKey(key) = &client.settings().credentials else {
            panic!("no key")
        };
        assert_eq!(secrecy::ExposeSecret::expose_secret(key), "near");

        let in_code = files(DaytonaBuilder::default().jwt_token("jwt").organization_id("org"));
        assert!(matches!(
            in_code.build().unwrap().settings().credentials,
            Credentials::Jwt { .. }
        ));
    }

    #[test]
    fn a_file_that_is_none_is_named_without_its_secrets() {
        let error = |path: &Path| {
            DaytonaBuilder::default()
                .env_file(path)
                .build()
                .unwrap_err()
                .to_string()
        };
        assert!(error(Path::new("/nowhere/.env")).contains("/nowhere/.env"));
        for text in [
            "\nDAYTONA_API_KEY secret",
            "\nA B=secret",
            "\nX='secret",
            "\nX='secret' secret",
        ] {
            let message = error(file(text).path());
            assert!(message.contains("line 2") && !message.contains("secret"), "{message}");
        }
    }
}
