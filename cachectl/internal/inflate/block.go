package inflate

import "encoding/binary"

// What block may read and write ahead of the checks in its loop: three codes of
// a literal or a length with a distance have at most 15+5+15+13 bits each way,
// and the longest match has 258 bytes, copied in words.
const (
	inSlack  = 16
	outSlack = 258 + 16
)

// block unpacks one compressed block to dst[op:], and returns where it ended; -1
// when it is damaged.
func (d *Decoder) block(dst []byte, op int, s *stream) int {
	src, pos, buf, n := s.src, s.pos, s.bits, s.n
	lit, dist := &d.lit, &d.dist
	for {
		fast := len(src)-pos >= inSlack && len(dst)-op >= outSlack
		// Refill: 56 bits at least, but at the end of the input.
		if fast {
			buf |= binary.LittleEndian.Uint64(src[pos:]) << (n & 63)
			pos += int(63-n) >> 3
			n |= 56
		} else {
			for n <= 56 && pos < len(src) {
				buf |= uint64(src[pos]) << n
				pos++
				n += 8
			}
		}
		e := lit[buf&(1<<litBits-1)]
		if e&isLiteral != 0 && fast {
			// Up to three literals out of one refill: 45 bits at most.
			buf >>= e & 63
			n -= uint(e & 63)
			dst[op] = byte(e >> 16)
			op++
			if e = lit[buf&(1<<litBits-1)]; e&isLiteral != 0 {
				buf >>= e & 63
				n -= uint(e & 63)
				dst[op] = byte(e >> 16)
				op++
				if e = lit[buf&(1<<litBits-1)]; e&isLiteral != 0 {
					buf >>= e & 63
					n -= uint(e & 63)
					dst[op] = byte(e >> 16)
					op++
					continue
				}
			}
			if e&isSub == 0 && e&isEnd == 0 && n < 48 {
				// A length and a distance need up to 48 bits.
				buf |= binary.LittleEndian.Uint64(src[pos:]) << (n & 63)
				pos += int(63-n) >> 3
				n |= 56
			}
		}
		if e&isSub != 0 {
			buf >>= litBits
			if n < litBits {
				return -1
			}
			n -= litBits
			e = d.sub[e>>16+uint32(buf)&(1<<(e>>8&15)-1)]
			if fast && n < 48 {
				buf |= binary.LittleEndian.Uint64(src[pos:]) << (n & 63)
				pos += int(63-n) >> 3
				n |= 56
			}
		}
		total := uint(e & 0xff)
		if e == 0 || total > n {
			return -1
		}
		saved := buf
		buf >>= total
		n -= total
		if e&isLiteral != 0 {
			if op >= len(dst) {
				return -1
			}
			dst[op] = byte(e >> 16)
			op++
			continue
		}
		if e&isEnd != 0 {
			s.pos, s.bits, s.n = pos, buf, n
			return op
		}
		length := int(e>>16) + int(saved&(1<<total-1)>>(e>>8&15))
		if !fast {
			for n <= 56 && pos < len(src) {
				buf |= uint64(src[pos]) << n
				pos++
				n += 8
			}
		}
		e = dist[buf&(1<<distBits-1)]
		if e&isSub != 0 {
			if n < distBits {
				return -1
			}
			buf >>= distBits
			n -= distBits
			e = d.dsub[e>>16+uint32(buf)&(1<<(e>>8&15)-1)]
		}
		total = uint(e & 0xff)
		if e == 0 || total > n {
			return -1
		}
		back := int(e>>16) + int(buf&(1<<total-1)>>(e>>8&15))
		buf >>= total
		n -= total
		if back > op || length > len(dst)-op {
			return -1
		}
		from := op - back
		end := op + length
		switch {
		case !fast:
			for ; op < end; op, from = op+1, from+1 {
				dst[op] = dst[from]
			}
		case back >= 8:
			for ; op < end; op, from = op+8, from+8 {
				binary.LittleEndian.PutUint64(dst[op:], binary.LittleEndian.Uint64(dst[from:]))
			}
			op = end
		case back == 1:
			word := uint64(dst[from]) * 0x0101010101010101
			for ; op < end; op += 8 {
				binary.LittleEndian.PutUint64(dst[op:], word)
			}
			op = end
		default:
			for ; op < end; op, from = op+1, from+1 {
				dst[op] = dst[from]
			}
		}
	}
}
