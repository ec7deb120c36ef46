package inspect

import (
	"context"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const NoFlag = "no flag: the user is not, or not completely, migrated as a whole"

// Kept is everything that has to hold before a file may go.
type Kept struct {
	File               userfile.Version
	Receipt            wire.Receipt
	writesAtActivation int64
}

// MayFree proves that the user's file may go, or gives the reason why not.
func (e *Inspector) MayFree(ctx context.Context, f Found, olderThan time.Duration) (Kept, string, error) {
	if f.Place == PlaceUnreadable {
		return Kept{}, "", f.Err
	}
	if !f.Flagged {
		return Kept{}, NoFlag, nil
	}
	file, err := e.look(ctx, f.User)
	if err != nil {
		return Kept{}, "", err
	}
	switch {
	case file.Absent:
		return Kept{}, "there is no file", nil
	case file.Tombstone():
		return Kept{}, "freed before", nil
	case !file.Fenced():
		return Kept{}, "the file is not fenced: it is authoritative", nil
	case file.Mark.Split:
		return Kept{}, "the user is split: the file has the hot rows", nil
	}
	st, err := e.Stores.Status(ctx, f.User)
	if err != nil {
		return Kept{}, "", err
	}
	if reason := e.storeKeeps(st, file, f.Flag, olderThan); reason != "" {
		return Kept{}, reason, nil
	}
	return Kept{file, *st.Receipt, st.WritesAtActivation}, "", nil
}

// storeKeeps gives the reason in the Durable Object's state, its receipt or the flag for keeping the file.
func (e *Inspector) storeKeeps(
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
		if age := e.now().Sub(time.UnixMilli(r.MigratedAt)); age < olderThan {
			return fmt.Sprintf(
				"migrated %s ago, kept for %s",
				units.FormatDuration(age),
				units.FormatDuration(olderThan),
			)
		}
		return ""
	}
}

// StoreDiffers reads everything that the Durable Object holds: with the file goes the last other copy of it.
// What is there must be what was imported unless the application wrote since.
func (e *Inspector) StoreDiffers(ctx context.Context, u userdb.UserID, proof Kept) (string, error) {
	report, err := e.Stores.FreshDigest(ctx, u)
	if err != nil {
		return "", err
	}
	if report.Writes == proof.writesAtActivation && report.Digest.Database != proof.Receipt.Digest.Database {
		return "the Durable Object differs from what was imported though the application wrote nothing: run `dbmigrate verify` for this user", nil
	}
	return "", nil
}
