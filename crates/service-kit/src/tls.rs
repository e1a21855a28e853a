//! TLS for the gRPC listener, with certificates that are read again when they change.

use std::{path::PathBuf, sync::Arc};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _};
use tokio::sync::watch;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, RootCertStore, ServerConfig,
        crypto::{CryptoProvider, ring},
        server::{VerifierBuilderError, WebPkiClientVerifier},
    },
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    config::{Invalid, Reader, parse},
    files::{self, Contents, FileError},
    program::chain,
};

/// The file with the certificate and those that lead to its authority, as PEM. Without it there is no TLS.
pub const CERTIFICATE: &str = "CIRCLES_TLS_CERT";
/// The file with its private key, as PEM.
pub const KEY: &str = "CIRCLES_TLS_KEY";
/// The file with the certificates of the authorities that clients need a certificate of, as PEM.
pub const CLIENT_CA: &str = "CIRCLES_TLS_CLIENT_CA";

/// Where the certificates are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The service's own, and those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities of clients. With it, a client without a certificate of one of these is turned away (mTLS).
    pub client_ca: Option<PathBuf>,
}

impl Options {
    /// Reads [`CERTIFICATE`], [`KEY`] and [`CLIENT_CA`], and what is in these files. Nothing where none is set.
    ///
    /// # Errors
    /// When the reader refused a variable: one without the other, or files that are not what they should be.
    pub fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, Invalid> {
        let certificate = reader.optional(CERTIFICATE, parse::path);
        let key = reader.optional(KEY, parse::path);
        let client_ca = reader.optional(CLIENT_CA, parse::path);
        let (certificate, key, client_ca) = (certificate?, key?, client_ca?);
        let options = match (certificate, key, client_ca) {
            (None, None, None) => return Ok(None),
            (Some(certificate), Some(key), client_ca) => Self {
                certificate,
                key,
                client_ca,
            },
            _ => {
                let rule = format!("must be set together with {KEY}, and before {CLIENT_CA}");
                return Err(reader.reject(CERTIFICATE, &rule));
            }
        };
        match options.load() {
            Ok(_) => Ok(Some(options)),
            Err(error) => Err(reader.reject(options.variable(&error), &chain(&error))),
        }
    }

    /// Whose mistake it is.
    fn variable(&self, error: &TlsError) -> &'static str {
        match error {
            TlsError::File(error) if error.path == self.key => KEY,
            TlsError::File(error) if Some(&error.path) == self.client_ca.as_ref() => CLIENT_CA,
            TlsError::File(_) | TlsError::Certificate(_) => CERTIFICATE,
            TlsError::Key(_) | TlsError::Pair(_) => KEY,
            TlsError::Authorities(_) | TlsError::Authority(_) | TlsError::Verifier(_) => CLIENT_CA,
        }
    }

    fn paths(&self) -> Vec<PathBuf> {
        let own = [self.certificate.clone(), self.key.clone()];
        own.into_iter().chain(self.client_ca.clone()).collect()
    }

    fn load(&self) -> Result<(Contents, Arc<ServerConfig>), TlsError> {
        let contents = files::read(&self.paths())?;
        let config = server_config(&contents)?;
        Ok((contents, Arc::new(config)))
    }
}

/// What is wrong with the certificates.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The certificate's file holds none, or something else.
    #[error("must name a PEM file with certificates")]
    Certificate(#[source] PemError),
    /// The key's file holds none, or something else.
    #[error("must name a PEM file with a private key")]
    Key(#[source] PemError),
    /// The key is of an unknown kind, or does not belong to the certificate.
    #[error("must be the key of the certificate")]
    Pair(#[source] rustls::Error),
    /// The authorities' file holds none, or something else.
    #[error("must name a PEM file with the certificates of authorities")]
    Authorities(#[source] PemError),
    /// One of them is malformed.
    #[error("must hold well-formed certificates of authorities")]
    Authority(#[source] rustls::Error),
    /// They can't be used.
    #[error("must hold certificates of authorities")]
    Verifier(#[source] VerifierBuilderError),
}

/// What TLS is done with. It is given to each user, so that it does not matter who installed which for the process.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// From the contents of the certificate, the key, and the authorities of clients where they are asked for.
fn server_config(contents: &Contents) -> Result<ServerConfig, TlsError> {
    let (certificate, key, client_ca) = match contents.as_slice() {
        [certificate, key] => (certificate, key, None),
        [certificate, key, client_ca, ..] => (certificate, key, Some(client_ca)),
        _ => return Err(TlsError::Certificate(PemError::NoneFound)),
    };
    let chain = certificates(certificate).map_err(TlsError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.into()))?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(authorities).map_err(TlsError::Authorities)? {
                roots.add(authority).map_err(TlsError::Authority)?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(TlsError::Verifier)?)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(TlsError::Pair)?;
    // gRPC clients insist on it.
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// All certificates of a PEM file, of which there is one at least.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Err(PemError::NoneFound);
    }
    Ok(found)
}

/// What is wrong with a PEM file. It says nothing of what stands there: of a key that lost its line breaks that would be
/// the key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// What is looked for is not there.
    #[error("it holds none")]
    NoneFound,
    /// A line with `BEGIN` or `END` is incomplete or missing.
    #[error("the lines with BEGIN and END are not as they should be")]
    Boundary,
    /// What is between them can't be read.
    #[error("what is between BEGIN and END is not Base64")]
    Content,
}

impl From<pem::Error> for PemError {
    fn from(error: pem::Error) -> Self {
        match error {
            pem::Error::MissingSectionEnd { .. } | pem::Error::IllegalSectionStart { .. } => {
                Self::Boundary
            }
            pem::Error::NoItemsFound => Self::NoneFound,
            _ => Self::Content,
        }
    }
}

/// TLS as it is configured at the moment.
#[derive(Debug)]
pub(crate) struct Tls {
    current: watch::Receiver<Arc<ServerConfig>>,
    _follower: AbortOnDropHandle<()>,
}

impl Tls {
    /// Loads the certificates, and follows their files. Connections that are there keep what they began with.
    pub(crate) fn open(options: &Options) -> Result<Self, TlsError> {
        let (contents, config) = options.load()?;
        let (change, current) = watch::channel(config);
        let follower = files::follow("TLS", options.paths(), contents, move |contents| {
            let config = server_config(contents).map_err(|error| chain(&error))?;
            change.send_replace(Arc::new(config));
            Ok::<_, String>(())
        });
        Ok(Self {
            current,
            _follower: follower,
        })
    }

    /// For the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.borrow()))
    }
}

#[cfg(test)]
#[path = "tls_properties.rs"]
mod properties;
