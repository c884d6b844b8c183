package chain

import "errors"

// normal is c with a separator after every hop but the last.
func (c Chain) normal() Chain {
	for i := range c.Hops {
		switch {
		case i == len(c.Hops)-1:
			c.Hops[i].Separator = Last
		case c.Hops[i].Separator == Last:
			c.Hops[i].Separator = Comma
		}
	}
	return c
}

// Top puts hop i first.
func (c Chain) Top(i int) Chain { return c.Move(i, -i) }

// Move moves hop i by delta places.
func (c Chain) Move(i, delta int) Chain { return c }

// WithSeparator sets the separator that follows hop i.
func (c Chain) WithSeparator(i int, s Separator) Chain { return c }

// Insert puts h before hop i.
func (c Chain) Insert(i int, h Hop) Chain { return c }

// Remove takes hop i out.
func (c Chain) Remove(i int) (Chain, error) { return c, errors.New("not implemented") }
