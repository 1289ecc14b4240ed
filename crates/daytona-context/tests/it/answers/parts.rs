//! What the answers to an upload in parts mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use daytona_context::s3::HttpError;
use daytona_context::{Context, Push};
use http::request::Parts;

use crate::script::{Answer, Script, answer, error, stored, tagged};

const MIB: u64 = 1024 * 1024;

fn large_file() -> (tempfile::TempDir, Context) {
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..12 * MIB).map(|index| u8::try_from(index % 241).unwrap()).collect();
    std::fs::write(folder.path().join("model.bin"), content).unwrap();
    let context = Context::scan(folder.path()).unwrap();
    (folder, context)
}

fn in_parts() -> Push {
    Push::new().multipart_threshold(8 * MIB).part_size(5 * MIB)
}

fn is_completion(parts: &Parts) -> bool {
    parts.method == "POST" && parts.uri.query().is_some_and(|query| query.contains("uploadId"))
}

/// A store that takes parts, and answers their completion, and what comes after it, by a script of its own.
fn completing(complete: impl Fn(usize, &Parts) -> Answer + Send + Sync + 'static) -> Script {
    let completions = AtomicUsize::new(0);
    Script::new(move |_, parts, _| {
        if is_completion(parts) {
            return complete(completions.fetch_add(1, Ordering::Relaxed), parts);
        }
        match parts.method.as_str() {
            "POST" => Ok(answer(
                200,
                "<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>",
            )),
            "PUT" => Ok(tagged()),
            "HEAD" if completions.load(Ordering::Relaxed) > 0 => complete(usize::MAX, parts),
            "HEAD" => Ok(answer(404, "")),
            _ => Ok(answer(204, "")),
        }
    })
}

/// B10, F11: the answer to the completion is lost. Done again, the upload is gone; the object tells that it was done.
#[tokio::test(start_paused = true)]
async fn a_completion_whose_answer_is_lost_is_settled_by_the_object() {
    let (_folder, context) = large_file();
    let size = context.size();
    for (there, is_stored) in [(size, true), (size - 1, false)] {
        let script = completing(move |number, _| match number {
            0 => Err(HttpError::new("the line broke")),
            usize::MAX => Ok(stored(there)),
            _ => Ok(error(404, "NoSuchUpload")),
        });
        let pushed = in_parts().run(&context, &script.storage(), "org").await;
        assert_eq!(pushed.is_ok(), is_stored, "{pushed:?}");
        // Nothing that is stored is given up.
        assert_eq!(script.count("DELETE"), usize::from(!is_stored));
    }
}

/// B10, F11: a completion that fails inside a 200 is done again, with the same parts.
#[tokio::test(start_paused = true)]
async fn a_completion_that_fails_inside_a_200_is_done_again() {
    let (_folder, context) = large_file();
    let done = "<CompleteMultipartUploadResult><ETag>\"all\"</ETag></CompleteMultipartUploadResult>";
    for code in ["InternalError", "SlowDown"] {
        let script = completing(move |number, _| match number {
            0 | 1 => Ok(error(200, code)),
            _ => Ok(answer(200, done)),
        });
        in_parts().run(&context, &script.storage(), "org").await.unwrap();
        assert_eq!((script.count("POST"), script.count("PUT")), (4, 3), "{code}");
    }
    // One that says no is believed.
    let script = completing(|number, _| match number {
        usize::MAX => Ok(answer(404, "")),
        _ => Ok(error(200, "InvalidPart")),
    });
    let refused = in_parts().run(&context, &script.storage(), "org").await.unwrap_err();
    assert!(format!("{refused:?}").contains("InvalidPart"), "{refused:?}");
    assert_eq!(script.count("DELETE"), 1);
}

/// A part that fails is sent again by itself.
#[tokio::test(start_paused = true)]
async fn a_part_that_fails_costs_a_part() {
    let (_folder, context) = large_file();
    let done = "<CompleteMultipartUploadResult><ETag>\"all\"</ETag></CompleteMultipartUploadResult>";
    let failed = Arc::new(AtomicUsize::new(0));
    let inner = completing(move |_, _| Ok(answer(200, done)));
    let count = Arc::clone(&failed);
    let script = Script::new(move |number, parts, body| {
        if parts.uri.query().is_some_and(|query| query.contains("partNumber=2"))
            && count.fetch_add(1, Ordering::Relaxed) < 2
        {
            return Err(HttpError::new("the line broke"));
        }
        inner.reply(number, parts, body)
    });
    in_parts().run(&context, &script.storage(), "org").await.unwrap();
    let sizes: Vec<usize> = script
        .seen()
        .iter()
        .filter(|seen| seen.line.contains("partNumber=2"))
        .map(|seen| seen.size)
        .collect();
    assert_eq!(sizes, [5 * 1024 * 1024; 3]);
    assert_eq!(script.count("partNumber=1"), 1);
}
