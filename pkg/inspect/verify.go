package inspect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/backoff"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/verify"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Verify compares a migrated user's two sides, table by table. It changes nothing. A difference that the
// application's own writes do not explain is a Mismatch error, with each difference named.
func (e *Inspector) Verify(ctx context.Context, u userdb.UserID) result.Result {
	started := e.Clock()
	v := &check{Inspector: e, user: u, result: &result.Result{User: u, Action: result.ActionVerify}}
	err := v.run(ctx)
	return v.result.End(e.Clock().Sub(started), err)
}

type check struct {
	*Inspector
	user   userdb.UserID
	result *result.Result
}

// A verify that comes between the fence and the switch of another command looks again: a cutover takes a
// fraction of a second, and one that a dead command left stays.
const (
	cutoverLooks = 5
	cutoverPause = time.Second
)

// errBetween says that neither side took writes.
var errBetween = errors.New("a cutover was left open, or is taking its time")

func (v *check) run(ctx context.Context) error {
	for look := 1; ; look++ {
		err := v.once(ctx)
		if !errors.Is(err, errBetween) || look == cutoverLooks || backoff.Sleep(ctx, cutoverPause) != nil {
			return err
		}
	}
}

func (v *check) once(ctx context.Context) error {
	st, err := v.Stores.Status(ctx, v.user)
	if err != nil {
		return err
	}
	file, err := v.look(ctx, v.user)
	if err != nil {
		return err
	}
	v.result.Claim = st.Gen
	return v.Sides().UnlessSuperseded(ctx, "verify", v.user, st.Gen, v.compare(ctx, st, file))
}

// compare holds the two sides against each other, as they were seen.
func (v *check) compare(ctx context.Context, st wire.Status, file userfile.Version) error {
	if err := v.Sides().StoreNotSetBack(ctx, v.user, st, file); err != nil {
		return err
	}
	if st.Phase == userdb.Cold {
		return v.cold(ctx, st, file)
	}
	if st.Phase != userdb.Active {
		return v.notActive(st, file)
	}
	if !file.FencedBy(st.Lin) {
		return userfile.FenceGone(v.user, file, st)
	}
	if st.Receipt == nil {
		return &userdb.Error{
			Op:    "verify",
			Thing: string(v.user),
			Kind:  userdb.Conflict,
			Err:   fmt.Errorf("the Durable Object has no receipt of its migration"),
		}
	}
	kept, err := v.keptFile(ctx, file, st)
	if err != nil {
		return err
	}
	defer kept.Remove()
	return v.store(ctx, st, kept)
}

// cold compares the cold rows of a split user with what was imported. The hot ones have been the
// application's since: nothing can be said of them but that their file is a database without a fence.
func (v *check) cold(ctx context.Context, st wire.Status, file userfile.Version) error {
	if file.Absent || file.What != userdb.SQLiteFile {
		return userfile.HotFileGone(v.user, file.Key)
	}
	if file.Fenced() {
		return v.notActive(st, file)
	}
	if st.Receipt == nil {
		return &userdb.Error{
			Op:    "verify",
			Thing: string(v.user),
			Kind:  userdb.Conflict,
			Err:   fmt.Errorf("the Durable Object has no receipt of its migration"),
		}
	}
	v.result.Bytes, v.result.Tables, v.result.Reason = file.Size, len(
		st.Receipt.Digest.Tables,
	), "split: the cold rows were compared"
	v.result.WasSplit = true
	for _, t := range st.Receipt.Digest.Tables {
		v.result.Rows += t.Rows
	}
	return v.store(ctx, st, nil)
}

// notActive reports a user who is not in the Durable Object.
func (v *check) notActive(st wire.Status, file userfile.Version) error {
	v.result.Bytes = file.Size
	switch {
	case file.Absent && userfile.Waits(st.Phase):
		return userfile.Missing("verify", v.user, file.Key, st)
	case file.Absent && st.Phase.Split():
		return userfile.HotFileGone(v.user, file.Key)
	case file.Absent:
		return &userdb.Error{
			Op:    "verify",
			Thing: string(v.user),
			Kind:  userdb.NotFound,
			Err:   fmt.Errorf("there is no object %s", file.Key),
		}
	case file.Fenced() || st.Phase.Split() && st.Phase != userdb.Splitting:
		return &userdb.Error{Op: "verify", Thing: string(v.user), Kind: userdb.Conflict,
			Err: fmt.Errorf(
				"%w: the file is %s and the Durable Object is %s",
				errBetween,
				file.Word(),
				st.Phase,
			),
			Hint: "writes wait; if no other command is at work on this user, run `dbmigrate migrate` or `dbmigrate rollback` to end it"}
	}
	v.result.Outcome = result.OutcomeInR2
	return nil
}

// keptFile proves that the file kept in R2 still is what was imported, and returns it; the caller removes it.
// After gc there is none (nil), and the receipt stands for it.
func (v *check) keptFile(ctx context.Context, seen userfile.Version, st wire.Status) (*userfile.Copy, error) {
	receipt := st.Receipt
	v.result.Bytes, v.result.Tables = receipt.SourceBytes, len(receipt.Digest.Tables)
	for _, t := range receipt.Digest.Tables {
		v.result.Rows += t.Rows
	}
	if seen.Tombstone() {
		v.result.Reason = "the file was freed by gc; compared with the receipt"
		return nil, nil
	}
	file, err := v.download(ctx, v.user)
	if err != nil {
		return nil, err
	}
	if file.SHA != receipt.SourceSHA { // these bytes no migrate has checked
		err = v.Source().MayOpen(ctx, v.user, file)
	}
	var digest wire.DatabaseDigest
	if err == nil {
		digest, err = file.Digest(ctx)
	}
	if err == nil {
		err = file.Unchanged()
	}
	if err == nil {
		if diffs := verify.Databases(digest, receipt.Digest); len(diffs) > 0 {
			err = v.keptDiffers(ctx, file, st, diffs)
		}
	}
	if err != nil {
		file.Remove()
		return nil, err
	}
	return file, nil
}

// store compares what the Durable Object holds with what was imported. Nothing that was computed before
// counts: the point is to find what went past the class.
func (v *check) store(ctx context.Context, st wire.Status, kept *userfile.Copy) error {
	report, err := v.Stores.FreshDigest(ctx, v.user)
	if err != nil {
		return err
	}
	if report.Writes == st.WritesAtActivation {
		v.result.Outcome = result.OutcomeEqual
		diffs := verify.Databases(st.Receipt.Digest, *report.Digest)
		if len(diffs) == 0 {
			return nil
		}
		return v.storeDiffers(ctx, kept, *report.Digest, diffs)
	}
	v.result.Outcome = result.OutcomeWritten
	v.result.Writes = report.Writes - st.WritesAtActivation
	v.result.Reason = units.Plural(int(v.result.Writes), "write transaction") + " since the migration"
	v.result.Changes = changed(st.Receipt.Digest, *report.Digest)
	return nil
}

// storeDiffers names what the Durable Object has instead of what was imported. The kept file is what was
// imported: that has been proved before.
func (v *check) storeDiffers(
	ctx context.Context,
	kept *userfile.Copy,
	store wire.DatabaseDigest,
	diffs []verify.Difference,
) error {
	c := Comparison{Op: "verify", What: "what was imported", Against: TheObject, Store: store, Found: diffs,
		Probably: "something wrote into the Durable Object past its own code, so that no write was counted",
		Hint:     "look for code that uses the storage's SQL outside of `transaction`; a rollback would bring what the Durable Object has"}
	if kept == nil {
		c.Lines = []string{"only tables can be named: the kept file was freed by gc"}
	} else {
		c.Path = kept.Path
	}
	return c.Err(ctx, v.Stores, v.user)
}

// keptDiffers names what the kept file has instead of what was imported. Rows can be named while the Durable
// Object has exactly that.
func (v *check) keptDiffers(
	ctx context.Context,
	kept *userfile.Copy,
	st wire.Status,
	diffs []verify.Difference,
) error {
	c := Comparison{
		Op:       "verify",
		What:     "the kept file",
		Against:  "what was imported",
		Found:    diffs,
		Store:    st.Receipt.Digest,
		Probably: "something changed the file in R2 past its fence",
		Hint:     "the Durable Object serves the user and keeps everything; a rollback would bring back what it has, not what the file has now",
	}
	if st.Writes == st.WritesAtActivation {
		c.Path = kept.Path
	} else {
		c.Lines = []string{"only tables can be named: the application wrote since the migration"}
	}
	return c.Err(ctx, v.Stores, v.user)
}

// changed lists, as they are now, the tables that no longer have the imported digest. A dropped one has its
// name only: no rows, and no digest.
func changed(before, now wire.DatabaseDigest) []wire.TableDigest {
	var out []wire.TableDigest
	for _, t := range verify.ChangedTables(before, now) {
		t.Now.Name = t.Name
		out = append(out, t.Now)
	}
	return out
}
