// Package incident knows what an outage is, without knowing where it is kept.
//
// An incident begins with the first answer that makes the go command fail or
// hang, and ends when the chain that was in force then works again:
//
//	        opened        detected            mitigated            resolved
//	──ok──────┼──────────────┼───────────────────┼────────────────────┼────── ok
//	   first lost answer   verdict: outage   builds work again   the original chain
//	                                         (another chain)     works again
//
// A [Tracker] makes incidents of a stream of snapshots; a [Recording] is one
// incident with everything that was seen around it; and [Recording.At] makes the
// snapshot of any instant of it, as the screen would have shown it.
package incident
