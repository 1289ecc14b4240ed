//! Spans: one for each operation, one for each attempt at it, with the field names of OpenTelemetry.
//!
//! Headers and queries, which hold secrets, are never recorded.

use std::future::Future;

use http::{HeaderMap, Request, StatusCode};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::error::Error;

/// The span of something that takes several operations, such as a creation.
pub(crate) fn whole(what: &'static str, snapshot: &str) -> Span {
    tracing::info_span!("daytona.snapshots", otel.name = what, operation = what, snapshot)
}

/// Runs a future within the span, and records a failure.
pub(crate) async fn within<T>(span: &Span, future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let outcome = future.instrument(span.clone()).await;
    if let Err(error) = &outcome {
        tracing::debug!(parent: span, %error, kind = error.kind().as_str(), "failed");
    }
    outcome
}

/// The span of an operation of the API, with all its attempts.
pub(crate) fn operation(id: &'static str) -> Span {
    tracing::info_span!("daytona.call", otel.name = id, operation = id)
}

/// The span of one request. `resends` is how often it was sent before.
pub(crate) fn attempt<B>(request: &Request<B>, resends: u32) -> Span {
    let uri = request.uri();
    let span = tracing::debug_span!(
        "daytona.http",
        otel.name = request.method().as_str(),
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = request.method().as_str(),
        http.request.resend_count = Empty,
        http.response.status_code = Empty,
        server.address = uri.host().unwrap_or_default(),
        server.port = uri
            .port_u16()
            .unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 }),
        url.path = uri.path(),
        error.r#type = Empty,
    );
    if resends > 0 {
        span.record("http.request.resend_count", resends);
    }
    span
}

/// Records the answer.
pub(crate) fn answered(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", status.as_u16());
    if status.is_client_error() || status.is_server_error() {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", status.as_str());
    }
}

/// Records that there was no answer.
pub(crate) fn failed(span: &Span, kind: &'static str) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", kind);
}

/// Tells the service which trace the request belongs to, as W3C's `traceparent`.
#[cfg(feature = "otel")]
pub(crate) fn propagate(span: &Span, headers: &mut HeaderMap) {
    use opentelemetry::propagation::TextMapPropagator;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    /// Headers as a carrier of the trace context.
    struct Headers<'a>(&'a mut HeaderMap);

    impl opentelemetry::propagation::Injector for Headers<'_> {
        fn set(&mut self, key: &str, value: String) {
            if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(key), http::HeaderValue::try_from(value)) {
                self.0.insert(name, value);
            }
        }
    }

    TraceContextPropagator::new().inject_context(&span.context(), &mut Headers(headers));
}

#[cfg(not(feature = "otel"))]
pub(crate) fn propagate(_span: &Span, _headers: &mut HeaderMap) {}
