package userfile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

var errOtherBucket = errors.New("the Worker's bucket is another one")

// IsOtherBucket says of a failure that the operator's bucket is not the Worker's: every user would meet it.
func IsOtherBucket(err error) bool { return errors.Is(err, errOtherBucket) }

// SameBucket demands that the Worker sees the user's file as it was seen over S3. No router looks at a fence
// in another bucket: the file of the routers would go on serving beside the object. A Worker that cannot tell
// is not asked.
func (w *Writer) SameBucket(ctx context.Context, u userdb.UserID, seen Version) error {
	if w.Worker == nil || !w.TellsNames {
		return nil
	}
	told, err := w.Worker.Names(ctx, u)
	if err != nil {
		return err
	}
	return w.isTheWorkers(ctx, u, seen, told.File)
}

// isTheWorkers asks S3 once more where the Worker saw another version. One that somebody has written since is
// no other bucket's: then the condition of the PUT decides.
func (w *Writer) isTheWorkers(ctx context.Context, u userdb.UserID, seen Version, told *wire.SeenVersion) error {
	if told == nil || isThat(seen, *told) {
		return nil
	}
	now, err := w.Files.Head(ctx, seen.Key)
	absent := userdb.KindOf(err) == userdb.NotFound
	if err != nil && !absent {
		return err
	}
	if absent != seen.Absent || now.ETag != seen.ETag || now.LastModified.Unix() != seen.LastModified.Unix() {
		return nil
	}
	return &userdb.Error{Op: "compare buckets for", Thing: string(u), Kind: userdb.Usage,
		Err:  fmt.Errorf("%s is not what the Worker sees under that key: %w", seen.Key, errOtherBucket),
		Hint: "compare the bucket of this command with the one that the Worker is bound to: its environment, name, account and jurisdiction; nothing was changed"}
}

// isThat compares dates, too: another bucket may hold the same bytes. HTTP knows dates by the second.
func isThat(seen Version, told wire.SeenVersion) bool {
	if seen.Absent || told.ETag == "" {
		return seen.Absent && told.ETag == ""
	}
	apart := time.UnixMilli(told.Uploaded).Sub(seen.LastModified).Abs()
	return told.ETag == strings.Trim(string(seen.ETag), `"`) && apart <= time.Second
}
