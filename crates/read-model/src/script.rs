//! Scripts that the server keeps, called by their hash.

use fred::bytes::Bytes;
use fred::interfaces::LuaInterface;
use fred::types::scripts::Script as Source;
use fred::types::{Key, Value};

use crate::connection::Connection;
use crate::error::Error;

/// A script; every call of it is one command.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    source: Source,
    text: &'static str,
    /// What an error of a wrong type is blamed on.
    touches: &'static str,
}

/// A script, with what it has in common with others before it.
macro_rules! script {
    ($($file:literal),+) => {
        $crate::script::Script::new(concat!($(include_str!($file)),+), "circles:*")
    };
}
pub(crate) use script;

impl Script {
    pub(crate) fn new(text: &'static str, touches: &'static str) -> Self {
        Self {
            source: Source::from_lua(text),
            text,
            touches,
        }
    }

    /// Calls the script. All of them answer with a flat list of texts, the
    /// first of which says what the rest means.
    pub(crate) async fn call(
        &self,
        connection: &Connection,
        keys: Vec<Key>,
        arguments: Vec<Value>,
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let client = connection.client();
        let hash = self.source.sha1().clone();
        let mut answer = client.evalsha(hash, keys.clone(), arguments.clone()).await;
        // The server forgets its scripts when it restarts, and learns this one
        // by the full text.
        if matches!(&answer, Err(error) if error.details().starts_with("NOSCRIPT")) {
            answer = client.eval(self.text, keys, arguments).await;
        }
        answer.map_err(|error| connection.explain(error, self.touches))
    }
}
