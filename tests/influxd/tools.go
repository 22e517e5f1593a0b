//go:build tools

// Package influxd pins what the tests build: the InfluxDB 2 server, and the
// pkg-config helper that compiles its Flux library (Rust) for cgo.
package influxd

import (
	_ "github.com/influxdata/influxdb/v2/cmd/influxd"
	_ "github.com/influxdata/pkg-config"
)
