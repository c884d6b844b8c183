// Package route predicts what the go command will do for one module version:
// which hop it asks for which file, what it does with each answer, and where it
// ends. The command that it predicts is
//
//	go mod download MODULE@VERSION
//
// run inside the project, so that go.mod and go.sum are in force. It fetches
// three files, one after the other, and walks the chain anew for each:
//
//	.info ── walk ──▶ version exists
//	.mod  ── walk ──▶ check go.mod ──┐  the check is part of the walk: when it
//	   ▲                             │  fails, the walk may go on to the next hop
//	   └─────── next hop ◀── "|" ────┘
//	.zip  ── walk ──▶ check zip         the check comes after the walk: when it
//	                                    fails, nothing else is tried
//
//	check:  go.sum has the line  ─▶ right: go on   wrong: stop at once
//	        no line, not private ─▶ checksum database: /supported along the
//	                                chain (once), /lookup (once), tiles
//	        no line, private or off ─▶ whatever came is accepted
//
// [Predict] is a pure function of what each hop answers for each kind of file.
// [Observe] asks the hops, lazily, and predicts from what they say. The oracle is
// the go command's source (cmd/go/internal/modfetch, modload) and a differential
// test against the go command itself.
package route
