package migrate

import (
	"context"
	"fmt"
	"io"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// ArchiveKey is where gc archives the file of a migration. The claim tells a user's migrations apart.
func ArchiveKey(prefix string, u userdb.UserID, claim userdb.Claim) userdb.ObjectKey {
	return userdb.ObjectKey(fmt.Sprintf("%s%s/%d.sqlite", prefix, u, claim))
}

// archive puts the file as it was before its fence, byte for byte; R2's answer proves what it holds. Whoever archives the same file twice puts
// the same bytes.
func (e *Engine) archive(ctx context.Context, u userdb.UserID, file *spool, proof gcProof, prefix string) (userdb.ObjectKey, error) {
	key := ArchiveKey(prefix, u, proof.receipt.Claim)
	if other, isUser := e.Layout.UserOf(key); isUser {
		return "", &userdb.Error{Op: "archive", Thing: string(u), Kind: userdb.Usage, Err: fmt.Errorf("%s would be the database of user %s", key, other),
			Hint: "choose another --archive-prefix"}
	}
	head, err := userdb.WithoutMark(file.head)
	if err != nil {
		return "", err
	}
	f, sum, err := file.open(head)
	if err != nil {
		return "", err
	}
	defer f.Close()
	plain := io.NewSectionReader(&patched{f: f, head: head}, 0, file.Size)
	_, err = e.Files.Put(ctx, key, plain, file.Size, userdb.PutOptions{ContentType: sqliteContentType, MD5: sum})
	return key, err
}
