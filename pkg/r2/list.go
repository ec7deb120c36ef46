package r2

import (
	"context"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Page receives up to 1,000 objects and common prefixes of a listing, in key order. An error from it ends the listing
// and is returned as it is.
type Page func(objects []Object, commonPrefixes []string) error

// List lists the objects whose keys start with prefix and come after startAfter (empty: all), one billed request (class
// A) for 1,000 of them. Metadata is not in a listing. Kinds: Unauthorized, NotFound (the bucket), Throttled, Unreachable.
func (c *Client) List(ctx context.Context, prefix, startAfter string, yield Page) error {
	return c.list(ctx, &s3.ListObjectsV2Input{Prefix: optionalText(prefix), StartAfter: optionalText(startAfter)}, yield)
}

// ListUsersDelimited lists one level: the objects under prefix whose keys go on without the delimiter, and, as common
// prefixes, the folders beside them, however many objects are in those. See userdb.Layout.ListPlan. Kinds as List.
func (c *Client) ListUsersDelimited(ctx context.Context, prefix, delimiter string, yield Page) error {
	return c.list(ctx, &s3.ListObjectsV2Input{Prefix: optionalText(prefix), Delimiter: optionalText(delimiter)}, yield)
}

func (c *Client) list(ctx context.Context, input *s3.ListObjectsV2Input, yield Page) error {
	prefix := userdb.ObjectKey(aws.ToString(input.Prefix))
	input.Bucket = &c.bucket
	input.EncodingType = types.EncodingTypeUrl // XML cannot carry control characters, and any key may hold some
	pages := s3.NewListObjectsV2Paginator(c.s3, input)
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return c.fail(ctx, "list", prefix, reading, err)
		}
		objects, folders, err := readPage(out)
		if err != nil {
			return &userdb.Error{Op: "list", Thing: c.thing(prefix), Kind: userdb.ProtocolError, Err: err, Hint: hintEndpoint}
		}
		if err := yield(objects, folders); err != nil {
			return err
		}
	}
	return nil
}

func readPage(out *s3.ListObjectsV2Output) ([]Object, []string, error) {
	decode := keyDecoder(out.EncodingType)
	objects := make([]Object, 0, len(out.Contents))
	for _, entry := range out.Contents {
		key, err := decode(aws.ToString(entry.Key))
		if err != nil {
			return nil, nil, err
		}
		objects = append(objects, Object{
			Key: userdb.ObjectKey(key), Size: aws.ToInt64(entry.Size), ETag: userdb.ETag(aws.ToString(entry.ETag)),
			LastModified: aws.ToTime(entry.LastModified),
		})
	}
	folders := make([]string, 0, len(out.CommonPrefixes))
	for _, entry := range out.CommonPrefixes {
		folder, err := decode(aws.ToString(entry.Prefix))
		if err != nil {
			return nil, nil, err
		}
		folders = append(folders, folder)
	}
	return objects, folders, nil
}

// keyDecoder honours a server that ignores the encoding that was asked for. A space may come as + or as %20; a plus
// comes as %2B either way.
func keyDecoder(encoding types.EncodingType) func(string) (string, error) {
	if encoding != types.EncodingTypeUrl {
		return func(key string) (string, error) { return key, nil }
	}
	return func(key string) (string, error) {
		decoded, err := url.QueryUnescape(key)
		if err != nil {
			return "", fmt.Errorf("decode key %q: %w", key, err)
		}
		return decoded, nil
	}
}
