//! gRPC by hand: a message in its frame, and the calls that are measured.

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message;

/// The calls that the generator knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rpc {
    CreateCircle,
    UpdateCircle,
    GetCircle,
    BatchGetCircles,
    ListCircles,
    Echo,
    Health,
}

/// The process that answers a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Command,
    Query,
    Echo,
}

impl Rpc {
    pub(crate) const ALL: [Self; 7] = [
        Self::CreateCircle,
        Self::UpdateCircle,
        Self::GetCircle,
        Self::BatchGetCircles,
        Self::ListCircles,
        Self::Echo,
        Self::Health,
    ];

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::CreateCircle => "/circles.v1.CircleCommandService/CreateCircle",
            Self::UpdateCircle => "/circles.v1.CircleCommandService/UpdateCircle",
            Self::GetCircle => "/circles.v1.CircleQueryService/GetCircle",
            Self::BatchGetCircles => "/circles.v1.CircleQueryService/BatchGetCircles",
            Self::ListCircles => "/circles.v1.CircleQueryService/ListCircles",
            Self::Echo => "/loadtest.Echo/Echo",
            Self::Health => "/grpc.health.v1.Health/Check",
        }
    }

    pub(crate) fn side(self) -> Side {
        match self {
            Self::CreateCircle | Self::UpdateCircle | Self::Health => Side::Command,
            Self::GetCircle | Self::BatchGetCircles | Self::ListCircles => Side::Query,
            Self::Echo => Side::Echo,
        }
    }
}

/// A byte that tells of compression and four that tell the length.
const PREFIX: usize = 5;

/// The message in the form in which it travels.
pub(crate) fn frame(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX + length);
    frame.put_u8(0);
    // No request here comes near the limit.
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.encode_raw(&mut frame);
    frame.freeze()
}

/// How long a message is in its frame.
pub(crate) fn framed_length(message: &[u8]) -> usize {
    PREFIX + message.len()
}

/// The message inside its frame; none where that is not one whole, plain message.
pub(crate) fn unframe(mut frame: Bytes) -> Option<Bytes> {
    let prefix = frame.first_chunk::<PREFIX>()?;
    let [0, length @ ..] = *prefix else {
        return None;
    };
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    let message = frame.split_off(PREFIX);
    (message.len() == length).then_some(message)
}

/// The name of a status code.
pub(crate) fn status_name(code: &[u8]) -> &'static str {
    match code {
        b"0" => "OK",
        b"1" => "CANCELLED",
        b"2" => "UNKNOWN",
        b"3" => "INVALID_ARGUMENT",
        b"4" => "DEADLINE_EXCEEDED",
        b"5" => "NOT_FOUND",
        b"6" => "ALREADY_EXISTS",
        b"7" => "PERMISSION_DENIED",
        b"8" => "RESOURCE_EXHAUSTED",
        b"9" => "FAILED_PRECONDITION",
        b"10" => "ABORTED",
        b"11" => "OUT_OF_RANGE",
        b"12" => "UNIMPLEMENTED",
        b"13" => "INTERNAL",
        b"14" => "UNAVAILABLE",
        b"15" => "DATA_LOSS",
        b"16" => "UNAUTHENTICATED",
        _ => "an unknown status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_gives_its_message_back() {
        let message = prost_message();
        let frame = frame(&message);
        assert_eq!(frame[0], 0);
        let bytes = unframe(frame).unwrap();
        assert_eq!(
            circles_proto::circles::v1::Circle::decode(bytes).unwrap(),
            message
        );
    }

    #[test]
    fn what_is_not_one_whole_message_is_seen() {
        let frame = frame(&prost_message());
        assert_eq!(unframe(Bytes::new()), None);
        assert_eq!(unframe(frame.slice(..frame.len() - 1)), None);
        let mut compressed = BytesMut::from(frame);
        compressed[0] = 1;
        assert_eq!(unframe(compressed.freeze()), None);
    }

    fn prost_message() -> circles_proto::circles::v1::Circle {
        circles_proto::circles::v1::Circle {
            circle_id: "019a".into(),
            name: "Chess".into(),
            capacity: 20,
            version: 1,
        }
    }
}
