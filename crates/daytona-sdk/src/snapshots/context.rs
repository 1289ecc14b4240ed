//! The upload of local files.

use std::sync::Arc;

use daytona_api::{GetPushAccess, StorageAccess};
use daytona_context::{Context, ObjectStorage, Progress, Push, Pushed};
use daytona_image::ImagePlan;

use crate::client::Daytona;
use crate::error::{Error, ErrorKind};

/// Uploads what is not there yet.
pub(crate) async fn process(
    client: &Daytona,
    plan: &ImagePlan,
    on_progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<Pushed, Error> {
    if plan.members().is_empty() {
        return Ok(Pushed::default());
    }
    check_supported(client)?;
    let access = client.call(&GetPushAccess::new()).await?;
    let storage = storage(client, &access)?;
    let push = Push::new().on_progress(on_progress);
    let context = Context::of_plan(plan);
    Ok(push.run(&context, storage.as_ref(), &access.organization_id).await?)
}

/// Whether there is a way to store anything, before any call.
fn check_supported(client: &Daytona) -> Result<(), Error> {
    if cfg!(feature = "s3") || client.settings().object_storage.is_some() {
        return Ok(());
    }
    let message =
        "local files need object storage: turn on the feature `s3`, or give the client one with `object_storage`";
    Err(Error::new(ErrorKind::Unsupported, message))
}

#[cfg(feature = "s3")]
fn storage(client: &Daytona, access: &StorageAccess) -> Result<Arc<dyn ObjectStorage>, Error> {
    use daytona_context::s3::{S3Config, S3Storage};

    if let Some(storage) = &client.settings().object_storage {
        return Ok(Arc::clone(storage));
    }
    let mut config = S3Config::new(
        &access.storage_url,
        &access.bucket,
        access.access_key.clone(),
        access.secret.clone(),
    );
    config.session_token = Some(access.session_token.clone());
    config.region.clone_from(&access.region);
    let http = Arc::new(adapter::StorageHttp(Arc::clone(&client.settings().transport)));
    let storage = S3Storage::new(&config, http)
        .map_err(|error| Error::new(ErrorKind::ObjectStorage, error.to_string()).with_source(error))?;
    Ok(Arc::new(storage))
}

#[cfg(not(feature = "s3"))]
fn storage(client: &Daytona, _access: &StorageAccess) -> Result<Arc<dyn ObjectStorage>, Error> {
    let storage = client.settings().object_storage.clone();
    storage.ok_or_else(|| Error::new(ErrorKind::Unsupported, "no object storage"))
}

/// Storage requests go the same way as those to the API: one proxy, one TLS, one client.
#[cfg(feature = "s3")]
mod adapter {
    use std::sync::Arc;

    use async_trait::async_trait;
    use bytes::Bytes;
    use daytona_context::s3::{HttpClient, RequestBody};
    use http::{Request, Response};
    use http_body_util::{BodyExt, Limited};

    use crate::BoxError;
    use crate::transport::Transport;

    /// Answers to `HEAD` and `PUT` are small.
    const LARGEST_ANSWER: usize = 1024 * 1024;

    #[derive(Debug)]
    pub(super) struct StorageHttp(pub(super) Arc<dyn Transport>);

    #[async_trait]
    impl HttpClient for StorageHttp {
        async fn send(&self, request: Request<RequestBody>) -> Result<Response<Bytes>, BoxError> {
            let response = self.0.send(request).await?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, LARGEST_ANSWER).collect().await?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        }
    }
}
