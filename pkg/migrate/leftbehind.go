package migrate

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// leftBehindFolder holds what --discard-writes left behind, as SQLite files.
const leftBehindFolder = userdb.ReservedPrefix + "left-behind/"

// metadataDigest is the database digest by which a file was proved, in the metadata of a file that was left
// behind.
const metadataDigest = "dbmigrate-digest"

// saveLeftBehind keeps what the sealed Durable Object holds, before it goes, as a SQLite file that is proved
// by the digest. The claim in its key is this command's alone, so no other one's file is ever replaced.
func (r *retreat) saveLeftBehind(ctx context.Context, digest wire.DatabaseDigest) error {
	if r.opts.WithoutCopy || r.result.LeftBehind != "" {
		return nil
	}
	file, err := r.exportFile(ctx, r.user, digest)
	if err != nil {
		return fmt.Errorf("save what is left behind (--without-copy leaves it behind for good): %w", err)
	}
	defer file.Remove()
	return r.putLeftBehind(ctx, file, map[string]string{metadataDigest: digest.Database})
}

// putLeftBehind keeps a file. The claim in its key is this command's alone.
func (r *retreat) putLeftBehind(ctx context.Context, file *userfile.Copy, metadata map[string]string) error {
	key := userdb.ObjectKey(fmt.Sprintf("%s%s/%d.sqlite", leftBehindFolder, r.user, r.g))
	if err := file.PutAt(ctx, r.Files, key, userdb.PutOptions{ContentType: userfile.ContentType, Metadata: metadata}); err != nil {
		return err
	}
	r.result.LeftBehind = key
	return nil
}
