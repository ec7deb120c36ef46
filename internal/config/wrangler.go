package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/tailscale/hujson"

	"github.com/dbmigrate/dbmigrate/internal/suggest"
)

// wranglerFile is one environment of a wrangler configuration, or its top level.
type wranglerFile struct {
	AccountID string                  `json:"account_id"    toml:"account_id"`
	Main      string                  `json:"main"          toml:"main"`
	Route     any                     `json:"route"         toml:"route"`
	Routes    []any                   `json:"routes"        toml:"routes"`
	KV        []kvBinding             `json:"kv_namespaces" toml:"kv_namespaces"`
	R2        []r2Binding             `json:"r2_buckets"    toml:"r2_buckets"`
	Env       map[string]wranglerFile `json:"env"           toml:"env"`

	Flags      []string        `json:"compatibility_flags" toml:"compatibility_flags"`
	Objects    objectBindings  `json:"durable_objects"     toml:"durable_objects"`
	Migrations []objectClasses `json:"migrations"          toml:"migrations"`
	// VersionMetadata is optional: no other form of it is an error of ours.
	VersionMetadata any `json:"version_metadata" toml:"version_metadata"`

	path        string
	environment string
	// An environment that has no list of its own has that of the top level.
	flagsInherited, migrationsInherited bool
}

type objectBindings struct {
	Bindings []objectBinding `json:"bindings" toml:"bindings"`
}

type objectBinding struct {
	Name  string `json:"name"       toml:"name"`
	Class string `json:"class_name" toml:"class_name"`
}

// objectClasses is a migration of wrangler's: which classes of objects there are from a tag on.
type objectClasses struct {
	Tag string `json:"tag" toml:"tag"`
}

type kvBinding struct {
	Binding string `json:"binding" toml:"binding"`
	ID      string `json:"id"      toml:"id"`
}

type r2Binding struct {
	Binding      string `json:"binding"      toml:"binding"`
	Name         string `json:"bucket_name"  toml:"bucket_name"`
	Jurisdiction string `json:"jurisdiction" toml:"jurisdiction"`
}

// wranglerNames are looked for in this order, each all the way up, as wrangler does: so both read the same
// file.
var wranglerNames = []string{"wrangler.json", "wrangler.jsonc", "wrangler.toml"}

// readWrangler returns the chosen environment of the chosen file, or nil when there is no file.
func readWrangler(in Input) (*wranglerFile, error) {
	path, err := wranglerPath(in)
	if err != nil {
		return nil, err
	}
	if path == "" {
		if in.EnvironmentSet && in.Environment != "" {
			return nil, usage(
				"choose environment",
				fmt.Sprintf("%q", in.Environment),
				errors.New("there is no wrangler file here or above"),
				"name it with --config",
			)
		}
		return nil, nil
	}
	top, err := parseWrangler(path)
	if err != nil {
		return nil, usage("read", path, err, "")
	}
	return top.choose(in)
}

func wranglerPath(in Input) (string, error) {
	if in.File != "" {
		path := in.File
		if !filepath.IsAbs(path) {
			path = filepath.Join(in.Dir, path)
		}
		if _, err := os.Stat(path); err != nil {
			return "", usage(
				"read",
				in.File,
				errors.Unwrap(err),
				"--config names a wrangler.jsonc, .json or .toml file",
			)
		}
		return path, nil
	}
	for _, name := range wranglerNames {
		if path, err := look(in.Dir, name); err != nil || path != "" {
			return path, err
		}
	}
	return "", nil
}

func parseWrangler(path string) (*wranglerFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	file := &wranglerFile{path: path}
	if strings.HasSuffix(path, ".toml") {
		_, err = toml.Decode(string(text), file)
		return file, err
	}
	if text, err = hujson.Standardize(text); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "hujson: "))
	}
	return file, json.Unmarshal(text, file)
}

// choose picks the environment. When there are some and none was asked for, any choice would be a guess.
func (f *wranglerFile) choose(in Input) (*wranglerFile, error) {
	name, chosen := in.Environment, in.EnvironmentSet
	if !chosen {
		name = in.Getenv("CLOUDFLARE_ENV")
		chosen = name != ""
	}
	names := f.environmentNames()
	switch {
	case !chosen && len(names) > 0:
		return nil, usage(
			"choose environment",
			"",
			fmt.Errorf("%s has the environments %s, and none was chosen", f.path, strings.Join(names, ", ")),
			`name one with --env or CLOUDFLARE_ENV, or the top level with --env ""`,
		)
	case name == "":
		return f, nil
	}
	env, known := f.Env[name]
	if !known {
		return nil, usage(
			"choose environment",
			fmt.Sprintf("%q", name),
			fmt.Errorf("%s does not have it", f.path),
			suggest.Hint(
				name,
				names,
			)+"it has: "+strings.Join(
				append(names, `the top level (--env "")`),
				", ",
			),
		)
	}
	return env.inherit(f, name), nil
}

// Environments are the names of the wrangler file's environments; none where it cannot be read.
func Environments(in Input) []string {
	path, err := wranglerPath(in)
	if err != nil || path == "" || isOwn(path) {
		return nil
	}
	top, err := parseWrangler(path)
	if err != nil {
		return nil
	}
	return top.environmentNames()
}

func (f *wranglerFile) environmentNames() []string {
	var names []string
	for name := range f.Env {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// inherit takes over what wrangler lets environments inherit. Bindings are not among it.
func (f wranglerFile) inherit(top *wranglerFile, name string) *wranglerFile {
	f.path, f.environment = top.path, name
	if f.AccountID == "" {
		f.AccountID = top.AccountID
	}
	if f.Route == nil && f.Routes == nil {
		f.Route, f.Routes = top.Route, top.Routes
	}
	if f.Main == "" {
		f.Main = top.Main
	}
	if f.Flags == nil && top.Flags != nil {
		f.Flags, f.flagsInherited = top.Flags, true
	}
	if f.Migrations == nil && top.Migrations != nil {
		f.Migrations, f.migrationsInherited = top.Migrations, true
	}
	return &f
}

// where names the file and environment, for errors.
func (f *wranglerFile) where() string {
	if f.environment == "" {
		return f.path
	}
	return fmt.Sprintf("%s (environment %q)", f.path, f.environment)
}
