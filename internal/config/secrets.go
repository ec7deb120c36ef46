package config

import (
	"cmp"
	"fmt"
)

// Secret is a credential. Every way of printing it shows only whether it is there; Reveal is for the client
// that sends it.
type Secret string

// Reveal is the credential itself.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return "(not set)"
	}
	return "(set)"
}

// GoString keeps %#v from showing it.
func (s Secret) GoString() string { return s.String() }

// MarshalText keeps JSON from showing it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Credentials are everything that proves who asks.
type Credentials struct {
	Token        Secret // of the Worker's admin routes
	APIToken     Secret // of the Cloudflare API
	AccessKeyID  string // of R2's S3 API; an id, not a secret
	SecretKey    Secret
	SessionToken Secret // only with temporary R2 credentials
	// A Cloudflare Access service token, where the Worker's host is behind Access.
	AccessClientID     string
	AccessClientSecret Secret
}

// The environment variables of settings and credentials. The names are Cloudflare's and AWS's own where they
// have one. R2_* is a habit of many projects: it is more specific than AWS_*, which may belong to a real AWS
// account, so it goes first, as a pair.
func credentialsOf(getenv func(string) string) (Credentials, error) {
	c := Credentials{
		Token:              Secret(getenv("DBMIGRATE_TOKEN")),
		APIToken:           Secret(getenv("CLOUDFLARE_API_TOKEN")),
		AccessKeyID:        getenv("R2_ACCESS_KEY_ID"),
		SecretKey:          Secret(getenv("R2_SECRET_ACCESS_KEY")),
		AccessClientID:     getenv("CLOUDFLARE_ACCESS_CLIENT_ID"),
		AccessClientSecret: Secret(getenv("CLOUDFLARE_ACCESS_CLIENT_SECRET")),
	}
	if err := pair("R2_ACCESS_KEY_ID", c.AccessKeyID, "R2_SECRET_ACCESS_KEY", c.SecretKey); err != nil {
		return Credentials{}, err
	}
	if c.AccessKeyID == "" {
		c.AccessKeyID, c.SecretKey = getenv("AWS_ACCESS_KEY_ID"), Secret(getenv("AWS_SECRET_ACCESS_KEY"))
		c.SessionToken = Secret(getenv("AWS_SESSION_TOKEN"))
		if err := pair("AWS_ACCESS_KEY_ID", c.AccessKeyID, "AWS_SECRET_ACCESS_KEY", c.SecretKey); err != nil {
			return Credentials{}, err
		}
	}
	return c, pair(
		"CLOUDFLARE_ACCESS_CLIENT_ID",
		c.AccessClientID,
		"CLOUDFLARE_ACCESS_CLIENT_SECRET",
		c.AccessClientSecret,
	)
}

func pair(idName, id, secretName string, secret Secret) error {
	if (id == "") == (secret == "") {
		return nil
	}
	missing := idName
	if id != "" {
		missing = secretName
	}
	return usage(
		"read credentials",
		"",
		fmt.Errorf("only one of %s and %s is set", idName, secretName),
		"set "+missing+" too",
	)
}

func valuesOf(getenv func(string) string) Values {
	return Values{
		AccountID:    getenv("CLOUDFLARE_ACCOUNT_ID"),
		Bucket:       getenv("DBMIGRATE_BUCKET"),
		KVNamespace:  getenv("DBMIGRATE_KV_NAMESPACE"),
		WorkerURL:    getenv("DBMIGRATE_WORKER_URL"),
		R2Endpoint:   getenv("AWS_ENDPOINT_URL_S3"),
		APIBaseURL:   cmp.Or(getenv("CLOUDFLARE_API_BASE_URL"), getenv("CLOUDFLARE_BASE_URL")),
		Layout:       getenv("DBMIGRATE_LAYOUT"),
		LocationHint: getenv("DBMIGRATE_LOCATION_HINT"),
		Jurisdiction: getenv("DBMIGRATE_R2_JURISDICTION"),
	}
}
