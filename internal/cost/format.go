package cost

import "fmt"

// FormatUSD writes money with as many digits as say something: "$12.40", "$0.0019", "-$3.10".
func FormatUSD(usd float64) string {
	sign, digits := "", 2
	if usd < 0 {
		sign, usd = "-", -usd
	}
	for shown := usd; shown > 0 && shown < 0.1 && digits < 6; digits++ {
		shown *= 10
	}
	return sign + "$" + fmt.Sprintf("%.*f", digits, usd)
}

// FormatChange is money with its sign.
func FormatChange(usd float64) string {
	if usd > 0 {
		return "+" + FormatUSD(usd)
	}
	return FormatUSD(usd)
}

// FormatRange is an amount between two bounds.
func FormatRange(low, high float64) string { return between(FormatUSD, low, high) }

// FormatChanges is a change between two bounds.
func FormatChanges(low, high float64) string { return between(FormatChange, low, high) }

func between(format func(float64) string, low, high float64) string {
	if format(low) == format(high) {
		return format(low)
	}
	return format(low) + " to " + format(high)
}
