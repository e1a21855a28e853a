//! Calls that end in time, whatever the network does.

use std::time::Duration;

use tonic::{Request, Response, Status};

/// How much longer than the deadline a client waits for word of it.
const GRACE: Duration = Duration::from_millis(200);

/// Makes a call with a deadline.
pub(super) async fn timed<M, T, F>(
    message: M,
    patience: Duration,
    call: impl FnOnce(Request<M>) -> F,
) -> Result<T, Status>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let mut request = Request::new(message);
    request.set_timeout(patience);
    match tokio::time::timeout(patience + GRACE, call(request)).await {
        Ok(result) => result.map(Response::into_inner),
        Err(_) => Err(Status::deadline_exceeded("the client has given up")),
    }
}
