package migrate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// GC frees one file of a plan. Everything is proved again at this moment: the state of both sides, that the object is bit for bit the one
// that was fenced, and that the Durable Object can be read as a whole. The fence stays: a tombstone of a few hundred bytes takes the
// file's place, on condition of its ETag. (Deleting it would let a router with a stale flag create an empty database beside the living one.)
func (e *Engine) GC(ctx context.Context, item GCItem, flag userdb.FlagMeta, opts GCOptions) result.Result {
	started := e.now()
	r := result.Result{User: item.User, Action: result.ActionGC, Bytes: item.Bytes, Outcome: result.OutcomeKept}
	err := e.free(ctx, item, flag, opts, &r)
	if err == nil && r.Outcome == result.OutcomeKept {
		// It was in the plan: that it stays is not what was asked for.
		err = notFreed(item.Key, r.Reason)
		r.Reason = ""
	}
	return r.End(e.now().Sub(started), err)
}

// GCMarked frees one file of a marked plan, as GC does. That the user went back since, or moved anew, is what a hold is for: the file is
// kept, with the reason, and that is no failure. What cannot be proved any more is one.
func (e *Engine) GCMarked(ctx context.Context, item GCItem, flag userdb.FlagMeta, flagged bool, opts GCOptions) result.Result {
	started := e.now()
	r := result.Result{User: item.User, Action: result.ActionGC, Bytes: item.Bytes, Outcome: result.OutcomeKept}
	if !flagged {
		r.Reason = noFlag
		return r.End(e.now().Sub(started), nil)
	}
	err := e.free(ctx, item, flag, opts, &r)
	return r.End(e.now().Sub(started), err)
}

func (e *Engine) free(ctx context.Context, item GCItem, flag userdb.FlagMeta, opts GCOptions, r *result.Result) error {
	proof, reason, err := e.mayFree(ctx, Found{User: item.User, Flagged: true, Flag: flag}, opts.OlderThan)
	if err == nil && reason == "" && proof.file.ETag != item.ETag {
		reason = "the object is not the one in the plan any more"
	}
	if err != nil || reason != "" {
		r.Reason = reason
		return err
	}
	if differs, err := e.storeDiffers(ctx, item.User, proof); err != nil {
		return err
	} else if differs != "" {
		return notFreed(item.Key, differs)
	}
	if reason, err = e.fencedBytesDiffer(ctx, item.User, proof, opts, r); err != nil || reason != "" {
		r.Reason = reason
		return err
	}
	size, err := e.putTombstone(ctx, item, proof)
	if err != nil && e.tombstoneLanded(ctx, item.User, proof) {
		err = nil
	}
	if userdb.KindOf(err) == userdb.Precondition {
		r.Reason = "the object changed at the last moment"
		return nil
	}
	if err != nil {
		return err
	}
	r.Outcome, r.FreedBytes = result.OutcomeFreed, proof.file.Size-size
	return nil
}

// fencedBytesDiffer compares the object with the SHA-256 of what was migrated; marks do not count in it. The bytes that it proved it also
// archives, where that is asked for.
func (e *Engine) fencedBytesDiffer(ctx context.Context, u userdb.UserID, proof gcProof, opts GCOptions, r *result.Result) (string, error) {
	file, err := e.download(ctx, u)
	if err != nil {
		return "", err
	}
	defer file.Remove()
	switch {
	case file.ETag != proof.file.ETag:
		return "the object changed while it was read", nil
	case file.SHA != proof.receipt.SourceSHA:
		return "", notFreed(file.Key, "the object's bytes are not the ones that were fenced")
	case opts.ArchivePrefix == "":
		return "", nil
	}
	r.Archived, err = e.archive(ctx, u, file, proof, opts.ArchivePrefix)
	return "", err
}

// storeDiffers reads everything that the Durable Object holds: with the file goes the last other copy of it. What is there must be what was
// imported unless the application wrote since.
func (e *Engine) storeDiffers(ctx context.Context, u userdb.UserID, proof gcProof) (string, error) {
	report, err := e.Stores.FreshDigest(ctx, u)
	if err != nil {
		return "", err
	}
	if report.Writes == proof.writesAtActivation && report.Digest.Database != proof.receipt.Digest.Database {
		return "the Durable Object differs from what was imported though the application wrote nothing: run `dbmigrate verify` for this user", nil
	}
	return "", nil
}

// notFreed is the failure to free what was to be freed.
func notFreed(key userdb.ObjectKey, reason string) error {
	return &userdb.Error{Op: "free", Thing: string(key), Kind: userdb.Conflict, Err: errors.New(reason), Hint: "the file stays; look at the plan again with `dbmigrate gc`"}
}

// tombstoneLanded says whether the PUT whose answer was lost took effect.
func (e *Engine) tombstoneLanded(ctx context.Context, u userdb.UserID, proof gcProof) bool {
	file, err := e.look(ctx, u)
	return err == nil && file.Tombstone() && file.Lin == proof.file.Lin && file.Non == proof.file.Non
}

func (e *Engine) putTombstone(ctx context.Context, item GCItem, proof gcProof) (int64, error) {
	short := proof.receipt
	short.Digest.Tables = nil // the Durable Object has the whole receipt; the tombstone stays small whatever the number of tables
	receipt, err := json.Marshal(short)
	if err != nil {
		return 0, err
	}
	stone := userdb.Tombstone{Lin: proof.file.Lin, Non: proof.file.Non, User: item.User, Receipt: receipt}
	body, err := stone.Encode()
	if err != nil {
		return 0, err
	}
	_, err = e.Files.Put(ctx, item.Key, bytes.NewReader(body), int64(len(body)), userdb.PutOptions{IfMatch: item.ETag,
		Metadata:    userdb.Mark{Kind: userdb.FenceMark, Lin: stone.Lin, Non: stone.Non}.Metadata(proof.file.Object.Metadata),
		ContentType: proof.file.ContentType, Headers: proof.file.Headers}) // what the file has to get back one day
	return int64(len(body)), err
}
