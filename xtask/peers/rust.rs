//! The AWS SDK for Rust, as it is published and with its defaults, against the emulator's storage: up, down, list, presigned
//! addresses, and 20 MB in parts. Every byte that comes back is compared; the first difference ends it.

use std::env;
use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const PART: usize = 8 * 1024 * 1024;
const LARGE: usize = 20_000_000;

/// Where the objects of this program go.
struct Place {
    client: Client,
    bucket: String,
    prefix: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result {
    let place = place()?;
    small(&place).await?;
    in_parts(&place).await?;
    lists(&place).await?;
    presigned(&place).await?;
    refused(&place).await
}

fn check(what: &str, is_so: bool) -> Result {
    println!("{} {what}", if is_so { " " } else { "NOT" });
    if is_so { Ok(()) } else { Err(what.into()) }
}

/// Sends a request without the SDK; gives the status and the body.
fn send(method: &str, url: &str, headers: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
    let rest = url.strip_prefix("http://").ok_or("no http address")?;
    let (authority, path) = rest.split_once('/').ok_or("no path")?;
    let mut stream = TcpStream::connect(authority)?;
    let length = body.len();
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    )?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or("no head")?;
    let status = String::from_utf8_lossy(&answer[..end]);
    let status = status.split(' ').nth(1).ok_or("no status")?.parse()?;
    Ok((status, answer.split_off(end + 4)))
}

/// The credentials that the API gives, and what they are for.
fn place() -> Result<Place> {
    let url = format!("{}/object-storage/push-access", env::var("DAYTONA_API_URL")?);
    let headers = format!("authorization: Bearer {}\r\n", env::var("DAYTONA_API_KEY")?);
    let (_, access) = send("GET", &url, &headers, b"")?;
    let access: serde_json::Value = serde_json::from_slice(&access)?;
    let text = |name: &str| access[name].as_str().map(ToOwned::to_owned).ok_or(format!("no {name}"));
    let token = Some(text("sessionToken")?);
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(text("storageUrl")?)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(
            text("accessKey")?,
            text("secret")?,
            token,
            None,
            "push access",
        ))
        .force_path_style(true)
        .build();
    Ok(Place {
        client: Client::from_conf(config),
        bucket: text("bucket")?,
        prefix: format!("{}/rust", text("organizationId")?),
    })
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

async fn down(place: &Place, key: &str, range: Option<&str>) -> Result<Vec<u8>> {
    let get = place.client.get_object().bucket(&place.bucket).key(key);
    let answer = get.set_range(range.map(ToOwned::to_owned)).send().await?;
    Ok(answer.body.collect().await?.to_vec())
}

async fn small(place: &Place) -> Result {
    for (name, size) in [("empty", 0), ("one", 1), ("with blank/ä +&=.txt", 70_000)] {
        let key = format!("{}/{name}", place.prefix);
        let put = place.client.put_object().bucket(&place.bucket).key(&key);
        put.body(ByteStream::from(content(size))).send().await?;
        let head = place
            .client
            .head_object()
            .bucket(&place.bucket)
            .key(&key)
            .send()
            .await?;
        let is_same = head.content_length() == Some(size as i64) && down(place, &key, None).await? == content(size);
        check(&format!("rust: up and down: {name}"), is_same)?;
    }
    let key = format!("{}/with blank/ä +&=.txt", place.prefix);
    let part = down(place, &key, Some("bytes=1000-1999")).await?;
    check("rust: a range", part == content(70_000)[1000..2000])
}

async fn in_parts(place: &Place) -> Result {
    let key = format!("{}/deep/large", place.prefix);
    let begun = place.client.create_multipart_upload().bucket(&place.bucket).key(&key);
    let begun = begun.send().await?;
    let id = begun.upload_id().ok_or("no upload id")?;
    let whole = content(LARGE);
    let mut parts = Vec::new();
    for (number, bytes) in (1..).zip(whole.chunks(PART)) {
        let part = place.client.upload_part().bucket(&place.bucket).key(&key).upload_id(id);
        let sent = part
            .part_number(number)
            .body(ByteStream::from(bytes.to_vec()))
            .send()
            .await?;
        let sent = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag().map(ToOwned::to_owned));
        parts.push(sent.build());
    }
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let end = place.client.complete_multipart_upload().bucket(&place.bucket).key(&key);
    end.upload_id(id).multipart_upload(parts).send().await?;
    check("rust: 20 MB in parts", down(place, &key, None).await? == whole)
}

async fn lists(place: &Place) -> Result {
    let list = place
        .client
        .list_objects_v2()
        .bucket(&place.bucket)
        .prefix(format!("{}/", place.prefix));
    let mut pages = list.clone().max_keys(1).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        for object in page?.contents() {
            let name = object
                .key()
                .and_then(|key| key.strip_prefix(&place.prefix))
                .unwrap_or_default();
            found.push((
                name.to_owned(),
                object.size().unwrap_or(-1),
                object.last_modified().is_some(),
            ));
        }
    }
    let wanted = [
        ("/deep/large", LARGE),
        ("/empty", 0),
        ("/one", 1),
        ("/with blank/ä +&=.txt", 70_000),
    ];
    let wanted = wanted.map(|(name, size)| (name.to_owned(), size as i64, true));
    check("rust: a list of many pages", found == wanted)?;
    let folders = list.delimiter("/").send().await?;
    let folders: Vec<&str> = folders
        .common_prefixes()
        .iter()
        .filter_map(|folder| folder.prefix())
        .collect();
    let wanted = ["deep", "with blank"].map(|name| format!("{}/{name}/", place.prefix));
    check("rust: folders of a list", folders == wanted)
}

async fn presigned(place: &Place) -> Result {
    let hour = || PresigningConfig::expires_in(Duration::from_secs(3600));
    let key = format!("{}/presigned", place.prefix);
    let sent = |request: &PresignedRequest, body: &[u8]| {
        let headers = request
            .headers()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect::<String>();
        send(request.method(), request.uri(), &headers, body)
    };
    let put = place
        .client
        .put_object()
        .bucket(&place.bucket)
        .key(&key)
        .presigned(hour()?)
        .await?;
    check("rust: a presigned address to write", sent(&put, b"written")?.0 == 200)?;
    let get = place
        .client
        .get_object()
        .bucket(&place.bucket)
        .key(&key)
        .presigned(hour()?)
        .await?;
    check(
        "rust: a presigned address to read",
        sent(&get, b"")? == (200, b"written".to_vec()),
    )
}

async fn refused(place: &Place) -> Result {
    let get = place
        .client
        .get_object()
        .bucket(&place.bucket)
        .key(format!("{}/none", place.prefix));
    let error = get.send().await.err().map(aws_sdk_s3::Error::from);
    check(
        "rust: what is not there",
        matches!(error, Some(aws_sdk_s3::Error::NoSuchKey(_))),
    )?;
    let get = place.client.get_object().bucket(&place.bucket).key("another/one");
    let error = get
        .send()
        .await
        .err()
        .and_then(|error| error.raw_response().map(|answer| answer.status().as_u16()));
    check("rust: what belongs to somebody else", error == Some(403))
}
