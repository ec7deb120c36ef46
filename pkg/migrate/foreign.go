package migrate

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// A foreign mark carries a claim that this user's Durable Object never gave out: the file was copied from
// another user, bucket or account, or the object's storage was lost. No side has the authority then, and no
// other command can end it.

// endForeignMark lets the file serve as it is: stamped by a new claim of a Durable Object that holds nothing.
// Users without a foreign mark are left alone.
func (r *retreat) endForeignMark(ctx context.Context) error {
	seen, err := r.look(ctx, r.user)
	if err != nil {
		return err
	}
	st, err := r.Stores.Status(ctx, r.user)
	if err != nil {
		return err
	}
	r.result.Bytes = seen.Size
	if seen.Shown() <= st.Gen {
		r.result.Outcome, r.result.Reason = result.OutcomeNothing, "there is no foreign mark"
		return nil
	}
	if !userfile.HoldsNothing(st.Phase) { // the word of a file does not stand over rows
		return r.sides().StoreNotSetBack(ctx, r.user, st, seen)
	}
	if seen.Tombstone() {
		return tombstoneWithoutStore(r.user, seen)
	}
	if shown := r.opts.EndForeignMark; shown.Shown != seen.Shown() || shown.Known != st.Gen ||
		shown.ETag != seen.ETag {
		return &userdb.Error{Op: "end the foreign mark of", Thing: string(r.user), Kind: userdb.Precondition,
			Err: fmt.Errorf("claim %d of the file and %d of the Durable Object are not what was confirmed",
				seen.Shown(), st.Gen), Hint: "run the command again"}
	}
	if lin := userdb.MetadataHotOf(seen.Object.Metadata); lin != 0 && r.opts.NamedOnly {
		return hotWithoutCold(r.user, seen, lin)
	}
	c, err := r.claimAfter(ctx, r.user, wire.IntentRollback, st.Gen)
	if err != nil {
		return err
	}
	r.g, r.result.Claim = c.Gen, c.Gen
	return r.stampOver(ctx, seen)
}

// stampOver replaces exactly the version that was looked at before the claim. Any other one is another
// command's, or the application's.
func (r *retreat) stampOver(ctx context.Context, seen userfile.Version) error {
	file, err := r.download(ctx, r.user)
	if err != nil {
		return err
	}
	defer file.Remove()
	if file.ETag != seen.ETag {
		return &userdb.Error{Op: "end the foreign mark of", Thing: string(r.user), Kind: userdb.Precondition,
			Err: fmt.Errorf("%s changed meanwhile", file.Key), Hint: "run the command again"}
	}
	if err := r.putStamped(ctx, file, file.Version, userfile.OtherUnderStamp); err != nil {
		return err
	}
	r.result.Outcome, r.result.Reason = result.OutcomeLifted, fmt.Sprintf(
		"the foreign mark with claim %d was ended: the file serves as it is",
		seen.Shown(),
	)
	if lin := userdb.MetadataHotOf(seen.Object.Metadata); lin != 0 {
		r.result.AddReason(fmt.Sprintf(
			"it has only the hot rows of a split: the cold ones were in the Durable Object under claim %d",
			lin,
		))
	}
	r.result.DropFlag()
	return nil
}
