//! Proxies and CA certificates, for the API, the logs and object storage alike.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::address::shown;

/// How connections are made.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) proxies: Vec<Proxy>,
    /// Hosts that are reached without a proxy.
    pub(crate) except: Except,
    /// CA certificates to trust in addition to the system's, as PEM.
    pub(crate) ca_certificates: Vec<Vec<u8>>,
}

/// Which addresses a proxy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Http,
    Https,
    All,
}

/// A proxy, and where it was set.
pub(crate) struct Proxy {
    scope: Scope,
    set_by: &'static str,
    /// Or why it cannot be used. This is an error only if the proxy would be used.
    address: Result<Url, String>,
}

impl Network {
    /// The proxy for requests to this address. One for the address's scheme takes precedence over one for all schemes.
    pub(crate) fn proxy_for(&self, scheme: &str, host: &str, port: Option<u16>) -> Option<&Proxy> {
        let (scope, usual_port) = match scheme {
            "http" => (Scope::Http, 80),
            _ => (Scope::Https, 443),
        };
        if self.except.contains(host, port.unwrap_or(usual_port)) {
            return None;
        }
        let of = |scope| self.proxies.iter().find(|proxy| proxy.scope == scope);
        of(scope).or_else(|| of(Scope::All))
    }
}

impl Proxy {
    /// A proxy at this address, which may contain a user and a password.
    pub(crate) fn new(address: &SecretString, scope: Scope, set_by: &'static str) -> Self {
        Self {
            scope,
            set_by,
            address: parse(address.expose_secret().trim()),
        }
    }

    /// The address that its requests go to.
    ///
    /// # Errors
    ///
    /// Why it cannot be used, and where it was set.
    pub(crate) fn address(&self) -> Result<&Url, String> {
        self.address
            .as_ref()
            .map_err(|problem| format!("the proxy of `{}` {problem}", self.set_by))
    }

    /// The password in the address.
    pub(crate) fn password(&self) -> Option<SecretString> {
        let password = self.address.as_ref().ok()?.password()?;
        Some(SecretString::from(password))
    }
}

/// The proxy and the place where it was set, without a password.
impl fmt::Display for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address.as_ref().map(|url| shown(url.as_str())).unwrap_or_default();
        write!(
            formatter,
            "the proxy `{}` of `{}`",
            address.trim_end_matches('/'),
            self.set_by
        )
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Proxy")
            .field("scope", &self.scope)
            .field("set_by", &self.set_by)
            .finish_non_exhaustive()
    }
}

/// The text is not shown, because it may contain a password.
fn parse(text: &str) -> Result<Url, String> {
    const EXPECTED: &str = "write it as `http://host:port`";
    // As in other programs, an address without a scheme is http. Then it needs a port, because a single word is more
    // likely a mistake.
    let (text, needs_port) = if text.contains("://") {
        (text.to_owned(), false)
    } else {
        (format!("http://{text}"), true)
    };
    let url = Url::parse(&text).map_err(|error| format!("is not an address ({error}): {EXPECTED}"))?;
    match url.scheme() {
        // The parser removes the default port.
        "http" | "https" if needs_port && url.port().is_none() && !text.trim_end_matches('/').ends_with(":80") => {
            Err(format!("is not an address: {EXPECTED}"))
        }
        "http" | "https" if url.has_host() => Ok(url),
        "http" | "https" => Err(format!("has no host: {EXPECTED}")),
        scheme => Err(format!("is a `{scheme}` address, not http or https")),
    }
}

/// Hosts that are reached without a proxy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Except(Vec<Rule>);

#[derive(Debug, Clone)]
struct Rule {
    hosts: Hosts,
    /// The port, or none for all ports.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    All,
    /// The host of this name, and its subdomains.
    Named(String),
    At(IpAddr),
    In(IpNet),
}

impl Except {
    /// Parses a list: `*` for every host, names, addresses and networks, separated by commas or spaces. All but
    /// networks may have a port. Entries that cannot be parsed are skipped and returned.
    pub(crate) fn parse(list: &str) -> (Self, Vec<&str>) {
        let entries = list.split([',', ' ', '\t', '\n']).filter(|entry| !entry.is_empty());
        let mut rules = Vec::new();
        let mut unknown = Vec::new();
        for entry in entries {
            match rule(entry) {
                Some(rule) => rules.push(rule),
                None => unknown.push(entry),
            }
        }
        (Self(rules), unknown)
    }

    fn contains(&self, host: &str, port: u16) -> bool {
        let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        let address = host.parse::<IpAddr>().ok();
        self.0.iter().any(|rule| {
            let is_host = match (&rule.hosts, address) {
                (Hosts::All, _) => true,
                (Hosts::At(at), Some(address)) => *at == address,
                (Hosts::In(network), Some(address)) => network.contains(&address),
                (Hosts::Named(name), None) => {
                    let parent = host.strip_suffix(name.as_str());
                    parent.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                }
                _ => false,
            };
            is_host && rule.port.is_none_or(|of_rule| of_rule == port)
        })
    }
}

fn rule(entry: &str) -> Option<Rule> {
    let everywhere = |hosts| Some(Rule { hosts, port: None });
    if entry.contains('/') {
        return everywhere(Hosts::In(entry.parse().ok()?));
    }
    // An IPv6 address without brackets contains colons itself.
    if let Ok(address) = entry.parse() {
        return everywhere(Hosts::At(address));
    }
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (entry, None),
    };
    let hosts = if host == "*" {
        Hosts::All
    } else {
        let name = host.strip_prefix('*').unwrap_or(host);
        let name = name.trim_start_matches('.').trim_end_matches('.');
        match Host::parse(name).ok()? {
            Host::Domain(name) => Hosts::Named(name),
            Host::Ipv4(address) => Hosts::At(address.into()),
            Host::Ipv6(address) => Hosts::At(address.into()),
        }
    };
    Some(Rule { hosts, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_without_a_proxy() {
        let is_direct = |list: &str, host: &str, port: u16| Except::parse(list).0.contains(host, port);
        for (list, host, port) in [
            ("*", "127.0.0.1", 80),
            ("otherhost,*", "10.1.2.3", 80),
            ("otherhost, *", "api.example", 443),
            ("*", "[::1]", 80),
            ("127.0.0.1", "127.0.0.1", 8080),
            ("127.0.0.1:8080", "127.0.0.1", 8080),
            ("10.0.0.0/8", "10.255.0.1", 80),
            ("fd00::/8", "[fd12::1]", 80),
            ("::1", "[::1]", 80),
            ("[::1]", "[::1]", 80),
            ("[::1]:8080", "[::1]", 8080),
            ("Example.COM", "example.com", 443),
            ("example.com", "api.example.com", 443),
            (".example.com", "api.example.com", 443),
            ("*.example.com", "a.b.example.com", 443),
            ("example.com.", "EXAMPLE.com.", 443),
            ("example.com:443", "api.example.com", 443),
            ("bücher.example", "xn--bcher-kva.example", 443),
            ("a b", "b", 80),
            ("*:8080", "h", 8080),
        ] {
            assert!(is_direct(list, host, port), "{list}: {host}:{port}");
        }
        for (list, host, port) in [
            ("", "h", 80),
            ("127.0.0.1:8081", "127.0.0.1", 8080),
            ("127.0.0.1", "127.0.0.2", 80),
            ("10.0.0.0/8", "11.0.0.1", 80),
            ("example.com", "notexample.com", 443),
            ("api.example.com", "example.com", 443),
            ("1.2.3.4", "a1.2.3.4.example", 80),
            ("*:8080", "h", 80),
        ] {
            assert!(!is_direct(list, host, port), "{list}: {host}:{port}");
        }
        assert_eq!(Except::parse("10.0.0.0/99,h:port,ok").1, ["10.0.0.0/99", "h:port"]);
    }

    #[test]
    fn what_is_no_proxy_says_why_and_where_it_was_set() {
        let problem = |address: &str| {
            let proxy = Proxy::new(&SecretString::from(address), Scope::All, "https_proxy");
            proxy.address().map(Url::to_string).unwrap_err()
        };
        for (address, part) in [
            ("nonsense", "http://host:port"),
            ("", "http://host:port"),
            ("http://", "http://host:port"),
            ("http://secret@:1", "http://host:port"),
            ("http://h:99999", "http://host:port"),
            ("socks5://user:secret@h", "`socks5`"),
        ] {
            let problem = problem(address);
            assert!(
                problem.contains(part) && problem.contains("`https_proxy`") && !problem.contains("secret"),
                "{problem}"
            );
        }
    }

    #[test]
    fn a_proxy_is_shown_without_its_password() {
        let proxy = |address: &str| Proxy::new(&SecretString::from(address), Scope::All, "all_proxy");
        assert_eq!(
            proxy("user:secret@h:3128").to_string(),
            "the proxy `http://h:3128` of `all_proxy`"
        );
        assert_eq!(proxy("h:80").address().unwrap().as_str(), "http://h/");
        assert!(!format!("{:?}", proxy("http://user:secret@h")).contains("secret"));
    }

    #[test]
    fn the_proxy_of_a_scheme_goes_first() {
        let proxy = |address: &str, scope, set_by| Proxy::new(&SecretString::from(address), scope, set_by);
        let network = Network {
            proxies: vec![
                proxy("http://s:1", Scope::Https, "https_proxy"),
                proxy("socks5://a:1", Scope::All, "all_proxy"),
            ],
            except: Except::parse("direct").0,
            ..Network::default()
        };
        let through = |scheme, host| {
            network
                .proxy_for(scheme, host, None)
                .map(|proxy| proxy.address().is_ok())
        };
        assert_eq!(through("https", "h"), Some(true));
        assert_eq!(through("http", "h"), Some(false));
        assert_eq!(through("http", "direct"), None);
    }
}
