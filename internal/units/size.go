// Package units reads and writes sizes and durations the way operators do.
package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The decimal units: KB is 1,000 bytes, as SQLite's and Cloudflare's limits and every price list count. KiB
// is 1,024 bytes.
const (
	KB int64 = 1000
	MB       = 1000 * KB
	GB       = 1000 * MB
	TB       = 1000 * GB
)

var sizeUnits = map[string]int64{
	"": 1, "b": 1,
	"kb": KB, "mb": MB, "gb": GB, "tb": TB,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

// ParseSize reads "1MB", "512 KiB" or "1000000" as bytes. Letter case does not matter. A bare K, M, G or T is
// refused: nobody can tell which of the two meanings it has.
func ParseSize(s string) (int64, error) {
	number, unit := splitUnit(s)
	factor, known := sizeUnits[strings.ToLower(unit)]
	if !known {
		return 0, fmt.Errorf(
			"must be a size in B, KB, MB, GB (1 KB is 1,000 bytes) or KiB, MiB, GiB (1 KiB is 1,024 bytes), not %q",
			s,
		)
	}
	value, err := parseDecimal(number)
	if err != nil {
		return 0, fmt.Errorf("must be a size such as 1MB or 512KiB, not %q", s)
	}
	bytes := math.Round(value * float64(factor))
	if bytes >= math.MaxInt64 {
		return 0, fmt.Errorf("must be a size of less than 8 EiB, not %q", s)
	}
	return int64(bytes), nil
}

func splitUnit(s string) (number, unit string) {
	s = strings.TrimSpace(s)
	end := strings.LastIndexAny(s, "0123456789.") + 1
	return s[:end], strings.TrimSpace(s[end:])
}

// FormatSize writes bytes in the decimal unit that fits, with three significant digits: "812 B", "20.5 KB",
// "1.20 MB".
func FormatSize(bytes int64) string {
	if bytes < KB {
		return strconv.FormatInt(bytes, 10) + " B"
	}
	value, unit := float64(bytes), "B"
	for _, unit = range []string{"KB", "MB", "GB", "TB"} {
		value /= 1000
		// 999.5 KB would round to "1000 KB"; the next unit reads better.
		if value < 999.5 {
			break
		}
	}
	decimals := 2
	switch {
	case value >= 99.95:
		decimals = 0
	case value >= 9.995:
		decimals = 1
	}
	return strconv.FormatFloat(value, 'f', decimals, 64) + " " + unit
}
