package split_test

import (
	"slices"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/test/corpus"
)

// Real files that nobody of this project wrote are divided, too, or refused with a name.
func TestCorpus(t *testing.T) {
	divided := map[string]bool{}
	names := effort.Some(t, "real files", corpus.Names(), 2)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(2) {
				if splitInHalves(t, corpus.Copy(t, name), seed) {
					divided[name] = true
				}
			}
		})
	}
	for _, name := range []string{"chinook.sqlite", "northwind.db", "firefox-places.sqlite"} {
		if slices.Contains(names, name) && !divided[name] {
			t.Errorf("%s was not divided", name)
		}
	}
}
