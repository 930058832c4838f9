//! The rendered definitions: that the files are those of the types, that Kubernetes can take them, and that they accept
//! and reject what they should.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod defaults;
mod drift;
mod judge;
mod samples;
mod structure;
