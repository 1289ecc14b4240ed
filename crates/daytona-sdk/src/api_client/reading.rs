//! Reads whole answers, within bounds of size and time.

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body::{Body, Frame};
use http_body_util::BodyExt;

use super::{ApiClient, on_the_line, timed_out};
use crate::error::{Asked, Error, ErrorKind};
use crate::text::with_causes;
use crate::transport::{BodyError, ResponseBody};

/// A larger answer cannot come from the API.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// How much of the body of a refusal is read.
const LARGEST_REFUSAL: usize = 1024 * 1024;

impl ApiClient {
    /// Reads a whole answer, for as long as the line is not slower than the slowest that we accept. Of a refusal it
    /// reads only the beginning.
    pub(super) async fn read(
        &self,
        asked: &Asked<'_>,
        response: Response<ResponseBody>,
    ) -> Result<Response<Bytes>, Error> {
        let (parts, body) = response.into_parts();
        let most = if parts.status.is_success() {
            LARGEST_ANSWER
        } else {
            LARGEST_REFUSAL
        };
        if parts.status.is_success() && body.size_hint().lower() > LARGEST_ANSWER as u64 {
            return Err(too_large(asked));
        }
        let (clock, patience) = (self.clock(), self.settings.attempt_timeout);
        let begun = clock.now();
        let mut body = std::pin::pin!(body);
        let mut read = BytesMut::new();
        loop {
            let end = begun.saturating_add(patience).saturating_add(on_the_line(read.len()));
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                () = clock.sleep(end.saturating_sub(clock.now())) => return Err(timed_out(asked, patience)),
            };
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => read.extend_from_slice(&data),
                Some(Ok(Err(_trailers))) => {}
                Some(Err(error)) if parts.status.is_success() => return Err(broke_off(asked, error)),
                // If the body of a refusal cannot be read, its status says enough.
                Some(Err(_)) | None => break,
            }
            if read.len() > most {
                if parts.status.is_success() {
                    return Err(too_large(asked));
                }
                break;
            }
        }
        Ok(Response::from_parts(parts, read.freeze()))
    }
}

fn too_large(asked: &Asked<'_>) -> Error {
    let message = format!(
        "the answer of {} is larger than {} MiB, so it does not come from the API",
        asked.address,
        LARGEST_ANSWER / 1024 / 1024
    );
    Error::new(ErrorKind::Decode, message).with_operation(asked.operation)
}

fn broke_off(asked: &Asked<'_>, error: BodyError) -> Error {
    let cause = asked.secrets.cut(&with_causes(&error));
    let message = format!("the connection broke in the middle of the answer: {cause}");
    Error::new(ErrorKind::Connection, message)
        .with_operation(asked.operation)
        .with_source(error)
}
