// Package quarantine remembers the versions of files that cannot be moved.
package quarantine

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Folder holds one small object for each refused version of a file:
// .dbmigrate/quarantine/{user}/{ETag}/{reason}. All that a run has to know is in the key, so one listing
// tells it about 1,000 of them, on any machine, and users who are well cost nothing. The content is for
// people.
const Folder = userdb.ReservedPrefix + "quarantine/"

// Objects is the part of the bucket that is dbmigrate's own.
type Objects interface {
	List(
		ctx context.Context,
		prefix, delimiter string,
		yield func(objects []userdb.Object, commonPrefixes []string) error,
	) error
	Put(
		ctx context.Context,
		key userdb.ObjectKey,
		body io.ReadSeeker,
		size int64,
		opts userdb.PutOptions,
	) (userdb.ETag, error)
	Delete(ctx context.Context, key userdb.ObjectKey) error
}

// List remembers the versions of files that cannot be moved, so that a nightly run does not download and
// refuse them again. A user is out of it as soon as the file changes, because its ETag does.
type List struct{ Objects Objects }

// Known are the refused versions of users' files, and why they were refused.
type Known map[userdb.UserID]map[userdb.ETag]userdb.Kind

// Reason is why this version of the user's file is not tried again; "" when it may be.
func (q Known) Reason(u userdb.UserID, version userdb.ETag) userdb.Kind { return q[u][version] }

// Load lists everybody in quarantine with an id that begins with prefix.
func (q *List) Load(ctx context.Context, prefix string) (Known, error) {
	known := Known{}
	err := q.Objects.List(ctx, Folder+prefix, "", func(objects []userdb.Object, _ []string) error {
		for _, o := range objects {
			known.read(o.Key)
		}
		return nil
	})
	return known, err
}

// read passes over a key that it does not understand: it may be from a later version.
func (q Known) read(key userdb.ObjectKey) {
	parts := strings.Split(strings.TrimPrefix(string(key), Folder), "/")
	if len(parts) != 3 {
		return
	}
	u, err := userdb.ParseUserID(parts[0])
	if err != nil || parts[1] == "" || parts[2] == "" {
		return
	}
	if q[u] == nil {
		q[u] = map[userdb.ETag]userdb.Kind{}
	}
	q[u][userdb.ETag(`"`+parts[1]+`"`)] = userdb.Kind(parts[2])
}

func quarantineKey(u userdb.UserID, version userdb.ETag, reason userdb.Kind) userdb.ObjectKey {
	return userdb.ObjectKey(
		Folder + string(u) + "/" + strings.Trim(string(version), `"`) + "/" + string(reason),
	)
}

// quarantining are refusals that this very file will meet again: those of the preflight. A bucket lock is
// Blocked, too, but no fault of the file, so the kind alone does not decide. What the Durable Object refuses
// is tried again: it may have been out of memory.
var quarantining = []userdb.Kind{userdb.NotSQLite, userdb.Damaged, userdb.Blocked, userdb.TooCostly}

// Holds says whether a result puts the user into quarantine.
func (q *List) Holds(r result.Result) bool {
	kind := userdb.KindOf(r.Err())
	return r.Action == result.ActionMigrate && r.ETag != "" && !r.Open && r.Unfit &&
		slices.Contains(quarantining, kind)
}

// quarantineNote is the content of an object, for people.
type quarantineNote struct {
	User    userdb.UserID `json:"user"`
	ETag    userdb.ETag   `json:"etag"`
	Reason  userdb.Kind   `json:"reason"`
	Message string        `json:"message"`
	Run     string        `json:"run"`
	At      time.Time     `json:"at"`
}

// Add puts the user of a refused migrate into quarantine.
func (q *List) Add(ctx context.Context, r result.Result, run string, at time.Time) error {
	reason := userdb.KindOf(r.Err())
	body, err := json.Marshal(quarantineNote{r.User, r.ETag, reason, r.Err().Error(), run, at.UTC()})
	if err != nil {
		return err
	}
	_, err = q.Objects.Put(
		ctx,
		quarantineKey(r.User, r.ETag, reason),
		bytes.NewReader(body),
		int64(len(body)),
		userdb.PutOptions{ContentType: "application/json"},
	)
	return err
}

// Forget takes a user out, whatever the version of the file: the user was moved.
func (q *List) Forget(ctx context.Context, u userdb.UserID, known Known) error {
	for version, reason := range known[u] {
		if err := q.Objects.Delete(ctx, quarantineKey(u, version, reason)); err != nil {
			return err
		}
	}
	return nil
}

// Skipped is the account of a user in quarantine, who was not touched.
func Skipped(f inspect.Found, reason userdb.Kind) result.Result {
	return result.Result{
		User:       f.User,
		Action:     result.ActionMigrate,
		Outcome:    result.OutcomeQuarantined,
		Bytes:      f.Bytes,
		ETag:       f.ETag,
		Quarantine: reason,
		Reason: "this version of the file was refused before (" + string(
			reason,
		) + "); it is tried again when it changes, or with --retry-quarantined",
	}
}
