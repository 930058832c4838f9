//! Everything that knows Karmada: wire types, Works, names, the binding protocol, room sources.
