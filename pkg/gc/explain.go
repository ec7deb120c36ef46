package gc

import (
	"context"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Proof is one of the things that have to hold before a file may be freed.
type Proof struct {
	User   userdb.UserID `json:"user"`
	Proof  string        `json:"proof"`
	Holds  bool          `json:"holds"`
	Needed bool          `json:"needed"` // false: it is told for a person, and gc does without
	Detail string        `json:"detail"`
}

// Explanation is why gc would free or keep one user's file. Bytes are those that it would free.
type Explanation struct {
	Free   bool
	Bytes  int64
	Proofs []Proof
}

// Explain goes through every proof for one user, those that read all of the file and of the Durable Object
// too. It changes nothing. Where the Durable Object is gone or does not answer, R2's copy of the receipt
// still says what the kept file is.
func Explain(
	ctx context.Context,
	i *inspect.Inspector,
	u userdb.UserID,
	olderThan time.Duration,
) (Explanation, error) {
	x := &explainer{prover: prover{i}, user: u}
	err := x.run(ctx, olderThan)
	x.Free = err == nil
	for _, p := range x.Proofs {
		x.Free = x.Free && (p.Holds || !p.Needed)
	}
	if !x.Free {
		x.Bytes = 0
	}
	return x.Explanation, err
}

type explainer struct {
	prover
	user userdb.UserID
	Explanation
}

func (x *explainer) add(needed, holds bool, proof, detail string, args ...any) bool {
	x.Proofs = append(
		x.Proofs,
		Proof{User: x.user, Proof: proof, Holds: holds, Needed: needed, Detail: fmt.Sprintf(detail, args...)},
	)
	return holds
}

func (x *explainer) run(ctx context.Context, olderThan time.Duration) error {
	flags, err := x.Flags.Get(ctx, []userdb.UserID{x.user})
	if err != nil {
		return err
	}
	flag, flagged := flags[x.user]
	if flagged {
		x.add(
			true,
			true,
			"flag",
			"%s says: migrated by run %s, claim %d",
			x.user.FlagKey(),
			flag.Meta.Run,
			flag.Meta.Lineage,
		)
	} else {
		x.add(true, false, "flag", "there is no %s: the user is not, or not completely, migrated as a whole", x.user.FlagKey())
	}
	file, err := x.Source().Look(ctx, x.user)
	if err != nil {
		return err
	}
	x.Bytes = file.Size
	if !x.add(true, file.Fenced() && !file.Tombstone(), "fence", "%s is %s", file.Key, fenceWord(file)) {
		return nil
	}
	if err := x.store(ctx, file, flag.Meta, olderThan); err != nil {
		return err
	}
	return x.bytes(ctx, file)
}

func fenceWord(file userfile.Version) string {
	if file.Fenced() {
		return fmt.Sprintf("%s by claim %d", file.Word(), file.Lin)
	}
	return file.Word()
}

// store goes through what only the Durable Object can say. That it does not answer is itself an answer.
func (x *explainer) store(
	ctx context.Context,
	file userfile.Version,
	flag userdb.FlagMeta,
	olderThan time.Duration,
) error {
	st, err := x.Stores.Status(ctx, x.user)
	if userdb.KindOf(err) == userdb.Unreachable {
		x.add(true, false, "durable object", "it does not answer: %v", err)
		return nil
	}
	if err != nil {
		return err
	}
	setBack := x.Sides().StoreNotSetBack(ctx, x.user, st, file)
	if setBack != nil && userdb.KindOf(setBack) != userdb.Conflict {
		return setBack
	}
	if setBack != nil {
		x.add(true, false, "durable object", "%v", setBack)
		return nil
	}
	reason := x.storeKeeps(st, file, flag, olderThan)
	if reason != "" {
		x.add(true, false, "durable object", "%s", reason)
		return nil
	}
	age := x.Clock().Sub(time.UnixMilli(st.Receipt.MigratedAt))
	x.add(
		true,
		true,
		"durable object",
		"it serves the user, and its receipt, the fence and the flag are of one migration",
	)
	x.add(
		true,
		true,
		"age",
		"migrated %s ago, kept for %s",
		units.FormatDuration(age),
		units.FormatDuration(olderThan),
	)
	differs, err := x.storeDiffers(ctx, x.user, kept{file, *st.Receipt, st.WritesAtActivation})
	if err != nil {
		return err
	}
	if differs != "" {
		x.add(true, false, "content", "%s", differs)
	} else {
		x.add(true, true, "content", "every row can be read; %s since the migration",
			units.Plural(int(st.Writes-st.WritesAtActivation), "write transaction"))
	}
	x.sameBytes(ctx, file, *st.Receipt)
	return nil
}

// bytes tells what R2 alone can prove about the kept file.
func (x *explainer) bytes(ctx context.Context, file userfile.Version) error {
	receipt, err := userfile.ReadReceipt(ctx, x.Files, x.user, file.Lin.Claim())
	switch {
	case userdb.KindOf(err) == userdb.Damaged:
		x.add(false, false, "receipt in R2", "%v", err)
	case err != nil:
		return err
	case receipt == nil:
		x.add(
			false,
			false,
			"receipt in R2",
			"there is no %s; `dbmigrate migrate %s` writes it again",
			userfile.ReceiptKey(x.user, file.Lin.Claim()),
			x.user.Arg(),
		)
	default:
		x.add(
			false,
			true,
			"receipt in R2",
			"%s: migrated %s by run %s, %d bytes",
			userfile.ReceiptKey(x.user, file.Lin.Claim()),
			time.UnixMilli(receipt.MigratedAt).UTC().Format(time.RFC3339),
			receipt.Run,
			receipt.SourceBytes,
		)
		if !x.has("bytes") {
			x.sameBytes(ctx, file, *receipt)
		}
	}
	return nil
}

func (x *explainer) has(proof string) bool {
	for _, p := range x.Proofs {
		if p.Proof == proof {
			return true
		}
	}
	return false
}

// sameBytes downloads the file and holds it against a receipt.
func (x *explainer) sameBytes(ctx context.Context, file userfile.Version, receipt wire.Receipt) {
	reason := ""
	copied, err := x.Source().Fetch(ctx, x.user)
	switch {
	case err != nil:
		reason = err.Error()
	case copied.ETag != file.ETag:
		reason = "the object changed while it was read"
	case copied.SHA != receipt.SourceSHA:
		reason = "they are not the ones that were fenced"
	}
	copied.Remove()
	if reason == "" {
		reason = "they are, bit for bit, the ones that were migrated: SHA-256 " + receipt.SourceSHA
		x.add(true, true, "bytes", "%s", reason)
		return
	}
	x.add(true, false, "bytes", "%s", reason)
}
