package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// slow is a bucket that keeps the PUT of an unfenced file under way, and never answers it.
type slow struct {
	migrate.Files
	key     userdb.ObjectKey
	deliver func() error // nil: there was no such PUT
}

func (s *slow) Put(
	ctx context.Context,
	key userdb.ObjectKey,
	body io.ReadSeeker,
	size int64,
	opts userdb.PutOptions,
) (userdb.ETag, error) {
	if key != s.key || userdb.MetadataFenced(opts.Metadata) {
		return s.Files.Put(ctx, key, body, size, opts)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return "", err
	}
	if s.deliver == nil {
		s.deliver = func() error {
			_, err := s.Files.Put(context.Background(), key, bytes.NewReader(content), size, opts)
			return err
		}
	}
	return "", &userdb.Error{Op: "put", Thing: string(key), Kind: userdb.Unreachable, Err: errors.New("no answer")}
}

// backedUp is the user's file at one moment.
func backedUp(t *testing.T, w *world.World, key userdb.ObjectKey) (restore func()) {
	t.Helper()
	var body bytes.Buffer
	obj, err := w.Bucket.Get(t.Context(), key, "", &body)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		opts := userdb.PutOptions{ContentType: obj.ContentType, Metadata: obj.Metadata}
		if _, err := w.Bucket.Put(t.Context(), key, bytes.NewReader(body.Bytes()), int64(body.Len()), opts); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBucketSetBackWhileTheObjectServes: the file returns to an older version, marks included. Whatever it is
// then, no command empties the object, which alone has the newest writes.
func TestBucketSetBackWhileTheObjectServes(t *testing.T) {
	for name, setBack := range map[string]func(*testing.T, *world.World, userdb.ObjectKey){
		"to before the migrate": func(t *testing.T, w *world.World, key userdb.ObjectKey) {
			restore := backedUp(t, w, key)
			mustDo(t, plain(w).Migrate(t.Context(), alice), result.OutcomeMigrated)
			insert(t, w, 2)
			restore()
		},
		"to an earlier stay in the file": func(t *testing.T, w *world.World, key userdb.ObjectKey) {
			mustDo(t, plain(w).Migrate(t.Context(), alice), result.OutcomeMigrated)
			mustDo(t, plain(w).Rollback(t.Context(), alice, migrate.RollbackOptions{}), result.OutcomeRestored)
			restore := backedUp(t, w, key)
			mustDo(t, plain(w).Migrate(t.Context(), alice), result.OutcomeMigrated)
			insert(t, w, 2)
			restore()
		},
		"to an earlier stay in the object": func(t *testing.T, w *world.World, key userdb.ObjectKey) {
			mustDo(t, plain(w).Migrate(t.Context(), alice), result.OutcomeMigrated)
			restore := backedUp(t, w, key)
			mustDo(t, plain(w).Rollback(t.Context(), alice, migrate.RollbackOptions{}), result.OutcomeRestored)
			mustDo(t, plain(w).Migrate(t.Context(), alice), result.OutcomeMigrated)
			insert(t, w, 2)
			restore()
		},
		// Found by the model: EXPORT_NOOPEN.
		"to the version that a slow rollback expects": func(t *testing.T, w *world.World, key userdb.ObjectKey) {
			mustDo(t, plain(w).Migrate(t.Context(), alice), result.OutcomeMigrated)
			insert(t, w, 3)
			restore := backedUp(t, w, key)
			files := &slow{Files: w.Bucket, key: key}
			r := world.Stepwise(w.Engine("slow", files, w.Objects, nil)).
				Rollback(t.Context(), alice, migrate.RollbackOptions{})
			if files.deliver == nil {
				t.Fatalf("it sent no file: %v", r.Err())
			}
			mustDo(t, plain(w).Migrate(t.Context(), alice), result.OutcomeResumed)
			insert(t, w, 2)
			restore()
			if err := files.deliver(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, key, _ := oneUser(t)
			setBack(t, w, key)
			before, err := w.Objects.Status(t.Context(), alice)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				for _, r := range []result.Result{
					plain(w).Migrate(t.Context(), alice),
					plain(w).Rollback(t.Context(), alice, migrate.RollbackOptions{}),
				} {
					if userdb.KindOf(r.Err()) != userdb.Conflict {
						t.Errorf("%s %s: %v", r.Action, r.Outcome, r.Err())
					}
				}
			}
			after, err := w.Objects.Status(t.Context(), alice)
			if err != nil || after.Lin != before.Lin || after.Writes != before.Writes || after.Phase != userdb.Active {
				t.Errorf("the object is %s with lineage %d, not %d: %v", after.Phase, after.Lin, before.Lin, err)
			}
		})
	}
}

func plain(w *world.World) *migrate.Engine { return w.Engine("run", w.Bucket, w.Objects, w.Objects) }
