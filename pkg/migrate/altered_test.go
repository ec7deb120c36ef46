package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// alters is a way to R2 on which something changes the bytes of one PUT. R2's answer then names another MD5.
type alters struct {
	migrate.Files
	key  userdb.ObjectKey
	left int
	at   int  // the byte that is altered; 0: the last
	lost bool // the answer, which names another MD5, does not arrive
}

func (a *alters) Put(
	ctx context.Context,
	key userdb.ObjectKey,
	body io.ReadSeeker,
	size int64,
	opts userdb.PutOptions,
) (userdb.ETag, error) {
	if a.left == 0 || key != a.key {
		return a.Files.Put(ctx, key, body, size, opts)
	}
	a.left--
	content, err := io.ReadAll(body)
	if err != nil {
		return "", err
	}
	if a.at == 0 {
		a.at = len(content) - 1
	}
	content[a.at] ^= 1
	if _, err := a.Files.Put(ctx, key, bytes.NewReader(content), size, opts); err != nil {
		return "", err
	}
	kind, what := userdb.ProtocolError, "another MD5"
	if a.lost {
		kind, what = userdb.Unreachable, "no answer"
	}
	return "", &userdb.Error{Op: "put", Thing: string(key), Kind: kind, Err: errors.New(what)}
}

// TestAlteredExportEmptiesNoObject: the stamp says that an export is there, and the bytes are others. The
// sealed object has the only true copy then.
func TestAlteredExportEmptiesNoObject(t *testing.T) {
	for i, name := range []string{"rollback", "migrate", "rollback, answer lost", "migrate, answer lost"} {
		next, lost := []string{"rollback", "migrate"}[i%2], i >= 2
		t.Run(name, func(t *testing.T) {
			w, key, _ := oneUser(t)
			files := &alters{Files: w.Bucket, key: key, lost: lost}
			e := w.Engine("run", files, w.Objects, nil)
			mustDo(t, e.Migrate(t.Context(), alice), result.OutcomeMigrated)
			before, err := w.Objects.FreshDigest(t.Context(), alice)
			if err != nil {
				t.Fatal(err)
			}
			files.left = 1
			r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{})
			if r.Err() == nil {
				t.Fatalf("%s", r.Outcome)
			}
			for range 2 { // run again and again, it is not forgotten
				if next == "rollback" {
					r = e.Rollback(t.Context(), alice, migrate.RollbackOptions{})
				} else {
					r = e.Migrate(t.Context(), alice)
				}
				if userdb.KindOf(r.Err()) != userdb.Conflict {
					t.Errorf("%s, %v", r.Outcome, r.Err())
				}
				(&walk{t, w}).stateSays("other bytes")
			}
			after, err := w.Objects.FreshDigest(t.Context(), alice)
			if err != nil || after.Digest.Database != before.Digest.Database || after.Phase != userdb.Sealed {
				t.Fatalf("the object is %s: %v", after.Phase, err)
			}
			if err := w.Bucket.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			mustDo(t, e.Rollback(t.Context(), alice, migrate.RollbackOptions{}), result.OutcomeExported)
			mustDo(t, e.Migrate(t.Context(), alice), result.OutcomeMigrated)
			if again, err := w.Objects.FreshDigest(t.Context(), alice); err != nil ||
				again.Digest.Database != before.Digest.Database {
				t.Errorf("it came back as another: %v", err)
			}
		})
	}
}

// TestAlteredMergeEmptiesNoObject: the same of the cold rows of a split user.
func TestAlteredMergeEmptiesNoObject(t *testing.T) {
	for _, lost := range []bool{false, true} {
		x := newWalk(t)
		x.splitAt(20)
		before, err := x.w.Objects.FreshDigest(t.Context(), alice)
		if err != nil {
			t.Fatal(err)
		}
		// The Worker puts the fence, so the first PUT from here is that of the whole file.
		files := &alters{Files: x.w.Bucket, key: x.w.Layout.Key(alice), left: 1, lost: lost}
		e := x.w.Engine("run", files, x.w.Objects, x.w.Objects)
		for range 3 {
			r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{})
			if r.Err() == nil {
				t.Fatalf("lost %v: %s", lost, r.Outcome)
			}
			after, err := x.w.Objects.FreshDigest(t.Context(), alice)
			if err != nil || after.Digest.Database != before.Digest.Database || after.Phase != userdb.Merging {
				t.Fatalf("lost %v: the object is %s: %v", lost, after.Phase, err)
			}
			safeHint(t, r)
			x.stateSays("other bytes")
		}
		r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{DiscardWrites: true})
		if mustDo(t, r, result.OutcomeMerged); r.LeftBehind == "" {
			t.Error("the cold rows were not kept")
		}
		x.stateSays("")
	}
}

// safeHint demands advice that does not cost the only copy of the hot rows.
func safeHint(t *testing.T, r result.Result) {
	t.Helper()
	text := r.Err().Error()
	if f := (*userdb.Error)(nil); errors.As(r.Err(), &f) {
		text += f.Hint
	}
	if strings.Contains(text, "remove") || !strings.Contains(text, "copy of the file") {
		t.Error(text)
	}
}

// stateSays demands that status names the problem, or none.
func (x *walk) stateSays(problem string) {
	x.Helper()
	s, err := x.engine().Inspect().Status(x.Context(), alice)
	if err != nil || !strings.Contains(s.Problem, problem) || problem == "" && s.Problem != "" {
		x.Errorf("%+v, %v", s, err)
	}
}

// userVersionAt is a byte of the header that no index depends on (sqlite.org/fileformat2.html, section 1.3).
const userVersionAt = 63

// TestAlteredHotRowsAreNotBelieved: the hot rows of a split are only in the file, so no command goes on with
// others than were sent.
func TestAlteredHotRowsAreNotBelieved(t *testing.T) {
	for _, lost := range []bool{false, true} {
		x := newWalk(t)
		files := &alters{Files: x.w.Bucket, key: x.w.Layout.Key(alice), left: 1, lost: lost, at: userVersionAt}
		e := x.w.Engine("run", files, x.w.Objects, x.w.Objects)
		for range 2 {
			for _, r := range []result.Result{
				e.Split(t.Context(), alice, x.split(20)),
				e.Rollback(t.Context(), alice, migrate.RollbackOptions{}),
			} {
				if r.Err() == nil {
					t.Fatalf("lost %v: %s", lost, r.Outcome)
				}
				st, err := x.w.Objects.Status(t.Context(), alice)
				if err != nil || st.Phase != userdb.SplitReady {
					t.Fatalf("lost %v: the object is %s: %v", lost, st.Phase, err)
				}
				safeHint(t, r)
				x.stateSays("other bytes")
			}
		}
		r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{DiscardWrites: true})
		mustDo(t, r, result.OutcomeMerged)
		x.atFile(walkRows)
		x.stateSays("")
	}
}

// TestWritersWhoCarryTheNoteAlong: a person may say that the file is right. What the object has is kept then.
func TestWritersWhoCarryTheNoteAlong(t *testing.T) {
	w, key, _ := oneUser(t)
	files := &alters{Files: w.Bucket, key: key}
	e := w.Engine("run", files, w.Objects, nil)
	mustDo(t, e.Migrate(t.Context(), alice), result.OutcomeMigrated)
	files.left = 1
	if r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{}); r.Err() == nil {
		t.Fatal(r.Outcome)
	}
	mustDo(
		t,
		e.Rollback(t.Context(), alice, migrate.RollbackOptions{DiscardWrites: true}),
		result.OutcomeExported,
	)
	kept := 0
	err := w.Bucket.List(
		t.Context(),
		userdb.ReservedPrefix,
		"",
		func(objects []userdb.Object, _ []string) error {
			kept += len(objects)
			return nil
		},
	)
	if err != nil || kept != 1 {
		t.Errorf("%d copies: %v", kept, err)
	}
}

func mustDo(t *testing.T, r result.Result, want result.Outcome) {
	t.Helper()
	if r.Err() != nil || r.Outcome != want {
		t.Fatalf("%s, %v", r.Outcome, r.Err())
	}
}
