//! AWS's signature of version 4, for requests to object storage.

use http::Request;
use http::request::Builder;
use serde_json::Value;
use sha2::{Digest, Sha256};

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(key).for_each(|(block, key)| *block ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize()
        .to_vec()
}

/// The signature of a text, by the key that a secret gives for one day and region.
pub(crate) fn signature(secret: &str, day: &str, region: &str, text: &str) -> String {
    let secret = format!("AWS4{secret}");
    let key = [day, region, "s3", "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, part| hmac(&key, part));
    hex::encode(hmac(&key, text))
}

/// A request with temporary credentials, whose payload is said to have this hash.
pub(crate) fn sign(access: &Value, region: &str, method: &str, path: &str, query: &str, hash: &str) -> Builder {
    let field = |name: &str| access[name].as_str().unwrap();
    let host = field("storageUrl").trim_start_matches("http://");
    // s3s compares it with the wall clock.
    let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &date[..8];
    let token = field("sessionToken");
    let headers =
        format!("host:{host}\nx-amz-content-sha256:{hash}\nx-amz-date:{date}\nx-amz-security-token:{token}\n");
    let signed = "host;x-amz-content-sha256;x-amz-date;x-amz-security-token";
    let canonical = format!("{method}\n{path}\n{query}\n{headers}\n{signed}\n{hash}");
    let scope = format!("{day}/{region}/s3/aws4_request");
    let digest = hex::encode(Sha256::digest(canonical));
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}");
    let signature = signature(field("secret"), day, region, &text);
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
        field("accessKey")
    );
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    };
    Request::builder()
        .method(method)
        .uri(format!("http://{host}{path}{query}"))
        .header("host", host)
        .header("x-amz-content-sha256", hash)
        .header("x-amz-date", &date)
        .header("x-amz-security-token", token)
        .header("authorization", authorization)
}
