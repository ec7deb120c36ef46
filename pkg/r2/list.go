package r2

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// List lists the objects with keys that start with prefix, in key order. Each call of yield, and each billed
// request (class A), has up to 1,000. With a delimiter it lists one level: the objects with keys that go on
// without it, and, as common prefixes, the folders beside them. A folder is one entry, however many objects
// are in it; see userdb.Layout.ListPlan. Metadata is not in a listing. An error from yield ends it and is
// returned as it is. Kinds: Unauthorized, NotFound (the bucket), Throttled, Unreachable.
func (c *Client) List(
	ctx context.Context,
	prefix, delimiter string,
	yield func(objects []userdb.Object, commonPrefixes []string) error,
) error {
	input := &s3.ListObjectsV2Input{
		Bucket:    &c.bucket,
		Prefix:    optionalText(prefix),
		Delimiter: optionalText(delimiter),
	}
	input.EncodingType = types.EncodingTypeUrl // XML cannot carry control characters, and any key may hold some
	pages := s3.NewListObjectsV2Paginator(c.s3, input)
	tokens, given := map[string]bool{}, lastPage{}
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return c.fail(ctx, "list", userdb.ObjectKey(prefix), reading, err)
		}
		objects, folders, err := readPage(out)
		if err == nil {
			err = goesOn(out, tokens)
		}
		if err != nil {
			return &userdb.Error{
				Op:    "list",
				Thing: c.thing(userdb.ObjectKey(prefix)),
				Kind:  userdb.ProtocolError,
				Err:   err,
				Hint:  hintEndpoint,
			}
		}
		if err := yield(given.fresh(objects, folders)); err != nil {
			return err
		}
	}
	return nil
}

// goesOn refuses a listing that says it goes on and cannot: without a token it would end early, with one that
// it gave before it would never end.
func goesOn(out *s3.ListObjectsV2Output, tokens map[string]bool) error {
	token := aws.ToString(out.NextContinuationToken)
	switch {
	case !aws.ToBool(out.IsTruncated):
		return nil
	case token == "":
		return errors.New("the listing is cut off: it says that more follows, and not where")
	case tokens[token]:
		return errors.New("the listing does not go on: it repeats its continuation token")
	}
	tokens[token] = true
	return nil
}

// lastPage is what the page before gave. A server may give the last entry of a page again, or a folder on
// each page that its objects are on. A reader of the listing would take such a user for two.
type lastPage struct{ objects, folders map[string]bool }

// fresh leaves out what this page or the one before gave already.
func (p *lastPage) fresh(objects []Object, folders []string) ([]Object, []string) {
	before := *p
	p.objects, p.folders = map[string]bool{}, map[string]bool{}
	return slices.DeleteFunc(
			objects,
			func(o Object) bool { return again(string(o.Key), before.objects, p.objects) },
		),
		slices.DeleteFunc(
			folders,
			func(folder string) bool { return again(folder, before.folders, p.folders) },
		)
}

func again(name string, before, now map[string]bool) bool {
	given := before[name] || now[name]
	now[name] = true
	return given
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
			Key: userdb.ObjectKey(
				key,
			), Size: aws.ToInt64(entry.Size), ETag: userdb.ETag(aws.ToString(entry.ETag)),
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

// keyDecoder honours a server that ignores the encoding that was asked for. A space may come as + or as %20;
// a plus comes as %2B either way.
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
