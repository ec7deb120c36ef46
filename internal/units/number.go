package units

import (
	"fmt"
	"strconv"
	"strings"
)

// parseDecimal reads a plain decimal number: no sign, no exponent, no NaN.
func parseDecimal(s string) (float64, error) {
	if strings.Trim(s, "0123456789.") != "" {
		return 0, fmt.Errorf("%q is not a plain number", s)
	}
	return strconv.ParseFloat(s, 64)
}
