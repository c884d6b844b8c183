// Package probe tests one endpoint, layer by layer, as a fresh go command would
// use it, and names the outcome.
//
//	configuration ▶ DNS ▶ TCP ▶ TLS ▶ HTTP ▶ protocol ▶ content ▶ checksum database
//
// A probe uses a new connection, honours HTTPS_PROXY and NO_PROXY, sends the
// credentials that the go command would send, verifies TLS exactly as the go
// command does and never asks a question on the terminal. Everything that it
// reads is bounded, and everything that it returns is redacted and clean.
package probe
