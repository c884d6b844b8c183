package inflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// check holds a decoder to what compress/flate makes of the same bytes.
func check(t testing.TB, d *Decoder, src []byte, most int64) {
	t.Helper()
	want, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(src)), most+1))
	if int64(len(want)) > most {
		return
	}
	if err != nil {
		// Neither to the size that came out nor to another one.
		for _, n := range []int{0, len(want), len(want) + 1, len(want) + 1000} {
			if derr := d.Decode(make([]byte, n), src); derr == nil {
				t.Fatalf("compress/flate says %v, and it was unpacked into %d bytes", err, n)
			}
		}
		return
	}
	got := make([]byte, len(want))
	if err := d.Decode(got, src); err != nil {
		t.Fatalf("compress/flate unpacks %d bytes: %v", len(want), err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("the bytes differ from those of compress/flate")
	}
	for _, n := range []int{len(want) - 1, len(want) + 1, len(want) + 1000} {
		if n >= 0 && !errors.Is(d.Decode(make([]byte, n), src), ErrCorrupt) {
			t.Fatalf("%d bytes were unpacked into %d", len(want), n)
		}
	}
}

func deflate(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func samples() map[string][]byte {
	r := rand.NewChaCha8([32]byte{})
	noise := make([]byte, 300_000)
	r.Read(noise)
	few := make([]byte, 200_000)
	for i := range few {
		few[i] = "aaaaaaaabbbbccde"[r.Uint64()%16]
	}
	text := []byte(strings.Repeat("// Package inflate unpacks a deflate stream.\npackage inflate\n\nfunc f(x int) int { return x + 1 }\n", 2000))
	for range 5000 {
		text[r.Uint64()%uint64(len(text))] = byte('a' + r.Uint64()%26)
	}
	return map[string][]byte{
		"nothing": nil, "a byte": {7}, "short": []byte("hello, hello, hello"), "zeros": make([]byte, 100_000),
		"noise": noise, "few symbols": few, "text": text, "period 2": bytes.Repeat([]byte("ab"), 5000), "period 7": bytes.Repeat([]byte("abcdefg"), 5000),
		"period 9": bytes.Repeat([]byte("abcdefghi"), 5000), "far matches": append(append(bytes.Clone(noise[:32_000]), few...), noise[:32_000]...),
	}
}

func TestDecodeIsCompressFlate(t *testing.T) {
	d := new(Decoder)
	for name, data := range samples() {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression} {
			src := deflate(t, data, level)
			check(t, d, src, 1<<20)
			got := make([]byte, len(data))
			if err := d.Decode(got, src); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s, level %d: %v", name, level, err)
			}
			// Cut short anywhere, it is refused.
			for cut := 0; cut < len(src); cut += 1 + len(src)/12 {
				if d.Decode(got, src[:cut]) == nil {
					t.Errorf("%s, level %d: unpacked from %d of %d bytes", name, level, cut, len(src))
				}
			}
		}
	}
}

// Every bit that changes changes the same as in compress/flate.
func TestDecodeDamaged(t *testing.T) {
	d := new(Decoder)
	r := rand.New(rand.NewPCG(1, 2))
	for _, data := range samples() {
		src := deflate(t, data[:min(len(data), 3000)], flate.DefaultCompression)
		for range 60 {
			bad := bytes.Clone(src)
			for range 1 + r.IntN(3) {
				bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
			}
			check(t, d, bad, 1<<16)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, data := range samples() {
		f.Add(deflate(f, data[:min(len(data), 2000)], flate.DefaultCompression))
		f.Add(deflate(f, data[:min(len(data), 2000)], flate.HuffmanOnly))
	}
	d := new(Decoder)
	f.Fuzz(func(t *testing.T, src []byte) { check(t, d, src, 1<<16) })
}

func BenchmarkDecode(b *testing.B) {
	data := samples()["text"]
	src := deflate(b, data, flate.DefaultCompression)
	b.Run("inflate", func(b *testing.B) {
		d, dst := new(Decoder), make([]byte, len(data))
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if err := d.Decode(dst, src); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("compress/flate", func(b *testing.B) {
		r := flate.NewReader(nil)
		buf := make([]byte, 64<<10)
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			r.(flate.Resetter).Reset(bytes.NewReader(src), nil)
			for {
				if _, err := r.Read(buf); err == io.EOF {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
