//! A service inside the test's process, on a thread and a runtime of its own, as a process would
//! have them.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Much longer than anything in a test takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Resolves when the service is told to stop.
pub type Shutdown = Pin<Box<dyn Future<Output = ()>>>;

/// Fails the test rather than wait for ever.
///
/// # Panics
///
/// After half a minute.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it takes too long")
}

/// A running service. It is told to stop when this is dropped.
#[derive(Debug)]
pub struct Hosted<E> {
    address: SocketAddr,
    shutdown: oneshot::Sender<()>,
    end: oneshot::Receiver<Result<(), E>>,
}

impl<E: Send + 'static> Hosted<E> {
    /// Binds `listen` and runs a service on it.
    ///
    /// # Panics
    ///
    /// Where the address can't be had.
    #[must_use]
    pub fn start<F: Future<Output = Result<(), E>>>(
        listen: SocketAddr,
        run: impl FnOnce(TcpListener, Shutdown) -> F + Send + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind(listen).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, told) = oneshot::channel::<()>();
        let (ended, end) = oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let result = runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                run(listener, Box::pin(async { drop(told.await) })).await
            });
            let _ = ended.send(result);
        });
        Self {
            address,
            shutdown,
            end,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells it to stop, and leaves the waiting to [`Stopping::ended`].
    pub fn stop(self) -> Stopping<E> {
        // One that has ended by itself does not hear it.
        let _ = self.shutdown.send(());
        Stopping(self.end)
    }

    /// Waits for an end that nobody asked for.
    ///
    /// # Errors
    ///
    /// What the service ended with.
    ///
    /// # Panics
    ///
    /// Where it does not end.
    pub async fn ended(self) -> Result<(), E> {
        soon(self.end).await.unwrap()
    }
}

/// A service that was told to stop.
#[derive(Debug)]
pub struct Stopping<E>(oneshot::Receiver<Result<(), E>>);

impl<E: std::fmt::Debug> Stopping<E> {
    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// Where it fails, or does not end.
    pub async fn ended(self) {
        soon(self.0).await.unwrap().unwrap();
    }
}
