package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/backup"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// wide is a table that no Durable Object can hold, so that its user has no digest.
var wide = "CREATE TABLE wide (c0" + strings.Join(manyColumns(), "") + ")"

func manyColumns() (columns []string) {
	for i := 1; i <= 100; i++ {
		columns = append(columns, fmt.Sprintf(", c%d", i))
	}
	return columns
}

// copies are the one copy under a target.
type copies struct {
	*testing.T
	w  *world.World
	to string
}

func (c *copies) target(files migrate.Files) *backup.Target {
	c.Helper()
	target, err := backup.NewTarget(c.to, files, c.w.Layout)
	if err != nil {
		c.Fatal(err)
	}
	return target
}

func (c *copies) engine() *migrate.Engine {
	return c.w.Engine("run", c.w.Bucket, c.w.Objects, c.w.Objects)
}

// change writes the copy again with other bytes, and says of it what was said before.
func (c *copies) change(other func([]byte) []byte) {
	c.Helper()
	prefix, inBucket := strings.CutPrefix(c.to, backup.InBucket)
	if !inBucket {
		path := filepath.Join(c.to, "alice.sqlite")
		content, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, other(content), 0o600)
		}
		if err != nil {
			c.Fatal(err)
		}
		return
	}
	var body bytes.Buffer
	key := userdb.ObjectKey(prefix + "alice.sqlite")
	object, err := c.w.Bucket.Get(c.Context(), key, "", &body)
	if err == nil {
		content := other(body.Bytes())
		_, err = c.w.Bucket.Put(c.Context(), key, bytes.NewReader(content), int64(len(content)), userdb.PutOptions{Metadata: object.Metadata})
	}
	if err != nil {
		c.Fatal(err)
	}
}

func cutShort(content []byte) []byte { return content[:len(content)/2] }

func otherValue(content []byte) []byte {
	return bytes.Replace(content, []byte("a value to find"), []byte("A value to find"), 1)
}

// TestCopiesAreRead: the gate of a wave reads every copy of the wave, one that this run did not write and one
// without a digest included.
func TestCopiesAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		place  string
		more   string
		other  bool // another run wrote it
		change func([]byte) []byte
	}{
		"folder, ours":                      {"folder", "", false, otherValue},
		"folder, ours, without a digest":    {"folder", wide, false, otherValue},
		"folder, another's":                 {"folder", "", true, cutShort},
		"folder, another's, without digest": {"folder", wide, true, cutShort},
		"bucket, ours, without a digest":    {"bucket", wide, false, otherValue},
		"bucket, another's":                 {"bucket", "", true, otherValue},
		"bucket, another's, without digest": {"bucket", wide, true, otherValue},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, _ := oneUser(t, "INSERT INTO t VALUES ('a value to find')", c.more)
			x := &copies{t, w, backup.InBucket + "backups/"}
			if c.place == "folder" {
				x.to = t.TempDir()
			}
			target := x.target(w.Bucket)
			if r := target.Job(x.engine())(t.Context(), alice); r.Outcome != result.OutcomeBackedUp || (r.Digest == "") != (c.more != "") {
				t.Fatalf("%s, digest %q: %v", r.Outcome, r.Digest, r.Err())
			}
			if c.other {
				target = x.target(w.Bucket)
				if r := target.Job(x.engine())(t.Context(), alice); r.Outcome != result.OutcomeAlready {
					t.Fatalf("again: %s %v", r.Outcome, r.Err())
				}
			}
			if r := target.Check(t.Context(), x.engine(), alice); r.Outcome != result.OutcomeEqual || r.Err() != nil {
				t.Errorf("as written: %s %v", r.Outcome, r.Err())
			}
			x.change(c.change)
			if r := target.Check(t.Context(), x.engine(), alice); r.Outcome != result.OutcomeDifferent {
				t.Errorf("changed: %s %v", r.Outcome, r.Err())
			}
		})
	}
}

// unanswered stores what is put, and says what a client says that sent it twice.
type unanswered struct{ migrate.Files }

func (u unanswered) Put(ctx context.Context, key userdb.ObjectKey, body io.ReadSeeker, size int64, opts userdb.PutOptions) (userdb.ETag, error) {
	etag, err := u.Files.Put(ctx, key, body, size, opts)
	if err == nil {
		err = &userdb.Error{Op: "put", Thing: string(key), Kind: userdb.Precondition, Err: errors.New("it is another version")}
	}
	return etag, err
}

// A copy of this run is its own, even if the answer to its PUT was lost and it has no digest.
func TestOwnCopyAfterALostAnswer(t *testing.T) {
	for name, more := range map[string]string{"with a digest": "", "without one": wide} {
		t.Run(name, func(t *testing.T) {
			w, _, _ := oneUser(t, more)
			x := &copies{t, w, backup.InBucket + "backups/"}
			r := x.target(unanswered{w.Bucket}).Job(x.engine())(t.Context(), alice)
			if r.Outcome != result.OutcomeBackedUp || r.Err() != nil {
				t.Errorf("%s %v", r.Outcome, r.Err())
			}
		})
	}
}
