package migrate

import (
	"context"

	"github.com/dbmigrate/dbmigrate/internal/reserved"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// KeepReceipt puts the copy after the switch: a user just moved has none yet, one who was moved before is
// looked up first. Without a copy the user is served all the same; but it is work that is left, so it fails
// the result, as a flag does.
func (e *Engine) KeepReceipt(ctx context.Context, r result.Result) result.Result {
	if r.Receipt == nil || r.Failure != nil || r.ReceiptKept {
		return r
	}
	if err := e.putReceipt(context.WithoutCancel(ctx), *r.Receipt, r.Outcome == result.OutcomeMigrated || r.Outcome == result.OutcomeSplit); err != nil {
		r.Failure = &userdb.Error{
			Op:    "keep the receipt of",
			Thing: string(r.User),
			Kind:  userdb.KindOf(err),
			Err:   err,
			Hint:  "the user is served by the Durable Object all the same; run the command again to write the receipt to R2",
		}
	}
	return r
}

func (e *Engine) putReceipt(ctx context.Context, receipt wire.Receipt, fresh bool) error {
	key := userfile.ReceiptKey(receipt.User, receipt.Claim)
	if !fresh {
		_, err := e.Files.Head(ctx, key)
		if userdb.KindOf(err) != userdb.NotFound {
			return err
		}
	}
	return reserved.Put(ctx, e.Files, key, receipt, userdb.PutOptions{})
}

// ReceiptCopy reads R2's copy of a receipt, nil when there is none.
func (e *Engine) ReceiptCopy(
	ctx context.Context,
	u userdb.UserID,
	claim userdb.Claim,
) (*wire.Receipt, error) {
	return userfile.ReadReceipt(ctx, e.Files, u, claim)
}
