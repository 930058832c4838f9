//! Everything that knows Karmada: wire types, Works, names, the binding protocol, room sources.
//!
//! No other crate knows a Karmada label, name or wire type. What is read comes back as a value of the domain that
//! says how fresh it is; what is written asks for the [term](fedscaler_runtime::leadership::Term) and carries the
//! resourceVersion that it was decided on. When to write is for the controllers to decide.

pub mod binding;
pub mod caches;
pub mod customizations;
pub mod error;
pub mod freshness;
pub mod gates;
pub mod hpa;
pub mod labels;
pub mod names;
pub mod placement;
pub mod plane;
pub mod quantity;
pub mod requests;
pub mod room;
pub mod template;
pub mod types;
pub mod work;
pub mod workload;

#[cfg(test)]
mod tests;
