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

const noFlag = "no flag: the user is not, or not completely, migrated as a whole"

// kept is everything that has to hold before a file may go.
type kept struct {
	File               userfile.Version
	Receipt            wire.Receipt
	writesAtActivation int64
}

// prover proves with ports that cannot write.
type prover struct{ *inspect.Inspector }

// mayFree proves that the user's file may go, or gives the reason why not.
func (p prover) mayFree(ctx context.Context, f inspect.Found, olderThan time.Duration) (kept, string, error) {
	if f.Place == inspect.PlaceUnreadable {
		return kept{}, "", f.Err
	}
	if !f.Flagged {
		return kept{}, noFlag, nil
	}
	file, err := p.Source().Look(ctx, f.User)
	if err != nil {
		return kept{}, "", err
	}
	switch {
	case file.Absent:
		return kept{}, "there is no file", nil
	case file.Tombstone():
		return kept{}, "freed before", nil
	case !file.Fenced():
		return kept{}, "the file is not fenced: it is authoritative", nil
	case file.Mark.Split:
		return kept{}, "the user is split: the file has the hot rows", nil
	}
	st, err := p.Stores.Status(ctx, f.User)
	if err != nil {
		return kept{}, "", err
	}
	if err := p.Sides().StoreNotSetBack(ctx, f.User, st, file); err != nil {
		return kept{}, "", err
	}
	if reason := p.storeKeeps(st, file, f.Flag, olderThan); reason != "" {
		return kept{}, reason, nil
	}
	return kept{file, *st.Receipt, st.WritesAtActivation}, "", nil
}

// storeKeeps gives the reason in the Durable Object's state, its receipt or the flag for keeping the file.
func (p prover) storeKeeps(
	st wire.Status,
	file userfile.Version,
	flag userdb.FlagMeta,
	olderThan time.Duration,
) string {
	switch r := st.Receipt; {
	case st.Phase != userdb.Active:
		return fmt.Sprintf("the Durable Object is %s, not ACTIVE", st.Phase)
	case !file.FencedBy(st.Lin):
		return fmt.Sprintf(
			"the file is fenced by claim %d, the Durable Object has lineage %d",
			file.Lin,
			st.Lin,
		)
	case r == nil:
		return "the Durable Object has no receipt of its migration"
	case r.Claim.Lineage() != st.Lin || r.Key != file.Key:
		return "the receipt is of another migration"
	case flag.Lineage != st.Lin:
		return fmt.Sprintf(
			"the flag is of claim %d, the Durable Object has lineage %d: run `dbmigrate migrate` to write the flag again",
			flag.Lineage,
			st.Lin,
		)
	case file.Size != r.SourceBytes:
		return fmt.Sprintf("the object has %d bytes, the fenced one had %d", file.Size, r.SourceBytes)
	default:
		if age := p.Clock().Sub(time.UnixMilli(r.MigratedAt)); age < olderThan {
			return fmt.Sprintf(
				"migrated %s ago, kept for %s",
				units.FormatDuration(age),
				units.FormatDuration(olderThan),
			)
		}
		return ""
	}
}

// storeDiffers reads everything that the Durable Object holds: with the file goes the last other copy of it.
// What is there must be what was imported unless the application wrote since.
func (p prover) storeDiffers(ctx context.Context, u userdb.UserID, proof kept) (string, error) {
	report, err := p.Stores.FreshDigest(ctx, u)
	if err != nil {
		return "", err
	}
	if report.Writes == proof.writesAtActivation && report.Digest.Database != proof.Receipt.Digest.Database {
		return "the Durable Object differs from what was imported though the application wrote nothing: run `dbmigrate verify` for this user", nil
	}
	return "", nil
}
