//! TLS: certificates generated for a test, and clients with or without one.

use std::fmt;
use std::io::Result;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use serde_json::{Value, json};

use crate::e2e::client::{Connection, stream};

/// Host name in the certificates of servers.
const HOST: &str = "api.example.com";
const CONTEXT: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";

/// A certificate authority.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Authority {
    /// Generates an authority.
    pub fn generate() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = named("authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate").der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// Issues a certificate for this name.
    pub fn issue(&self, name: &str) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = named(name).signed_by(&key, &self.issuer).expect("a certificate");
        Identity { certificate: certificate.der().clone(), key: key.serialize_der() }
    }

    /// Returns a `DownstreamTlsContext` for `HOST` with additional members. A `validation_context` among them trusts
    /// this authority.
    pub fn context(&self, members: Value) -> Value {
        let server = self.issue(HOST);
        let inline = |label: &str, der: &[u8]| json!({"inline_string": pem(label, der)});
        let mut context = json!({"@type": CONTEXT, "common_tls_context": {"tls_certificates": [{
            "certificate_chain": inline("CERTIFICATE", &server.certificate),
            "private_key": inline("PRIVATE KEY", &server.key),
        }]}});
        for (name, value) in members.as_object().expect("an object") {
            match name.as_str() {
                "validation_context" => {
                    let mut validation = value.clone();
                    validation["trusted_ca"] = inline("CERTIFICATE", &self.certificate);
                    context["common_tls_context"]["validation_context"] = validation;
                }
                _ => context[name] = value.clone(),
            }
        }
        context
    }

    /// Returns a client that trusts this authority and sends the certificate of `identity`.
    pub fn client(&self, identity: Option<&Identity>) -> Client {
        self.client_of(identity, rustls::DEFAULT_VERSIONS)
    }

    /// Returns a client that supports only these versions of TLS.
    pub fn client_of(
        &self,
        identity: Option<&Identity>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(versions).expect("versions");
        let builder = builder.with_root_certificates(roots);
        Client(Arc::new(match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key.clone()));
                builder.with_client_auth_cert(vec![identity.certificate.clone()], key).expect("a client")
            }
        }))
    }
}

impl Identity {
    /// Generates a self-signed certificate.
    pub fn self_signed(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = named(name).self_signed(&key).expect("a certificate");
        Self { certificate: certificate.der().clone(), key: key.serialize_der() }
    }

    /// Returns the `x5t#S256` thumbprint ([RFC 8705 §3.1](https://www.rfc-editor.org/rfc/rfc8705#section-3.1)).
    pub fn thumbprint(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(hmac_sha256::Hash::hash(&self.certificate))
    }

    /// Returns the thumbprint in hexadecimal.
    pub fn digits(&self) -> String {
        hmac_sha256::Hash::hash(&self.certificate).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A client, which caches its TLS sessions.
#[derive(Clone)]
pub struct Client(Arc<ClientConfig>);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// Connects. The flag is true if an earlier session was resumed.
    pub fn connect(&self, port: u16) -> Result<(Connection, bool)> {
        let host = ServerName::try_from(HOST).expect("a host");
        let mut session = ClientConnection::new(Arc::clone(&self.0), host).map_err(std::io::Error::other)?;
        let mut stream = stream(port)?;
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        let is_resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        Ok((Connection::over(StreamOwned::new(session, stream)), is_resumed))
    }
}
