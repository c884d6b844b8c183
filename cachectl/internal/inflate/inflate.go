// Package inflate unpacks a deflate stream (RFC 1951) that lies in memory into
// memory, two to three times as fast as a reader of a stream can.
//
// It exists because unpacking is what checking module zips takes its time for:
// their hash is of what is inside, and a zip of a module is thousands of small
// files. Where the size of the result is known before, as in a zip, there is no
// window to keep, no byte to ask a reader for, and a match is a copy inside the
// result. The standard library cannot assume that.
//
// What it accepts and what comes out is what compress/flate accepts and gives;
// a fuzz test holds the two together.
package inflate

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// ErrCorrupt: the stream is no deflate stream, or is cut short, or does not
// unpack into exactly the size that was asked for.
var ErrCorrupt = errors.New("the compressed data is damaged")

// A Decoder holds the tables of one stream at a time, to be used again.
type Decoder struct {
	lit  [1 << litBits]uint32
	sub  []uint32 // second level of lit
	dist [1 << distBits]uint32
	dsub []uint32 // second level of dist
	pre  [1 << preBits]uint32

	lengths [maxLit + maxDist]uint8
	fixed   bool // lit and dist are those of RFC 1951, 3.2.6
}

// Sizes of the alphabets and of the first level of their tables, in bits: most
// codes of real files are shorter, and the tables stay in the nearest cache.
const (
	litBits  = 11
	distBits = 9
	preBits  = 7
	maxLit   = 288
	maxDist  = 32
	maxPre   = 19
	maxBits  = 15
)

// An entry of a table says what a code means:
//
//	bits  0–7   how many bits the code and its extra bits have
//	bits  8–11  how many the code alone has
//	bits 12–15  flags
//	bits 16–31  a literal, the base of a length or a distance, or where in the
//	            second level the codes go on that begin like this; bits 8–11 are
//	            then how many bits index it
//
// An entry of 0 is a code that nothing has.
const (
	isLiteral = 1 << 15
	isEnd     = 1 << 14
	isSub     = 1 << 13
)

var (
	lengthBase  = [...]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [...]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [...]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [...]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
	preOrder    = [maxPre]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

func litEntry(sym int) uint32 {
	switch {
	case sym < 256:
		return uint32(sym)<<16 | isLiteral
	case sym == 256:
		return isEnd
	case sym-257 < len(lengthBase):
		return uint32(lengthBase[sym-257])<<16 | uint32(lengthExtra[sym-257])
	}
	return 0
}

func distEntry(sym int) uint32 {
	if sym < len(distBase) {
		return uint32(distBase[sym])<<16 | uint32(distExtra[sym])
	}
	return 0
}

func preEntry(sym int) uint32 { return uint32(sym)<<16 | isLiteral }

// A stream is where a decoder stands.
type stream struct {
	src  []byte
	pos  int    // of the next byte that is not in bits yet
	bits uint64 // the next bits, the lowest first
	n    uint   // how many of them count
}

// refill takes as many whole bytes as fit. At the end of the input it takes
// nothing, and zeros follow.
func (s *stream) refill() {
	if s.pos+8 <= len(s.src) {
		s.bits |= binary.LittleEndian.Uint64(s.src[s.pos:]) << s.n
		s.pos += int(63-s.n) >> 3
		s.n |= 56
		return
	}
	for s.n <= 56 && s.pos < len(s.src) {
		s.bits |= uint64(s.src[s.pos]) << s.n
		s.pos++
		s.n += 8
	}
}

// take returns the next n bits, at most 16; false at the end of the input.
func (s *stream) take(n uint) (uint, bool) {
	if s.n < n {
		if s.refill(); s.n < n {
			return 0, false
		}
	}
	v := uint(s.bits & (1<<n - 1))
	s.bits >>= n
	s.n -= n
	return v, true
}

// Decode unpacks src into dst, which has exactly the size of the result. What
// follows the end of the stream in src is not looked at.
func (d *Decoder) Decode(dst, src []byte) error {
	s := stream{src: src}
	op := 0
	for {
		head, ok := s.take(3)
		if !ok {
			return ErrCorrupt
		}
		switch head >> 1 {
		case 0:
			n, ok := s.stored(dst[op:])
			if !ok {
				return ErrCorrupt
			}
			op += n
		case 1:
			d.useFixed()
			if op = d.block(dst, op, &s); op < 0 {
				return ErrCorrupt
			}
		case 2:
			if !d.useDynamic(&s) {
				return ErrCorrupt
			}
			if op = d.block(dst, op, &s); op < 0 {
				return ErrCorrupt
			}
		default:
			return ErrCorrupt
		}
		if head&1 == 1 {
			break
		}
	}
	if op != len(dst) {
		return ErrCorrupt
	}
	return nil
}

// stored copies a block that is not compressed.
func (s *stream) stored(dst []byte) (int, bool) {
	// Whole bytes that were read ahead go back.
	s.pos -= int(s.n >> 3)
	s.bits, s.n = 0, 0
	if s.pos+4 > len(s.src) {
		return 0, false
	}
	n := int(binary.LittleEndian.Uint16(s.src[s.pos:]))
	if n != int(^binary.LittleEndian.Uint16(s.src[s.pos+2:])) {
		return 0, false
	}
	s.pos += 4
	if s.pos+n > len(s.src) || n > len(dst) {
		return 0, false
	}
	copy(dst, s.src[s.pos:s.pos+n])
	s.pos += n
	return n, true
}

// useFixed builds the tables of RFC 1951, 3.2.6.
func (d *Decoder) useFixed() {
	if d.fixed {
		return
	}
	l := d.lengths[:]
	for i := range maxLit {
		switch {
		case i < 144:
			l[i] = 8
		case i < 256:
			l[i] = 9
		case i < 280:
			l[i] = 7
		default:
			l[i] = 8
		}
	}
	for i := range maxDist {
		l[maxLit+i] = 5
	}
	d.sub, _ = build(d.lit[:], litBits, d.sub, l[:maxLit], litEntry)
	d.dsub, _ = build(d.dist[:], distBits, d.dsub, l[maxLit:], distEntry)
	d.fixed = true
}

// useDynamic reads the code lengths of a block and builds its tables.
func (d *Decoder) useDynamic(s *stream) bool {
	d.fixed = false
	head, ok := s.take(14)
	if !ok {
		return false
	}
	nlit, ndist, npre := int(head&31)+257, int(head>>5&31)+1, int(head>>10)+4
	if nlit > 286 || ndist > 30 {
		return false
	}
	l := d.lengths[:]
	clear(l[:maxPre])
	for _, sym := range preOrder[:npre] {
		v, ok := s.take(3)
		if !ok {
			return false
		}
		l[sym] = uint8(v)
	}
	if _, ok := build(d.pre[:], preBits, nil, l[:maxPre], preEntry); !ok {
		return false
	}
	for i := 0; i < nlit+ndist; {
		if s.n < preBits {
			s.refill()
		}
		e := d.pre[s.bits&(1<<preBits-1)]
		n := uint(e & 0xff)
		if e == 0 || n > s.n {
			return false
		}
		s.bits >>= n
		s.n -= n
		sym := uint8(e >> 16)
		if sym < 16 {
			l[i] = sym
			i++
			continue
		}
		var value uint8
		var extra, base uint
		switch sym {
		case 16:
			if i == 0 {
				return false
			}
			value, extra, base = l[i-1], 2, 3
		case 17:
			extra, base = 3, 3
		default:
			extra, base = 7, 11
		}
		more, ok := s.take(extra)
		if !ok || i+int(base+more) > nlit+ndist {
			return false
		}
		for range base + more {
			l[i] = value
			i++
		}
	}
	if d.sub, ok = build(d.lit[:], litBits, d.sub, l[:nlit], litEntry); !ok {
		return false
	}
	d.dsub, ok = build(d.dist[:], distBits, d.dsub, l[nlit:nlit+ndist], distEntry)
	return ok
}

// build makes a table of the code whose symbols have the given lengths. It is
// false for lengths that are no code: more codes than there are, or fewer, but
// for a single code of one bit, and none at all (compress/flate,
// huffmanDecoder.init).
func build(table []uint32, tableBits uint, sub []uint32, lengths []uint8, entry func(sym int) uint32) ([]uint32, bool) {
	var count [maxBits + 1]int
	longest := 0
	for _, n := range lengths {
		count[n]++
		longest = max(longest, int(n))
	}
	count[0] = 0
	clear(table)
	sub = sub[:0]
	if longest == 0 {
		return sub, true
	}
	var next [maxBits + 1]int
	code := 0
	for n := 1; n <= longest; n++ {
		code <<= 1
		next[n] = code
		code += count[n]
	}
	if code != 1<<longest && !(code == 1 && longest == 1) {
		return sub, false
	}
	for sym, length := range lengths {
		if length == 0 {
			continue
		}
		n := uint(length)
		c := uint(bits.Reverse16(uint16(next[n]))) >> (16 - n)
		next[n]++
		e := entry(sym)
		if e != 0 {
			e += uint32(n) | uint32(n)<<8 // the bits of the code, and with the extra bits
		}
		if n <= tableBits {
			for i := c; i < uint(len(table)); i += 1 << n {
				table[i] = e
			}
			continue
		}
		// All codes with one beginning go to one second table, as wide as the
		// longest code of all may need.
		wide := uint(longest) - tableBits
		first := c & (1<<tableBits - 1)
		if table[first] == 0 {
			table[first] = uint32(len(sub))<<16 | isSub | uint32(wide)<<8 | uint32(tableBits)
			sub = append(sub, make([]uint32, 1<<wide)...)
		}
		second := sub[table[first]>>16:][:1<<wide]
		for i := c >> tableBits; i < uint(len(second)); i += 1 << (n - tableBits) {
			if e != 0 {
				second[i] = e - uint32(tableBits) - uint32(tableBits)<<8 // those are consumed before
			}
		}
	}
	return sub, true
}
