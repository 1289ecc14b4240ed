//! The source of a log: the log host, or the API for callers whom that host does not accept.

use bytes::Bytes;
use daytona_api::{GetSnapshotBuildLogs, GetSnapshotBuildLogsUrl, Operation, SnapshotId};
use http::Request;
use url::Url;

use crate::address::shown;
use crate::api_client::ApiClient;
use crate::auth::Credentials;
use crate::error::{Error, ErrorKind};
use crate::transport::{ResponseBody, full};

/// The log of a snapshot. It can be opened as often as needed.
pub(super) struct Source {
    client: ApiClient,
    id: SnapshotId,
    /// Its address, once it is known.
    address: Option<Url>,
    is_relayed: bool,
}

impl Source {
    pub(super) fn new(client: ApiClient, id: SnapshotId) -> Self {
        // The log host checks only the token, and knows no organization of a user.
        let is_relayed = !matches!(client.settings().credentials, Credentials::ApiKey(_));
        Self {
            client,
            id,
            address: None,
            is_relayed,
        }
    }

    /// Whether the log comes through the API. Then it is empty once the snapshot is active.
    pub(super) fn is_relayed(&self) -> bool {
        self.is_relayed
    }

    /// The log from its beginning.
    pub(super) async fn open(&mut self, is_followed: bool) -> Result<ResponseBody, Error> {
        if self.is_relayed {
            return self.relayed(is_followed).await;
        }
        let mut url = match &self.address {
            Some(address) => address.clone(),
            None => {
                let asked = self
                    .client
                    .call(&GetSnapshotBuildLogsUrl::new(self.id.as_str()))
                    .await?;
                self.address.insert(safe_address(&self.client, &asked.url)?).clone()
            }
        };
        if is_followed {
            url.query_pairs_mut().append_pair("follow", "true");
        }
        match request(&self.client, GetSnapshotBuildLogsUrl::ID, url.as_str()).await {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                self.is_relayed = true;
                self.relayed(is_followed).await
            }
            Err(error) => {
                // It may have another address by now.
                self.address = None;
                Err(error)
            }
            Ok(body) => Ok(body),
        }
    }

    async fn relayed(&self, is_followed: bool) -> Result<ResponseBody, Error> {
        let mut operation = GetSnapshotBuildLogs::new(self.id.as_str());
        operation.follow = is_followed.then_some(true);
        let query = operation.query().map(|query| format!("?{query}")).unwrap_or_default();
        let url = format!("{}{}{query}", self.client.api_url(), operation.path());
        request(&self.client, GetSnapshotBuildLogs::ID, &url).await
    }
}

async fn request(client: &ApiClient, operation: &'static str, url: &str) -> Result<ResponseBody, Error> {
    let request = Request::get(url)
        .body(full(Bytes::new()))
        .map_err(|error| Error::new(ErrorKind::Decode, error.to_string()))?;
    Ok(client.send(operation, request).await?.into_body())
}

/// The address, if the key may be sent there: over https, unless the API itself uses http.
fn safe_address(client: &ApiClient, address: &str) -> Result<Url, Error> {
    let refuse = |problem: &str| {
        let message = format!("the address of the build log, `{}`, {problem}", shown(address));
        Error::new(ErrorKind::Decode, message)
    };
    let url = Url::parse(address).map_err(|_| refuse("is not a URL"))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if client.api_url().starts_with("http:") => Ok(url),
        _ => Err(refuse("is less safe than the API's: the key is not sent there")),
    }
}
