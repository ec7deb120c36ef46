package migrate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// receiptFolder holds R2's copies of the receipts. The Durable Object's own is the one that commands go by; the copy is for the day on which
// that object is gone, set back or does not answer: it still proves what the kept file is, and who was moved when. Nothing waits for it, and
// its absence blocks nothing.
const receiptFolder = userdb.ReservedPrefix + "receipts/"

const receiptSuffix = ".json"

// ReceiptKey is where R2 keeps the receipt of the migration with that claim. The receipt of one claim never changes, so a PUT that is
// repeated, or arrives late, writes what is there already: it needs no condition.
func ReceiptKey(u userdb.UserID, claim userdb.Claim) userdb.ObjectKey {
	return userdb.ObjectKey(fmt.Sprintf("%s%s/%d%s", receiptFolder, u, claim, receiptSuffix))
}

// receiptOwner reads a ReceiptKey back.
func receiptOwner(key userdb.ObjectKey) (userdb.UserID, userdb.Claim, bool) {
	name, inFolder := strings.CutPrefix(string(key), receiptFolder)
	name, isReceipt := strings.CutSuffix(name, receiptSuffix)
	user, number, _ := strings.Cut(name, "/")
	claim, err := strconv.ParseUint(number, 10, 32)
	if _, idErr := userdb.ParseUserID(user); !inFolder || !isReceipt || err != nil || idErr != nil {
		return "", 0, false
	}
	return userdb.UserID(user), userdb.Claim(claim), true
}

// keepReceipt puts the copy after the switch: a user just moved has none yet, one who was moved before is looked up first. Without a copy
// the user is served all the same; but it is work that is left, so it fails the account, as a flag does.
func (e *Engine) keepReceipt(ctx context.Context, r result.Result) result.Result {
	if r.Receipt == nil || r.Failure != nil {
		return r
	}
	if err := e.putReceipt(context.WithoutCancel(ctx), *r.Receipt, r.Outcome == result.OutcomeMigrated || r.Outcome == result.OutcomeSplit); err != nil {
		r.Failure = &userdb.Error{Op: "keep the receipt of", Thing: string(r.User), Kind: userdb.KindOf(err), Err: err,
			Hint: "the user is served by the Durable Object all the same; run the command again to write the receipt to R2"}
	}
	return r
}

func (e *Engine) putReceipt(ctx context.Context, receipt wire.Receipt, fresh bool) error {
	key := ReceiptKey(receipt.User, receipt.Claim)
	if !fresh {
		_, err := e.Files.Head(ctx, key)
		if userdb.KindOf(err) != userdb.NotFound {
			return err
		}
	}
	return e.putJSON(ctx, key, receipt, userdb.PutOptions{})
}

// ReceiptCopy reads R2's copy of a receipt, nil when there is none.
func (e *Engine) ReceiptCopy(ctx context.Context, u userdb.UserID, claim userdb.Claim) (*wire.Receipt, error) {
	key := ReceiptKey(u, claim)
	var receipt wire.Receipt
	_, err := e.getJSON(ctx, key, &receipt)
	switch {
	case userdb.KindOf(err) == userdb.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case receipt.User != u || receipt.Claim != claim || receipt.SourceSHA == "":
		return nil, &userdb.Error{Op: "read", Thing: string(key), Kind: userdb.Damaged, Err: errors.New("it is the receipt of another migration")}
	}
	return &receipt, nil
}
