package inspect

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Moved lists users who were migrated or split, as flags and receipts say, the latest first. It costs one
// call for a thousand flags and one for a thousand receipts. A flag may be missing or of an earlier migration
// (it lags, or a command was killed before it). Such users are looked at one by one, if their receipt was
// written since then; a zero time looks at all of them.
//
// A killed command may leave a user between fence and switch, with neither flag nor receipt. Moved does not
// find such a user: Scan with Marks does. Of opts, Prefix and WithoutFlags count; without flags the receipts
// alone tell.
func (e *Inspector) Moved(ctx context.Context, opts ScanOptions, since time.Time) ([]Found, error) {
	flags, split, _, err := e.readFlags(
		ctx,
		ScanOptions{Prefix: opts.Prefix, WithoutFlags: opts.WithoutFlags, metas: true},
	)
	if err != nil {
		return nil, err
	}
	var found []Found
	for _, f := range split.flags {
		if u, meta := f.user, f.metaOrNone(); flags.find(u) == nil {
			found = append(
				found,
				Found{User: u, Key: e.Layout.Key(u), Bytes: meta.Bytes, Place: PlaceSplit, Flag: meta},
			)
		}
	}
	for _, f := range flags.flags {
		u, meta := f.user, f.metaOrNone()
		found = append(
			found,
			Found{
				User:    u,
				Key:     e.Layout.Key(u),
				Bytes:   meta.Bytes,
				Place:   PlaceObject,
				Flagged: true,
				Flag:    meta,
			},
		)
	}
	newest, err := e.newestReceipts(ctx, opts.Prefix, since)
	if err != nil {
		return nil, err
	}
	for u, claim := range newest {
		if max(flags.find(u).metaOrNone().Lineage, split.find(u).metaOrNone().Lineage) >= claim.Lineage() {
			delete(newest, u)
		}
	}
	unflagged, err := e.movedWithoutFlag(ctx, newest)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(f Found) bool { _, replaced := unflagged[f.User]; return replaced })
	for _, f := range unflagged {
		found = append(found, f)
	}
	SortLatestFirst(found)
	return found, nil
}

// SortLatestFirst is the order of a rollback: the user moved last comes first. Users with an unknown time of
// the move come before all others.
func SortLatestFirst(found []Found) {
	slices.SortStableFunc(found, func(a, b Found) int {
		if (a.Flag.At == 0) != (b.Flag.At == 0) {
			return cmp.Compare(a.Flag.At, b.Flag.At)
		}
		return cmp.Or(cmp.Compare(b.Flag.At, a.Flag.At), cmp.Compare(a.User, b.User))
	})
}

func (e *Inspector) newestReceipts(
	ctx context.Context,
	prefix string,
	since time.Time,
) (map[userdb.UserID]userdb.Claim, error) {
	newest := map[userdb.UserID]userdb.Claim{}
	err := e.Files.List(
		ctx,
		userfile.ReceiptFolder+prefix,
		"",
		func(objects []userdb.Object, _ []string) error {
			for _, o := range objects {
				if u, claim, ok := userfile.ReceiptOwner(o.Key); ok && !o.LastModified.Before(since) {
					newest[u] = max(newest[u], claim)
				}
			}
			return nil
		},
	)
	return newest, err
}

// movedWithoutFlag keeps a user if the file still carries the fence of the migration that the receipt is of.
func (e *Inspector) movedWithoutFlag(
	ctx context.Context,
	claims map[userdb.UserID]userdb.Claim,
) (map[userdb.UserID]Found, error) {
	var mu sync.Mutex
	users := slices.Collect(maps.Keys(claims))
	found := map[userdb.UserID]Found{}
	err := parallel.Each(ctx, len(users), headsAtOnce, func(ctx context.Context, i int) error {
		f, moved, err := e.movedBy(ctx, users[i], claims[users[i]])
		if moved && err == nil {
			mu.Lock()
			defer mu.Unlock()
			found[users[i]] = f
		}
		return err
	})
	return found, err
}

// Recorded finds a user if the run's record says that the claim moved the user, and the file still says so.
// It needs neither flag nor receipt.
func (e *Inspector) Recorded(
	ctx context.Context,
	u userdb.UserID,
	claim userdb.Claim,
	meta userdb.FlagMeta,
) (Found, bool, error) {
	file, place, moved, err := e.movedFile(ctx, u, claim)
	meta.Lineage = claim.Lineage()
	return Found{
		User:  u,
		Key:   file.Key,
		Bytes: meta.Bytes,
		ETag:  file.ETag,
		Place: place,
		Flag:  meta,
	}, moved, err
}

// movedFile says whether the file is under the fence of the claim, or split by it.
func (e *Inspector) movedFile(
	ctx context.Context,
	u userdb.UserID,
	claim userdb.Claim,
) (file userfile.Version, place Place, moved bool, err error) {
	if file, err = e.look(ctx, u); err != nil {
		return file, PlaceObject, false, err
	}
	if userdb.MetadataHotOf(file.Object.Metadata) == claim.Lineage() {
		return file, PlaceSplit, true, nil
	}
	return file, PlaceObject, file.FencedBy(claim.Lineage()), nil
}

// unreadable is a user with a file that does not say whether the migration of the receipt still holds. The
// command that follows asks again, and fails for this user alone.
func (e *Inspector) unreadable(u userdb.UserID, claim userdb.Claim, receipt *wire.Receipt, err error) Found {
	f := Found{
		User:  u,
		Key:   e.Layout.Key(u),
		Place: PlaceUnreadable,
		Err:   err,
		Flag:  userdb.FlagMeta{Lineage: claim.Lineage()},
	}
	if receipt != nil {
		f.Flag.At, f.Flag.Run, f.Flag.Bytes = receipt.MigratedAt, receipt.Run, receipt.SourceBytes
	}
	return f
}

func isInterrupted(err error) bool {
	return err != nil && (userdb.KindOf(err) == userdb.Interrupted || errors.Is(err, context.Canceled))
}

func (e *Inspector) movedBy(ctx context.Context, u userdb.UserID, claim userdb.Claim) (Found, bool, error) {
	file, place, moved, err := e.movedFile(ctx, u, claim)
	if isInterrupted(err) || err == nil && !moved {
		return Found{}, false, err
	}
	unreadable := err
	receipt, err := userfile.ReadReceipt(ctx, e.Files, u, claim)
	switch {
	case isInterrupted(err):
		return Found{}, false, err
	case unreadable != nil:
		return e.unreadable(u, claim, receipt, unreadable), true, nil
	case err != nil: // it is moved, and nothing says when and by which run: the caller names the user, and goes on with the others
		return Found{
			User:  u,
			Key:   file.Key,
			Bytes: file.Size,
			ETag:  file.ETag,
			Place: place,
			Flag:  userdb.FlagMeta{Lineage: claim.Lineage()},
			Err:   err,
		}, true, nil
	case receipt == nil:
		return Found{}, false, nil
	}
	meta := userdb.FlagMeta{
		Lineage: claim.Lineage(),
		At:      receipt.MigratedAt,
		Run:     receipt.Run,
		Bytes:   receipt.SourceBytes,
	}
	return Found{
		User:  u,
		Key:   file.Key,
		Bytes: receipt.SourceBytes,
		ETag:  file.ETag,
		Place: place,
		Flag:  meta,
	}, true, nil
}
