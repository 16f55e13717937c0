//! Certificates and keys from their files, checked before they are used.
//!
//! The client underneath panics on a key that does not fit its certificate: so it is never given one.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::{ClientCertificate, OptionsError, RegistryOptions, limits};

pub(crate) fn config(options: &RegistryOptions) -> Result<TlsConfig, OptionsError> {
    let roots = match &options.ca_file {
        Some(path) => RootCerts::Specific(Arc::new(authorities(path)?)),
        None => RootCerts::WebPki,
    };
    let client = options
        .client_certificate
        .as_ref()
        .map(client_certificate)
        .transpose()?;
    let provider = Arc::new(ring::default_provider());
    Ok(TlsConfig::builder()
        .root_certs(roots)
        .client_cert(client)
        .unversioned_rustls_crypto_provider(provider)
        .build())
}

fn authorities(path: &Path) -> Result<Vec<Certificate<'static>>, OptionsError> {
    let certificates = certificates(path)?;
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store
            .add(CertificateDer::from(certificate.der()))
            .map_err(|error| {
                unusable(
                    path,
                    format!("a certificate in it cannot be used ({error})"),
                )
            })?;
    }
    Ok(certificates)
}

fn client_certificate(files: &ClientCertificate) -> Result<ClientCert, OptionsError> {
    let chain = certificates(&files.certificate_file)?;
    let text = read(&files.key_file)?;
    let no_key = || {
        let reason = "there is no unencrypted private key in it (PEM)";
        unusable(&files.key_file, reason.to_owned())
    };
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|_| no_key())?;
    check(&chain, key)?;
    let key = PrivateKey::from_pem(&text).map_err(|_| no_key())?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

/// What the client underneath would do with them later.
fn check(chain: &[Certificate<'_>], key: PrivateKeyDer<'static>) -> Result<(), OptionsError> {
    let chain = chain
        .iter()
        .map(|one| CertificateDer::from(one.der()).into_owned());
    let refused = |error: rustls::Error| OptionsError::ClientCertificate(error.to_string());
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_root_certificates(RootCertStore::empty())
        .with_client_auth_cert(chain.collect(), key)
        .map_err(refused)?;
    Ok(())
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, OptionsError> {
    let text = read(path)?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(unusable(path, error.to_string())),
        }
    }
    if found.is_empty() {
        let reason = "there is no certificate in it (PEM)";
        return Err(unusable(path, reason.to_owned()));
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, OptionsError> {
    let mut text = Vec::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(limits::PEM_BYTES_MAX).read_to_end(&mut text));
    read.map_err(|error| unusable(path, error.to_string()))?;
    Ok(text)
}

fn unusable(path: &Path, reason: String) -> OptionsError {
    OptionsError::File {
        path: path.to_owned(),
        reason,
    }
}
