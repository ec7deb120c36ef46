package migrate

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// What SQLite itself leaves beside a database in use, as an application that uploads files would find it.
func inUse(t *testing.T) (file, log, journal, ended []byte) {
	t.Helper()
	read := func(path string) []byte {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	use := func(name string, statements ...string) string {
		path := filepath.Join(t.TempDir(), name)
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		t.Cleanup(func() { db.Close() })
		for _, statement := range statements {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	wal := use(
		"inuse.db",
		"PRAGMA journal_mode=WAL",
		"PRAGMA wal_autocheckpoint=0",
		"CREATE TABLE entries(n)",
		"INSERT INTO entries VALUES(1)",
		"PRAGMA wal_checkpoint(TRUNCATE)",
		"INSERT INTO entries VALUES(2)",
	)
	filled := []string{
		"PRAGMA cache_size=1",
		"CREATE TABLE b(x)",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 300) INSERT INTO b SELECT zeroblob(3000) FROM n",
	}
	hot := use("hot.db", append(filled, "BEGIN", "UPDATE b SET x = zeroblob(3001)")...)
	persisted := use("ended.db", append([]string{"PRAGMA journal_mode=PERSIST"}, filled...)...)
	return read(wal), read(wal + "-wal"), read(hot + "-journal"), read(persisted + "-journal")
}

func TestWhatLiesBesideTheFile(t *testing.T) {
	file, log, journal, ended := inUse(t)
	key := userdb.ObjectKey("alice/database.sqlite")
	for name, c := range map[string]struct {
		suffix  string
		content []byte
		want    sqlitefile.Reason
	}{
		"nothing":                       {"-shm", []byte("x"), ""},
		"a log":                         {"-wal", log, sqlitefile.ReasonLogBeside},
		"a hot journal":                 {"-journal", journal, sqlitefile.ReasonJournalBeside},
		"an empty log":                  {"-wal", nil, ""},
		"a journal that was ended":      {"-journal", ended, ""},
		"an empty journal":              {"-journal", nil, ""},
		"a database of another user":    {"-wal", file, ""},
		"something shorter than a name": {"-journal", []byte("abc"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			m.put(key, file, time.Now())
			m.put(key+userdb.ObjectKey(c.suffix), c.content, time.Now())
			e := m.engine(t)
			e.Limits = wire.DefaultLimits
			report, err := e.Inspect().LookDeep(t.Context(), "alice")
			if err != nil {
				t.Fatal(err)
			}
			got := sqlitefile.Reason("")
			for _, f := range report.Findings {
				if f.Reason != sqlitefile.ReasonWALMode {
					got = f.Reason
				}
			}
			if got != c.want || (report.Verdict() == sqlitefile.Ready) != (c.want == "") {
				t.Errorf("scan --deep: %+v", report)
			}
			move := &migration{Engine: e, user: "alice", fences: e.announcer("alice"), result: &result.Result{}}
			defer move.forget()
			err = move.admit(t.Context())
			var finding *sqlitefile.Finding
			switch {
			case c.want == "" && err != nil:
				t.Errorf("migrate: %v", err)
			case c.want != "" && (!errors.As(err, &finding) || finding.Reason != c.want || userdb.KindOf(err) != userdb.Damaged || move.result.Unfit):
				t.Errorf("migrate: %v, unfit %v", err, move.result.Unfit)
			}
		})
	}
}
