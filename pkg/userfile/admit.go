package userfile

import (
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// MaxPutBytes is the largest object that R2 takes in one PUT, 4.995 GiB
// (developers.cloudflare.com/r2/platform/limits). The fence has to be one.
const MaxPutBytes = 4_995 << 30 / 1000

func TooLargeToPut(op string, u userdb.UserID, bytes int64) error {
	return &userdb.Error{Op: op, Thing: string(u), Kind: userdb.Blocked,
		Err: fmt.Errorf(
			"%d bytes, and R2 takes at most %d in one PUT",
			bytes,
			int64(MaxPutBytes),
		), Hint: "make the database smaller first"}
}

// MaySeal refuses what could only end with a sealed Durable Object and no file to go back to: the user is
// served now, and stays so.
func MaySeal(u userdb.UserID, st wire.Status, file Version) error {
	if st.Phase == userdb.Cold && file.What != userdb.SQLiteFile {
		return HotFileGone(u, file.Key)
	}
	if st.Phase == userdb.Cold && st.DatabaseBytes+file.Size > MaxPutBytes {
		return TooLargeToPut("merge", u, st.DatabaseBytes+file.Size)
	}
	if st.Phase != userdb.Active || file.Newest() > st.Gen {
		return nil // a newer command came between the two looks: the claim decides
	}
	if !file.Absent && !file.FencedBy(st.Lin) && !file.ExportedSince(st) {
		return FenceGone(u, file, st)
	}
	if err := Untouched(u, file, st); err != nil {
		return err
	}
	if st.DatabaseBytes > MaxPutBytes {
		return TooLargeToPut("roll back", u, st.DatabaseBytes)
	}
	return nil
}
