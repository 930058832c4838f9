//! The FedHPA controller: one HPA for a workload that lives in many clusters.
