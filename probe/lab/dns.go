package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/net/dns/dnsmessage"
)

// A DNSMode is how a DNS server answers.
type DNSMode string

// The modes of a DNS server.
const (
	DNSAnswer   DNSMode = "answer"   // 127.0.0.1 for every name
	DNSNotFound DNSMode = "nxdomain" // no such host
	DNSFailure  DNSMode = "servfail" // server failure
	DNSSilent   DNSMode = "silent"   // nothing
)

// A DNS is a name server on loopback, over UDP and TCP.
type DNS struct {
	mode    atomic.Value
	queries atomic.Int64
	udp     net.PacketConn
	tcp     net.Listener
	wg      sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil once closed
}

// DNS starts a name server.
func (l *Lab) DNS(mode DNSMode) (*DNS, error) {
	d := &DNS{conns: make(map[net.Conn]struct{})}
	d.mode.Store(mode)
	// The UDP port that the system picks may be taken for TCP; another try
	// picks another.
	var err error
	for range 20 {
		if d.udp, err = net.ListenPacket("udp4", "127.0.0.1:0"); err != nil {
			break
		}
		if d.tcp, err = net.Listen("tcp4", d.udp.LocalAddr().String()); err == nil {
			break
		}
		d.udp.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("lab: name server: %w", err)
	}
	d.wg.Go(d.serveUDP)
	d.wg.Go(d.serveTCP)
	l.onClose(d.close)
	return d, nil
}

// Addr is the server's host:port.
func (d *DNS) Addr() string { return d.udp.LocalAddr().String() }

// SetMode changes how the server answers.
func (d *DNS) SetMode(m DNSMode) { d.mode.Store(m) }

// Queries is the number of questions so far.
func (d *DNS) Queries() int { return int(d.queries.Load()) }

// Resolver asks this server and no other.
func (d *DNS) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, d.Addr())
	}}
}

func (d *DNS) serveUDP() {
	buf := make([]byte, 4096)
	for {
		n, from, err := d.udp.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP answer to an earlier packet
		}
		if out := d.answer(buf[:n]); out != nil {
			d.udp.WriteTo(out, from)
		}
	}
}

func (d *DNS) serveTCP() {
	for {
		c, err := d.tcp.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		d.mu.Lock()
		if d.conns == nil {
			d.mu.Unlock()
			c.Close()
			return
		}
		d.conns[c] = struct{}{}
		d.mu.Unlock()
		d.wg.Go(func() {
			defer func() {
				c.Close()
				d.mu.Lock()
				delete(d.conns, c)
				d.mu.Unlock()
			}()
			// Each message has its length in two bytes before it (RFC 1035,
			// 4.2.2).
			var size [2]byte
			for {
				if _, err := io.ReadFull(c, size[:]); err != nil {
					return
				}
				query := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(c, query); err != nil {
					return
				}
				if out := d.answer(query); out != nil {
					if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)); err != nil {
						return
					}
				}
			}
		})
	}
}

// answer returns the reply to a query, or nil for silence.
func (d *DNS) answer(query []byte) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil || h.Response {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return nil
	}
	d.queries.Add(1)
	mode := d.mode.Load().(DNSMode)
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: h.ID, Response: true, RecursionDesired: h.RecursionDesired, RecursionAvailable: true},
		Questions: []dnsmessage.Question{q},
	}
	switch mode {
	case DNSSilent:
		return nil
	case DNSNotFound:
		reply.RCode = dnsmessage.RCodeNameError
	case DNSFailure:
		reply.RCode = dnsmessage.RCodeServerFailure
	default:
		if q.Type == dnsmessage.TypeA {
			reply.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
				Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
			}}
		}
	}
	out, err := reply.Pack()
	if err != nil {
		return nil
	}
	return out
}

func (d *DNS) close() error {
	d.udp.Close()
	d.tcp.Close()
	d.mu.Lock()
	for c := range d.conns {
		c.Close()
	}
	d.conns = nil
	d.mu.Unlock()
	d.wg.Wait()
	return nil
}
