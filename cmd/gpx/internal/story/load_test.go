package story

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// A load is what a server did under many connections that each ask again as soon
// as they have an answer.
type load struct {
	rate float64 // answers a second
	p99  time.Duration
	sent int64 // bytes of bodies
}

// stress asks addr for paths in turns, on n connections, for a while. It speaks
// just enough HTTP/1.1 that the server is what is measured: whoever asks runs on
// the same processors.
func stress(t *testing.T, addr string, paths []string, n int, during time.Duration) load {
	t.Helper()
	var all sync.WaitGroup
	took := make([][]time.Duration, n)
	sent := make([]int64, n)
	errs := make([]error, n)
	start := time.Now()
	end := start.Add(during)
	for i := range n {
		all.Go(func() { took[i], sent[i], errs[i] = client(addr, paths, i, end) })
	}
	all.Wait()
	elapsed := time.Since(start)
	must(t, errors.Join(errs...))
	times := slices.Concat(took...)
	slices.Sort(times)
	var l load
	for _, s := range sent {
		l.sent += s
	}
	l.rate, l.p99 = float64(len(times))/elapsed.Seconds(), times[len(times)*99/100]
	return l
}

// client asks on one connection until end, from the i-th path on.
func client(addr string, paths []string, i int, end time.Time) (took []time.Duration, sent int64, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, 0, err
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	for ; time.Now().Before(end); i++ {
		start := time.Now()
		path := paths[i%len(paths)]
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: "+addr+"\r\nUser-Agent: load\r\nAccept-Encoding: gzip\r\n\r\n"); err != nil {
			return nil, 0, err
		}
		n, err := answer(in)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", path, err)
		}
		sent += n
		took = append(took, time.Since(start))
	}
	return took, sent, nil
}

// answer reads one answer, which must be 200 and say how long it is.
func answer(in *bufio.Reader) (int64, error) {
	length := int64(-1)
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		switch {
		case err != nil:
			return 0, err
		case first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")):
			return 0, fmt.Errorf("it answers %q", line)
		case len(line) == 2 && length < 0:
			return 0, errors.New("it does not say how long its answer is")
		case len(line) == 2:
			return io.Copy(io.Discard, io.LimitReader(in, length))
		}
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64); err != nil {
				return 0, err
			}
		}
	}
}
