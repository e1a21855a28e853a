//! Calls with a deadline and retries.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

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
        let passes = matches!(status.code(), Code::Unavailable | Code::ResourceExhausted);
        if !passes || attempt == ATTEMPTS {
            return Err(status);
        }
        let asked_for = status
            .get_details_retry_info()
            .and_then(|info| info.retry_delay);
        sleep(asked_for.unwrap_or(backoff)).await;
        backoff = (2 * backoff).min(Duration::from_secs(2));
        attempt += 1;
    }
}
