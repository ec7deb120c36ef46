package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/appdb"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestScreensFit: what the commands that change something, and those that look, show on the local runtime
// fits terminals of 80, 100 and 140 columns, for a user with a long id. A whole run looks at all widths.
func TestScreensFit(t *testing.T) {
	t.Parallel()
	s := ownStack(t) // what others do there is not for doctor and selftest
	for _, columns := range effort.Some(t, "widths", []int{80, 100, 140}, 1) {
		t.Run(strconv.Itoa(columns), func(t *testing.T) {
			user := "screens-" + strings.Repeat("of-a-long-id-", 6) + strconv.Itoa(columns)
			putFile(t, s, user)
			copies := filepath.Join(t.TempDir(), "copies")
			env := append(s.Env(),
				"HOME="+t.TempDir(), "XDG_STATE_HOME="+t.TempDir(), "PATH="+os.Getenv("PATH"), "PAGER=cat")
			for _, args := range [][]string{
				{"doctor", "--probe-writes"},
				{"migrate", user, "--reason", "INC-4711: the nightly move of everybody who has grown over the threshold"},
				{"verify", user},
				{"backup", user, "--to", copies},
				{"status", user},
				{"rollback", user},
				{"restore", user, "--from", filepath.Join(copies, user+".sqlite"), "--dry-run"},
				{"restore", user, "--from", filepath.Join(copies, user+".sqlite"), "--yes"},
				{"history", user},
				{"gc", user, "--older-than", "0s"},
				{"runs"},
				{"selftest"},
				{"forget", user, "--confirm", "delete everything of " + user},
			} {
				out, talk := seenAt(t, columns, env, args...)
				each := strings.ReplaceAll(out+talk, "\r", "\n") // a bar is drawn over the one before
				for _, line := range tooWide(each, columns) {
					t.Errorf("%q at %d columns: %q", args, columns, line)
				}
				if strings.TrimSpace(out+talk) == "" {
					t.Errorf("%q shows nothing", args)
				}
			}
		})
	}
}

// putFile gives a user a database file.
func putFile(t *testing.T, s *stack.Stack, user string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "database.sqlite")
	_, err := appdb.Build(t.Context(), file, 1, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := r2.New(r2.Config{Endpoint: s.S3Endpoint, Bucket: s.Bucket, AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey})
	if err == nil {
		_, err = bucket.Put(t.Context(), userdb.ObjectKey(user+"/database.sqlite"), bytes.NewReader(content), int64(len(content)), userdb.PutOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}
