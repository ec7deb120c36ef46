package r2

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// listing answers with pages, each given by its keys, its folders (which end with a slash) and, behind ">",
// the token of the next one.
func listing(t *testing.T, pages ...string) *Client {
	t.Helper()
	var steps []step
	for _, text := range pages {
		entries, token, more := strings.Cut(text, ">")
		var body strings.Builder
		fmt.Fprintf(
			&body,
			`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>%t</IsTruncated>`,
			more,
		)
		if token != "" {
			fmt.Fprintf(&body, "<NextContinuationToken>%s</NextContinuationToken>", token)
		}
		for _, name := range strings.Fields(entries) {
			if strings.HasSuffix(name, "/") {
				fmt.Fprintf(&body, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", name)
			} else {
				fmt.Fprintf(&body, "<Contents><Key>%s</Key></Contents>", name)
			}
		}
		body.WriteString("</ListBucketResult>")
		steps = append(
			steps,
			func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body.String()) },
		)
	}
	return newFake(t, steps...).client(t)
}

// TestListingsThatMisbehave: each name comes once, and a listing that cannot be read to its end is an error,
// with no page asked for in vain.
func TestListingsThatMisbehave(t *testing.T) {
	for name, c := range map[string]struct {
		pages  []string
		want   string
		broken bool
	}{
		"as it should be":                {[]string{"a b/ >1", "c d/ >2", "e"}, "a b/ c d/ e", false},
		"the last page is empty":         {[]string{"a >1", ""}, "a", false},
		"a page in between is empty":     {[]string{"a >1", " >2", "b"}, "a b", false},
		"cut off without a token":        {[]string{"a >"}, "", true},
		"the same token for ever":        {[]string{"a >1", "b >1"}, "a", true},
		"tokens in a circle":             {[]string{"a >1", "b >2", "c >1"}, "a b", true},
		"tokens in a larger circle":      {[]string{"a >1", "b >2", "c >3", "d >1"}, "a b c", true},
		"a folder on two pages":          {[]string{"a/ b/ >1", "b/ c/"}, "a/ b/ c/", false},
		"a folder on three pages":        {[]string{"a/ >1", "a/ >2", "a/ b/"}, "a/ b/", false},
		"a key on two pages":             {[]string{"a b >1", "b c"}, "a b c", false},
		"a key twice on a page":          {[]string{"a a b/ b/"}, "a b/", false},
		"a key that is a folder as well": {[]string{"a/ >1", "a"}, "a/ a", false},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			err := listing(
				t,
				c.pages...).List(t.Context(), "", "/", func(objects []Object, folders []string) error {
				for _, o := range objects {
					got = append(got, string(o.Key))
				}
				got = append(got, folders...)
				return nil
			})
			if !slices.Equal(got, strings.Fields(c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if c.broken != (userdb.KindOf(err) == userdb.ProtocolError) || !c.broken && err != nil {
				t.Errorf("ended with %v", err)
			}
		})
	}
}
