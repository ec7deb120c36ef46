package migrate

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// leftBehindFolder holds what --discard-writes left behind, as SQLite files.
const leftBehindFolder = userdb.ReservedPrefix + "left-behind/"

// metadataDigest is the database digest by which a file was proved, in the metadata of a file that was left behind.
const metadataDigest = "dbmigrate-digest"

// saveLeftBehind keeps what the sealed Durable Object holds, before it goes, as a SQLite file that is proved by the digest. The claim in its
// key is this command's alone, so no other one's file is ever replaced.
func (r *retreat) saveLeftBehind(ctx context.Context, digest wire.DatabaseDigest) error {
	if r.opts.WithoutCopy || r.result.LeftBehind != "" {
		return nil
	}
	file, err := r.exportFile(ctx, r.user, digest)
	if err != nil {
		return fmt.Errorf("save what is left behind (--without-copy leaves it behind for good): %w", err)
	}
	defer file.remove()
	key := userdb.ObjectKey(fmt.Sprintf("%s%s/%d.sqlite", leftBehindFolder, r.user, r.g))
	if err := r.putWhole(ctx, key, file, userdb.PutOptions{ContentType: sqliteContentType, Metadata: map[string]string{metadataDigest: digest.Database}}); err != nil {
		return err
	}
	r.result.LeftBehind = key
	return nil
}

// putWhole puts the spooled bytes as they are.
func (e *Engine) putWhole(ctx context.Context, key userdb.ObjectKey, file *spool, opts userdb.PutOptions) error {
	f, sum, err := file.open(nil)
	if err != nil {
		return err
	}
	defer f.Close()
	opts.MD5 = sum
	_, err = e.Files.Put(ctx, key, f, file.Size, opts)
	return err
}
