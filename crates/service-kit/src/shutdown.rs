//! When to stop.

use std::io;

use tokio::signal::unix::{SignalKind, signal as listen};

/// A future that resolves on SIGTERM or SIGINT.
///
/// The signals are caught from this call on, not from the first poll on, so that none is lost in between.
/// They no longer end the process by themselves afterwards: whoever calls this must stop when told.
///
/// # Errors
/// When the handlers can't be installed.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn signal() -> io::Result<impl Future<Output = ()> + Send + use<>> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "asked to stop");
    })
}
