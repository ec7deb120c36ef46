package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/suggest"
)

// locationHints are where Durable Objects can be asked to be created
// (developers.cloudflare.com/durable-objects/reference/data-location).
var locationHints = []string{
	"wnam",
	"enam",
	"sam",
	"weur",
	"eeur",
	"apac",
	"apac-ne",
	"apac-se",
	"oc",
	"afr",
	"me",
}

// LocationHints are the values of --location-hint.
func LocationHints() []string { return append(slices.Clone(locationHints), NoLocationHint) }

// Jurisdictions are the values of --r2-jurisdiction.
func Jurisdictions() []string { return append(slices.Clone(jurisdictions), defaultJurisdiction) }

func (c *Config) validate() error {
	if c.LocationHint != "" && c.LocationHint != NoLocationHint &&
		!slices.Contains(locationHints, c.LocationHint) {
		return usage(
			"read location hint",
			fmt.Sprintf("%q", c.LocationHint),
			errors.New("no such location"),
			suggest.Hint(
				c.LocationHint,
				locationHints,
			)+"one of "+strings.Join(
				locationHints,
				", ",
			)+", or "+NoLocationHint,
		)
	}
	for _, u := range []struct {
		name  string
		value *string
	}{{"Worker URL", &c.WorkerURL}, {"API base URL", &c.APIBaseURL}, {"R2 endpoint", &c.R2Endpoint}} {
		clean, err := cleanURL(*u.value)
		if err != nil {
			return usage("read "+u.name, fmt.Sprintf("%q", withoutSecrets(*u.value)), err, "")
		}
		*u.value = clean
	}
	return c.checkJurisdiction()
}

// cleanURL refuses addresses to which a credential must not go.
func cleanURL(raw string) (string, error) {
	if raw == "" {
		return "", nil
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return "", errors.New("it is no URL; write it with https://")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("it holds a user, a query or a fragment; credentials come from the environment")
	case u.Scheme == "https" || u.Scheme == "http" && isLocal(u.Hostname()):
		return strings.TrimRight(raw, "/"), nil
	}
	return "", errors.New("credentials would travel unencrypted; use https (http is for this machine only)")
}

func isLocal(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.") ||
		strings.HasSuffix(host, ".localhost")
}

// withoutSecrets keeps what was put into a URL by mistake out of the error: user, password, query, fragment.
func withoutSecrets(raw string) string {
	if !strings.ContainsAny(raw, "@?#") {
		return raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || strings.Contains(u.RawQuery+u.Fragment, "@") {
		return "..." // a password may stand anywhere in it
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// Part is a service that a command may need.
type Part int

// The parts.
const (
	R2 Part = iota
	KV
	Worker
)

// setting is something that has to be known to reach a part, and how it is said.
type setting struct {
	what, how string
	known     bool
}

func (c *Config) settings(p Part) []setting {
	const account, accountHow = "account", "--account-id or CLOUDFLARE_ACCOUNT_ID, or account_id in wrangler.jsonc"
	switch p {
	case R2:
		return []setting{
			{"bucket", "--bucket or DBMIGRATE_BUCKET, or r2_buckets in wrangler.jsonc", c.Bucket != ""},
			{account, accountHow, c.R2Endpoint != ""},
			{
				"R2 access key",
				`AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, made under R2, "Manage API tokens", with Object Read & Write`,
				c.AccessKeyID != "",
			},
		}
	case KV:
		return []setting{
			{
				"KV namespace",
				"--kv-namespace or DBMIGRATE_KV_NAMESPACE with its id, or kv_namespaces in wrangler.jsonc",
				c.KVNamespace != "",
			},
			{account, accountHow, c.AccountID != ""},
			{
				"Cloudflare API token",
				"CLOUDFLARE_API_TOKEN, with the account permission Workers KV Storage: Edit",
				c.APIToken != "",
			},
		}
	}
	return []setting{
		{
			"Worker URL",
			"--worker-url or DBMIGRATE_WORKER_URL (a wrangler file names it only by a custom domain)",
			c.WorkerURL != "",
		},
		{
			"admin token",
			"DBMIGRATE_TOKEN, the value of the Worker's secret of that name (`wrangler secret put DBMIGRATE_TOKEN`)",
			c.Token != "",
		},
	}
}

// Need says everything that is missing to reach these parts, nil when nothing is.
func (c *Config) Need(parts ...Part) error {
	var what, how []string
	for _, p := range parts {
		for _, s := range c.settings(p) {
			if name := "no " + s.what; !s.known && !slices.Contains(what, name) {
				what, how = append(what, name), append(how, s.how)
			}
		}
	}
	switch {
	case len(what) == 1:
		return c.missing(what[0], how[0])
	case len(what) > 1:
		last := len(what) - 1
		return c.missing(strings.Join(what[:last], ", ")+" and "+what[last], strings.Join(how, "; "))
	case slices.Contains(parts, Worker) && len(c.Token) < MinTokenBytes:
		return usage(
			"read DBMIGRATE_TOKEN",
			"",
			fmt.Errorf("it has fewer than %d bytes, and could be guessed", MinTokenBytes),
			"set a random one, such as `openssl rand -hex 32` makes, here and with `wrangler secret put DBMIGRATE_TOKEN`",
		)
	}
	return nil
}

// MinTokenBytes is the shortest admin token; the Worker keeps its admin routes closed with a shorter one.
const MinTokenBytes = 16

func (c *Config) missing(what, how string) error {
	where := "in flags, environment or a wrangler file"
	switch {
	case c.Profile != "":
		where = fmt.Sprintf("in flags, environment or the profile %q of %s", c.Profile, c.OwnFile)
	case c.File == "" && c.OwnFile != "":
		where = "in flags, environment or " + c.OwnFile
	case c.File != "":
		where = "in flags, environment or " + c.File
		if c.Environment != "" {
			where += fmt.Sprintf(
				" (environment %q; bindings are not inherited from the top level)",
				c.Environment,
			)
		}
	}
	return usage(what+" "+where, "", nil, "set "+how)
}
