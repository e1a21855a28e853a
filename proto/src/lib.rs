//! The gRPC contract of Circles: messages, clients, servers, and the descriptor
//! set for server reflection.
//!
//! The `.proto` files beside this crate are the contract, with a comment on every
//! call and field; the code here is generated from them at build time.

#![allow(
    missing_docs,
    reason = "generated; the documentation is in the .proto files"
)]

/// The encoded `FileDescriptorSet` of all packages, for `tonic-reflection`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Package `circles`.
pub mod circles {
    /// Package `circles.v1`: commands and queries.
    pub mod v1 {
        tonic::include_proto!("circles.v1");
    }

    /// Package `circles.admin`.
    pub mod admin {
        /// Package `circles.admin.v1`: for operators.
        pub mod v1 {
            tonic::include_proto!("circles.admin.v1");
        }
    }
}
