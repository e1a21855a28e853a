//! A `traceparent` is read or passed over, whatever it is.

use fuzz_support::bytes;
use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn traceparents_survive_any_bytes(value in bytes([
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-else",
    ])) {
        let Ok(header) = HeaderValue::from_bytes(&value) else {
            return Ok(());
        };
        let headers = HeaderMap::from_iter([(TRACEPARENT.parse().unwrap(), header)]);
        let context = TraceContextPropagator::new()
            .extract_with_context(&Context::new(), &Headers(&headers));
        let span = context.span().span_context().clone();
        if span.is_valid() {
            // As it is written down it is the same again, but for flags that mean nothing.
            let written = traceparent(&span);
            prop_assert_eq!(written.len(), 55);
            let again = TraceContextPropagator::new()
                .extract_with_context(&Context::new(), &Cause(&written));
            prop_assert_eq!(again.span().span_context().span_id(), span.span_id());
            prop_assert_eq!(again.span().span_context().trace_id(), span.trace_id());
            prop_assert_eq!(again.span().span_context().is_sampled(), span.is_sampled());
        }
    }
}
