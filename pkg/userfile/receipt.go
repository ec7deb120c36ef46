package userfile

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/reserved"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// ReceiptFolder holds R2's copies of the receipts. The Durable Object's own is the one that commands go by;
// the copy is for the day on which that object is gone, set back or does not answer: it still proves what the
// kept file is, and who was moved when. Nothing waits for it, and its absence blocks nothing.
const ReceiptFolder = userdb.ReservedPrefix + "receipts/"

const receiptSuffix = ".json"

// ReceiptKey is where R2 keeps the receipt of the migration with that claim. The receipt of one claim never
// changes, so a PUT that is repeated, or arrives late, writes what is there already: it needs no condition.
func ReceiptKey(u userdb.UserID, claim userdb.Claim) userdb.ObjectKey {
	return userdb.ObjectKey(fmt.Sprintf("%s%s/%d%s", ReceiptFolder, u, claim, receiptSuffix))
}

// ReceiptOwner reads a ReceiptKey back.
func ReceiptOwner(key userdb.ObjectKey) (userdb.UserID, userdb.Claim, bool) {
	name, inFolder := strings.CutPrefix(string(key), ReceiptFolder)
	name, isReceipt := strings.CutSuffix(name, receiptSuffix)
	user, number, _ := strings.Cut(name, "/")
	claim, err := strconv.ParseUint(number, 10, 32)
	if _, idErr := userdb.ParseUserID(user); !inFolder || !isReceipt || err != nil || idErr != nil {
		return "", 0, false
	}
	return userdb.UserID(user), userdb.Claim(claim), true
}

// ReadReceipt reads R2's copy of a receipt, nil when there is none.
func ReadReceipt(
	ctx context.Context,
	files Reader,
	u userdb.UserID,
	claim userdb.Claim,
) (*wire.Receipt, error) {
	key := ReceiptKey(u, claim)
	var receipt wire.Receipt
	_, err := reserved.Get(ctx, files, key, &receipt)
	switch {
	case userdb.KindOf(err) == userdb.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case receipt.User != u || receipt.Claim != claim || receipt.SourceSHA == "":
		return nil, &userdb.Error{
			Op:    "read",
			Thing: string(key),
			Kind:  userdb.Damaged,
			Err:   errors.New("it is the receipt of another migration"),
		}
	}
	return &receipt, nil
}
