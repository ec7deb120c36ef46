package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/suggest"
)

// NoLocationHint says in words that new objects are created near the machine that touches them first.
const NoLocationHint = "none"

// defaultJurisdiction is how wrangler and R2 write that a bucket has none.
const defaultJurisdiction = "default"

// jurisdictions are where data can be made to stay (developers.cloudflare.com/r2/reference/data-location).
var jurisdictions = []string{"eu", "us", "fedramp", "fedramp-high"}

// r2Host is the end of the S3 API's host names.
const r2Host = ".r2.cloudflarestorage.com"

// checkJurisdiction refuses a jurisdiction that does not exist, or that the endpoint contradicts.
func (c *Config) checkJurisdiction() error {
	if c.Jurisdiction != "" && !slices.Contains(jurisdictions, c.Jurisdiction) {
		return usage(
			"read jurisdiction",
			fmt.Sprintf("%q", c.Jurisdiction),
			errors.New("no such jurisdiction"),
			suggest.Hint(
				c.Jurisdiction,
				jurisdictions,
			)+"one of "+strings.Join(
				jurisdictions,
				", ",
			)+", or "+defaultJurisdiction,
		)
	}
	if by, tells := endpointJurisdiction(c.R2Endpoint); tells && c.Jurisdiction != "" &&
		by != c.Jurisdiction {
		return usage(
			"read jurisdiction",
			fmt.Sprintf("%q", c.Jurisdiction),
			fmt.Errorf("the R2 endpoint is one of %s", orNone(by)),
			"leave out --r2-endpoint, which follows from account and jurisdiction",
		)
	}
	return nil
}

// BucketJurisdiction is where the bucket's data has to stay: "" is anywhere, or not known for an endpoint
// that is not Cloudflare's.
func (c *Config) BucketJurisdiction() string {
	if by, tells := endpointJurisdiction(c.R2Endpoint); tells {
		return by
	}
	return c.Jurisdiction
}

// endpointJurisdiction reads it from the host, <account>.<jurisdiction>.r2.cloudflarestorage.com. A bucket
// answers only under its own.
func endpointJurisdiction(endpoint string) (jurisdiction string, tells bool) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", false
	}
	account, is := strings.CutSuffix(strings.ToLower(u.Hostname()), r2Host)
	if !is {
		return "", false
	}
	_, jurisdiction, _ = strings.Cut(account, ".")
	return jurisdiction, true
}

func orNone(jurisdiction string) string {
	if jurisdiction == "" {
		return "no jurisdiction"
	}
	return "jurisdiction " + jurisdiction
}
