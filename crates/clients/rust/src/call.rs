//! Calls with a deadline and retries.

use std::error::Error as _;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

#[cfg(test)]
mod tests;

/// For a call with all its retries. A call without a deadline may wait for ever.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
const ATTEMPTS: u32 = 5;

/// Makes a call, and tries again where that helps: as soon as the service asks for it, else after
/// a backoff. (tonic, unlike other implementations of gRPC, does not retry by itself.)
pub(crate) async fn call<Q: Clone, A>(
    request: &Q,
    send: impl AsyncFn(Request<Q>) -> Result<Response<A>, Status>,
) -> Result<A, Status> {
    let deadline = Instant::now() + DEADLINE;
    let mut attempt = 1;
    let mut backoff = Duration::from_millis(100);
    loop {
        let mut request = Request::new(request.clone());
        request.set_timeout(deadline.saturating_duration_since(Instant::now()));
        let status = match send(request).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => status,
        };
        let asked_for = status
            .get_details_retry_info()
            .and_then(|info| info.retry_delay);
        let pause = asked_for.unwrap_or(backoff);
        // After the deadline nothing helps, so that is not waited for.
        let in_time = pause < deadline.saturating_duration_since(Instant::now());
        if !passes(&status) || attempt == ATTEMPTS || !in_time {
            return Err(status);
        }
        sleep(pause).await;
        backoff = (2 * backoff).min(Duration::from_secs(2));
        attempt += 1;
    }
}

/// Whether another try may help.
///
/// Where a connection is lost under a call, that is UNAVAILABLE for gRPC, but CANCELLED, UNKNOWN or
/// INTERNAL for tonic. Such a status has a source; one that the service sent has none.
fn passes(status: &Status) -> bool {
    let told = matches!(status.code(), Code::Unavailable | Code::ResourceExhausted);
    told || status.source().is_some()
}
