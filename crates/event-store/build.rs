//! Builds the crate again when a migration is added; `sqlx::migrate!` can't ask for that itself.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
