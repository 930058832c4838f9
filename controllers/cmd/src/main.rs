//! The `fedscaler` binary.
fn main() {}
