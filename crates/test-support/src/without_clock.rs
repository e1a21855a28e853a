//! Clients that send a deadline and leave it to the service. The usual one measures it too, and gives up by itself.

use http_body::Body;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Carries the calls of a generated client, whose bodies are `B`.
pub type HttpClient<B> = Client<HttpConnector, B>;

/// For HTTP/2 without TLS.
#[must_use]
pub fn client<B>() -> HttpClient<B>
where
    B: Body + Send,
    B::Data: Send,
{
    let mut connector = HttpConnector::new();
    // Or the body of a request comes 40 ms after its head, which starts the deadline.
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build(connector)
}
