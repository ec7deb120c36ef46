package r2

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// First lists one key under prefix: the smallest request that shows whether a token may list. found is false
// in an empty bucket. now is the server's clock, from the Date of its answer; zero where it has none. Kinds
// as List.
func (c *Client) First(
	ctx context.Context,
	prefix string,
) (first Object, found bool, now time.Time, err error) {
	out, err := c.s3.ListObjectsV2(
		ctx,
		&s3.ListObjectsV2Input{
			Bucket:       &c.bucket,
			Prefix:       optionalText(prefix),
			MaxKeys:      aws.Int32(1),
			EncodingType: types.EncodingTypeUrl,
		},
	)
	if err != nil {
		return Object{}, false, now, c.fail(ctx, "list", userdb.ObjectKey(prefix), reading, err)
	}
	now, _ = awsmiddleware.GetServerTime(out.ResultMetadata)
	objects, _, err := readPage(out)
	if err != nil {
		return Object{}, false, now, &userdb.Error{
			Op:    "list",
			Thing: c.thing(userdb.ObjectKey(prefix)),
			Kind:  userdb.ProtocolError,
			Err:   err,
			Hint:  hintEndpoint,
		}
	}
	if len(objects) == 0 {
		return Object{}, false, now, nil
	}
	return objects[0], true, now, nil
}
