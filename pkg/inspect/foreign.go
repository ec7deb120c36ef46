package inspect

import (
	"context"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// ForeignMark is the mark of a file with a claim that the user's Durable Object never gave out.
type ForeignMark struct {
	User  userdb.UserID
	Shown userdb.Claim // the claim that the file carries
	Known userdb.Claim // the highest one that the Durable Object knows
	ETag  userdb.ETag  // the version of the file that carries it
	// SetBack: the Durable Object has rows of its own, so that no command ends the mark.
	SetBack bool
	// HotOf is set of a file that has only the hot rows of a split: the claim of the cold ones.
	HotOf userdb.Lineage
	// Own is the receipt of a move of this user out of this very bucket that the mark may be of: the Durable
	// Object of the user has seen its claim, so either it was lost, or this is another one.
	Own *wire.Receipt
}

// ForeignMark looks at both sides of a user; nil: there is no such mark. The file comes first: where it shows
// no mark, no Durable Object is touched, since the touch would create it where this machine is.
func (e *Inspector) ForeignMark(ctx context.Context, u userdb.UserID) (*ForeignMark, error) {
	file, err := e.look(ctx, u)
	if err != nil || file.Shown() == 0 {
		return nil, err
	}
	st, err := e.Stores.Status(ctx, u)
	if err != nil || file.Shown() <= st.Gen {
		return nil, err
	}
	m := &ForeignMark{
		User:    u,
		Shown:   file.Shown(),
		Known:   st.Gen,
		ETag:    file.ETag,
		HotOf:   userdb.MetadataHotOf(file.Object.Metadata),
		SetBack: !userfile.HoldsNothing(st.Phase),
	}
	m.Own, err = e.receiptOfMark(ctx, u, m.Shown)
	return m, err
}

// receiptOfMark is the newest receipt that a file with this mark can have, where it says that the user was
// moved out of this bucket. A copied bucket has the receipts of the other one.
func (e *Inspector) receiptOfMark(
	ctx context.Context,
	u userdb.UserID,
	shown userdb.Claim,
) (*wire.Receipt, error) {
	var newest userdb.Claim
	err := e.Files.List(
		ctx,
		userfile.ReceiptFolder+string(u)+"/",
		"",
		func(objects []userdb.Object, _ []string) error {
			for _, o := range objects {
				if owner, claim, ok := userfile.ReceiptOwner(o.Key); ok && owner == u && claim <= shown {
					newest = max(newest, claim)
				}
			}
			return nil
		},
	)
	if err != nil || newest == 0 {
		return nil, err
	}
	receipt, err := userfile.ReadReceipt(ctx, e.Files, u, newest)
	if err != nil || receipt == nil || receipt.Bucket != e.Bucket || receipt.Key != e.Layout.Key(u) {
		return nil, err
	}
	return receipt, nil
}
