//! Credentials: an API key, a JWT, or a provider of JWTs.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use daytona_context::BoxError;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, ErrorKind};
use crate::secrets::Secrets;
use crate::text::with_causes;

/// Provides JWTs.
///
/// The client asks for it before each request, so keep a token until shortly before it expires. If the service refuses
/// a token, the client does not ask again: failed logins count against the caller's address.
///
/// ```
/// use daytona_sdk::{BoxError, TokenProvider};
/// use secrecy::SecretString;
///
/// /// Reads the token from a file that something else keeps up to date.
/// #[derive(Debug)]
/// struct TokenFile(std::path::PathBuf);
///
/// #[async_trait::async_trait]
/// impl TokenProvider for TokenFile {
///     async fn token(&self) -> Result<SecretString, BoxError> {
///         Ok(tokio::fs::read_to_string(&self.0).await?.trim().into())
///     }
/// }
///
/// let daytona = daytona_sdk::Daytona::builder()
///     .token_provider(TokenFile("/run/secrets/daytona".into()))
///     .organization_id("org")
///     .build()?;
/// # Ok::<(), daytona_sdk::Error>(())
/// ```
#[async_trait]
pub trait TokenProvider: fmt::Debug + Send + Sync + 'static {
    /// A token that is valid now.
    ///
    /// # Errors
    ///
    /// The reason why there is no token. It becomes the source of an [`Error`](crate::Error) of kind `Unauthorized`.
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
    /// The organization that the credentials are used for. An API key belongs to one and needs none here.
    pub(crate) fn organization(&self) -> Option<&HeaderValue> {
        match self {
            Self::ApiKey(_) => None,
            Self::Jwt { organization, .. } | Self::Provided { organization, .. } => Some(organization),
        }
    }

    /// The secret, if it is known in advance.
    pub(crate) fn secret(&self) -> Option<&SecretString> {
        match self {
            Self::ApiKey(secret) | Self::Jwt { token: secret, .. } => Some(secret),
            Self::Provided { .. } => None,
        }
    }

    /// The header with the credentials. A new token is added to `secrets`.
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
