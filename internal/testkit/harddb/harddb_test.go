package harddb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/preflight"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TestEachFeatureIsWhatItSays lets the preflight look at every feature by itself: it is either fit, or
// refused for the reason it promises.
func TestEachFeatureIsWhatItSays(t *testing.T) {
	for _, name := range Names() {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "hard.db")
				made, err := BuildOne(context.Background(), path, seed, name)
				if err != nil {
					t.Fatal(err)
				}
				wantVerdict(t, path, made)
			})
		}
	}
}

func wantVerdict(t *testing.T, path string, made Database) {
	t.Helper()
	report, err := preflight.Check(context.Background(), path, wire.DefaultLimits)
	if err != nil {
		t.Fatalf("%s: %v", made, err)
	}
	var first sqlitefile.Reason
	for _, f := range report.Findings {
		if f.Level == report.Level && f.Level != sqlitefile.Warning && first == "" {
			first = f.Reason
		}
	}
	if first != made.Refusal {
		t.Errorf("%s: refused for %q, want %q: %+v", made, first, made.Refusal, report.Findings)
	}
}

func TestEverySeedBuildsWhatItSays(t *testing.T) {
	for seed := range uint64(60) {
		path := filepath.Join(t.TempDir(), fmt.Sprint(seed))
		made, err := Build(context.Background(), path, seed)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		wantVerdict(t, path, made)
	}
}

func TestTheSameSeedGivesTheSameFile(t *testing.T) {
	for seed := range uint64(12) {
		var files [2]string
		for i := range files {
			path := filepath.Join(t.TempDir(), fmt.Sprint(i))
			made, err := Build(context.Background(), path, seed)
			if err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files[i] = made.String() + fmt.Sprint(len(content))
		}
		if files[0] != files[1] {
			t.Errorf("seed %d: %s and %s", seed, files[0], files[1])
		}
	}
}
