package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// putMade gives a user a database that statements make.
func (o *operator) putMade(t *testing.T, user string, statements ...string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "database.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := o.stack
	client, err := r2.New(
		r2.Config{
			Endpoint:        s.S3Endpoint,
			Bucket:          s.Bucket,
			AccessKeyID:     s.AccessKey,
			SecretAccessKey: s.SecretKey,
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Put(context.Background(), userdb.ObjectKey(user+"/database.sqlite"), bytes.NewReader(content), int64(len(content)), userdb.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func viewsOfViews() []string {
	statements := []string{"CREATE TABLE v0(x)"}
	for k := 1; k < 17; k++ {
		statements = append(
			statements,
			fmt.Sprintf("CREATE VIEW v%d AS SELECT a.x FROM v%d a, v%d b", k, k-1, k-1),
		)
	}
	return statements
}

var (
	largeValue = []string{
		"CREATE TABLE t(a, g AS (length(hex(printf('%1d', 1)))) NOT NULL)",
		"INSERT INTO t VALUES(1)",
		"PRAGMA writable_schema = ON",
		"UPDATE sqlite_schema SET sql = replace(sql, '%1d', '%400000000d')",
	}
	endlessView = []string{
		"CREATE VIEW v(id, t) AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT n, 'word' FROM r WHERE n < 0",
		"CREATE VIRTUAL TABLE f USING fts5(t, content='v', content_rowid='id')",
	}
)

// Files that take for ever are refused by name and go into quarantine, and the other users are moved.
func TestCostlyFilesAreRefused(t *testing.T) {
	o, output := newOperator(t, "costly-well"), newWatched()
	o.putMade(t, "costly-views", viewsOfViews()...)
	o.putMade(t, "costly-value", largeValue...)
	cmd := o.command("migrate", "costly-views", "costly-value", "costly-well", "--output", "json")
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wantExit(t, cmd, exitFailed, output)
	wantIn(
		t,
		output,
		`"kind":"too-costly"`,
		`"code":"too-costly"`,
		`"quarantine":"too-costly"`,
		`"user":"costly-well","action":"migrate","outcome":"migrated"`,
		`"outcomes":{"failed":2,"migrated":1}`,
	)

	again := newWatched()
	next := o.command("migrate", "costly-views", "costly-value", "--output", "json")
	next.Stdout, next.Stderr = again, again
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	wantExit(t, next, exitFailed, again)
	wantIn(t, again, `"outcomes":{"quarantined":2}`)

	deep := newWatched()
	scan := o.command("scan", "--deep", "--prefix", "costly-", "--output", "json")
	scan.Stdout, scan.Stderr = deep, deep
	if err := scan.Start(); err != nil {
		t.Fatal(err)
	}
	wantExit(t, scan, exitDone, deep)
	wantIn(t, deep, `"user":"costly-views"`, `"code":"too-costly"`)
}

// A check that takes long does not keep the command after a Ctrl-C.
func TestSignalEndsACheck(t *testing.T) {
	o, output := newOperator(t), newWatched()
	o.putMade(t, "endless", endlessView...)
	cmd := o.command("migrate", "endless", "--output", "json")
	cmd.Stdout, cmd.Stderr = output, output
	started := make(chan struct{})
	var once sync.Once
	o.proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
		if r.Name() != "admin status" {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Before: func() {
			once.Do(func() {
				<-started
				cmd.Process.Signal(syscall.SIGINT)
				output.waitFor("stopping: ")
			})
		}}
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	wantExit(t, cmd, exitInterrupted, output)
	wantIn(
		t,
		output,
		`"user":"endless","action":"migrate","outcome":"failed"`,
		`"kind":"interrupted"`,
		`"open":[]`,
	)
}
