//! The methods of services, as descriptor sets tell them.

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// A method of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Method {
    /// `package.Service/Method`, which is the path of its calls but for the slash before it.
    pub(crate) name: String,
    /// Whether it takes or answers any number of messages, and so lasts as long as somebody likes.
    pub(crate) streams: bool,
}

/// The methods of `services` that the encoded descriptor sets describe.
pub(crate) fn methods<'a>(
    descriptor_sets: impl IntoIterator<Item = &'a [u8]>,
    services: &[&str],
) -> Vec<Method> {
    let mut methods = Vec::new();
    for set in descriptor_sets {
        // One that is malformed is refused elsewhere.
        let set = FileDescriptorSet::decode(set).unwrap_or_default();
        for file in set.file {
            for service in &file.service {
                let name = format!("{}.{}", file.package(), service.name());
                if services.contains(&name.as_str()) {
                    methods.extend(service.method.iter().map(|method| Method {
                        name: format!("{name}/{}", method.name()),
                        streams: method.client_streaming() || method.server_streaming(),
                    }));
                }
            }
        }
    }
    methods
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_told_from_single_calls() {
        let described = methods(
            [tonic_health::pb::FILE_DESCRIPTOR_SET, b"malformed"],
            &["grpc.health.v1.Health"],
        );
        let method = |name: &str, streams| Method {
            name: format!("grpc.health.v1.Health/{name}"),
            streams,
        };
        assert_eq!(described, [method("Check", false), method("Watch", true)]);
        let reflection = methods(
            [tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET],
            &["grpc.reflection.v1.ServerReflection", "grpc.Other"],
        );
        assert!(reflection.iter().all(|it| it.streams) && reflection.len() == 1);
    }
}
