package gc

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// ArchiveKey is where gc archives the file of a migration. The claim tells a user's migrations apart.
func ArchiveKey(prefix string, u userdb.UserID, claim userdb.Claim) userdb.ObjectKey {
	return userdb.ObjectKey(fmt.Sprintf("%s%s/%d.sqlite", prefix, u, claim))
}

// archive puts the file as it was before its fence, byte for byte; R2's answer proves what it holds. To
// archive the same file twice puts the same bytes.
func (c *Collector) archive(
	ctx context.Context,
	u userdb.UserID,
	file *userfile.Copy,
	proof kept,
	prefix string,
) (userdb.ObjectKey, error) {
	key := ArchiveKey(prefix, u, proof.Receipt.Claim)
	if other, isUser := c.Layout.UserOf(key); isUser {
		return "", &userdb.Error{
			Op:    "archive",
			Thing: string(u),
			Kind:  userdb.Usage,
			Err:   fmt.Errorf("%s would be the database of user %s", key, other),
			Hint:  "choose another --archive-prefix",
		}
	}
	err := file.PutUnmarkedAt(ctx, c.Objects, key, userdb.PutOptions{ContentType: userfile.ContentType})
	return key, err
}
