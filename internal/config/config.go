// Package config finds out which account, bucket, namespace and Worker a command is about, and with which
// credentials. Flags come first, then the environment, then dbmigrate.toml, then the wrangler configuration
// of the working folder. Nothing is guessed: where two answers are possible, it asks. Credentials come from
// the environment only, because a process list shows flags.
package config

import (
	"cmp"
	"fmt"
	"net/http"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Values are the settings that flags, the environment and a wrangler file can give. Empty means "not said".
type Values struct {
	AccountID   string
	Bucket      string
	KVNamespace string // the namespace's id
	WorkerURL   string
	R2Endpoint  string
	APIBaseURL  string
	Layout      string
	// LocationHint is where new Durable Objects are created: a name of Cloudflare's, NoLocationHint, or ""
	// where nothing is said.
	LocationHint string
	// Jurisdiction is the bucket's; "" where nothing is said.
	Jurisdiction string
}

// Input is where Load looks.
type Input struct {
	Flags Values
	// File is the wrangler configuration to read; "" looks for one, as wrangler does, from Dir upward.
	File string
	// Environment is the wrangler environment. EnvironmentSet tells an empty name (the top level, as with
	// wrangler) from none.
	Environment    string
	EnvironmentSet bool
	// Profile is a profile of dbmigrate.toml; "" leaves it to DBMIGRATE_PROFILE.
	Profile string
	Dir     string
	Getenv  func(string) string
}

// Config is the outcome. What a command does not need may be missing: see Need.
type Config struct {
	Values
	Credentials
	// File is the wrangler configuration that was read, "" when none was. Environment is the environment in
	// it.
	File        string
	Environment string
	// Around stands between a client of a service and the network; nil: nothing does.
	Around func(userdb.Service, http.RoundTripper) http.RoundTripper `json:"-"`
	// OwnFile is the dbmigrate.toml that was read, and Profile the profile in it; "" when none was.
	OwnFile string
	Profile string
}

// AroundOf is Around for the client of one service.
func (c *Config) AroundOf(who userdb.Service) func(http.RoundTripper) http.RoundTripper {
	if c.Around == nil {
		return nil
	}
	return func(next http.RoundTripper) http.RoundTripper { return c.Around(who, next) }
}

// Load resolves the configuration. Its errors are of kind userdb.Usage.
func Load(in Input) (Config, error) {
	credentials, err := credentialsOf(in.Getenv)
	if err != nil {
		return Config{}, err
	}
	environment := valuesOf(in.Getenv)
	c := Config{Values: merge(in.Flags, environment), Credentials: credentials}
	if err := c.addOwn(in, environment); err != nil {
		return Config{}, err
	}
	// A profile stands alone: what it leaves out must not come from some other environment of a wrangler
	// file.
	if c.Profile == "" && !isOwn(in.File) && (c.needsFile() || in.File != "" || in.EnvironmentSet) {
		if err := c.addFile(in, environment); err != nil {
			return Config{}, err
		}
	}
	if c.Jurisdiction == defaultJurisdiction {
		c.Jurisdiction = ""
	}
	c.Layout = cmp.Or(c.Layout, userdb.DefaultLayout)
	if c.R2Endpoint == "" && c.AccountID != "" {
		c.R2Endpoint = r2Endpoint(c.AccountID, c.Jurisdiction)
	}
	return c, c.validate()
}

// addOwn takes what dbmigrate.toml says and nothing before it has said.
func (c *Config) addOwn(in Input, environment Values) error {
	own, path, profile, err := chooseOwn(in)
	if err != nil || path == "" {
		return err
	}
	if in.Flags.AccountID == "" && environment.AccountID != "" && own.AccountID != "" &&
		environment.AccountID != own.AccountID {
		return contradiction(path, own.AccountID, environment.AccountID)
	}
	if c.Bucket == "" || c.Bucket == own.Bucket {
		c.Jurisdiction = cmp.Or(c.Jurisdiction, own.Jurisdiction)
	}
	c.Values, c.OwnFile, c.Profile = merge(c.Values, own.values()), path, profile
	return nil
}

func contradiction(where, file, environment string) error {
	return usage(
		"choose account",
		"",
		fmt.Errorf("%s says account %s and CLOUDFLARE_ACCOUNT_ID says %s", where, file, environment),
		"choose with --account-id",
	)
}

// needsFile says whether a wrangler file could still add something. A file that is not needed is not read, so
// that neither its faults nor its environments stand in the way of a job that says everything itself.
func (c *Config) needsFile() bool {
	return c.AccountID == "" || c.Bucket == "" || c.KVNamespace == "" || c.WorkerURL == ""
}

func (c *Config) addFile(in Input, environment Values) error {
	file, err := readWrangler(in)
	if err != nil || file == nil {
		return err
	}
	// wrangler itself prefers the file here and other tools the variable, so a contradiction has to be solved
	// by a person.
	if in.Flags.AccountID == "" && environment.AccountID != "" && file.AccountID != "" &&
		environment.AccountID != file.AccountID {
		return contradiction(file.where(), file.AccountID, environment.AccountID)
	}
	c.File, c.Environment = file.path, file.environment
	c.AccountID = cmp.Or(c.AccountID, file.AccountID)
	if err := c.addBucket(file); err != nil {
		return err
	}
	if c.KVNamespace == "" {
		if c.KVNamespace, err = file.kvNamespace(); err != nil {
			return err
		}
	}
	if c.WorkerURL == "" {
		c.WorkerURL = file.workerURL()
	}
	return nil
}

func (c *Config) addBucket(file *wranglerFile) error {
	bucket, err := file.bucket(c.Bucket)
	if err != nil {
		return err
	}
	c.Bucket, c.Jurisdiction = cmp.Or(c.Bucket, bucket.Name), cmp.Or(c.Jurisdiction, bucket.Jurisdiction)
	return nil
}

// r2Endpoint is where the S3 API of an account answers. A bucket of a jurisdiction answers only under its own
// name.
func r2Endpoint(account, jurisdiction string) string {
	if jurisdiction != "" {
		account += "." + jurisdiction
	}
	return "https://" + account + ".r2.cloudflarestorage.com"
}

func merge(first, second Values) Values {
	return Values{
		AccountID:    cmp.Or(first.AccountID, second.AccountID),
		Bucket:       cmp.Or(first.Bucket, second.Bucket),
		KVNamespace:  cmp.Or(first.KVNamespace, second.KVNamespace),
		WorkerURL:    cmp.Or(first.WorkerURL, second.WorkerURL),
		R2Endpoint:   cmp.Or(first.R2Endpoint, second.R2Endpoint),
		APIBaseURL:   cmp.Or(first.APIBaseURL, second.APIBaseURL),
		Layout:       cmp.Or(first.Layout, second.Layout),
		LocationHint: cmp.Or(first.LocationHint, second.LocationHint),
		Jurisdiction: cmp.Or(first.Jurisdiction, second.Jurisdiction),
	}
}

func usage(op, thing string, err error, hint string) error {
	return &userdb.Error{Op: op, Thing: thing, Kind: userdb.Usage, Err: err, Hint: hint}
}
