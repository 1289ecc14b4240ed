//! What the settings of a client come to.

use std::path::Path;

use super::super::environment::{ENV_API_URL, ENV_SERVER_URL, ENV_TARGET};
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
fn the_old_name_of_the_address_counts_where_the_new_one_is_not_set() {
    let (new, old) = ((ENV_API_URL, "http://new/api"), (ENV_SERVER_URL, "http://old/api"));
    let url = |variables: &[(&'static str, &'static str)]| {
        let client = from(variables).api_key("key").build().unwrap();
        client.settings().api_url.clone()
    };
    assert_eq!(url(&[old]), "http://old/api");
    assert_eq!(url(&[old, new]), "http://new/api");
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
