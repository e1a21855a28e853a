//! Compiles the protos with protox, so that no protoc is needed, and writes the
//! descriptor set that server reflection serves.

use std::path::{Path, PathBuf};

use prost::Message as _;

const PROTOS: [&str; 4] = [
    "circles/v1/circle.proto",
    "circles/v1/command_service.proto",
    "circles/v1/query_service.proto",
    "circles/admin/v1/projector_admin_service.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for proto in PROTOS {
        println!("cargo::rerun-if-changed={proto}");
    }
    let descriptors = protox::compile(PROTOS, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    generate(&out, descriptors)
}

fn generate(
    out: &Path,
    descriptors: prost_types::FileDescriptorSet,
) -> Result<(), Box<dyn std::error::Error>> {
    tonic_prost_build::configure()
        .out_dir(out)
        .compile_fds(descriptors)?;
    Ok(())
}
