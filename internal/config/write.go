package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/dbmigrate/dbmigrate/internal/wholefile"
)

var profileName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// CheckProfile refuses names that would have to be quoted everywhere.
func CheckProfile(name string) error {
	if name == "" || profileName.MatchString(name) {
		return nil
	}
	return usage(
		"read profile",
		fmt.Sprintf("%q", name),
		errors.New("it is not made of letters, digits, _ and -"),
		"",
	)
}

const ownHead = `# Which account, bucket, KV namespace and Worker dbmigrate works on. dbmigrate init wrote it.
# Flags and environment variables go before it. No secret belongs here: tokens and keys come from the environment only, so that
# this file can be committed. dbmigrate doctor checks it all.
`

const ownTail = `# layout = "{user}/database.sqlite"   # the key of a user's database, where it is another one
# location_hint = "weur"              # where new Durable Objects are created, or "none"; they never move afterwards
`

// WriteOwn puts settings into the file at path, at its top level or in a profile. What else the file says
// stays. Settings that stand there already are replaced only with force; then the file loses the comments
// that people have added. The file is replaced as a whole or not at all.
func WriteOwn(path, profile, from string, s Settings, force bool) error {
	if err := errors.Join(CheckProfile(profile), s.Check()); err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return replace(path, ownHead+"\n"+section(profile, from, s)+ownTail)
	}
	if err != nil {
		return usage("read", path, errors.Unwrap(err), "")
	}
	own, err := readOwn(path)
	if err != nil {
		return err
	}
	if !own.has(profile) {
		if profile != "" {
			return replace(path, strings.TrimRight(string(old), "\n")+"\n\n"+section(profile, from, s))
		}
		return replace(
			path,
			section("", from, s)+"\n"+string(old),
		) // the top level comes before the first table
	}
	if !force {
		return usage(
			"write",
			path,
			fmt.Errorf("it has %s already", called(profile)),
			"look at it, or replace it with --force",
		)
	}
	if own.Profiles == nil {
		own.Profiles = map[string]Settings{}
	}
	if profile == "" {
		own.Settings = s
	} else {
		own.Profiles[profile] = s
	}
	return replace(path, own.text())
}

func (o *Own) has(profile string) bool {
	if profile == "" {
		return o.Settings != Settings{}
	}
	_, known := o.Profiles[profile]
	return known
}

func called(profile string) string {
	if profile == "" {
		return "settings"
	}
	return fmt.Sprintf("the profile %q", profile)
}

func (o *Own) text() string {
	text := ownHead + "\n"
	if o.Settings != (Settings{}) {
		text += section("", "", o.Settings) + ownTail
	}
	for _, name := range o.ProfileNames() {
		text += "\n" + section(name, "", o.Profiles[name])
	}
	return text
}

// section is the settings as TOML.
func section(profile, from string, s Settings) string {
	var b bytes.Buffer
	if from != "" {
		fmt.Fprintf(&b, "# From %s.\n", strings.ReplaceAll(from, "\n", " "))
	}
	if profile != "" {
		fmt.Fprintf(&b, "[profile.%s]\n", profile)
	}
	// A bytes.Buffer takes everything, and strings can always be encoded.
	_ = toml.NewEncoder(&b).Encode(s)
	return b.String()
}

func replace(path, text string) error { return replaceAs(path, text, 0o644) }

// replaceAs replaces a file as a whole or not at all.
func replaceAs(path, text string, mode os.FileMode) error {
	if err := wholefile.WriteText(path, mode, text); err != nil {
		return usage("write", path, err, "")
	}
	return nil
}
