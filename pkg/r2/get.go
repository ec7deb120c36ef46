package r2

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Head describes an object. Kinds: NotFound, Unauthorized, Throttled, Unreachable.
func (c *Client) Head(ctx context.Context, key userdb.ObjectKey) (Object, error) {
	return c.head(ctx, key, "")
}

func (c *Client) head(ctx context.Context, key userdb.ObjectKey, ifMatch userdb.ETag) (Object, error) {
	out, err := c.s3.HeadObject(
		ctx,
		&s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String(string(key)), IfMatch: optional(ifMatch)},
	)
	if err != nil {
		return Object{}, c.fail(ctx, "head", key, reading, err)
	}
	return Object{
		Key: key, Size: aws.ToInt64(out.ContentLength), ETag: userdb.ETag(aws.ToString(out.ETag)),
		LastModified: aws.ToTime(
			out.LastModified,
		), Metadata: out.Metadata, ContentType: aws.ToString(out.ContentType),
		Headers: userdb.Headers{
			CacheControl:       aws.ToString(out.CacheControl),
			ContentDisposition: aws.ToString(out.ContentDisposition),
			ContentEncoding: aws.ToString(
				out.ContentEncoding,
			),
			ContentLanguage: aws.ToString(out.ContentLanguage),
			Expires:         aws.ToString(out.ExpiresString),
			StorageClass:    string(out.StorageClass),
		},
	}, nil
}

// Get copies an object to w, all of it from the one version that has the ETag ifMatch, or, if that is empty,
// from the version that the first answer shows. A transfer that breaks or stalls is resumed where it stopped.
// The length is always checked, and the MD5 where the ETag is one (single-part uploads). After an error, what
// w got is worthless. Kinds: as Head, and Precondition when the object is no longer that version.
func (c *Client) Get(
	ctx context.Context,
	key userdb.ObjectKey,
	ifMatch userdb.ETag,
	w io.Writer,
) (Object, error) {
	sum := md5.New()
	t := &transfer{client: c, key: key, etag: ifMatch, to: io.MultiWriter(w, sum), end: -1}
	if err := t.run(ctx); err != nil {
		return Object{}, c.fail(ctx, "get", key, reading, err)
	}
	if want, ok := md5Of(t.object.ETag); ok && want != hex.EncodeToString(sum.Sum(nil)) {
		return Object{}, t.protocolError(
			fmt.Errorf("MD5 of what arrived is %x, the ETag is %s", sum.Sum(nil), t.object.ETag),
		)
	}
	return t.object, nil
}

// GetRange reads length bytes from offset on, fewer where the object ends before, of the version with the
// ETag ifMatch (empty: of the version that the first answer shows). Object describes the whole object. Kinds
// as Get, and Blocked where an object with a Content-Encoding arrives otherwise than it is stored.
func (c *Client) GetRange(
	ctx context.Context,
	key userdb.ObjectKey,
	ifMatch userdb.ETag,
	offset, length int64,
) ([]byte, Object, error) {
	if offset < 0 || length <= 0 {
		return nil, Object{}, c.fail(ctx, "get range", key, reading, &userdb.Error{
			Op: "get range", Thing: c.thing(key), Kind: userdb.Internal, Err: fmt.Errorf("%d bytes from %d on", length, offset),
		})
	}
	var data bytes.Buffer
	t := &transfer{client: c, key: key, etag: ifMatch, to: &data, next: offset, end: offset + length}
	err := t.run(ctx)
	if statusOf(err) == http.StatusRequestedRangeNotSatisfiable {
		object, err := c.head(ctx, key, ifMatch)
		return nil, object, err
	}
	if err != nil {
		return nil, Object{}, c.fail(ctx, "get range", key, reading, err)
	}
	return data.Bytes(), t.object, nil
}

// transfer is a download in one or more requests, all pinned to one ETag.
type transfer struct {
	client *Client
	key    userdb.ObjectKey
	to     io.Writer
	etag   userdb.ETag // empty until the first answer, if the caller named none
	next   int64       // offset of the first byte not yet written
	end    int64       // where to stop; -1: at the object's end
	object Object      // from the first answer; its Size is the whole object's
}

// run counts only failures in a row without a byte between them, so that a huge file over a bad line still
// arrives.
func (t *transfer) run(ctx context.Context) error {
	for failures := 0; ; {
		before := t.next
		err := t.request(ctx)
		if err == nil || !t.resumable(ctx, err) {
			return err
		}
		if t.next > before {
			failures = 0
		}
		if failures++; failures >= t.client.maxAttempts {
			return err
		}
		if err := t.client.waits.wait(ctx, failures); err != nil {
			return err
		}
	}
}

// resumable is true for a broken body. An error answer has been retried by the SDK already.
func (t *transfer) resumable(ctx context.Context, err error) bool {
	var broken *brokenBody
	return ctx.Err() == nil && errors.As(err, &broken)
}

func (t *transfer) request(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out, err := t.client.s3.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &t.client.bucket, Key: aws.String(string(t.key)), IfMatch: optional(t.etag), Range: t.rangeHeader(),
	})
	if err != nil {
		return err
	}
	defer out.Body.Close()
	if err := t.accept(out); err != nil {
		return err
	}
	return t.copyBody(newStallGuard(out.Body, t.client.stallTimeout, cancel))
}

func (t *transfer) rangeHeader() *string {
	switch {
	case t.end >= 0:
		return aws.String(fmt.Sprintf("bytes=%d-%d", t.next, t.end-1))
	case t.next > 0:
		return aws.String(fmt.Sprintf("bytes=%d-", t.next))
	default:
		return nil
	}
}

// accept checks that an answer continues this transfer, whatever a cache or proxy between made of the
// request.
func (t *transfer) accept(out *s3.GetObjectOutput) error {
	headers := headersOf(out)
	if headers.Coding() != "" && t.rangeHeader() == nil {
		return t.encoded(Object{
			Key:     t.key,
			Size:    aws.ToInt64(out.ContentLength),
			ETag:    userdb.ETag(aws.ToString(out.ETag)),
			Headers: headers,
		})
	}
	size, err := t.wholeSize(out)
	if err != nil {
		return t.protocolError(err)
	}
	etag := userdb.ETag(aws.ToString(out.ETag))
	if etag == "" || (t.etag != "" && etag != t.etag) {
		return t.protocolError(fmt.Errorf("asked for ETag %s, got %s", t.etag, etag))
	}
	t.etag = etag
	t.object = Object{
		Key:          t.key,
		Size:         size,
		ETag:         etag,
		LastModified: aws.ToTime(out.LastModified),
		Metadata:     out.Metadata,
		ContentType:  aws.ToString(out.ContentType),
		Headers:      headers,
	}
	if t.end < 0 || t.end > size {
		t.end = size
	}
	return nil
}

func headersOf(out *s3.GetObjectOutput) userdb.Headers {
	return userdb.Headers{
		CacheControl:       aws.ToString(out.CacheControl),
		ContentDisposition: aws.ToString(out.ContentDisposition),
		ContentEncoding: aws.ToString(
			out.ContentEncoding,
		),
		ContentLanguage: aws.ToString(out.ContentLanguage),
		Expires:         aws.ToString(out.ExpiresString),
		StorageClass:    string(out.StorageClass),
	}
}

func (t *transfer) wholeSize(out *s3.GetObjectOutput) (int64, error) {
	asked := t.rangeHeader()
	if asked == nil {
		if out.ContentLength == nil {
			return 0, errors.New("the answer has no Content-Length")
		}
		return *out.ContentLength, nil
	}
	var first, last, size int64
	got := aws.ToString(out.ContentRange)
	if _, err := fmt.Sscanf(got, "bytes %d-%d/%d", &first, &last, &size); err != nil || first != t.next {
		return 0, fmt.Errorf("asked for %s, got %q", *asked, got)
	}
	return size, nil
}

func (t *transfer) copyBody(body io.Reader) error {
	buffer := make([]byte, 64<<10)
	for t.next < t.end {
		n, err := body.Read(buffer[:min(int64(len(buffer)), t.end-t.next)])
		if _, writeErr := t.to.Write(buffer[:n]); writeErr != nil {
			return &writerError{writeErr}
		}
		t.next += int64(n)
		if err != nil && t.next < t.end {
			if t.object.Headers.Coding() != "" {
				return t.encoded(t.object) // somebody on the way coded it: each request would bring a few bytes
			}
			return &brokenBody{at: t.next, of: t.object.Size, err: err}
		}
	}
	return nil
}

func (t *transfer) encoded(object Object) error {
	return &userdb.Error{
		Op:    "get",
		Thing: t.client.thing(t.key),
		Kind:  userdb.Blocked,
		Err:   &userdb.EncodedError{Object: object},
		Hint:  hintEncoded,
	}
}

func (t *transfer) protocolError(cause error) error {
	return &userdb.Error{
		Op:    "get",
		Thing: t.client.thing(t.key),
		Kind:  userdb.ProtocolError,
		Err:   cause,
		Hint:  hintEndpoint,
	}
}

// md5Of reads the MD5 out of an ETag; false for that of a multipart upload ("...-3").
func md5Of(etag userdb.ETag) (string, bool) {
	sum := strings.ToLower(strings.Trim(string(etag), `"`))
	raw, err := hex.DecodeString(sum)
	return sum, err == nil && len(raw) == md5.Size
}

func optional(etag userdb.ETag) *string {
	if etag == "" {
		return nil
	}
	return aws.String(string(etag))
}
