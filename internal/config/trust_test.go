package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that somebody else can have put in the way never says where credentials go. One that is named is
// taken.
func TestFilesThatAreNotTrusted(t *testing.T) {
	texts := map[string]string{
		OwnName:         `bucket = "stolen"`,
		"wrangler.json": `{"r2_buckets":[{"bucket_name":"stolen"}]}`,
		"wrangler.toml": "[[r2_buckets]]\nbucket_name = 'stolen'",
	}
	real := ownerOf
	t.Cleanup(func() { ownerOf = real })
	for name, text := range texts {
		for what, c := range map[string]struct {
			git     string // the folder of the repository
			foreign string // who belongs to another user
			named   bool
			want    string // of the error; "" for none
		}{
			"in the repository":           {git: "."},
			"no repository":               {},
			"above the repository":        {git: "packages", want: "above the repository"},
			"above, and named":            {git: "packages", named: true},
			"another user's":              {foreign: name, want: "another operating system user"},
			"another user's, and named":   {foreign: name, named: true},
			"a link of another user's":    {foreign: "link", want: "another operating system user"},
			"another user's, elsewhere":   {foreign: "other.txt"},
			"another user's, above a git": {git: "packages", foreign: name, want: "above the repository"},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				root := t.TempDir()
				dir := filepath.Join(root, "packages", "app")
				if err := os.MkdirAll(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				if c.git != "" {
					if err := os.Mkdir(filepath.Join(root, c.git, ".git"), 0o700); err != nil {
						t.Fatal(err)
					}
				}
				path, target := filepath.Join(root, name), filepath.Join(root, name)
				if c.foreign == "link" {
					target = filepath.Join(root, "link")
				}
				if err := os.WriteFile(target, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				if target != path {
					if err := os.Symlink(target, path); err != nil {
						t.Fatal(err)
					}
				}
				ownerOf = func(info fs.FileInfo) (int, bool) {
					if info.Name() == c.foreign || c.foreign == "link" && info.Mode()&fs.ModeSymlink != 0 {
						return os.Geteuid() + 4711, true
					}
					return os.Geteuid(), true
				}
				in := Input{Dir: dir, Getenv: func(string) string { return "" }}
				if c.named {
					in.File = path
				}
				got, err := Load(in)
				switch {
				case c.want == "" && (err != nil || got.Bucket != "stolen"):
					t.Errorf("%q, %v", got.Bucket, err)
				case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "--config")):
					t.Errorf("%q, %v", got.Bucket, err)
				}
				if _, initErr := OpenProject(in); !isOwn(name) && (initErr == nil) != (c.want == "") {
					t.Errorf("init: %v", initErr)
				}
			})
		}
	}
}
