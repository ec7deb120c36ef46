package scan

import (
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/cost"
)

// Fractions of a cent keep their sign: a saving is no cost.
func TestLittleMoneyKeepsItsSign(t *testing.T) {
	for text, amounts := range map[string][2]float64{
		"less than $0.01":             {0.001, 0.004},
		"a saving of less than $0.01": {-0.004, 0},
		"a change of less than $0.01": {-0.004, 0.002},
		"$0.00":                       {0, 0},
		"-$0.020 to -$0.010":          {-0.02, -0.01},
		"-$0.50 to +$0.0040":          {-0.5, 0.004},
	} {
		if got := orLittle(amounts, cost.FormatChanges); got != text {
			t.Errorf("%v: %q, not %q", amounts, got, text)
		}
	}
}
