//! The kit that both controllers stand on: clock, client, watches, status, events, metrics.
