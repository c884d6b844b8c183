package route

import (
	"gpx/envctl/chain"
	"gpx/probe"
)

// GoWill says, hop by hop, what happens when the go command walks to that hop: a
// hop that the walk does not reach has its answer all the same. classes are those
// of the hops' last probes; missing ones are unknown.
func GoWill(c chain.Chain, classes []probe.Class) []probe.Action {
	will := make([]probe.Action, len(c.Hops))
	for i, h := range c.Hops {
		class := probe.ClassUnknown
		if i < len(classes) {
			class = classes[i]
		}
		if i == len(c.Hops)-1 {
			h.Separator = chain.Last // nothing follows, whatever stands there
		}
		will[i] = hopAction(h, class)
	}
	return will
}

// hopAction is what the go command does at one hop. Nothing follows "direct":
// when version control fails, the walk ends there.
func hopAction(h chain.Hop, class probe.Class) probe.Action {
	switch h.Kind {
	case chain.Off:
		return probe.GoOff
	case chain.Direct:
		a := class.Action(chain.Last)
		if a == probe.Serve {
			return probe.GoDirect
		}
		return a
	default:
		return class.Action(h.Separator)
	}
}
