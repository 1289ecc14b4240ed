//! The pages of gateways that stand between a client and the API: they are no JSON, and know no envelope.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, SERVER};
use http::{HeaderValue, Response};

use crate::ResponseBody;
use crate::state::fault::{GATEWAY_STATUSES, StatusAnswer, checked_status};
use crate::wire::body::full;

/// The page for a status: of a content delivery network where only such a one uses it, else of a reverse proxy.
pub(crate) fn page(answer: &StatusAnswer) -> Response<ResponseBody> {
    let status = if GATEWAY_STATUSES.contains(&answer.status.into()) {
        answer.status
    } else {
        502
    };
    let (server, text) = match delivery_network(status) {
        Some(reason) => (
            "cloudflare",
            format!(
                "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head>\n<meta charset=\"utf-8\">\n<title>app.daytona.example | {status}: {reason}</title>\n</head>\n\
                 <body>\n<h1>{reason} <span>Error code {status}</span></h1>\n<p>The web server did not answer as it should.</p>\n</body>\n</html>\n"
            ),
        ),
        None => {
            let reason = checked_status(status).canonical_reason().unwrap_or("Error").to_owned();
            let text = format!(
                "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n<center><h1>{status} {reason}</h1></center>\r\n\
                 <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
            );
            ("nginx", text)
        }
    };
    let text = answer.body.clone().unwrap_or(text);
    let length = text.len();
    let mut response = Response::new(full(text));
    *response.status_mut() = checked_status(status);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
    headers.insert(SERVER, HeaderValue::from_static(server));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// What a content delivery network says with the statuses that it has made up.
fn delivery_network(status: u16) -> Option<&'static str> {
    Some(match status {
        520 => "Web server is returning an unknown error",
        521 => "Web server is down",
        522 => "Connection timed out",
        523 => "Origin is unreachable",
        524 => "A timeout occurred",
        525 => "SSL handshake failed",
        526 => "Invalid SSL certificate",
        527 => "Railgun Listener to origin error",
        528 | 529 => "Site is overloaded",
        530 => "Origin DNS error",
        _ => return None,
    })
}
