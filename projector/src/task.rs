//! Work in the background that ends with whoever waits for it.

use tokio_util::task::AbortOnDropHandle;

/// Begins it.
pub(crate) fn begin<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> AbortOnDropHandle<T> {
    AbortOnDropHandle::new(tokio::spawn(work))
}

/// Waits for it. A panic in it goes on here.
pub(crate) async fn end<T>(task: AbortOnDropHandle<T>) -> T {
    match task.await {
        Ok(output) => output,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends; nobody will see an answer.
            Err(_) => std::future::pending().await,
        },
    }
}
