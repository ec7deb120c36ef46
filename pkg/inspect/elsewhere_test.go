package inspect_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// listings counts the requests of a listing.
type listings struct {
	migrate.Files
	n chan struct{}
}

func (l listings) List(ctx context.Context, prefix, delimiter string, yield func([]userdb.Object, []string) error) error {
	l.n <- struct{}{}
	return l.Files.List(ctx, prefix, delimiter, yield)
}

// TestDatabasesElsewhere: users a level deeper than the layout has them, and files in other letters, are no
// users, and not passed over in silence. Folders of something else are no databases.
func TestDatabasesElsewhere(t *testing.T) {
	for text, c := range map[string]struct{ keys, want []string }{
		userdb.DefaultLayout: {
			[]string{"alice/database.sqlite", "alice/old.sqlite", "eu/bob/database.sqlite", "carol/Database.SQLite", "dave.db", "erin/video.mp4",
				"frank/database.sqlite-wal", ".dbmigrate/history/x.sqlite"},
			[]string{"carol/Database.SQLite", "dave.db", "eu/bob/database.sqlite"},
		},
		"databases/{user}.sqlite": {
			[]string{"databases/alice.sqlite", "databases/bob.SQLITE", "databases/eu/carol.sqlite", "databases/notes.txt"},
			[]string{"databases/bob.SQLITE", "databases/eu/carol.sqlite"},
		},
	} {
		layout, err := userdb.ParseLayout(text)
		if err != nil {
			t.Fatal(err)
		}
		w := world.New(t.TempDir())
		w.Layout = layout
		for _, key := range c.keys {
			put(t, w, key)
		}
		users, got := 0, []string{}
		err = w.Engine("run", w.Bucket, w.Objects, nil).Inspect().ScanEach(t.Context(), inspect.ScanOptions{
			Elsewhere: func(key userdb.ObjectKey) { got = append(got, string(key)) },
		}, func(inspect.Found) error { users++; return nil })
		slices.Sort(got)
		if err != nil || users != 1 || !slices.Equal(got, c.want) {
			t.Errorf("%s: %d users, elsewhere %q, %v", text, users, got, err)
		}
	}
}

// However many folders there are without a database, so many are looked into, and none where nobody asks.
func TestDatabasesElsewhereCostLittle(t *testing.T) {
	w := world.New(t.TempDir())
	for i := range 150 {
		put(t, w, fmt.Sprintf("group-%03d/user/database.sqlite", i))
	}
	for asks, want := range map[bool]int{true: 101, false: 1} {
		files, told := listings{w.Bucket, make(chan struct{}, 200)}, 0
		var opts inspect.ScanOptions
		if asks {
			opts.Elsewhere = func(userdb.ObjectKey) { told++ }
		}
		err := w.Engine("run", files, w.Objects, nil).Inspect().ScanEach(t.Context(), opts, func(inspect.Found) error { return nil })
		if err != nil || len(files.n) != want || told != want-1 {
			t.Errorf("asks %v: %d listings, %d told, %v", asks, len(files.n), told, err)
		}
	}
}

func put(t *testing.T, w *world.World, key string) {
	t.Helper()
	if _, err := w.Bucket.Put(t.Context(), userdb.ObjectKey(key), strings.NewReader("x"), 1, userdb.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}
