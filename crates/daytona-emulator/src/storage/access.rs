//! Who may do what: temporary credentials, and the policy that comes with them.

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::path::S3Path;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Result, s3_error};

use super::bucket::Bucket;
use super::{BUCKET, Storage};

/// The storage as an HTTP service.
pub(crate) fn service(storage: &Storage) -> S3Service {
    let mut builder = S3ServiceBuilder::new(Bucket(storage.clone()));
    builder.set_auth(Secrets(storage.clone()));
    builder.set_access(Policy(storage.clone()));
    builder.build()
}

struct Secrets(Storage);

#[async_trait::async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.0.lock().credentials.get(access_key) {
            Some(issued) => Ok(SecretKey::from(issued.secret.as_str())),
            None => Err(s3_error!(
                InvalidAccessKeyId,
                "The AWS access key Id you provided does not exist in our records."
            )),
        }
    }
}

struct Policy(Storage);

#[async_trait::async_trait]
impl S3Access for Policy {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let denied = || s3_error!(AccessDenied, "Access Denied");
        let credentials = context.credentials().ok_or_else(denied)?;
        let mut state = self.0.lock();
        let issued = state.credentials.get_mut(&credentials.access_key).ok_or_else(denied)?;
        if security_token(context).as_deref() != Some(issued.token.as_str()) {
            return Err(s3_error!(
                InvalidToken,
                "The provided token is malformed or otherwise invalid."
            ));
        }
        let operation = context.s3_op().name();
        let is_write = matches!(operation, "PutObject" | "UploadPart");
        if self.0.inner.clock.now() >= issued.expires || (is_write && issued.parts_left == Some(0)) {
            return Err(s3_error!(ExpiredToken, "The provided token has expired."));
        }
        let prefix = format!("{}/", issued.organization);
        let is_allowed = match context.s3_path() {
            S3Path::Object { bucket, key } => {
                **bucket == *BUCKET
                    && key.starts_with(&prefix)
                    && matches!(
                        operation,
                        "GetObject"
                            | "HeadObject"
                            | "PutObject"
                            | "UploadPart"
                            | "CreateMultipartUpload"
                            | "CompleteMultipartUpload"
                    )
            }
            // The bucket may be listed below the organization's prefix; the listing itself sees to that.
            S3Path::Bucket { bucket } => {
                **bucket == *BUCKET
                    && matches!(operation, "ListObjectsV2" | "ListObjects")
                    && lists_below(context, &issued.organization)
            }
            S3Path::Root => false,
        };
        if !is_allowed {
            return Err(denied());
        }
        if is_write {
            issued.parts_left = issued.parts_left.map(|left| left.saturating_sub(1));
        }
        Ok(())
    }
}

/// The token of temporary credentials: in a header, or in the query of a presigned address.
fn security_token(context: &S3AccessContext<'_>) -> Option<String> {
    if let Some(token) = context.headers().get("x-amz-security-token") {
        return token.to_str().ok().map(ToOwned::to_owned);
    }
    let pairs = context
        .uri()
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    let mut tokens = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("X-Amz-Security-Token"));
    let (_, token) = tokens.next()?;
    Some(
        percent_encoding::percent_decode_str(token)
            .decode_utf8_lossy()
            .into_owned(),
    )
}

/// Whether the prefix that is asked for is the organization's, or below it.
fn lists_below(context: &S3AccessContext<'_>, organization: &str) -> bool {
    let query = context.uri().query().unwrap_or_default();
    let prefix = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("prefix="))
        .unwrap_or_default();
    let prefix = percent_encoding::percent_decode_str(prefix).decode_utf8_lossy();
    prefix == organization || prefix.starts_with(&format!("{organization}/"))
}
