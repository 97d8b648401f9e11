//! Where connections come in.
//!
//! For: binding an address, and refusing one where tokens would travel in the clear; TLS. Not for: what
//! happens on a connection.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig, crypto::ring};

/// Where requests without TLS may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plaintext {
    /// On this machine only.
    Loopback,
    /// Anywhere: whoever can see the network can read the tokens.
    Anywhere,
}

/// A bound address.
pub struct Listener {
    pub(crate) tcp: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
    address: SocketAddr,
}

/// Why there is nothing to listen on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Others could reach it, and read what is said.
    #[error(
        "{0} can be reached from other machines, and without TLS everybody on the way can read the tokens"
    )]
    Exposed(SocketAddr),
    /// The system does not give it.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// What was wanted.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The certificate or the key can't be read or used.
    #[error("cannot use {} for TLS: {error}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
    },
}

impl ListenError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            ListenError::Exposed(_) => {
                "listen on 127.0.0.1, give a certificate and its key (--tls-cert FILE --tls-key FILE), or say --insecure-plaintext if something else protects the connection"
            }
            ListenError::Bind { .. } => {
                "end what listens there, or choose another address (--listen ADDRESS:PORT; port 0 takes a free one)"
            }
            ListenError::Tls { .. } => {
                "give the certificate chain and its private key as PEM files; they must belong together"
            }
        }
    }
}

impl Listener {
    /// Binds `address` without TLS.
    ///
    /// # Errors
    /// [`ListenError::Exposed`] for an address others can reach, unless `plaintext` says that this is meant.
    pub async fn plain(address: SocketAddr, plaintext: Plaintext) -> Result<Self, ListenError> {
        if plaintext == Plaintext::Loopback && !address.ip().to_canonical().is_loopback() {
            return Err(ListenError::Exposed(address));
        }
        Self::bind(address, None).await
    }

    /// Binds `address` with TLS: a chain of certificates and its key, both as PEM files.
    ///
    /// # Errors
    /// [`ListenError`].
    pub async fn tls(address: SocketAddr, chain: &Path, key: &Path) -> Result<Self, ListenError> {
        let config = tls_config(chain, key)?;
        Self::bind(address, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn bind(address: SocketAddr, tls: Option<TlsAcceptor>) -> Result<Self, ListenError> {
        let refused = |error| ListenError::Bind { address, error };
        let tcp = TcpListener::bind(address).await.map_err(refused)?;
        let address = tcp.local_addr().map_err(refused)?;
        Ok(Listener { tcp, tls, address })
    }

    /// The address that was bound, with its port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as the beginning of a URL.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

fn tls_config(chain: &Path, key: &Path) -> Result<ServerConfig, ListenError> {
    let wrong = |path: &Path, error: &dyn std::fmt::Display| ListenError::Tls {
        path: path.to_owned(),
        error: error.to_string(),
    };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(chain, &error))?;
    if certificates.is_empty() {
        return Err(wrong(chain, &"it holds no certificate"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(certificates, private)
        })
        .map_err(|error: rustls::Error| wrong(key, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
