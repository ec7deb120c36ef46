package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/dbmigrate/dbmigrate/internal/suggest"
)

// OwnName is dbmigrate's own configuration file, which dbmigrate init writes.
const OwnName = "dbmigrate.toml"

// Settings are what that file can say, at its top level or in one profile.
type Settings struct {
	AccountID    string `toml:"account_id,omitempty"`
	Bucket       string `toml:"bucket,omitempty"`
	Jurisdiction string `toml:"jurisdiction,omitempty"`
	KVNamespace  string `toml:"kv_namespace,omitempty"`
	WorkerURL    string `toml:"worker_url,omitempty"`
	R2Endpoint   string `toml:"r2_endpoint,omitempty"`
	APIBaseURL   string `toml:"api_base_url,omitempty"`
	Layout       string `toml:"layout,omitempty"`
	LocationHint string `toml:"location_hint,omitempty"`
}

var settingNames = []string{
	"account_id",
	"bucket",
	"jurisdiction",
	"kv_namespace",
	"worker_url",
	"r2_endpoint",
	"api_base_url",
	"layout",
	"location_hint",
	"profile",
}

// Own is dbmigrate's own configuration file.
type Own struct {
	Settings
	Profiles map[string]Settings `toml:"profile,omitempty"`
	path     string
}

func (s Settings) values() Values {
	return Values{
		AccountID:    s.AccountID,
		Bucket:       s.Bucket,
		KVNamespace:  s.KVNamespace,
		WorkerURL:    s.WorkerURL,
		R2Endpoint:   s.R2Endpoint,
		APIBaseURL:   s.APIBaseURL,
		Layout:       s.Layout,
		LocationHint: s.LocationHint,
	}
}

// isOwn tells dbmigrate's own file from a wrangler.toml, by its name.
func isOwn(path string) bool {
	name := filepath.Base(path)
	return name == OwnName || strings.HasSuffix(name, "."+OwnName)
}

// chooseOwn returns the settings that apply, with where they stand; "" when none do. A wrangler environment
// that was asked for goes before the file's top level, which may have been made from another one.
func chooseOwn(in Input) (s Settings, path, profile string, err error) {
	profile = in.Profile
	if profile != "" && in.EnvironmentSet {
		return s, "", "", usage(
			"choose profile",
			"",
			errors.New("use only one of --profile and --env"),
			"a profile of "+OwnName+" stands alone",
		)
	}
	if profile == "" && !in.EnvironmentSet {
		profile = in.Getenv("DBMIGRATE_PROFILE")
	}
	elsewhere := in.File != "" && !isOwn(in.File)
	if profile == "" &&
		(elsewhere || in.EnvironmentSet || in.Getenv("CLOUDFLARE_ENV") != "" && in.File == "") {
		return s, "", "", nil
	}
	if elsewhere {
		return s, "", "", usage(
			"choose profile",
			fmt.Sprintf("%q", profile),
			fmt.Errorf("--config names %s, and profiles are in %s", in.File, OwnName),
			"",
		)
	}
	own, err := FindOwn(in.Dir, in.File)
	switch {
	case err != nil:
		return s, "", "", err
	case own == nil && profile != "":
		return s, "", "", usage(
			"choose profile",
			fmt.Sprintf("%q", profile),
			errors.New("there is no "+OwnName+" here or above"),
			"dbmigrate init --profile "+profile+" makes it",
		)
	case own == nil:
		return s, "", "", nil
	}
	s, err = own.choose(profile)
	return s, own.path, profile, err
}

func (o *Own) choose(profile string) (Settings, error) {
	names := o.ProfileNames()
	if profile == "" {
		if o.Settings == (Settings{}) && len(names) > 0 {
			return Settings{}, usage(
				"choose profile",
				"",
				fmt.Errorf("%s has the profiles %s, and none was chosen", o.path, strings.Join(names, ", ")),
				"name one with --profile or DBMIGRATE_PROFILE",
			)
		}
		return o.Settings, nil
	}
	s, known := o.Profiles[profile]
	if !known {
		return Settings{}, usage(
			"choose profile",
			fmt.Sprintf("%q", profile),
			fmt.Errorf("%s does not have it", o.path),
			suggest.Hint(profile, names)+"it has: "+strings.Join(names, ", "),
		)
	}
	return s, nil
}

// ProfileNames are sorted.
func (o *Own) ProfileNames() []string {
	var names []string
	for name := range o.Profiles {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// FindOwn reads the named file, or the nearest dbmigrate.toml from dir upward; nil when there is none.
func FindOwn(dir, named string) (*Own, error) {
	if named != "" {
		if !filepath.IsAbs(named) {
			named = filepath.Join(dir, named)
		}
		return readOwn(named)
	}
	path, err := look(dir, OwnName)
	if err != nil || path == "" {
		return nil, err
	}
	return readOwn(path)
}

func readOwn(path string) (*Own, error) {
	own := &Own{path: path}
	meta, err := toml.DecodeFile(path, own)
	var syntax toml.ParseError
	var at *fs.PathError
	switch {
	case errors.As(err, &at):
		return nil, usage("read", path, at.Err, "")
	case errors.As(err, &syntax):
		return nil, usage("read", path, fmt.Errorf("line %d: %s", syntax.Position.Line, syntax.Message), "")
	case err != nil:
		return nil, usage("read", path, err, "")
	}
	for _, key := range meta.Undecoded() {
		return nil, unknownSetting(path, key)
	}
	return own, nil
}

// looksSecret guards against a token that somebody puts into a file that is committed.
var looksSecret = regexp.MustCompile(`(?i)token|secret|password|access_key|api_key`)

func unknownSetting(path string, key toml.Key) error {
	hint := suggest.Hint(key[len(key)-1], settingNames) + "it takes " + strings.Join(settingNames, ", ")
	if looksSecret.MatchString(key.String()) {
		hint = "secrets come from the environment only: take it out of the file, and replace it if the file was committed"
	}
	return usage("read", path, fmt.Errorf("%s is no setting of it", key), hint)
}
