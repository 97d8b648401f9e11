//! TLS: what is served over it, what is not, and certificates that can't be used.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::fixture::{Board, server};
use callboard_mcp::Role;
use callboard_mcp::http::{Http, Limits, ListenError, Listener, Open, Stop};
use callboard_telemetry::CallLog;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Made for these tests, for `localhost`, and good for nothing else.
fn pem(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/mcp/fixture/tls")
        .join(name)
}

fn connector() -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(pem("chain.pem")).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn requests_are_answered_over_tls_and_nothing_in_the_clear() {
    let address = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::tls(address, &pem("chain.pem"), &pem("key.pem"))
        .await
        .unwrap();
    let (address, stop) = (listener.address(), Stop::new());
    assert_eq!(listener.url(), format!("https://{address}"));
    let limits = Limits {
        head_within: Duration::from_secs(2),
        ..Limits::default()
    };
    let http = Http::new(Arc::new(Open(Role::Viewer)))
        .limits(limits)
        .mount(server(&Arc::new(Board::default()), CallLog::disabled()));
    let served = tokio::spawn(http.serve(listener, stop.clone()));

    let request = b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = connector().connect(name, tcp).await.unwrap();
    tls.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = tls.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains("fixture"),
        "{answer}"
    );

    let mut clear = TcpStream::connect(address).await.unwrap();
    clear.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = clear.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    // One that never shakes hands does not keep its place.
    let mut silent = TcpStream::connect(address).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(60), silent.read(&mut [0; 1])).await;
    assert!(matches!(closed, Ok(Ok(0) | Err(_))), "{closed:?}");
    stop.gently();
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_can_not_be_used_is_named() {
    let address = "127.0.0.1:0".parse().unwrap();
    let (chain, key) = (pem("chain.pem"), pem("key.pem"));
    for (chain, key, named) in [
        (&pem("missing.pem"), &key, "missing.pem"),
        (&key, &key, "key.pem"),
        (&chain, &chain, "chain.pem"),
    ] {
        let Err(error @ ListenError::Tls { .. }) = Listener::tls(address, chain, key).await else {
            panic!("{named} was taken");
        };
        assert!(error.to_string().contains(named), "{error}");
    }
}
