package units

import (
	"fmt"
	"strings"
)

// Plural counts things: "1 user", "3 users".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// FormatInteger separates thousands: "1,606,000".
func FormatInteger(n int64) string {
	digits := fmt.Sprint(n)
	var groups []string
	for len(digits) > 3 {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, groups...), ",")
}

// FormatGrowth is a size with its sign.
func FormatGrowth(bytes float64) string {
	if bytes < 0 {
		return "-" + FormatSize(int64(-bytes))
	}
	return "+" + FormatSize(int64(bytes))
}
