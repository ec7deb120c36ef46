package main

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"os"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// floor is what the local imitation of R2 takes for the two transfers that no migration can do without, and
// for nothing else: the file is fetched, and replaced by itself under a fence.
func (w *world) floor(ctx context.Context, db database) (time.Duration, error) {
	u, err := w.upload(ctx, db)
	if err != nil {
		return 0, err
	}
	head, sum, err := fencedSum(db.path)
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	object, err := w.bucket.Get(ctx, w.engine.Layout.Key(u), "", io.Discard)
	if err != nil {
		return 0, err
	}
	err = w.markAs(ctx, u, object, head, sum)
	return time.Since(begun), err
}

// markAs lets the Worker replace the file by itself under that header.
func (w *world) markAs(
	ctx context.Context,
	u userdb.UserID,
	file userdb.Object,
	head []byte,
	sum string,
) error {
	_, err := w.engine.Marker.Mark(
		ctx,
		u,
		wire.MarkRequest{
			ETag:     strings.Trim(string(file.ETag), `"`),
			Modified: file.LastModified.Unix(),
			Head:     head,
			MD5:      sum,
			Metadata: map[string]string{},
		},
	)
	return err
}

// fencedSum is the file's header under a fence, and the MD5 of the file with it.
func fencedSum(path string) (head []byte, sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	head = make([]byte, userdb.HeaderBytes)
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, "", err
	}
	if head, err = userdb.WithFence(head, 1, 1, make([]byte, userdb.MarkRandomBytes)); err != nil {
		return nil, "", err
	}
	hash := md5.New()
	hash.Write(head)
	_, err = io.Copy(hash, f)
	return head, hex.EncodeToString(hash.Sum(nil)), err
}
