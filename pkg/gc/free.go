package gc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Free frees one file of a plan. Everything is proved again at this moment: the state of both sides, that the
// object is bit for bit the one that was fenced, and that the Durable Object can be read as a whole. The
// fence stays: a tombstone of a few hundred bytes takes the file's place, on condition of its ETag. (Deleting
// it would let a router with a stale flag create an empty database beside the living one.)
func (c *Collector) Free(ctx context.Context, item Item, opts Options) result.Result {
	started := c.Clock()
	r := result.Result{
		User:    item.User,
		Action:  result.ActionGC,
		Bytes:   item.Bytes,
		Outcome: result.OutcomeKept,
	}
	err := c.free(ctx, item, item.Flag, opts, &r)
	if err == nil && r.Outcome == result.OutcomeKept {
		// It was in the plan: that it stays is not what was asked for.
		err = notFreed(item.Key, r.Reason)
		r.Reason = ""
	}
	return r.End(c.Clock().Sub(started), err)
}

// FreeMarked frees one file of a marked plan, as GC does. The user may have gone back since, or moved again:
// that is what a hold is for. The file is then kept, with the reason, and that is no failure. What cannot be
// proved any more is a failure.
func (c *Collector) FreeMarked(
	ctx context.Context,
	item Item,
	flag userdb.FlagMeta,
	flagged bool,
	opts Options,
) result.Result {
	started := c.Clock()
	r := result.Result{
		User:    item.User,
		Action:  result.ActionGC,
		Bytes:   item.Bytes,
		Outcome: result.OutcomeKept,
	}
	if !flagged {
		r.Reason = noFlag
		return r.End(c.Clock().Sub(started), nil)
	}
	err := c.free(ctx, item, flag, opts, &r)
	return r.End(c.Clock().Sub(started), err)
}

func (c *Collector) free(
	ctx context.Context,
	item Item,
	flag userdb.FlagMeta,
	opts Options,
	r *result.Result,
) error {
	proof, reason, err := c.prover().mayFree(
		ctx,
		inspect.Found{User: item.User, Flagged: true, Flag: flag},
		opts.OlderThan,
	)
	if err == nil && reason == "" && proof.File.ETag != item.ETag {
		reason = "the object is not the one in the plan any more"
	}
	if err != nil || reason != "" {
		r.Reason = reason
		return err
	}
	if differs, err := c.prover().storeDiffers(ctx, item.User, proof); err != nil {
		return err
	} else if differs != "" {
		return notFreed(item.Key, differs)
	}
	if reason, err = c.fencedBytesDiffer(ctx, item.User, proof, opts, r); err != nil || reason != "" {
		r.Reason = reason
		return err
	}
	size, err := c.putTombstone(ctx, item, proof)
	if err != nil && c.tombstoneLanded(ctx, item.User, proof) {
		err = nil
	}
	if userdb.KindOf(err) == userdb.Precondition {
		r.Reason = "the object changed at the last moment"
		return nil
	}
	if err != nil {
		return err
	}
	r.Outcome, r.FreedBytes = result.OutcomeFreed, proof.File.Size-size
	return nil
}

// fencedBytesDiffer compares the object with the SHA-256 of what was migrated; marks do not count in it. The
// bytes that it proved it also archives, where that is asked for.
func (c *Collector) fencedBytesDiffer(
	ctx context.Context,
	u userdb.UserID,
	proof kept,
	opts Options,
	r *result.Result,
) (string, error) {
	file, err := c.Source().Fetch(ctx, u)
	if err != nil {
		return "", err
	}
	defer file.Remove()
	switch {
	case file.ETag != proof.File.ETag:
		return "the object changed while it was read", nil
	case file.SHA != proof.Receipt.SourceSHA:
		return "", notFreed(file.Key, "the object's bytes are not the ones that were fenced")
	case opts.ArchivePrefix == "":
		return "", nil
	}
	r.Archived, err = c.archive(ctx, u, file, proof, opts.ArchivePrefix)
	return "", err
}

// notFreed is the failure to free what was to be freed.
func notFreed(key userdb.ObjectKey, reason string) error {
	return &userdb.Error{
		Op:    "free",
		Thing: string(key),
		Kind:  userdb.Conflict,
		Err:   errors.New(reason),
		Hint:  "the file stays; look at the plan again with `dbmigrate gc`",
	}
}

// tombstoneLanded says whether a PUT took effect although its answer was lost.
func (c *Collector) tombstoneLanded(ctx context.Context, u userdb.UserID, proof kept) bool {
	file, err := c.Source().Look(ctx, u)
	return err == nil && file.Tombstone() && file.Lin == proof.File.Lin && file.Non == proof.File.Non
}

func (c *Collector) putTombstone(ctx context.Context, item Item, proof kept) (int64, error) {
	short := proof.Receipt
	short.Digest.Tables = nil // the Durable Object has the whole receipt; the tombstone stays small whatever the number of tables
	receipt, err := json.Marshal(short)
	if err != nil {
		return 0, err
	}
	stone := userdb.Tombstone{Lin: proof.File.Lin, Non: proof.File.Non, User: item.User, Receipt: receipt}
	body, err := stone.Encode()
	if err != nil {
		return 0, err
	}
	_, err = c.Objects.Put(
		ctx,
		item.Key,
		bytes.NewReader(body),
		int64(len(body)),
		userdb.PutOptions{IfMatch: item.ETag,
			Metadata: userdb.Mark{
				Kind: userdb.FenceMark,
				Lin:  stone.Lin,
				Non:  stone.Non,
			}.Metadata(
				proof.File.Object.Metadata,
			),
			ContentType: proof.File.ContentType, Headers: proof.File.Headers},
	) // what the file has to get back one day
	return int64(len(body)), err
}
