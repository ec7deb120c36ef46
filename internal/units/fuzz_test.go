package units

import (
	"testing"
	"time"
)

func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"1MB", "512 KiB", "0.5kib", "1M", "-1", "1e9", "9999999999TB", " 7 b "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseSize(s)
		if err != nil {
			return
		}
		if n < 0 {
			t.Errorf("%q is %d bytes", s, n)
		}
		if back, err := ParseSize(FormatSize(n)); err != nil ||
			n > 1000 && (float64(back) < float64(n)*0.99 || float64(back) > float64(n)*1.01) {
			t.Errorf("%q is %d bytes, written as %q, read as %d, %v", s, n, FormatSize(n), back, err)
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"30d", "1w2d", "1d12h", "0.5d", "-1d", "1d-2h", "250ms", "9999999999d", "1h30m"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		if d < 0 {
			t.Errorf("%q is %d", s, d)
		}
		back, err := ParseDuration(FormatDuration(d))
		if err != nil || back > d || d-back > max(d/10, time.Second) {
			t.Errorf("%q is %d, written as %q, read as %d, %v", s, d, FormatDuration(d), back, err)
		}
	})
}
