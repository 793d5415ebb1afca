//! TLS for QUIC: who is believed, and on what grounds.

use std::sync::Arc;

use quinn::crypto::rustls::{HandshakeData, QuicClientConfig, QuicServerConfig};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::identity::{Identity, digest};

/// Protocol of a node that has no certificate yet. The number is the version.
pub const ALPN_JOIN: &[u8] = b"fogbit-join/2";
/// Protocol of nodes with certificates. The number is the version.
pub const ALPN_NODE: &[u8] = b"fogbit/7";

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up TLS: {0}")]
pub struct TlsError(String);

impl TlsError {
    fn new(error: impl std::fmt::Display) -> TlsError {
        TlsError(error.to_string())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn roots(authority: &CertificateDer<'static>) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).map_err(TlsError::new)?;
    Ok(Arc::new(roots))
}

/// A server with the certificate of `identity`. With `joinable`, peers without a certificate get
/// as far as the protocol [`ALPN_JOIN`]; whoever accepts must check [`alpn`] and the peer's name.
///
/// # Errors
/// If the identity is unusable.
pub fn server_config(identity: &Identity, joinable: bool) -> Result<quinn::ServerConfig, TlsError> {
    let authority = identity.chain.last().ok_or_else(|| TlsError::new("an empty chain"))?;
    let mut verifier = WebPkiClientVerifier::builder_with_provider(roots(authority)?, provider());
    if joinable {
        verifier = verifier.allow_unauthenticated();
    }
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::new)?
        .with_client_cert_verifier(verifier.build().map_err(TlsError::new)?)
        .with_single_cert(identity.chain.clone(), PrivateKeyDer::Pkcs8(identity.key.clone_key()))
        .map_err(TlsError::new)?;
    config.alpn_protocols =
        if joinable { vec![ALPN_NODE.into(), ALPN_JOIN.into()] } else { vec![ALPN_NODE.into()] };
    // A resumed session would not show its certificate again.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    let crypto = QuicServerConfig::try_from(config).map_err(TlsError::new)?;
    Ok(quinn::ServerConfig::with_crypto(Arc::new(crypto)))
}

/// A client with the certificate of `identity`, which believes servers of the same authority.
///
/// # Errors
/// If the identity is unusable.
pub(crate) fn node_client(identity: &Identity) -> Result<quinn::ClientConfig, TlsError> {
    let authority = identity.chain.last().ok_or_else(|| TlsError::new("an empty chain"))?;
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::new)?
        .with_root_certificates(roots(authority)?)
        .with_client_auth_cert(
            identity.chain.clone(),
            PrivateKeyDer::Pkcs8(identity.key.clone_key()),
        )
        .map_err(TlsError::new)?;
    finish_client(config, ALPN_NODE)
}

/// A client without a certificate, which believes the server whose authority has this digest.
///
/// # Errors
/// If TLS cannot be set up.
pub(crate) fn join_client(authority: [u8; 32]) -> Result<quinn::ClientConfig, TlsError> {
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::new)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedAuthority {
            digest: authority,
            provider: provider(),
        }))
        .with_no_client_auth();
    finish_client(config, ALPN_JOIN)
}

fn finish_client(
    mut config: rustls::ClientConfig,
    alpn: &[u8],
) -> Result<quinn::ClientConfig, TlsError> {
    config.alpn_protocols = vec![alpn.into()];
    config.resumption = rustls::client::Resumption::disabled();
    let crypto = QuicClientConfig::try_from(config).map_err(TlsError::new)?;
    Ok(quinn::ClientConfig::new(Arc::new(crypto)))
}

/// The protocol that was agreed on for a connection.
pub fn alpn(connection: &quinn::Connection) -> Option<Vec<u8>> {
    connection.handshake_data()?.downcast::<HandshakeData>().ok()?.protocol
}

/// Believes a server whose chain holds the authority with the known digest and is valid under it.
#[derive(Debug)]
struct PinnedAuthority {
    digest: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let authority =
            intermediates.iter().find(|c| digest(c) == self.digest).ok_or_else(|| {
                rustls::Error::General(
                    "the orchestrator is not of the run this token is for".into(),
                )
            })?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
