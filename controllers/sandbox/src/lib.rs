//! An in-memory control plane: a Kubernetes-compatible API server, a model of Karmada and of member clusters.
//!
//! It depends on no other crate of this workspace: it is the other side of the controllers' one seam, and so their
//! oracle. Time comes in by injection ([`clock::Clock`]), so the whole of it runs on paused tokio time.

mod agenda;
pub mod apiserver;
pub mod clock;
pub mod demand;
pub mod fault;
mod fields;
pub mod karmada;
pub mod member;
mod quantity;
pub mod world;
