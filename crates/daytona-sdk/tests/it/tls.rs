//! TLS: API, logs and object storage under a private CA, in a program with two providers of cryptography.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use daytona_emulator::{Emulator, EmulatorService, Script};
use daytona_sdk::{CreateSnapshotParams, Daytona, DaytonaBuilder, ErrorKind, SnapshotState};
use http::Uri;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::server::TlsStream;
use tower_service::Service;

use crate::support::{Hasty, app_plan, create_and_hear, folder};

/// An emulator behind TLS.
struct Https {
    emulator: Emulator,
    address: SocketAddr,
    /// The protocols that connections have agreed on.
    protocols: Arc<Mutex<Vec<Option<Vec<u8>>>>>,
    /// The CA's certificate, in PEM.
    authority: String,
    task: AbortHandle,
}

impl Https {
    async fn start() -> Self {
        let (authority, config) = certificates();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let emulator = Emulator::builder().in_process().unwrap();
        let service = emulator.service();
        let protocols: Arc<Mutex<Vec<_>>> = Arc::default();
        let heard = Arc::clone(&protocols);
        let accept = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, heard, service) = (acceptor.clone(), Arc::clone(&heard), service.clone());
                tokio::spawn(async move {
                    // A client that does not trust it goes away.
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
                    heard.lock().unwrap().push(protocol);
                    serve(stream, address, service).await;
                });
            }
        };
        Self {
            emulator,
            address,
            protocols,
            authority,
            task: tokio::spawn(accept).abort_handle(),
        }
    }

    fn client(&self) -> DaytonaBuilder {
        Daytona::builder()
            .api_url(format!("https://{}/api", self.address))
            .api_key(self.emulator.api_key())
            .clock(Hasty::of(&self.emulator))
    }
}

impl Drop for Https {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A CA, and a server's certificate of it for the loopback address.
fn certificates() -> (String, ServerConfig) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = [Ipv4Addr::LOCALHOST.to_string()];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    // Named: with two of them in the program there is no default.
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (authority.pem(), config)
}

async fn serve(stream: TlsStream<TcpStream>, address: SocketAddr, service: EmulatorService) {
    let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        let uri = Uri::builder()
            .scheme("https")
            .authority(address.to_string())
            .path_and_query(request.uri().path_and_query().unwrap().as_str())
            .build()
            .unwrap();
        *request.uri_mut() = uri;
        service.clone().call(request)
    });
    drop(
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

#[tokio::test]
async fn a_private_authority_holds_for_api_logs_and_storage() {
    let server = Https::start().await;
    let daytona = server
        .client()
        .ca_certificate(server.authority.as_bytes())
        .build()
        .unwrap();
    server.emulator.script(Script::for_name("x").log(["#1 one", "#2 two"]));
    let folder = folder(&["app/x"]);
    let params = CreateSnapshotParams::new("x", app_plan(folder.path()));
    let (snapshot, heard) = create_and_hear(&daytona, params).await;
    assert_eq!(snapshot.state, SnapshotState::Active);
    assert_eq!(heard.log(), ["#1 one", "#2 two"]);
    let requests = server.emulator.requests();
    assert!(
        requests.iter().any(|request| request.method == http::Method::PUT),
        "{requests:?}"
    );
    // A server that speaks HTTP/2 too: an upload needs connections of its own.
    let protocols = server.protocols.lock().unwrap();
    assert!(!protocols.is_empty());
    for protocol in &*protocols {
        assert_eq!(protocol.as_deref(), Some(b"http/1.1".as_slice()));
    }
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_gets_no_request() {
    let server = Https::start().await;
    let (other, _) = certificates();
    for client in [server.client(), server.client().ca_certificate(other.as_bytes())] {
        let daytona = match client.build() {
            Ok(daytona) => daytona,
            // A system without any CA certificates.
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Config);
                continue;
            }
        };
        let error = daytona.snapshots().get("x").await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Config, 1));
        assert!(error.to_string().contains("certificate is not trusted"), "{error}");
    }
    assert!(server.emulator.requests().is_empty());
}
