package scan

import (
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
)

func TestAdvice(t *testing.T) {
	for name, test := range map[string]struct {
		found migrate.Found
		want  string
	}{
		"small":         {migrate.Found{Bytes: 511_999, Place: migrate.PlaceR2}, AdviceNone},
		"512 KB":        {migrate.Found{Bytes: 512_000, Place: migrate.PlaceR2}, AdviceNote},
		"under 1 MB":    {migrate.Found{Bytes: 999_999, Place: migrate.PlaceR2}, AdviceNote},
		"1 MB":          {migrate.Found{Bytes: 1_000_000, Place: migrate.PlaceR2}, AdviceMigrate},
		"migrated":      {migrate.Found{Bytes: 2_000_000, Place: migrate.PlaceStore, Flagged: true}, AdviceMigrated},
		"fence only":    {migrate.Found{Bytes: 2_000_000, Place: migrate.PlaceStore}, AdviceCheck},
		"flag only":     {migrate.Found{Bytes: 2_000_000, Place: migrate.PlaceR2, Flagged: true}, AdviceCheck},
		"flag, no file": {migrate.Found{Place: migrate.PlaceMissing, Flagged: true}, AdviceCheck},
	} {
		if got := advise(test.found, RecommendFrom).Advice; got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
