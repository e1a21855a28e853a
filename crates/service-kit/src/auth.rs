//! Who calls, and what they may: bearer tokens that are verified here, without asking anybody.
//!
//! A token is a JWT (RFC 7519) in the form of an access token (RFC 9068), signed by an issuer whose public keys are
//! given as a JWK Set (RFC 7517). Who makes a call that [`Calls`](crate::calls::Calls) let in is its [`Identity`]; a
//! [`Refusal`] turns into an UNAUTHENTICATED. What the caller may do is a question of its own: a [`Scope`] that the token
//! does not grant is a PERMISSION_DENIED.
//!
//! # Why no JWT library
//!
//! The signatures are checked by ring, which is the one cryptography of the project. `jsonwebtoken` has no backend for
//! it and takes a foreign one only as a global of the process; it reads the clock by itself, lets a token without
//! `iss` pass where an issuer is demanded (unless told to require one), passes over `crit`, which must be refused if not
//! understood, and drops the private parts of a JWK unseen. What would be left for it to do is to split a text at its
//! dots.
//!
//! # What is held to (RFC 8725)
//!
//! - The algorithm belongs to the key. The header of a token only picks among the keys, by `kid` and `alg`; there is no
//!   way from it to `none` or to an HMAC.
//! - Nothing of a token is looked at before its signature is known to be good, but its header.
//! - What can be understood in two ways is refused: a claim that is there twice, base64 with spare bits, a second
//!   `authorization`.
//! - No refusal says more than which rule was broken, and nothing here shows a token in its `Debug`.

mod claims;
mod gate;
mod identity;
#[cfg(test)]
mod input_properties;
mod key;
mod keys;
mod options;
mod refusal;
mod token;
mod tokens;

pub(crate) use gate::Gate;
pub use gate::OpenError;
pub use identity::{Identity, Scope, expired};
pub use options::Options;
pub use refusal::Refusal;
