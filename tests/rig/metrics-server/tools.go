//go:build tools

// Package metricsserver pins metrics-server, which `up` builds as it is.
package metricsserver

import _ "sigs.k8s.io/metrics-server/cmd/metrics-server"
