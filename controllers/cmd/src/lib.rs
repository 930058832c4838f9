//! The fedscaler command: run, sandbox, explain, crds.
