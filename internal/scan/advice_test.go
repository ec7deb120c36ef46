package scan

import (
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
)

func TestAdvice(t *testing.T) {
	for name, test := range map[string]struct {
		found inspect.Found
		want  string
	}{
		"small":         {inspect.Found{Bytes: 511_999, Place: inspect.PlaceFile}, AdviceNone},
		"512 KB":        {inspect.Found{Bytes: 512_000, Place: inspect.PlaceFile}, AdviceNote},
		"under 1 MB":    {inspect.Found{Bytes: 999_999, Place: inspect.PlaceFile}, AdviceNote},
		"1 MB":          {inspect.Found{Bytes: 1_000_000, Place: inspect.PlaceFile}, AdviceMigrate},
		"migrated":      {inspect.Found{Bytes: 2_000_000, Place: inspect.PlaceObject, Flagged: true}, AdviceMigrated},
		"fence only":    {inspect.Found{Bytes: 2_000_000, Place: inspect.PlaceObject}, AdviceCheck},
		"flag only":     {inspect.Found{Bytes: 2_000_000, Place: inspect.PlaceFile, Flagged: true}, AdviceCheck},
		"flag, no file": {inspect.Found{Place: inspect.PlaceMissing, Flagged: true}, AdviceCheck},
	} {
		if got := advise(test.found, RecommendFrom).Advice; got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
