// Package misread damages the readers of both sides on purpose. Copy and digest share a reader, so what it
// overlooks they overlook alike: every command has to find out, and refuse.
package misread

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/scratch"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/doclient"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

var cloud *stack.Stack

func TestMain(m *testing.M) {
	os.Exit(
		stack.RunTests(m, stack.Options{ConfigPath: "wrangler.jsonc"}, func(s *stack.Stack) { cloud = s }),
	)
}

// Both tables are longer than a page of either reader, and in both another column sorts in another way than
// the key.
const schema = `
CREATE TABLE items(n INTEGER PRIMARY KEY, name TEXT, price REAL);
WITH RECURSIVE q(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM q WHERE i < 700) INSERT INTO items SELECT i, 'item ' || (i * 7 % 700), i / 3.0 FROM q;
CREATE TABLE keyed(n INT, name TEXT, price REAL, PRIMARY KEY(n)) WITHOUT ROWID;
INSERT INTO keyed SELECT * FROM items;`

// Two tables hide each other's faults, so each database has one.
var tables = map[string]string{
	"rowid":         "DROP TABLE keyed",
	"without-rowid": "DROP TABLE items; ALTER TABLE keyed RENAME TO items",
}

// pageRows is where a damaged reader of the file thinks that a page ends.
const pageRows = 100

var damages = map[string]func(rows [][]wire.Value) [][]wire.Value{
	"skip":   func(r [][]wire.Value) [][]wire.Value { return slices.Concat(r[:pageRows], r[pageRows+1:]) },
	"repeat": func(r [][]wire.Value) [][]wire.Value { return slices.Concat(r[:2*pageRows], r[pageRows:]) },
	"stop":   func(r [][]wire.Value) [][]wire.Value { return r[:pageRows] },
	"sort": func(r [][]wire.Value) [][]wire.Value {
		return slices.SortedFunc(
			slices.Values(r),
			func(a, b []wire.Value) int { return bytes.Compare(a[1].Bytes, b[1].Bytes) },
		)
	},
	"reals": func(r [][]wire.Value) [][]wire.Value {
		for _, row := range r {
			for i := range row {
				if row[i].Class == wire.Real {
					row[i] = wire.NullValue()
				}
			}
		}
		return r
	},
}

var namesRow = regexp.MustCompile(`row \[?\d+`)

// The places where a reader can be damaged.
const (
	inTheFile   = "file"
	inTheStore  = "all"
	inTheExport = "export" // the store's digest is right, and what it sends is not
)

func TestEveryCommandRefusesADamagedReader(t *testing.T) {
	type damaged struct{ kind, how, where string }
	var all []damaged
	for _, how := range slices.Sorted(maps.Keys(damages)) {
		for _, kind := range slices.Sorted(maps.Keys(tables)) {
			for _, where := range []string{inTheFile, inTheStore, inTheExport} {
				all = append(all, damaged{kind, how, where})
			}
		}
	}
	for _, d := range effort.Some(t, "damaged readers", all, 3) {
		path := makeDatabase(t, schema, tables[d.kind])
		t.Run(strings.Join([]string{d.kind, d.how, d.where}, " "), func(t *testing.T) {
			u := newUser(t, strings.Join([]string{d.kind, d.how, d.where}, "-"))
			u.upload(path)
			u.refuses(d.how, d.where)
		})
	}
}

type user struct {
	*testing.T
	engine *migrate.Engine
	id     userdb.UserID
}

// refuses runs the four commands under the damage, and once more without it: they then give back every row.
func (u user) refuses(how, where string) {
	if where != inTheExport { // a migrate exports nothing
		u.under(how, where, result.ActionMigrate, u.engine.Migrate)
	}
	u.must(u.run(result.ActionMigrate, u.engine.Migrate), result.OutcomeMigrated)
	u.write("UPDATE items SET name = 'written' WHERE n = 5")
	if where != inTheExport { // and neither does a verify
		u.under(how, where, result.ActionVerify, u.engine.Verify)
	}
	u.under(how, where, result.ActionRehearse, u.engine.Rehearse)
	u.under(how, where, result.ActionRollback, u.rollback)
	u.must(u.run(result.ActionRollback, u.rollback), result.OutcomeExported)
	u.demandEveryRow()
}

func (u user) under(
	how, where string,
	action result.Action,
	do func(context.Context, userdb.UserID) result.Result,
) {
	u.Helper()
	setDamage(u.T, how, where)
	r := u.run(action, do)
	setDamage(u.T, "", "")
	kind := userdb.KindOf(r.Err())
	if how == "repeat" && kind == userdb.Refused {
		kind = userdb.Mismatch // SQLite itself refuses a second row with the same key
	}
	if kind != userdb.Mismatch {
		u.Errorf("%s ended as %s: %v", action, r.Outcome, r.Err())
		return
	}
	u.Logf("%s: %v", action, r.Err())
	if !strings.Contains(r.Err().Error(), "items") {
		u.Errorf("%s does not name the table: %v", action, r.Err())
	}
	// What came of a healthy Durable Object can be compared row by row.
	if where == inTheExport && !namesRow.MatchString(r.Err().Error()) {
		u.Errorf("%s names no row: %v", action, r.Err())
	}
	if column := `column "price": NULL against `; where == inTheExport && how == "reals" &&
		!strings.Contains(r.Err().Error(), column) {
		u.Errorf("%s does not name column and values: %v", action, r.Err())
	}
	if where == inTheExport && kind == userdb.Mismatch && len(r.Differences) > 0 &&
		!strings.Contains(r.Err().Error(), "probably") {
		u.Errorf("%s does not say what probably happened: %v", action, r.Err())
	}
}

func setDamage(t *testing.T, how, where string) {
	t.Helper()
	capi.DamageRows = nil
	if where == inTheFile {
		capi.DamageRows = damageFile(damages[how])
		return
	}
	resp, err := http.Post(
		cloud.URL+"/damage?how="+url.QueryEscape(how)+"&where="+url.QueryEscape(where),
		"",
		nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("damage: HTTP %d %v", resp.StatusCode, err)
	}
}

func damageFile(change func([][]wire.Value) [][]wire.Value) func(string, capi.ReadRows) capi.ReadRows {
	return func(table string, read capi.ReadRows) capi.ReadRows {
		return func(yield func([]wire.Value) error) error {
			var rows [][]wire.Value
			err := read(func(row []wire.Value) error {
				rows = append(rows, wire.Key(row).Clone())
				return nil
			})
			if err != nil {
				return err
			}
			for _, row := range change(rows) {
				if err := yield(row); err != nil {
					return err
				}
			}
			return nil
		}
	}
}

func makeDatabase(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "misread.sqlite")
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("BEGIN;" + strings.Join(statements, ";\n") + ";COMMIT"); err != nil {
		t.Fatal(err)
	}
	return path
}

func newUser(t *testing.T, id string) user {
	t.Helper()
	files, err := r2.New(
		r2.Config{
			Endpoint:        cloud.S3Endpoint,
			Bucket:          cloud.Bucket,
			AccessKeyID:     cloud.AccessKey,
			SecretAccessKey: cloud.SecretKey,
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	flags, err := kv.New(kv.Config{NamespaceID: cloud.NamespaceID, Token: "local", BaseURL: cloud.KVBaseURL})
	if err != nil {
		t.Fatal(err)
	}
	stores, err := doclient.New(doclient.Config{BaseURL: cloud.URL, Token: cloud.AdminToken})
	if err != nil {
		t.Fatal(err)
	}
	layout, err := userdb.ParseLayout("{user}/database.sqlite")
	if err != nil {
		t.Fatal(err)
	}
	return user{
		t,
		&migrate.Engine{
			Files:       files,
			Flags:       flags,
			Stores:      stores,
			Layout:      layout,
			Limits:      wire.DefaultLimits,
			Scratch:     scratch.In(t.TempDir()),
			Concurrency: 1,
			Run:         "misread",
		},
		userdb.UserID(id),
	}
}

func (u user) upload(path string) {
	u.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		u.Fatal(err)
	}
	if _, err := u.engine.Files.Put(u.Context(), u.engine.Layout.Key(u.id), bytes.NewReader(content), int64(len(content)), userdb.PutOptions{}); err != nil {
		u.Fatal(err)
	}
}

// write goes through the application's route, so that nothing but the Durable Object has it.
func (u user) write(statements ...string) {
	u.Helper()
	u.writeIn("hot", statements...)
}

// writeIn writes to the file or the Durable Object, whichever has the hot or the cold rows.
func (u user) writeIn(scope string, statements ...string) {
	u.Helper()
	type statement struct {
		SQL string `json:"sql"`
	}
	var all []statement
	for _, s := range statements {
		all = append(all, statement{s})
	}
	body, err := json.Marshal(map[string]any{"statements": all, "scope": scope})
	if err != nil {
		u.Fatal(err)
	}
	req, err := http.NewRequestWithContext(
		u.Context(),
		http.MethodPost,
		cloud.URL+"/api/users/"+string(u.id)+"/query",
		bytes.NewReader(body),
	)
	if err != nil {
		u.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+cloud.AppToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		u.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		u.Fatalf("write: HTTP %d %v %.500s", resp.StatusCode, err, answer)
	}
}

func (u user) run(
	action result.Action,
	do func(context.Context, userdb.UserID) result.Result,
) result.Result {
	u.Helper()
	var ended result.Result
	fleet.Each(u.Context(), u.engine, []userdb.UserID{u.id}, action, do, func(r result.Result) { ended = r })
	return ended
}

func (u user) rollback(ctx context.Context, id userdb.UserID) result.Result {
	return u.engine.Rollback(ctx, id, migrate.RollbackOptions{})
}

func (u user) must(r result.Result, want result.Outcome) {
	u.Helper()
	if r.Err() != nil || r.Outcome != want {
		u.Fatalf("%s ended as %s and not as %s: %v\n%q", r.Action, r.Outcome, want, r.Err(), r.Differences)
	}
}

func (u user) demandEveryRow() {
	u.Helper()
	path := u.fetch()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		u.Fatal(err)
	}
	defer db.Close()
	var rows, written int
	var prices float64
	err = db.QueryRow("SELECT count(*), sum(name = 'written'), total(price * n) FROM items").
		Scan(&rows, &written, &prices)
	if err != nil || rows != 700 || written != 1 || prices < 1 {
		u.Errorf("%d rows came back, %d of them written, with prices of %f: %v", rows, written, prices, err)
	}
}

// fetch downloads what the user's file is now.
func (u user) fetch() string {
	u.Helper()
	var b bytes.Buffer
	if _, err := u.engine.Files.Get(u.Context(), u.engine.Layout.Key(u.id), "", &b); err != nil {
		u.Fatal(err)
	}
	path := filepath.Join(u.TempDir(), "back.sqlite")
	writeFile(u.T, path, b.Bytes())
	return path
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
