// Package monitor turns probe results into health, snapshots and a verdict.
//
//	schedule ▶ probes ▶ windows ▶ health ▶ facts ▶ verdict ▶ snapshot ▶ whoever listens
//	    ▲                            │
//	    └── in doubt: ask sooner ────┘
//
// A [Monitor] watches what its [Inputs] name: the hops of the chain, the checksum
// database by the route that the go command would take, the forward proxy, and
// what the user added. When all of them have answered, a round is complete; the
// first one ends after [Config].Burst all the same. Before that there is good news
// or none, because the cause of a failure shows in what the others answer.
//
// What decides is pure: [Condition] turns one endpoint's outcomes into its
// health, [Judge] turns what is known of all of them into the answer to "can I
// build?". The schedule reads no clock and starts nothing, so that a test can
// play a day of it in a moment. The goroutines are those of [Monitor.Run],
// [Monitor.Burst] and [Once], which wait for them.
package monitor
