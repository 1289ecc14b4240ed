//! Reading of objects in part, and of lists page by page.

use daytona_emulator::StorageOptions;

use super::signed::{Signed, code};
use super::{answer, with};
use crate::support::Asked;

#[tokio::test]
async fn a_part_of_an_object_is_read() {
    for options in [StorageOptions::new(), StorageOptions::new().in_memory()] {
        let asked = with(options);
        let s3 = Signed::new(&asked).await;
        let path = s3.path("abc/context.tar");
        let put = s3.send("PUT", &path, "", b"0123456789").await;
        let tag = put.headers()["etag"].to_str().unwrap().to_owned();
        for (range, part, place) in [
            ("bytes=2-4", "234", "bytes 2-4/10"),
            ("bytes=7-", "789", "bytes 7-9/10"),
            ("bytes=-3", "789", "bytes 7-9/10"),
            ("bytes=8-99", "89", "bytes 8-9/10"),
        ] {
            let answer = s3.send_with("GET", &path, ("range", range), b"").await;
            let text = String::from_utf8_lossy(answer.body()).into_owned();
            assert_eq!((answer.status().as_u16(), text.as_str()), (206, part), "{range}");
            assert_eq!(answer.headers()["content-range"], place);
            assert_eq!(answer.headers()["content-length"], part.len().to_string().as_str());
        }
        let beyond = s3.send_with("GET", &path, ("range", "bytes=10-"), b"").await;
        assert_eq!(code(&beyond), answer(416, "InvalidRange"));
        let whole = s3.send("GET", &path, "", b"").await;
        assert_eq!((whole.status().as_u16(), whole.body().len()), (200, 10));
        assert!(whole.headers().contains_key("last-modified") && whole.headers()["accept-ranges"] == "bytes");
        assert_eq!(
            s3.send_with("GET", &path, ("if-none-match", &tag), b"").await.status(),
            304
        );
        assert_eq!(
            s3.send_with("GET", &path, ("if-match", "\"other\""), b"")
                .await
                .status(),
            412
        );
        assert_eq!(s3.send_with("GET", &path, ("if-match", &tag), b"").await.status(), 200);
        assert_eq!(
            s3.send_with("PUT", &path, ("if-none-match", "*"), b"x").await.status(),
            412
        );
    }
}

#[tokio::test]
async fn a_list_has_dates_folders_and_further_parts() {
    let asked = Asked::new();
    let own = asked.emulator.organization_id().to_owned();
    for key in ["a/1", "a/2", "b c", "b/1", "z"] {
        asked.emulator.put_object(&format!("{own}/{key}"), b"x").unwrap();
    }
    let s3 = Signed::new(&asked).await;
    let text = async |query: &str| {
        let answer = s3.send("GET", "/daytona", query, b"").await;
        String::from_utf8(answer.body().to_vec()).unwrap()
    };
    let all = |text: &str, tag: &str| {
        let tag = format!("<{tag}>");
        let pieces = text.split(&tag).skip(1);
        pieces
            .filter_map(|piece| piece.split("</").next())
            .map(|piece| piece.replace(&format!("{own}/"), ""))
            .collect::<Vec<_>>()
    };
    let folded = text(&format!("delimiter=%2F&list-type=2&prefix={own}%2F")).await;
    assert_eq!(all(&folded, "Key"), ["b c", "z"]);
    assert_eq!(all(&folded, "Prefix"), ["", "a/", "b/"], "{folded}");
    assert_eq!(all(&folded, "LastModified").len(), 2);
    for (version, next, parameter) in [
        ("list-type=2&", "NextContinuationToken", "continuation-token"),
        ("", "NextMarker", "marker"),
    ] {
        let (mut seen, mut token, mut parts) = (Vec::new(), String::new(), 0);
        loop {
            // Parameters are signed in their order.
            let place = if token.is_empty() {
                String::new()
            } else {
                format!("{parameter}={token}&")
            };
            let query = if version.is_empty() {
                format!("delimiter=%2F&{place}max-keys=1&prefix={own}%2F")
            } else {
                format!("{place}delimiter=%2F&{version}max-keys=1&prefix={own}%2F")
            };
            let page = text(&query).await;
            parts += 1;
            seen.extend(all(&page, "Key"));
            seen.extend(all(&page, "Prefix").into_iter().skip(1));
            assert!(parts < 9, "{page}");
            let piece = page.split(&format!("<{next}>")).nth(1);
            let Some(piece) = piece else { break };
            token = piece
                .split("</")
                .next()
                .unwrap()
                .replace('/', "%2F")
                .replace(' ', "%20");
        }
        assert_eq!(
            (seen, parts),
            (["a/", "b c", "b/", "z"].map(ToOwned::to_owned).to_vec(), 4),
            "{version}"
        );
    }
    let encoded = text(&format!("encoding-type=url&list-type=2&prefix={own}%2Fb")).await;
    assert!(
        encoded.contains("/b%20c<") && encoded.contains("<EncodingType>url<"),
        "{encoded}"
    );
    let wrong = s3
        .send(
            "GET",
            "/daytona",
            &format!("continuation-token=nonsense&list-type=2&prefix={own}"),
            b"",
        )
        .await;
    assert_eq!(code(&wrong), answer(400, "InvalidArgument"));
}
