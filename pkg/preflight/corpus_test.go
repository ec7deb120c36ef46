package preflight

import (
	"context"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
	"github.com/dbmigrate/dbmigrate/test/corpus"
)

// referee compares two files independently of this project's code.
const referee = "../../scripts/dbdigest.py"

// corpusFiles says what the preflight finds in each file.
var corpusFiles = map[string][]sqlitefile.Reason{
	"chinook.sqlite":                      nil,
	"northwind.db":                        nil,
	"sourmash-index.sqldb":                nil,
	"sqlite-fuzzdata6.db":                 nil,
	"sqlittle-alter-short-records.sqlite": nil,
	"sfc-04-05-utf16le.db":                nil,
	"firefox-places.sqlite":               {sqlitefile.ReasonWALMode},
	"android-files_master.db":             {sqlitefile.ReasonWALMode, sqlitefile.ReasonModule},
	"macos-knowledgec-10.13.db":           {sqlitefile.ReasonWALMode, sqlitefile.ReasonTooManyColumns},
	"gpkg-geometrycollection.gpkg":        {sqlitefile.ReasonFunction},
	"sqlite-vec-legacy.db":                {sqlitefile.ReasonModule},
	"wal-crashed.sqlite":                  {sqlitefile.ReasonWALLeftBehind},
}

func TestCorpus(t *testing.T) {
	for _, name := range corpus.Names() {
		if _, known := corpusFiles[name]; !known {
			t.Errorf("nothing is known of %s", name)
		}
	}
	for _, name := range effort.Some(t, "real files", corpus.Names(), 2) {
		reasons := corpusFiles[name]
		t.Run(name, func(t *testing.T) {
			path := corpus.Copy(t, name)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			report, err := Check(context.Background(), path, wire.DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			if got := reasonsOf(report.Findings); !slices.Equal(got, reasons) {
				t.Errorf("found %v, want %v: %+v", got, reasons, report.Findings)
			}
			if report.Err() == nil {
				roundTripCorpus(t, path)
			}
			if after, err := os.ReadFile(path); err != nil || !slices.Equal(before, after) {
				t.Errorf("reading changed the file (%v)", err)
			}
		})
	}
}

func reasonsOf(findings []sqlitefile.Finding) []sqlitefile.Reason {
	var reasons []sqlitefile.Reason
	for _, f := range findings {
		if !slices.Contains(reasons, f.Reason) {
			reasons = append(reasons, f.Reason)
		}
	}
	return reasons
}

func roundTripCorpus(t *testing.T, path string) {
	f := openFile(t, path)
	built := rebuild(t, f)
	if got, want := digestOf(t, openFile(t, built)), digestOf(t, f); !reflect.DeepEqual(got, want) {
		t.Errorf("came back as %+v, want %+v", got, want)
	}
	out, err := exec.Command("python3", referee, path, built).CombinedOutput()
	if err != nil {
		t.Errorf("dbdigest.py: %v: %s", err, out)
	}
}
