//! Where variables come from.

use std::{
    borrow::Borrow,
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
};

use super::{Invalid, Reader, read};

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

/// The names of all variables that `configure` asks for, so that documentation can be held against it.
pub fn names<T>(configure: impl FnOnce(&mut Reader<'_>) -> Result<T, Invalid>) -> BTreeSet<String> {
    let asked = Asked(RefCell::default());
    // It fails where a variable must be set; what it asks for does not depend on that.
    let _ = read(&asked, configure);
    asked.0.into_inner()
}

/// Has no variable, and remembers which it was asked for.
struct Asked(RefCell<BTreeSet<String>>);

impl Source for Asked {
    fn get(&self, name: &str) -> Option<OsString> {
        self.0.borrow_mut().insert(name.to_owned());
        None
    }
}
