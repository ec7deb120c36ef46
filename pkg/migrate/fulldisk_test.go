package migrate_test

import (
	"context"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/backup"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// fullScratch is a bucket before a disk without room for what it sends.
type fullScratch struct{ migrate.Files }

func (f fullScratch) Get(ctx context.Context, key userdb.ObjectKey, etag userdb.ETag, w io.Writer) (userdb.Object, error) {
	object, err := f.Files.Get(ctx, key, etag, io.Discard)
	if err == nil && w != io.Discard {
		err = &fs.PathError{Op: "write", Path: "/scratch/of/the/run/spool.sqlite", Err: syscall.ENOSPC}
	}
	return object, err
}

// GetRange is the first look at a file, which keeps a sparse copy.
func (f fullScratch) GetRange(
	context.Context, userdb.ObjectKey, userdb.ETag, int64, int64,
) ([]byte, userdb.Object, error) {
	return nil, userdb.Object{}, &fs.PathError{Op: "write", Path: "/scratch/of/the/run/schema.sqlite", Err: syscall.ENOSPC}
}

// scan --deep says the same of a full disk.
func TestFullDiskAtTheFirstLook(t *testing.T) {
	w, _, _ := oneUser(t)
	_, err := w.Engine("run", fullScratch{w.Bucket}, w.Objects, w.Objects).Inspect().LookDeep(t.Context(), alice)
	if userdb.KindOf(err) != userdb.NoSpace || !strings.Contains(err.Error(), "set TMPDIR to") {
		t.Errorf("kind %q: %v", userdb.KindOf(err), err)
	}
}

// A full disk has its kind, names its folder and what moves it, and changes nothing of a user.
func TestFullDiskHasAWayOut(t *testing.T) {
	commands := map[string]func(context.Context, *migrate.Engine, *testing.T) result.Result{
		"migrate": func(ctx context.Context, e *migrate.Engine, _ *testing.T) result.Result { return e.Migrate(ctx, alice) },
		"backup": func(ctx context.Context, e *migrate.Engine, t *testing.T) result.Result {
			target, err := backup.NewTarget(t.TempDir(), e.Files, e.Layout)
			if err != nil {
				t.Fatal(err)
			}
			return target.Job(e)(ctx, alice)
		},
	}
	for name, command := range commands {
		t.Run(name, func(t *testing.T) {
			w, _, before := oneUser(t)
			e := w.Engine("run", fullScratch{w.Bucket}, w.Objects, w.Objects)
			r := command(t.Context(), e, t)
			text := ""
			if r.Err() != nil {
				text = r.Err().Error()
			}
			if userdb.KindOf(r.Err()) != userdb.NoSpace || !strings.Contains(text, "set TMPDIR to") || r.Open {
				t.Errorf("%s, kind %q, open %v", text, userdb.KindOf(r.Err()), r.Open)
			}
			st, err := w.Objects.Status(t.Context(), alice)
			if err != nil || st.Phase == userdb.Active {
				t.Errorf("the object is %s, %v", st.Phase, err)
			}
			if after := (&walk{t, w}).image(); string(after) != string(before) {
				t.Error("the file changed")
			}
		})
	}
}
