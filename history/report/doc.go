// Package report writes what an incident was, for a post-mortem: as Markdown, as
// one HTML file with a picture of it, and as JSON.
//
//	Recording ──facts──▶ Document ──▶ JSON
//	                        ├──▶ Markdown
//	    samples ──lanes──▶  └──▶ HTML with SVG
//
// All three say the same, and say what the recording cannot tell. Times are UTC
// and written one way, wherever the reader is. The HTML loads nothing from
// anywhere, and forbids itself to. What the recording holds is text from outside:
// it is redacted here too, and escaped for the form it goes into.
package report
