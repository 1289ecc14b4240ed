//! What a client sees of an answer that breaks, on a socket.

use daytona_emulator::{Emulator, Fault, Operation};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::address;

/// All that comes on a connection before it ends.
async fn received(emulator: &Emulator) -> String {
    let mut stream = TcpStream::connect(address(&emulator.api_url())).await.unwrap();
    let request = format!(
        "GET /api/snapshots HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {}\r\n\r\n",
        emulator.api_key()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut all, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        all.extend_from_slice(&chunk[..count]);
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn a_truncated_answer_arrives_up_to_its_end() {
    let emulator = Emulator::start().await.unwrap();
    for bytes in [0, 5, 10] {
        emulator.inject(Fault::truncate(bytes).on(Operation::GetAllSnapshots));
        let answer = received(&emulator).await;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("{bytes}: {answer:?}"));
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let whole = "{\"items\":[]";
        assert_eq!(body, &whole[..usize::try_from(bytes).unwrap()]);
    }
}
