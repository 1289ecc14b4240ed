//! Presigned addresses of object storage.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::signature::signature;

/// A presigned address, with its session token in the query, good for a minute.
pub(crate) fn presign(access: &Value, region: &str, method: &str, path: &str) -> String {
    let field = |name: &str| access[name].as_str().unwrap();
    let host = field("storageUrl").trim_start_matches("http://");
    let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &date[..8];
    let scope = format!("{day}/{region}/s3/aws4_request");
    let credential = format!("{}/{scope}", field("accessKey")).replace('/', "%2F");
    let token = field("sessionToken");
    let query = format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={date}&X-Amz-Expires=60&X-Amz-Security-Token={token}&X-Amz-SignedHeaders=host"
    );
    let canonical = format!("{method}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
    let digest = hex::encode(Sha256::digest(canonical));
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}");
    let signature = signature(field("secret"), day, region, &text);
    format!("http://{host}{path}?{query}&X-Amz-Signature={signature}")
}
