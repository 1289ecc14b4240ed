//! Spans: which there are, what they say, and how the service hears of them.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Mutex, Once};

use daytona_emulator::{Emulator, Fault, Operation};
use tracing::Instrument;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;

use crate::support::{image_params, in_process};

/// Everything that is traced, as text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traced(Arc<Mutex<Vec<u8>>>);

impl io::Write for Traced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

thread_local! {
    /// Where what this thread traces goes. Tests run on one thread each, and so does what they spawn.
    static TRACED: RefCell<Option<Traced>> = const { RefCell::new(None) };
}

/// Writes what a thread traces to where it wants it.
#[derive(Debug)]
struct OfThread;

impl MakeWriter<'_> for OfThread {
    type Writer = Traced;

    fn make_writer(&self) -> Traced {
        TRACED.with_borrow(|traced| traced.clone().unwrap_or_default())
    }
}

impl Traced {
    /// Traces what this thread does from now on, at the finest level, except the emulator.
    pub(crate) fn begin() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let is_wanted = dynamic_filter_fn(|metadata, _| {
                let is_of_the_server = ["s3s", "daytona_emulator"]
                    .iter()
                    .any(|name| metadata.target().starts_with(name));
                !is_of_the_server && TRACED.with_borrow(Option::is_some)
            });
            let layer = tracing_subscriber::fmt::layer()
                .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
                .with_ansi(false)
                .with_writer(OfThread)
                .with_filter(is_wanted);
            let subscriber = tracing_subscriber::registry().with(layer);
            #[cfg(feature = "otel")]
            let subscriber = subscriber.with(open_telemetry());
            tracing::subscriber::set_global_default(subscriber).unwrap();
        });
        let traced = Self::default();
        TRACED.set(Some(traced.clone()));
        traced
    }

    pub(crate) fn end(self) -> String {
        TRACED.set(None);
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn one_span_for_an_operation_and_one_for_an_attempt() {
    let (emulator, daytona) = in_process(Emulator::builder());
    emulator.inject(Fault::status(503).on(Operation::GetSnapshot).times(2));
    let traced = Traced::begin();
    daytona.snapshots().get("nobody").await.unwrap_err();
    let text = traced.end();
    let opened = |name: &str| {
        text.lines()
            .filter(|line| line.contains(name) && line.ends_with("new"))
            .count()
    };
    assert_eq!((opened("daytona.call{"), opened("daytona.http{")), (3 + 1, 3), "{text}");
    for field in [
        "http.request.method=\"GET\"",
        "server.address=\"daytona.emulator\"",
        "server.port=80",
        "url.path=\"/api/snapshots/nobody\"",
        "http.response.status_code=404",
        "error.type=\"404\"",
    ] {
        assert!(text.contains(field), "{field}: {text}");
    }
    let traced = Traced::begin();
    let create = daytona
        .snapshots()
        .create(image_params("x"))
        .on_logs(|_| tracing::info!("a callback"));
    create
        .into_future()
        .instrument(tracing::info_span!("of_the_caller"))
        .await
        .unwrap();
    let text = traced.end();
    let called: Vec<_> = text.lines().filter(|line| line.ends_with("a callback")).collect();
    let is_of_the_caller = |line: &&str| line.contains("of_the_caller") && !line.contains("daytona.snapshots{");
    assert!(!called.is_empty() && called.iter().all(is_of_the_caller), "{called:?}");
    // The log is read by another task, and belongs to the creation all the same.
    let of_creation: Vec<_> = text
        .lines()
        .filter(|line| line.contains("daytona.snapshots{") && line.contains("operation=\"create\""))
        .collect();
    for part in ["createSnapshot", "getSnapshot", "url.path=\"/snapshots/"] {
        let count = of_creation.iter().filter(|line| line.contains(part)).count();
        let all = text.lines().filter(|line| line.contains(part)).count();
        assert!(count > 0 && count == all, "{part}: {text}");
    }
}

/// Spans of threads that trace become spans of OpenTelemetry.
#[cfg(feature = "otel")]
fn open_telemetry<S>() -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    use opentelemetry::trace::TracerProvider;

    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    layer.with_filter(dynamic_filter_fn(|_, _| TRACED.with_borrow(Option::is_some)))
}

#[cfg(feature = "otel")]
#[tokio::test]
async fn the_service_hears_which_trace_a_request_belongs_to() {
    use wiremock::matchers::any;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(503))
        .mount(&server)
        .await;
    let client = daytona_sdk::Daytona::builder()
        .api_url(server.uri())
        .api_key("key")
        .build()
        .unwrap();
    let traced = Traced::begin();
    client.health().await.unwrap_err();
    traced.end();
    let requests = server.received_requests().await.unwrap();
    let parents: Vec<_> = requests
        .iter()
        .map(|request| request.headers["traceparent"].to_str().unwrap().to_owned())
        .collect();
    let part = |parent: &str, number: usize| parent.split('-').nth(number).unwrap().to_owned();
    assert_eq!(parents.len(), 4);
    for parent in &parents {
        assert_eq!(
            (
                part(parent, 0).as_str(),
                part(parent, 1).len(),
                part(parent, 3).as_str()
            ),
            ("00", 32, "01"),
            "{parent}"
        );
        assert_eq!(part(parent, 1), part(&parents[0], 1), "one trace");
    }
    assert_ne!(part(&parents[0], 2), part(&parents[1], 2), "a span for each attempt");
    assert!(!requests[0].headers.contains_key("authorization"), "health is public");
}
