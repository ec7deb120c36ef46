package userfile

import (
	"context"
	"errors"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Sides reads the file and the Durable Object of a user.
type Sides struct {
	*Source
	Objects interface {
		Status(ctx context.Context, u userdb.UserID) (wire.Status, error)
	}
	// Bucket names the bucket, as receipts do.
	Bucket string
}

// looksBetween bounds how often both sides are looked at because a command moves the user in between.
const looksBetween = 4

// Seen looks at the Durable Object and then at the file. Where the file is of a claim that the object did not
// know yet, a command has moved the user in between, as a rule: both are looked at again.
func (s *Sides) Seen(ctx context.Context, u userdb.UserID) (wire.Status, Version, error) {
	for look := 1; ; look++ {
		st, err := s.Objects.Status(ctx, u)
		if err != nil {
			return st, Version{}, err
		}
		file, err := s.Look(ctx, u)
		if err != nil || file.Shown() <= st.Gen || look == looksBetween {
			return st, file, err
		}
	}
}

// Both looks at both sides, and refuses what no command would go on with.
func (s *Sides) Both(ctx context.Context, u userdb.UserID) (wire.Status, Version, error) {
	st, file, err := s.Seen(ctx, u)
	if err != nil {
		return st, file, err
	}
	if file.Absent && st.Gen == 0 {
		return st, file, NoFile("roll back", u, file.Key)
	}
	if err := s.SamePlace(u, st.Receipt); err != nil {
		return st, file, err
	}
	return st, file, s.StoreNotSetBack(ctx, u, st, file)
}

// SamePlace refuses to work on a user if the Durable Object was filled from another object than the one we
// look at. With no file there, the user's own would be taken for absent. A router that let the user begin in
// the object does not know its bucket's name.
func (s *Sides) SamePlace(u userdb.UserID, receipt *wire.Receipt) error {
	if receipt == nil {
		return nil
	}
	if (receipt.Bucket == s.Bucket || receipt.Born()) && receipt.Key == s.Layout.Key(u) {
		return nil
	}
	return &userdb.Error{Op: "check", Thing: string(u), Kind: userdb.Conflict,
		Err: fmt.Errorf(
			"the Durable Object was filled from %s in bucket %s, not from %s in %s",
			receipt.Key,
			receipt.Bucket,
			s.Layout.Key(u),
			s.Bucket,
		),
		Hint: "check --bucket and --layout"}
}

// StoreNotSetBack refuses to go on when the file's mark is newer than every claim that the Durable Object
// knows. A claim that was made between our two looks is no such case, so the Durable Object is asked once
// more.
func (s *Sides) StoreNotSetBack(ctx context.Context, u userdb.UserID, st wire.Status, file Version) error {
	newest := file.Shown()
	if newest <= st.Gen {
		return nil
	}
	st, err := s.Objects.Status(ctx, u)
	if err != nil || newest <= st.Gen {
		return err
	}
	return &userdb.Error{Op: "check", Thing: string(u), Kind: userdb.Conflict,
		Err: fmt.Errorf(
			"a foreign mark: the file carries claim %d but its Durable Object knows only %d: the file was copied from another user or bucket, or the object's storage was lost, restored to an earlier time, or belongs to another namespace",
			newest,
			st.Gen,
		),
		Hint: "check the Worker URL and the class binding first; then see docs/runbook.md, \"The Durable Object was set back\"; `dbmigrate rollback --end-foreign-marks` lets the file serve as it is"}
}

// KeptFile is the fenced file, if it is there and bit for bit the one that was migrated; nil otherwise.
func (s *Sides) KeptFile(
	ctx context.Context,
	u userdb.UserID,
	seen Version,
	receipt *wire.Receipt,
) (*Copy, error) {
	if seen.What != userdb.SQLiteFile || receipt == nil {
		return nil, nil
	}
	file, err := s.Fetch(ctx, u)
	if err != nil {
		return nil, err
	}
	switch {
	case file.ETag != seen.ETag:
		file.Remove()
		return nil, &userdb.Error{
			Op:    "read",
			Thing: string(seen.Key),
			Kind:  userdb.Precondition,
			Err:   errors.New("it changed"),
		}
	case file.SHA != receipt.SourceSHA:
		file.Remove()
		return nil, nil
	}
	return file, nil
}

// UnlessSuperseded looks for another command behind a contradiction. Reads of the Durable Object (digest,
// export) carry no claim, so they may show what a newer command is doing; that is no conflict, and says
// nothing about the user's data. Other errors stay as they are.
func (s *Sides) UnlessSuperseded(
	ctx context.Context,
	op string,
	u userdb.UserID,
	g userdb.Claim,
	err error,
) error {
	switch userdb.KindOf(err) {
	case userdb.Conflict, userdb.Mismatch, userdb.Refused:
	default:
		return err
	}
	st, statusErr := s.Objects.Status(ctx, u)
	if statusErr != nil || st.Gen == g {
		return err
	}
	return SupersededBy(op, u, g, st.Gen, err)
}

func SupersededBy(op string, u userdb.UserID, g, newer userdb.Claim, seen error) error {
	return &userdb.Error{Op: op, Thing: string(u), Kind: userdb.Superseded,
		Err: fmt.Errorf(
			"claim %d was superseded by claim %d, and what was seen may be its work: %w",
			g,
			newer,
			seen,
		),
		Hint: "another command works on this user; nothing more was changed, run it again"}
}
