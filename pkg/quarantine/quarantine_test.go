package quarantine

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// shelf is a bucket's reserved part in memory.
type shelf map[userdb.ObjectKey]string

func (s shelf) List(_ context.Context, prefix, _ string, yield func([]userdb.Object, []string) error) error {
	var page []userdb.Object
	for key := range s {
		if strings.HasPrefix(string(key), prefix) {
			page = append(page, userdb.Object{Key: key})
		}
	}
	return yield(page, nil)
}

func (s shelf) Put(
	_ context.Context,
	key userdb.ObjectKey,
	body io.ReadSeeker,
	_ int64,
	_ userdb.PutOptions,
) (userdb.ETag, error) {
	content, err := io.ReadAll(body)
	s[key] = string(content)
	return "", err
}

func (s shelf) Delete(_ context.Context, key userdb.ObjectKey) error {
	delete(s, key)
	return nil
}

func refusedAs(u userdb.UserID, version userdb.ETag, kind userdb.Kind) result.Result {
	return result.Result{
		User:    u,
		Action:  result.ActionMigrate,
		ETag:    version,
		Unfit:   true,
		Failure: &userdb.Error{Op: "check", Kind: kind, Err: errors.New("no")},
	}
}

func TestQuarantineIsOfOneVersion(t *testing.T) {
	objects := shelf{}
	q := &List{objects}
	longest := userdb.UserID(strings.Repeat("ü", userdb.MaxUserIDBytes/2))
	for _, r := range []result.Result{refusedAs("ann", `"e1"`, userdb.Blocked), refusedAs("ann", `"e2-3"`, userdb.Damaged), refusedAs(longest, `"e1"`, userdb.NotSQLite)} {
		if !q.Holds(r) {
			t.Errorf("%s is not held", r.User)
		}
		if err := q.Add(t.Context(), r, "run-1", time.UnixMilli(1)); err != nil {
			t.Fatal(err)
		}
	}
	objects[Folder+"ann"] = "of a later version"
	objects[Folder+"ann/e/r/x"] = "of a later version"
	known, err := q.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		user    userdb.UserID
		version userdb.ETag
		want    userdb.Kind
	}{{"ann", `"e1"`, userdb.Blocked}, {"ann", `"e2-3"`, userdb.Damaged}, {"ann", `"e3"`, ""}, {"bob", `"e1"`, ""}, {longest, `"e1"`, userdb.NotSQLite}} {
		if got := known.Reason(test.user, test.version); got != test.want {
			t.Errorf("%.9s %s: %q, want %q", test.user, test.version, got, test.want)
		}
	}
	for key := range objects {
		if !userdb.Reserved(string(key)) || len(key) > userdb.MaxObjectKeyBytes {
			t.Errorf("key %s", key)
		}
	}
	if err := q.Forget(t.Context(), "ann", known); err != nil {
		t.Fatal(err)
	}
	if known, _ = q.Load(t.Context(), ""); known["ann"] != nil || known[longest] == nil {
		t.Errorf("after ann was forgotten: %v", known)
	}
}

// Only what the file itself is to blame for is held: everything else may go well the next time.
func TestQuarantineHolds(t *testing.T) {
	q := &List{}
	for kind, want := range map[userdb.Kind]bool{
		userdb.NotSQLite: true, userdb.Damaged: true, userdb.Blocked: true, userdb.Refused: false,
		userdb.NotFound: false, userdb.Unreachable: false, userdb.Throttled: false, userdb.Mismatch: false, userdb.Conflict: false,
		userdb.Precondition: false, userdb.Superseded: false, userdb.Interrupted: false, userdb.Internal: false, userdb.Unauthorized: false,
	} {
		if got := q.Holds(refusedAs("ann", `"e"`, kind)); got != want {
			t.Errorf("%s: %t", kind, got)
		}
	}
	locked := refusedAs("ann", `"e"`, userdb.Blocked) // by a bucket lock
	locked.Unfit = false
	if q.Holds(locked) || q.Holds(refusedAs("ann", "", userdb.Blocked)) ||
		q.Holds(
			result.Result{
				User:    "ann",
				Action:  result.ActionMigrate,
				ETag:    `"e"`,
				Outcome: result.OutcomeMigrated,
			},
		) {
		t.Error("held without a version, or without a refusal")
	}
}
