//! How an address is shown and how it is sent, in both cases without parts that may be secret.

use http::Uri;
use http::uri::{Authority, Parts};
use url::Url;

use crate::text::one_line;

/// The address without user, password, query and fragment, which may all be secret. Every message, trace and `Debug`
/// shows addresses through this function.
pub(crate) fn shown(address: &str) -> String {
    match Url::parse(address) {
        Ok(url) if url.has_host() => {
            // Unchanged if there is nothing to leave out.
            if is_bare(&url) {
                one_line(address)
            } else {
                bare_url(url).into()
            }
        }
        _ => one_line(&rough(address)),
    }
}

/// The address without user, password, query and fragment, for sending.
#[cfg(feature = "s3")]
pub(crate) fn bare(address: &str) -> String {
    match Url::parse(address) {
        Ok(url) if url.has_host() && !is_bare(&url) => bare_url(url).into(),
        _ => address.to_owned(),
    }
}

fn is_bare(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none()
}

fn bare_url(mut url: Url) -> Url {
    // Neither fails for an address with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// The text cannot be parsed as an address, so everything that might be a user or a query is left out.
fn rough(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['@', '/', '?', '#']) => (format!("{scheme}://"), rest),
        _ => (String::new(), text),
    };
    let rest = rest.rsplit('@').next().unwrap_or_default();
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    format!("{scheme}{}", &rest[..end])
}

/// The address without user and password, which do not belong in a request.
pub(crate) fn without_userinfo(uri: Uri) -> Uri {
    let Some((_, host)) = uri
        .authority()
        .and_then(|authority| authority.as_str().rsplit_once('@'))
    else {
        return uri;
    };
    let Ok(authority) = Authority::try_from(host) else {
        return uri;
    };
    let mut parts: Parts = uri.clone().into_parts();
    parts.authority = Some(authority);
    Uri::from_parts(parts).unwrap_or(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_place_is_shown() {
        for (address, expected) in [
            ("https://h/api", "https://h/api"),
            ("http://h", "http://h"),
            ("https://user:pw@h:1/api?key=1#x", "https://h:1/api"),
            ("http://h/log?token=a@b", "http://h/log"),
            ("user:pw@h/api", "h/api"),
            ("https://user:p/w@h/api", "https://h/api"),
            ("https://user:p#w?@h:port/api?x", "https://h:port/api"),
            ("not an address?token=x", "not an address"),
            ("http://h/\u{1b}[31m", "http://h/\\u{1b}[31m"),
            ("", ""),
        ] {
            assert_eq!(shown(address), expected, "{address}");
        }
    }

    #[test]
    fn a_request_has_no_user() {
        let uri = without_userinfo("http://user:p%40w@h:1/log?token=1".parse().unwrap());
        assert_eq!(uri.to_string(), "http://h:1/log?token=1");
        let uri = without_userinfo("http://h/x@y".parse().unwrap());
        assert_eq!(uri.to_string(), "http://h/x@y");
    }
}
