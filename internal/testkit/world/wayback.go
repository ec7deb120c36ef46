package world

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Return takes a user back from R2 to R2, as the Worker does (docs/wire-format.md, section 11).
func (o *Objects) Return(ctx context.Context, u userdb.UserID, req wire.BackRequest) (wire.Returned, error) {
	gen := req.Claim.Seen + 1
	kept, put, err := o.readKept(u, req)
	if err != nil {
		return wire.Returned{}, atStep("look", err)
	}
	sealed, err := o.seal(ctx, u, req)
	if err != nil {
		return wire.Returned{}, atStep("seal", err)
	}
	if !put {
		if sealed.digest == nil || sealed.digest.Gen != gen ||
			sealed.claimed.Writes != sealed.claimed.WritesAtActivation ||
			sealed.digest.Digest.Database != sealed.claimed.Receipt.Digest.Database {
			return wire.Returned{}, atStep("compare", refuse(wire.KindDigestMismatch, "it holds something else"))
		}
		if err := o.putKept(u, kept, gen); err != nil {
			return wire.Returned{}, atStep("put", err)
		}
	}
	st, err := step(o, "release", func() (wire.Status, error) { return o.Release(ctx, u, gen) })
	if err != nil {
		return wire.Returned{}, atStep("release", err)
	}
	return wire.Returned{Status: st}, nil
}

// readKept proves that the file is the kept one; put: this request, or the same before it, has put it back.
func (o *Objects) readKept(
	u userdb.UserID,
	req wire.BackRequest,
) (seen stored, put bool, err error) {
	seen, err = step(o, "look", func() (stored, error) { return o.world.Bucket.read("look", o.world.Layout.Key(u), "") })
	if err != nil {
		return seen, false, err
	}
	etag := unquoted(seen.ETag)
	if userdb.MetadataStamp(seen.Metadata).Claim() == req.Claim.Seen+1 &&
		userdb.HasContent(seen.Metadata) && !userdb.HasOtherContent(seen.Object) {
		return seen, true, nil
	}
	if etag != req.ETag || !sameSecond(seen.LastModified, req.Modified) {
		return seen, false, refuse(wire.KindFileChanged, "it is another version")
	}
	plain, err := userdb.WithoutMark(seen.body)
	if sum := sha256.Sum256(plain); err != nil || hex.EncodeToString(sum[:]) != req.Source {
		return seen, false, refuse(wire.KindFileChanged, "it is not the file that was migrated")
	}
	return seen, false, nil
}

func (o *Objects) putKept(u userdb.UserID, kept stored, gen userdb.Claim) error {
	salt := make([]byte, userdb.MarkRandomBytes)
	for i := range salt {
		salt[i] = byte(rand.IntN(256))
	}
	content, err := userdb.WithStamp(kept.body, gen.Stamp(), salt)
	if err != nil {
		return err
	}
	sum := md5.Sum(content)
	mark := userdb.Mark{Kind: userdb.StampMark, Stamp: gen.Stamp()}.Metadata(nil)
	userdb.WithContent(mark, sum[:])
	key := o.world.Layout.Key(u)
	etag, err := step(o, "put", func() (userdb.ETag, error) {
		return o.world.Bucket.put(key, content, userdb.PutOptions{
			IfMatch:     kept.ETag,
			Metadata:    remarked(kept.Metadata, mark),
			ContentType: kept.ContentType,
		})
	})
	if err != nil {
		seen, lost := step(o, "look again", func() (stored, error) { return o.world.Bucket.read("look", key, "") })
		if lost != nil {
			return err
		}
		etag = seen.ETag
	}
	if unquoted(etag) != hex.EncodeToString(sum[:]) {
		return refuse(wire.KindFileChanged, "%s changed", key)
	}
	return nil
}

// Export seals a user, and answers with everything that the object holds.
func (o *Objects) Export(ctx context.Context, u userdb.UserID, req wire.BackRequest) (*wire.Exported, error) {
	key := o.world.Layout.Key(u)
	seen, err := step(o, "look", func() (stored, error) { return o.world.Bucket.read("look", key, "") })
	if err != nil || unquoted(seen.ETag) != req.ETag || !sameSecond(seen.LastModified, req.Modified) {
		return nil, atStep("look", refuse(wire.KindFileChanged, "it is another version: %v", err))
	}
	body, err := step(o, "hand-over", func() ([]byte, error) {
		sealed, err := o.sealed(ctx, u, req.Claim)
		if err != nil {
			return nil, err
		}
		all := &wire.Exported{Claimed: sealed.claimed, Digest: sealed.digest}
		if sealed.digest == nil {
			return wire.AppendExported(nil, all), nil
		}
		schema, err := o.ExportSchema(ctx, u)
		if err != nil {
			return nil, err
		}
		all.Schema = &schema
		for _, table := range sealed.digest.Digest.Tables {
			if table.Rows == 0 {
				continue
			}
			page, err := o.ExportRows(ctx, u, wire.ExportRequest{Table: table.Name, MaxBytes: wire.ExportBytes})
			if err != nil {
				return nil, err
			}
			all.Pages = append(all.Pages, page)
		}
		return wire.AppendExported(nil, all), nil
	})
	if err != nil {
		return nil, atStep("seal", err)
	}
	return wire.ParseExported(bytes.Clone(body))
}

// ReadAll answers with everything that the object holds, while nobody writes.
func (o *Objects) ReadAll(ctx context.Context, u userdb.UserID) (*wire.Exported, error) {
	return with(o, u, func(o *object) (*wire.Exported, error) {
		if _, err := o.demandPhase(Export); err != nil {
			return nil, err
		}
		digest, err := o.content.digest(ctx)
		if err != nil {
			return nil, err
		}
		schema, err := o.content.schema(ctx)
		all := &wire.Exported{
			Digest: &wire.DigestReport{
				Phase: o.state.Phase, Gen: o.state.Gen, Lin: o.state.Lin, Writes: o.writes, Complete: true, Digest: &digest,
			},
			Schema: &wire.ExportSchema{Schema: schema, Writes: o.writes, Phase: o.state.Phase},
		}
		for _, table := range digest.Tables {
			if err != nil || table.Rows == 0 {
				continue
			}
			var page *wire.ExportPage
			page, err = o.content.page(ctx, wire.ExportRequest{Table: table.Name, MaxBytes: 1 << 30})
			if err == nil {
				page.Writes, page.Phase, page.Gen = o.writes, o.state.Phase, o.state.Gen
				all.Pages = append(all.Pages, page)
			}
		}
		if err != nil {
			return nil, err
		}
		return wire.ParseExported(wire.AppendExported(nil, all))
	})
}

type sealed struct {
	claimed wire.Claimed
	digest  *wire.DigestReport
}

func (o *Objects) seal(
	ctx context.Context,
	u userdb.UserID,
	req wire.BackRequest,
) (sealed, error) {
	return step(o, "seal", func() (sealed, error) { return o.sealed(ctx, u, req.Claim) })
}

// sealed is the object's message: the claim, and the digest of what it sealed.
func (o *Objects) sealed(ctx context.Context, u userdb.UserID, req wire.ClaimRequest) (sealed, error) {
	claimed, err := o.Claim(ctx, u, req)
	if err != nil || claimed.Phase != userdb.Sealed {
		return sealed{claimed: claimed}, err
	}
	digest, err := o.FreshDigest(ctx, u)
	return sealed{claimed, &digest}, err
}

// atStep names the step in an error, as the Worker does.
func atStep(step string, err error) error {
	remote := &wire.RemoteError{
		Status:  500,
		Kind:    wire.KindInternal,
		Message: err.Error(),
		Details: fmt.Appendf(nil, `{"step":%q}`, step),
	}
	kind := userdb.KindOf(err)
	if known := (*wire.RemoteError)(nil); errors.As(err, &known) {
		remote.Kind = known.Kind
	}
	return &userdb.Error{Op: "ask the Worker", Kind: kind, Err: remote}
}
