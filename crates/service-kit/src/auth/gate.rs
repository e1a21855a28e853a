//! Whom a service lets in: tokens, with keys that are read again when their file changes.

use std::slice;
use std::sync::Arc;
use std::time::SystemTime;

use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::codegen::http::HeaderMap;

use super::identity::{Identity, Scope};
use super::keys::{Keys, KeysError};
use super::options::Options;
use super::tokens::Tokens;
use crate::files::{self, Contents, FileError};
use crate::status::Domain;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Their file can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not a JWK Set that is of use.
    #[error("must name a file with a JWK Set")]
    Keys(#[from] KeysError),
}

/// Asks callers for a token that grants a scope. Clones are cheap and share everything.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    tokens: Tokens,
    scope: Scope,
    _follower: Arc<AbortOnDropHandle<()>>,
}

impl Gate {
    /// Loads the keys and follows their file. Within a runtime.
    pub(crate) fn open(options: &Options, scope: Scope) -> Result<Self, OpenError> {
        let (contents, keys) = load(options)?;
        let tokens = Tokens::new(keys, options.issuer.clone(), options.audience.clone());
        let replaced = tokens.clone();
        let paths = vec![options.keys.clone()];
        let follower = files::follow("keys of tokens", paths, contents, move |contents| {
            replaced.replace(parse(contents)?);
            Ok::<_, KeysError>(())
        });
        Ok(Self {
            tokens,
            scope,
            _follower: Arc::new(follower),
        })
    }

    /// Who calls with these headers, if they may.
    ///
    /// # Errors
    /// UNAUTHENTICATED or PERMISSION_DENIED.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        domain: Domain,
    ) -> Result<Arc<Identity>, Box<Status>> {
        let identity = self.tokens.verify(headers, SystemTime::now());
        let identity = identity.map_err(|refusal| Box::new(refusal.status(domain)))?;
        let granted = identity.require(self.scope);
        granted.map_err(|missing| Box::new(missing.status(domain)))?;
        Ok(identity)
    }
}

/// The keys of the options' file, and its contents.
pub(super) fn load(options: &Options) -> Result<(Contents, Keys), OpenError> {
    let contents = files::read(slice::from_ref(&options.keys))?;
    let keys = parse(&contents)?;
    Ok((contents, keys))
}

fn parse(contents: &Contents) -> Result<Keys, KeysError> {
    let keys = Keys::parse(contents.first().map_or(&[], Vec::as_slice))?;
    for passed_over in keys.passed_over() {
        tracing::info!(?passed_over, "a key of tokens is not used");
    }
    tracing::info!(keys = keys.len(), "tokens are verified");
    Ok(keys)
}
