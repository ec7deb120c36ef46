package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Day is 24 hours; ages are counted from instants, so daylight saving plays no part.
const Day = 24 * time.Hour

// ParseDuration reads what time.ParseDuration reads, and before that weeks and days: "30d", "1w", "1d12h".
// Negative durations are refused.
func ParseDuration(s string) (time.Duration, error) {
	rest, total := strings.TrimSpace(s), time.Duration(0)
	for _, unit := range []struct {
		letter string
		length time.Duration
	}{{"w", 7 * Day}, {"d", Day}} {
		number, after, found := strings.Cut(rest, unit.letter)
		if !found {
			continue
		}
		value, err := parseDecimal(number)
		if err != nil || value*float64(unit.length) > math.MaxInt64/2 {
			return 0, badDuration(s)
		}
		total += time.Duration(value * float64(unit.length))
		if rest = after; rest == "" {
			return total, nil
		}
	}
	small, err := time.ParseDuration(rest)
	if err != nil || small < 0 || small > math.MaxInt64/2 {
		return 0, badDuration(s)
	}
	return total + small, nil
}

func badDuration(s string) error {
	return fmt.Errorf("must be a time in w, d, h, m and s, such as 30d or 1d12h, not %q", s)
}

// FormatDuration writes a duration with the one or two units that matter: "450ms", "12.4s", "3m05s", "4h10m",
// "30d", "2d4h".
func FormatDuration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + FormatDuration(-d)
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	case d < time.Minute:
		return strconv.FormatFloat(math.Floor(d.Seconds()*10)/10, 'f', 1, 64) + "s"
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < Day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	case d%Day < time.Hour:
		return fmt.Sprintf("%dd", d/Day)
	}
	return fmt.Sprintf("%dd%dh", d/Day, d%Day/time.Hour)
}
