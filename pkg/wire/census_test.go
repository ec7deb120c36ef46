package wire_test

import (
	"math"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Each value lies behind the one before, in the order of SQLite's indexes.
func TestCompareValues(t *testing.T) {
	ordered := []wire.Value{
		wire.NullValue(), wire.RealValue(math.Inf(-1)), wire.RealValue(-1e300), wire.IntValue(math.MinInt64), wire.RealValue(-0.5), wire.IntValue(0), wire.RealValue(0.5),
		wire.IntValue(
			1 << 53,
		), wire.IntValue(1<<53 + 1), wire.RealValue(1<<53 + 2), wire.IntValue(math.MaxInt64), wire.RealValue(1 << 63), wire.RealValue(math.Inf(1)),
		wire.TextValue(
			"",
		), wire.TextValue("A"), wire.TextValue("B"), wire.TextValue("a"), wire.TextValue("a\x00"), wire.TextValue("ä"),
		wire.BlobValue(nil), wire.BlobValue([]byte{0}), wire.BlobValue([]byte{255}),
	}
	for i := range ordered {
		for j := range ordered {
			got, want := wire.CompareValues(&ordered[i], &ordered[j], "BINARY"), i-j
			if got < 0 != (want < 0) || got > 0 != (want > 0) {
				t.Errorf("%s against %s: %d", ordered[i], ordered[j], got)
			}
		}
	}
}

func TestCompareTextByCollation(t *testing.T) {
	for _, c := range []struct {
		a, b, collation string
		want            int
	}{
		{"a", "B", "NOCASE", -1}, {"A", "a", "NOCASE", 0}, {"Z", "_", "NOCASE", 1}, {"ä", "Ä", "NOCASE", 1}, {"a", "ab", "nocase", -1},
		{"a\x00x", "a\x00y", "NOCASE", 0}, {"a ", "a", "RTRIM", 0}, {"a  b", "a", "RTRIM", 1}, {"a ", "a", "BINARY", 1},
	} {
		a, b := wire.TextValue(c.a), wire.TextValue(c.b)
		if got := wire.CompareValues(&a, &b, c.collation); got != c.want {
			t.Errorf("%q against %q by %s: %d, want %d", c.a, c.b, c.collation, got, c.want)
		}
	}
}

func TestCensusDifferenceNamesEachCount(t *testing.T) {
	base := wire.Census{
		Rows:     3,
		Integers: 3,
		Reals:    1,
		Nulls:    2,
		Text:     40,
		Blob:     5,
		First:    "1",
		Last:     "9",
		Sum:      "77",
	}
	for want, change := range map[string]func(*wire.Census){
		"3 against 4 rows":                     func(c *wire.Census) { c.Rows++ },
		"3 against 4 INTEGERs":                 func(c *wire.Census) { c.Integers++ },
		"1 against 2 REALs":                    func(c *wire.Census) { c.Reals++ },
		"2 against 3 NULLs":                    func(c *wire.Census) { c.Nulls++ },
		"40 against 41 bytes of TEXT":          func(c *wire.Census) { c.Text++ },
		"5 against 6 bytes of BLOB":            func(c *wire.Census) { c.Blob++ },
		"rowids 1 to 9 against 1 to 8":         func(c *wire.Census) { c.Last = "8" },
		"the same counts, spread over the row": func(c *wire.Census) { c.Sum = "78" },
	} {
		other := base
		change(&other)
		if got := base.Difference(other); !strings.HasPrefix(got, want) {
			t.Errorf("difference is %q, want %q", got, want)
		}
	}
	if got := base.Difference(wire.Census{}); got != "" {
		t.Errorf("a side without a census differs: %s", got)
	}
}
