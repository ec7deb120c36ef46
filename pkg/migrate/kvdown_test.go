package migrate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// downFlags is KV as a client sees it that does not answer: every listing takes as long as the client's
// attempts, or as its caller waits.
type downFlags struct {
	Flags
	kind userdb.Kind
}

const clientTries = 68 * time.Second

func (f *downFlags) List(ctx context.Context, _ string, _ func([]userdb.Flag) error) error {
	select {
	case <-time.After(clientTries):
	case <-ctx.Done():
	}
	return &userdb.Error{Op: "list flags", Kind: f.kind, Err: errors.New("answer 503")}
}

// TestWithoutFlags: where the flags cannot be read, marks and receipts tell who left R2, and the caller is
// told once.
func TestWithoutFlags(t *testing.T) {
	for name, find := range map[string]func(*testing.T, *Engine, inspect.ScanOptions) ([]inspect.Found, error){
		"scan": func(t *testing.T, e *Engine, o inspect.ScanOptions) ([]inspect.Found, error) {
			return e.Inspect().Scan(t.Context(), o)
		},
		"moved": func(t *testing.T, e *Engine, o inspect.ScanOptions) ([]inspect.Found, error) {
			return e.Inspect().Moved(t.Context(), o, time.Time{})
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			mark := userdb.Mark{Kind: userdb.FenceMark, Lin: 1, Non: 1}
			head, err := userdb.WithFence(header(), 1, 1, make([]byte, userdb.MarkRandomBytes))
			if err != nil {
				t.Fatal(err)
			}
			m.put("moved/database.sqlite", head, time.Now())
			o := m.objects["moved/database.sqlite"]
			o.Metadata = mark.Metadata(nil)
			m.objects["moved/database.sqlite"] = o
			m.put(userfile.ReceiptKey("moved", 1), receiptOf("moved", 1, time.Now(), "r"), time.Now())
			m.put("plain/database.sqlite", header(), time.Now())
			for key, o := range m.objects { // the same users in a layout that lists the files themselves
				if plain := userdb.ObjectKey(strings.Replace(string(key), "/database.sqlite", ".db", 1)); plain != key {
					delete(m.objects, key)
					o.Key = plain
					m.objects[plain], m.content[plain] = o, m.content[key]
				}
			}
			e := m.engine(t)
			if e.Layout, err = userdb.ParseLayout("{user}.db"); err != nil {
				t.Fatal(err)
			}
			e.Flags = &downFlags{kind: userdb.Unauthorized}
			if _, err := find(t, e, inspect.ScanOptions{}); userdb.KindOf(err) != userdb.Unauthorized {
				t.Errorf("%s needs the flags and ends with %v", name, err)
			}
			told, began := 0, time.Now()
			found, err := find(t, e, inspect.ScanOptions{WithoutFlags: func(error) { told++ }})
			if err != nil || told != 1 || time.Since(began) > 20*time.Second {
				t.Fatalf("%s: %v, told %d times after %v", name, err, told, time.Since(began))
			}
			for _, f := range found {
				if want := map[userdb.UserID]inspect.Place{"moved": inspect.PlaceObject, "plain": inspect.PlaceFile}[f.User]; f.Place != want {
					t.Errorf("%s: %s is in %s", name, f.User, f.Place)
				}
			}
			if len(found) == 0 ||
				!slices.ContainsFunc(found, func(f inspect.Found) bool { return f.User == "moved" }) {
				t.Errorf("%s finds %v", name, found)
			}
		})
	}
}
