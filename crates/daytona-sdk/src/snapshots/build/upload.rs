//! The upload of local files.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use daytona_api::{GetPushAccess, StorageAccess};
use daytona_context::{Context, Digest, ObjectStorage, Progress, Push, Pushed, Target};

use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind};
use crate::snapshots::events::delivery::Sink;
use crate::snapshots::events::event::Event;

/// An upload that has begun to request push access.
pub(crate) type Access = Pin<Box<dyn Future<Output = Result<StorageAccess, Error>> + Send>>;

/// The address of the storage, and the credentials for it.
pub(crate) struct Upload {
    /// Push access, if it was requested earlier.
    access: Option<Access>,
    /// Whether stored archives are sent again.
    everything: bool,
    /// The index of hashes.
    index: Option<PathBuf>,
}

impl Upload {
    /// Only archives that are not stored yet.
    pub(crate) fn missing(access: Option<Access>) -> Self {
        Self {
            access,
            everything: false,
            index: None,
        }
    }

    /// All archives.
    pub(crate) fn everything() -> Self {
        Self {
            access: None,
            everything: true,
            index: None,
        }
    }

    /// Skips the hashing of files that this index knows.
    pub(crate) fn index(mut self, path: Option<&Path>) -> Self {
        self.index = path.map(Path::to_owned);
        self
    }
}

/// The hashes of the archives. Files that the index does not know are read.
pub(crate) async fn digests(context: &Context, index: Option<&Path>) -> Result<Vec<Digest>, Error> {
    Ok(match index {
        Some(index) => context.digests_with_index(index).await?,
        None => context.digests().await?,
    })
}

/// Uploads the missing archives, or all of them, and reports it as events.
pub(crate) async fn upload(
    client: &ApiClient,
    sink: &Sink,
    context: &Context,
    upload: Upload,
) -> Result<Pushed, Error> {
    if context.archives().is_empty() {
        return Ok(Pushed::default());
    }
    check_supported(client)?;
    let access = upload.access.unwrap_or_else(|| push_access(client, sink));
    let target = async {
        let access = access.await?;
        let retries = sink.clone();
        let on_retry = move |archive, reason| retries.put(Event::Retry { reason, archive });
        let storage = storage(client, &access, on_retry)?;
        Ok::<_, Error>(Target::new(storage, access.organization_id))
    };
    let progress = sink.clone();
    let push = Push::new().on_progress(move |step| {
        if let Some(event) = event_of(step) {
            progress.put(event);
        }
    });
    let push = if upload.everything { push.resend() } else { push };
    let push = upload.index.into_iter().fold(push, Push::index);
    push.run_when(context, target).await
}

/// The address of the storage, and the right to write there. It is requested when this is awaited.
pub(crate) fn push_access(client: &ApiClient, sink: &Sink) -> Access {
    let (client, sink) = (client.clone(), sink.clone());
    Box::pin(async move {
        client
            .call_with(&GetPushAccess::new(), |error| sink.put_retry(error.message()))
            .await
    })
}

fn event_of(progress: Progress) -> Option<Event> {
    Some(match progress {
        Progress::Hashed { hash, size } => Event::Hashed { hash, bytes: size },
        Progress::Skipped { hash, size } => Event::Skipped { hash, bytes: size },
        Progress::Sent { hash, bytes, size } => Event::Sent {
            hash,
            bytes,
            total: size,
        },
        Progress::Unsent { hash, bytes, size } => Event::Unsent {
            hash,
            bytes,
            total: size,
        },
        Progress::Stored { hash, size } => Event::Stored { hash, bytes: size },
        _ => return None,
    })
}

/// Checks, before any call, that there is a way to store files.
pub(crate) fn check_supported(client: &ApiClient) -> Result<(), Error> {
    if cfg!(feature = "s3") || client.settings().object_storage.is_some() {
        return Ok(());
    }
    let message = "local files need object storage: turn on the feature `s3`, or set a storage with `object_storage`";
    Err(Error::new(ErrorKind::Unsupported, message))
}

#[cfg(feature = "s3")]
fn storage(
    client: &ApiClient,
    access: &StorageAccess,
    on_retry: impl Fn(Option<Digest>, String) + Send + Sync + 'static,
) -> Result<Arc<dyn ObjectStorage>, Error> {
    use daytona_context::s3::{RetryPolicy, S3Storage};

    if let Some(storage) = &client.settings().object_storage {
        return Ok(Arc::clone(storage));
    }
    let http = Arc::new(adapter::StorageHttp(client.clone()));
    let policy = RetryPolicy::default().stall(client.settings().stall_timeout);
    let storage = S3Storage::new(&adapter::config(client, access), http)
        .map_err(|error| Error::new(ErrorKind::ObjectStorage, error.to_string()).with_source(error))?;
    let provider = Arc::new(adapter::PushAccess(client.clone()));
    Ok(Arc::new(storage.retry(policy).credential_provider(provider).on_retry(
        move |retry| on_retry(Digest::from_key(retry.key), crate::text::with_causes(retry.error)),
    )))
}

#[cfg(not(feature = "s3"))]
fn storage(
    client: &ApiClient,
    _access: &StorageAccess,
    _on_retry: impl Fn(Option<Digest>, String) + Send + Sync + 'static,
) -> Result<Arc<dyn ObjectStorage>, Error> {
    let storage = client.settings().object_storage.clone();
    storage.ok_or_else(|| Error::new(ErrorKind::Unsupported, "no object storage"))
}

/// Storage requests use the same way as those to the API: one proxy, one TLS, one client.
#[cfg(feature = "s3")]
mod adapter {
    use async_trait::async_trait;
    use bytes::Bytes;
    use daytona_api::{GetPushAccess, StorageAccess};
    use daytona_context::s3::{CredentialProvider, HttpClient, HttpError, RequestBody, S3Config};
    use daytona_context::{StorageError, StorageErrorKind};
    use http::{Request, Response};
    use http_body_util::{BodyExt, Limited};
    use secrecy::ExposeSecret;
    use tracing::Instrument;

    use crate::address::bare;
    use crate::api_client::ApiClient;
    use crate::error::ErrorKind;
    use crate::trace;
    use crate::transport::TransportErrorKind;

    /// The address of the storage, from push access.
    pub(super) fn config(client: &ApiClient, access: &StorageAccess) -> S3Config {
        for secret in [&access.secret, &access.session_token] {
            client.secrets().know(secret.expose_secret());
        }
        let mut config = S3Config::new(
            bare(&access.storage_url),
            &access.bucket,
            access.access_key.clone(),
            access.secret.clone(),
        );
        config.session_token = Some(access.session_token.clone());
        config.region.clone_from(&access.region);
        config
    }

    /// Credentials expire at a time that the service does not tell. When they have expired, new ones are requested.
    #[derive(Debug)]
    pub(super) struct PushAccess(pub(super) ApiClient);

    #[async_trait]
    impl CredentialProvider for PushAccess {
        async fn credentials(&self) -> Result<S3Config, StorageError> {
            let access = self.0.call(&GetPushAccess::new()).await.map_err(|error| {
                let kind = match error.kind() {
                    ErrorKind::Unauthorized | ErrorKind::PermissionDenied => StorageErrorKind::AccessDenied,
                    _ if error.is_passing() => StorageErrorKind::Unavailable,
                    _ => StorageErrorKind::Refused,
                };
                StorageError::new(kind).with_source(error)
            })?;
            Ok(config(&self.0, &access))
        }
    }

    /// Answers to `HEAD` and `PUT` are small.
    const LARGEST_ANSWER: usize = 1024 * 1024;

    #[derive(Debug)]
    pub(super) struct StorageHttp(pub(super) ApiClient);

    #[async_trait]
    impl HttpClient for StorageHttp {
        async fn send(&self, request: Request<RequestBody>) -> Result<Response<Bytes>, HttpError> {
            let span = trace::attempt(&request, 0);
            let exchange = async {
                let secrets = self.0.secrets();
                let response = self.0.settings().transport.send(request).await;
                let response = response.map_err(|error| match error.kind() {
                    TransportErrorKind::Connect | TransportErrorKind::Unresolved => {
                        HttpError::unsent(secrets.cut_error(error))
                    }
                    _ => HttpError::new(secrets.cut_error(error)),
                })?;
                trace::answered(&span, response.status());
                let (parts, body) = response.into_parts();
                let body = Limited::new(body, LARGEST_ANSWER)
                    .collect()
                    .await
                    .map_err(HttpError::new)?
                    .to_bytes();
                // A storage may explain its refusal by repeating what it was sent.
                let body = match std::str::from_utf8(&body) {
                    Ok(text) if !parts.status.is_success() => secrets.cut(text).into(),
                    _ => body,
                };
                Ok(Response::from_parts(parts, body))
            };
            let answer: Result<_, HttpError> = exchange.instrument(span.clone()).await;
            if answer.is_err() {
                trace::failed(&span, "connection");
            }
            answer
        }
    }
}
