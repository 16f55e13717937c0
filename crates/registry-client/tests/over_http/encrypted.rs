//! TLS: whom the client trusts, what it shows of itself, and files that cannot be used.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use change_feed::{RegistryId, SchemaRegistry};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use registry_client::{ClientCertificate, HttpRegistry, OptionsError};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;

use crate::server::{Server, schema};
use crate::{options, refused};

/// Whoever signs certificates, and a directory to put them into.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn ca_file(&self) -> PathBuf {
        self.file("ca.pem", &self.issuer.pem())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        roots
    }

    /// A registry that shows a certificate for `localhost`, and asks for one if told so.
    fn server(&self, asks: bool) -> Server {
        let provider = Arc::new(ring::default_provider());
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = if asks {
            let roots = Arc::new(self.roots());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            config.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            config.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = config.with_single_cert(vec![certificate.der().clone()], key);
        Server::start_tls(config.unwrap(), |_| schema("x"))
    }

    fn client_certificate(&self) -> ClientCertificate {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["rowtide".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        ClientCertificate {
            certificate_file: self.file("client.pem", &certificate.pem()),
            key_file: self.file("client.key", &key.serialize_pem()),
        }
    }
}

#[test]
fn only_a_trusted_registry_is_asked() {
    let authority = Authority::new();
    let server = authority.server(false);
    let mut options = options(&[&server.url()]);
    let told = refused(&mut HttpRegistry::new(&options).unwrap(), 1);
    assert!(
        told.starts_with("unavailable: ") && told.contains("UnknownIssuer"),
        "{told}"
    );
    options.ca_file = Some(Authority::new().ca_file());
    // The file is gone with its authority.
    let error = HttpRegistry::new(&options).err().unwrap();
    assert!(matches!(error, OptionsError::File { .. }), "{error}");
    let other = Authority::new();
    options.ca_file = Some(other.ca_file());
    let told = refused(&mut HttpRegistry::new(&options).unwrap(), 1);
    assert!(
        told.contains("UnknownIssuer") || told.contains("BadSignature"),
        "{told}"
    );
    assert_eq!(server.paths(), Vec::<String>::new());
    options.ca_file = Some(authority.ca_file());
    assert!(
        HttpRegistry::new(&options)
            .unwrap()
            .fetch(RegistryId(1))
            .is_ok()
    );
}

#[test]
fn a_registry_that_asks_is_shown_the_client_certificate() {
    let authority = Authority::new();
    let server = authority.server(true);
    let mut options = options(&[&server.url()]);
    options.ca_file = Some(authority.ca_file());
    let told = refused(&mut HttpRegistry::new(&options).unwrap(), 1);
    assert!(told.starts_with("unavailable: "), "{told}");
    options.client_certificate = Some(authority.client_certificate());
    assert!(
        HttpRegistry::new(&options)
            .unwrap()
            .fetch(RegistryId(1))
            .is_ok()
    );
}

#[test]
fn files_that_cannot_be_used_are_refused_at_once() {
    let authority = Authority::new();
    let mut options = options(&["https://localhost:1"]);
    let refuse = |options: &_| HttpRegistry::new(options).err().unwrap().to_string();
    options.ca_file = Some(authority.file("empty.pem", "nothing\n"));
    assert!(refuse(&options).ends_with("empty.pem: there is no certificate in it (PEM)"));
    options.ca_file = None;
    let good = authority.client_certificate();
    let with = |certificate_file: &Path, key_file: &Path| {
        let mut options = options.clone();
        options.client_certificate = Some(ClientCertificate {
            certificate_file: certificate_file.to_owned(),
            key_file: key_file.to_owned(),
        });
        options
    };
    let error = refuse(&with(&good.certificate_file, &good.certificate_file));
    assert!(
        error.ends_with("client.pem: there is no unencrypted private key in it (PEM)"),
        "{error}"
    );
    let foreign = KeyPair::generate().unwrap().serialize_pem();
    let foreign = authority.file("foreign.key", &foreign);
    let error = refuse(&with(&good.certificate_file, &foreign));
    assert!(
        error.starts_with("the client certificate for the schema registry cannot be used: "),
        "{error}"
    );
    assert!(HttpRegistry::new(&with(&good.certificate_file, &good.key_file)).is_ok());
}
