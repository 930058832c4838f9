//go:build tools

// Package kwok pins kwok, which `up` builds as it is.
package kwok

import _ "sigs.k8s.io/kwok/cmd/kwok"
