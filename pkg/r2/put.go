package r2

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// PutOptions make a PUT conditional and describe the object. See MaxMetadataBytes for metadata.
type PutOptions = userdb.PutOptions

// Put writes size bytes, from the body's current position on, as one object, and returns the new ETag after
// checking that it is the MD5 of what was sent. The body is read to be sent, again in retries, and once
// before that where the options do not bring the MD5.
//
// The MD5 travels as a signed header, and R2 refuses a body that it is not the MD5 of. So the SHA-256 of the
// body, which S3's signature would add, proves nothing more; computing it costs both ends as much as the MD5.
//
// A repeated attempt can find the work of the one before, if that answer was lost, and report Precondition
// although the PUT happened. Read back before concluding that somebody else wrote. R2 takes one write a
// second for a key, so a Throttled answer is waited for 1 s and more before it is returned. Kinds:
// Precondition, Unauthorized, Throttled, Unreachable (it may have happened), NotStored, ProtocolError
// (altered bytes may be there now).
func (c *Client) Put(
	ctx context.Context,
	key userdb.ObjectKey,
	body io.ReadSeeker,
	size int64,
	options PutOptions,
) (userdb.ETag, error) {
	if err := validateOptions(options); err != nil {
		return "", &userdb.Error{Op: "put", Thing: c.thing(key), Kind: userdb.Usage, Err: err}
	}
	sum, err := options.MD5, error(nil)
	if sum == nil {
		sum, err = sumAndRewind(body, size)
	}
	if err != nil {
		return "", &userdb.Error{Op: "put", Thing: c.thing(key), Kind: userdb.Internal, Err: err}
	}
	out, err := c.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &c.bucket, Key: aws.String(string(key)), Body: body, ContentLength: &size,
		ContentMD5: aws.String(base64.StdEncoding.EncodeToString(sum)),
		IfMatch:    optional(options.IfMatch), IfNoneMatch: ifNoneMatch(options),
		Metadata: options.Metadata, ContentType: optionalText(options.ContentType),
		CacheControl: optionalText(
			options.Headers.CacheControl,
		), ContentDisposition: optionalText(options.Headers.ContentDisposition),
		ContentEncoding: optionalText(
			options.Headers.ContentEncoding,
		), ContentLanguage: optionalText(options.Headers.ContentLanguage),
		StorageClass: types.StorageClass(options.Headers.StorageClass),
	}, s3.WithAPIOptions(asItIs(options)...))
	if err != nil {
		return "", c.fail(ctx, "put", key, writing, err)
	}
	etag := userdb.ETag(aws.ToString(out.ETag))
	if got, ok := md5Of(etag); !ok || got != hex.EncodeToString(sum) {
		return "", &userdb.Error{Op: "put", Thing: c.thing(key), Kind: userdb.ProtocolError,
			Err:  fmt.Errorf("sent bytes with MD5 %x, R2 answers ETag %s", sum, etag),
			Hint: "something between here and R2 alters uploads, and the object may hold altered bytes now; " + hintEndpoint}
	}
	return etag, nil
}

// asItIs sends the body without a SHA-256, and Expires as the text that it is: the SDK knows it as a time
// only.
func asItIs(options PutOptions) []signOption {
	list := []signOption{v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware}
	if options.Headers.Expires != "" {
		list = append(list, smithyhttp.SetHeaderValue("Expires", options.Headers.Expires))
	}
	return list
}

// Delete removes an object; one that is absent is no error. R2 has no conditional delete, so a delete can hit
// a version that nobody looked at. It is for what dbmigrate itself keeps of users. A user's file is replaced
// by a tombstone.
func (c *Client) Delete(ctx context.Context, key userdb.ObjectKey) error {
	return c.delete(ctx, key)
}

// DeleteOnce is Delete by one request, which is never sent again: after Unreachable nobody knows whether it
// was done. It is for the tombstone of a user who is being deleted (docs/cutover.md, "Deleting a user"). A
// repetition could delete what a new user has saved by then.
func (c *Client) DeleteOnce(ctx context.Context, key userdb.ObjectKey) error {
	return c.delete(ctx, key, func(options *s3.Options) { options.Retryer = aws.NopRetryer{} })
}

func (c *Client) delete(ctx context.Context, key userdb.ObjectKey, options ...func(*s3.Options)) error {
	input := &s3.DeleteObjectInput{Bucket: &c.bucket, Key: aws.String(string(key))}
	if _, err := c.s3.DeleteObject(ctx, input, options...); err != nil {
		return c.fail(ctx, "delete", key, writing, err)
	}
	return nil
}

func validateOptions(o PutOptions) error {
	if o.IfMatch != "" && o.IfNoneMatch {
		return errors.New("IfMatch and IfNoneMatch exclude each other")
	}
	if o.MD5 != nil && len(o.MD5) != md5.Size {
		return fmt.Errorf("an MD5 of %d bytes", len(o.MD5))
	}
	return checkMetadata(o.Metadata)
}

func ifNoneMatch(o PutOptions) *string {
	if !o.IfNoneMatch {
		return nil
	}
	return aws.String("*")
}

// sumAndRewind hashes size bytes from the body's position on and goes back there.
func sumAndRewind(body io.ReadSeeker, size int64) ([]byte, error) {
	start, err := body.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, fmt.Errorf("find the body's position: %w", err)
	}
	sum := md5.New()
	n, err := io.Copy(sum, body)
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	if n != size {
		return nil, fmt.Errorf("the body has %d bytes, announced were %d", n, size)
	}
	if _, err := body.Seek(start, io.SeekStart); err != nil {
		return nil, fmt.Errorf("rewind the body: %w", err)
	}
	return sum.Sum(nil), nil
}

func optionalText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
