package r2

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func TestNextToken(t *testing.T) {
	page := func(truncated bool, token string) *s3.ListObjectsV2Output {
		return &s3.ListObjectsV2Output{IsTruncated: aws.Bool(truncated), NextContinuationToken: aws.String(token)}
	}
	for name, test := range map[string]struct {
		page   *s3.ListObjectsV2Output
		before string
		want   string
		ok     bool
	}{
		"last page":                        {page(false, ""), "a", "", true},
		"first of several":                 {page(true, "a"), "", "a", true},
		"another token":                    {page(true, "b"), "a", "b", true},
		"cut off without a token":          {page(true, ""), "", "", false},
		"the same token for a second time": {page(true, "a"), "a", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := nextToken(test.page, test.before)
			if got != test.want || (err == nil) != test.ok {
				t.Errorf("token %q, error %v", got, err)
			}
		})
	}
}
