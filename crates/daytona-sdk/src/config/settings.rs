//! Checks the settings and completes them.

use std::sync::Arc;
use std::time::Duration;

use daytona_api::DEFAULT_API_URL;
use http::{HeaderValue, Uri};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::MAX_REQUEST_BODY;
use super::builder::DaytonaBuilder;
use super::environment::{ENV_API_KEY, ENV_JWT_TOKEN, ENV_ORGANIZATION_ID, config};
use crate::address::shown;
use crate::api_client::Settings;
use crate::auth::Credentials;
use crate::clock::TokioClock;
use crate::error::Error;
use crate::network::{Except, Network, Proxy, Scope};
use crate::transport::{ReqwestTransport, Transport};

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an answer may take. The request for the address of a build log can take 30 seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);

/// How long an upload may make no progress.
const STALL_TIMEOUT: Duration = Duration::from_mins(1);

/// The server ends a build after 120 minutes. This leaves time for the upload before it and the last looks after it.
const OPERATION_TIMEOUT: Duration = Duration::from_mins(130);

impl DaytonaBuilder {
    /// The checked settings.
    pub(crate) fn settings(mut self) -> Result<Settings, Error> {
        self.fill_from_files()?;
        let given = self.api_url.as_ref().map_or(DEFAULT_API_URL, |address| &address.0);
        let api_url = api_url(given)?;
        for (limit, name) in [
            (self.connect_timeout, "connect_timeout"),
            (self.attempt_timeout, "attempt_timeout"),
            (self.stall_timeout, "stall_timeout"),
            (self.operation_timeout, "operation_timeout"),
        ] {
            if limit.is_some_and(|limit| limit.is_zero()) {
                return Err(config(format!("`{name}` is zero: nothing could be done in that time")));
            }
        }
        let credentials = self.credentials()?;
        let (transport, secrets) = self.open_transport(&api_url)?;
        Ok(Settings {
            api_url: api_url.as_str().trim_end_matches('/').to_owned(),
            credentials,
            secrets,
            target: self.target,
            attempt_timeout: self.attempt_timeout.unwrap_or(ATTEMPT_TIMEOUT),
            #[cfg(feature = "s3")]
            stall_timeout: self.stall_timeout.unwrap_or(STALL_TIMEOUT),
            operation_timeout: self.operation_timeout.unwrap_or(OPERATION_TIMEOUT),
            max_request_body: self.max_request_body.unwrap_or(MAX_REQUEST_BODY),
            transport,
            clock: self.clock.unwrap_or_else(|| Arc::new(TokioClock::new())),
            object_storage: self.object_storage,
        })
    }

    fn credentials(&self) -> Result<Credentials, Error> {
        if let Some(key) = &self.api_key {
            return Ok(Credentials::ApiKey(header_safe(key, "the API key")?));
        }
        if !self.has_credentials() {
            return Err(config(format!(
                "no credentials: set {ENV_API_KEY}, or {ENV_JWT_TOKEN} and {ENV_ORGANIZATION_ID}, or call `api_key`"
            )));
        }
        let organization = self.organization_id.as_deref().map(str::trim).unwrap_or_default();
        if organization.is_empty() {
            return Err(config(format!(
                "a JWT needs an organization: set {ENV_ORGANIZATION_ID} or call `organization_id`"
            )));
        }
        let organization = HeaderValue::try_from(organization)
            .map_err(|_| config("the id of the organization contains invalid characters"))?;
        if let Some(provider) = &self.token_provider {
            let provider = Arc::clone(provider);
            return Ok(Credentials::Provided { provider, organization });
        }
        let token = self.jwt_token.clone().unwrap_or_default();
        Ok(Credentials::Jwt {
            token: header_safe(&token, "the JWT")?,
            organization,
        })
    }

    /// The transport, and the secrets that it uses.
    fn open_transport(&self, api_url: &Url) -> Result<(Arc<dyn Transport>, Vec<SecretString>), Error> {
        if let Some(transport) = &self.transport {
            let excluded = [
                (self.proxy.is_some() || self.no_proxy.is_some(), "a proxy"),
                (!self.ca_certificates.is_empty(), "a CA certificate"),
                (self.connect_timeout.is_some(), "a connect timeout"),
            ];
            if let Some((_, what)) = excluded.iter().find(|(is_set, _)| *is_set) {
                return Err(config(format!(
                    "a custom transport is set together with {what}: set it on the transport instead"
                )));
            }
            return Ok((Arc::clone(transport), Vec::new()));
        }
        let is_https = api_url.scheme() == "https";
        if is_https && !cfg!(feature = "rustls") {
            let message = format!("`{api_url}` needs TLS, which is off in this build: turn on the feature `rustls`");
            return Err(config(message));
        }
        let network = self.network(api_url)?;
        let passwords = network.proxies.iter().filter_map(Proxy::password).collect();
        let timeout = self.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        let stall_timeout = self.stall_timeout.unwrap_or(STALL_TIMEOUT);
        let transport = ReqwestTransport::new(timeout, stall_timeout, network)?;
        if is_https && let Some(problem) = transport.tls_problem() {
            return Err(config(format!("`{api_url}` cannot be reached: {problem}")));
        }
        Ok((Arc::new(transport), passwords))
    }

    fn network(&self, api_url: &Url) -> Result<Network, Error> {
        let environment = &self.environment_proxies;
        let named = [
            (&environment.http, Scope::Http),
            (&environment.https, Scope::Https),
            (&environment.all, Scope::All),
        ];
        let proxies: Vec<_> = match &self.proxy {
            Some(address) => vec![Proxy::new(address, Scope::All, "DaytonaBuilder::proxy")],
            None => named
                .into_iter()
                .filter_map(|(proxy, scope)| {
                    let (name, address) = proxy.as_ref()?;
                    Some(Proxy::new(address, scope, name))
                })
                .collect(),
        };
        if self.no_proxy.is_some() && proxies.is_empty() {
            return Err(config("`no_proxy` is set without a proxy: call `proxy` too"));
        }
        let except = match (&self.no_proxy, &environment.except) {
            (Some(hosts), _) => match Except::parse(hosts) {
                (except, unknown) if unknown.is_empty() => except,
                (_, unknown) => {
                    let message = format!(
                        "`no_proxy` has `{}`, which is not a host: give names, addresses and networks, separated by commas",
                        unknown.join("`, `")
                    );
                    return Err(config(message));
                }
            },
            (None, Some(hosts)) => {
                let (except, unknown) = Except::parse(hosts);
                if !unknown.is_empty() {
                    tracing::warn!(?unknown, "entries of `no_proxy` that are not hosts are ignored");
                }
                except
            }
            (None, None) => Except::default(),
        };
        let network = Network {
            proxies,
            except,
            ca_certificates: self.ca_certificates.clone(),
        };
        // A proxy that is set in code must be right even if it is not used. One from the environment, which others may
        // have set, must be right only if it is used.
        let proxy = match &self.proxy {
            Some(_) => network.proxies.first(),
            None => network.proxy_for(api_url.scheme(), api_url.host_str().unwrap_or_default(), api_url.port()),
        };
        match proxy.map(Proxy::address) {
            Some(Err(problem)) => Err(config(problem)),
            _ => Ok(network),
        }
    }
}

/// The address, if requests can be sent to it.
fn api_url(text: &str) -> Result<Url, Error> {
    let trimmed = text.trim();
    let wrong = |problem: &str| {
        config(format!(
            "`{}` cannot be the address of the API: {problem}; the hosted one is {DEFAULT_API_URL}",
            shown(trimmed)
        ))
    };
    // The parser silently drops some of them.
    if trimmed.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return Err(wrong("it contains a space or a control character"));
    }
    if !trimmed.contains("://") {
        return Err(wrong("it does not begin with https:// or http://"));
    }
    let url = Url::parse(trimmed).map_err(|error| wrong(&error.to_string()))?;
    match url.scheme() {
        "http" | "https" if !url.has_host() => Err(wrong("it has no host")),
        "http" | "https" if !url.username().is_empty() || url.password().is_some() => {
            Err(wrong("it contains a user or a password; set the key with `api_key`"))
        }
        "http" | "https" if url.query().is_some() || url.fragment().is_some() => {
            Err(wrong("it has a query or fragment"))
        }
        "http" | "https" => match url.as_str().parse::<Uri>() {
            Ok(_) => Ok(url),
            Err(error) => Err(wrong(&error.to_string())),
        },
        scheme => Err(wrong(&format!("its scheme is `{scheme}`, not http or https"))),
    }
}

/// A secret that can be sent in a header.
fn header_safe(secret: &SecretString, what: &str) -> Result<SecretString, Error> {
    let text = secret.expose_secret().trim();
    if text.is_empty() {
        return Err(config(format!("{what} is empty")));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(config(format!("{what} contains spaces or other invalid characters")));
    }
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::environment::{ENV_API_URL, ENV_TARGET};
    use super::*;
    use crate::auth::Credentials;

    fn from(variables: &[(&str, &str)]) -> DaytonaBuilder {
        DaytonaBuilder::from_variables(|name| {
            let variable = variables.iter().find(|(other, _)| *other == name);
            variable.map(|(_, value)| (*value).to_owned())
        })
    }

    fn error(builder: DaytonaBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn code_takes_precedence_over_the_environment() {
        let builder = from(&[
            (ENV_API_URL, "http://env/api"),
            (ENV_API_KEY, "key"),
            (ENV_TARGET, "eu"),
        ]);
        let client = builder.api_url("http://code/api///").build().unwrap();
        assert_eq!(client.settings().api_url, "http://code/api");
        assert_eq!(client.settings().target.as_deref(), Some("eu"));
    }

    #[test]
    fn credentials_have_to_be_whole() {
        assert!(error(from(&[])).contains(ENV_API_KEY));
        assert!(error(from(&[(ENV_API_KEY, " ")])).contains("no credentials"));
        assert!(error(from(&[(ENV_JWT_TOKEN, "jwt")])).contains(ENV_ORGANIZATION_ID));
        assert!(error(DaytonaBuilder::default().api_key("a b")).contains("the API key contains"));
        assert!(
            from(&[(ENV_JWT_TOKEN, "jwt"), (ENV_ORGANIZATION_ID, "org")])
                .build()
                .is_ok()
        );
        // If there is a key, the token is ignored, even an incomplete one.
        assert!(from(&[(ENV_JWT_TOKEN, "jwt"), (ENV_API_KEY, "key")]).build().is_ok());
    }

    #[test]
    fn an_address_that_is_none_is_named() {
        for (address, part) in [
            ("app.daytona.io/api", "app.daytona.io/api"),
            ("ftp://h/api", "`ftp`"),
            ("https://user:pass@h/api", "password"),
            ("https://h/api?key=hidden", "query"),
            ("https://user:hidden@h/api?key=hidden", "`https://h/api`"),
            ("user:hidden@h/api", "https://"),
            ("https://h:port/api", "port"),
            ("https://user:hid#den@h/api", "`https://h/api`"),
            ("https://", "host"),
            ("https://a b/api", "space"),
            ("https://h/a\nb", "control"),
            ("https://h/a\u{1b}b", "control"),
            ("https://[::1/api", "[::1"),
            ("https://a..b%/api", "cannot be the address"),
        ] {
            let builder = DaytonaBuilder::default().api_key("key").api_url(address);
            assert!(!format!("{builder:?}").contains("hid"), "{builder:?}");
            let message = error(builder);
            assert!(message.contains(part) && !message.contains("hid"), "{message}");
        }
    }

    #[test]
    fn a_host_outside_of_ascii_has_a_form_within() {
        let builder = DaytonaBuilder::default()
            .api_key("key")
            .api_url(" https://bücher.example/api/ ");
        assert_eq!(builder.build().unwrap().api_url(), "https://xn--bcher-kva.example/api");
    }

    #[test]
    fn a_proxy_that_is_never_used_is_no_error() {
        let build = |variables: &[(&str, &str)]| {
            let mut all = vec![(ENV_API_KEY, "key")];
            all.extend(variables);
            from(&all).build().map(|_| ()).map_err(|error| error.to_string())
        };
        let https = (ENV_API_URL, "https://h/api");
        let http = (ENV_API_URL, "http://h/api");
        let socks = ("all_proxy", "socks5://user:hidden@p:1");
        assert_eq!(build(&[https, socks, ("https_proxy", "http://p:1")]), Ok(()));
        assert_eq!(build(&[http, ("HTTPS_PROXY", "nonsense")]), Ok(()));
        for no_proxy in ["*", "h", "otherhost,*"] {
            assert_eq!(build(&[https, socks, ("NO_PROXY", no_proxy)]), Ok(()));
        }
        for (variables, name) in [
            (vec![https, socks], "`all_proxy`"),
            (vec![https, ("ALL_PROXY", "socks5://p:1")], "`ALL_PROXY`"),
            (vec![http, ("http_proxy", "nonsense")], "`http_proxy`"),
            (vec![https, ("HTTPS_PROXY", "http://")], "`HTTPS_PROXY`"),
        ] {
            let message = build(&variables).unwrap_err();
            assert!(message.contains(name) && !message.contains("hidden"), "{message}");
        }
    }

    #[test]
    fn a_proxy_in_code_has_to_be_one() {
        let builder = || DaytonaBuilder::default().api_key("key").api_url("http://127.0.0.1/api");
        for wrong in ["nonsense", "", "socks5://p:1", "http://"] {
            let message = error(builder().proxy(wrong).no_proxy("*"));
            assert!(message.contains("DaytonaBuilder::proxy"), "{message}");
        }
        let message = error(builder().proxy("p:1").no_proxy("10.0.0.0/99"));
        assert!(message.contains("`10.0.0.0/99`"), "{message}");
        assert!(builder().proxy("p:1").no_proxy("10.0.0.0/8, h:80").build().is_ok());
    }

    #[test]
    fn no_secret_shows() {
        let builder = from(&[(ENV_API_KEY, "dtn_secret")]);
        assert!(!format!("{builder:?}").contains("dtn_secret"));
        assert!(!format!("{:?}", builder.build().unwrap()).contains("dtn_secret"));
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
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
    fn a_file_may_begin_with_a_mark_and_other_encodings_are_named() {
        let marked = file("\u{feff}DAYTONA_API_KEY=dtn_marked\r\n");
        let built = DaytonaBuilder::default().env_file(marked.path()).build().unwrap();
        assert!(matches!(built.settings().credentials, Credentials::ApiKey(_)));
        let utf16 = |mark: &[u8]| {
            let text = "DAYTONA_API_KEY=secret\n".encode_utf16().flat_map(u16::to_le_bytes);
            [mark.to_vec(), text.collect()].concat()
        };
        for bytes in [utf16(&[0xff, 0xfe]), utf16(&[])] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), bytes).unwrap();
            let error = DaytonaBuilder::default().env_file(file.path()).build().unwrap_err();
            let message = error.to_string();
            assert!(
                message.contains("not UTF-8") && !message.contains("secret"),
                "{message}"
            );
        }
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
