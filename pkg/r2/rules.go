package r2

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// Expiry is a lifecycle rule of the bucket that deletes objects.
type Expiry struct {
	ID     string
	Prefix string // of the keys that it covers; "" is every key
	Days   int32  // after the object was written; 0 where Date says when
	Date   time.Time
}

// Expiries reads the lifecycle rules that delete objects: none where the bucket has no rules. R2 lets only
// tokens with an admin permission read them, so Unauthorized is a usual answer, and says nothing of the
// rules.
func (c *Client) Expiries(ctx context.Context) ([]Expiry, error) {
	out, err := c.s3.GetBucketLifecycleConfiguration(
		ctx,
		&s3.GetBucketLifecycleConfigurationInput{Bucket: &c.bucket},
	)
	var answer smithy.APIError
	if errors.As(err, &answer) &&
		(answer.ErrorCode() == "NoSuchLifecycleConfiguration" || answer.ErrorCode() == "NotImplemented") {
		return nil, nil // a server that knows no rules follows none
	}
	if err != nil {
		return nil, c.fail(ctx, "read the lifecycle rules of", "", reading, err)
	}
	var found []Expiry
	for _, rule := range out.Rules {
		if e, deletes := expiryOf(rule); deletes {
			found = append(found, e)
		}
	}
	return found, nil
}

// expiryOf reads a rule; those that are switched off, that only change the storage class or that end uploads
// delete nothing.
func expiryOf(rule types.LifecycleRule) (Expiry, bool) {
	if rule.Status != types.ExpirationStatusEnabled || rule.Expiration == nil {
		return Expiry{}, false
	}
	e := Expiry{
		ID:   aws.ToString(rule.ID),
		Days: aws.ToInt32(rule.Expiration.Days),
		Date: aws.ToTime(rule.Expiration.Date),
	}
	if e.Days == 0 && e.Date.IsZero() {
		return Expiry{}, false
	}
	//lint:ignore SA1019 rules of the older form may still be there, and they delete as well
	e.Prefix = aws.ToString(rule.Prefix)
	if f := rule.Filter; f != nil {
		e.Prefix = aws.ToString(f.Prefix)
		if f.And != nil {
			e.Prefix = aws.ToString(f.And.Prefix)
		}
	}
	return e, true
}
