//! How the command service is reached.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tonic::Request;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::args::Arguments;

/// Where to connect to, and what to show there.
pub(crate) struct Service {
    pub(crate) endpoint: Endpoint,
    pub(crate) token: Option<TokenFile>,
}

/// Why the service can't be called.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    #[error("{path}: {source}")]
    File {
        path: String,
        source: std::io::Error,
    },
    #[error("{0} holds no token")]
    Token(String),
    #[error("the certificates can't be used")]
    Tls(#[from] tonic::transport::Error),
}

impl Service {
    pub(crate) fn of(arguments: &Arguments) -> Result<Self, SetupError> {
        let security = &arguments.security;
        let scheme = if security.ca.is_some() {
            "https"
        } else {
            "http"
        };
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{}", arguments.address))?
            .connect_timeout(Duration::from_secs(5))
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        if let Some(ca) = &security.ca {
            let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?));
            if let (Some(cert), Some(key)) = (&security.cert, &security.key) {
                tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
            }
            endpoint = endpoint.tls_config(tls)?;
        }
        let token = security.token_file.clone().map(TokenFile);
        if let Some(token) = &token {
            token.read()?;
        }
        Ok(Self { endpoint, token })
    }

    /// A request with the token, as it is now.
    pub(crate) fn request<T>(&self, message: T) -> Result<Request<T>, SetupError> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request
                .metadata_mut()
                .insert("authorization", token.read()?);
        }
        Ok(request)
    }
}

/// A file with a bearer token.
pub(crate) struct TokenFile(PathBuf);

impl TokenFile {
    fn read(&self) -> Result<AsciiMetadataValue, SetupError> {
        let token = String::from_utf8(read(&self.0)?).unwrap_or_default();
        let none = || SetupError::Token(self.0.display().to_string());
        let token = Some(token.trim()).filter(|token| !token.is_empty());
        let header = format!("Bearer {}", token.ok_or_else(none)?);
        let mut value = AsciiMetadataValue::try_from(header).map_err(|_| none())?;
        value.set_sensitive(true);
        Ok(value)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SetupError> {
    fs::read(path).map_err(|source| SetupError::File {
        path: path.display().to_string(),
        source,
    })
}

/// Takes an authority with a port and nothing besides.
pub(crate) fn address(text: &str) -> Result<String, &'static str> {
    const RULE: &str = "an address has the form host:port";
    let endpoint = Endpoint::from_shared(format!("http://{text}")).map_err(|_| RULE)?;
    let authority = endpoint.uri().authority();
    let is_all = authority.is_some_and(|it| it == text && it.port_u16().is_some());
    if !is_all || text.contains('@') {
        return Err(RULE);
    }
    Ok(text.to_owned())
}
