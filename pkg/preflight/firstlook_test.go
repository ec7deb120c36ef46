package preflight_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harddb"
	"github.com/dbmigrate/dbmigrate/pkg/preflight"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
	"github.com/dbmigrate/dbmigrate/test/corpus"
)

// elsewhere serves a local file by ranges, as a bucket does, and counts.
type elsewhere struct {
	*os.File
	size, bytes int64
	reads       int
}

func open(t *testing.T, path string) *elsewhere {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return &elsewhere{File: f, size: info.Size()}
}

func (e *elsewhere) read(offset, length int64) ([]byte, error) {
	content := make([]byte, length)
	n, err := e.ReadAt(content, offset)
	e.reads, e.bytes = e.reads+1, e.bytes+int64(n)
	return content[:n], err
}

func firstLook(t *testing.T, e *elsewhere) (sqlitefile.Report, bool) {
	t.Helper()
	report, sure, err := preflight.FirstLook(
		t.Context(),
		filepath.Join(t.TempDir(), "skimmed"),
		e.size,
		wire.DefaultLimits,
		e.read,
		preflight.JudgeSkimmed,
	)
	if err != nil {
		t.Fatal(err)
	}
	return report, sure
}

// wantFirstLookRight compares with what the whole file gives: a file that the first look refuses is refused
// for the same, among others.
func wantFirstLookRight(t *testing.T, path string) (sure bool) {
	t.Helper()
	first, sure := firstLook(t, open(t, path))
	whole, err := preflight.Check(t.Context(), path, wire.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	if !sure {
		return false
	}
	if first.Level == sqlitefile.Ready || whole.Err() == nil {
		t.Errorf(
			"refused at first look for %+v; the whole file is %s: %+v",
			first.Findings,
			whole.Level,
			whole.Findings,
		)
	}
	for _, f := range first.Findings {
		if !slices.Contains(whole.Findings, f) {
			t.Errorf("only the first look finds %+v, not %+v", f, whole.Findings)
		}
	}
	return true
}

func TestFirstLookIsRightAboutTheCorpus(t *testing.T) {
	for name, want := range map[string]bool{"macos-knowledgec-10.13.db": true, "android-files_master.db": true, "gpkg-geometrycollection.gpkg": false, "sqlite-vec-legacy.db": true,
		"wal-crashed.sqlite": true, "chinook.sqlite": false, "northwind.db": false, "sfc-04-05-utf16le.db": false, "sqlite-fuzzdata6.db": false} {
		t.Run(name, func(t *testing.T) {
			if sure := wantFirstLookRight(t, corpus.Copy(t, name)); sure != want {
				t.Errorf("sure: %v, want %v", sure, want)
			}
		})
	}
}

func TestFirstLookIsRightAboutHardDatabases(t *testing.T) {
	const all = 60
	sure, seeds := 0, effort.Numbered(t, "seeds", all, 8)
	for _, seed := range seeds {
		path := filepath.Join(t.TempDir(), fmt.Sprint(seed))
		made, err := harddb.Build(t.Context(), path, uint64(seed))
		if err != nil {
			t.Fatal(err)
		}
		refused := wantFirstLookRight(t, path)
		if refused {
			sure++
		}
		if t.Failed() {
			t.Fatalf("seed %d: %s", seed, made)
		}
	}
	if sure == 0 && len(seeds) == all {
		t.Error("no database was refused at first look")
	}
}

// makeLarge makes a database with 50 MB of rows. Its last table cannot be moved; tables is how many come
// before it.
func makeLarge(t *testing.T, tables int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "large.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(off)&_pragma=synchronous(off)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	columns := make([]string, 101)
	for i := range columns {
		columns[i] = fmt.Sprintf("c%d", i)
	}
	statements := []string{"CREATE TABLE rows_of_it(x)"}
	for i := range tables {
		statements = append(
			statements,
			fmt.Sprintf("CREATE TABLE t%d(a /* %s */)", i, strings.Repeat("long ", i%500)),
		)
	}
	statements = append(
		statements,
		"CREATE TABLE wide("+strings.Join(columns, ", ")+")",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO rows_of_it SELECT zeroblob(10000) FROM n",
	)
	for _, statement := range statements {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestFirstLookReadsLittle(t *testing.T) {
	for tables, most := range map[int]int64{0: preflight.SkimBytes, 300: 30 * preflight.SkimBytes} {
		t.Run(fmt.Sprint(tables, " tables"), func(t *testing.T) {
			e := open(t, makeLarge(t, tables))
			report, sure := firstLook(t, e)
			problems := report.Problems()
			if !sure || len(problems) != 1 || problems[0].Code != sqlitefile.ReasonTooManyColumns ||
				problems[0].Object != "wide" {
				t.Fatalf("sure: %v, %+v", sure, problems)
			}
			if e.size < 50_000_000 || e.bytes > most {
				t.Errorf("%d of %d bytes read, want at most %d", e.bytes, e.size, most)
			}
			t.Logf("%d of %d bytes in %d reads", e.bytes, e.size, e.reads)
		})
	}
}
