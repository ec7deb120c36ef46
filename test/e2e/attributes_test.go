package e2e

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// carried is what an object may have beside its bytes.
var carried = userdb.PutOptions{
	ContentType: "application/x-sqlite3",
	Metadata: map[string]string{"owner": "team-a", "name": "José Müller", "kana": "ひらがな", "smile": "🙂 ok",
		"encoded": "=?UTF-8?Q?Jos=C3=A9?=", "quoted": `a "b"; c=d, e`},
	Headers: userdb.Headers{
		CacheControl:       "private, no-store",
		ContentDisposition: `attachment; filename="db.sqlite"`,
		ContentLanguage:    "de",
		Expires:            "Tue, 01 Jan 2030 00:00:00 GMT",
	},
}

// TestObjectKeepsWhatItCarries: whatever a file had beside its bytes it has after every way there and back.
func TestObjectKeepsWhatItCarries(t *testing.T) {
	image := archiveDatabase(t)
	ways := []struct {
		name     string
		commands []string
		writes   bool
	}{
		{"restored", []string{"migrate", "rollback"}, false},
		{"exported", []string{"migrate", "rollback"}, true},
		{"resumed and exported", []string{"migrate", "rollback", "migrate", "rollback"}, true},
		{"freed and exported", []string{"migrate", "gc", "rollback"}, true},
		{"split and merged", []string{"split", "rollback"}, false},
	}
	for _, way := range effort.Some(t, "ways there and back", ways, 1) {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			u := newPatient(t, image, nil)
			bucket, err := harness.Bucket(cloud)
			if err != nil {
				t.Fatal(err)
			}
			var file bytes.Buffer
			if _, err := bucket.Get(t.Context(), harness.Key(u.Name), "", &file); err != nil {
				t.Fatal(err)
			}
			if _, err := bucket.Put(t.Context(), harness.Key(u.Name), bytes.NewReader(file.Bytes()), int64(file.Len()), carried); err != nil {
				t.Fatal(err)
			}
			before := carriedBy(t, u.Name)
			for _, command := range way.commands {
				must(t, u.op, 0, u.args(command)...)
				if command == "migrate" && way.writes {
					u.write()
				}
			}
			after := carriedBy(t, u.Name)
			if after.ContentType != before.ContentType || after.Headers != before.Headers ||
				!maps.Equal(after.Metadata, before.Metadata) {
				t.Errorf("before: %+v\nafter:  %+v", before, after)
			}
			u.check()
		})
	}
}

func carriedBy(t *testing.T, user string) userdb.Object {
	t.Helper()
	bucket, err := harness.Bucket(cloud)
	if err != nil {
		t.Fatal(err)
	}
	object, err := bucket.Head(t.Context(), harness.Key(user))
	if err != nil {
		t.Fatal(err)
	}
	for name := range object.Metadata {
		if strings.HasPrefix(name, "dbmigrate-") {
			delete(object.Metadata, name)
		}
	}
	return object
}

// TestEncodedObjectIsRefused: bytes that somebody on the way may decode or not are refused by name, before
// anything changes, and once.
func TestEncodedObjectIsRefused(t *testing.T) {
	t.Parallel()
	op, name := newOperator(t), userNamed(t)
	bucket, err := harness.Bucket(cloud)
	if err != nil {
		t.Fatal(err)
	}
	image := smallDatabase(t)
	options := userdb.PutOptions{Headers: userdb.Headers{ContentEncoding: "gzip"}}
	if _, err := bucket.Put(t.Context(), harness.Key(name), bytes.NewReader(image), int64(len(image)), options); err != nil {
		t.Fatal(err)
	}
	before := carriedBy(t, name)
	for _, want := range []string{`"code":"content-encoding"`, `"quarantine"`} {
		if f := must(t, op, 1, "migrate", name); !strings.Contains(f.Stdout, want) {
			t.Errorf("it does not say %s: %v", want, f)
		}
	}
	if f, err := op.Run("scan", "--deep", "--prefix", name); err != nil ||
		!strings.Contains(f.Stdout, `"content-encoding"`) {
		t.Errorf("%v %v", f, err)
	}
	if after := carriedBy(t, name); after.ETag != before.ETag || after.Headers != before.Headers {
		t.Errorf("before: %+v\nafter:  %+v", before, after)
	}
}
