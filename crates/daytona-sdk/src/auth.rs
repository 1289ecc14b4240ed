//! Who calls: an API key, a JWT, or a provider of JWTs.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use daytona_context::BoxError;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, ErrorKind};
use crate::secrets::Secrets;
use crate::text::with_causes;

/// Where a JWT comes from.
///
/// Asked before each request, so that it should keep a token until shortly before its end. A token that the service does not
/// accept is not asked for again: failed logins count against the caller's address.
#[async_trait]
pub trait TokenProvider: fmt::Debug + Send + Sync + 'static {
    /// A token that is good now.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from having one: the call ends with an [`Error`](crate::Error) of kind `Unauthorized` that tells it.
    async fn token(&self) -> Result<SecretString, BoxError>;
}

#[derive(Debug)]
pub(crate) enum Credentials {
    ApiKey(SecretString),
    Jwt {
        token: SecretString,
        organization: HeaderValue,
    },
    Provided {
        provider: Arc<dyn TokenProvider>,
        organization: HeaderValue,
    },
}

impl Credentials {
    /// The organization that the credentials are used for, where they do not say it themselves.
    pub(crate) fn organization(&self) -> Option<&HeaderValue> {
        match self {
            Self::ApiKey(_) => None,
            Self::Jwt { organization, .. } | Self::Provided { organization, .. } => Some(organization),
        }
    }

    /// The secret, where it is known before it is needed.
    pub(crate) fn secret(&self) -> Option<&SecretString> {
        match self {
            Self::ApiKey(secret) | Self::Jwt { token: secret, .. } => Some(secret),
            Self::Provided { .. } => None,
        }
    }

    /// The header that tells the server who calls. A new token becomes known to `secrets`.
    pub(crate) async fn authorization(&self, secrets: &Secrets) -> Result<HeaderValue, Error> {
        match self {
            Self::ApiKey(token) | Self::Jwt { token, .. } => bearer(token),
            Self::Provided { provider, .. } => {
                let token = provider.token().await.map_err(|error| {
                    let message = format!("the token provider failed: {}", with_causes(error.as_ref()));
                    Error::new(ErrorKind::Unauthorized, message).with_source(error)
                })?;
                secrets.know(token.expose_secret());
                bearer(&token)
            }
        }
    }
}

fn bearer(token: &SecretString) -> Result<HeaderValue, Error> {
    let text = format!("Bearer {}", token.expose_secret().trim());
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Error::new(ErrorKind::Unauthorized, "the token holds characters that no token has"))?;
    value.set_sensitive(true);
    Ok(value)
}
