package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// A period is the value of a flag such as --older-than: a time as Go writes it,
// or a number of days or weeks, the units in which caches grow old.
type period time.Duration

// String implements pflag.Value; nothing is no period.
func (p *period) String() string {
	if *p == 0 {
		return ""
	}
	return time.Duration(*p).String()
}

// Type implements pflag.Value.
func (*period) Type() string { return "time" }

// Set implements pflag.Value.
func (p *period) Set(text string) error {
	d, err := parsePeriod(text)
	if err != nil {
		return err
	}
	*p = period(d)
	return nil
}

func parsePeriod(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	unit := time.Duration(0)
	number, days := strings.CutSuffix(text, "d")
	if days {
		unit = day
	} else if n, weeks := strings.CutSuffix(text, "w"); weeks {
		number, unit = n, 7*day
	}
	if unit != 0 {
		n, err := strconv.ParseFloat(number, 64)
		const most = 100 * 365 * day
		switch {
		case err != nil:
			return 0, fmt.Errorf("%q is not a time such as 30d, 2w or 12h", text)
		case !(n > 0 && n <= float64(most/unit)): // not a number is neither
			return 0, errors.New("wanted is a time between 0 and 100 years")
		}
		return time.Duration(n * float64(unit)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time such as 30d, 2w or 12h", text)
	}
	if d <= 0 {
		return 0, errors.New("wanted is a time longer than 0")
	}
	return d, nil
}

// A bytesize is the value of a flag such as --max-size: 2GB, 500MiB.
type bytesize int64

// String implements pflag.Value.
func (s *bytesize) String() string {
	if *s == 0 {
		return ""
	}
	return size(int64(*s))
}

// Type implements pflag.Value.
func (*bytesize) Type() string { return "size" }

// Set implements pflag.Value.
func (s *bytesize) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n > 1<<62 {
		return fmt.Errorf("%q is not a size such as 2GB or 500MiB", text)
	}
	*s = bytesize(n)
	return nil
}

// size is a number of bytes as people read it.
func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// count is a number of things as people read it.
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(n) + " " + many
}
