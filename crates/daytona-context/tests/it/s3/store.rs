//! The emulator's store as an S3 storage, in process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use daytona_context::s3::{CredentialProvider, HttpClient, HttpError, RequestBody, S3Config, S3Storage};
use daytona_context::{Context, ContextError, Digest, Push, StorageError};
use daytona_emulator::{Emulator, EmulatorService, Operation, StorageOptions};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower_service::Service;

/// The emulator as the client's network.
#[derive(Debug, Clone)]
struct Wire(EmulatorService);

#[async_trait]
impl HttpClient for Wire {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<Bytes>, HttpError> {
        let response = self.0.clone().call(request).await.map_err(HttpError::new)?;
        let (parts, body) = response.into_parts();
        Ok(Response::from_parts(
            parts,
            body.collect().await.map_err(HttpError::new)?.to_bytes(),
        ))
    }
}

/// Push access from the emulator's API, as often as it is asked for.
#[derive(Debug)]
pub(crate) struct Access {
    service: EmulatorService,
    url: String,
    key: String,
    pub(super) asked: AtomicUsize,
}

impl Access {
    pub(crate) async fn config(&self) -> S3Config {
        let request = Request::get(format!("{}/object-storage/push-access", self.url))
            .header("authorization", format!("Bearer {}", self.key))
            .body(Full::new(Bytes::new()))
            .unwrap();
        let response = self.service.clone().call(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let access: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let field = |name: &str| access[name].as_str().unwrap().to_owned();
        let mut config = S3Config::new(
            field("storageUrl"),
            field("bucket"),
            field("accessKey"),
            field("secret"),
        );
        config.session_token = Some(field("sessionToken").into());
        config.region = access["region"].as_str().map(ToOwned::to_owned);
        config
    }
}

#[async_trait]
impl CredentialProvider for Access {
    async fn credentials(&self) -> Result<S3Config, StorageError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.config().await)
    }
}

pub(super) struct Store {
    pub(super) emulator: Emulator,
    pub(super) access: Arc<Access>,
    pub(super) storage: S3Storage,
    pub(super) retries: Arc<Mutex<Vec<String>>>,
}

pub(crate) fn access(emulator: &Emulator) -> Access {
    Access {
        service: emulator.service(),
        url: emulator.api_url(),
        key: emulator.api_key().to_owned(),
        asked: AtomicUsize::new(0),
    }
}

pub(super) async fn store(options: StorageOptions) -> Store {
    let emulator = Emulator::builder().storage(options).in_process().unwrap();
    let access = Arc::new(access(&emulator));
    let retries = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&retries);
    let wire: Arc<dyn HttpClient> = Arc::new(Wire(emulator.service()));
    let storage = S3Storage::new(&access.config().await, wire)
        .unwrap()
        .credential_provider(Arc::clone(&access) as Arc<dyn CredentialProvider>)
        .on_retry(move |retry| {
            assert!(Digest::from_key(retry.key).is_some(), "{}", retry.key);
            heard.lock().unwrap().push(retry.error.to_string());
        });
    Store {
        emulator,
        access,
        storage,
        retries,
    }
}

impl Store {
    /// Another client's way to it.
    pub(super) fn wire(&self) -> Arc<dyn HttpClient> {
        Arc::new(Wire(self.emulator.service()))
    }

    pub(super) fn prefix(&self) -> &str {
        self.emulator.organization_id()
    }

    pub(super) async fn push(&self, context: &Context) -> Result<daytona_context::Pushed, ContextError> {
        Push::new().run(context, &self.storage, self.prefix()).await
    }

    pub(super) fn count(&self, operation: Operation) -> usize {
        self.emulator
            .requests()
            .iter()
            .filter(|request| request.operation == operation)
            .count()
    }

    /// Every object that is there has its hash as its key.
    pub(super) fn check_objects(&self, count: usize) {
        let objects = self.emulator.objects();
        assert_eq!(objects.len(), count);
        for object in objects {
            let digest = Digest::of(&object.read().unwrap());
            assert_eq!(object.key, format!("{}/{digest}/context.tar", self.prefix()));
        }
    }
}
