package e2e

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	_ "modernc.org/sqlite" // reads the copies

	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
)

// indexedSchema writes, with each entry, to full-text tables with and without content of their own and to an
// R-tree. The filler makes the object too large to be read in one request.
const indexedSchema = harness.Schema + `
create table filler(id integer primary key, body blob);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 900) insert into filler select i, randomblob(10000) from n;
create virtual table notes using fts5(body);
insert into notes(rowid, body) values (1000000, 'the last entry is none');
create virtual table texts using fts5(n, content='entries', content_rowid='id');
create virtual table boxes using rtree(id, x0, x1);
create trigger indexed after insert on entries begin
  insert into notes(rowid, body) values (new.id, 'entry ' || new.n);
  update notes set body = 'the last entry is ' || new.n where rowid = 1000000;
  insert into texts(rowid, n) values (new.id, new.n);
  insert into boxes values (new.id, new.n, new.n + 1);
end;`

// indexLooks are what a copy has to say about its entries, each the same number.
var indexLooks = []string{
	"select count(*) from entries",
	"select max(n) + 1 from entries",
	"select count(*) from notes where notes match 'entry' and rowid < 1000000",
	"select substr(body, 19) + 1 from notes where rowid = 1000000",
	"select count(*) from boxes where x0 >= 0",
}

// TestBackupBesideIndexes: a user with full-text tables and an R-tree that every write changes, and who
// never rests, is backed up. What the copy holds is of one moment, in all of its tables.
func TestBackupBesideIndexes(t *testing.T) {
	image, err := harness.Image(indexedSchema)
	if err != nil {
		t.Fatal(err)
	}
	u, err := harness.NewUser(cloud, "indexed", image)
	if err != nil {
		t.Fatal(err)
	}
	op := newOperator(t)
	op.WritePause = "200ms"
	must(t, op, 0, "migrate", u.Name)
	stop, before := make(chan struct{}), u.Writes
	var writing sync.WaitGroup
	var failed error
	writing.Go(func() {
		for failed == nil {
			select {
			case <-stop:
				return
			default:
				failed = u.Write()
			}
		}
	})
	dir := t.TempDir()
	made := must(t, op, 0, "backup", u.Name, "--to", dir)
	close(stop)
	writing.Wait()
	if failed != nil {
		t.Fatal(failed)
	}
	n, err := sameInAll(filepath.Join(dir, u.Name+".sqlite"))
	if err != nil {
		t.Fatalf("%v\n%v", err, made)
	}
	t.Logf("%d writes before the backup, %d in the copy, %d at its end", before, n, u.Writes)
	if n < before || n > u.Writes || u.Writes-before < 20 {
		t.Errorf("%d writes before the backup, %d in the copy, %d at its end", before, n, u.Writes)
	}
	if err := u.Check(); err != nil {
		t.Error(err)
	}
	must(t, op, 0, "rollback", u.Name)
}

// sameInAll says how many entries the copy has, by each of the looks.
func sameInAll(path string) (n int, err error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for i, look := range indexLooks {
		var found int
		if err := db.QueryRow(look).Scan(&found); err != nil {
			return 0, fmt.Errorf("%s: %w", look, err)
		}
		if i > 0 && found != n {
			return 0, fmt.Errorf("%s: %d, and %d entries", look, found, n)
		}
		n = found
	}
	var checked string
	if err := db.QueryRow("pragma integrity_check").Scan(&checked); err != nil || checked != "ok" {
		return 0, fmt.Errorf("integrity_check: %s %v", checked, err)
	}
	_, err = db.Exec("insert into texts(texts, rank) values ('integrity-check', 1)")
	return n, err
}
