package monitor

import (
	"gpx/envctl/chain"
	"gpx/probe"
)

// goWill says, hop by hop, what the go command does when it gets there, given
// the class of each: a hop that it does not get to has its answer all the same.
// Nothing follows the last hop, whatever separator stands after it, and nothing
// follows "direct": when version control fails, that is the end.
func goWill(c chain.Chain, classes []probe.Class) []probe.Action {
	will := make([]probe.Action, len(c.Hops))
	for i, h := range c.Hops {
		sep := h.Separator
		if i == len(c.Hops)-1 {
			sep = chain.Last
		}
		switch h.Kind {
		case chain.Off:
			will[i] = probe.GoOff
		case chain.Direct:
			if will[i] = classes[i].Action(chain.Last); will[i] == probe.Serve {
				will[i] = probe.GoDirect
			}
		default:
			will[i] = classes[i].Action(sep)
		}
	}
	return will
}
