package units

import (
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "1000000": 1_000_000, "12B": 12, "1MB": 1_000_000, "1mb": 1_000_000, "1 MB": 1_000_000, " 1MB ": 1_000_000,
		"512KB": 512_000, "512KiB": 524_288, "1MiB": 1_048_576, "1.5GB": 1_500_000_000, "0.5kib": 512, "2TB": 2_000_000_000_000, "1TiB": 1 << 40,
	} {
		if got, err := ParseSize(in); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "MB", "1M", "1K", "1 G", "-1MB", "1e3MB", "1..2MB", "one", "NaN", "1MBit", "9999999999TB", "1,5MB"} {
		if got, err := ParseSize(in); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", in, got)
		}
	}
}

func TestFormatSize(t *testing.T) {
	for in, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.00 KB", 20_480: "20.5 KB", 512_000: "512 KB", 999_499: "999 KB", 999_500: "1.00 MB",
		1_000_000: "1.00 MB", 9_994_999: "9.99 MB", 9_995_000: "10.0 MB", 99_950_000: "100 MB", 12_300_000_000: "12.3 GB", 5_000_000_000_000_000: "5000 TB",
	} {
		if got := FormatSize(in); got != want {
			t.Errorf("FormatSize(%d) = %q, want %q", in, got, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "30d": 30 * Day, "1w": 7 * Day, "1w2d": 9 * Day, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour,
		"90m": 90 * time.Minute, "1h30m": 90 * time.Minute, "250ms": 250 * time.Millisecond,
	} {
		if got, err := ParseDuration(in); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "30", "d", "-1d", "-5m", "1d2w", "1x", "1d-2h", "30 days", "9999999999d", "NaNd", "Infd"} {
		if got, err := ParseDuration(in); err == nil {
			t.Errorf("ParseDuration(%q) = %s, want an error", in, got)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for in, want := range map[time.Duration]string{
		0: "0ms", 450 * time.Millisecond: "450ms", 12*time.Second + 490*time.Millisecond: "12.4s", 185 * time.Second: "3m05s",
		250 * time.Minute: "4h10m", 30 * Day: "30d", 52 * time.Hour: "2d4h", -2 * time.Second: "-2.0s",
	} {
		if got := FormatDuration(in); got != want {
			t.Errorf("FormatDuration(%s) = %q, want %q", in, got, want)
		}
	}
}
