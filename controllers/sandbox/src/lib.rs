//! An in-memory control plane: a Kubernetes-compatible API server, a model of Karmada and of member clusters.
