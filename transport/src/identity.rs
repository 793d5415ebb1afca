//! Who is who: the authority of a run and the certificates it signs.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

/// What a process is in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Launches the topology and keeps the ledger.
    Orchestrator,
    /// Accepts tasks.
    Helper,
    /// Decides.
    TaskNode,
}

impl Role {
    /// The name of the role in certificates and files.
    pub fn label(self) -> &'static str {
        match self {
            Role::Orchestrator => "orchestrator",
            Role::Helper => "helper",
            Role::TaskNode => "task-node",
        }
    }

    fn from_label(label: &str) -> Option<Role> {
        [Role::Orchestrator, Role::Helper, Role::TaskNode].into_iter().find(|r| r.label() == label)
    }

    /// What a certificate of this role may be used for: nodes that only connect cannot be served.
    fn usages(self) -> Vec<ExtendedKeyUsagePurpose> {
        let (client, server) =
            (ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth);
        match self {
            Role::Orchestrator => vec![server],
            Role::Helper => vec![client, server],
            Role::TaskNode => vec![client],
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.label())
    }
}

/// A name in a role, as a certificate states it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PeerName {
    /// The node's name in the topology.
    pub name: String,
    /// Its role.
    pub role: Role,
}

impl PeerName {
    /// The orchestrator of a run.
    pub fn orchestrator() -> PeerName {
        PeerName { name: "orchestrator".into(), role: Role::Orchestrator }
    }

    /// The DNS name in the certificate. It is not meant to be resolved.
    pub fn dns_name(&self) -> String {
        format!("{}.{}.fogbit", self.name, self.role.label())
    }

    fn from_dns_name(dns_name: &str) -> Option<PeerName> {
        let (name, role) = dns_name.strip_suffix(".fogbit")?.split_once('.')?;
        Some(PeerName { name: name.into(), role: Role::from_label(role)? })
    }

    /// The name in a certificate of this run; `None` if it states none.
    pub fn of_certificate(certificate: &CertificateDer<'_>) -> Option<PeerName> {
        let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
        parsed.valid_dns_names().find_map(PeerName::from_dns_name)
    }

    /// The name of the other side of a connection; `None` without a certificate.
    pub fn of_connection(connection: &quinn::Connection) -> Option<PeerName> {
        let identity = connection.peer_identity()?;
        let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
        PeerName::of_certificate(chain.first()?)
    }
}

/// A certificate with its private key.
#[derive(Debug)]
pub struct Identity {
    /// Leaf first, then the authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: PrivatePkcs8KeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Identity {
        Identity { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

/// What can go wrong with keys and certificates.
#[derive(Debug, thiserror::Error)]
#[error("cannot make or read a certificate: {0}")]
pub struct IdentityError(String);

impl From<rcgen::Error> for IdentityError {
    fn from(error: rcgen::Error) -> IdentityError {
        IdentityError(error.to_string())
    }
}

/// The certificate authority of a run, which only the orchestrator has.
#[derive(Debug)]
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
}

/// How long certificates are valid; `not_before` lies in the past because clocks differ.
const VALIDITY: Duration = Duration::days(365);
const BACKDATED: Duration = Duration::minutes(10);

impl Authority {
    /// A new authority with a key of its own.
    ///
    /// # Errors
    /// If no key can be made.
    pub fn generate() -> Result<Authority, IdentityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Fogbit run authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        set_validity(&mut params);
        let certificate = params.self_signed(&key)?;
        Ok(Authority {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// An authority that was written down with [`to_pem`](Self::to_pem).
    ///
    /// # Errors
    /// If the texts are no certificate and key.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Authority, IdentityError> {
        use rustls::pki_types::pem::PemObject;
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|error| IdentityError(error.to_string()))?;
        let issuer = Issuer::from_ca_cert_pem(certificate, KeyPair::from_pem(key)?)?;
        Ok(Authority { certificate: der, issuer, certificate_pem: certificate.to_owned() })
    }

    /// The certificate and the private key as PEM.
    pub fn to_pem(&self) -> (String, String) {
        (self.certificate_pem.clone(), self.issuer.key().serialize_pem())
    }

    /// The authority's own certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the certificate: what tokens are bound to.
    pub fn digest(&self) -> [u8; 32] {
        digest(&self.certificate)
    }

    /// Makes a key and a certificate for `peer`.
    ///
    /// # Errors
    /// If no key can be made.
    pub fn issue(&self, peer: &PeerName) -> Result<Identity, IdentityError> {
        let key = KeyPair::generate()?;
        let leaf = leaf_params(peer)?.signed_by(&key, &self.issuer)?;
        Ok(Identity {
            chain: vec![leaf.der().clone(), self.certificate.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()),
        })
    }

    /// Signs the public key of a request for `peer`. Nothing else of the request is looked at: what
    /// it asks for is not what it gets.
    ///
    /// # Errors
    /// If the request cannot be read.
    pub fn sign(
        &self,
        request: &[u8],
        peer: &PeerName,
    ) -> Result<CertificateDer<'static>, IdentityError> {
        let request = CertificateSigningRequestDer::from(request);
        let request = CertificateSigningRequestParams::from_der(&request)?;
        let leaf = leaf_params(peer)?.signed_by(&request.public_key, &self.issuer)?;
        Ok(leaf.der().clone())
    }
}

/// A new key with a request to sign it.
///
/// # Errors
/// If no key can be made.
pub fn signing_request() -> Result<(PrivatePkcs8KeyDer<'static>, Vec<u8>), IdentityError> {
    let key = KeyPair::generate()?;
    let request = CertificateParams::default().serialize_request(&key)?;
    Ok((PrivatePkcs8KeyDer::from(key.serialize_der()), request.der().to_vec()))
}

/// SHA-256 of the certificate that the other side of a connection shows; `None` without one.
pub fn certificate_digest(connection: &quinn::Connection) -> Option<[u8; 32]> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    Some(digest(chain.first()?))
}

/// SHA-256 of a certificate.
pub fn digest(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

fn leaf_params(peer: &PeerName) -> Result<CertificateParams, IdentityError> {
    let mut params = CertificateParams::new(vec![peer.dns_name()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, peer.name.as_str());
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = peer.role.usages();
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params);
    Ok(params)
}

fn set_validity(params: &mut CertificateParams) {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - BACKDATED;
    params.not_after = now + VALIDITY;
}
