//! S3 over a socket, with the crate's own HTTP client: what works in process works on the wire.

use std::sync::Arc;

use daytona_context::s3::{DefaultHttpClient, S3Storage};
use daytona_context::{Context, Digest, Push};
use daytona_emulator::{Emulator, Fault, Operation, StorageOptions};

use crate::s3::{access, tree};

struct OnSocket {
    emulator: Emulator,
    storage: S3Storage,
}

async fn on_socket(options: StorageOptions) -> OnSocket {
    let emulator = Emulator::builder().storage(options).start().await.unwrap();
    let access = Arc::new(access(&emulator));
    let client = Arc::new(DefaultHttpClient::new().unwrap());
    let storage = S3Storage::new(&access.config().await, client).unwrap();
    let storage = storage.credential_provider(access);
    OnSocket { emulator, storage }
}

impl OnSocket {
    async fn check(&self, push: &Push, context: &Context) {
        let prefix = self.emulator.organization_id();
        let pushed = push.run(context, &self.storage, prefix).await.unwrap();
        assert_eq!(pushed.sent, context.size());
        assert_eq!(self.emulator.objects().len(), context.archives().len());
        for object in self.emulator.objects() {
            let digest = Digest::of(&object.read().unwrap());
            assert_eq!(object.key, format!("{prefix}/{digest}/context.tar"));
        }
        assert_eq!(push.run(context, &self.storage, prefix).await.unwrap().sent, 0);
    }
}

#[tokio::test]
async fn a_strict_store_takes_every_archive() {
    let options = StorageOptions::new()
        .forbidden_when_missing()
        .refuse_checksum_headers()
        .refuse_chunked_framing()
        .region("eu-west-3")
        .expire_after_parts(2);
    let folder = tree(100_000_000);
    let context = Context::scan(folder.path()).unwrap();
    assert!(context.archives().len() > 2);
    let store = on_socket(options).await;
    let prefix = store.emulator.organization_id();
    let pushed = Push::new().run(&context, &store.storage, prefix).await.unwrap();
    assert_eq!(pushed.sent, context.size());
    assert_eq!(store.emulator.objects().len(), context.archives().len());
}

#[tokio::test]
async fn connections_that_break_are_borne() {
    let folder = tree(3_000_000);
    let context = Context::scan(folder.path()).unwrap();
    for fault in [
        Fault::reset_upload(1_000_000).on(Operation::PutObject),
        Fault::lose_answer().on(Operation::PutObject),
        Fault::disconnect().on(Operation::PutObject),
        Fault::status(503).on(Operation::PutObject),
    ] {
        let store = on_socket(StorageOptions::new()).await;
        store.emulator.inject(fault);
        store.check(&Push::new(), &context).await;
    }
}

#[tokio::test]
async fn a_large_file_goes_in_parts() {
    const MIB: u64 = 1024 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..23 * MIB).map(|index| u8::try_from(index % 251).unwrap()).collect();
    std::fs::write(folder.path().join("model.bin"), &content).unwrap();
    let context = Context::scan(folder.path()).unwrap();
    let store = on_socket(StorageOptions::new().expire_after_parts(2)).await;
    store
        .emulator
        .inject(Fault::reset_upload(100_000).on(Operation::UploadPart).part(3));
    store
        .check(&Push::new().multipart_threshold(8 * MIB).part_size(5 * MIB), &context)
        .await;
}
