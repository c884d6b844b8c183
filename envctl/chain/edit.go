package chain

import (
	"fmt"
	"slices"
)

// Edits return a new chain and leave the old one as it was. Their rules:
//
//   - Separators stay where they are: the second separator of the chain is
//     the second one after a move, too. So moving back undoes a move, whatever
//     the separators are, and the last hop never has one.
//   - "direct" and "off" stay last, because what follows them is not used:
//     nothing is moved or inserted behind them, and they are not moved ahead.
//   - Text that the go command ignored, behind "direct" or "off", is never
//     brought to life: it goes when what hides it goes.
//   - What cannot be done (an index out of range, a move past the end) gives
//     the same chain back, or as far a move as is possible.

// joints are the separators between the hops, one fewer than hops.
func (c Chain) joints() []Separator {
	var js []Separator
	for _, h := range c.Hops[:max(0, len(c.Hops)-1)] {
		js = append(js, h.Separator.orComma())
	}
	return js
}

func (s Separator) orComma() Separator {
	if s == Last {
		return Comma
	}
	return s
}

// join builds a chain of hops with the separators between them. When the last
// hop is still the one that ignored has been hidden by, it goes on hiding it.
func (c Chain) join(hops []Hop, joints []Separator) Chain {
	out := Chain{Hops: slices.Clone(hops)}
	for i := range joints {
		out.Hops[i].Separator = joints[i]
	}
	last := &out.Hops[len(out.Hops)-1]
	if c.Ignored != "" && last.ends() && last.URL == c.Hops[len(c.Hops)-1].URL {
		last.Separator = c.Hops[len(c.Hops)-1].Separator
		out.Ignored = c.Ignored
	} else {
		last.Separator = Last
	}
	return out
}

// movable is the number of hops that can change places: all but a closing
// "direct" or "off".
func (c Chain) movable() int {
	n := len(c.Hops)
	if n > 0 && c.Hops[n-1].ends() {
		n--
	}
	return n
}

// Top puts hop i first.
func (c Chain) Top(i int) Chain { return c.Move(i, -i) }

// Move moves hop i by delta places, towards the end when delta is positive.
func (c Chain) Move(i, delta int) Chain {
	n := c.movable()
	if i < 0 || i >= n {
		return c
	}
	to := min(max(i+delta, 0), n-1)
	if to == i {
		return c
	}
	hops := slices.Clone(c.Hops)
	h := hops[i]
	hops = slices.Insert(slices.Delete(hops, i, i+1), to, h)
	return c.join(hops, c.joints())
}

// WithSeparator sets the separator that follows hop i. The last hop has none.
func (c Chain) WithSeparator(i int, s Separator) Chain {
	if i < 0 || i >= len(c.Hops)-1 || s != Comma && s != Pipe {
		return c
	}
	joints := c.joints()
	joints[i] = s
	return c.join(c.Hops, joints)
}

// Insert puts h before hop i; i = len(c.Hops) appends. The new separator is
// h's own, else the one in front of it, else the next one, else Comma.
//
// "direct" and "off" go to the end wherever i points, in the place of the
// "direct" or "off" that is there. A hop that is not valid is not inserted.
func (c Chain) Insert(i int, h Hop) Chain {
	p, err := ParseHop(h.URL)
	if err != nil {
		return c
	}
	hops, joints := slices.Clone(c.Hops), c.joints()
	if p.ends() {
		if n := c.movable(); n < len(hops) {
			hops[n] = p
			return c.join(hops, joints)
		}
		i = len(hops)
	}
	i = min(max(i, 0), len(hops))
	if !p.ends() {
		i = min(i, c.movable())
	}
	sep := h.Separator
	switch {
	case sep == Comma || sep == Pipe:
	case i > 0 && i <= len(joints):
		sep = joints[i-1]
	case len(joints) > 0:
		sep = joints[min(i, len(joints)-1)]
	default:
		sep = Comma
	}
	hops = slices.Insert(hops, i, p)
	joints = slices.Insert(joints, min(i, len(joints)), sep)
	return c.join(hops, joints)
}

// Remove takes hop i out, with the separator that follows it: the hops before
// it go on failing over as they did. The only hop cannot be removed, because a
// chain of none is no GOPROXY value.
func (c Chain) Remove(i int) (Chain, error) {
	if i < 0 || i >= len(c.Hops) {
		return c, fmt.Errorf("remove hop %d: the chain has %d", i+1, len(c.Hops))
	}
	if len(c.Hops) == 1 {
		return c, fmt.Errorf("remove hop %s: it is the only one, and the go command refuses an empty GOPROXY; put another hop in first", c.Hops[0].Redacted())
	}
	hops, joints := slices.Clone(c.Hops), c.joints()
	hops = slices.Delete(hops, i, i+1)
	j := min(i, len(joints)-1)
	return c.join(hops, slices.Delete(joints, j, j+1)), nil
}
