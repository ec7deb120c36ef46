package world

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// birthPatience is how long a request waits for a birth that another one began, before it ends that birth.
const birthPatience = time.Second

// idOfBirth begins the id of a birth's claim. Those of commands are hexadecimal.
const idOfBirth = "birth-"

// Born is how many users began in their objects.
func (w *World) Born() int { return int(w.born.Load()) }

// isBirth says whether the newest claim is one of a birth that has not come to its end.
func (o *object) isBirth() bool {
	return in(o.phase(), []userdb.Phase{userdb.Importing, userdb.Ready}) &&
		o.last.gen == o.state.Gen && strings.HasPrefix(o.last.id, idOfBirth)
}

// endsBirth says whether the next request lets the user begin, since a birth was cut off.
func (o *object) endsBirth(file *stored) bool {
	if file == nil {
		return o.isBirth()
	}
	return (holdsNothing(o.phase()) || o.isBirth()) && leftByBirth(file, o.state.Gen)
}

// leftByBirth says whether the file is the fence of a birth, and no newer one than the object knows.
func leftByBirth(file *stored, gen userdb.Claim) bool {
	if userdb.Classify(file.body) != userdb.SQLiteFile {
		return false
	}
	mark, err := userdb.ParseMark(file.body)
	return err == nil && mark.Kind == userdb.FenceMark && !mark.Split && mark.Non.Claim() <= gen &&
		isEmptyDatabase(file.body)
}

// emptyPage is the size of emptyDatabase.
const emptyPage = 4096

// emptyDatabase is an empty SQLite database, as the Worker makes it (worker/src/router/empty-database.ts).
func emptyDatabase() []byte {
	page := make([]byte, emptyPage)
	copy(page, "SQLite format 3\x00")
	binary.BigEndian.PutUint16(page[16:], emptyPage)
	copy(page[18:], []byte{1, 1, 0, 64, 32, 32})
	for at, value := range map[int]uint32{24: 1, 28: 1, 44: 4, 56: 1, 92: 1, 96: 3_045_000} {
		binary.BigEndian.PutUint32(page[at:], value)
	}
	page[100] = 13 // a leaf of a table
	binary.BigEndian.PutUint16(page[105:], emptyPage)
	return page
}

func isEmptyDatabase(body []byte) bool {
	if len(body) != emptyPage {
		return false
	}
	head, err := userdb.WithoutMark(body)
	if err != nil {
		return false
	}
	plain := append(head[:userdb.HeaderBytes:userdb.HeaderBytes], body[userdb.HeaderBytes:]...)
	return bytes.Equal(plain, emptyDatabase())
}

// whileMissing is what a request does that found no file, beside an object that is not active.
func (j *journey) whileMissing(ctx context.Context, got answer) (side, error) {
	if holdsNothing(got.state.Phase) {
		gen := got.state.Gen
		j.unborn = &gen
		return j.useAbsent(ctx)
	}
	if got.birth && !j.q.Write {
		return j.useAbsent(ctx)
	}
	return j.waitOrEnd(ctx, got)
}

// waitOrEnd waits for what somebody else is about to end. A birth that stands still was cut off: any router
// ends it, wherever its own new users begin.
func (j *journey) waitOrEnd(ctx context.Context, got answer) (side, error) {
	if j.missing && got.birth || j.copy != nil && (holdsNothing(got.state.Phase) || got.birth) && leftByBirth(j.copy, got.state.Gen) {
		if j.standsStill(got.state.Gen) {
			return j.bear(ctx, j.copy, got.state.Gen)
		}
	}
	if j.copy != nil || j.missing {
		pause()
	}
	return fileSide, nil
}

func (j *journey) standsStill(gen userdb.Claim) bool {
	if j.bearing.gen != gen || j.bearing.since.IsZero() {
		j.bearing.gen, j.bearing.since = gen, time.Now()
	}
	return time.Since(j.bearing.since) >= min(birthPatience, j.Deadline/4)
}

// bear lets the user begin in the object (worker/src/router/birth.ts). seen is the file that the request
// found, nil where there was none.
func (j *journey) bear(ctx context.Context, seen *stored, gen userdb.Claim) (side, error) {
	j.missing, j.copy = false, nil
	if j.born(ctx, seen, gen) {
		return objectSide, nil
	}
	pause()
	return fileSide, nil
}

func (j *journey) born(ctx context.Context, seen *stored, before userdb.Claim) bool {
	var begun birth
	err := j.Network.Call(ctx, func() (err error) {
		begun, err = j.World.Objects.beginBirth(ctx, j.user, before)
		return err
	})
	if err != nil {
		return false
	}
	fence, fenced := j.putBirthFence(ctx, seen, begun.gen)
	if fenced == fenceRefused {
		j.giveBirthBack(ctx, begun.gen)
	}
	if fenced != fenceStands {
		return false
	}
	receipt := j.receiptOfBirth(begun, fence)
	open := wire.SwitchRequest{Gen: begun.gen, Digest: begun.digest, Receipt: receipt}
	err = j.Network.Call(ctx, func() error {
		_, err := j.World.Objects.open(ctx, j.user, open)
		return err
	})
	if err != nil {
		return false
	}
	j.leaveHints(ctx, receipt)
	j.World.born.Add(1)
	return true
}

// birth is an object that a birth has claimed and filled with nothing.
type birth struct {
	gen    userdb.Claim
	digest wire.DatabaseDigest
}

// beginBirth is one message to the object: the claim, and a database without content
// (worker/src/claims/birth.ts).
func (o *Objects) beginBirth(ctx context.Context, u userdb.UserID, seen userdb.Claim) (birth, error) {
	claimed, err := with(o, u, func(o *object) (wire.Claimed, error) {
		if o.state.Gen == seen && !holdsNothing(o.phase()) && !o.isBirth() {
			return wire.Claimed{}, refuse(wire.KindWrongPhase, "no user begins in an object that is %s", o.phase())
		}
		id := fmt.Sprintf("%s%x", idOfBirth, rand.Uint64())
		return o.claim(wire.ClaimRequest{Intent: wire.IntentMigrate, Seen: seen, ID: id})
	})
	if err != nil {
		return birth{}, err
	}
	if _, err := o.Schema(ctx, u, claimed.Gen, schemaOfNothing()); err != nil {
		return birth{}, err
	}
	if err := o.Finish(ctx, u, claimed.Gen, 0); err != nil {
		return birth{}, err
	}
	report, err := o.Digest(ctx, u)
	if err != nil {
		return birth{}, err
	}
	return birth{claimed.Gen, *report.Digest}, nil
}

func schemaOfNothing() wire.Schema {
	return wire.Schema{
		Header: wire.Header{
			PageSize: emptyPage, Encoding: "UTF-8", WriteVersion: 1, ReadVersion: 1, Internal: []string{},
		},
		Objects: []wire.Object{},
	}
}

// birthFence is what became of the PUT of a birth's fence.
type birthFence int

const (
	fenceUnknown birthFence = iota
	fenceRefused
	fenceStands
)

// putBirthFence puts an empty database under a fence where nothing is, or over the fence of a birth that was
// cut off.
func (j *journey) putBirthFence(
	ctx context.Context,
	seen *stored,
	g userdb.Claim,
) (userdb.ETag, birthFence) {
	content, opts := fenceOfBirth(g)
	if seen != nil {
		opts.IfMatch = seen.ETag
	}
	opts.IfNoneMatch = seen == nil
	sum := md5.Sum(content)
	etag := userdb.ETag(fmt.Sprintf(`"%x"`, sum))
	key := j.World.Layout.Key(j.user)
	err := j.Network.Call(ctx, func() error {
		_, err := j.World.Bucket.put(key, content, opts)
		return err
	})
	if err == nil {
		return etag, fenceStands
	}
	// It may have arrived all the same.
	file, lookErr := j.get(ctx)
	switch {
	case lookErr != nil:
		return "", fenceUnknown
	case file != nil && file.ETag == etag:
		return etag, fenceStands
	case userdb.KindOf(err) == userdb.Precondition:
		return "", fenceRefused
	}
	return "", fenceUnknown
}

func fenceOfBirth(g userdb.Claim) ([]byte, userdb.PutOptions) {
	random := make([]byte, userdb.MarkRandomBytes)
	for i := range random {
		random[i] = byte(rand.IntN(256))
	}
	page := emptyDatabase()
	head, err := userdb.WithFence(page, g.Lineage(), g.Nonce(), random)
	if err != nil {
		panic(err)
	}
	content := append(head[:userdb.HeaderBytes:userdb.HeaderBytes], page[userdb.HeaderBytes:]...)
	meta := userdb.Mark{Kind: userdb.FenceMark, Lin: g.Lineage(), Non: g.Nonce()}.Metadata(nil)
	sum := md5.Sum(content)
	userdb.WithContent(meta, sum[:])
	return content, userdb.PutOptions{Metadata: meta}
}

// giveBirthBack empties the object where somebody made a file, which serves. Under a newer fence it is that
// claim's.
func (j *journey) giveBirthBack(ctx context.Context, g userdb.Claim) {
	file, err := j.get(ctx)
	mark, markErr := markOf(file)
	if err != nil || markErr != nil || file == nil || mark.Kind == userdb.FenceMark {
		return
	}
	_ = j.Network.Call(ctx, func() error { // the next request ends what is left
		_, err := j.World.Objects.Claim(ctx, j.user, wire.ClaimRequest{Intent: wire.IntentRollback, Seen: g})
		return err
	})
}

func (j *journey) receiptOfBirth(begun birth, fence userdb.ETag) wire.Receipt {
	source := emptyDatabase()
	return wire.Receipt{
		User: j.user, Key: j.World.Layout.Key(j.user), Claim: begun.gen, Run: wire.RunOfBirth,
		SourceETag: userdb.ETag(fmt.Sprintf(`"%x"`, md5.Sum(source))), SourceBytes: emptyPage,
		SourceSHA: fmt.Sprintf("%x", sha256.Sum256(source)), FencedETag: fence, Digest: begun.digest,
		MigratedAt: time.Now().UnixMilli(),
	}
}

// leaveHints: neither is needed.
func (j *journey) leaveHints(ctx context.Context, receipt wire.Receipt) {
	_ = j.Network.Call(ctx, func() error {
		return j.World.Flags.Put(ctx, []userdb.Flag{{User: j.user, Value: userdb.FlagValue}})
	})
	_ = j.Network.Call(ctx, func() error {
		body, err := json.Marshal(receipt)
		if err == nil {
			_, err = j.World.Bucket.put(receiptKey(j.user, receipt.Claim), body, userdb.PutOptions{})
		}
		return err
	})
}
