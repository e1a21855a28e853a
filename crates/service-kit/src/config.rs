//! Configuration from the environment, with all mistakes reported at once.
//!
//! ```
//! use std::{collections::BTreeMap, net::SocketAddr, time::Duration};
//! use service_kit::config::{self, Invalid, Reader, parse};
//!
//! struct Config {
//!     listen: SocketAddr,
//!     pause: Duration,
//! }
//!
//! impl Config {
//!     fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
//!         // Every variable is read before the first `?`, so that every mistake is found.
//!         let listen = reader.required("EXAMPLE_LISTEN", parse::address);
//!         let pause = reader.or("EXAMPLE_PAUSE", parse::duration, Duration::from_millis(5));
//!         Ok(Self { listen: listen?, pause: pause? })
//!     }
//! }
//!
//! let variables = BTreeMap::from([("EXAMPLE_PAUSE", "soon")]);
//! let errors = config::read(&variables, Config::read).err().expect("two mistakes");
//! assert_eq!(errors.mistakes().len(), 2);
//! ```

mod error;
pub mod parse;
mod reader;
mod secret;
mod source;

pub use error::{ConfigErrors, Mistake};
pub use reader::{Invalid, Reader, read};
pub use secret::Secret;
pub use source::{Environment, Source, names};
