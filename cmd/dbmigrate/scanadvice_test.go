package main

import (
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
)

func TestAdvice(t *testing.T) {
	for name, test := range map[string]struct {
		found migrate.Found
		want  string
	}{
		"small":         {migrate.Found{Bytes: 511_999, Place: migrate.PlaceR2}, adviceNone},
		"512 KB":        {migrate.Found{Bytes: 512_000, Place: migrate.PlaceR2}, adviceNote},
		"under 1 MB":    {migrate.Found{Bytes: 999_999, Place: migrate.PlaceR2}, adviceNote},
		"1 MB":          {migrate.Found{Bytes: 1_000_000, Place: migrate.PlaceR2}, adviceMigrate},
		"migrated":      {migrate.Found{Bytes: 2_000_000, Place: migrate.PlaceStore, Flagged: true}, adviceMigrated},
		"fence only":    {migrate.Found{Bytes: 2_000_000, Place: migrate.PlaceStore}, adviceCheck},
		"flag only":     {migrate.Found{Bytes: 2_000_000, Place: migrate.PlaceR2, Flagged: true}, adviceCheck},
		"flag, no file": {migrate.Found{Place: migrate.PlaceMissing, Flagged: true}, adviceCheck},
	} {
		if got := advise(test.found, recommendFrom).Advice; got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
