//! Where variables come from.

use std::{borrow::Borrow, collections::BTreeMap, ffi::OsString};

/// A set of named variables.
pub trait Source {
    /// The value of the variable, or nothing where it is not set.
    fn get(&self, name: &str) -> Option<OsString>;
}

/// The environment of this process.
#[derive(Debug, Clone, Copy)]
pub struct Environment;

impl Source for Environment {
    fn get(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }
}

/// A fixed set, for tests: they must not change the environment, which all of them share.
impl<K: Borrow<str> + Ord, V: AsRef<str>> Source for BTreeMap<K, V> {
    fn get(&self, name: &str) -> Option<OsString> {
        BTreeMap::get(self, name).map(|value| value.as_ref().into())
    }
}
